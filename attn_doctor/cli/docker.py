"""attn-doctor docker."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from attn_doctor.cli import _policy, _verdict, options
from attn_doctor.errors import BadInput, UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.plan.container import Container
    from attn_doctor.policy.call import Call

DOCKERFILE_LIMIT_BYTES = 1 << 20
IMAGE_NAME = r"(?a)[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
LONGEST_NAME = 255

Name = Annotated[
    str | None,
    typer.Argument(metavar="[BACKEND]", help="flash_attention_2, fa3, xformers ...  [default: flash_attention_2]"),
]


def docker(
    name: Name = None,
    run: Annotated[bool, typer.Option("--run", help="The run line alone.")] = False,
    dockerfile: Annotated[
        bool, typer.Option("--dockerfile", help="The Dockerfile alone: attn-doctor docker --dockerfile > Dockerfile.")
    ] = False,
    image: Annotated[
        str | None, typer.Option("--image", metavar="NAME", help="The name that the built image gets.")
    ] = None,
    torch: Annotated[
        str | None, typer.Option("--torch", metavar="X", help="With this torch: 2.8, 2.8.0 or 2.8.0+cu128.")
    ] = None,
    check: Annotated[
        str | None,
        typer.Option("--check", metavar="FILE", help="Judge this Dockerfile instead (-: standard input)."),
    ] = None,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    facts: options.FactsFile = None,
    what_if: options.WhatIfs = [],  # noqa: B006 - typer makes a new list for every call
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
    """Print a Dockerfile that fits driver, GPUs and torch, and the line to run it; or judge an existing one."""
    from attn_doctor.policy.call import Call

    options.one_of("--format", form, ("text", "json"))
    del offline  # everything it goes by is part of the package
    if check is not None:
        _refuse_beside_check(name, image, torch, alone=run or dockerfile)
        if check == facts == "-":
            raise UsageError("--check and --facts cannot both read standard input")
    elif form == "json" and (run or dockerfile):
        raise UsageError("--format json holds everything: it goes without --run and --dockerfile")
    elif run and dockerfile:
        raise UsageError("--run and --dockerfile each print one thing alone: give one")
    _check_image(image)
    judged = _verdict.is_asked(need, require, fail_on, ignore)
    text = _read(check) if check is not None else None
    backend = None if check is not None else _backend(name, torch)
    machine = _machine(Call(python=python, venv=venv, facts=facts), what_if, policy, no_policy)
    allowed = machine.allowed
    code = _verdict.verdict(machine.facts, backend, need, require, fail_on, ignore, allowed) if judged else 0
    if backend is None:
        _judge(text or "", check or "", machine, form, output, code)
    kind = "run" if run else "dockerfile" if dockerfile else form
    _choose(backend, machine, torch, image, kind, output, code)


def _machine(call: Call, what_ifs: list[str], policy: str | None, no_policy: bool) -> Machine:
    from attn_doctor.judgement.view import Machine

    settings = _policy.merged(call, policy, no_policy, _policy.WHEELS)
    return Machine(_policy.facts(settings, call, what_ifs), settings.allowed)


def _backend(name: str | None, torch: str | None) -> str:
    """What is asked for, refused before the machine is asked."""
    from attn_doctor.judgement import names
    from attn_doctor.plan import container

    if torch is not None:
        container.check_wish(torch)
    return names.backend(name or container.DEFAULT)


def _choose(
    backend: str, machine: Machine, torch: str | None, image: str | None, form: str, output: str | None, code: int
) -> NoReturn:
    from attn_doctor.plan import container
    from attn_doctor.reporters import _docker

    chosen = container.choose(machine, backend, torch, image)
    if options.say_fault():
        chosen = container.choose(machine, backend, torch, image)  # the catalogue changed on the way
    if chosen.dockerfile is None and form in ("run", "dockerfile"):
        _complain(chosen)
    render = {"json": _docker.document, "run": _docker.run, "dockerfile": _docker.dockerfile}.get(form, _docker.text)
    options.write(render(chosen), output, exact=form == "json")
    raise typer.Exit(code if chosen.dockerfile else 1)


def _complain(chosen: Container) -> NoReturn:
    """Nothing but the product goes to standard output: `> Dockerfile` must not fill it with a complaint."""
    from attn_doctor.reporters import _docker

    typer.echo(_docker.obstacles(chosen), err=True, nl=False)
    raise typer.Exit(1)


def _judge(text: str, file: str, machine: Machine, form: str, output: str | None, code: int) -> NoReturn:
    from attn_doctor.plan import dockerfile
    from attn_doctor.reporters import _docker

    found = dockerfile.judge(text, machine, "standard input" if file == "-" else file)
    exact = form == "json"
    options.write(_docker.document(found) if exact else _docker.judgement(found), output, exact=exact)
    raise typer.Exit(1 if found.findings else code)


def _refuse_beside_check(name: str | None, image: str | None, torch: str | None, alone: bool) -> None:
    if name is not None or image is not None or torch is not None or alone:
        raise UsageError("--check judges a file: it goes without BACKEND, --run, --dockerfile, --image and --torch")


def _check_image(image: str | None) -> None:
    if image is not None and (len(image) > LONGEST_NAME or not re.fullmatch(IMAGE_NAME, image)):
        raise UsageError(f"--image {image}: expected a name such as attention or team/attention:1")


def _read(file: str) -> str:
    named = "standard input" if file == "-" else file
    try:
        if file == "-":
            data = sys.stdin.buffer.read(DOCKERFILE_LIMIT_BYTES + 1) if sys.stdin else b""
        else:
            with open(file, "rb") as opened:
                data = opened.read(DOCKERFILE_LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        raise BadInput(f"cannot read {named}: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > DOCKERFILE_LIMIT_BYTES:
        raise BadInput(f"{named}: larger than {DOCKERFILE_LIMIT_BYTES >> 20} MiB: this is no Dockerfile")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{named}: not UTF-8 at byte {error.start}: this is no Dockerfile") from error
