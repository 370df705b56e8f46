"""Whether a change of the target by attn-doctor has begun and is not over."""

from __future__ import annotations

import msgspec

from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Probe
from attn_doctor.machine.probes._state import state
from attn_doctor.machine.target import Target

# what steps of a change are started with: the folder of that change (execute/running.py)
MARK = "ATTN_DOCTOR_CHANGE"


class Note(msgspec.Struct, frozen=True):
    """What a change leaves in the folder of open ones until it is over (execute/begin.py)."""

    target: str
    title: str
    change: str


class Changes(msgspec.Struct, frozen=True):
    """A change that is not over: its name in the history, and what it was to bring."""

    open: str
    title: str


def read(host: Host, target: Target) -> Reading[Changes]:
    folder = state(host, "open")
    names = host.list_dir(folder) if folder else ()
    for name in names:
        note = parse_note(host.read_text(join(folder, name)) or "")
        if note and note.change != host.env(MARK) and _is_of(host, note, target):
            return Known(Changes(name, note.title), source=join(folder, name))
    return Absent(looked_in=("the notes of open changes",))


def parse_note(text: str) -> Note | None:
    try:
        return msgspec.json.decode(text, type=Note)
    except msgspec.DecodeError:
        return None


def _is_of(host: Host, note: Note, target: Target) -> bool:
    """The target's folder, or the folder of packages in it."""
    try:
        prefix = host.real_path(target.prefix).replace("\\", "/").rstrip("/")
    except CannotLook:
        return False
    changed = note.target.replace("\\", "/")
    return changed == prefix or changed.startswith(f"{prefix}/lib/python")


PROBE = Probe("changes", Changes, read)
