"""What can be wrong with a Dockerfile that installs attention packages: one function each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from attn_doctor.knowledge import images, torch_builds
from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.knowledge.versions import major, major_minor, numbers, public
from attn_doctor.plan.dockerfile import compiled, files, torch_line
from attn_doctor.plan.dockerfile.advice import advice
from attn_doctor.plan.dockerfile.base_image import image_fault
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.musl import no_torch
from attn_doctor.plan.dockerfile.pip import Installation, Requirement, apt_packages
from attn_doctor.plan.dockerfile.stages import Event, Stage, Walk
from attn_doctor.plan.dockerfile.torches import torch_cuda, torch_version
from attn_doctor.wheels.catalogue import wheels

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

ONCE_A_STAGE = ("externally-managed", "no-torch-for-musl")
ENVIRONMENT = ("RUN python3 -m venv /opt/venv", "ENV PATH=/opt/venv/bin:$PATH")


def findings(walked: Walk, machine: Machine) -> tuple[Finding, ...]:
    """Everything that is wrong, in the order of the file; each thing once."""
    found: list[Finding] = [*_base_image(walked.last, machine), *_code_of_base(walked.last, machine)]
    advised = advice(walked, machine)
    for event in walked.events:
        found += _driver_packages(event)
        if event.installs is not None:
            found += _installation(Case(event, event.installs, machine, advised))
    return tuple(sorted(_once(found), key=lambda one: one.line))


def _installation(case: Case) -> Iterator[Finding]:
    if case.stage.image.musl:
        yield from no_torch(case)
        return
    yield from compiled.build(case)
    yield from files.wheels(case)
    yield from _managed(case.event, case.inst)
    yield from torch_line.torch(case)
    yield from _companions(case)
    yield from _moved(case.event, case.inst)
    yield from _replaced(case.event, case.inst)


def _once(found: Iterable[Finding]) -> Iterator[Finding]:
    """Each thing once; what holds for every later command of a stage only where it comes up first."""
    seen: set[object] = set()
    for one in found:
        same = (one.rule, one.text) if one.rule in ONCE_A_STAGE else one
        if same not in seen:
            seen.add(same)
            yield one


def _base_image(stage: Stage, machine: Machine) -> Iterator[Finding]:
    """The image that runs in the end, against the driver of this machine."""
    cuda, repository = stage.image.cuda, stage.image.repository
    if fault := image_fault(stage.image.reference, repository, cuda, machine):
        yield Finding(fault[0], stage.line, fault[1])


def _code_of_base(stage: Stage, machine: Machine) -> Iterator[Finding]:
    """The torch that the base image brings, where it is the one that runs in the end."""
    torch = stage.torch
    if torch is None or torch.line != stage.line or not torch.version or not torch.cuda:
        return
    if text := torch_line.without_code(torch.version, torch.cuda, stage.arch, machine.capabilities):
        said = f"torch {torch.version} of {stage.image.reference} {text}"
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


def _companions(case: Case) -> Iterator[Finding]:
    """Packages that belong to another torch than the one in the same command, or the one that is there."""
    inst = case.inst
    wanted, there = inst.wanted("torch"), case.stage.torch
    version = torch_version(wanted) if wanted else there.version if there and not inst.has("--no-deps") else None
    pins = torch_builds.pins(version) if version and torch_builds.is_release(version) else None
    for name in torch_line.COMPANIONS:
        given, right = inst.wanted(name), getattr(pins, name, None)
        exact = public(given.exact) if given and given.exact else None
        if exact and right and _is_bound(name, exact) and numbers(exact)[:2] != numbers(right)[:2]:
            yield Finding("companion-of-another-torch", case.line, _belongs(case, name, exact, str(version)))


def _belongs(case: Case, name: str, exact: str, version: str) -> str:
    """Names the companion of the torch that the fixes of this file name, where they name one."""
    if case.mended and case.mended.version and case.mended != case.torch:
        version = case.mended.version
    right = getattr(torch_builds.pins(version), name, None)
    return f"{name} {exact} belongs to another torch; that of torch {version} is {right}."


def _is_bound(name: str, version: str) -> bool:
    """Whether that release demands one torch alone: the newest no longer do."""
    row = requirement(name, version, "torch")
    return row is None or row.specifier.startswith("==")


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
