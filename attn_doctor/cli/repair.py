"""attn-doctor repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import _change, _plan, _policy, options

if TYPE_CHECKING:
    from attn_doctor.machine.gather import Facts


def repair(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is carried out.")] = False,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
    form: options.PlanFormat = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
    verbose: options.Verbose = False,
) -> int:
    """Find what is broken in the target environment, plan the smallest mend, carry it out.

    torch and the attention packages are imported, in child processes, to see what files do not say. What was there
    before is kept: attn-doctor rollback puts it back.
    """
    from attn_doctor.plan import repair as plans
    from attn_doctor.policy.call import Call

    options.one_of("--format", form, _plan.FORMATS)
    dry_run = dry_run or form == "sh"  # the script is what was asked for
    if not dry_run:
        _plan.refuse_imagined(offline, facts, what_if)
    call = Call(python=python, venv=venv, facts=facts)
    settings = _policy.merged(call, policy, no_policy, _policy.WHEELS)
    if not dry_run:
        _change.put_back_first(settings.python, settings.venv, by_policy=False)

    def gathered() -> Facts:
        return _policy.facts(settings, call, what_if, deep=facts is None)

    found = gathered()
    if not dry_run and _change.recovered(found):
        found = gathered()
    one = plans.plan(found, settings.allowed)
    if options.say_fault():
        one = plans.plan(found, settings.allowed)  # the catalogue changed on the way
    given: dict[str, object] = {
        "--python": python,
        "--venv": venv,
        "--facts": facts,
        "--what-if": what_if,
        "--policy": policy,
        "--no-policy": no_policy,
    }
    again = _plan.again(("attn-doctor", "repair", "--dry-run"), given) if dry_run else None
    options.write(_plan.rendered(one, form, verbose=verbose, call=again), output, exact=form != "text")
    if dry_run:
        return 0 if one.possible else 1
    return _plan.carried_out(one, yes, lambda: _policy.facts(settings, call, []), verbose)
