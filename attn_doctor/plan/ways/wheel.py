"""A published file that fits as things are."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import wheel_choice, xformers_beside
from attn_doctor.judgement.allowed import INDEX
from attn_doctor.knowledge.index_wheels import IndexWheel, index_wheel
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Cost, Plan
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.wheels.catalogue import Wheel, cuda_version
from attn_doctor.wheels.search import search

SHOWN = 3


def plans(case: Case) -> Iterator[Plan]:
    filters = case.filters
    torch = case.machine.torch
    if filters is None or torch is None or not wheel_choice.torch_serves(case.machine, None):
        return
    found = xformers_beside.preferred(case.machine, search(filters))
    best_of_each = {wheel.source: wheel for wheel in reversed(found)}  # the first of a host stays
    for wheel in [wheel for wheel in found if best_of_each[wheel.source] is wheel][:SHOWN]:
        yield of_file(case, wheel)
    if not found and (plan := by_name(case)):
        yield plan


def of_file(case: Case, wheel: Wheel) -> Plan:
    """Install this very file."""
    machine = case.machine
    return Plan(
        backend=case.backend.name,
        method="wheel",
        package=wheel.package,
        version=wheel.version,
        title=files.described(wheel),
        why=tuple(_why(case, wheel)),
        wheel=files.wheel_file(wheel),
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *files.triton_beside(machine, case.backend.name),
            *files.bring(machine, wheel),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=(
            *files.triton_change(machine, case.backend.name),
            *files.changes(machine, (wheel.package, wheel.version), beside=files.needs(wheel.package)),
        ),
        cost=Cost(download_bytes=wheel.size_bytes),
        warnings=files.cautions(wheel),
    )


def by_name(case: Case) -> Plan | None:
    """A pure Python file that no list of compiled wheels holds."""
    row = wanted_by_name(case)
    if row is None:
        return None
    machine, file = case.machine, files.index_file(row)
    return Plan(
        backend=case.backend.name,
        method="wheel",
        package=row.package,
        version=row.version,
        title="wheel, upstream (the package index)",
        why=("pure Python: it fits every torch and needs no CUDA of its own",),
        wheel=file,
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *files.triton_beside(machine, case.backend.name),
            *files.alone(machine, file, row.package, row.version),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=(
            *files.triton_change(machine, case.backend.name),
            *files.changes(machine, (row.package, row.version)),
        ),
        cost=Cost(download_bytes=row.size_bytes),
    )


def wanted_by_name(case: Case) -> IndexWheel | None:
    """That file, where the request allows it."""
    row, asked = index_wheel(case.backend.name), case.request.asked
    if row is None or asked.version not in (None, row.version) or asked.sources not in ((), (INDEX,)):
        return None
    return row if wheel_choice.by_name(case.machine, row.package) else None


def _why(case: Case, wheel: Wheel) -> Iterator[str]:
    torch = case.machine.torch
    if wheel.platform == "any" or torch is None:
        yield "pure Python: it fits every torch and CUDA that its own needs allow"
        return
    cuda = cuda_version(wheel.cuda)
    exact = cuda == torch.cuda or (cuda is not None and "." not in cuda)
    yield f"built for torch {(wheel.torch or 'any').removeprefix('>=')} and CUDA {cuda}" + (
        "" if exact else f", which runs beside torch's {torch.cuda}"
    )
    if wheel.label_lies:
        yield "its name says the old C++ ABI; the file has the new one, as torch does"
    row = xformers_beside.demanded(case.machine) if wheel.package == xformers_beside.TWO else None
    if row and xformers_beside.accepts(case.machine, row, wheel.version):
        yield f"the installed xformers takes flash-attn{row.specifier}"
    if wheel.gpu_code:
        yield f"has code for {', '.join(case.machine.capabilities)}: {' '.join(wheel.gpu_code)}"


WAY = Way("wheel", 10, "wheel", plans)
