"""A container: the environment is left alone, and the image holds torch and the backend."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.plan import container, steps
from attn_doctor.plan.plan import Plan, Step
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way


def plans(case: Case) -> Iterator[Plan]:
    chosen = container.choose(case.machine, case.backend.name)
    if chosen.dockerfile is not None and not as_asked(case, chosen):
        return
    if chosen.dockerfile is not None:
        yield of_container(case, chosen)
    elif case.request.method == WAY.method:
        yield Plan(
            backend=case.backend.name,
            method="docker",
            title="container",
            possible=False,
            obstacles=chosen.obstacles,
            warnings=chosen.warnings,
        )


def as_asked(case: Case, chosen: container.Container) -> bool:
    """Whether what the image holds is of the version, source and trust that are asked for."""
    asked, file = case.request.asked, chosen.wheel
    if asked.version not in (None, chosen.package_version):
        return False
    return file is None or (asked.sources in ((), (file.source,)) and asked.trust in ("community", file.trust))


def by_policy(case: Case) -> tuple[str, ...]:
    """So that the Dockerfile is the one that was planned, whatever policy stands where the step runs."""
    if case.machine.allowed is None:
        return ("--no-policy",)
    file = case.machine.allowed.said_at.rpartition(":")[0]
    return ("--policy", file) if file else ()


def of_container(case: Case, chosen: container.Container) -> Plan:
    """Write the Dockerfile, build it, run it once."""
    there = steps.path(case.machine, "container")
    inside = f", compiled in {chosen.build_image}" if chosen.build_image else ""
    return Plan(
        backend=case.backend.name,
        method="docker",
        package=chosen.package,
        version=chosen.package_version,
        title=f"container, {chosen.image}{inside}",
        possible=not chosen.needs,
        why=chosen.why,
        wheel=chosen.wheel,
        steps=(
            Step(id="folder", title="make a folder for it", kind="write", command=("mkdir", "-p", there)),
            Step(
                id="dockerfile",
                title="write the Dockerfile",
                kind="write",
                command=(*chosen.write, *steps.of_target(case.machine), *by_policy(case)),
                output=f"{there}/Dockerfile",
            ),
            Step(id="image", title="build the image", kind="build", command=(*chosen.build[:-1], there)),
            Step(id="run", title="run it: the GPU is reached", kind="verify", command=chosen.run),
        ),
        obstacles=tuple(f"needed: {need}" for need in chosen.needs),
        warnings=chosen.warnings,
    )


WAY = Way("container", 50, "docker", plans, alone=False)
