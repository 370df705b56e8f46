"""The history: every change, and what is still kept of each."""

from __future__ import annotations

import os

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import NotDone, UsageError
from attn_doctor.execute.change import Change, changes
from attn_doctor.execute.journal import Event
from attn_doctor.execute.kept import drop
from attn_doctor.execute.lock import locked
from attn_doctor.execute.put_back import tidy

SCHEMA = "attn-doctor/history/1"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `kept`: the folders that are still there for it, each as large as what differs from the target."""

    id: str
    at: str
    target: str
    title: str
    state: str
    kept: tuple[str, ...]
    why: str = ""
    log: str | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of one target, or of all, the latest first."""

    schema: str = SCHEMA
    version: str = __version__
    changes: tuple[Listed, ...]


def listed(target: str | None) -> History:
    """What there is."""
    return History(changes=tuple(_listed(change) for change in changes(target)))


def _listed(change: Change) -> Listed:
    return Listed(
        id=change.id,
        at=change.at,
        target=change.target,
        title=change.title,
        state="interrupted" if change.unfinished else change.state,
        kept=change.remains,
        why=change.why,
        log=change.log if os.path.exists(change.log) else None,
    )


def known(target: str | None, identifier: str) -> Change:
    """The change of that number; 7 is 0007. Raises UsageError."""
    wanted = identifier.rjust(4, "0")
    change = next((one for one in changes(target) if one.id == wanted), None)
    if change is None:
        of, every = (f" of {target}", "") if target else ("", " --all")
        raise UsageError(f"there is no change {identifier}{of}", f"Which there are: attn-doctor history{every}")
    return change


def prune(target: str | None, identifier: str) -> None:
    """Remove what a change kept. Raises UsageError where it is not known, NotDone where it is needed or stays."""
    change = known(target, identifier)
    with locked(change.target):
        if change.unfinished:
            raise NotDone(f"{identifier} was interrupted, and its copy is needed: attn-doctor rollback")
        change.journal.write(Event("pruned"))  # first: half of a copy must not be taken for one
        left = [path for path in change.remains if drop(path)]
        tidy(change)
        if left:
            raise NotDone(f"{left[0]} could not be removed as a whole: remove it by hand")
