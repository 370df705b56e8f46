"""CUDA libraries in the folders of LD_LIBRARY_PATH, which the loader searches before a library's own RUNPATH."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.target import Target, distributions

VARIABLE = "LD_LIBRARY_PATH"
# the libraries that can be shadowed, and how the wheel that brings torch's own is named; see knowledge/shadowed.json
WATCHED = {"libcudnn": "nvidia-cudnn-", "libnvJitLink": "nvidia-nvjitlink"}


class Library(msgspec.Struct, frozen=True):
    """One that the loader would find there. Versions as the file or the wheel is named; None where it does not say."""

    name: str  # libcudnn.so.9
    folder: str
    version: str | None = None
    wheel: str | None = None  # of the same library in the target


def parse_version(path: str) -> str | None:
    """'9.1.0' from '/usr/local/cuda/lib64/libcudnn.so.9.1.0'; None where the name holds no more than the major."""
    version = path.rpartition("/")[2].partition(".so.")[2]
    return version if "." in version and version.replace(".", "").isdigit() else None


def read(host: Host, target: Target) -> Reading[tuple[Library, ...]]:
    value = host.env(VARIABLE) if host.system()[0] == "linux" else None
    if not value:
        return Absent((VARIABLE,))
    wheels = {name: one.version for name, one in distributions(host, target).items() if name.startswith("nvidia-")}
    found: dict[str, Library] = {}
    for folder in value.split(":"):
        own = any(join(folder, "").startswith(join(site, "")) for site in target.site_packages)
        for name in _listed(host, folder) if not own else ():
            stem, _, major = name.partition(".so.")
            if stem in WATCHED and major.isdigit() and name not in found:
                version = parse_version(host.real_path(join(folder, name)))
                found[name] = Library(name, folder, version, _wheel(wheels, WATCHED[stem], major))
    return Known(tuple(found.values()), source=VARIABLE)


def _listed(host: Host, folder: str) -> tuple[str, ...]:
    try:
        return host.list_dir(folder) if folder.startswith("/") else ()
    except CannotLook:  # the loader cannot look either
        return ()


def _wheel(wheels: dict[str, str], prefix: str, major: str) -> str | None:
    """The version of the wheel that brings a library of that major."""
    versions = (version for name, version in sorted(wheels.items()) if name.startswith(prefix))
    return next((version for version in versions if version.partition(".")[0] == major), None)


PROBE = Probe("library_path", tuple[Library, ...], read)
