"""A plan carried out as it was shown: every step in order, and on any failure everything as it was before."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Protocol

from attn_doctor.errors import NotDone
from attn_doctor.execute import folders, inside, network, outside, preflight, redact, running, scripts
from attn_doctor.execute.begin import begin
from attn_doctor.execute.change import Change, close, places_of, read
from attn_doctor.execute.fingerprint import fingerprint
from attn_doctor.execute.interrupts import Interrupts
from attn_doctor.execute.journal import Event
from attn_doctor.execute.lock import locked
from attn_doctor.execute.put_back import differs, put_back, tidy
from attn_doctor.execute.running import MARK, StepFailed
from attn_doctor.plan.plan import Plan, Step


class Audience(Protocol):
    """Who is told what happens."""

    def step(self, number: int, count: int, step: Step) -> None:
        """A step begins."""
        ...

    def output(self, data: bytes) -> None:
        """Its command printed something; credentials are hidden by then."""
        ...

    def putting_back(self, why: str) -> None:
        """A step failed, or somebody interrupted."""
        ...


LOOKING = Step(id="network", title="look whether what it fetches can be reached", kind="check", command=())
Runner = Callable[[Step, running.Listen, dict[str, str]], None]


def carry_out(
    plan: Plan, target: str, audience: Audience, run: Runner = running.run, still_true: Callable[[], None] | None = None
) -> Change:
    """Do it all, or nothing. Raises NotDone (nothing changed, or put back), CannotPutBack, TargetBusy, CannotKeep.

    `target` names it by its real path. `still_true` raises where the facts are no longer those that the plan rests on;
    it is asked once nobody else can change the target.
    """
    with locked(target), Interrupts() as interrupts:
        secrets = redact.secrets(os.environ, target)
        with interrupts.allowed():
            if still_true is not None:
                still_true()
            refuse(plan, audience, secrets)
        change = begin(plan, target, places_of(plan), secrets)
        try:
            with interrupts.allowed():
                _all_steps(plan, change, _Record(change, audience, secrets), run)
            change.journal.write(Event("done", text=fingerprint(target)))
        except BaseException as error:
            _give_up(change, audience, error, redact.hidden_text(_why(error), secrets))
            raise
        tidy(change)
        close(change)
        return read(change.id)


def _give_up(change: Change, audience: Audience, error: BaseException, why: str) -> None:
    """Put everything back, whoever listens; then say it as what a user can act on."""
    with suppress(Exception):
        audience.putting_back(why)
    change = put_back(read(change.id), why)
    with suppress(OSError):
        if differs(change):
            change.journal.write(Event("differs"))
    if isinstance(error, (StepFailed, OSError)):
        raise NotDone(why, change.log if os.path.exists(change.log) else None) from error


def refuse(plan: Plan, audience: Audience, secrets: tuple[bytes, ...] = ()) -> None:
    """Raises NotDone where something is in the way before the first step."""
    places = places_of(plan)
    found = list(preflight.obstacles(plan, places)) or list(_unreachable(plan, audience))
    if not found and places is not None and (said := preflight.make_way(places)):
        found.append(said)
    if found:
        raise NotDone(redact.hidden_text("; ".join(dict.fromkeys(found)), secrets))


def _unreachable(plan: Plan, audience: Audience) -> Iterator[str]:
    """What the plan fetches and cannot be reached; whoever listens hears that it is looked for."""
    asked = network.questions(plan)
    if asked:
        audience.step(0, len(plan.steps), LOOKING)
        yield from network.unreachable(asked)


class _Record:
    """The log of a change, and whoever listens besides: neither gets to see a credential."""

    def __init__(self, change: Change, audience: Audience, secrets: tuple[bytes, ...]) -> None:
        self.audience = audience
        self._secrets = secrets
        self._path = change.log
        self._stream = redact.Redacted(secrets)

    def begin(self, number: int, count: int, step: Step) -> None:
        self.audience.step(number, count, step)
        head = f"\n=== {number}/{count} {step.title}\n$ {shlex.join(step.command)}\n"
        self._keep(redact.hidden(head.encode("utf-8", "surrogateescape"), self._secrets))

    def listen(self, data: bytes) -> None:
        self._pass_on(self._stream.feed(data))

    def end(self) -> None:
        self._pass_on(self._stream.rest())

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._keep(data)
            self.audience.output(data)

    def _keep(self, data: bytes) -> None:
        with suppress(OSError):  # a full disk fails the step itself, if it matters to it
            file: IO[bytes]
            with open(self._path, "ab", opener=_private) as file:
                file.write(data)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _all_steps(plan: Plan, change: Change, record: _Record, run: Runner) -> None:
    environment = {**os.environ, MARK: change.folder}
    if plan.folder:
        _make(plan.folder)
    for number, step in enumerate(plan.steps, 1):
        change.journal.write(Event("step", step=number))
        record.begin(number, len(plan.steps), step)
        try:
            run(step, record.listen, environment)
        except StepFailed as error:
            raise StepFailed(f"step {number} of {len(plan.steps)} failed ({step.title}): {error}") from error
        finally:
            record.end()
        if step.kind == "keep":
            _note_kept(change)


def _note_kept(change: Change) -> None:
    """The copy is on the disk, names and all, before anything of what it was made from can go."""
    if change.places is None:
        return
    folders.flush(os.path.dirname(change.places.there))
    if inside.holds(change.places):
        inside.make_ready(change.places)
    scripts.keep(change.target, change.folder)
    outside.keep(change.target, change.folder)
    change.journal.write(Event("kept", text=fingerprint(change.places.there)))


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StepFailed(f"cannot make {folder}: {error.strerror}") from error


def _why(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
