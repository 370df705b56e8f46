"""A plan that was saved as JSON: read, made anew from the same wish, and refused where the two differ."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from attn_doctor.errors import BadInput, UsageError
from attn_doctor.judgement import names
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.gather import Facts
from attn_doctor.plan import steps, wish
from attn_doctor.plan.plan import SCHEMA, Plan

VARIABLE = r"(?a)[A-Za-z_]\w*"
HINT = "Make one with: attn-doctor install --dry-run --format json --output plan.json"
# who made it and from what: told where the rest differs
ORIGIN = ("attn_doctor", "catalogue")
# what hangs on free memory, free disk and the shell: said anew, and no reason to refuse
OF_THE_MOMENT = ("warnings", "cost", "possible", "obstacles")
WAYS_OF_THE_MOMENT = ("source", "docker")
SHELL = "MAX_JOBS="  # how a warning of the user's own variable begins


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
    if found.asked is None:
        raise BadInput(f"{name}: it does not say what was asked for, so that it cannot be made anew", HINT)
    return found


def still_true(one: Plan, facts: Facts, name: str) -> Plan:
    """The plan as it is made on these facts, where the saved one is the very same. Raises BadInput."""
    if one.rests_on != steps.digest(Machine(facts)):
        raise BadInput(
            "the plan was made for another machine, or this one has changed since: it is not carried out",
            "Make it anew: attn-doctor install --dry-run",
        )
    anew = made_anew(one, facts, name)
    where = difference(comparable(one, Machine(facts)), comparable(anew, Machine(facts)))
    if where is not None:
        raise BadInput(f"{name} is not carried out: {_told(one, anew, where)}", _hint(one, anew))
    return anew


def made_anew(one: Plan, facts: Facts, name: str) -> Plan:
    """From the same wish; with the jobs of the saved build, for memory that became free since is no difference."""
    asked = one.asked
    if asked is None:
        raise BadInput(f"{name}: it does not say what was asked for", HINT)
    try:
        jobs = one.build.max_jobs if one.build and one.build.max_jobs > 0 else asked.max_jobs
        anew = wish.plan(facts, names.backend(one.backend), replace(asked, max_jobs=jobs))
    except UsageError as error:
        raise BadInput(f"{name}: the plan cannot be made anew: {error.message}", HINT) from None
    return replace(anew, asked=asked)


def comparable(one: Plan, machine: Machine) -> dict[str, Any]:
    """What must be the same to the letter."""
    found: dict[str, Any] = msgspec.to_builtins(one)
    moment = (SHELL, *(f"{place.path} has " for place in machine.disk))
    found["warnings"] = [said for said in one.warnings if not said.startswith(moment)]
    beside = [way for way in found["alternatives"] if way["method"] not in WAYS_OF_THE_MOMENT]
    found["alternatives"] = [_without(way, *ORIGIN, *OF_THE_MOMENT) for way in beside]
    return _without(found, *ORIGIN, *(("cost",) if one.build else ()))


def _without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def difference(saved: Any, made: Any, where: str = "") -> str | None:
    """The first place where two documents differ, as 'steps[2].command'."""
    if isinstance(saved, dict) and isinstance(made, dict):
        keys = dict.fromkeys((*saved, *made))
        pairs = [(saved.get(key), made.get(key), f"{where}.{key}" if where else key) for key in keys]
    elif _listed(saved) and _listed(made) and len(saved) == len(made):
        pairs = [(one, other, f"{where}[{at}]") for at, (one, other) in enumerate(zip(saved, made, strict=True))]
    else:
        return None if saved == made else where
    return next((found for pair in pairs if (found := difference(*pair))), None)


def _listed(values: Any) -> bool:
    """A list of objects, of which one may differ; a list of words differs as a whole."""
    return isinstance(values, (list, tuple)) and bool(values) and isinstance(values[0], dict)


def _told(one: Plan, anew: Plan, where: str) -> str:
    if one.possible and not anew.possible:
        return f"it cannot be done as things are now: {next(iter(anew.obstacles), anew.title)}"
    if one.build and anew.build and anew.build.max_jobs < one.build.max_jobs:
        return f"the memory that is free now allows MAX_JOBS={anew.build.max_jobs}, not {one.build.max_jobs}"
    return f"{where} is not what the same request gives when it is planned anew"


def _hint(one: Plan, anew: Plan) -> str:
    made = "Make it anew: attn-doctor install --dry-run --format json --output plan.json"
    if (one.attn_doctor, one.catalogue) == (anew.attn_doctor, anew.catalogue):
        return made
    before, now = (f"attn-doctor {plan.attn_doctor} with the catalogue of {plan.catalogue}" for plan in (one, anew))
    return f"It was made by {before}; this is {now}. {made}"
