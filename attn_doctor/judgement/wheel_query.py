"""What a search of the catalogue looks for: what a machine says, with what the call asks for in its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.judgement import wheel_choice
from attn_doctor.judgement.allowed import Allowed
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.attention import Demands
from attn_doctor.knowledge.versions import local, major, major_minor, numbers, public
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Trust
from attn_doctor.wheels.resolve import Key
from attn_doctor.wheels.search import EVERY, Aspect, Filters

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

TRUST: tuple[Trust, ...] = ("upstream", "community")
# about which file is liked, not about what loads
PREFERENCES: frozenset[Aspect] = frozenset({"version", "source", "trust", "pre_release"})
NO_MACHINE = Key(
    os="",
    arch="",
    libc=None,
    python="",
    torch=None,
    torch_cuda=None,
    torch_release=True,
    cxx11abi=None,
    capabilities=(),
)

TORCH = r"(?a)\d{1,3}\.\d{1,3}[a-z0-9.]{0,40}(\+[a-z0-9.]{1,60})?"
CUDA = r"(?a)(?:cu)?(\d{2})(?:\.?(\d))?"
PYTHON = r"(?a)(?P<minor>3\.\d{1,2})(\.\d{1,3})?(?P<t>t?)"
CAPABILITY = r"(?a)\d{1,2}\.\d"
VERSION = r"(?a)\d{1,6}(\.\d{1,6}){0,4}((a|b|rc)\d{1,4})?(\.post\d{1,4})?"
PLATFORM = (
    r"(?a)(?P<family>linux|manylinux|musllinux|win|macosx)(?P<old>1|2010|2014)?"
    r"(_(?P<libc>\d{1,3}_\d{1,3}))?_(?P<arch>x86_64|amd64|aarch64|arm64)"
)
OLD_GLIBC = {"1": "2.5", "2010": "2.12", "2014": "2.17"}  # PEP 600
SYSTEMS = {"win": "windows", "macosx": "macos"}
ARCHES = {"amd64": "x86_64", "arm64": "aarch64"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the call says, as written; None where it leaves it to the machine."""

    torch: str | None = None
    cuda: str | None = None
    python: str | None = None
    platform: str | None = None
    abi: str | None = None
    capabilities: tuple[str, ...] = ()
    version: str | None = None
    sources: tuple[str, ...] = ()
    allowed: Allowed | None = None
    """Where no source is asked for, only these; the package need not have files of each."""
    trust: str = "community"
    pre: bool = True


def make_filters(package: str, series: str, demands: Demands | None, asked: Asked, machine: Machine | None) -> Filters:
    """Raises UsageError for what cannot be read. Without a machine only what is asked for is compared."""
    trust = next((one for one in TRUST if one == asked.trust), None)
    if trust is None:
        raise UsageError(f"--trust {asked.trust}: expected {' or '.join(TRUST)}")
    key, compared = machine_key(machine)
    stated: set[Aspect] = set()
    for change, aspects in (_platform(asked, key), _python(asked), _gpus(asked)):
        key = msgspec.structs.replace(key, **change)
        stated |= aspects
    key, about_torch = _torch(asked, key, by_machine=machine is not None)
    stated |= about_torch
    compared |= stated
    allowed = None if asked.sources else asked.allowed
    if asked.torch is not None and "cuda" not in stated:
        compared.discard("cuda")  # which CUDA that torch has is not known
    liked: dict[Aspect, bool] = {
        "version": asked.version is not None,
        "source": bool(asked.sources or allowed),
        "trust": trust == "upstream",
        "pre_release": not asked.pre,
    }
    return Filters(
        package=package,
        key=key,
        series=series,
        compared=frozenset(compared | PREFERENCES),
        asked=frozenset(stated | {aspect for aspect, is_asked in liked.items() if is_asked}),
        version=_matched("--version", asked.version, VERSION, "a version such as 2.8.3 or 2.8.3.post1"),
        sources=allowed.sources if allowed else tuple(_source(name, package) for name in asked.sources),
        said_at=allowed.said_at if allowed else None,
        trust=trust,
        pre=asked.pre,
        demands=demands,
    )


def machine_key(machine: Machine | None) -> tuple[Key, set[Aspect]]:
    """What a machine says, and what of it is known well enough to compare."""
    if machine is None:
        return NO_MACHINE, set()
    key = msgspec.structs.replace(wheel_choice.key(machine, None), capabilities=machine.capabilities)
    return key, set(EVERY) - (set() if key.python else {"python"})


def _matched(option: str, value: str | None, pattern: str, expected: str) -> str | None:
    if value is not None and not re.fullmatch(pattern, value):
        raise UsageError(f"{option} {value}: expected {expected}")
    return value


