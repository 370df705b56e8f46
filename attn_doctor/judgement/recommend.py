"""What to use now, what would be best, and the one next step."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from attn_doctor.judgement import commands, measured, torch_choice
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.need import Need
from attn_doctor.judgement.report import Finding, Recommendation
from attn_doctor.judgement.verdict import BackendVerdict
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import numbers, public

NOTHING = Need()


class Preference(msgspec.Struct, frozen=True):
    """The order in which backends are preferred on GPUs of one generation."""

    majors: tuple[int, ...]  # of the compute capability; empty: everything else
    order: tuple[str, ...]
    why: str
    source: str


def preference(machine: Machine) -> Preference:
    """By the oldest GPU: what is recommended runs on all of them."""
    listed = rows("preferences", Preference)
    lowest = capability(machine.capabilities[0])[0] if machine.capabilities and machine.device == "cuda" else None
    return next(row for row in listed if lowest in row.majors or not row.majors)


def recommend(
    machine: Machine, verdicts: Sequence[BackendVerdict], findings: Sequence[Finding], need: Need = NOTHING
) -> Recommendation:
    """From the verdicts alone: nothing is recommended that the table of backends does not call ready or installable."""
    by_name = {verdict.name: verdict for verdict in verdicts}
    chosen = preference(machine)
    ordered = [by_name[name] for name in chosen.order]
    use_now = next((verdict for verdict in ordered if verdict.status == "ready"), None)
    best = next((verdict for verdict in ordered if worth_it(machine, verdict)), None)
    use_now, best, seen = _as_measured(machine, by_name, use_now, best, need)
    fix = next((command for finding in findings if finding.severity == "error" for command in finding.fix), None)
    if fix is not None:
        # an error comes first: what would be best is judged again once it is mended
        return Recommendation(
            use_now.name if use_now else None, best.name if best else None, seen or _why(use_now), fix
        )
    alone = _alone(machine, by_name, ("flash_attention_3", "flash_attention_2"))
    if best is None or best is use_now:
        name = use_now.name if use_now else None
        return Recommendation(name, name, (*(seen or _why(use_now)), *alone), None)
    why = (*(seen or _why(use_now)), f"{best.name}: {chosen.why}", *alone)
    return Recommendation(use_now.name if use_now else None, best.name, why, next_step(machine, best.name))


def _as_measured(
    machine: Machine,
    by_name: dict[str, BackendVerdict],
    use_now: BackendVerdict | None,
    best: BackendVerdict | None,
    need: Need,
) -> tuple[BackendVerdict | None, BackendVerdict | None, tuple[str, ...]]:
    """What was measured here beats what is foreseen: what to use now, what would be best, and the sentence on it.

    What is not installed was not measured: it stays the best where it was.
    """
    found = measured.measured(machine)
    ready = {name for name, verdict in by_name.items() if verdict.status == "ready"}
    suits = found is not None and measured.speaks_of(found, need)
    lead = measured.fastest(found, ready, use_now.name if use_now else None) if found and suits else None
    if lead is None:
        return use_now, best, ()
    first = by_name[lead[0].backend]
    return first, first if best is None or best.status == "ready" else best, (lead[1],)


def _why(verdict: BackendVerdict | None) -> tuple[str, ...]:
    if verdict is None:
        return ()
    alike = len({gpu.reasons for gpu in verdict.gpus}) <= 1
    return verdict.reasons[:1] if alike else ("it runs on every GPU here",)


def _alone(machine: Machine, by_name: dict[str, BackendVerdict], order: Sequence[str]) -> tuple[str, ...]:
    """Of GPUs that differ: what the better ones would run by themselves."""
    for name in order:
        able = [gpu for gpu in by_name[name].gpus if gpu.status in ("ready", "installable")]
        if able and len(able) < len(by_name[name].gpus) and machine.device == "cuda":
            indices = ",".join(str(index) for gpu in able for index in gpu.indices)
            verb = "runs" if able[0].status == "ready" else "could run"
            return (
                f"{name} {verb} on GPU {indices} alone: CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES={indices}",
            )
    return ()


TRITON = frozenset({"triton", "pytorch-triton", "pytorch-triton-rocm", "triton-windows"})


def not_new_enough(machine: Machine, name: str) -> bool:
    """Whether the backend came into torch after the installed release."""
    row = demands(name)
    first = row.first_torch if machine.device == "cuda" else row.first_torch_cpu or row.first_torch
    return bool(first and machine.torch and numbers(public(machine.torch.version)) < numbers(first))


def worth_it(machine: Machine, verdict: BackendVerdict) -> bool:
    """Ready, or one step away; a torch that works is not moved for it."""
    if verdict.status != "installable":
        return verdict.status == "ready"
    gpu = machine.nvidia[0] if machine.nvidia else None
    backend = backends()[verdict.name]
    torch = machine.torch
    working = torch is not None and torch.cuda is not None and not any(map(machine.lacks_code, machine.nvidia))
    if backend.package is None or not working:
        return True
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    return bool(wheel_choice.fits(machine, gpu, backend.package, backend.series))


def next_step(machine: Machine, name: str) -> str | None:
    """The command that comes first on the way to a backend: torch where that is what is missing, else its file."""
    backend = backends()[name]
    gpu = machine.nvidia[0] if machine.nvidia else None
    move = torch_choice.best(machine) if machine.nvidia else None
    if machine.torch is None or not_new_enough(machine, name):
        return commands.any_torch(machine)
    if machine.torch.cuda is None or any(machine.lacks_code(gpu) for gpu in machine.nvidia):
        return commands.install_torch(machine, move) if move else None
    if backend.package is None:
        return commands.install_triton(machine) if TRITON.isdisjoint(machine.packages) else None
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    found = wheel_choice.fits(machine, gpu, backend.package, backend.series)
    if found:
        return commands.install_wheel(machine, found[0])
    moved = wheel_choice.after_a_move(machine, gpu, backend.package, backend.series)
    return commands.install_torch(machine, moved[0]) if moved else None
