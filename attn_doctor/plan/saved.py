"""A plan that was saved as JSON: read, and refused where it no longer holds."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.errors import BadInput
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import steps
from attn_doctor.plan.plan import SCHEMA, Plan

VARIABLE = r"(?a)[A-Za-z_]\w*"
HINT = "Make one with: attn-doctor install --dry-run --format json --output plan.json"


def decode(data: bytes, name: str) -> Plan:
    """Raises BadInput with what is wrong."""
    data = data.removeprefix(b"\xef\xbb\xbf")  # PowerShell writes this mark in front of what is redirected
    if not data.strip():
        raise BadInput(f"{name} is empty", HINT)
    try:
        schema = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("schema", msgspec.Raw(b'""'))
        stated = msgspec.json.decode(schema, type=str)
        if stated != SCHEMA:
            raise BadInput(f"{name}: the schema is {stated!r}; this attn-doctor reads {SCHEMA!r}", HINT)
        found = msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{name}: this is no plan: {error}", HINT) from None
    odd = next((key for step in found.steps for key in step.env if not re.fullmatch(VARIABLE, key)), None)
    if odd is not None:
        raise BadInput(f"{name}: {odd!r} is no name of a variable", HINT)
    return found


def still_true(one: Plan, facts: Facts) -> Plan:
    """The plan, where the facts that it rests on are those of this machine. Raises BadInput."""
    if one.rests_on != steps.digest(Machine(facts)):
        raise BadInput(
            "the plan was made for another machine, or this one has changed since: it is not carried out",
            "Make it anew: attn-doctor install --dry-run",
        )
    return one
