"""attn-doctor history."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import _change, options
from attn_doctor.errors import UsageError


def history(
    prune: Annotated[
        list[str], typer.Option("--prune", metavar="ID", help="Remove the copy that this change kept; repeatable.")
    ] = [],  # noqa: B006 - typer makes a new list for every call
    everything: Annotated[bool, typer.Option("--all", help="Of every target, not only of this one.")] = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    form: options.Format = "text",
    output: options.Output = None,
) -> None:
    """List the changes made to the target, latest first, and the copies that are kept of what was there before."""
    from attn_doctor.execute import listing
    from attn_doctor.reporters import _history

    options.one_of("--format", form, ("text", "json"))
    if everything and (python or venv):
        raise UsageError("--all lists every target: it goes without --python and --venv")
    target = None if everything else _change.known_target(python, venv)
    for identifier in prune:
        listing.known(target, identifier)  # all of them, before one is removed
    for identifier in prune:
        listing.prune(target, identifier)
        options.progress(f"attn-doctor: the copy from before {identifier} is removed; it can no longer be rolled back")
    found = listing.listed(target)
    exact = form == "json"
    options.write(_history.document(found) if exact else _history.text(found), output, exact=exact)
