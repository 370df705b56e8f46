"""attn-doctor simulate."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import options


def simulate(
    assignments: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE ...", help="gpu='NVIDIA L4' torch=2.8.0 ...")
    ] = [],  # noqa: B006
    form: options.Format = "json",
    output: options.Output = None,
) -> None:
    """Print the facts of an imagined machine as JSON, starting from a plain Linux machine without a GPU.

    Pass them on: attn-doctor simulate gpu="NVIDIA L4" torch=2.8.0 | attn-doctor check --facts -
    """
    from attn_doctor.machine import whatif
    from attn_doctor.machine.gather import encode

    options.one_of("--format", form, ("json",))
    options.write(encode(whatif.simulate(assignments)).decode(), output, exact=True)
