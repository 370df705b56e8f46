"""The options that every probing command takes, and what they come to."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Annotated

import typer

from attn_doctor.errors import BadInput, NoTarget, UsageError

if TYPE_CHECKING:
    from attn_doctor.machine.gather import Facts
    from attn_doctor.policy.target import Named

FACTS_LIMIT_BYTES = 32 << 20

PythonPath = Annotated[
    str | None, typer.Option("--python", metavar="PATH", help="The interpreter of the environment to examine.")
]
Venv = Annotated[str | None, typer.Option("--venv", metavar="DIR", help="The virtual environment to examine.")]
FactsFile = Annotated[
    str | None, typer.Option("--facts", metavar="FILE", help="Use these facts in place of probing (-: standard input).")
]
WhatIfs = Annotated[
    list[str], typer.Option("--what-if", metavar="KEY=VALUE", help="Change one fact after probing; repeatable.")
]
Format = Annotated[str, typer.Option("--format", metavar="FORMAT", help="text or json.")]
ReportFormat = Annotated[
    str,
    typer.Option(
        "--format", metavar="FORMAT", help="text, json, markdown, html, sarif, junit, github or gitlab (code quality)."
    ),
]
PlanFormat = Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json or sh.")]
Output = Annotated[
    str | None, typer.Option("--output", metavar="FILE", help="Write there instead of to standard output.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Make no network call at all.")]
Needs = Annotated[
    list[str],
    typer.Option(
        "--need", metavar="KEY[=VALUE]", help="What the model needs: dtype=bf16, head_dim=128, causal ...; repeatable."
    ),
]
Requires = Annotated[
    list[str], typer.Option("--require", metavar="BACKEND", help="Exit 1 unless this backend is ready; repeatable.")
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        metavar="LEVEL",
        help="The severity that makes the exit code 1: error, warning or never.  [default: error]",
    ),
]
Ignored = Annotated[
    list[str], typer.Option("--ignore", metavar="CODE", help="This finding never counts for the exit code; repeatable.")
]
FailOnBesides = Annotated[
    str | None,
    typer.Option("--fail-on", metavar="LEVEL", help="Findings of this severity count too: error, warning or never."),
]
PolicyFile = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="Hold it to this policy.  [default: attn-doctor.toml or pyproject.toml of this folder or one above it]",
    ),
]
NoPolicy = Annotated[bool, typer.Option("--no-policy", help="Hold it to no policy.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show everything: all reasons, kernels, evidence.")]

Model = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME|PATH", help="What transformers supports for it: a type, a class, a config.json."
    ),
]
Deep = Annotated[bool, typer.Option("--deep", help="Also import torch and the attention packages, in child processes.")]

FAIL_ON = ("error", "warning", "never")
# 3.12, 3.13t, 3.12.4, cp312, python3.12
PYTHON_VERSION = r"(?a)(?:cp|py|python)?3[._]?(?P<minor>\d{1,2})(\.\d{1,3})?(?P<t>t?)"


def gather_facts(
    python: str | None,
    venv: str | None,
    file: str | None,
    what_ifs: list[str],
    deep: bool = False,
    by_policy: bool = True,
) -> Facts:
    """Facts of this machine or from a file, with the what-ifs applied.

    `by_policy`: where the call names no target, the policy of the project may.
    """
    import msgspec

    from attn_doctor.machine import gather

    if file is not None:
        if deep:
            raise UsageError("--deep imports what is here: it cannot go with --facts")
        if python or venv:
            raise UsageError("--facts takes the place of probing: it cannot go with --python or --venv")
        facts = gather.decode(read_document(file), "standard input" if file == "-" else file)
    else:
        from attn_doctor.machine.host import LiveHost
        from attn_doctor.machine.target import locate

        refuse_both(python, venv)
        if python and (version := python_version(python)):
            raise UsageError(
                f"--python {python}: there is no such file; it takes the path of an interpreter",
                f"For another version of Python: --what-if python={version}",
            )
        named = policy_target() if by_policy and not (python or venv) else None
        if named:
            python, venv = named.python, named.venv
        host = LiveHost()
        try:
            target = msgspec.structs.replace(locate(host, python, venv), deep=deep)
        except NoTarget as error:
            raise (named.refused(error) if named else error) from error
        facts = gather.gather(host, target)
    if not what_ifs:
        return facts
    from attn_doctor.machine import whatif

    return whatif.apply(facts, what_ifs)


def policy_target() -> Named | None:
    """The environment that the policy of the project names."""
    from attn_doctor.policy.target import named

    return named()


def refuse_both(python: str | None, venv: str | None) -> None:
    """Raises UsageError where a call names two targets."""
    if python and venv:
        raise UsageError("--python and --venv both name the target: give one")


def python_version(python: str) -> str | None:
    """'3.12' where `--python` was given a version such as 3.12 or cp312, and no file is called that."""
    import re

    found = re.fullmatch(PYTHON_VERSION, python.strip().lower())
    if found is None or os.path.exists(python):
        return None
    return f"3.{found['minor']}{found['t']}"


def read_document(file: str) -> bytes:
    """The bytes of a document that the call names (-: standard input). Raises BadInput."""
    named = "standard input" if file == "-" else file
    try:
        if file == "-":
            data = _standard_input().read(FACTS_LIMIT_BYTES + 1)
        else:
            with open(file, "rb", opener=_opener) as opened:
                data = opened.read(FACTS_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {named}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > FACTS_LIMIT_BYTES:
        raise BadInput(f"{named}: larger than {FACTS_LIMIT_BYTES >> 20} MiB: that is no document of attn-doctor's")
    return data


def _standard_input() -> IO[bytes]:
    if sys.stdin is None:
        raise ValueError("it is closed")
    return sys.stdin.buffer


def _opener(path: str, flags: int) -> int:
    """Wait for the writer of a FIFO, but not for ever; what it then writes may come as slowly as it likes."""
    from stat import S_ISFIFO

    if not S_ISFIFO(os.stat(path).st_mode):
        return os.open(path, flags)
    from threading import Thread

    from attn_doctor.machine.host import LiveHost
    from attn_doctor.machine.probe import timeout_s

    opened: list[int] = []
    waiting = Thread(target=lambda: opened.append(os.open(path, flags)), daemon=True)
    waiting.start()
    waiting.join(timeout_s(LiveHost()))
    if not opened:
        raise ValueError("nobody writes to it")
    return opened[0]


def today() -> str:
    """'2026-11-21'."""
    import time

    return time.strftime("%Y-%m-%d", time.gmtime())


def progress(line: str) -> None:
    """A line to standard error, where what is no product goes."""
    harmless = "".join(char if char.isprintable() else "?" for char in line)
    with suppress(OSError):
        print(harmless, file=sys.stderr, flush=True)


def say_fault() -> bool:
    """Whether a refreshed catalogue was set aside on the way; it is said once the answer stands."""
    catalogue = sys.modules.get("attn_doctor.wheels.catalogue")
    said = catalogue.fault() if catalogue else None
    if said is not None:
        progress(f"attn-doctor: {said}")
    return said is not None


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    """The value, or a UsageError that lists what is allowed."""
    if value not in allowed:
        raise UsageError(f"{option} {value}: expected {' or '.join(allowed)}")
    return value


def write(text: str, output: str | None, exact: bool = False) -> None:
    """To standard output or to the file that was asked for. `exact`: a document for programs, always UTF-8."""
    if output is None and sys.stdout is None:
        raise BadInput("cannot write standard output: it is closed")
    if output is not None:
        try:
            with open(output, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
        except OSError as error:
            raise BadInput(f"cannot write {output}: {error.strerror}") from error
    elif exact and hasattr(sys.stdout, "buffer"):
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
    else:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "ascii_fallback").decode(encoding))


# what a terminal without these characters gets in their place
ASCII = {"·": "|", "…": "..."}


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(ASCII.get(char, "?") for char in error.object[error.start : error.end]), error.end


import codecs  # noqa: E402 - registered beside what it serves

codecs.register_error("ascii_fallback", _fall_back)
