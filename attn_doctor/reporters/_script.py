"""A plan as a POSIX shell script: it stops on the first error, puts back what was kept, and does nothing else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import harmless
from attn_doctor.reporters._plan import command

if TYPE_CHECKING:
    from attn_doctor.plan.plan import Plan, Step


def script(one: Plan) -> str:
    """The whole script, ending in a newline."""
    return "\n".join((*_heading(one), *(_body(one) if one.possible else _refusal(one)))) + "\n"


def _heading(one: Plan) -> Iterator[str]:
    yield "#!/bin/sh"
    package = " ".join(part for part in (one.package, one.version) if part)
    yield _comment(f"attn-doctor {one.attn_doctor}" + (f": {package} for {one.target}" if package else ""))
    yield _comment(one.title)
    yield from (_comment(warning) for warning in one.warnings)


def _comment(said: str) -> str:
    return "# " + harmless(" ".join(said.split()))


def _refusal(one: Plan) -> Iterator[str]:
    for obstacle in one.obstacles:
        yield f"echo {shlex.quote(harmless(f'in the way: {obstacle}'))} >&2"
    yield "exit 1"


def _body(one: Plan) -> Iterator[str]:
    if not one.steps:
        yield f"echo {shlex.quote(harmless(f'nothing to do: {one.title}'))} >&2"
        return
    undoing = [(number, step.undo) for number, step in enumerate(one.steps, 1) if step.undo]
    yield "set -eu"
    if any(step.command[:1] == ("attn-doctor",) for step in one.steps):
        # what verifies at the end must be there before anything is touched
        yield "if ! command -v attn-doctor >/dev/null 2>&1; then"
        yield "    echo 'attn-doctor is not on PATH: put the folder it lies in there first' >&2"
        yield "    exit 2"
        yield "fi"
    yield "step='before the first step'"
    yield from (f"done_{number}=no" for number, _ in undoing)
    yield ""
    yield "finish() {"
    yield "    code=$?"
    yield "    trap - EXIT"
    yield '    if [ "$code" -ne 0 ]; then'
    yield """        echo "failed: $step (exit $code)" >&2"""
    for number, undo in reversed(undoing):
        yield f'        if [ "$done_{number}" = yes ]; then'
        yield "            echo 'putting back what was there before' >&2"
        yield f"            if ! {{ {undo}; }}; then"
        yield f"                echo {shlex.quote(harmless(f'not put back; by hand: {undo}'))} >&2"
        yield "                code=3"
        yield "            fi"
        yield "        fi"
    yield "    fi"
    yield '    exit "$code"'
    yield "}"
    yield "trap finish EXIT"
    yield "trap 'exit 130' INT"
    yield "trap 'exit 143' TERM"
    if one.folder:
        yield ""
        yield f"mkdir -p {shlex.quote(one.folder)}"
    for number, step in enumerate(one.steps, 1):
        yield ""
        yield from _step(number, len(one.steps), step)
    yield ""
    yield "step='after the last step'"
    yield "echo 'done' >&2"
    for step in one.steps:
        if step.kind == "keep":
            said = f"what was there before is kept in {step.command[-1]}: remove it once you are content"
            yield f"echo {shlex.quote(harmless(said))} >&2"


def _step(number: int, count: int, step: Step) -> Iterator[str]:
    yield f"step={shlex.quote(harmless(f'{number}/{count} {step.title}'))}"
    yield 'echo "$step" >&2'
    if step.needs_root:
        yield 'if [ "$(id -u)" -ne 0 ]; then'
        yield "    echo 'this step needs root' >&2"
        yield "    exit 1"
        yield "fi"
    yield ("env " if step.env else "") + command(step)
    if step.undo:
        yield f"done_{number}=yes"
