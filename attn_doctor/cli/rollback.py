"""attn-doctor rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import _change, options


def rollback(
    identifier: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A change of `attn-doctor history`  [default: the last]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
) -> None:
    """Put the target back to before a change: its copy comes back by renames; what is there now is kept aside."""
    from attn_doctor.execute import listing, recover

    if _change.put_back_first(python, venv) and identifier is None:
        raise typer.Exit(0)
    target = _change.known_target(python, venv)
    change = recover.choose(target, None) if identifier is None else listing.known(target, identifier)
    options.progress(f"{change.target} goes back to before {change.id} ({change.title}, {change.at})")
    for warning in recover.cautions(change):
        options.progress(f"note: {warning}")
    _change.confirm("Put it back?", yes)
    done = recover.roll_back(change)
    options.progress(f"put back; what was there is kept in {done.aside}")
