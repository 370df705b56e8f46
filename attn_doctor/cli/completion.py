"""attn-doctor completion."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import UsageError

FOLDER = os.path.join(os.path.dirname(__file__), "shells")
# the shell, the file that holds its script, and how the words of a line reach us from there
SHELLS = {
    "bash": "attn-doctor.bash",
    "zsh": "attn-doctor.zsh",
    "fish": "attn-doctor.fish",
    "powershell": "attn-doctor.ps1",
}
ALSO = {"pwsh": "powershell"}
# PowerShell 5 drops empty arguments and mangles quotes: its words come in a variable, one a line
WORDS = "ATTN_DOCTOR_WORDS"


# words of a line come behind two dashes
SETTINGS = {"context_settings": {"allow_extra_args": True}}


def completion(
    context: typer.Context,
    shell: Annotated[
        str | None, typer.Argument(metavar="[SHELL]", help="bash, zsh, fish or powershell.  [default: that of $SHELL]")
    ] = None,
    complete: Annotated[bool, typer.Option("--next", hidden=True)] = False,
    output: options.Output = None,
) -> None:
    """Print the completion script of a shell; its first lines say where to keep it."""
    name, words = _shell(shell), context.args
    if complete:
        from attn_doctor.cli import _candidates

        typed = words or os.environ.get(WORDS, "").split("\n")
        options.write(_candidates.answer(name, typed), None)
        return
    if words:
        raise UsageError(f"completion takes one SHELL, and got {' '.join([name, *words])}")
    with open(os.path.join(FOLDER, SHELLS[name]), encoding="utf-8") as file:
        script = file.read()
    options.write(script, output)
    if output is None and sys.stdout is not None and sys.stdout.isatty():
        options.progress("This is only printed; its first lines say where to keep it.")


def _shell(name: str | None) -> str:
    given = name or os.path.basename(os.environ.get("SHELL", "")) or ("powershell" if os.name == "nt" else "")
    wanted = given.lower().removesuffix(".exe")
    found = ALSO.get(wanted, wanted)
    if found in SHELLS:
        return found
    if name is None:
        why = f"{given} of $SHELL is not one of them" if given else "$SHELL is empty"
        raise UsageError(f"completion for which shell? {why}", _listed())
    from difflib import get_close_matches

    near = get_close_matches(found, SHELLS, n=1)
    raise UsageError(
        f"there is no completion for {name!r}", f"{f'Did you mean {near[0]}? ' if near else ''}{_listed()}"
    )


def _listed() -> str:
    return f"Shells: {', '.join(SHELLS)}."
