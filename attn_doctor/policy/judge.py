"""A report held to the policy: what breaches it becomes a finding with its place in the file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from attn_doctor.judgement import names
from attn_doctor.judgement.report import SEVERITIES, Elsewhere, Finding, Location, Report
from attn_doctor.judgement.report import Policy as Told
from attn_doctor.judgement.rule import rules
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.target import normalise
from attn_doctor.policy import elsewhere, lock, sense
from attn_doctor.policy.call import Settings
from attn_doctor.policy.find import shown
from attn_doctor.policy.lock import Locked
from attn_doctor.policy.places import Path
from attn_doctor.policy.read import Policy

# the codes of this room, by the key that they speak of
VERSIONS, GPUS, REQUIRE, WHEEL_SOURCES = "AD501", "AD502", "AD503", "AD504"


def held_to(report: Report, settings: Settings) -> Report:
    """The report with what the policy finds. `required` of the report is what holds on this machine."""
    policy = settings.policy
    if policy is None:
        return report
    locked = _locked(policy, report.facts)
    judged = [*elsewhere.judge(policy, settings, report, locked)]
    breaches = [
        *_versions(policy, report.facts, locked),
        *(_gpu(policy, one, number, locked, fix) for number, one, fix in judged if not one.met),
        *_required(policy, report, settings),
        *_wheel_sources(policy, report.facts, locked),
    ]
    ignored = [msgspec.structs.replace(one, ignored=one.code in settings.ignored) for one in breaches]
    findings = sorted((*report.findings, *ignored), key=lambda one: (SEVERITIES.index(one.severity), one.code))
    notes = [f"{policy.source.passed_over} has a policy too; it is passed over"] if policy.source.passed_over else []
    if unasked(settings, report):
        notes.append("this machine has no GPU: what is required is judged on the GPUs of the list alone")
    return msgspec.structs.replace(
        report,
        findings=tuple(findings),
        policy=Told(
            file=policy.source.file,
            settings=settings.told,
            gpus=tuple(one for _, one, _ in judged),
            lock=None if policy.keys.lock is UNSET else policy.keys.lock,
            notes=tuple(notes),
        ),
    )


def required_here(settings: Settings, facts: Facts) -> tuple[str, ...]:
    """The backends that must be ready on this machine. With a list of GPUs and none here, the list is what counts."""
    if settings.policy is None or not settings.policy.keys.gpus or Machine(facts).gpus:
        return settings.required
    return tuple(one for one in settings.required if one not in settings.of_policy)


def unasked(settings: Settings, report: Report) -> bool:
    """Whether something that the policy requires is not asked of this machine."""
    return any(one not in report.required for one in settings.of_policy)


def _locked(policy: Policy, facts: Facts) -> dict[str, Locked] | None:
    if policy.keys.lock is UNSET:
        return None
    path = os.path.join(policy.source.folder, policy.keys.lock)
    return lock.read(path, shown(path), elsewhere.read_from_a_lock(), elsewhere.environment(facts))


def _finding(code: str, detail: str, seen: Sequence[str], at: Location, fix: tuple[str, ...] = ()) -> Finding:
    rule = rules()[code]
    return Finding(
        code=code,
        severity=rule.severity,
        title=rule.title,
        detail=detail,
        evidence=(f"policy: {at.file}:{at.line}", *seen),
        fix=fix,
        docs=f"attn-doctor rule {code}",
        location=at,
    )


# --- versions


def _versions(policy: Policy, facts: Facts, locked: dict[str, Locked] | None) -> Iterator[Finding]:
    found = {**_installed(facts), **{name: _in_lock(one) for name, one in (locked or {}).items()}}
    if locked and "torch" in locked:
        found.pop("cuda", None)  # that of the torch that is installed here
        torch = locked["torch"]
        if cuda := elsewhere.cuda_of(torch.version):
            found["cuda"] = cuda, f"{torch.file}:{torch.line}"
    for name, text in policy.keys.versions.items():
        version, seen = found.get(normalise(name), (None, ""))
        if version is None or allowed(text, version):
            continue
        at = policy.source.where(("versions", name))
        detail = f"{name} {version} is not {_in_words(text)}, as {at.file}:{at.line} demands"
        yield _finding(VERSIONS, detail, (f"{name}: {seen}",), at)


def _in_words(text: str) -> str:
    return " and ".join(part.strip() for part in text.split(","))


def allowed(text: str, version: str) -> bool:
    """Whether a version is in a range. True too for one that packaging cannot read: silence beats a wrong no."""
    from packaging.version import InvalidVersion, Version

    wanted = sense.specifier(text)
    try:
        return wanted is None or wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return True


def _in_lock(one: Locked) -> tuple[str, str]:
    return one.version, f"{one.file}:{one.line}"


def _installed(facts: Facts) -> dict[str, tuple[str, str]]:
    """What is here, by the names of `versions`, with where it was seen."""
    machine = Machine(facts)
    found: dict[str, tuple[str | None, str]] = {
        name: (one.version, one.location or _source(facts, "packages")) for name, one in machine.packages.items()
    }
    found["torch"] = (machine.torch.version if machine.torch else None, _source(facts, "torch"))
    found["cuda"] = (machine.torch.cuda if machine.torch else None, _source(facts, "torch"))
    found["python"] = (machine.python.version if machine.python else None, _source(facts, "python"))
    found["driver"] = (machine.driver.version if machine.driver else None, _source(facts, "driver"))
    return {name: (version, seen) for name, (version, seen) in found.items() if version and numbers(version)}


def _source(facts: Facts, name: str) -> str:
    return str(getattr(facts.readings[name], "source", name))


# --- GPUs of the list


def _gpu(
    policy: Policy, one: Elsewhere, number: int, locked: dict[str, Locked] | None, fix: tuple[str, ...]
) -> Finding:
    first, *others = one.why
    there = ", ".join(code for code in one.findings if code not in first)
    codes = f" ({there} there)" if there else ""
    detail = f"{one.gpu}: {first}{codes}"
    return _finding(GPUS, detail, (elsewhere.seen(one, locked), *others), policy.source.where(("gpus", number)), fix)


# --- what is required here


def _required(policy: Policy, report: Report, settings: Settings) -> Iterator[Finding]:
    for number, name in enumerate(policy.keys.require):
        backend = names.backend(name)
        if backend not in settings.of_policy or report.required.get(backend) is not False:
            continue
        verdict = next(one for one in report.backends if one.name == backend)
        path: Path = ("require", number)
        why = f": {verdict.reasons[0]}" if verdict.reasons else ""
        fix = (_fix(report, backend),) if verdict.status == "installable" else ()
        yield _finding(REQUIRE, f"{backend} is {verdict.status}{why}", (), policy.source.where(path), fix)


def _fix(report: Report, backend: str) -> str:
    machine = Machine(report.facts)
    if machine.python and machine.python.own and machine.torch is None:
        return "attn-doctor check --venv DIR"  # this one is attn-doctor's own: nothing is to be put into it
    return f"attn-doctor install {backend}"


# --- wheels


def _wheel_sources(policy: Policy, facts: Facts, locked: dict[str, Locked] | None) -> Iterator[Finding]:
    if not policy.keys.wheel_sources:
        return
    from attn_doctor.policy.origin import source_of

    taken = {name: (one.origin, one.location or "") for name, one in Machine(facts).packages.items() if one.origin}
    taken |= {name: (one.url, f"{one.file}:{one.line}") for name, one in (locked or {}).items() if one.url}
    for name, (url, seen) in sorted(taken.items()):
        source = source_of(name, url or "")
        if source is None or source in policy.keys.wheel_sources:
            continue
        at = policy.source.where(("wheel-sources",))
        others = ", ".join(policy.keys.wheel_sources)
        yield _finding(
            WHEEL_SOURCES, f"{name} is a wheel of {source}; allowed are {others}", (f"{name}: {url}", seen), at
        )
