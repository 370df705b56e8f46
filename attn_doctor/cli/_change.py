"""Carrying a plan out, as a user sees it: asked once, told step by step, and what went wrong explained."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING

from attn_doctor.cli import options
from attn_doctor.errors import NotDone

if TYPE_CHECKING:
    from attn_doctor.execute.change import Change
    from attn_doctor.execute.supervise.progress import Progress
    from attn_doctor.explain.log import Log
    from attn_doctor.explain.reading import Recorder
    from attn_doctor.machine.gather import Facts
    from attn_doctor.plan.plan import Plan, Step

WIDTH = 80
BEAT_S, BAR_S = 60.0, 0.5  # how often a log and a terminal hear that a step is at work


def target_of(facts: Facts) -> str:
    """The target's folder, by its real path: what changes are listed under."""
    from attn_doctor.judgement.view import Machine
    from attn_doctor.plan import steps

    kept = steps.kept(Machine(facts))
    return kept[0] if kept else ""


def known_target(python: str | None, venv: str | None) -> str:
    """The target of which changes are known, found by its path alone: it may be broken, or gone; else as probed."""
    from attn_doctor.execute import whose

    python, venv = _named(python, venv)
    found = next(whose.targets(python, venv), None)
    return found if found is not None else target_of(options.gather_facts(python, venv, None, []))


def _named(python: str | None, venv: str | None) -> tuple[str | None, str | None]:
    """What the call names, else what the policy of the project does."""
    options.refuse_both(python, venv)
    named = None if python or venv else options.policy_target()
    return (named.python, named.venv) if named else (python, venv)


def recovered(facts: Facts) -> bool:
    """Whether an interrupted change had to be put back first; the facts have to be asked for again then."""
    target = target_of(facts)
    return bool(target) and _put_back(target)


def put_back_first(python: str | None, venv: str | None, by_policy: bool = True) -> bool:
    """Whether an interrupted change was put back before anything is probed: the target may not be there until then."""
    from attn_doctor.execute import whose

    if by_policy:
        python, venv = _named(python, venv)
    options.refuse_both(python, venv)
    put_back = [_put_back(target) for target in [*whose.targets(python, venv)]]
    return any(put_back)


def _put_back(target: str) -> bool:
    from attn_doctor.execute.recover import recover

    change = recover(target)
    if change is None:
        return False
    what = f"change {change.id} ({change.title})" if change.title else f"change {change.id}"
    options.progress(f"attn-doctor: {what} was interrupted; {target} is put back to before it")
    return True


def confirm(question: str, yes: bool) -> None:
    """Asked on a terminal, once; elsewhere `--yes` has to say it. Raises NotDone."""
    if yes:
        return
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise NotDone("nobody can be asked here; --yes says that it is wanted")
    import typer

    if not typer.confirm(question, err=True):
        raise NotDone("it was not wanted")


def carry_out(plan: Plan, facts: Callable[[], Facts], verbose: bool) -> Change:
    """The plan that was shown, if the facts are still those that it rests on. Raises NotDone and others."""
    from attn_doctor.execute.carry_out import carry_out as do
    from attn_doctor.execute.change import places_of
    from attn_doctor.execute.supervise.runner import Runner
    from attn_doctor.judgement.view import Machine
    from attn_doctor.plan import steps

    latest: list[Facts] = []

    def still_true() -> None:
        latest.append(facts())
        if steps.digest(Machine(latest[-1])) != plan.rests_on:
            raise NotDone("the machine or the target has changed since the plan was made: call it again")

    places = places_of(plan)
    audience = Telling(verbose)
    try:
        target = places.here if places else target_of(facts())
        return do(plan, target, audience, Runner(audience.progress), still_true=still_true)
    except NotDone as error:
        audience.finish()
        if latest:
            _explain(audience, latest[-1], error)
        raise
    finally:
        audience.finish()


class Telling:
    """To standard error: each step as it begins, and that it is at work."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._recorder = _recorder()
        self._ticking: Event | None = None
        self._thread: Thread | None = None
        self._now: Progress | None = None
        self._started = 0.0

    def step(self, number: int, count: int, step: Step) -> None:
        """A step begins."""
        self.finish()
        self._recorder = _recorder()
        title = f"{number}/{count} {step.title}"
        options.progress(title)
        self._ticking, self._now, self._started = Event(), None, time.monotonic()
        self._thread = Thread(target=_tick, args=(title, self._ticking, self._at_work), daemon=True)
        self._thread.start()

    def progress(self, now: Progress) -> None:
        """How far a build is; what happens to it is said at once."""
        self._now = now
        if now.note:
            options.progress(now.note)

    def _at_work(self) -> str:
        """'[####----] 31 of 73 objects, 12 min so far', or how long the step has been at work."""
        from attn_doctor.execute.supervise import progress

        if self._now is not None:
            return f"{progress.bar(self._now)} {progress.line(self._now)}".strip()
        passed = int(time.monotonic() - self._started)
        return f"at work for {passed // 60}:{passed % 60:02}"

    def output(self, data: bytes) -> None:
        """What a command printed: kept for the explanation, and shown with -v."""
        self._recorder.take(data)
        if self._verbose:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), data)

    def putting_back(self, why: str) -> None:
        """Something failed."""
        self.finish()
        options.progress(f"{why}; putting everything back")

    def finish(self) -> None:
        """The step is over."""
        if self._ticking is not None and self._thread is not None:
            self._ticking.set()
            self._thread.join()
            self._ticking = self._thread = None

    def log(self) -> Log:
        """What the last step printed."""
        return self._recorder.log()


def _recorder() -> Recorder:
    from attn_doctor.explain.reading import Recorder

    return Recorder()


def _tick(title: str, over: Event, said: Callable[[], str]) -> None:
    """A line a minute in a log, a running clock on a terminal: a silent build is never taken for hung."""
    terminal, shown = sys.stderr.isatty(), False
    while not over.wait(BAR_S if terminal else BEAT_S):
        with suppress(OSError):
            if terminal:
                sys.stderr.write(f"\r   {said()[: WIDTH - 4]}\x1b[K")
                sys.stderr.flush()
                shown = True
            else:
                options.progress(f"{title}: {said()}")
    if shown:
        with suppress(OSError):
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _explain(audience: Telling, facts: Facts, error: NotDone) -> None:
    """What the log of the failed step comes to, where it comes to anything."""
    from attn_doctor.explain.case import Case
    from attn_doctor.explain.diagnose import diagnose
    from attn_doctor.reporters import _diagnosis

    log = audience.log()
    if error.log is None or not log.lines:
        return
    one = diagnose(Case(log, lambda: facts), error.log)
    if one.verdict == "failure":
        sys.stderr.write(_diagnosis.text(one) + "\n")
