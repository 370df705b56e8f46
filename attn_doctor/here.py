"""`attn_doctor.resolve()`: which backend to use in this very process. Next to nothing is imported to answer again."""

from __future__ import annotations

import os
import sys
from _thread import allocate_lock  # threading.Lock, without importing what threads need besides

from attn_doctor.machine import asked

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost more than the answer
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from attn_doctor.judgement.resolution import Resolution
    from attn_doctor.machine.gather import Facts
    from attn_doctor.machine.host import Host

    Question = tuple[str | None, tuple[str, ...] | None, tuple[str, ...], str | None]
    T = TypeVar("T")

# probes that decide only about these backends
ONLY_FOR = {"compiler": frozenset({"flash_attention_4", "flex_attention", "sage_attention", "triton"})}


class Answer:
    """What a process needs of a resolution, in plain values."""

    def __init__(
        self, chain: list[str], word: str | None, fell_back: bool, reasons: list[str], fix: str | None
    ) -> None:
        self.chain = chain
        self.word = word
        self.fell_back = fell_back
        self.reasons = reasons  # one for every backend that was passed over
        self.fix = fix


def resolve(
    backend: str | None = None,
    *,
    chain: Sequence[str] | None = None,
    need: Sequence[str] = (),
    strict: bool = False,
    framework: str | None = None,
) -> str:
    """The best attention backend that runs in this very process: `backend` if it does, else what comes after it.

    With `framework` ("transformers", "diffusers", ...) in its words, ready to be passed on. Every fall back is logged
    once, as a warning of the logger "attn_doctor". What was found out is kept for the life of the process, and for
    later ones as long as nothing of what was looked at has changed.

    Raises attn_doctor.errors.NoBackend where nothing of the chain runs, or, if `strict`, where the first does not;
    UsageError for a name that there is not. Nothing else: a training run does not end because attn-doctor fails.
    """
    answer = _answer((backend, _words(chain) if chain is not None else None, _words(need), framework))
    if answer.word is not None and not (strict and answer.fell_back):
        return answer.word
    from attn_doctor.errors import NoBackend

    reason = answer.reasons[0] if answer.word else "; ".join(answer.reasons)
    raise NoBackend(reason, f"To get it: {answer.fix}" if answer.fix else None, tuple(answer.reasons))


def resolution(
    backend: str | None = None,
    *,
    chain: Sequence[str] | None = None,
    need: Sequence[str] = (),
    framework: str | None = None,
) -> Resolution:
    """What `resolve` finds, and why: every step of the chain, the setting of the framework, what could not be read."""
    question = backend, _words(chain) if chain is not None else None, _words(need), framework
    return _once(_resolutions, question, lambda: _resolution(question, None))


def _words(given: Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _answer(question: Question) -> Answer:
    return _once(_answers, question, lambda: _found(question))


def _once(memory: dict[Question, T], question: Question, find: Callable[[], T]) -> T:
    """One thread finds out; the others wait for it."""
    found = memory.get(question)
    if found is None:
        with _lock:
            found = memory.get(question)
            if found is None:
                found = memory[question] = find()
    return found


def _found(question: Question) -> Answer:
    answer = _kept(question) or _fresh(question)
    if answer.reasons:
        import logging

        for reason in answer.reasons:
            logging.getLogger("attn_doctor").warning("%s", reason)
    return answer


def _kept(question: Question) -> Answer | None:
    """What an earlier process found out, where it still holds."""
    try:
        return Answer(**asked.find(question))
    except TypeError:  # nothing is kept, or not what this version keeps
        return None


def _fresh(question: Question) -> Answer:
    """From the files. The many objects that this takes would have the collector search all those of torch, in vain."""
    import gc

    collects = gc.isenabled()
    gc.disable()
    try:
        return _read_anew(question)
    finally:
        if collects:
            gc.enable()


def _read_anew(question: Question) -> Answer:
    from attn_doctor.machine.host import LiveHost

    asking = asked.Asking(LiveHost())
    one = _resolution(question, asking)
    answer = Answer(
        chain=list(one.chain),
        word=one.word,
        fell_back=one.fell_back,
        reasons=list(one.reasons),
        fix=next((step.fix for step in one.steps if step.fix), None),
    )
    if not one.unreadable:
        asked.keep(question, asking, answer.__dict__, _besides())
    return answer


def _besides() -> list[str]:
    """What was read without asking a host: tables, and a refreshed copy of the catalogue where one was looked for."""
    from attn_doctor.knowledge import tables

    found = [*tables.READ]
    refreshed = sys.modules.get("attn_doctor.wheels.refreshed")
    if refreshed and (place := refreshed.place()):
        found.append(os.path.join(place, refreshed.NAME))
    return found


def _resolution(question: Question, host: Host | None) -> Resolution:
    """Raises UsageError for names and needs that there are not, and nothing else."""
    from attn_doctor.judgement import need as needs
    from attn_doctor.judgement import resolution as judgement
    from attn_doctor.judgement.view import Machine

    backend, chain, need, framework = question
    needed = needs.parse(need)
    if framework is not None:
        from attn_doctor.judgement import words

        words.framework(framework)  # a wrong name is an error of the caller, also where the chain asks nothing of it
    walked = judgement.chain_of(backend, chain, framework)
    try:
        return judgement.resolve(Machine(_facts(walked, host)), walked, needed, framework)
    except Exception as error:
        import logging

        logging.getLogger("attn_doctor").exception("attn-doctor itself failed")
        return judgement.untried(walked, needed, framework, f"attn-doctor itself failed: {error}")


def _facts(walked: Sequence[str], host: Host | None) -> Facts:
    from attn_doctor.machine import quick
    from attn_doctor.machine.host import LiveHost

    besides = [probe for probe, backends in ONLY_FOR.items() if not backends.isdisjoint(walked)]
    facts = quick.gather(host or LiveHost(), besides)
    if isinstance(host, asked.Asking) and getattr(facts.readings["gpus"], "source", None) == quick.OF_TORCH:
        host.passing = True  # what this process alone knows is nothing for another
    return facts


_lock = allocate_lock()
_answers: dict[Question, Answer] = {}
_resolutions: dict[Question, Resolution] = {}


def _after_fork() -> None:
    """A lock that another thread held at that moment is held for ever in the child."""
    global _lock  # noqa: PLW0603 - the child has its own
    _lock = allocate_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
