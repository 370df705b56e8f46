"""The environment that the project's policy names, for commands that are held to nothing else of it."""

from __future__ import annotations

import os

import msgspec

from attn_doctor.errors import AttnDoctorError, NoTarget
from attn_doctor.policy import find


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
    """None where there is no policy or it names none. What else may be wrong with it is for `check` to say."""
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
    for key in ("python", "venv"):
        path = getattr(policy.keys.target, key)
        if isinstance(path, str):
            whole = os.path.join(policy.source.folder, os.path.expanduser(path))
            place = policy.source.origin(("target", key))
            return Named(whole if key == "python" else None, whole if key == "venv" else None, place)
    return None
