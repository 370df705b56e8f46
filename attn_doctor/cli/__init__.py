"""The command line: one command per file; the only place that prints."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import NoReturn

import typer

from attn_doctor.errors import AttnDoctorError

# command, the module that holds it, what `--help` says of it; a module is imported when its command runs
COMMANDS = {
    "check": "what is there, what is wrong, which attention backends run here",
    "facts": "the probed facts as JSON, nothing judged",
    "simulate": "the facts of an imagined machine as JSON",
    "rule": "explain one finding code",
}
INTERRUPTED = 130
WIDTH = 80
FAILED = 3
TRACEBACK_VARIABLE = "ATTN_DOCTOR_TRACEBACK"


def build_app(arguments: list[str]) -> typer.Typer:
    """The application with the one command that is called, or with all of them for `--help`."""
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
    for name, summary in COMMANDS.items():
        if called in (name, None) or called not in COMMANDS:
            module = import_module(f"attn_doctor.cli.{name}")
            app.command(name, short_help=summary)(getattr(module, name))
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
    try:
        code = build_app(given)(args=given, standalone_mode=False)
        sys.stdout.flush()
    except AttnDoctorError as error:
        code = _refuse(error)
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; nothing was changed", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # the reader went away (`| head`): nothing is wrong, and Python must not complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if show := getattr(error, "show", None):  # typer's own: a flag that does not exist, a value that is missing
            show()
            sys.exit(getattr(error, "exit_code", 2))
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        code = _failed(error)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(error: AttnDoctorError) -> int:
    from textwrap import fill

    print(fill(f"attn-doctor: {error.message}", WIDTH, break_long_words=False, break_on_hyphens=False), file=sys.stderr)
    if error.hint:
        print(
            fill(
                error.hint,
                WIDTH,
                initial_indent="  ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            ),
            file=sys.stderr,
        )
    return error.exit_code


def _failed(error: Exception) -> int:
    print(f"attn-doctor itself failed: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"  For a report, run it again with {TRACEBACK_VARIABLE}=1 and send what it prints.", file=sys.stderr)
    return FAILED
