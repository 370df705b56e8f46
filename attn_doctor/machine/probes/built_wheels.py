"""Wheels that attn-doctor built here and kept, each with what it fits: all of it stands in the name of its folder."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.probes.disk import folders
from attn_doctor.machine.target import Target

KEPT = "attn-doctor/files/built"  # below the cache (plan/ways/_compile.py)
NOTE = "built.json"  # beside each wheel (execute/supervise/kept_wheel.py)
FITS = re.compile(
    r"(?P<package>[A-Za-z][\w.-]*?)-(?P<version>\d[\w.+]*)-(?P<python>cp\d+t?)-(?P<os>[a-z]+)_(?P<arch>[a-z]\w*)"
    r"(?:-(?P<libc>[a-z]+[\d.]+))?-torch(?P<torch>[^-]+)-cu(?P<cuda>[\d.]+)-abi(?P<abi>[01]|unknown)-sm(?P<archs>[\d-]+)"
)


class BuiltWheel(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel. `path` is the file; `built` the day, where it was written down; `libc` as 'glibc2.35'."""

    path: str
    sha256: str
    package: str
    version: str
    python: str
    os: str
    arch: str
    libc: str | None
    torch: str
    cuda: str
    cxx11abi: bool | None
    cuda_archs: tuple[str, ...]
    built: str | None = None


class Note(msgspec.Struct, frozen=True):
    """The file beside a wheel, as far as it is read here."""

    fits: str
    filename: str
    sha256: str
    at: str = ""


def read(host: Host, target: Target) -> Reading[tuple[BuiltWheel, ...]]:
    cache = next(path for purpose, path in folders(host, target) if purpose == "cache")
    kept = join(cache, KEPT)
    found = []
    for name in host.list_dir(kept):
        folder = join(kept, name)
        one = parse(folder, name, host.read_text(join(folder, NOTE)) or "")
        if one is not None and host.is_file(one.path):
            found.append(one)
    return Known(tuple(found), source=kept) if found else Absent(looked_in=(kept,))


def parse(folder: str, name: str, text: str) -> BuiltWheel | None:
    """None where it is no wheel, or half of one: the note is written last, and names its folder."""
    try:
        note = msgspec.json.decode(text, type=Note)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    fits = FITS.fullmatch(name)
    if fits is None or note.fits != name or "/" in note.filename:
        return None
    return BuiltWheel(
        path=join(folder, note.filename),
        sha256=note.sha256,
        **{key: fits[key] for key in ("package", "version", "python", "os", "arch", "libc", "torch", "cuda")},
        cxx11abi={"1": True, "0": False}.get(fits["abi"]),
        cuda_archs=tuple(fits["archs"].split("-")),
        built=note.at[:10] or None,
    )


PROBE = Probe("built_wheels", tuple[BuiltWheel, ...], read)
