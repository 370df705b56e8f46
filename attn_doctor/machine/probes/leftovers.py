"""What a broken install left behind: half-removed packages, and second copies of torch that win or lose by order."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.target import Target


class Leftovers(msgspec.Struct, frozen=True):
    """Paths. `half_removed` are pip's ~names; `torch_copies` every torch the interpreter could find: the first wins."""

    half_removed: tuple[str, ...] = ()
    torch_copies: tuple[str, ...] = ()


def user_site(host: Host, target: Target) -> str | None:
    """The per-user folder of packages that this target sees; a virtual environment sees none."""
    home = host.env("HOME")
    if host.system()[0] == "windows" or not home or (target.kind != "system" and not target.system_site):
        return None
    minor = ".".join(target.version.split(".")[:2])
    return join(host.env("PYTHONUSERBASE") or join(home, ".local"), f"lib/python{minor}/site-packages")


def read(host: Host, target: Target) -> Reading[Leftovers]:
    half_removed = [
        join(site, entry) for site in target.site_packages for entry in host.list_dir(site) if entry.startswith("~")
    ]
    python_path = [entry for entry in (host.env("PYTHONPATH") or "").split(":") if entry]
    user = user_site(host, target)
    sites = [*python_path, *([user] if user else []), *target.site_packages]
    copies = [join(site, "torch") for site in dict.fromkeys(sites) if _has_torch(host, site)]
    return Known(Leftovers(tuple(half_removed), tuple(copies)), source=", ".join(target.site_packages))


def _has_torch(host: Host, site: str) -> bool:
    try:
        return host.is_file(join(site, "torch/version.py"))
    except CannotLook:
        return False


PROBE = Probe("leftovers", Leftovers, read)
