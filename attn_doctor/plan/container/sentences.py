"""What is said of a container: why this one, what to know about it, and why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import need, torch_choice, wheel_choice
from attn_doctor.judgement.backend import Backend
from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import cuda, images
from attn_doctor.knowledge.images import Distribution
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import numbers
from attn_doctor.plan.container import inside
from attn_doctor.plan.container.inside import Inside

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

# nothing that goes into an image mends it
HOPELESS = ("unsupported", "blocked")


def refusals(
    machine: Machine,
    backend: Backend,
    found: list[tuple[Build, Distribution]],
    content: Inside | None,
    wish: str | None,
) -> Iterator[str]:
    """Why no image can hold this backend for these GPUs."""
    if not found:
        yield from _no_torch(machine, wish)
        return
    build, on = (content.torch, content.distribution) if content else found[0]
    within = inside.within(machine, on, torch=f"{build.torch}+{build.variant}")
    said = dict(_by_gpu(within, backend))
    if said:
        yield from said.values() if len(said) == 1 else (f"{name}: {reason}" for name, reason in said.items())
        able = [str(gpu.index) for gpu in machine.nvidia if gpu.name not in said]
        if able:
            yield f"it would run on the others: CUDA_VISIBLE_DEVICES={','.join(able)}"
    elif content is None:
        builds = {f"torch {build.torch}+{build.variant}" for build, _ in found}
        which = builds.pop() if len(builds) == 1 else f"torch {wish}" if wish else "any torch that runs here"
        none = f"no published file of {backend.package or backend.name} fits {which} and these GPUs"
        yield from _by_policy(machine, backend, found) or (none,)
        refusal = inside.no_build(machine, backend, found)
        if refusal:
            yield f"a source build: {refusal}"


def _by_policy(machine: Machine, backend: Backend, found: list[tuple[Build, Distribution]]) -> tuple[str, ...]:
    """Where files fit and the policy allows none of them: that, and what to do."""
    package, allowed = backend.package, machine.allowed
    if package is None or allowed is None:
        return ()
    every = (
        wheel_choice.refused(machine, package, inside.key(build, on, machine), backend.series) for build, on in found
    )
    others = next((one for one in every if one), ())
    return (allowed.refusal(others), allowed.remedy(others)) if others else ()


def ruled_out(machine: Machine, backend: Backend, build: Build, on: Distribution) -> bool:
    """Whether a GPU cannot run it whatever is installed: no file need be looked for."""
    within = inside.within(machine, on, torch=f"{build.torch}+{build.variant}")
    every = (one for gpu in within.nvidia for one in backend.obstacles(within, gpu, need.parse([])))
    return any(one.status == "unsupported" for one in every)


def _by_gpu(within: Machine, backend: Backend) -> Iterator[tuple[str, str]]:
    """The first thing that stands in the way of each kind of GPU, and that nothing in the image mends."""
    for gpu in within.nvidia:
        reasons = [one.reason for one in backend.obstacles(within, gpu, need.parse([])) if one.status in HOPELESS]
        if reasons:
            yield gpu.name, reasons[0]


def _no_torch(machine: Machine, wish: str | None) -> Iterator[str]:
    driver = machine.driver.version if machine.driver else "?"
    floors = [cuda.driver_floor(str(major), machine.os) for major in cuda.majors()]
    oldest = next((floor for floor in floors if floor), None)
    named = ", ".join(machine.capabilities)
    if oldest and numbers(driver) < numbers(oldest):
        yield f"driver {driver} is older than {oldest}, the minimum for any CUDA that torch is built for"
    elif wish is not None:
        yield f"no published CUDA build of torch {wish} runs on driver {driver} with compute capability {named}"
    elif torch_choice.conceivable(inside.within(machine, images.table().distributions[0])):
        yield f"no published torch runs on driver {driver} with compute capability {named}; a newer driver mends it"
    else:
        yield f"no published torch has code for compute capability {named}"


def why(machine: Machine, content: Inside, base_why: str) -> Iterator[str]:
    on, build = content.distribution, content.torch
    yield base_why
    have = machine.torch
    if have and have.version.partition("+")[0] == build.torch and have.cuda == build.cuda:
        yield f"torch {build.torch}+{build.variant}, the build that is installed here, on Python {on.python}."
    else:
        beside = f" (installed here: {have.version})" if have else ""
        yield f"torch {build.torch}+{build.variant}{beside}: it runs on this driver and has code for every GPU."
    if content.build:
        series = content.build.version.partition(".")[0]
        others = wheel_choice.refused(machine, content.build.package, inside.key(build, on, machine), series)
        none = machine.allowed.refusal(others) if machine.allowed and others else "no published file fits"
        made = f"{content.build.package} {content.version} is compiled in a stage of its own, with nvcc {build.cuda}."
        yield f"{none[0].upper()}{none[1:]}: {made}"
    elif content.wheel and content.wheel.platform != "any":
        yield f"{content.wheel.package} {content.wheel.version} as a published file: nothing is compiled."


def driver_against(machine: Machine, content: Inside) -> str:
    needed = content.torch.cuda or ""
    version = machine.driver.version if machine.driver else "?"
    floor = cuda.driver_floor(needed, machine.os)
    serves = driver_runs(version, needed, machine.os)
    return f"driver {version} {'runs' if serves else 'does not run'} CUDA {needed} (from {floor} on)"


def warnings(machine: Machine, content: Inside) -> Iterator[str]:
    wheel = content.wheel
    if machine.torch and not machine.torch.released:
        yield f"torch {machine.torch.version} is no release that could be fetched: the image has a published one"
    if wheel and wheel.trust == "community":
        yield f"{wheel.filename} is a community build of {wheel.source}; upstream has published none that fits"
    if wheel and wheel.sha256 is None:
        yield f"the digest of {wheel.filename} is not known: what is downloaded is not compared"
    if wheel and wheel.evidence not in ("listed", "downloaded"):
        yield "the file's name follows from the build matrix of its release; it was not seen in a listing"
    if content.build:
        least, most = content.build.settings.minutes
        yield f"compiling takes {least} to {most} minutes here, and up to {content.build.settings.peak_gib:g} GiB"
    if content.build and not content.build.memory_known:
        yield "the memory of this machine could not be read, so it compiles with one job; more: --build-arg MAX_JOBS=N"
