"""What a broken install left behind: half-removed packages, and second copies of torch that win or lose by order."""

from __future__ import annotations

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.machine.beside import python_path
from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.probes.packages import WatchedPackage, parse_version
from attn_doctor.machine.target import Target, normalise, user_site

CLAIMS = (".dist-info", ".egg", ".egg-info", ".egg-link")


class Leftovers(msgspec.Struct, frozen=True):
    """Paths. `half_removed` are pip's ~names; `torch_copies` every torch the interpreter could find: the first wins."""

    half_removed: tuple[str, ...] = ()
    torch_copies: tuple[str, ...] = ()
    torch_versions: tuple[str | None, ...] = ()  # of the copies, where there are several; None: it does not say
    rivals: tuple[str, ...] = ()  # metadata and eggs of one compiled package, where several claim to be it
    eggs_first: bool = False  # easy-install.pth puts eggs before the packages of the folder


def read(host: Host, target: Target) -> Reading[Leftovers]:
    half_removed = [
        join(site, entry) for site in target.site_packages for entry in host.list_dir(site) if entry.startswith("~")
    ]
    copies = _torch_copies(host, target)
    rivals = _rivals(host, target)
    eggs = any(path.endswith((".egg", ".egg-link")) for path in rivals)
    found = Leftovers(
        tuple(half_removed),
        tuple(copies),
        tuple(_version(host, copy) for copy in copies) if len(copies) > 1 else (),
        tuple(rivals),
        eggs and any(_puts_eggs_first(host, site) for site in target.site_packages),
    )
    return Known(found, source=", ".join(target.site_packages))


def _torch_copies(host: Host, target: Target) -> list[str]:
    user = [site for site in (user_site(host, target),) if site]
    # a virtual environment that sees the system's packages has its own before those of the user
    own = target.site_packages[:1] if target.system_site else ()
    sites = dict.fromkeys([*python_path(host), *own, *user, *target.site_packages])
    copies = [join(site, "torch") for site in sites if _has_torch(host, site)]
    if len(copies) < 2:  # noqa: PLR2004
        return copies
    by_place = {host.real_path(copy): copy for copy in reversed(copies)}
    return [copy for copy in copies if copy in by_place.values()]


def _version(host: Host, copy: str) -> str | None:
    try:
        return parse_version(host.read_text(join(copy, "version.py")) or "")
    except CannotLook:
        return None


def _rivals(host: Host, target: Target) -> list[str]:
    """Everything in one folder that claims to be the same compiled package; torch itself is the torch probe's."""
    watched = rows("packages_watched", WatchedPackage)
    names = {row.name for row in watched if row.built and row.name != "torch"}
    found: list[str] = []
    for site in target.site_packages:
        by_name: dict[str, list[str]] = {}
        for entry in host.list_dir(site):
            if entry.endswith(CLAIMS):
                name = normalise(entry[: entry.rindex(".")].partition("-")[0])
                by_name.setdefault(name, []).append(join(site, entry))
        found += [path for name in sorted(names & by_name.keys()) if len(by_name[name]) > 1 for path in by_name[name]]
    return found


def _puts_eggs_first(host: Host, site: str) -> bool:
    try:
        return "__egginsert" in (host.read_text(join(site, "easy-install.pth")) or "")
    except CannotLook:
        return False


def _has_torch(host: Host, site: str) -> bool:
    try:
        return host.is_file(join(site, "torch/version.py"))
    except CannotLook:
        return False


PROBE = Probe("leftovers", Leftovers, read, plain=Leftovers())
