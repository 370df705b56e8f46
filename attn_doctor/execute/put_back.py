"""A change that failed or was interrupted is undone; a change that is done is rolled back. Never half of it."""

from __future__ import annotations

import os

from attn_doctor.errors import CannotPutBack, NotDone
from attn_doctor.execute import folders, inside, outside, running, scripts
from attn_doctor.execute.change import Change, changes, close, read
from attn_doctor.execute.fingerprint import fingerprint
from attn_doctor.execute.journal import Event
from attn_doctor.execute.kept import PART, Places, Stuck, drop, is_moving, swap


def put_back(change: Change, why: str) -> Change:
    """Make the target what it was before the change; called again it goes on where it was. Raises CannotPutBack.

    On a full disk the journal takes no more lines: what has to be done shows on the disk itself.
    """
    journal = change.journal
    try:
        journal.try_to_write(Event("putting back", text=why))
        _end_what_runs(change)
        for made in change.makes:
            drop(made)
        if change.places is not None:
            _bring_back(change, change.places)
    except (OSError, Stuck) as error:
        raise CannotPutBack(change.target, _said(error), change.kept) from error
    over = Event("put back", aside=change.places.aside if change.places else "")
    if journal.try_to_write(over):
        close(change)
    sweep(change)
    return read(change.id)


def sweep(change: Change) -> None:
    """Remove what a change that failed has left; it takes longer than putting back, and nothing depends on it."""
    if change.places is not None:
        drop(change.places.there + PART)
        drop(change.places.aside)
        tidy(change)


def tidy(change: Change) -> None:
    """Of a target that holds its copies itself: the folder for them goes with the last."""
    if change.places is not None and inside.holds(change.places):
        inside.take_away(change.places)


def _end_what_runs(change: Change) -> None:
    left = running.stop_left_over(change.folder)
    if left:
        raise Stuck(f"process {left[0]} of this change still runs and cannot be ended")


def _bring_back(change: Change, places: Places) -> None:
    if is_moving(places) or os.path.lexists(places.there):
        swap(places)
    scripts.bring_back(change.target, change.folder)
    outside.bring_back(change.target, places.aside, change.folder)


def differs(change: Change) -> bool:
    """Whether what came back is not what was kept: something wrote into files that the copy shares."""
    return bool(change.as_kept) and fingerprint(change.target) != change.as_kept


def roll_back(change: Change) -> Change:
    """Bring back what was there before a change that is done. What is there now goes aside and is kept.

    Raises NotDone where its copy is gone or nothing could be moved, CannotPutBack.
    """
    places = change.places
    if change.kept is None or places is None:
        raise NotDone(f"the copy from before {change.id} is no longer there")
    try:
        change.journal.write(Event("rolling back", aside=_free_name(_after(places, change.id))))
    except OSError as error:
        raise folders.cannot_keep(change.folder, error) from error
    return go_on_rolling_back(read(change.id))


def go_on_rolling_back(change: Change) -> Change:
    """Bring it to its end. Raises NotDone where nothing was moved, CannotPutBack."""
    if change.places is None:
        raise CannotPutBack(change.target, "its journal names no copy", None)
    places = Places(change.places.here, change.places.there, change.aside)
    try:
        _bring_back(change, places)
    except (OSError, Stuck) as error:
        if is_moving(places) or not os.path.lexists(places.there):
            raise CannotPutBack(change.target, _said(error), change.kept) from error
        change.journal.try_to_write(Event("done", text=change.fingerprint))
        raise NotDone(f"{_said(error)}; {change.target} is as it was") from error
    undone = [later.journal.try_to_write(Event("undone")) for later in _undone_with(change)]
    if all(undone) and change.journal.try_to_write(Event("rolled back")):
        close(change)
    return read(change.id)


def _undone_with(change: Change) -> list[Change]:
    return [one for one in changes(change.target) if one.state == "done" and int(one.id) > int(change.id)]


def _after(places: Places, identifier: str) -> str:
    if inside.holds(places):
        return os.path.join(os.path.dirname(places.there), f"after-{identifier}")
    return f"{places.here}.after-{identifier}"


def _free_name(wanted: str) -> str:
    number, name = 1, wanted
    while os.path.lexists(name):
        number += 1
        name = f"{wanted}-{number}"
    return name


def _said(error: OSError | Stuck) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
