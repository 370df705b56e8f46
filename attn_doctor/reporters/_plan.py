"""A plan as text: what it brings, how, what it costs, what it changes, each command as it will be run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from attn_doctor.reporters._lines import as_json, hanging, printed

if TYPE_CHECKING:
    from attn_doctor.plan.plan import Change, Plan, Step

LABEL = 11
NEWEST = "newest"
PLAIN = re.compile(r"(?a)[\w.,:/\\=+@%-]+")
UNDOING = {"keep": "put it back, about a second"}
MIB = 1 << 20
GIB = 1 << 30


def document(one: Plan) -> str:
    """Indented JSON, ending in a newline; validates against schemas/plan.json."""
    return as_json(one)


def text(one: Plan, *, verbose: bool, call: str | None, stale: bool = False) -> str:
    """One screen. `call` is the command that was given, for the line that says what to do next; None: it is done now.

    `stale`: the catalogue that it was made from is old.
    """
    return printed(_lines(one, verbose, call, stale))


def _lines(one: Plan, verbose: bool, call: str | None, stale: bool) -> Iterator[str]:
    named = f"{one.package} {one.version}" if one.steps and one.version else one.backend
    yield from hanging("", f"{named} for {one.target}")
    yield ""
    if one.possible and not one.steps:
        yield from _row("nothing", f"to do: {one.title}" + (f", {one.why[0]}" if one.why else ""))
    else:
        yield from _head(one)
    if one.steps:
        yield ""
        yield from _steps(one, verbose)
    if one.warnings:
        yield ""
    yield from _rows("notes", one.warnings)
    yield from _others(one, verbose)
    if verbose:
        yield from _words(one)
    if stale:
        yield ""
        said = f"The catalogue is of {one.catalogue}: newer files are likely. Bring it up to date:"
        yield from hanging("", f"{said} attn-doctor wheels refresh")
    yield ""
    yield from _end(one, call)


def _head(one: Plan) -> Iterator[str]:
    yield from _rows("in the way", one.obstacles)
    if one.blocked_by:
        yield from _row("more", "  ".join(f"attn-doctor rule {code}" for code in one.blocked_by[:3]))
    if not one.steps:
        return
    yield from _row("way", ", ".join((one.title, *_cost(one))))
    yield from _rows("why", one.why)
    if one.wheel:
        yield from _row("file", one.wheel.filename)
        if one.wheel.url:
            yield from _row("from", one.wheel.url)
        yield from _row("sha256", one.wheel.sha256 or "none was published")
    if one.build:
        yield from _row("build", _numbers(one))
    if one.changes:
        yield from _row("changes", "   ".join(map(_change, one.changes)) + _stays(one))


def _cost(one: Plan) -> Iterator[str]:
    if one.cost.download_bytes:
        yield f"{_size(one.cost.download_bytes)} to download"
    if one.cost.minutes:
        low, high = one.cost.minutes
        yield f"{low} to {high} min"
    if one.build:
        yield f"{one.build.peak_memory_gib:g} GiB of memory"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(1, round(count / MIB))} MiB"


def _numbers(one: Plan) -> str:
    build = one.build
    if build is None:
        return ""
    archs = ", ".join(f"sm_{arch}" for arch in build.cuda_archs)
    return f"MAX_JOBS={build.max_jobs} NVCC_THREADS={build.nvcc_threads} for {archs}, with {build.toolkit}"


def _change(change: Change) -> str:
    if change.before is None:
        return f"+ {change.package} {change.after}" if change.after != NEWEST else f"+ {change.package}"
    if change.after is None:
        return f"- {change.package} {change.before}"
    if change.before == change.after:
        return f"{change.package} {change.after} anew"
    return f"{change.package} {change.before} -> {change.after}"


def _stays(one: Plan) -> str:
    moved = any(change.package == "torch" for change in one.changes)
    return "" if moved else "   torch stays as it is"


def _steps(one: Plan, verbose: bool) -> Iterator[str]:
    for number, step in enumerate(one.steps, 1):
        undo = f"  (undo: {UNDOING.get(step.kind, 'take it away')})" if step.undo else ""
        root = "  (needs root)" if step.needs_root else ""
        yield from hanging(f"{number:<3}", f"{step.title}{undo}{root}")
        yield f"     {command(step if verbose else _shortened(step), one.os)}"


def _shortened(step: Step) -> Step:
    """A program of several lines by its length: it says nothing to most readers, and hides what does."""
    words = (f"({word.count(chr(10)) + 1} lines of Python: -v)" if "\n" in word else word for word in step.command)
    return msgspec.structs.replace(step, command=tuple(words))


def command(step: Step, os: str = "linux") -> str:
    """As one would type it: variables in front, the file behind that takes what is printed."""
    if os == "windows":
        return _for_powershell(step)
    env = [f"{name}={shlex.quote(value)}" + (':"$PATH"' if name == "PATH" else "") for name, value in step.env.items()]
    output = ["> " + shlex.quote(step.output)] if step.output else []
    return " ".join([*env, shlex.join(step.command), *output])


def _for_powershell(step: Step) -> str:
    words = [word if PLAIN.fullmatch(word) else "'" + word.replace("'", "''") + "'" for word in step.command]
    called = " ".join((*(() if PLAIN.fullmatch(step.command[0]) else ("&",)), *words)) if step.command else ""
    env = "".join(f"$env:{name} = '{value}'; " for name, value in step.env.items())
    return env + called + (f" | Set-Content '{step.output}'" if step.output else "")


def _others(one: Plan, verbose: bool) -> Iterator[str]:
    """What can be done besides; what cannot is left to `-v` unless nothing can."""
    shown = [other for other in one.alternatives if other.possible or verbose or not one.possible]
    if shown:
        yield ""
    for number, other in enumerate(shown):
        yield from _row("" if number else "other ways", _other(one, other))
    if left := len(one.alternatives) - len(shown):
        yield from _row("", f"{left} that cannot be done here: -v shows them")


def _other(one: Plan, other: Plan) -> str:
    version = f"{other.version}, " if other.steps and other.version and other.version != one.version else ""
    said = ", ".join((version + other.title, *_cost(other)))
    if other.build:
        said += f", MAX_JOBS={other.build.max_jobs} NVCC_THREADS={other.build.nvcc_threads}"
    if not other.possible:
        said += f"; in the way: {other.obstacles[0]}" if other.obstacles else "; not here"
    elif not other.steps:
        said += ": nothing to do"
    return said


def _words(one: Plan) -> Iterator[str]:
    for words in one.words:
        yield ""
        yield f"in {words.where}, for {words.tool}:"
        yield from (f"  {line}" for line in words.lines)


def _end(one: Plan, call: str | None) -> Iterator[str]:
    if not one.possible:
        yield from hanging("", "Nothing was changed, and nothing can be done here as things are.")
        return
    if not one.steps:
        yield "Nothing was changed."
        return
    if one.words:
        yield from hanging("", "For pip, uv, poetry, pixi and conda projects: add -v.")
    if call is None:
        return  # it is about to be done
    if one.os == "windows":
        yield "Nothing was changed. To do it, run these commands in PowerShell, in this order."
        return
    yield from hanging("", "Nothing was changed. To do it, leave --dry-run away; or run the script that this prints:")
    yield f"  {call} --format sh"


def _rows(label: str, said: Sequence[str]) -> Iterator[str]:
    """One label for several paragraphs."""
    for number, one in enumerate(said):
        yield from _row("" if number else label, one)


def _row(label: str, rest: str) -> Iterator[str]:
    yield from hanging(f"{label:<{LABEL}}", rest)
