"""A change of a target: what its journal says of it, and every change there is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

import msgspec

from attn_doctor.errors import CannotKeep
from attn_doctor.execute import folders
from attn_doctor.execute.journal import Event, Journal
from attn_doctor.execute.kept import Places
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Plan

PLAN, LOG = "plan.json", "log"
State = Literal["begun", "kept", "done", "putting back", "put back", "rolling back", "rolled back", "undone"]
"""`undone`: it went together with an earlier change that was rolled back; its own copy is still there."""
STATES: tuple[State, ...] = (
    *("begun", "kept", "done", "putting back", "put back"),
    *("rolling back", "rolled back", "undone"),
)
HOLDING: tuple[State, ...] = ("begun", "kept", "done", "putting back", "rolling back", "undone")
UNFINISHED: tuple[State, ...] = ("begun", "kept", "putting back", "rolling back")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change, as its journal tells it."""

    id: str
    at: str
    target: str
    title: str
    state: State
    places: Places | None
    makes: tuple[str, ...] = ()
    """Folders beside the target that it was to make."""
    as_kept: str = ""
    """The fingerprint of the copy when it was made."""
    fingerprint: str = ""
    """And of the target when all was done."""
    aside: str = ""
    """Where what was there before a roll back lies, or what of a failed change could not be removed."""
    why: str = ""
    """Why it was put back."""
    differs: bool = False
    """Whether what was put back is known not to be what was kept: something wrote into files in place."""
    pruned: bool = False
    """Whether its copy was given up: what is left of it is no copy."""

    @property
    def unfinished(self) -> bool:
        """Whether it was interrupted, and the target may be in between."""
        return self.state in UNFINISHED

    @property
    def kept(self) -> str | None:
        """The copy from before, where it is still there, and whole."""
        there = self.places.there if self.places and self.state in HOLDING and not self.pruned else ""
        return there if there and os.path.lexists(there) else None

    @property
    def remains(self) -> tuple[str, ...]:
        """Its folders that are there: the copy from before, what went aside."""
        there = self.places.there if self.places and self.state in HOLDING else ""
        aside = self.aside if self.state in ("rolled back", "put back") else ""
        return tuple(path for path in (there, aside) if path and os.path.lexists(path))

    @property
    def folder(self) -> str:
        """Where its journal, its plan and its log lie."""
        return os.path.join(folders.state(), folders.CHANGES, self.id)

    @property
    def log(self) -> str:
        """What its steps printed."""
        return os.path.join(self.folder, LOG)

    @property
    def journal(self) -> Journal:
        """Its journal."""
        return Journal(self.folder)


def close(change: Change) -> None:
    """It is over, one way or the other, and its journal says so."""
    with suppress(OSError):  # the next call that looks for open changes tries again
        os.unlink(os.path.join(folders.state(), folders.OPEN, change.id))


def forget(target: str) -> None:
    """Notes of changes of a target that are over: whoever was to take them away was killed."""
    try:
        names = set(os.listdir(os.path.join(folders.state(), folders.OPEN)))
    except OSError:
        return
    for one in changes(target):
        if one.id in names and not one.unfinished:
            close(one)


def is_number(name: str) -> bool:
    return name.isascii() and name.isdecimal()


def read(identifier: str) -> Change:
    """One change by its name. Raises KeyError where its journal says nothing."""
    folder = os.path.join(folders.state(), folders.CHANGES, identifier)
    events = Journal(folder).events()
    if not events or events[0].kind != "begun":
        events = (*_by_plan(folder), *events)
    if not events or events[0].kind != "begun":
        raise KeyError(identifier)
    first = events[0]
    states: list[State] = [event.kind for event in events if event.kind in STATES]
    return Change(
        id=identifier,
        at=first.at,
        target=first.here,
        title=first.text,
        state=states[-1],
        places=Places(first.here, _lies(events), first.aside) if first.there else None,
        makes=first.makes,
        as_kept=_said(events, "kept"),
        fingerprint=_said(events, "done"),
        aside=next((event.aside for event in reversed(events) if event.kind in ("rolling back", "put back")), ""),
        why=_said(events, "putting back"),
        differs=any(event.kind == "differs" for event in events),
        pruned=any(event.kind == "pruned" for event in events),
    )


def _lies(events: tuple[Event, ...]) -> str:
    """Where its copy lies: a later change may have needed the name, and have been killed while it gave it another."""
    moves = [event for event in events if event.kind in ("moving", "moved")]
    if not moves:
        return events[0].there
    last = moves[-1]
    return last.there if last.kind == "moved" or os.path.lexists(last.there) else last.here


def _said(events: tuple[Event, ...], kind: str) -> str:
    return next((event.text for event in reversed(events) if event.kind == kind), "")


def _by_plan(folder: str) -> tuple[Event, ...]:
    """Of a journal that was cut down to nothing: what its plan says that it was about to do."""
    try:
        with open(os.path.join(folder, PLAN), "rb") as file:
            plan = msgspec.json.decode(file.read(), type=Plan)
    except (OSError, msgspec.DecodeError):
        return ()
    places = places_of(plan)
    return (
        (Event("begun", text=title_of(plan), here=places.here, there=places.there, aside=places.aside),)
        if places
        else ()
    )


def title_of(plan: Plan) -> str:
    """'flash-attn 2.8.3'."""
    return " ".join(part for part in (plan.package or plan.backend, plan.version) if part)


def places_of(plan: Plan) -> Places | None:
    """Where the plan's first step keeps the target; None where it keeps nothing."""
    keep = next((step for step in plan.steps if step.kind == "keep"), None)
    if keep is None:
        return None
    here, there = keep.command[-2:]
    return Places(here, there, steps.aside(here, there))


def changes(target: str | None = None) -> Iterator[Change]:
    """Every change, of one target or of all, the latest first. A journal that says nothing is passed over.

    Raises CannotKeep where they may not be listed: what is not known must not be taken for none.
    """
    folder = os.path.join(folders.state(), folders.CHANGES)
    try:
        found = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise CannotKeep(f"cannot list the changes in {folder}: {error.strerror}") from error
    for name in sorted((name for name in found if is_number(name)), key=int, reverse=True):
        try:
            change = read(name)
        except (KeyError, OSError):
            continue
        if target is None or change.target == target:
            yield change


def unfinished(target: str) -> Change | None:
    """The change of a target that was interrupted. Only its last can be: none begins before that one is put back."""
    last = next(changes(target), None)
    return last if last is not None and last.unfinished else None
