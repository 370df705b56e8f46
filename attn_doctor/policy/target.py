"""The environment that the project's policy names, for commands that are held to nothing else of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.errors import AttnDoctorError, NoTarget
from attn_doctor.machine.target import RUN_NO_PYTHON
from attn_doctor.policy import find

if TYPE_CHECKING:
    from attn_doctor.policy.read import Policy


class Named(msgspec.Struct, frozen=True):
    """One of the two, as a path from here, and where it is said: pyproject.toml:5."""

    python: str | None
    venv: str | None
    place: str

    def refused(self, error: NoTarget) -> NoTarget:
        """The error of a call that named it, as one of the file that does."""
        option, key = ("--python", "python") if self.python else ("--venv", "venv")
        return NoTarget(error.message.replace(option, f"{self.place}: target.{key}", 1), error.hint)


def named(folder: str | None = None) -> Named | None:
    """None where there is no policy or it names none. What else may be wrong with it is for `check` to say.

    None too where no Python may be run: a policy may name any.
    """
    if os.environ.get(RUN_NO_PYTHON):
        return None
    policy = None
    try:
        for found in find.found(folder):
            from attn_doctor.policy.read import read

            policy = read(found)
            if policy is not None:
                break
    except AttnDoctorError:
        return None
    if policy is None:
        return None
    refuse_a_stranger_s(policy)
    for key in ("python", "venv"):
        path = getattr(policy.keys.target, key)
        if isinstance(path, str):
            whole = os.path.join(policy.source.folder, os.path.expanduser(path))
            place = policy.source.origin(("target", key))
            return Named(whole if key == "python" else None, whole if key == "venv" else None, place)
    return None


def refuse_a_stranger_s(policy: Policy) -> None:
    """Raises BadPolicy for a target in another user's file: what it names would be run as this user."""
    if policy.source.ours:
        return
    for key in ("python", "venv"):
        if isinstance(getattr(policy.keys.target, key), str):
            policy.source.refuse(
                ("target", key),
                f"target.{key}: this file belongs to another user, and what it names would be run as you",
                "Name the target yourself: --venv or --python.",
            )
