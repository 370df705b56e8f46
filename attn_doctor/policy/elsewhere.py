"""The GPUs of the list, each judged as `simulate` would imagine it, with the packages of the lock or of the target."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator

from msgspec import UNSET

from attn_doctor.judgement import check
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.report import Elsewhere, Report
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import major_minor, public
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.packages import WatchedPackage
from attn_doctor.policy import lock, sense, ways
from attn_doctor.policy.call import Settings
from attn_doctor.policy.keys import Gpu
from attn_doctor.policy.lock import Locked
from attn_doctor.policy.read import Policy
from attn_doctor.policy.settings import described

DEFAULT_PYTHON = "3.12"  # of the plain machine
# of the machine that is asked, and nothing to the ones it speaks of
LEFT_BEHIND = ("environment", "library_path", "leftovers", "changes", "deep")


def read_from_a_lock() -> Collection[str]:
    """The packages whose versions decide anything."""
    return {"torch", *(row.name for row in rows("packages_watched", WatchedPackage))}


def environment(facts: Facts) -> dict[str, str]:
    """What the markers of a lock ask: a Linux machine with the target's Python."""
    version = _python(facts)
    minor = major_minor(version)
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{minor}.0",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version if version.count(".") > 1 else f"{minor}.0",
        "python_version": minor,
        "sys_platform": "linux",
    }


def _python(facts: Facts) -> str:
    python = Machine(facts).python
    return DEFAULT_PYTHON if python is None else python.version


def judge(
    policy: Policy, settings: Settings, report: Report, locked: dict[str, Locked] | None
) -> Iterator[tuple[int, Elsewhere, tuple[str, ...]]]:
    """Every GPU of the list, with its number there, and what to do where the project would not run on it."""
    if not policy.keys.gpus:
        return
    # what is wrong with this machine anyway is said once, of this machine
    known = {one.code for one in report.findings if one.severity == "error"} if locked is None else set()
    for number, gpu in enumerate(policy.keys.gpus):
        keys = [*sense.assignments(gpu), *_driver(policy, gpu)]
        packages = _installed(report.facts, locked)
        imagined = _imagined(report.facts, packages, keys)
        there = check.check(imagined, needs.parse(settings.need), settings.ignored, settings.required, settings.allowed)
        one = _verdict(policy, settings, there, number, known)
        yield number, one, () if one.met else ways.out(one, there, keys, packages, settings)


def _driver(policy: Policy, gpu: str | Gpu) -> Iterator[str]:
    """The oldest that `versions` allows, where nothing else is said: whoever keeps to the policy may have it."""
    stated = isinstance(gpu, Gpu) and gpu.driver is not UNSET
    lowest = sense.floor(policy.keys.versions["driver"]) if "driver" in policy.keys.versions else None
    if lowest and not stated and sense.is_nvidia(gpu):
        yield f"driver={lowest}"


def _installed(facts: Facts, locked: dict[str, Locked] | None) -> list[str] | None:
    """What a plain Linux machine is imagined with, as keys of `simulate`; None where the target itself is judged."""
    if locked is not None:
        return [*_packages(facts, {name: one.as_installed for name, one in locked.items()})]
    here = Machine(facts)
    if here.os != "macos":
        return None
    versions = {name: public(one.version) for name, one in here.packages.items()}  # there they are other files
    versions |= {"torch": public(here.torch.version)} if here.torch else {}
    return [*_packages(facts, versions)]


def _imagined(facts: Facts, packages: list[str] | None, gpu: list[str]) -> Facts:
    """A plain Linux machine with what the lock holds; without a lock this machine with another GPU."""
    if packages is not None:
        return whatif.simulate([*packages, *gpu])
    nothing = Absent(("policy",))
    kept = {name: nothing if name in LEFT_BEHIND else reading for name, reading in facts.readings.items()}
    return whatif.apply(Facts(readings=kept), gpu, simulated=True)


def cuda_of(torch: str) -> str | None:
    """The CUDA that a torch of that version brings on Linux."""
    built = Machine(whatif.simulate([f"torch={torch}"])).torch
    return built.cuda if built else None


def _packages(facts: Facts, versions: dict[str, str]) -> Iterator[str]:
    python = Machine(facts).python
    yield f"python={major_minor(_python(facts))}{'t' if python and python.free_threaded else ''}"
    for name, version in versions.items():
        yield f"torch={version}" if name == "torch" else f"pkg.{name}={version}"


def _verdict(policy: Policy, settings: Settings, report: Report, number: int, known: Collection[str]) -> Elsewhere:
    """`report`: of the machine imagined with that GPU."""
    machine = Machine(report.facts)
    errors = [one for one in report.findings if one.severity == "error" and not one.ignored and one.code not in known]
    statuses = {one.name: one.status for one in report.backends}
    why = (*_lacking(report), *(f"{one.code}, {one.title}: {one.detail}" for one in errors))
    if machine.torch is None:
        why = (f"there is no torch to judge it by: {_no_torch(policy, report.facts)}",)
    elif not why and machine.device == "cpu":
        why = ("everything would run on the CPU there",)
    return Elsewhere(
        gpu=described(policy.keys.gpus[number]),
        driver=machine.driver.version if machine.driver else None,
        torch=machine.torch.version if machine.torch else None,
        met=not why,
        use_now=report.recommendation.use_now,
        required={name: statuses[name] for name in settings.required},
        findings=tuple(one.code for one in errors),
        why=why,
        origin=policy.source.origin(("gpus", number)),
    )


def _no_torch(policy: Policy, facts: Facts) -> str:
    if policy.keys.lock is UNSET:
        return "it is not in the target, and the policy names no lock that has it"
    path = os.path.join(policy.source.folder, policy.keys.lock)
    asked = lock.loose(path, policy.keys.lock, "torch", environment(facts))
    if asked is None:
        return f"{policy.keys.lock} has none"
    return f"{asked.file}:{asked.line} has {asked.said}, which is no pinned version: write torch==..."


def _lacking(report: Report) -> Iterator[str]:
    for verdict in report.backends:
        if report.required.get(verdict.name) is False:
            reason = f": {verdict.reasons[0]}" if verdict.reasons else ""
            yield f"{verdict.name} is {verdict.status}{reason}"


def seen(one: Elsewhere, locked: dict[str, Locked] | None) -> str:
    """What a verdict rests on: 'judged with torch 2.8.0 (uv.lock:12) and driver 550'."""
    torch = f"torch {one.torch}" if one.torch else "no torch"
    if locked and "torch" in locked:
        torch = f"{torch} ({locked['torch'].file}:{locked['torch'].line})"
    return f"judged with {torch}{f' and driver {one.driver}' if one.driver else ''}"
