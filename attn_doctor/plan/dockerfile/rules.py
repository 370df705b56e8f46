"""What can be wrong with a Dockerfile that installs attention packages: one function each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import attention, capability, cuda, images, torch_builds
from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.plan.dockerfile import compiled, files
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Installation, Requirement, apt_packages
from attn_doctor.plan.dockerfile.stages import Event, Stage, Walk
from attn_doctor.plan.dockerfile.torches import torch_cuda, torch_version
from attn_doctor.wheels.catalogue import wheels

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

ENVIRONMENT = ("RUN python3 -m venv /opt/venv", "ENV PATH=/opt/venv/bin:$PATH")


def findings(walked: Walk, machine: Machine) -> tuple[Finding, ...]:
    """Everything that is wrong, in the order of the file; each thing once."""
    found: list[Finding] = [*_base_image(walked.last, machine), *_code_of_base(walked.last, machine)]
    below = _torch_limit(walked)
    for event in walked.events:
        found += _driver_packages(event)
        if event.installs is None:
            continue
        found += compiled.build(event, event.installs, machine)
        found += files.wheels(event, event.installs, machine)
        found += _managed(event, event.installs)
        found += _torch(event, event.installs, machine, below)
        found += _companions(event, event.installs)
        found += _moved(event, event.installs)
        found += _replaced(event, event.installs)
    return tuple(sorted(_once(found), key=lambda one: one.line))


def _once(found: Iterable[Finding]) -> Iterator[Finding]:
    """Each thing once; what holds for every later command of a stage only where it comes up first."""
    seen: set[object] = set()
    for one in found:
        same = (one.rule, one.text) if one.rule == "externally-managed" else one
        if same not in seen:
            seen.add(same)
            yield one


def _base_image(stage: Stage, machine: Machine) -> Iterator[Finding]:
    """The image that runs in the end, against the driver of this machine."""
    needed = stage.image.cuda
    if needed is None or machine.driver is None or not machine.nvidia:
        return
    have = machine.driver.version
    if not driver_runs(have, needed, machine.os):
        floor = cuda.driver_floor(needed, machine.os)
        yield Finding(
            "driver-too-old-for-image",
            stage.line,
            f"{stage.image.reference} is CUDA {major_minor(needed)}, which needs driver {floor}; here it is {have}.",
        )
        return
    row = images.table().requirement
    offered = machine.driver.cuda or cuda.cuda_of_driver(have, machine.os)
    asks = stage.image.repository == images.table().repository and numbers(needed) >= numbers(row.since)
    branded = any(row.brand in gpu.name for gpu in machine.nvidia)
    if asks and branded and offered and numbers(offered) < numbers(major_minor(needed)):
        yield Finding(
            "driver-refused-by-image",
            stage.line,
            f"{stage.image.reference} asks for a driver of CUDA {major_minor(needed)} ({row.variable}); {have} offers "
            f"{offered}, and on {row.brand} cards the container toolkit refuses to start it. torch's wheels bring "
            "their own CUDA: plain Ubuntu, or an image of an older CUDA, serves as well.",
        )


def _code_of_base(stage: Stage, machine: Machine) -> Iterator[Finding]:
    """The torch that the base image brings, where it is the one that runs in the end."""
    torch = stage.torch
    if torch is None or torch.line != stage.line or not torch.version or not torch.cuda:
        return
    inside = torch_builds.arch_list(torch.version, torch.cuda, "linux", stage.arch)
    lacking = [on for on in machine.capabilities if inside and not capability.covers(inside[0], on)]
    if lacking and inside:
        on, has = ", ".join(lacking), capability.short(inside[0])
        said = f"torch {torch.version} of {stage.image.reference} has no code for compute capability {on} ({has})."
        yield Finding("no-code-in-torch", torch.line, said)


def _driver_packages(event: Event) -> Iterator[Finding]:
    bad = [name for name in apt_packages(event.command) if images.brings_a_driver(name)]
    runfiles = [word for word in event.command.words if "NVIDIA-Linux-" in word and word.endswith(".run")]
    if bad or (runfiles and event.command.words[0].rpartition("/")[2] in ("sh", "bash", *runfiles)):
        yield Finding(
            "driver-in-image",
            event.line,
            f"{(bad or runfiles)[0]} brings an NVIDIA driver. The driver is the host's; another one in the image hides "
            "it or does not match it. A compiler alone comes with cuda-toolkit-X-Y.",
        )


def _managed(event: Event, inst: Installation) -> Iterator[Finding]:
    """The distribution's own pip, outside an environment, where that is refused."""
    stage = event.stage
    on = images.distribution(stage.image.distribution or "")
    if on is None or not on.externally_managed or stage.python != on.python or inst.python not in (None, on.python):
        return
    elsewhere = inst.own_path or inst.has("--target", "--prefix", "--root") or inst.wheel_only
    allowed = inst.has("--break-system-packages") or inst.env.get("PIP_BREAK_SYSTEM_PACKAGES")
    environment = any(inst.env.get(name) for name in ("PATH", "VIRTUAL_ENV", "UV_BREAK_SYSTEM_PACKAGES"))
    if elsewhere or allowed or environment or (inst.uv and not inst.has("--system")):
        return
    said = (
        f"{stage.image.reference} keeps pip out of its own Python {on.python} (error: externally-managed-environment): "
        "make an environment first."
    )
    yield Finding("externally-managed", event.line, said, ENVIRONMENT)


