"""What `attn-doctor bench` measured in this environment, kept in attn-doctor's own folder."""

from __future__ import annotations

from zlib import crc32

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.probes._state import state
from attn_doctor.machine.target import Target

FOLDER = "measured"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A backend among those measured. `times`: its time over that of the fastest; over so many shapes."""

    backend: str
    times: float
    shapes: int
    noisy: bool = False


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a setting did to a training step: old over new time, new over old memory."""

    setting: str
    speedup: float
    memory: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The last benchmark of an environment: what it ran on, and how the backends placed."""

    prefix: str
    date: str
    torch: str
    device: str
    driver: str | None = None
    packages: dict[str, str] = {}
    direction: str = ""
    dtype: str = ""
    places: tuple[Place, ...] = ()
    brought: tuple[Brought, ...] = ()

    def same_as(self, torch: str, packages: dict[str, str], device: str, driver: str | None) -> bool:
        """Whether it was measured on the same software and the same device."""
        return (self.torch, self.packages, self.device, self.driver) == (torch, packages, device, driver)


def read(host: Host, target: Target) -> Reading[Measured]:
    folder = state(host, FOLDER)
    if not folder or not target.prefix:
        return Absent(looked_in=("the folder of measurements",))
    try:
        prefix = host.real_path(target.prefix)
    except CannotLook:
        prefix = target.prefix
    path = join(folder, file_name(prefix))
    text = host.read_text(path)
    if text is None:
        return Absent(looked_in=("the folder of measurements",))
    found = parse(text)
    if found is None:
        return Unknown("what was measured here cannot be read: attn-doctor bench measures it again")
    if found.prefix != prefix:
        return Absent(looked_in=("the folder of measurements",))
    return Known(found, source=path)


def file_name(prefix: str) -> str:
    """Of an environment, by its real path; the document itself says whose it is."""
    return f"{crc32(prefix.encode()):08x}.json"


def parse(text: str) -> Measured | None:
    try:
        return msgspec.json.decode(text, type=Measured)
    except msgspec.DecodeError:
        return None


PROBE = Probe("measured", Measured, read)
