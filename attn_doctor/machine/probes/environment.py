"""Environment variables that decide what a build takes or what a process sees."""

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.machine.facts import Known, Reading
from attn_doctor.machine.host import Host
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.target import Target


class Watched(msgspec.Struct, frozen=True):
    """A variable that bites, and why."""

    name: str
    why: str
    source: str


def read(host: Host, _target: Target) -> Reading[dict[str, str]]:
    names = sorted(row.name for row in rows("variables", Watched))
    values = ((name, host.env(name)) for name in names)
    return Known({name: harmless(value) for name, value in values if value is not None}, source="the environment")


def harmless(value: str) -> str:
    """The value without the user name and password that an address in it may hold."""
    scheme, separator, rest = value.partition("://")
    if not separator:
        return value
    host, slash, path = rest.partition("/")
    return scheme + separator + host.rpartition("@")[2] + slash + path


PROBE = Probe("environment", dict[str, str], read, plain={})