def _companions(event: Event, inst: Installation) -> Iterator[Finding]:
    """Packages that belong to another torch than the one in the same command, or the one that is there."""
    wanted, there = inst.wanted("torch"), event.stage.torch
    version = torch_version(wanted) if wanted else there.version if there and not inst.has("--no-deps") else None
    pins = torch_builds.pins(version) if version and torch_builds.is_release(version) else None
    for name in ("torchvision", "torchaudio"):
        given, right = inst.wanted(name), getattr(pins, name, None)
        exact = public(given.exact) if given and given.exact else None
        if exact and right and _is_bound(name, exact) and numbers(exact)[:2] != numbers(right)[:2]:
            said = f"{name} {exact} belongs to another torch; that of torch {version} is {right}."
            yield Finding("companion-of-another-torch", event.line, said)


def _is_bound(name: str, version: str) -> bool:
    """Whether that release demands one torch alone: the newest no longer do."""
    row = requirement(name, version, "torch")
    return row is None or row.specifier.startswith("==")


def _torch(event: Event, inst: Installation, machine: Machine, below: str | None) -> Iterator[Finding]:
    wanted = inst.wanted("torch")
    if wanted is None:
        return
    stage = event.stage
    version, runtime = torch_version(wanted), torch_cuda(inst, stage.arch)
    is_bare = not wanted.specifier and not wanted.url and not inst.has("--constraint", "--requirement")
    if is_bare and (stage.torch is None or inst.has("--upgrade")):
        yield Finding("torch-not-pinned", event.line, _unpinned(inst, runtime), _better(stage, machine, below))
    if not runtime or not machine.nvidia:
        return
    named = f"torch {version or ''}".strip()
    driver = machine.driver
    if driver and not driver_runs(driver.version, runtime, machine.os):
        floor = cuda.driver_floor(runtime, machine.os)
        said = f"{named} is a build for CUDA {runtime}, which needs driver {floor}; this machine has {driver.version}."
        yield Finding("driver-too-old-for-torch", event.line, said, _better(stage, machine, below))
    inside = torch_builds.arch_list(version, runtime, "linux", stage.arch) if version else None
    lacking = [on for on in machine.capabilities if inside and not capability.covers(inside[0], on)]
    if lacking and inside:
        on, has = ", ".join(lacking), capability.short(inside[0])
        said = f"{named} for CUDA {runtime} has no code for compute capability {on} ({has})."
        yield Finding("no-code-in-torch", event.line, said, _better(stage, machine, below))


