"""attn-doctor install."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import NotCarriedOut, UsageError

FORMATS = ("text", "json", "sh")
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
    form: options.PlanFormat = "text",
    output: options.Output = None,
    offline: options.Offline = False,
    verbose: options.Verbose = False,
) -> int:
    """Plan how a backend comes into the target environment: the wheel, the build, or the shortest way there.

    It answers from the facts and the catalogue, without network. `--format sh` prints a script that does what the plan
    says, stops on the first error and puts the environment back.
    """
    from attn_doctor.judgement import names, wheel_query
    from attn_doctor.judgement import need as needs
    from attn_doctor.knowledge.freshness import is_stale
    from attn_doctor.plan import choose, saved
    from attn_doctor.plan.request import Request
    from attn_doctor.reporters import _plan, _script

    options.one_of("--format", form, FORMATS)
    del offline, yes  # a plan is made without network
    if max_jobs is not None and max_jobs < 1:
        raise UsageError(f"--max-jobs {max_jobs}: expected 1 or more")
    if plan is not None and (
        name or version or source or method != "auto" or max_jobs or need or no_pre or trust != ANY
    ):
        raise UsageError("--plan says what to do: it cannot go with a backend or with options of a new plan")
    if plan == facts == "-":
        raise UsageError("--plan and --facts cannot both read standard input")
    backend = names.backend(name) if name else None
    asked = wheel_query.Asked(version=version, sources=tuple(source), trust=trust, pre=not no_pre)
    request = Request(method=method, asked=asked, max_jobs=max_jobs, needs=tuple(need))
    parsed = needs.parse(need)
    wanted = saved.decode(options.read_document(plan), plan) if plan else None
    again = _again(
        name,
        {
            "--method": method if method != "auto" else None,
            "--version": version,
            "--source": source,
            "--trust": trust if trust != ANY else None,
            "--no-pre": no_pre,
            "--max-jobs": max_jobs,
            "--plan": plan,
            "--python": python,
            "--venv": venv,
            "--facts": facts,
            "--what-if": what_if,
            "--need": need,
        },
    )
    found = options.gather_facts(python, venv, facts, what_if)
    one = saved.still_true(wanted, found) if wanted else choose.plan(found, backend, request, parsed)
    if options.say_fault() and not wanted:
        one = choose.plan(found, backend, request, parsed)  # the catalogue changed on the way
    if form == "sh":
        if one.os == "windows":
            raise UsageError(
                "--format sh: there is no POSIX shell on Windows", "Take the commands of the text instead."
            )
        text = _script.script(one)
    elif form == "json":
        text = _plan.document(one)
    else:
        stale = is_stale("catalogue", one.catalogue or options.today(), options.today())
        text = _plan.text(one, verbose=verbose, call=again, stale=stale)
    options.write(text, output, exact=form != "text")
    if not dry_run and one.possible and one.steps:
        raise NotCarriedOut
    return 0 if one.possible else 1


def _again(name: str | None, given: dict[str, object]) -> str:
    """The call without what shapes its output: options with the values that were given."""
    words = ["attn-doctor", "install", *([name] if name else []), "--dry-run"]
    for option, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            if one is True:
                words.append(option)
            elif one not in (None, False):
                words += [option, str(one)]
    return shlex.join(words)
