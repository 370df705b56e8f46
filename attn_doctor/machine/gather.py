"""Facts of this machine: every probe asked once, slow children first; and the JSON of them."""

from __future__ import annotations

from typing import Any

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import BadInput
from attn_doctor.machine.facts import AnyReading, Reading, Unknown
from attn_doctor.machine.host import CannotLook, Host
from attn_doctor.machine.probe import Probe, probes
from attn_doctor.machine.target import Target

SCHEMA = "attn-doctor/facts/1"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Every probe's reading, by the name of the probe."""

    schema: str = SCHEMA
    version: str = __version__  # of the attn-doctor that recorded them
    readings: dict[str, Any]


def gather(host: Host, target: Target) -> Facts:
    """Ask every probe. One that fails becomes an Unknown reading and costs the others nothing."""
    found = probes()
    for probe in found.values():
        if probe.begin:
            probe.begin(host, target)
    patient = sorted(found.values(), key=lambda probe: (probe.begin is not None or probe.name == "gpus", probe.name))
    readings = {probe.name: read(probe, host, target) for probe in patient}
    return Facts(readings={name: readings[name] for name in found})


def read(probe: Probe, host: Host, target: Target) -> AnyReading:
    """One probe's reading: Unknown where it fails."""
    try:
        answer: AnyReading = probe.read(host, target)
        msgspec.json.encode(answer)
    except CannotLook as error:
        return Unknown(str(error))
    except UnicodeEncodeError as error:  # a name of bytes that are no UTF-8 cannot stand in JSON
        return Unknown(f"not UTF-8: {error.object!a}")
    except Exception as error:  # noqa: BLE001 - one broken probe must not take the report with it
        return Unknown(f"the probe failed: {type(error).__name__}: {error}")
    return answer


def encode(facts: Facts) -> bytes:
    """The JSON document, indented, ending in a newline; the same facts give the same bytes."""
    return msgspec.json.format(msgspec.json.encode(facts), indent=2) + b"\n"


class _Document(msgspec.Struct):
    schema: str
    version: str
    readings: dict[str, msgspec.Raw]


def decode(data: bytes, name: str) -> Facts:
    """Facts from the JSON of `facts` or `simulate`. Raises BadInput with what is wrong and where."""
    hint = "Make one with: attn-doctor facts"
    data = data.removeprefix(b"\xef\xbb\xbf")  # PowerShell writes this mark in front of what is redirected
    if not data.strip():
        raise BadInput(f"{name} is empty", hint)
    try:
        document = msgspec.json.decode(data, type=_Document)
        if document.schema != SCHEMA:
            raise BadInput(f"{name}: the schema is {document.schema!r}; this attn-doctor reads {SCHEMA!r}", hint)
        readings = {key: _decode_reading(key, raw, name) for key, raw in document.readings.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{name}: these are not facts: {error}", hint) from None
    missing = {key: Unknown("not in the recorded facts") for key in probes() if key not in readings}
    return Facts(schema=document.schema, version=document.version, readings=readings | missing)


def _decode_reading(key: str, raw: msgspec.Raw, name: str) -> AnyReading:
    probe = probes().get(key)
    if probe is None:
        raise BadInput(f"{name}: attn-doctor {__version__} knows no reading {key!r}", "Use a newer attn-doctor.")
    try:
        return msgspec.json.decode(raw, type=Reading[probe.type])  # type: ignore[misc, name-defined, no-any-return]
    except msgspec.ValidationError as error:
        raise BadInput(f"{name}: readings.{key}: {error}") from None
