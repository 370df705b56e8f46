"""What a model supports, beside what this machine runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.judgement import commands, words
from attn_doctor.judgement.recommend import preference
from attn_doctor.judgement.report import Implementation, Model, ModelPart
from attn_doctor.judgement.resolution import refusal
from attn_doctor.judgement.verdict import BackendVerdict
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import frameworks
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.modeling.lookup import Found, NotKnown

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.modeling.lookup import Part
    from attn_doctor.machine.modeling.transformers import Flags


def judge(report: Report, found: Found | NotKnown, asked: str) -> Model:
    """Every implementation that this transformers has a name for, with what the classes and the machine say."""
    return _known(report, found, asked) if isinstance(found, Found) else _not_known(report, found, asked)


def _not_known(report: Report, found: NotKnown, asked: str) -> Model:
    """`found`: why there is no transformers to ask."""
    machine = Machine(report.facts)
    fix: dict[str | None, str] = {
        "install": commands.install(machine, "transformers"),
        "upgrade": f"{commands.installer(machine)} --upgrade transformers",
        "reinstall": commands.reinstall(machine, "transformers", found.transformers or ""),
    }
    return Model(
        asked=asked,
        transformers=found.transformers,
        model_type=None,
        parts=(),
        implementations=(),
        by_itself=None,
        use=None,
        unknown=f"{found.why}, so nothing is known about the implementations of {asked}",
        fix=(fix[found.cure],) if found.cure else (),
    )


def _known(report: Report, found: Found, asked: str) -> Model:
    verdicts = {verdict.name: verdict for verdict in report.backends}
    row = words.row("transformers", found.transformers)
    machine = Machine(report.facts)
    order = preference(machine).order
    listed = sorted(
        (
            _implementation(
                found, verdicts[backend], word, refusal(machine, verdicts[backend], row, found.transformers)
            )
            for backend, word in row.words.items()
            if backend in verdicts
        ),
        key=lambda one: (not one.usable, not one.supported, order.index(one.backend)),
    )
    supported = {one.backend for one in listed if one.supported}
    return Model(
        asked=asked,
        transformers=found.transformers,
        model_type=found.model_type,
        parts=tuple(_part(part) for part in found.parts),
        implementations=tuple(listed),
        by_itself="sdpa" if supports(found.parts[0].flags, "sdpa", found.transformers) else "eager",
        use=next((one.backend for one in listed if one.usable), None),
        notes=tuple(_notes(found, supported)),
    )


def supports(flags: Flags, backend: str, version: str) -> bool | None:
    """Whether a class takes a backend; None where only running its code would tell."""
    if backend == "eager":
        return True
    claim = frameworks.claim(backend)
    if claim is None:
        return False
    if any(name in flags.unread for name in claim.flags):
        return None
    said = [flags.flags[name] for name in claim.flags if name in flags.flags]
    if not said:
        return False
    either = claim.either_below is not None and numbers(version) < numbers(claim.either_below)
    return any(said) if either else said[0]


def _implementation(found: Found, verdict: BackendVerdict, word: str, refused: str | None) -> Implementation:
    """`refused`: why this transformers would not take the backend although it runs."""
    backend = verdict.name
    supported, why = _supported(found.parts, backend, found.transformers)
    ready = verdict.status == "ready" and refused is None
    here = next(iter(verdict.reasons), verdict.status)
    if supported and ready:
        reason = here
    elif supported and verdict.status == "ready":
        reason = f"the model supports it, refused here: {refused}"
    elif supported:
        state = "not installed" if verdict.status == "installable" else verdict.status
        reason = f"the model supports it, {state} here: {here}"
    else:
        reason = why
    return Implementation(backend, word, supported, verdict.status, bool(supported) and ready, reason)


def _supported(parts: Sequence[Part], backend: str, version: str) -> tuple[bool | None, str]:
    """By every class that takes part: the weakest decides."""
    unread: str | None = None
    for part in parts:
        flags = part.flags
        name = f"{part.key}: {flags.name}" if part.key else flags.name
        compatible = flags.compatible
        if backend.startswith("flash_attention") and compatible is not None and backend not in compatible:
            return False, f"{name} takes no other FlashAttention than {' or '.join(compatible)}"
        answer = supports(flags, backend, version)
        if answer and backend in flags.absent:
            return (
                False,
                f"{name} says that it does, and {flags.absent[backend]} has none: loading fails with a KeyError",
            )
        if answer is False:
            return False, f"{name} does not support it"
        if answer is None:
            claim = frameworks.claim(backend)
            unread = next(why for flag, why in flags.unread.items() if claim and flag in claim.flags)
    return (None, f"not known: {unread}") if unread else (True, "")


def _part(part: Part) -> ModelPart:
    package, _, rest = part.flags.module.partition(".")
    place = rest.replace(".", "/") + ".py"
    source = place if package == "transformers" else f"beside the configuration: {place}"
    return ModelPart(part.key, part.model_type, part.flags.name, source, part.flags.flags)


def _notes(found: Found, supported: set[str]) -> Iterator[str]:
    if found.beside:
        yield "its code comes with its weights (trust_remote_code): what that code says was read"
    for key in found.unknown:
        yield f"{key}: this transformers has no such model; it was not judged"
    only = found.parts[0].flags.compatible
    if only:
        yield f"the only FlashAttentions that it takes: {', '.join(only)}"
    if any(backend.startswith("flash") for backend in supported):
        yield "no flash_attention_* is selected by itself: ask for it by attn_implementation"
