"""attn-doctor install."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import _change, _plan, _policy, _verdict, options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.plan.plan import Plan, Wish

ANY = "community"  # of --trust: upstream's files and the community's
Name = Annotated[
    str | None, typer.Argument(metavar="[BACKEND]", help="flash_attention_2, fa3, xformers ...  [default: the best]")
]


def install(
    name: Name = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before it is carried out.")] = False,
    method: Annotated[
        str, typer.Option("--method", metavar="WAY", help="auto, wheel, source, hub or docker.")
    ] = "auto",
    version: Annotated[str | None, typer.Option("--version", metavar="X", help="This version of the package.")] = None,
    source: Annotated[
        list[str], typer.Option("--source", metavar="NAME", help="Only wheels of this source; repeatable.")
    ] = [],  # noqa: B006 - typer makes a new list for every call
    trust: Annotated[str, typer.Option("--trust", metavar="LEVEL", help="upstream, or community builds too.")] = ANY,
    no_pre: Annotated[bool, typer.Option("--no-pre", help="No pre-releases.")] = False,
    max_jobs: Annotated[
        int | None, typer.Option("--max-jobs", metavar="N", help="At most so many compile jobs.")
    ] = None,
    plan: Annotated[str | None, typer.Option("--plan", metavar="FILE", help="Carry out this saved JSON plan.")] = None,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006
    need: options.Needs = [],  # noqa: B006
    require: Annotated[
        list[str],
        typer.Option("--require", metavar="BACKEND", help="This backend, too, must be ready afterwards; repeatable."),
    ] = [],  # noqa: B006
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", metavar="LEVEL", help="No finding of this severity may be left: error or warning."),
    ] = None,
    ignore: Annotated[
        list[str], typer.Option("--ignore", metavar="CODE", help="--fail-on passes over this finding; repeatable.")
    ] = [],  # noqa: B006
    form: options.PlanFormat = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    policy: options.PolicyFile = None,
    no_policy: options.NoPolicy = False,
    verbose: options.Verbose = False,
) -> int:
    """Bring a backend into the target environment: the wheel, the build, or the shortest way there.

    The plan is made from the facts and the catalogue, without network, and shown; after one question it is carried out
    and verified, and where anything fails everything is put back. `--format sh` prints a script that does the same.
    """
    from attn_doctor.judgement import names
    from attn_doctor.judgement import need as needs
    from attn_doctor.plan import saved
    from attn_doctor.plan import wish as wishes
    from attn_doctor.plan.plan import Wish
    from attn_doctor.policy.call import Call

    options.one_of("--format", form, _plan.FORMATS)
    dry_run = dry_run or form == "sh"  # the script is what was asked for
    if not dry_run:
        _plan.refuse_imagined(offline, facts, what_if)
    if max_jobs is not None and max_jobs < 1:
        raise UsageError(f"--max-jobs {max_jobs}: expected 1 or more")
    needs.parse(need)
    call = Call(python=python, venv=venv, facts=facts, need=tuple(need))
    settings = _policy.merged(call, policy, no_policy or plan is not None)  # a saved plan was made under one
    allowed = settings.allowed if not source else None  # what the call asks for goes before what the policy allows
    _verdict.check_level(fail_on, ignore)
    wish = Wish(
        method=method,
        version=version,
        sources=tuple(source),
        allowed_sources=allowed.sources if allowed else (),
        allowed_by=allowed.said_at if allowed else None,
        trust=trust,
        pre_releases=not no_pre,
        max_jobs=max_jobs,
        needs=settings.need,
        required=tuple(names.backend(one) for one in require),
        fail_on=fail_on,
        ignored=tuple(ignore),
    )
    if plan is not None and (name or wish != Wish()):
        raise UsageError("--plan says what to do: it cannot go with a backend or with options of a new plan")
    if plan == facts == "-":
        raise UsageError("--plan and --facts cannot both read standard input")
    backend = names.backend(name) if name else None
    kept = "standard input" if plan == "-" else plan or ""
    wanted = saved.decode(options.read_document(plan), kept) if plan else None
    if not dry_run:
        _change.put_back_first(settings.python, settings.venv, by_policy=False)
    found = _policy.facts(settings, call, what_if)
    if not dry_run and _change.recovered(found):
        found = _policy.facts(settings, call, [])

    def make() -> Plan:
        return saved.still_true(wanted, found, kept) if wanted else wishes.plan(found, backend, wish)

    one = make()
    if options.say_fault():
        one = make()  # the catalogue changed on the way
    given: dict[str, object] = {
        "--plan": plan,
        "--python": python,
        "--venv": venv,
        "--facts": facts,
        "--what-if": what_if,
        "--policy": policy,
        "--no-policy": no_policy,
    }
    again = _again(name, wish, given) if dry_run else None
    text = _plan.rendered(one, form, verbose=verbose, call=again, stale=form == "text" and _is_stale(one))
    options.write(text, output, exact=form != "text")
    if dry_run:
        return 0 if one.possible else 1
    return _plan.carried_out(one, yes, lambda: _policy.facts(settings, call, []), verbose)


def _is_stale(one: Plan) -> bool:
    """Whether the catalogue that it was made from is old."""
    from attn_doctor.knowledge.freshness import is_stale

    return is_stale("catalogue", one.catalogue or options.today(), options.today())


def _again(name: str | None, wish: Wish, given: dict[str, object]) -> str:
    """The call without what shapes its output: options with the values that were given."""
    words = ["attn-doctor", "install", *([name] if name else []), "--dry-run"]
    of_the_plan: dict[str, object] = {
        "--method": wish.method if wish.method != "auto" else None,
        "--version": wish.version,
        "--source": list(wish.sources),
        "--trust": wish.trust if wish.trust != ANY else None,
        "--no-pre": not wish.pre_releases,
        "--max-jobs": wish.max_jobs,
    }
    of_the_verdict: dict[str, object] = {
        "--need": list(wish.needs),
        "--require": list(wish.required),
        "--fail-on": wish.fail_on,
        "--ignore": list(wish.ignored),
    }
    return _plan.again(words, of_the_plan | given | of_the_verdict)
