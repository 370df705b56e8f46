"""Down a chain of backends to the first that runs here: what is used, and why each one before it is not."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import UsageError
from attn_doctor.judgement.backend import Backend, Obstacle, judge
from attn_doctor.judgement.verdict import BackendVerdict, Status
from attn_doctor.knowledge.attention import Demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.tables import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.frameworks import Framework
    from attn_doctor.machine.probes.gpus import Gpu

SCHEMA = "attn-doctor/resolution/1"
DEFAULT = ("flash_attention_2", "sdpa", "eager")
# what comes after a backend that was asked for alone; everything else: sdpa, then eager
BEHIND = {
    "eager": (),
    "sdpa": ("eager",),
    "flash_attention_3": DEFAULT,
    "flash_attention_4": DEFAULT,
}


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One backend of the chain. `reason`: why it is not used; of the chosen one what is known of it."""

    backend: str
    status: Status
    chosen: bool
    reason: str
    word: str | None = None  # what the framework calls it
    fix: str | None = None  # a command that brings it


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """The backend to use: the first of `chain` that runs here; None where none does."""

    schema: str = SCHEMA
    version: str = __version__
    chain: tuple[str, ...]
    backend: str | None
    word: str | None  # `backend` in the words of the framework; without one its own name
    framework: str | None
    framework_version: str | None  # None where it is not installed: the newest that is known is meant
    setting: str | None  # attn_implementation="sdpa"
    variable: str | None  # an environment variable of the framework that takes the word
    fell_back: bool  # another than the first of the chain
    steps: tuple[Step, ...]
    needs: dict[str, str]
    unreadable: tuple[str, ...]  # what could not be read and might have changed the answer

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence for every backend that was passed over."""
        return tuple(f"{step.backend} does not run here: {step.reason}" for step in self.steps if not step.chosen)


def chain_of(
    requested: str | None = None, chain: Sequence[str] | None = None, framework: str | None = None
) -> tuple[str, ...]:
    """The chain that a call means, in canonical names, each once. Raises UsageError for a name that there is not."""
    first = (name(requested),) if requested else ()
    if chain is not None:
        listed = tuple(name(one) for one in chain)
        if not first + listed:
            raise UsageError("the chain is empty", "Give backends, the one you would like best first.")
        return tuple(dict.fromkeys(first + listed))
    row = _newest(framework)
    if row and row.chain:
        return tuple(dict.fromkeys(first + row.chain))
    return first + BEHIND.get(first[0], ("sdpa", "eager")) if first else DEFAULT


def name(given: str) -> str:
    """The backend of that name or alias. Raises UsageError. Canonical names are known without importing backends."""
    if given in {row.backend for row in rows("attention", Demands)}:
        return given
    from attn_doctor.judgement import names

    return names.backend(given)


def backend(canonical: str) -> Backend:
    """One backend, without importing the others."""
    found: Backend = import_module(f"attn_doctor.judgement.backends.{canonical}").BACKEND
    return found


def resolve(machine: Machine, chain: Sequence[str], need: Need, framework: str | None = None) -> Resolution:
    """The first of the chain that is ready on these facts and has a name in the framework."""
    newest = _newest(framework)
    distribution = newest.distribution if newest else None
    package = machine.packages.get(distribution) if distribution else None
    row, gap = _row(distribution, package.version if package else None)
    steps: list[Step] = []
    for one in chain:
        step = _step(machine, one, need, row, gap, package.version if package else None)
        steps.append(step)
        if step.chosen:
            break
    last = steps[-1]
    used = last.backend if last.chosen else None
    setting = row.setting if row and used else None
    return Resolution(
        chain=tuple(chain),
        backend=used,
        word=(last.word or used) if used else None,
        framework=distribution,
        framework_version=package.version if package else None,
        setting=setting.replace("{word}", last.word) if setting and last.word else None,
        variable=row.variable if row else None,
        fell_back=used is not None and used != chain[0],
        steps=tuple(steps),
        needs=need.as_dict(),
        unreadable=_unreadable(machine) if used != chain[0] else (),
    )


def untried(chain: Sequence[str], need: Need, framework: str | None, why: str) -> Resolution:
    """Where judging itself failed: the last of the chain, which demands least."""
    row = _newest(framework)
    steps = [Step(backend=one, status="blocked", chosen=one == chain[-1], reason=why) for one in chain]
    word = row.words.get(chain[-1]) if row else chain[-1]
    setting = row.setting if row and word else None
    return Resolution(
        chain=tuple(chain),
        backend=chain[-1],
        word=word,
        framework=row.distribution if row else None,
        framework_version=None,
        setting=setting.replace("{word}", word) if setting and word else None,
        variable=row.variable if row else None,
        fell_back=len(chain) > 1,
        steps=tuple(steps),
        needs=need.as_dict(),
        unreadable=(why,),
    )


def _newest(framework: str | None) -> Framework | None:
    """What the newest release of the framework takes; without a framework the table is not even read."""
    if framework is None:
        return None
    from attn_doctor.judgement import words

    return words.row(framework)


def _row(distribution: str | None, version: str | None) -> tuple[Framework | None, str | None]:
    """What that release of the framework takes; or why nothing is known of it."""
    if distribution is None:
        return None, None
    from attn_doctor.judgement import words

    try:
        return words.row(distribution, version), None
    except UsageError as error:
        return None, error.message


def _step(machine: Machine, one: str, need: Need, row: Framework | None, gap: str | None, version: str | None) -> Step:
    judged = _own(machine, one, row) if row and one in row.own else _judged(machine, one, need)
    refused = gap or (refusal(machine, judged, row, version) if row else None)
    ready = judged.status == "ready" and refused is None
    told = refused or "" if judged.status == "ready" and refused else next(iter(judged.reasons), "")
    return Step(
        backend=one,
        status=judged.status,
        chosen=ready,
        reason=told + _from_the_hub(machine, one, row, version) if judged.status == "installable" else told,
        word=row.words.get(one) if row else None,
        fix=f"attn-doctor install {one}" if judged.status == "installable" and refused is None else None,
    )


def _judged(machine: Machine, one: str, need: Need) -> BackendVerdict:
    """The verdict, without looking for a file to install: whether one exists changes nothing for who runs now."""
    whole = backend(one)

    def ways(on: Machine, gpu: Gpu | None) -> Iterator[Obstacle]:
        if whole.package and whole.version(on) is None:
            yield Obstacle("installable", f"{whole.package} is not installed")
        else:
            yield from whole.ways(on, gpu)

    quick = judge(msgspec.structs.replace(whole, ways=ways), machine, need)
    if quick.status != "installable" or machine.allowed is None or whole.package is None:
        return quick
    # unless whose files may be installed is what decides: then nothing is named that `install` would refuse
    held = judge(whole, machine, need)
    free = judge(whole, type(machine)(machine.facts), need)
    return held if held.status != free.status else quick


def _own(machine: Machine, one: str, row: Framework) -> BackendVerdict:
    """A kernel that the framework brings itself: only the GPU counts."""
    bounds = row.own[one]
    status: Status = "ready"
    reason = f"{row.distribution} brings it"
    if bounds.least is not None or bounds.last_major is not None:
        if machine.device != "cuda":
            status, reason = "unsupported", f"{row.distribution} has it for NVIDIA GPUs that torch can use"
        else:
            outside = [on for on in machine.capabilities if not _within(on, bounds.least, bounds.last_major)]
            if outside:
                upper = f" to {bounds.last_major}.x" if bounds.last_major else " on"
                status = "unsupported"
                reason = f"{row.distribution} has it from compute capability {bounds.least}{upper}, not on {outside[0]}"
    return BackendVerdict(name=one, status=status, reasons=(reason,), version=None)


def _within(on: str, least: str | None, last_major: int | None) -> bool:
    have = capability(on)
    return (least is None or have >= capability(least)) and (last_major is None or have[0] <= last_major)


def refusal(machine: Machine, judged: BackendVerdict, row: Framework, version: str | None) -> str | None:
    """Why the framework would not take a backend that runs: no name for it, or a version that it does not accept."""
    if judged.name not in row.words:
        from attn_doctor.judgement import words

        return f"{words.named(row, version)} has no name for it"
    if version is None:
        return None
    from attn_doctor.knowledge.requirements import requirement, satisfies

    torch = requirement(row.distribution, version, "torch")
    if machine.torch and torch and not satisfies(machine.torch.version, torch.specifier):
        if judged.name == "eager" and "eager" in (torch.otherwise or ""):
            return None
        return f"{row.distribution} {version} wants torch{torch.specifier}; {machine.torch.version} is installed"
    package = None if judged.name in row.own else backend(judged.name).package
    wanted = requirement(row.distribution, version, package) if package else None
    specifier = wanted.specifier if wanted else row.wants.get(package or "")
    if specifier and judged.version and not satisfies(judged.version, specifier):
        return f"{row.distribution} {version} wants {package}{specifier}; {judged.version} is installed"
    return None


def _from_the_hub(machine: Machine, one: str, row: Framework | None, version: str | None) -> str:
    """What the framework would fetch in place of a package that is not there; nothing where it would not."""
    kernels = machine.packages.get("kernels")
    if row is None or version is None or kernels is None:
        return ""
    from attn_doctor.knowledge import hub_kernels
    from attn_doctor.knowledge.requirements import satisfies

    named = (hub_kernels.named(row.distribution, version, kernel.repo) for kernel in hub_kernels.kernels_of(one))
    taken = next((hub for hub in named if hub and hub.instead_of == one), None)
    if taken is None or not satisfies(kernels.version, taken.kernels):
        return ""
    return f"; {row.distribution} {version} would fetch {taken.repo} from the Hub in its place"


def _unreadable(machine: Machine) -> tuple[str, ...]:
    asked = ("driver", "gpus", "torch")
    return tuple(f"{one}: {why}" for one in asked if (why := machine.unknown(one)))