def _torch_limit(walked: Walk) -> str | None:
    """The first torch that flash-attn does not come with, where the file installs flash-attn."""
    wanted = any(event.installs and event.installs.wanted(compiled.PACKAGE) for event in walked.events)
    return attention.source_build(compiled.PACKAGE, "2").max_torch_excluded if wanted else None


def _better(stage: Stage, machine: Machine, below: str | None) -> tuple[str, ...]:
    """The newest torch that this driver and every GPU run, of the CUDA major of the compiler that is there."""
    if not machine.nvidia or machine.driver is None:
        return ()
    tag = f"cp{stage.python.replace('.', '')}" if stage.python else None
    for build in torch_builds.builds("linux", stage.arch):
        inside = build.arch_list
        if not build.cuda or not inside or (tag and tag not in (build.python_tags or (tag,))):
            continue
        if below and numbers(build.torch)[:2] >= numbers(below):
            continue
        same = not stage.nvcc or major(stage.nvcc) == major(build.cuda)
        served = all(capability.covers(inside, on) for on in machine.capabilities)
        if same and served and driver_runs(machine.driver.version, build.cuda, machine.os):
            return (f"pip install torch=={build.torch} --index-url {build.index_url}",)
    return ()


def _unpinned(inst: Installation, runtime: str | None) -> str:
    if "--index-url" in inst.options or "--extra-index-url" in inst.options:
        return "torch has no version: the index gives another one with every release, and compiled packages break."
    newest = torch_builds.newest()
    of = f", which is {newest} for CUDA {runtime} as of {torch_builds.table().as_of}" if runtime else ""
    return f"torch has no version: the package index gives its newest{of}, and another one later."


def _moved(event: Event, inst: Installation) -> Iterator[Finding]:
    """Packages without a version whose newest release demands another torch than the one that is there."""
    torch = event.stage.torch
    held = inst.wanted("torch") is not None or inst.has("--no-deps", "--constraint", "--requirement")
    if torch is None or torch.version is None or held:
        return
    for one in inst.requirements:
        demanded = _demanded(one, torch.version) if one.url is None else None
        if demanded:
            said = f"{demanded}: pip replaces torch {torch.version} of line {torch.line}."
            yield Finding("torch-moved", event.line, f"{said} Take the {one.name} that belongs to it.")


def _demanded(one: Requirement, torch: str) -> str | None:
    """The other torch that a package demands: its newest release where it has no version, else that very one."""
    row = images.mover(one.name)
    if row and not one.specifier:
        newest = f"{one.name} has no version, and its newest ({row.version}) demands torch{row.demands}"
        return None if satisfies(torch, row.demands) else newest
    if one.exact and one.name == "xformers":
        built_for = {wheel.torch for wheel in wheels("xformers") if wheel.version == public(one.exact)}
        pins = {f">={token[2:]}" if token.startswith(">=") else f"=={token}" for token in built_for if token}
        if pins and not any(satisfies(torch, pin) for pin in pins):
            return f"xformers {one.exact} demands torch{' or '.join(sorted(pins))}"
    return None


def _replaced(event: Event, inst: Installation) -> Iterator[Finding]:
    """Another torch under a compiled package that was built for the one before."""
    wanted, built = inst.wanted("torch"), event.stage.extension
    if wanted is None or built is None or built.torch.version is None:
        return
    version = torch_version(wanted)
    same_cuda = not built.torch.cuda or major(torch_cuda(inst, event.stage.arch) or built.torch.cuda) == major(
        built.torch.cuda
    )
    if version and (major_minor(version) != major_minor(built.torch.version) or not same_cuda):
        yield Finding(
            "torch-replaced",
            event.line,
            f"torch {version} takes the place of torch {built.torch.version}, for which {built.name} of line "
            f"{built.line} was built: it will not load.",
        )
