"""The target: the Python environment that is examined, found and read from its files."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache

import msgspec

from attn_doctor.errors import NoTarget
from attn_doctor.machine import beside
from attn_doctor.machine.host import CannotLook, Completed, Host, join, run
from attn_doctor.machine.probe import timeout_s

# what a pyvenv.cfg or an interpreter may say: 3.12.3, 3.14.0b2, 3.12.3.final.0
VERSION = r"3\.[0-9]{1,3}([.a-z+][0-9a-z.+]{0,30})?"

# set to anything: no interpreter is run to learn about it (the tools of `attn-doctor mcp`, which only read)
RUN_NO_PYTHON = "ATTN_DOCTOR_RUN_NO_PYTHON"

# what the interpreter is asked when its files do not say (a shim, an unusual layout)
ASK = (
    "import json,site,sys;print(json.dumps([sys.prefix,sys.base_prefix,'.'.join(map(str,sys.version_info[:3])),"
    "'t' in getattr(sys,'abiflags',''),site.getsitepackages(),sys.implementation.name]))"
)


class Target(msgspec.Struct, frozen=True):
    """A Python environment. `version` may lack the patch level where no file states it."""

    prefix: str
    python: str
    version: str
    kind: str  # venv, uv, virtualenv, conda, system
    chosen_by: str
    site_packages: tuple[str, ...]
    free_threaded: bool = False
    implementation: str = "cpython"
    own: bool = False  # the environment that attn-doctor itself runs in
    base: str | None = None  # the home of the interpreter a virtual environment was made from
    system_site: bool = False
    stdlib: str | None = None
    deep: bool = False  # --deep: import torch and the attention packages in it


def locate(host: Host, python: str | None = None, venv: str | None = None) -> Target:
    """The environment a call speaks of: the options, $VIRTUAL_ENV, ./.venv, $CONDA_PREFIX, our own interpreter.

    Raises NoTarget where an option, or $VIRTUAL_ENV, points to no environment.
    """
    try:
        found = _locate(host, python, venv)
    except CannotLook as error:
        raise NoTarget(f"the target cannot be examined: {error}") from error
    return msgspec.structs.replace(found, site_packages=_sites(host, found))


def _sites(host: Host, found: Target) -> tuple[str, ...]:
    """Every folder with packages that the target imports from, its own first.

    The interpreter looks into PYTHONPATH, and then into the folder of the user, before its own; here they come last, so
    that a second copy in them is seen as one (AD309).
    """
    user = user_site(host, found)
    known = (*found.site_packages, *((user,) if user and host.is_dir(user) else ()))
    return tuple(dict.fromkeys((*beside.followed(host, known), *beside.python_path(host))))


def _locate(host: Host, python: str | None, venv: str | None) -> Target:
    if python is not None:
        return _of_python(host, _absolute(python), "--python")
    if venv is not None:
        return _of_folder(host, _absolute(venv), "--venv")
    active = host.env("VIRTUAL_ENV")
    if active:
        return _of_folder(host, active, "$VIRTUAL_ENV")
    if host.is_file(".venv/pyvenv.cfg"):
        return _of_folder(host, os.path.abspath(".venv"), "./.venv")
    conda = host.env("CONDA_PREFIX")
    if conda and host.is_dir(join(conda, "conda-meta")):
        return _of_folder(host, conda, "$CONDA_PREFIX")
    return _own(host)


def running(host: Host) -> Target:
    """The interpreter that runs this, with every folder that it imports from: what counts for a script in it."""
    places = tuple(entry for entry in dict.fromkeys(import_path()) if entry and host.is_dir(entry))
    return msgspec.structs.replace(_own(host), site_packages=places, chosen_by="the interpreter that runs this")


def import_path() -> list[str]:
    """Where this interpreter imports from; of entries that are no text Python itself takes no notice."""
    entries: list[object] = [*sys.path]
    return [entry for entry in entries if isinstance(entry, str)]


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(os.path.expanduser(path))
    except FileNotFoundError:
        raise NoTarget(f"{path}: the working folder is gone", "Change to one that is there.") from None


def _own(host: Host) -> Target:
    config = host.read_text(join(sys.prefix, "pyvenv.cfg"))
    conda = host.is_dir(join(sys.prefix, "conda-meta"))
    sites = [entry for entry in import_path() if os.path.basename(entry) in ("site-packages", "dist-packages")]
    return Target(
        prefix=sys.prefix,
        python=sys.executable,
        version=".".join(map(str, sys.version_info[:3])),
        kind="conda" if conda else "system" if config is None else "uv" if "uv" in _settings(config) else "venv",
        chosen_by="the interpreter that runs attn-doctor",
        site_packages=tuple(sites),
        free_threaded="t" in getattr(sys, "abiflags", ""),
        implementation=sys.implementation.name,
        own=True,
        base=sys.base_prefix if sys.prefix != sys.base_prefix else None,
        stdlib=os.path.dirname(os.__file__),
    )


def _of_python(host: Host, python: str, chosen_by: str) -> Target:
    if not host.is_file(python):
        raise NoTarget(f"{chosen_by}: there is no interpreter at {python}", "Give the path of a python executable.")
    prefix = os.path.dirname(os.path.dirname(python))
    if host.is_file(join(prefix, "pyvenv.cfg")) or host.is_dir(join(prefix, "conda-meta")):
        return _of_folder(host, prefix, chosen_by, python)
    real = host.real_path(python)
    prefix = os.path.dirname(os.path.dirname(real))
    libraries = _libraries(host, prefix)
    named = os.path.basename(real).removeprefix("python").removesuffix(".exe").removesuffix("t")
    wanted = [name for name in libraries if _minor(name) == named] or (libraries if len(libraries) == 1 else [])
    if wanted and os.path.basename(real).startswith("python"):
        return _system(host, prefix, python, wanted[0], chosen_by)
    return _ask(host, python, chosen_by)


def _of_folder(host: Host, prefix: str, chosen_by: str, python: str | None = None) -> Target:
    if not host.is_dir(prefix):
        raise NoTarget(f"{chosen_by}: there is no folder {prefix}", "Create it: python -m venv " + prefix)
    windows = host.system()[0] == "windows"
    places = ("Scripts/python.exe", "python.exe") if windows else ("bin/python", "bin/python3")
    found = python or next((join(prefix, place) for place in places if host.is_file(join(prefix, place))), None)
    config = host.read_text(join(prefix, "pyvenv.cfg"))
    conda = host.list_dir(join(prefix, "conda-meta"))
    if config is None and not conda:
        if found is not None:
            return _of_python(host, found, chosen_by)
        raise NoTarget(
            f"{chosen_by}: {prefix} is not a Python environment (no pyvenv.cfg, no bin/python)",
            "Give a virtual environment with --venv, or an interpreter with --python.",
        )
    settings = _settings(config or "")
    stated = settings.get("version_info") or settings.get("version") or _conda_version(conda) or ""
    stated = ".".join(stated.split(".")[:3]) if re.fullmatch(VERSION, stated) else ""
    library = _library(_libraries(host, prefix), stated)
    if not stated and library:
        stated = _minor(library)
    if not stated:
        raise NoTarget(f"{chosen_by}: {prefix} does not say which Python it has", "Recreate the environment.")
    site = join(prefix, "Lib/site-packages") if windows else join(prefix, "lib", library or "", "site-packages")
    base = settings.get("home")
    shared = settings.get("include-system-site-packages", "").lower() == "true"
    minor = ".".join(stated.split(".")[:2])
    sites = (site, *(_system_sites(host, os.path.dirname(base), minor) if shared and base else ()))
    return Target(
        prefix=prefix,
        python=found or join(prefix, places[0]),
        version=stated,
        kind="conda" if conda else "uv" if "uv" in settings else "venv",
        chosen_by=chosen_by,
        site_packages=sites,
        free_threaded=(library or "").endswith("t"),
        implementation=settings.get("implementation", "cpython").lower(),
        own=prefix == sys.prefix,
        base=base,
        system_site=shared,
        stdlib=join(prefix, "lib", library) if conda and library else None,
    )


def _settings(config: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in config.splitlines())
    return {key.strip().lower(): value.strip() for key, sign, value in pairs if sign}


def _libraries(host: Host, prefix: str) -> list[str]:
    return [name for name in host.list_dir(join(prefix, "lib")) if name.startswith("python3.") and _minor(name)]


def _library(libraries: list[str], version: str) -> str | None:
    """The lib/pythonX.Y of that version; where an upgrade left several behind, the stated version decides."""
    minor = ".".join(version.split(".")[:2])
    return next((name for name in libraries if _minor(name) == minor), libraries[-1] if libraries else None)


def _minor(library: str) -> str:
    """'python3.13t' -> '3.13'."""
    version = library.removeprefix("python").removesuffix("t")
    head, _, tail = version.partition(".")
    return version if head.isdigit() and tail.isdigit() else ""


def _conda_version(names: tuple[str, ...]) -> str | None:
    for name in names:
        if name.startswith("python-") and name.endswith(".json") and name[7:8].isdigit():
            return name.split("-")[1]
    return None


def _system(host: Host, prefix: str, python: str, library: str, chosen_by: str) -> Target:
    minor = _minor(library)
    header = host.read_text(join(prefix, "include", library, "patchlevel.h")) or ""
    exact = next((line.split('"')[1] for line in header.splitlines() if "PY_VERSION " in line and '"' in line), minor)
    return Target(
        prefix=prefix,
        python=python,
        version=exact.rstrip("+"),
        kind="system",
        chosen_by=chosen_by,
        site_packages=_system_sites(host, prefix, minor),
        free_threaded=library.endswith("t"),
        own=os.path.realpath(sys.executable) == host.real_path(python) and sys.prefix == sys.base_prefix,
        stdlib=join(prefix, "lib", library),
    )


def _system_sites(host: Host, prefix: str, minor: str) -> tuple[str, ...]:
    """Where an interpreter that is no virtual environment keeps its packages; Debian has names of its own."""
    candidates = (
        f"/usr/local/lib/python{minor}/dist-packages" if prefix == "/usr" else "",
        join(prefix, f"lib/python{minor}/site-packages"),
        join(prefix, f"lib/python{minor}t/site-packages"),
        join(prefix, "lib/python3/dist-packages"),
        join(prefix, f"lib/python{minor}/dist-packages"),
        join(prefix, f"lib64/python{minor}/site-packages"),
    )
    seen = {host.real_path(path): path for path in reversed(candidates) if path and host.is_dir(path)}
    return tuple(path for path in candidates if path in seen.values())


def _ask(host: Host, python: str, chosen_by: str) -> Target:
    if host.env(RUN_NO_PYTHON):
        raise NoTarget(
            f"{chosen_by}: no file says what {python} is, and it is not run here to ask it",
            "Give a virtual environment, or call attn-doctor on the command line.",
        )
    answer = run(host, [python, "-I", "-c", ASK], timeout_s(host))
    if not isinstance(answer, Completed) or answer.returncode != 0:
        why = answer.stderr.strip().splitlines()[-1:] if isinstance(answer, Completed) else [answer.reason]
        raise NoTarget(f"{chosen_by}: {python} does not answer: {' '.join(why) or 'no output'}", "Is it a Python?")
    try:
        prefix, base, version, free_threaded, sites, implementation = msgspec.json.decode(
            answer.stdout, type=tuple[str, str, str, bool, tuple[str, ...], str]
        )
    except (msgspec.DecodeError, RecursionError):
        version = ""
    if not re.fullmatch(VERSION, version):
        raise NoTarget(f"{chosen_by}: {python} does not answer as a Python 3 would", "Is it a Python?")
    if host.is_file(join(prefix, "pyvenv.cfg")) or host.is_dir(join(prefix, "conda-meta")):
        return _of_folder(host, prefix, chosen_by)
    return Target(
        prefix=prefix,
        python=python,
        version=version,
        kind="system",
        chosen_by=chosen_by,
        site_packages=sites,
        free_threaded=free_threaded,
        implementation=implementation,
        own=prefix == sys.prefix,
        base=base if base != prefix else None,
    )


def user_site(host: Host, target: Target) -> str | None:
    """The per-user folder of packages that this target sees; a virtual environment of its own sees none."""
    home = host.env("HOME")
    if host.system()[0] == "windows" or not home or host.env("PYTHONNOUSERSITE"):
        return None
    if target.kind not in ("system", "conda") and not target.system_site:
        return None
    minor = ".".join(target.version.split(".")[:2])
    return join(host.env("PYTHONUSERBASE") or join(home, ".local"), f"lib/python{minor}/site-packages")


class Distribution(msgspec.Struct, frozen=True):
    """An installed distribution as its metadata folder names it."""

    name: str  # normalised: flash-attn
    version: str
    metadata: str  # path of the .dist-info folder or .egg-info
    site: str  # the folder it is installed in


def distributions(host: Host, target: Target) -> dict[str, Distribution]:
    """What is installed in the target, by normalised name, from folder names alone; the first place wins."""
    found: dict[str, Distribution] = {}
    for site in target.site_packages:
        for one in _listed(site, host.list_dir(site)):
            found.setdefault(one.name, one)
    return found


@lru_cache(maxsize=64)
def _listed(site: str, entries: tuple[str, ...]) -> tuple[Distribution, ...]:
    """The distributions among the names of a folder; several probes ask for the same one."""
    found: list[Distribution] = []
    folder = join(site, "")
    for entry in entries:
        if entry.endswith((".dist-info", ".egg-info")):
            name, _, version = entry[: entry.rindex(".")].partition("-")
            version = version.partition("-py3")[0]
            normal = normalise(name)
            if normal and version and not name.startswith("~"):
                found.append(Distribution(normal, version, folder + entry, site))
    return tuple(found)


def normalise(name: str) -> str:
    """PEP 503: 'flash_attn' -> 'flash-attn'."""
    return name.lower().replace("_", "-").replace(".", "-")
