"""attn-doctor wheels."""

from __future__ import annotations

import time
from typing import Annotated, NoReturn

import typer

from attn_doctor.cli import _policy, _verdict, options
from attn_doctor.cli.options import today
from attn_doctor.errors import UsageError

REFRESH = "refresh"
Name = Annotated[
    str | None,
    typer.Argument(
        metavar="[BACKEND|PACKAGE|refresh]", help="flash_attention_2, fa3, xformers ...  [default: fa2]; or refresh"
    ),
]


def wheels(
    name: Name = None,
    python: Annotated[
        str | None,
        typer.Option("--python", metavar="PATH|X", help="The interpreter to examine; or a version, such as 3.12."),
    ] = None,
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
    need: options.Needs = [],  # noqa: B006
    require: options.Requires = [],  # noqa: B006
    fail_on: options.FailOnBesides = None,
    ignore: options.Ignored = [],  # noqa: B006
    form: options.Format = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
) -> None:
    """Search the catalogue of prebuilt wheels for this machine, or for another.

    Without options: what fits the target environment and every GPU here. Each filter (--torch, --cuda,
    --python-version, --platform, --abi, --cc) takes the place of what the machine says.

    `attn-doctor wheels refresh` reads the release listings of the sources again (or of those named by --source) and
    keeps what they say in a cache of its own. It asks GitHub (a token in GITHUB_TOKEN or GH_TOKEN is used), the
    PyTorch index, and the package index that pip or uv is set up with. GITHUB_API_URL and ATTN_DOCTOR_PYTORCH_INDEX
    name other addresses; ATTN_DOCTOR_HTTP_TIMEOUT is how many seconds a server may be silent.
    """
    from attn_doctor.execute import privacy
    from attn_doctor.judgement import names, wheel_query, wheel_search
    from attn_doctor.judgement.view import Machine
    from attn_doctor.policy.call import Call
    from attn_doctor.reporters import _wheels

    options.one_of("--format", form, ("text", "json"))
    if name == REFRESH:
        filters = (python, venv, facts, *what_if, torch, cuda, python_version, platform, abi, *cc, version, limit)
        verdict = (*need, *require, fail_on, *ignore, policy)
        switches = no_pre or everything or no_policy or trust != "community"
        if switches or any(value is not None for value in (*filters, *verdict)):
            raise UsageError("wheels refresh takes --source, --format, --output and --offline, and nothing else")
        _refresh(tuple(source), form, output, offline)
    del offline  # a search never leaves this machine
    python, python_version = _path_or_version(python, python_version)
    if limit is not None and limit < 1:
        raise UsageError(f"--limit {limit}: expected 1 or more")
    judged = _verdict.is_asked(need, require, fail_on, ignore)
    if everything and (python or venv or facts or what_if or judged or policy):
        raise UsageError(
            "--all asks no machine: it cannot go with --python, --venv, --facts, --what-if,"
            " --need, --require, --fail-on, --ignore or --policy"
        )
    what = wheel_search.wanted(names.package(name) if name else None, version)
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
    probed = (what.package is not None or judged) and not everything
    call = Call(python=python, venv=venv, facts=facts)
    settings = _policy.merged(call, policy, no_policy, _policy.WHEELS) if probed else None
    allowed = settings.allowed if settings and not source else None
    found = _policy.facts(settings, call, what_if) if settings else None
    machine = Machine(found, allowed) if found and what.package is not None else None
    answer = wheel_search.look_up(what, asked, machine, today=today(), limit=limit)
    if options.say_fault():
        # a shelf may have turned out damaged on the way: what was said of the catalogue before is no longer true
        answer = wheel_search.look_up(what, asked, machine, today=today(), limit=limit)
    exact = form == "json"
    shown = privacy.told(answer, privacy.of_this_process())
    options.write(_wheels.document(shown) if exact else _wheels.text(shown, limit), output, exact=exact)
    wanted = (answer.backend, need, require, fail_on, ignore, allowed)
    code = _verdict.verdict(found, *wanted) if found and judged else 0
    raise typer.Exit(code if answer.found or what.package is None else 1)


def _path_or_version(python: str | None, version: str | None) -> tuple[str | None, str | None]:
    """`--python 3.12` is what people type for `--python-version 3.12`."""
    stated = options.python_version(python) if python else None
    if stated is None:
        return python, version
    if version is not None:
        raise UsageError(f"--python {python} and --python-version {version} both name a version: give one")
    return None, stated


def _refresh(wanted: tuple[str, ...], form: str, output: str | None, offline: bool) -> NoReturn:
    """Exit 1 where a source could not be read: what was known of it before stays."""
    if offline:
        raise UsageError("wheels refresh asks the network: it cannot go with --offline")
    from attn_doctor.reporters import _refresh as reporter
    from attn_doctor.wheels.refresh import run
    from attn_doctor.wheels.refresh.asked import sources

    known = sources()
    for name in wanted:
        if name not in known:
            raise UsageError(f"--source {name}: it cannot be refreshed", f"Sources: {', '.join(known)}.")
    result = run.refresh(tuple(dict.fromkeys(wanted)) or known, today=today(), now=time.time(), say=options.progress)
    exact = form == "json"
    options.write(reporter.document(result) if exact else reporter.text(result), output, exact=exact)
    raise typer.Exit(1 if result.failed else 0)
