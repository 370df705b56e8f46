"""FlashAttention 4 without the packages that it compiles with, or with other ones than it needs."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.judgement import commands
from attn_doctor.judgement.rules.fa4_helpers_missing import DSL, PACKAGE, demanded
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.requirements import satisfies
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.deep import Import
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._attention import lacks_another
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    needs = demanded(PACKAGE, machine.packages[PACKAGE])
    needs |= demanded(DSL, machine.packages[DSL]) if DSL in machine.packages else {}
    wrong = [
        name
        for name, wanted in needs.items()
        if name not in machine.packages or not satisfies(machine.packages[name].version, wanted)
    ]
    if ailing.plain:
        why = f"it lacks {', '.join(wrong)}"
        yield Part(
            cures=("AD315",),
            title=f"without {PACKAGE}",
            why=why,
            steps=(_parts.uninstall(machine, PACKAGE, why=why),),
            changes=_parts.gone(machine, PACKAGE),
        )
        return
    pinned, file = steps.pin(machine, *needs, DSL)
    again = commands.install(machine, *(name + needs[name] for name in wrong))
    step = _parts.by_command(machine, again, f"install what {PACKAGE} compiles with: {', '.join(wrong)}", "helpers")
    yield Part(
        cures=("AD315", "AD420"),
        title=", ".join(wrong),
        why=f"{PACKAGE} needs {', '.join(name + needs[name] for name in wrong)}",
        steps=(pinned, replace(step, command=(*step.command, "--constraint", file))),
        changes=tuple(Change(name, _parts.version(machine, name), needs[name] or "newest") for name in wrong),
        built={name: _meeting(needs[name]) for name in wrong},
        readings=_imports(machine),
    )


def _imports(machine: Machine) -> dict[str, dict[str, Import]]:
    """Without the import that fails for want of them: what it says then is for the last step to see."""
    deep = machine.facts.readings.get("deep")
    if not isinstance(deep, Known):
        return {}
    mended = {name for name, found in deep.value.items() if name == PACKAGE and lacks_another(found)}
    return {"deep": {name: found for name, found in deep.value.items() if name not in mended}}


def _meeting(specifier: str) -> str:
    """A version that meets the demand, to judge by; which one comes is for the index to say."""
    stated = (part[2:].removesuffix(".*") for part in specifier.split(",") if part.startswith(("==", ">=", "~=")))
    return next(stated, "1")


MEND = Mend("fa4_helpers", 55, ("AD315",), parts)
