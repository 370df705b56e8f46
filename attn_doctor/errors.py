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


class CatalogueUnusable(AttnDoctorError):
    """The catalogue of wheels that is part of the package cannot be read."""

    exit_code = 3

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the catalogue of wheels that came with attn-doctor cannot be used: {reason}",
            "Install attn-doctor again.",
        )


class CannotKeep(AttnDoctorError):
    """There is no place for what was downloaded."""

    exit_code = 3


class NotCarriedOut(AttnDoctorError):
    """A plan was made, and this version does not carry plans out."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__(
            "this version plans and does not carry out; nothing was changed",
            "Take the script: attn-doctor install --dry-run --format sh",
        )
