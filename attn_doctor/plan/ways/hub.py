"""A kernel of the Hugging Face Hub: the package `kernels` downloads the build that fits when a program asks for it.

It brings no package of the backend's own name, so code that imports flash_attn finds nothing: it stands among the other
ways, and at the head only where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import other_sources
from attn_doctor.knowledge import hub_kernels
from attn_doctor.plan import files, steps
from attn_doctor.plan.plan import Plan, Step
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way
from attn_doctor.wheels import variants
from attn_doctor.wheels.variants import HubVariant

PACKAGE = "kernels"
FRAMEWORKS = ("transformers", "diffusers")
LOAD = "import sys; from kernels import get_kernel; print(get_kernel(sys.argv[1], version=int(sys.argv[2])))"


def plans(case: Case) -> Iterator[Plan]:
    filters = case.filters
    if filters is None or not hub_kernels.kernels_of(case.backend.name):
        return
    variant = other_sources.hub_variant(case.machine, filters.key, case.backend.name)
    if variant is not None:
        yield of_variant(case, variant)
    elif case.request.method == WAY.method:
        yield from refused(case)


def of_variant(case: Case, variant: HubVariant) -> Plan:
    """Install `kernels`, and load the kernel once: that downloads it."""
    machine = case.machine
    demanded = taken(case, variant.repo)
    command = (steps.python(machine), "-c", LOAD, variant.repo, str(variant.version))
    load = Step(id="load", title=f"load {variant.repo}: it is downloaded from the Hub", kind="verify", command=command)
    return Plan(
        backend=case.backend.name,
        method="hub",
        package=PACKAGE,
        title=f"kernel of the Hugging Face Hub, {variant.repo}, build {variant.name}",
        why=(f"{demanded.distribution} takes it with {demanded.setting}",) if demanded else (),
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *files.with_demands(machine, PACKAGE, demanded.kernels if demanded else ""),
            load,
        ),
        changes=files.changes(machine, beside=(PACKAGE,)),
        warnings=tuple(cautions(case, variant)),
    )


def taken(case: Case, repo: str) -> hub_kernels.HubName | None:
    """How an installed framework takes the kernel."""
    installed = ((name, case.machine.packages[name].version) for name in FRAMEWORKS if name in case.machine.packages)
    rows = (hub_kernels.named(name, version, repo) for name, version in installed)
    return next((row for row in rows if row is not None), None)


def cautions(case: Case, variant: HubVariant) -> Iterator[str]:
    """What the Hub is not."""
    yield f"code that imports {case.backend.package} finds nothing: the kernel is taken by the name {variant.repo}"
    if variant.evidence != "seen":
        yield f"every kernel has to offer that build as of {variant.as_of}; nobody looked whether this one does"


def refused(case: Case) -> Iterator[Plan]:
    """Where the Hub is asked for: why none of its kernels fits."""
    filters = case.filters
    for kernel in hub_kernels.kernels_of(case.backend.name):
        why = variants.hub_refusal(filters.key, kernel.repo) if filters else None
        yield Plan(
            backend=case.backend.name,
            method="hub",
            package=PACKAGE,
            title=f"kernel of the Hugging Face Hub, {kernel.repo}",
            possible=False,
            obstacles=(why or "torch here cannot use this machine's GPU",),
        )


WAY = Way("hub", 30, "hub", plans, alone=False)
