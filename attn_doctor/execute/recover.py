"""A change that was interrupted is put back by whoever comes next; one that is done, on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from attn_doctor.errors import NotDone, TargetBusy
from attn_doctor.execute import put_back
from attn_doctor.execute.change import Change, changes, forget, unfinished
from attn_doctor.execute.fingerprint import fingerprint
from attn_doctor.execute.interrupts import Interrupts
from attn_doctor.execute.lock import locked


def recover(target: str) -> Change | None:
    """Put back what was interrupted; None where nothing was. Raises CannotPutBack, NotDone, TargetBusy."""
    if unfinished(target) is None:
        _tidy(target)
        return None
    with locked(target), Interrupts():
        change = unfinished(target)  # who held the lock may have finished it
        if change is None:
            return None
        if change.state == "rolling back":
            return put_back.go_on_rolling_back(change)
        return put_back.put_back(change, "it was interrupted")


def _tidy(target: str) -> None:
    """What whoever put it back could not remove any more."""
    forget(target)
    left = [change for change in changes(target) if change.state == "put back" and change.remains]
    if left:
        with suppress(TargetBusy), locked(target):
            for change in left:
                put_back.sweep(change)


def choose(target: str, identifier: str | None) -> Change:
    """The change that a call means: the named one, else the last that can be undone. Raises NotDone."""
    known = list(changes(target))
    if identifier is not None:
        wanted = identifier.rjust(4, "0")
        change = next((one for one in known if one.id == wanted), None)
        if change is None:
            raise NotDone(f"{target} has no change {identifier}: attn-doctor history lists them")
        return change
    change = next((one for one in known if one.state == "done" and one.kept), None)
    if change is None:
        raise NotDone(f"there is nothing to put back: no change of {target} has its copy from before")
    return change


def cautions(change: Change) -> Iterator[str]:
    """What is lost from sight by going back: what was done to the target since."""
    later = [one for one in changes(change.target) if one.state == "done" and int(one.id) > int(change.id)]
    if later:
        count = "1 later change" if len(later) == 1 else f"{len(later)} later changes"
        yield f"{count} of this target will be undone with it"
    last = later[0] if later else change
    if last.fingerprint and fingerprint(change.target) != last.fingerprint:
        yield "the target was changed by others since; what is there now is kept aside"
    if change.as_kept and change.kept and fingerprint(change.kept) != change.as_kept:
        yield "files that the copy shares with the target were written in place since; they come back as they are now"


def roll_back(change: Change) -> Change:
    """Bring back what was there before a change that is done. Raises NotDone, CannotPutBack, TargetBusy."""
    with locked(change.target), Interrupts():
        again = next((one for one in changes(change.target) if one.id == change.id), None)
        if again is None or again.state != change.state:
            raise NotDone(f"another attn-doctor has just put {change.target} back")
        return put_back.roll_back(again)
