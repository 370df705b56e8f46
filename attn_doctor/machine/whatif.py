"""Changing single facts (`--what-if`), and machines that are imagined from nothing (`simulate`)."""

from __future__ import annotations

from collections.abc import Sequence

from attn_doctor.errors import UsageError
from attn_doctor.machine.facts import Absent, AnyReading, Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probe import Edit, WhatIf, probes
from attn_doctor.machine.probes import extensions


def keys() -> dict[str, WhatIf]:
    """Every key of the contract, by name, from the probes that answer to it."""
    return {key.key: key for probe in probes().values() for key in probe.what_if}


def parse(assignment: str) -> tuple[str, str]:
    """('gpu', 'NVIDIA L4') from 'gpu=NVIDIA L4'."""
    key, sign, value = assignment.partition("=")
    if not sign or not key.strip() or not value.strip():
        raise UsageError(f"{assignment!r} is not KEY=VALUE", f"Keys: {', '.join(_names())}.")
    return key.strip(), value.strip()


def _names() -> list[str]:
    return sorted(name + "NAME" if name.endswith(".") else name for name in keys())


def _key(name: str) -> WhatIf:
    known = keys()
    found = known.get(name) or known.get(name.partition(".")[0] + ".") if "." in name else known.get(name)
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), _names(), n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"there is no key {name!r}", f"{hint}Keys: {', '.join(_names())}.")
    return found


def apply(facts: Facts, assignments: Sequence[str], simulated: bool = False) -> Facts:
    """The facts with these changed. Order matters only among keys of one kind (gpu, then its memory).

    Raises UsageError that names the key, the value and what was expected.
    """
    if not assignments:
        return facts
    pairs = [(*parse(assignment),) for assignment in assignments]
    edit = Edit(dict(facts.readings), [name for name, _ in pairs if name == "driver"], simulated)
    ordered = sorted(pairs, key=lambda pair: _key(pair[0]).rank)
    for place, (name, value) in enumerate(ordered):
        edit.ahead = [later for later, _ in ordered[place + 1 :]]
        _apply(edit, name, value)
        edit.given.append(name)
    order = {name: edit.readings[name] for name in probes() if name in edit.readings}
    return Facts(schema=facts.schema, version=facts.version, readings=order)


def _apply(edit: Edit, name: str, value: str) -> None:
    key = _key(name)
    try:
        key.apply(edit, name, value)
        extensions.forget(edit, name)
    except (ValueError, OverflowError) as error:
        ours = error.args and isinstance(error.args[0], str) and error.args[0].startswith(("a ", "an "))
        expected = error.args[0] if ours else key.expected
        raise UsageError(f"{name}={value}: expected {expected}") from None


def plain_machine() -> dict[str, AnyReading]:
    """What `simulate` starts from: a plain Linux machine with nothing of CUDA and no torch."""
    nothing = Absent(("simulate",))
    return {
        name: nothing if probe.plain is None else Known(probe.plain, source="simulate")
        for name, probe in probes().items()
    }


def simulate(assignments: Sequence[str]) -> Facts:
    """The facts of an imagined machine."""
    return apply(Facts(readings=plain_machine()), assignments, simulated=True)
