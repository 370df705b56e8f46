"""attn-doctor wheels."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import UsageError

Name = Annotated[
    str | None,
    typer.Argument(metavar="[BACKEND|PACKAGE]", help="flash_attention_2, fa3, xformers ...  [default: fa2]"),
]


def wheels(
    name: Name = None,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    torch: Annotated[
        str | None, typer.Option("--torch", metavar="X", help="For this torch: 2.8 or 2.8.0+cu128.")
    ] = None,
    cuda: Annotated[str | None, typer.Option("--cuda", metavar="X", help="For this CUDA: 12 or 12.8.")] = None,
    python_version: Annotated[
        str | None, typer.Option("--python-version", metavar="X", help="For this Python: 3.12 or 3.13t.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option("--platform", metavar="TAG", help="linux_x86_64, manylinux_2_28_aarch64, win_amd64 ..."),
    ] = None,
    abi: Annotated[
        str | None, typer.Option("--abi", metavar="true|false", help="The C++ ABI: true for the new one.")
    ] = None,
    cc: Annotated[
        list[str], typer.Option("--cc", metavar="X.Y", help="With code for this compute capability; repeatable.")
    ] = [],  # noqa: B006
    version: Annotated[
        str | None, typer.Option("--version", metavar="X", help="Only this version of the package.")
    ] = None,
    source: Annotated[
        list[str], typer.Option("--source", metavar="NAME", help="Only files of this source; repeatable.")
    ] = [],  # noqa: B006
    trust: Annotated[
        str, typer.Option("--trust", metavar="LEVEL", help="upstream, or community builds too.")
    ] = "community",
    no_pre: Annotated[bool, typer.Option("--no-pre", help="No pre-releases.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Of any machine: only what is asked for counts.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Show at most so many files.")] = None,
    form: options.Format = "text",
    output: options.Output = None,
    offline: options.Offline = False,
) -> None:
    """Search the catalogue of prebuilt wheels for this machine, or for another.

    Without options: what fits the target environment and every GPU here. Each filter (--torch, --cuda,
    --python-version, --platform, --abi, --cc) takes the place of what the machine says.
    """
    from attn_doctor.judgement import wheel_query, wheel_search
    from attn_doctor.judgement.view import Machine
    from attn_doctor.reporters import _wheels

    options.one_of("--format", form, ("text", "json"))
    del offline  # the catalogue is part of the package
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: expected 1 or more")
    if everything and (python or venv or facts or what_if):
        raise UsageError("--all asks no machine: it cannot go with --python, --venv, --facts or --what-if")
    what = wheel_search.wanted(name, version)
    asked = wheel_query.Asked(
        torch=torch,
        cuda=cuda,
        python=python_version,
        platform=platform,
        abi=abi,
        capabilities=tuple(cc),
        version=version,
        sources=tuple(source),
        trust=trust,
        pre=not no_pre,
    )
    probed = what.package is not None and not everything
    machine = Machine(options.gather_facts(python, venv, facts, what_if)) if probed else None
    answer = wheel_search.look_up(what, asked, machine, today=today(), limit=limit)
    exact = form == "json"
    options.write(_wheels.document(answer) if exact else _wheels.text(answer, limit), output, exact=exact)
    raise typer.Exit(0 if answer.found or what.package is None else 1)


def today() -> str:
    """'2026-11-21'."""
    return time.strftime("%Y-%m-%d", time.gmtime())
