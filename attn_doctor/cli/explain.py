"""attn-doctor explain."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from attn_doctor.cli import options
from attn_doctor.errors import BadInput, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attn_doctor.explain.diagnosis import Diagnosis
    from attn_doctor.explain.log import Log
    from attn_doctor.machine.gather import Facts

CHUNK_BYTES = 1 << 20
COMMAND = "attn_doctor.command"
EXIT_CODES = {"failure": 1, "healthy": 0, "unrelated": 0, "unknown": 3}


class _WithCommand(TyperCommand):
    """Everything behind `--` is a command, and none of our own options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta[COMMAND] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


SETTINGS = {"cls": _WithCommand, "options_metavar": "[OPTIONS]"}


def explain(
    context: typer.Context,
    log: Annotated[
        str | None,
        typer.Argument(metavar="[LOG | -- COMMAND ...]", help="A log (-: standard input), or a command to run."),
    ] = None,
    verbose: options.Verbose = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    form: options.Format = "text",
    output: options.Output = None,
    offline: options.Offline = False,
) -> None:
    """Name the root cause of a failed install, build or import, the line that proves it, and the fix."""
    options.one_of("--format", form, ("text", "json"))
    del offline  # nothing is asked of a network
    command: list[str] | None = context.meta.get(COMMAND)
    if command is not None and log is not None:
        raise UsageError("explain reads a LOG or runs a COMMAND: give one of them")
    if log == "-" and facts == "-":
        raise UsageError("LOG and --facts cannot both be standard input")

    def ask() -> Facts:
        return options.gather_facts(python, venv, facts, what_if)

    if facts is not None or what_if:
        known = ask()  # what is wrong with them is said before anything is read or run

        def ask() -> Facts:
            return known

    if command is not None:
        _run(command, ask, verbose, form, output)
    name = "standard input" if log in (None, "-") else str(log)
    one = _diagnosed(_read(_chunks(log), name), ask, name)
    _write(one, verbose, form, output)
    raise typer.Exit(EXIT_CODES[one.verdict])


def _diagnosed(log: Log, ask: Callable[[], Facts], name: str) -> Diagnosis:
    from attn_doctor.errors import AttnDoctorError
    from attn_doctor.execute import privacy
    from attn_doctor.explain.case import Case
    from attn_doctor.explain.diagnose import diagnose

    def facts() -> Facts | None:
        try:
            return ask()
        except AttnDoctorError:
            return None  # a machine without a Python environment still has logs

    return privacy.told(diagnose(Case(log, facts), name), privacy.of_this_process())


def _write(one: Diagnosis, verbose: bool, form: str, output: str | None) -> None:
    from attn_doctor.reporters import _diagnosis

    text = _diagnosis.document(one) if form == "json" else _diagnosis.text(one, verbose=verbose)
    options.write(text, output, exact=form == "json")


def _read(chunks: Iterator[bytes], name: str) -> Log:
    from attn_doctor.explain.reading import read

    try:
        return read(chunks)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error


def _chunks(log: str | None) -> Iterator[bytes]:
    if log not in (None, "-"):
        with open(str(log), "rb") as file:
            yield from iter(lambda: file.read(CHUNK_BYTES), b"")
        return
    if sys.stdin is None:
        raise ValueError("it is closed")
    if log is None and sys.stdin.isatty():
        raise UsageError(
            "explain needs a log: a file, or - for standard input",
            "COMMAND 2>&1 | attn-doctor explain -      or: attn-doctor explain -- COMMAND",
        )
    stream: IO[bytes] = sys.stdin.buffer
    yield from iter(lambda: stream.read(CHUNK_BYTES), b"")


def _run(command: list[str], ask: Callable[[], Facts], verbose: bool, form: str, output: str | None) -> NoReturn:
    """Run it, pass on what it prints, and explain that where it fails. Ends with the command's own exit code."""
    from attn_doctor.cli import _command
    from attn_doctor.explain.reading import Recorder

    if not command:
        raise UsageError("explain -- needs a COMMAND behind the two dashes")
    recorder = Recorder()
    code = _command.run(command, recorder.take)
    if code:
        one = _diagnosed(recorder.log(), ask, os.path.basename(command[0]))
        if form == "json" or output is not None:
            _write(one, verbose, form, output)
        else:
            from attn_doctor.reporters import _diagnosis

            sys.stderr.write("\n" + _diagnosis.text(one, verbose=verbose))
    raise typer.Exit(code)
