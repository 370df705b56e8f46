"""attn-doctor snippet."""

from __future__ import annotations

from typing import Annotated

import typer

from attn_doctor.cli import _policy, _report, options
from attn_doctor.errors import UsageError


def snippet(
    framework: Annotated[
        str | None, typer.Argument(metavar="FRAMEWORK", help="transformers, diffusers, vllm, nanogpt, argparse ...")
    ] = None,
    backend: Annotated[
        str | None,
        typer.Argument(metavar="[BACKEND]", help="The one you would like best.  [default: flash_attention_2]"),
    ] = None,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME|PATH", help="transformers, argparse: what this model supports decides too."
        ),
    ] = None,
    form: options.Format = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
) -> None:
    """Print the lines that make a framework use what runs here, with the check that it took effect.

    They are written for the installed release of the framework, else for the newest that is known, and for the
    backend that `attn-doctor resolve` finds. Exit 1: nothing of the chain runs here.
    """
    from attn_doctor.judgement import need as needs
    from attn_doctor.judgement.view import Machine
    from attn_doctor.policy.call import Call
    from attn_doctor.reporters import _resolution
    from attn_doctor.reporters._lines import as_json, printed
    from attn_doctor.snippets import _snippet

    options.one_of("--format", form, ("text", "json"))
    if framework is None:
        raise UsageError("a snippet for which framework?", f"Frameworks: {', '.join(_snippet.makers())}.")
    maker = _snippet.maker(framework)
    if model is not None and not maker.models:
        raise UsageError(
            f"--model goes with transformers and argparse: {maker.framework} chooses for every model alike"
        )
    needs.parse(need)
    if backend is not None:
        from attn_doctor.judgement import names

        backend = names.backend(backend)
    del offline  # nothing is asked of a network
    call = Call(python=python, venv=venv, facts=facts, need=tuple(need))
    settings = _policy.merged(call, policy, no_policy, _policy.NEEDS_AND_WHEELS)
    found = _policy.facts(settings, call, what_if)
    needed = needs.parse(settings.need)
    supports = None
    if model is not None:
        from attn_doctor.cli import _model
        from attn_doctor.judgement import check

        report = check.check(found, needed, allowed=settings.allowed)
        supports = _model.known(report, model, settings.python, settings.venv, facts)
    # what is passed over may name a path: it goes where code goes
    machine = Machine(_report.cleaned_facts(found, from_file=facts is not None), settings.allowed)
    made, resolved = _snippet.write(maker, machine, needed, backend, supports)
    text = as_json(made) if form == "json" else printed([made.text.rstrip("\n")])
    options.write(text, output, exact=form == "json")
    if resolved is not None:
        for line in _resolution.spoken(resolved):
            options.progress(line)
    raise typer.Exit(0 if made.backend or resolved is None else 1)
