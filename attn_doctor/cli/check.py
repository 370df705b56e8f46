"""attn-doctor check."""

from __future__ import annotations

import time

import typer

from attn_doctor.cli import _verdict, options


def check(
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    require: options.Requires = [],  # noqa: B006
    fail_on: options.FailOn = "error",
    ignore: options.Ignored = [],  # noqa: B006
    form: options.Format = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    deep: options.Deep = False,
    verbose: options.Verbose = False,
) -> None:
    """Probe the machine and the target environment; print findings, backends and a recommendation."""
    started = time.perf_counter()
    from attn_doctor.judgement import check as judgement
    from attn_doctor.judgement import names
    from attn_doctor.judgement import need as needs
    from attn_doctor.reporters import reporter

    render = reporter(form)
    needed = needs.parse(need)
    required = [names.backend(name) for name in require]
    _verdict.check_level(fail_on, ignore)
    del offline  # check makes no network call
    found = options.gather_facts(python, venv, facts, what_if, deep)
    report = judgement.check(found, needed, ignore, required)
    if options.say_fault():
        report = judgement.check(found, needed, ignore, required)  # the catalogue changed on the way
    elapsed = None if facts or what_if else time.perf_counter() - started
    options.write(
        render(report, verbose=verbose, elapsed_s=elapsed, plain=output is not None), output, exact=form != "text"
    )
    raise typer.Exit(judgement.exit_code(report, fail_on))
