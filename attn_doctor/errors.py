"""What a user can act on: one class per thing, each with a hint and the exit code of the contract."""

from __future__ import annotations


class AttnDoctorError(Exception):
    """Something to tell the user in one sentence; never shown as a traceback."""

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AttnDoctorError):
    """The call is wrong: a flag, a key or a value that cannot be read."""


class BadInput(AttnDoctorError):
    """A file that was given cannot be read or is not what it should be."""


class NoTarget(AttnDoctorError):
    """There is no Python environment where the call points to."""
