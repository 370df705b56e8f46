"""A diagnosis as text: the line that proves the cause, why, what to do, and what only follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import WIDTH, as_json, printed

if TYPE_CHECKING:
    from attn_doctor.explain.diagnosis import Diagnosis, Found, Shown

LONGEST_LINE = 600
LABEL = 8  # columns before a fix
GAP = 2  # between a title and its category
WORDS = {"certain": "", "likely": "Likely: ", "possible": "Possibly: "}
# what a fix that is to be typed begins with
PROGRAMS = frozenset({
    *("attn-doctor", "pip", "pip3", "python", "python3", "py", "uv", "poetry", "pdm", "pixi", "conda", "mamba", "pipx"),
    *("apt", "apt-get", "sudo", "dnf", "yum", "brew", "docker", "podman", "git", "export", "unset", "set", "setx"),
    *("ldconfig", "ldd", "nvcc", "nvidia-smi", "nvidia-ctk", "ninja", "cmake", "df", "mkdir", "source", "hash"),
    *("modprobe", "systemctl", "xcode-select", "winget", "echo", "du", "ls", "env", "accelerate", "module", "wsl"),
    "rm",
})  # fmt: skip
ENDINGS = {
    "healthy": "Nothing went wrong in this log.",
    "unrelated": "Nothing in this log is a fault of the installation: no package needs to change.",
    "unknown": "The cause is not in this log.",
}


def document(one: Diagnosis) -> str:
    """Indented JSON, ending in a newline; validates against schemas/diagnosis.json."""
    return as_json(one)


def text(one: Diagnosis, *, verbose: bool = False) -> str:
    """One screen."""
    return printed(_lines(one, verbose))


def _lines(one: Diagnosis, verbose: bool) -> Iterator[str]:
    yield f"{one.log or 'log'} · {one.lines:,} line{'' if one.lines == 1 else 's'}"
    for place, cause in enumerate(one.causes):
        yield ""
        if place and not verbose:
            yield from _also(one.causes[place:])
            break
        yield from _cause(cause, verbose)
    if one.verdict in ENDINGS:
        yield ""
        yield from wrap(ENDINGS[one.verdict], WIDTH)
    for asked in one.ask:
        yield from wrap(asked, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _cause(cause: Found, verbose: bool) -> Iterator[str]:
    title = WORDS[cause.confidence] + cause.title
    gap = WIDTH - len(title) - len(cause.category)
    if gap >= GAP:
        yield title + " " * gap + cause.category
    else:
        yield from wrap(title, WIDTH)
        yield cause.category.rjust(WIDTH)
    digits = max((len(f"{shown.line:,}") for shown in cause.context), default=1)
    for shown in cause.context:
        yield _numbered(shown, digits, shown.line == cause.line)
    yield from wrap(cause.explanation, WIDTH, break_on_hyphens=False, break_long_words=False)
    if cause.fix:
        yield ""
    for place, fix in enumerate(cause.fix):
        yield from _fix("or" if place else "fix", fix)
    yield from _after(cause, verbose)


def _numbered(shown: Shown, digits: int, marked: bool) -> str:
    text = shown.text if len(shown.text) <= LONGEST_LINE else shown.text[:LONGEST_LINE] + " ..."
    return f"{'>' if marked else ' '} {shown.line:>{digits},} | {text}"


def _fix(label: str, fix: str) -> Iterator[str]:
    """A command stays in one piece, to be copied; a sentence is folded."""
    fix = fix.removeprefix("or ").removeprefix("or, ")
    if is_sentence(fix):
        yield from wrap(
            fix, WIDTH, initial_indent=f"  {label:<5} ", subsequent_indent=" " * LABEL,
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
        return
    command, opened, comment = fix.partition("   (")
    if not opened or len(fix) + LABEL <= WIDTH:
        yield f"  {label:<5} {fix}"
        return
    yield f"  {label:<5} {command}"
    indent = " " * (LABEL + 2)
    yield from wrap(
        f"({comment}", WIDTH, initial_indent=indent, subsequent_indent=f"{indent} ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def is_sentence(fix: str) -> bool:
    """Whether a fix is meant to be read rather than typed."""
    first = fix.partition(" ")[0]
    return not (first in PROGRAMS or "=" in first or first.startswith(("/", "./", "$", '"', "~")))


def _after(cause: Found, verbose: bool) -> Iterator[str]:
    if not cause.consequences:
        return
    yield ""
    if verbose:
        yield "What came after only follows from it:"
        yield from (f"  {shown.line:,} | {shown.text.strip()[:LONGEST_LINE]}" for shown in cause.consequences)
        return
    last = cause.consequences[-1]
    said = last.text.strip()
    said = said if len(said) <= WIDTH // 2 else said[: WIDTH // 2 - 3].rstrip() + "..."
    yield from wrap(f'What came after ("{said}", line {last.line:,}) only follows from it.', WIDTH)


def _also(causes: tuple[Found, ...]) -> Iterator[str]:
    yield "The log shows besides (-v tells more):"
    for cause in causes:
        title = f"  {cause.title}, line {cause.line:,}"
        yield from wrap(f"{title} ({cause.category})", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
