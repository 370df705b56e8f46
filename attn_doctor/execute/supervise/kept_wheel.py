"""A wheel that was built is kept, and used again where the same is wanted.

Its folder is named for all that it fits: package, torch, CUDA, C++ ABI, Python, platform and architectures
(plan/ways/_compile.py). A file beside it says what was written there, so that half a wheel is never taken for one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256

import msgspec

from attn_doctor.execute.folders import flush
from attn_doctor.execute.journal import now
from attn_doctor.plan.plan import Step

KEY = "built.json"
BUILDS = "builds"
CHUNK_BYTES = 1 << 20


class Places(msgspec.Struct, frozen=True):
    """Where a build takes place and where its wheel goes; None: the installer has no such place."""

    build: str | None
    wheels: str | None


class Built(msgspec.Struct, frozen=True):
    """The file beside a wheel."""

    schema: str
    fits: str
    filename: str
    sha256: str
    at: str = ""
    """The moment, UTC: a plan names the day."""


SCHEMA = "attn-doctor/built/1"


def places(step: Step) -> Places:
    """As the command names them: the cache of uv, or the folder of sources and the one for wheels of pip."""
    options = dict(zip(step.command, step.command[1:], strict=False))
    if "--cache-dir" in options:
        return Places(options["--cache-dir"], None)
    wheels = options.get("--wheel-dir")
    last = step.command[-1]
    return Places(last if wheels and os.path.isdir(last) else None, wheels)


def find(wheels: str | None) -> str | None:
    """The wheel that an earlier build left there, whole."""
    if wheels is None:
        return None
    with suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
        with open(os.path.join(wheels, KEY), "rb") as file:
            built = msgspec.json.decode(file.read(), type=Built)
        path = os.path.join(wheels, os.path.basename(built.filename))
        if built.fits == os.path.basename(wheels) and _digest(path) == built.sha256:
            return path
    return None


def make_way(wheels: str | None) -> None:
    """Remove what is no whole wheel: what is installed afterwards is the only one there."""
    for name in _wheels(wheels):
        with suppress(OSError):
            os.unlink(os.path.join(str(wheels), name))


def keep(wheels: str | None) -> None:
    """Write down the wheel that was built; where that fails it is only built again next time."""
    found = _wheels(wheels)
    if wheels is None or len(found) != 1:
        return
    path = os.path.join(wheels, KEY)
    with suppress(OSError):
        built = Built(SCHEMA, os.path.basename(wheels), found[0], _digest(os.path.join(wheels, found[0])), now())
        with open(f"{path}.new", "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(built), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.new", path)
        flush(wheels)


def forget(step: Step) -> None:
    """What was built and then did not load is not used again: neither the wheel nor its objects."""
    import shutil

    found = places(step)
    if found.wheels is not None:
        give_up(found.wheels)
    if found.build is not None and _own(found.build):
        shutil.rmtree(found.build, ignore_errors=True)


def give_up(wheels: str) -> None:
    """No plan offers that wheel any more, and the next build makes it anew."""
    with suppress(OSError):
        os.unlink(os.path.join(wheels, KEY))


def _wheels(wheels: str | None) -> list[str]:
    if wheels is None or not os.path.isdir(wheels):
        return []
    return sorted(name for name in os.listdir(wheels) if name.endswith(".whl"))


def _digest(path: str) -> str:
    found = sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest()


def drop_objects(build: str | None) -> None:
    """Sources and objects are done with once there is a wheel; only a folder of our own goes."""
    import shutil

    if build is not None and _own(build) and _is_sources(build):
        shutil.rmtree(build, ignore_errors=True)


def _own(build: str) -> bool:
    return os.path.basename(os.path.dirname(build)) == BUILDS


def _is_sources(build: str) -> bool:
    """Whether sources were unpacked there, which a uv cache keeps deeper down."""
    return any(os.path.exists(os.path.join(build, name)) for name in ("setup.py", "pyproject.toml"))
