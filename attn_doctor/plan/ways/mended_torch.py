"""A torch that cannot be imported is installed anew, as it is; then the file that fits it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from attn_doctor.judgement import commands
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Change, Plan, Step
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.wheels.search import search


def plans(case: Case) -> Iterator[Plan]:
    machine = case.machine
    if case.backend.package is None and case.request.asked.version is not None:
        return  # of a backend inside torch it is torch's
    anew = commands.reinstall_torch(machine) if machine.torch_fault else None
    if anew is None or machine.torch is None:
        return
    filters = case.filters
    found = search(filters) if filters else ()
    if filters and not found:
        return
    wheel = found[0] if found else None
    mend = Step(id="torch", title="write the files of torch anew", kind="install", command=tuple(shlex.split(anew)))
    yield Plan(
        backend=case.backend.name,
        method="wheel",
        package=wheel.package if wheel else "torch",
        version=wheel.version if wheel else machine.torch.version,
        title=f"torch {machine.torch.version} anew" + (f", then a {files.described(wheel)}" if wheel else ""),
        why=(machine.torch_fault or "",),
        wheel=files.wheel_file(wheel) if wheel else None,
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            mend,
            *(files.bring(machine, wheel) if wheel else ()),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=(
            Change("torch", machine.torch.version, machine.torch.version),
            *(files.changes(machine, (wheel.package, wheel.version)) if wheel else ()),
        ),
        warnings=files.cautions(wheel) if wheel else (),
    )


WAY = Way("mended_torch", 5, "wheel", plans)
