"""The Triton that belongs to the installed torch, for backends that need nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way


def plans(case: Case) -> Iterator[Plan]:
    machine = case.machine
    if case.backend.package is None and case.request.asked.version is not None:
        return  # of a backend inside torch it is torch's
    wanted = steps.lacking_triton(machine)
    if wanted is None or case.backend.name not in files.COMPILE_WITH_TRITON or case.backend.package is not None:
        return
    name, pinned = wanted
    yield Plan(
        backend=case.backend.name,
        method="wheel",
        package=name,
        version=pinned,
        title=f"{name} {pinned}, which belongs to this torch",
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *steps.triton(machine),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=files.changes(machine, (name, pinned)),
        warnings=("triton-windows is a community build",) if machine.os == "windows" else (),
    )


WAY = Way("triton", 6, "wheel", plans)
