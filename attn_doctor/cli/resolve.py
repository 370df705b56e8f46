"""attn-doctor resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import _policy, _verdict, options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.resolution import Resolution

FORMATS = ("text", "json", "env")
UNREADABLE = 3


def resolve(
    backend: Annotated[
        str | None,
        typer.Argument(metavar="[BACKEND]", help="The one you would like best.  [default: flash_attention_2]"),
    ] = None,
    chain: Annotated[
        str | None, typer.Option("--chain", metavar="A,B,C", help="These in turn, in place of sdpa and eager.")
    ] = None,
    framework: Annotated[
        str | None,
        typer.Option("--for", metavar="FRAMEWORK", help="In the words of transformers, diffusers, vllm, sglang ..."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 where the first of the chain does not run.")] = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    require: options.Requires = [],  # noqa: B006
    fail_on: options.FailOnBesides = None,
    ignore: options.Ignored = [],  # noqa: B006
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="text, json or env (lines of NAME=value).")
    ] = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    deep: options.Deep = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
    verbose: options.Verbose = False,
) -> None:
    """Walk down a chain of backends and print the first that runs here.

    On standard output stands the answer alone; why others were passed over is said on standard error. Exit 1: nothing
    of the chain runs, or --strict and a fall back.
    """
    from attn_doctor.judgement import names, resolution
    from attn_doctor.judgement import need as needs
    from attn_doctor.judgement.view import Machine
    from attn_doctor.policy.call import Call
    from attn_doctor.reporters import _resolution

    options.one_of("--format", form, FORMATS)
    del offline  # nothing is asked of the network
    needs.parse(need)
    listed = [names.backend(one.strip()) for one in chain.split(",") if one.strip()] if chain is not None else None
    _known(framework)
    walked = resolution.chain_of(backend, listed, framework)
    judged = _verdict.is_asked([], require, fail_on, ignore)
    call = Call(python=python, venv=venv, facts=facts, need=tuple(need))
    settings = _policy.merged(call, policy, no_policy, _policy.NEEDS_AND_WHEELS)
    found = _policy.facts(settings, call, what_if, deep)
    needed = needs.parse(settings.need)
    answer = resolution.resolve(Machine(found, settings.allowed), walked, needed, framework)
    code = _code(answer, strict)
    if judged:
        code = code or _verdict.verdict(found, None, [], require, fail_on, ignore, settings.allowed)
    exact = form != "text"
    if form == "json":
        text = _resolution.document(answer)
    elif form == "env":
        text = _resolution.variables(answer, failed=code != 0)
    else:
        text = _resolution.text(answer, verbose=verbose, policy=_policy.told(settings, _policy.NEEDS_AND_WHEELS))
    options.write(text, output, exact=exact)
    for line in _resolution.spoken(answer):
        options.progress(line)
    options.say_fault()
    raise typer.Exit(code)


def _known(framework: str | None) -> None:
    """Raises UsageError for one that has no words; of what is a snippet alone it says so."""
    from attn_doctor.judgement import words

    if framework is None:
        return
    try:
        words.framework(framework)
    except UsageError:
        from attn_doctor.knowledge.spelling import bare
        from attn_doctor.snippets._snippet import makers

        one = next((one for one in makers().values() if bare(one.framework) == bare(framework)), None)
        if one is None:
            raise
        behind = f" in those of {one.words}" if one.words else ""
        raise UsageError(
            f"resolve has no words for {one.framework}, which is a snippet{behind}",
            f"{f'Use --for {one.words}, or: ' if one.words else ''}attn-doctor snippet {one.framework}",
        ) from None


def _code(answer: Resolution, strict: bool) -> int:
    if answer.backend is None:
        return UNREADABLE if answer.unreadable else 1
    return 1 if strict and answer.fell_back else 0
