"""The packages that decide about attention: which are installed, and which build of each."""

import re
from collections.abc import Collection
from typing import Literal

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import local
from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.target import Distribution, Target, distributions, normalise

NAME_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

# their build stands in a version.py, and not in the name of the files that PyPI holds
COMPANIONS = ("torchaudio", "torchvision")


Bond = Literal["moves", "compiled", "pins", "not_older", "free"]


class WatchedPackage(msgspec.Struct, frozen=True):
    """A distribution worth recording; `built` ones carry compiled code whose build matters.

    `bond` is what another torch does to it: it comes anew (moves), stops loading (compiled), is made for one torch
    only (pins), takes no older one (not_older), or does not mind although it has compiled code (free).
    """

    name: str
    why: str
    source: str
    built: bool = False
    bond: Bond | None = None


class Package(msgspec.Struct, frozen=True):
    """An installed distribution. `build` is what its file was built for, where the name or its origin says it."""

    version: str
    build: str | None = None  # cu12torch2.7cxx11abiTRUE
    tags: tuple[str, ...] = ()  # of the wheel: cp311-cp311-linux_x86_64
    origin: str | None = None  # the file or repository it was installed from, without credentials
    location: str | None = None
    requires: dict[str, str] | None = None  # what its metadata demands of watched packages; None: not read
    installer: str | msgspec.UnsetType = msgspec.UNSET  # conda, where it is one of its packages


def parse_requires(metadata: str, watched: Collection[str]) -> dict[str, str]:
    """{'torch': '==2.8.0'} from the header of a METADATA file; demands of extras are nobody's."""
    found: dict[str, str] = {}
    unclear: set[str] = set()
    for line in metadata.partition("\n\n")[0].splitlines():
        if not line.startswith("Requires-Dist:"):
            continue
        demand, _, marker = line[len("Requires-Dist:") :].partition(";")
        length = len(demand) - len(demand.lstrip().lstrip(NAME_CHARACTERS))
        name, rest = normalise(demand[:length].strip()), demand[length:].strip()
        if name in watched and "extra" not in marker:
            specifier = (rest.partition("]")[2] if rest.startswith("[") else rest).strip(" ()").replace(" ", "")
            if found.setdefault(name, specifier) != specifier:
                unclear.add(name)  # by Python or platform: not read here
    return {name: found[name] for name in sorted(found) if name not in unclear}


def parse_version(text: str) -> str | None:
    """The __version__ of a version.py."""
    line = next((line for line in text.splitlines() if line.startswith("__version__")), "")
    return line.partition("=")[2].strip().strip("'\"") or None


def parse_wheel_tags(text: str) -> tuple[str, ...]:
    """The Tag lines of a WHEEL file."""
    return tuple(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("Tag:"))


def parse_direct_url(text: str) -> str | None:
    """The url of a direct_url.json, without user name, password and query; None where there is none."""
    try:
        url = msgspec.json.decode(text, type=dict[str, msgspec.Raw])["url"]
        address: str = msgspec.json.decode(url, type=str)
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError, RecursionError):
        return None
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    authority, slash, path = rest.partition("/")
    # a signed link carries its secret in the query
    return scheme + separator + authority.rpartition("@")[2] + slash + re.split(r"[?#]", path)[0]


def build_of_file(url: str) -> str | None:
    """'cu12torch2.7cxx11abiTRUE' from the address of flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-cp311-....whl."""
    name = url.rpartition("/")[2].replace("%2B", "+").replace("%2b", "+")
    parts = name.split("-")
    return local(parts[1]) if name.endswith(".whl") and len(parts) > 1 else None


def read(host: Host, target: Target) -> Reading[dict[str, Package]]:
    installed = distributions(host, target)
    table = rows("packages_watched", WatchedPackage)
    watched = {row.name for row in table}
    found = {
        row.name: _package(host, installed[row.name], watched if row.built else ())
        for row in table
        if row.name in installed
    }
    if target.kind == "conda":
        found = {name: _by_conda(host, installed[name], one) for name, one in found.items()}
    return Known(dict(sorted(found.items())), source=", ".join(target.site_packages))


def _package(host: Host, found: Distribution, watched: Collection[str]) -> Package:
    """`watched` is empty for a package whose build does not matter."""
    if not watched:
        return Package(found.version, location=found.site)
    origin = parse_direct_url(_text(host, found, "direct_url.json"))
    build = local(found.version) or (build_of_file(origin) if origin else None)
    if build is None and found.name in COMPANIONS:
        build = local(parse_version(_read(host, join(found.site, found.name, "version.py"))) or "")
    tags = parse_wheel_tags(_text(host, found, "WHEEL"))
    metadata = _text(host, found, "METADATA")
    requires = parse_requires(metadata, watched) if metadata else None
    return Package(found.version, build, tags, origin, found.site, requires)


def _by_conda(host: Host, found: Distribution, package: Package) -> Package:
    """With its installer: pip and uv put packages into the same folder, and the metadata says whose each is."""
    installer = _text(host, found, "INSTALLER").strip()
    return msgspec.structs.replace(package, installer="conda") if installer == "conda" else package


def _text(host: Host, found: Distribution, name: str) -> str:
    return _read(host, join(found.metadata, name))


def _read(host: Host, path: str) -> str:
    try:
        return host.read_text(path) or ""
    except CannotLook:
        return ""  # one unreadable file must not hide that the package is there


def _packages(edit: Edit) -> dict[str, Package]:
    reading = edit.readings.get("packages")
    return dict(reading.value) if isinstance(reading, Known) else {}


def _name(key: str) -> str:
    name = normalise(key.partition(".")[2])
    if not name or not all(char.isalnum() or char == "-" for char in name):
        raise ValueError
    return name


def _pkg(edit: Edit, key: str, value: str) -> None:
    packages = _packages(edit)
    name = _name(key)
    if value == "none":
        packages.pop(name, None)
    elif not value[:1].isdigit() or any(char.isspace() for char in value):
        raise ValueError
    else:
        packages[name] = Package(value, build=local(value))
    edit.readings["packages"] = Known(dict(sorted(packages.items())), source="what-if")


def _built(edit: Edit, key: str, value: str) -> None:
    packages = _packages(edit)
    name = _name(key)
    if name not in packages or (not value.isalnum() and not value.replace(".", "").isalnum()):
        raise ValueError
    packages[name] = msgspec.structs.replace(packages[name], build=value)
    edit.readings["packages"] = Known(dict(sorted(packages.items())), source="what-if")


PROBE = Probe(
    "packages",
    dict[str, Package],
    read,
    plain={},
    what_if=(
        WhatIf("pkg.", "a version such as 2.8.3, or none", _pkg, rank=5),
        WhatIf("built.", "a build such as cu12torch2.7cxx11abiTRUE, of a package that is there", _built, rank=6),
    ),
)
