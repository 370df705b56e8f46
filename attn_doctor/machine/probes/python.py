"""The target's interpreter: version, ABI, kind of environment, who manages it."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import Host, join
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.target import Target


class Python(msgspec.Struct, frozen=True):
    """The environment that is examined."""

    version: str  # "3.11.9", or "3.11" where no file states the patch level
    free_threaded: bool = False
    implementation: str = "cpython"
    kind: str = "venv"  # venv, uv, conda, system
    prefix: str = ""
    executable: str = ""
    chosen_by: str = ""
    own: bool = False  # the environment attn-doctor runs in
    interpreter_gone: bool = False  # bin/python is a link that leads nowhere
    externally_managed: bool = False  # PEP 668: pip refuses to install here
    headers: bool | None = None  # Python.h, which compiling an extension takes; None: nobody looked
    real_prefix: str | None = None  # where the prefix leads to, where it is a link
    instead: str | msgspec.UnsetType | None = msgspec.UNSET  # of the same minor version; looked for where it is gone

    @property
    def tag(self) -> str:
        """The wheel tag of its ABI: cp311, cp313t."""
        major, minor = (*self.version.split("."), "0")[:2]
        return f"cp{major}{minor}{'t' if self.free_threaded else ''}"


def leads_nowhere(host: Host, path: str) -> bool:
    """Whether a path is listed in its folder and cannot be opened: a link whose end is gone."""
    folder, _, name = path.rpartition("/")
    return not host.is_file(path) and name in host.list_dir(folder)


def has_headers(host: Host, target: Target) -> bool | None:
    """Whether Python.h is where the interpreter's own configuration puts it; Linux only."""
    if host.system()[0] != "linux" or target.implementation != "cpython":
        return None
    minor = ".".join(target.version.split(".")[:2]) + ("t" if target.free_threaded else "")
    # `home` of a pyvenv.cfg is the folder of the interpreter, sys.base_prefix the one above it
    bases = [target.prefix, *((target.base, target.base.rpartition("/")[0]) if target.base else ())]
    return any(host.is_file(join(base or "/", f"include/python{minor}/Python.h")) for base in bases)


def _instead(host: Host, target: Target) -> str | msgspec.UnsetType | None:
    from attn_doctor.machine.interpreters import instead_of  # only where an interpreter is gone

    return instead_of(host, target)


def read(host: Host, target: Target) -> Reading[Python]:
    real = host.real_path(target.prefix)
    marker = join(target.stdlib, "EXTERNALLY-MANAGED") if target.stdlib else None
    managed = bool(target.kind in ("system", "conda") and marker and host.is_file(marker))
    gone = leads_nowhere(host, target.python)
    found = Python(
        target.version,
        target.free_threaded,
        target.implementation,
        target.kind,
        target.prefix,
        target.python,
        target.chosen_by,
        target.own,
        gone,
        managed,
        has_headers(host, target),
        real if real != target.prefix.rstrip("/") else None,
        _instead(host, target) if gone else msgspec.UNSET,
    )
    return Known(found, source=join(target.prefix, "pyvenv.cfg") if target.kind in ("venv", "uv") else target.python)


def _python(edit: Edit, _key: str, value: str) -> None:
    version = value.removesuffix("t")
    if not re.fullmatch(r"3\.\d{1,3}(\.\d{1,3})?", version):
        raise ValueError
    old = edit.readings.get("python")
    base = old.value if isinstance(old, Known) else Python(version)
    changed = msgspec.structs.replace(base, version=version, free_threaded=value.endswith("t"))
    edit.readings["python"] = Known(changed, source="what-if")


PROBE = Probe(
    "python",
    Python,
    read,
    plain=Python("3.12"),
    what_if=(WhatIf("python", "a version such as 3.11 or 3.13t", _python),),
)