def _platform(asked: Asked, now: Key) -> tuple[dict[str, object], set[Aspect]]:
    if asked.platform is None:
        return {}, set()
    found = re.fullmatch(PLATFORM, asked.platform.lower())
    if found is None:
        raise UsageError(
            f"--platform {asked.platform}: expected a tag such as linux_x86_64, manylinux_2_28_aarch64,"
            " musllinux_1_2_x86_64 or win_amd64"
        )
    system = SYSTEMS.get(found["family"], "linux")
    version = OLD_GLIBC.get(found["old"] or "", (found["libc"] or "").replace("_", ".")) if system == "linux" else ""
    libc = now.libc if system == now.os else None  # linux_x86_64 says nothing of it
    if version:
        libc = f"{'musl' if found['family'] == 'musllinux' else 'glibc'}-{version}"
    change: dict[str, object] = {"os": system, "arch": ARCHES.get(found["arch"], found["arch"]), "libc": libc}
    if system != now.os:
        change["cxx11abi"] = None
    return change, {"platform", "libc"} if version else {"platform"}


def _python(asked: Asked) -> tuple[dict[str, object], set[Aspect]]:
    if asked.python is None:
        return {}, set()
    found = re.fullmatch(PYTHON, asked.python)
    if found is None:
        raise UsageError(f"--python-version {asked.python}: expected a version such as 3.12 or 3.13t")
    return {"python": found["minor"] + found["t"]}, {"python"}


def _gpus(asked: Asked) -> tuple[dict[str, object], set[Aspect]]:
    for one in asked.capabilities:
        _matched("--cc", one, CAPABILITY, "a compute capability such as 8.6")
    return ({"capabilities": asked.capabilities}, {"gpu"}) if asked.capabilities else ({}, set())


def _torch(asked: Asked, key: Key, by_machine: bool) -> tuple[Key, set[Aspect]]:
    """A torch that is asked for is the build that the package index carries, unless the call says which."""
    torch = _matched("--torch", asked.torch, TORCH, "a version such as 2.8, 2.8.0 or 2.8.0+cu128")
    stated: set[Aspect] = set()
    os, arch = key.os or "linux", key.arch or "x86_64"
    if torch is not None:
        stated.add("torch")
        key = msgspec.structs.replace(
            key, torch=torch, torch_release=torch_builds.is_release(torch), torch_cuda=None, cxx11abi=None
        )
        variant = local(torch)
        if variant is not None:
            key = msgspec.structs.replace(key, torch_cuda=torch_builds.cuda_of_variant(variant))
            stated.add("cuda")
        elif asked.cuda is None and by_machine and (default := torch_builds.default_cuda(torch, os, arch)):
            key = msgspec.structs.replace(key, torch_cuda=default)
            stated.add("cuda")
    if asked.cuda is not None:
        stated.add("cuda")
        cuda = _cuda(asked.cuda)
        if by_machine and key.torch is not None:
            cuda = _build_for(public(key.torch), cuda, os, arch)
        key = msgspec.structs.replace(key, torch_cuda=cuda, cxx11abi=None)
    if asked.abi is not None:
        if asked.abi.lower() not in ("true", "false"):
            raise UsageError(f"--abi {asked.abi}: expected true (the new C++ ABI) or false")
        return msgspec.structs.replace(key, cxx11abi=asked.abi.lower() == "true"), stated | {"abi"}
    if key.cxx11abi is None and by_machine and key.torch is not None and stated:
        key = msgspec.structs.replace(key, cxx11abi=torch_builds.cxx11abi(key.torch, key.torch_cuda, os, arch))
    return key, stated


def _cuda(text: str) -> str:
    """'12', '12.8' from '12', '12.8', 'cu128'."""
    found = re.fullmatch(CUDA, text.lower())
    if found is None:
        raise UsageError(f"--cuda {text}: expected a version such as 12 or 12.8")
    return f"{found[1]}.{found[2]}" if found[2] else found[1]


def _build_for(torch: str, cuda: str, os: str, arch: str) -> str:
    """The CUDA of the build that '12' means for a torch: that of the package index, else the newest of that major."""
    if "." in cuda:
        return cuda
    default = torch_builds.default_cuda(torch, os, arch)
    published = [
        build.cuda
        for build in torch_builds.builds(os, arch)
        if build.cuda and major(build.cuda) == major(cuda) and major_minor(build.torch) == major_minor(torch)
    ]
    if default is not None and major(default) == major(cuda):
        return default
    return max(published, key=numbers, default=cuda)


def _source(name: str, package: str) -> str:
    known = sorted({wheel.source for wheel in catalogue.wheels(package)})
    if name in known:
        return name
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(f"--source {name}: there is no such source of {package}", f"{hint}Sources: {', '.join(known)}.")
