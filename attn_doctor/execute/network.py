"""Whether what a plan fetches can be reached, asked before its first step by the very tool that fetches it.

pip, uv and curl are asked, each with the user's own settings: mirrors, proxies, certificates, credentials, caches. Only
a plain no counts. What cannot be told (an old pip, a tool that is slow to answer) is in nobody's way: the step says it.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from tempfile import TemporaryFile
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import msgspec

from attn_doctor.execute import answers
from attn_doctor.execute.running import variables
from attn_doctor.execute.stopping import stop
from attn_doctor.plan.plan import Plan, Step

LIMIT_S = 45.0
ANSWER_BYTES = 1 << 20
# one more try is enough to know; the step itself tries as often as the user has set
PATIENCE = {"PIP_RETRIES": "1", "UV_HTTP_RETRIES": "1"}
QUIET = ("PYTHONDONTWRITEBYTECODE", "NO_COLOR", "UV_NO_PROGRESS", "PIP_NO_COLOR", "PIP_DISABLE_PIP_VERSION_CHECK")
WITH_VALUE = frozenset(
    {
        *("--constraint", "--dest", "--find-links", "--no-binary", "--only-binary", "--python", "--requirement"),
        *("--index-url", "--extra-index-url", "--default-index", "--index", "--target", "--cache-dir", "--wheel-dir"),
    }
)
NEXT = (
    "Look at the network, the address, HTTPS_PROXY and the certificates (PIP_CERT, SSL_CERT_FILE), then call it again"
)
INDEXES = ("--index-url", "--extra-index-url", "--default-index", "--index", "--find-links")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# pip has no command that looks at an address and leaves it there; by its own session proxies, certificates, credentials
# and its cache are those of the download. A pip whose inside is another says nothing.
BY_PIP = """\
import sys
try:
    from pip._internal.commands import create_command
    from pip._vendor.requests import RequestException
    command = create_command("download")
    with command.main_context():
        options, _ = command.parse_args(["--no-input", "-q", "none"])
        session = command.get_default_session(options)
        try:
            answer = session.get(sys.argv[1], stream=True, headers={"Accept-Encoding": "identity"})
        except Exception as error:
            if isinstance(error, RequestException) or type(error).__module__.startswith("pip._internal.exceptions"):
                sys.exit("no: " + " ".join(str(getattr(error, "context", None) or error).split()))
            raise
        if answer.status_code >= 400:
            sys.exit("no: %s %s" % (answer.status_code, answer.reason))
