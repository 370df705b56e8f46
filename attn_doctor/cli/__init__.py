"""The command line: one command per file; the only place that prints."""

from __future__ import annotations

import errno
import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import NoReturn, TextIO

import typer

from attn_doctor.errors import AttnDoctorError, BadInput

# command, the module that holds it, what `--help` says of it; a module is imported when its command runs
COMMANDS = {
    "check": "what is there, what is wrong, which attention backends run here",
    "init": "writes a first policy from this machine",
    "facts": "the probed facts as JSON, nothing judged",
    "simulate": "the facts of an imagined machine as JSON",
    "rule": "explain one finding code",
    "install": "brings a backend: plans, asks, carries it out, verifies; --dry-run only plans",
    "repair": "mends what is broken in the target environment",
    "history": "lists the changes made to the target",
    "rollback": "puts the target back to before a change",
    "bench": "measures the backends on this machine: time, TFLOP/s, memory",
    "verify": "runs the real kernels against a float64 reference",
    "resolve": "the backend to use, down a chain of fall backs",
    "wheels": "searches the catalogue of prebuilt wheels",
    "explain": "names the root cause of a failed log, and the fix",
    "docker": "a Dockerfile and a run line for this machine; judges an existing one",
    "snippet": "the lines to paste into a framework so that it uses the backend",
    "issue": "the block about your machine that a project asks for in a bug report",
    "mcp": "the read-only commands as tools for an assistant or an editor",
    "completion": "completion of commands, options and values in your shell",
}
INTERRUPTED = 130
WIDTH = 80
LONGEST_MESSAGE = 800
# what writing fails with, and nothing else of ours: whoever opens or lists a file names it in the error
NOT_WRITTEN = (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))
FAILED = 3
TRACEBACK_VARIABLE = "ATTN_DOCTOR_TRACEBACK"


def build_app(arguments: list[str]) -> typer.Typer:
    """The application with the one command that is called, or with all of them for `--help`; none for `--version`."""
    app = typer.Typer(
        name="attn-doctor",
        help="Says which attention backends run on this machine, which could, and why the others cannot.",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_main)
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    if arguments == ["--version"]:
        return app
    for name, summary in COMMANDS.items():
        if called in (name, None) or called not in COMMANDS:
            module = import_module(f"attn_doctor.cli.{name}")
            app.command(name, short_help=summary, **getattr(module, "SETTINGS", {}))(getattr(module, name))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from attn_doctor import __version__

        print(f"attn-doctor {__version__}")
        raise typer.Exit


def _main(
    _version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_version, help="Print the version."
    ),
) -> None:
    pass


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command and exit with the code of the contract; nothing a user can cause ends in a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    gc.disable()  # a process this short only loses by looking for cycles
    if sys.stderr is None:  # closed: what would be said there must not go to standard output
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    code = _run(given)
    try:
        sys.stderr.flush()
    except OSError:
        _let_go(sys.stderr)
    sys.exit(code)


def _run(given: list[str]) -> int:
    try:
        code = build_app(given)(args=given, standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except AttnDoctorError as error:
        return _refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted; nothing was changed")
        return INTERRUPTED
    except BrokenPipeError:
        # the reader went away (`| head`): nothing is wrong, and Python must not complain at exit either
        _let_go(sys.stdout)
        return 0
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE) and not hasattr(error, "show"):
            raise
        return _failed(error)
    return code if isinstance(code, int) else 0


def _let_go(stream: TextIO) -> None:
    """What could not be written goes nowhere, and Python does not complain of it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _refuse(error: AttnDoctorError) -> int:
    _say(f"attn-doctor: {error.message}")
    if error.hint:
        _say(error.hint, "  ")
    return error.exit_code


def _failed(error: Exception) -> int:
    if show := getattr(error, "show", None):  # typer's own: a flag that does not exist, a value that is missing
        with suppress(OSError):
            show()
        return int(getattr(error, "exit_code", 2))
    if isinstance(error, OSError) and error.filename is None and error.errno in NOT_WRITTEN:
        _let_go(sys.stdout)
        return _refuse(BadInput(f"cannot write standard output: {error.strerror}"))
    _say(f"attn-doctor itself failed: {type(error).__name__}: {error}")
    _say(f"For a report, run it again with {TRACEBACK_VARIABLE}=1 and send what it prints.", "  ")
    return FAILED


def _say(text: str, indent: str = "") -> None:
    """To standard error. A message may repeat what stands in a file: none of it steers the terminal or fills it."""
    from textwrap import fill

    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} ... {text[-LONGEST_MESSAGE // 2 :]}"
    shown = "".join(
        char if char.isprintable() or char in "\t\n\r" else char.encode("unicode_escape").decode() for char in text
    )
    folded = fill(
        shown, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    with suppress(OSError):  # then the exit code has to say it
        print(folded, file=sys.stderr)
