"""A change begins: its folder, its plan, the note that it is open, and the first line of its journal."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

import msgspec

from attn_doctor.execute import folders
from attn_doctor.execute.change import PLAN, Change, is_number, read, title_of
from attn_doctor.execute.journal import RESERVE, RESERVE_BYTES, Event, Journal
from attn_doctor.execute.kept import Places
from attn_doctor.execute.redact import hidden
from attn_doctor.plan.plan import Plan


class Note(msgspec.Struct, frozen=True):
    """What lies in the folder of open changes, for `check`, which reads nothing else."""

    target: str
    title: str
    change: str


def begin(plan: Plan, target: str, places: Places | None, secrets: tuple[bytes, ...] = ()) -> Change:
    """Open a change: from here on it is in the history, whatever comes. Raises NotDone where that cannot be."""
    changes_folder = folders.made(folders.CHANGES)
    title = title_of(plan)
    places = places or Places(target, "", "")
    try:
        identifier, folder = _numbered(changes_folder)
        folders.write(os.path.join(folder, PLAN), hidden(msgspec.json.encode(plan), secrets))
        folders.write(os.path.join(folder, RESERVE), b" " * RESERVE_BYTES)
        _note_open(identifier, target, title)
        makes = tuple(made for made in makes_of(plan) if not os.path.lexists(made))
        first = Event("begun", text=title, here=target, there=places.there, aside=places.aside, makes=makes)
        Journal(folder).write(first)
    except OSError as error:
        raise folders.cannot_keep(changes_folder, error) from error
    return read(identifier)


def _note_open(identifier: str, target: str, title: str) -> None:
    change = os.path.join(folders.state(), folders.CHANGES, identifier)
    note = msgspec.json.encode(Note(target, title, change))
    folders.write(os.path.join(folders.made(folders.OPEN), identifier), note)


def _numbered(folder: str) -> tuple[str, str]:
    """A new folder, numbered on from the highest: no clock decides which change is the last."""
    while True:
        identifier = f"{max((int(name) for name in os.listdir(folder) if is_number(name)), default=0) + 1:04}"
        path = os.path.join(folder, identifier)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue  # another target's change took it
        folders.flush(folder)
        return identifier, path


def makes_of(plan: Plan) -> Iterator[str]:
    """Folders of the plan's own beside the target: a toolkit's. They go as they came, whole."""
    for step in plan.steps:
        words = shlex.split(step.undo or "") if step.kind != "keep" and plan.os != "windows" else []
        if words[:2] == ["rm", "-rf"] and len(words) == len(["rm", "-rf", "FOLDER"]) and os.path.isabs(words[-1]):
            yield words[-1]