except (ImportError, AttributeError, TypeError):
    pass"""


class Question(msgspec.Struct, frozen=True):
    """One command that asks, and how its answer is read: where it asked and why it got nothing, or None."""

    what: str
    command: tuple[str, ...]
    understand: Callable[[int, str], answers.No | None]
    env: tuple[tuple[str, str], ...] = ()
    told: str = ""


Started = tuple[Question, "subprocess.Popen[bytes]", BinaryIO]


def questions(plan: Plan) -> tuple[Question, ...]:
    """What has to be asked, each once."""
    found: dict[tuple[str, ...], Question] = {}
    brought: set[str] = set()
    for step in plan.steps:
        if (one := _question(step, brought)) is not None:
            found.setdefault((*one.command, one.told), one)
    return tuple(found.values())


def unreachable(asked: Sequence[Question]) -> Iterator[str]:
    """One sentence for each that is told no. All are asked at once, and none for longer than the limit."""
    started: list[Started] = []
    try:
        ends = time.monotonic() + LIMIT_S
        for one in asked:
            with suppress(OSError):
                started.append(_start(one))
        for one, process, kept in started:
            try:
                code = process.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue
            kept.seek(0)
            if (no := one.understand(code, kept.read(ANSWER_BYTES).decode("utf-8", "replace"))) is not None:
                yield f"{one.what} cannot be fetched: {no[0]}: {no[1]}. {NEXT}"
    finally:
        for _, process, kept in started:
            if process.poll() is None:
                stop(process, grace_s=0.0)
            kept.close()


def _start(one: Question) -> Started:
    own = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    quiet = dict.fromkeys(QUIET, "1") | {"LC_ALL": "C"}
    kept = TemporaryFile()  # noqa: SIM115 - of a pipe somebody would have to read meanwhile
    process = subprocess.Popen(
        one.command,
        env=variables(dict(one.env), {**os.environ, **own, **quiet}),
        stdin=subprocess.PIPE,
        stdout=kept,
        stderr=subprocess.STDOUT,
        start_new_session=os.name == "posix",
    )
    with suppress(OSError):
        if process.stdin is not None:
            process.stdin.write(one.told.encode())
            process.stdin.close()
    return one, process, kept


def _question(step: Step, brought: set[str]) -> Question | None:
    """What to ask before that step; None where it fetches nothing, or nobody can say from where."""
    command = step.command
    if command[:1] == ("curl",):
        return _of_curl(command[-1])
    verb = next((at for at, word in enumerate(command) if word in ("install", "download")), None)
    if verb is None or "--no-index" in command:
        return None
    options, wanted = _parsed(command[verb + 1 :])
    name = _name(wanted)
    if wanted is None or name in brought or _has_it(options, wanted):
        return None  # what a step before brings is there by then, and what it demands may be too
    if name:
        brought.add(name)
    if command[:2] == ("uv", "pip"):
        return _of_uv(options, wanted, step.env)
    return _of_pip(command[0], options, wanted, step.env) if command[1:3] == ("-m", "pip") else None


def _parsed(words: Sequence[str]) -> tuple[list[tuple[str, str]], str | None]:
    """The options that take a value, and the first thing that is wanted."""
    options: list[tuple[str, str]] = []
    wanted, rest = None, iter(words)
    for word in rest:
        if word in WITH_VALUE:
            options.append((word, next(rest, "")))
        elif not word.startswith("-") and wanted is None:
            wanted = word
    return options, wanted


def _name(wanted: str | None) -> str | None:
    """'flash-attn' of 'flash-attn==2.8.3'; None of an address or a path."""
    found = NAME.match(wanted or "")
    if found is None or "/" in (wanted or "").partition(" @ ")[0]:
        return None
    return re.sub("[-_.]+", "-", found[0]).lower()


def _has_it(options: Sequence[tuple[str, str]], wanted: str) -> bool:
    """Whether the file lies where it is to be saved: pip takes it from there."""
    folder = dict(options).get("--dest", "")
    return bool(folder) and os.path.exists(os.path.join(folder, unquote(os.path.basename(urlsplit(wanted).path))))


def _of_pip(python: str, options: Sequence[tuple[str, str]], wanted: str, env: Mapping[str, str]) -> Question | None:
    address = wanted.partition("#")[0]
    if address.startswith(("http://", "https://")):
        where = answers.shown(address)
        read = partial(answers.of_pip_session, where)
        return Question(os.path.basename(where), (python, "-c", BY_PIP, address), read, tuple(env.items()))
    name = _name(wanted)
    if name is None:
        return None
    own = tuple(word for option, value in options if option in INDEXES for word in (option, value))
    command = (python, "-m", "pip", "index", "versions", "-vv", "--pre", "--no-input", *own, name)
    return Question(name, command, answers.of_pip_index, tuple(env.items()))


def _of_uv(options: Sequence[tuple[str, str]], wanted: str, env: Mapping[str, str]) -> Question | None:
    """By `uv pip compile`, which resolves and touches no environment; of a wheel's metadata it reads some bytes."""
    own = tuple(word for option, value in options if option in (*INDEXES, "--python") for word in (option, value))
    resolve = ("uv", "pip", "compile", "--quiet", "--no-deps", "--only-binary", ":all:", *own, "-")
    name = _name(wanted)
    told = wanted.partition("#")[0] + "\n"  # with a digest all of the file would be downloaded
    return Question(name, resolve, answers.of_uv, tuple(env.items()), told) if name else None


def _of_curl(address: str) -> Question | None:
    if not address.startswith(("http://", "https://")):
        return None
    where = answers.shown(address)
    ask = ("curl", "--head", "--location", "--silent", "--show-error", "--output", os.devnull, address)
    return Question(os.path.basename(where), ask, partial(answers.of_curl, where))
