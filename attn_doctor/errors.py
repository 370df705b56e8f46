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


class BadPolicy(BadInput):
    """The project's policy cannot be followed: `pyproject.toml:14:1: ...`."""


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


class TargetBusy(AttnDoctorError):
    """Another attn-doctor changes the same target."""

    exit_code = 1

    def __init__(self, target: str, holder: str | None) -> None:
        by = f" (process {holder})" if holder else ""
        super().__init__(
            f"another attn-doctor{by} is changing {target}; nothing was changed",
            "Wait until it is done, then call this again.",
        )


class NotDone(AttnDoctorError):
    """A plan was not carried out, or failed on the way: the target is as it was before."""

    exit_code = 1

    def __init__(self, reason: str, log: str | None = None) -> None:
        said = f"What it printed: {log}" if log else None
        super().__init__(f"not done: {reason}", said)
        self.log = log


class NoServer(AttnDoctorError):
    """`attn-doctor mcp` lacks what it is made with."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"attn-doctor mcp needs the Model Context Protocol's SDK, version 2: {missing} is not there",
            "Install it: pip install 'attn-doctor[mcp]'",
        )


class NoAnswer(AttnDoctorError):
    """The target's interpreter cannot run torch: nothing can be tried there."""

    exit_code = 3

    def __init__(self, reason: str) -> None:
        super().__init__(f"torch does not run in the target: {reason}", "attn-doctor check says why and what to do.")


class NoTorch(AttnDoctorError):
    """There is nothing to measure: the target has no torch."""

    exit_code = 3

    def __init__(self, where: str, hint: str) -> None:
        super().__init__(f"torch is not installed in {where}", hint)


class NoBackend(AttnDoctorError):
    """No backend of a chain runs here, or, where a fall back was not allowed, the first does not."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.reasons = reasons


class CannotPutBack(AttnDoctorError):
    """The target may be in between: the last line names where its copy from before is."""

    exit_code = 3

    def __init__(self, target: str, reason: str, kept: str | None) -> None:
        super().__init__(
            f"{target} could not be put back: {reason}",
            f"The copy from before is kept in {kept}: nothing is lost." if kept else "Try again: attn-doctor rollback",
        )
