"""attn-doctor check."""

from __future__ import annotations

import time

import msgspec
import typer

from attn_doctor.cli import _model, _policy, _report, _verdict, options


def check(
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    need: options.Needs = [],  # noqa: B006
    require: options.Requires = [],  # noqa: B006
    fail_on: options.FailOn = None,
    ignore: options.Ignored = [],  # noqa: B006
    form: options.ReportFormat = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    deep: options.Deep = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
    model: options.Model = None,
    verbose: options.Verbose = False,
) -> None:
    """Probe the machine and the target environment; print findings, backends and a recommendation."""
    started = time.perf_counter()
    from attn_doctor.judgement import check as judgement
    from attn_doctor.judgement import need as needs
    from attn_doctor.policy.call import Call
    from attn_doctor.reporters import reporter

    reporter(form)  # one that there is not ends the call before anything is probed
    needs.parse(need)
    _verdict.check_level(fail_on, ignore)
    del offline  # check makes no network call
    call = Call(
        python=python,
        venv=venv,
        facts=facts,
        need=tuple(need),
        require=tuple(require),
        ignore=tuple(ignore),
        fail_on=fail_on,
    )
    settings = _policy.merged(call, policy, no_policy)
    found = _policy.facts(settings, call, what_if, deep)
    report = _policy.judged(found, settings)
    if options.say_fault():
        report = _policy.judged(found, settings)  # the catalogue changed on the way
    report = _policy.located(report)
    if model is not None:
        report = _model.added(report, model, settings.python, settings.venv, facts)
    elapsed = None if facts or what_if else time.perf_counter() - started
    report = msgspec.structs.replace(report, fail_on=settings.fail_on)
    _report.write(report, form, output, verbose=verbose, elapsed_s=elapsed, from_file=facts is not None)
    raise typer.Exit(judgement.exit_code(report, settings.fail_on))
