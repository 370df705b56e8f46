"""The read-only commands as tools of the Model Context Protocol.

Every tool is the command itself in a process of its own: the answer is what the command line prints, nothing is
remembered from call to call, and what goes wrong costs one call. A value reaches it as `--option=value`, so that none
is taken for an option; no tool has a way to what installs, writes a file or asks the network, and none runs a Python
that an argument, a policy or an environment leads to.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import anyio
import msgspec
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, Tool, ToolAnnotations
from pydantic import Field, ValidationError

from attn_doctor import __version__
from attn_doctor.cli import _arguments
from attn_doctor.cli.rule import text as rule_text
from attn_doctor.errors import UsageError
from attn_doctor.machine.target import RUN_NO_PYTHON
from attn_doctor.reporters._lines import hanging, printed

TIMEOUT_S = 300
# as `python -m attn_doctor`, which would look for every module in the working folder first: that is the project's
COMMAND = (
    "import sys;sys.path[:]=filter(None,sys.path);import runpy;runpy.run_module('attn_doctor',None,'__main__',True)"
)
MOST_TEXT = 16 << 20  # characters of a log
READ_ONLY = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
INSTRUCTIONS = """attn-doctor says which attention backends (sdpa, FlashAttention, xFormers ...) run on this machine, \
which could, and why the others cannot. Nothing here changes anything: what a plan or a fix says is for the user to \
run. Start with `check`; ask `rule` what a finding code means; `explain` takes the text of a failed install or build."""

Venv = Annotated[
    str | None,
    Field(description="A virtual environment to examine: its folder. Default: the one that is active, or ./.venv."),
]
Machine = Annotated[
    list[str] | None,
    Field(
        description="An imagined machine in place of this one, as KEY=VALUE from nothing:"
        " ['gpu=NVIDIA L4', 'torch=2.8.0', 'python=3.12', 'pkg.flash-attn=2.8.3'].",
    ),
]
WhatIf = Annotated[
    list[str] | None, Field(description="Facts of this machine to change first, as KEY=VALUE: ['torch=2.8.0+cu128'].")
]
Need = Annotated[
    list[str] | None,
    Field(description="What the model needs of its attention: ['dtype=bf16', 'head_dim=128', 'causal', 'gqa']."),
]
Backend = Annotated[
    str | None, Field(description="flash_attention_2, flash_attention_3, sdpa, xformers, sage_attention ...")
]
Json = dict[str, Any]


class Server(MCPServer[Any]):
    """The SDK's own takes arguments that a tool does not have, and refuses a value in the words of pydantic."""

    async def list_tools(self) -> list[Tool]:
        """With schemas that say what call_tool refuses."""
        return [
            one.model_copy(update={"input_schema": {**one.input_schema, "additionalProperties": False}})
            for one in await super().list_tools()
        ]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Raises ToolError with a sentence for each argument that is wrong."""
        schemas = {one.name: one.input_schema for one in await self.list_tools()}
        if name not in schemas:
            raise ToolError(_arguments.unknown_tool(name, schemas))
        if wrong := [*_arguments.unfit(name, schemas[name], arguments)]:
            raise ToolError("\n".join(wrong))
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            names = {str(one["loc"][0]) for one in error.__cause__.errors() if one["loc"]}
            said = [*_arguments.refused(schemas[name], arguments, names)]
        raise ToolError("\n".join(said) or f"{name}: an argument cannot be read")


server = Server("attn-doctor", version=__version__, instructions=INSTRUCTIONS, log_level="WARNING", subscriptions=False)


@server.tool(annotations=READ_ONLY)
async def check(venv: Venv = None, machine: Machine = None, what_if: WhatIf = None, need: Need = None) -> Json:
    """Which attention backends run here, what is wrong, and what to do: findings, backends, a recommendation."""
    return await _asked("check", _options(need=need, no_policy=True), venv, machine, what_if)


@server.tool(annotations=READ_ONLY)
async def resolve(
    backend: Backend = None,
    framework: Annotated[
        str | None, Field(description="In the words of: transformers, diffusers, vllm, sglang, axolotl ...")
    ] = None,
    venv: Venv = None,
    machine: Machine = None,
    what_if: WhatIf = None,
    need: Need = None,
) -> Json:
    """The backend to use: the first of a chain (flash_attention_2, sdpa, eager) that runs here, and why not others."""
    given = _options(need=need, no_policy=True, **{"for": framework})
    return await _asked("resolve", given, venv, machine, what_if, backend)


@server.tool(annotations=READ_ONLY)
async def install_plan(
    backend: Backend = None,
    venv: Venv = None,
    machine: Machine = None,
    what_if: WhatIf = None,
    need: Need = None,
    method: Annotated[
        Literal["auto", "wheel", "source", "hub", "docker"], Field(description="How it is to come in.")
    ] = "auto",
) -> Json:
    """The plan that would bring a backend in, step by step, with its commands. Nothing is installed."""
    given = _options(need=need, method=method, dry_run=True, no_policy=True)
    return await _asked("install", given, venv, machine, what_if, backend)


@server.tool(annotations=READ_ONLY)
async def repair_plan(venv: Venv = None, machine: Machine = None, what_if: WhatIf = None) -> Json:
    """The smallest plan that would mend what is broken in the environment. Nothing is changed."""
    return await _asked("repair", _options(dry_run=True, no_policy=True), venv, machine, what_if)


@server.tool(annotations=READ_ONLY)
async def wheels(
    backend: Annotated[str, Field(description="flash_attention_2, fa3, xformers, flashinfer ...")] = "fa2",
    venv: Venv = None,
    machine: Machine = None,
    what_if: WhatIf = None,
    limit: Annotated[int, Field(ge=1, le=200, description="At most so many files.")] = 20,
) -> Json:
    """Prebuilt wheels that fit: file names, addresses, digests; or the nearest misses and the tag that differs."""
    if backend.strip().lower() == "refresh":
        raise ToolError("refresh asks the network and writes a cache: it is for the command line")
    return await _asked("wheels", _options(limit=limit, no_policy=True), venv, machine, what_if, backend)


@server.tool(annotations=READ_ONLY)
async def explain(
    log: Annotated[str, Field(max_length=MOST_TEXT, description="The text that pip, nvcc, ninja or Python printed.")],
    venv: Venv = None,
    what_if: WhatIf = None,
) -> Json:
    """The root cause of a failed install, build or import, the line that proves it, and the fix."""
    target = [*_options(what_if=what_if), *_environment(venv)]
    # behind two dashes stands a command that explain would run: there are none here
    return await _answer(["explain", *target, "--offline", "--format=json", "-"], log.encode("utf-8", "replace"))


@server.tool(annotations=READ_ONLY)
async def rule(code: Annotated[str, Field(description="A finding code such as AD103.")]) -> Json:
    """What a finding code means, why it matters, how to mend it."""
    try:
        return {"code": code.strip().upper(), "text": rule_text(code.strip())}
    except UsageError as error:
        raise ToolError(f"{error.message}. {error.hint}") from error


@server.tool(annotations=READ_ONLY)
async def snippet(
    framework: Annotated[
        str, Field(description="transformers, diffusers, vllm, sglang, tensorrt-llm, llama.cpp, axolotl, nanogpt ...")
    ],
    backend: Backend = None,
    venv: Venv = None,
    machine: Machine = None,
    what_if: WhatIf = None,
    need: Need = None,
) -> Json:
    """The lines to paste so that a framework uses what runs here, and the check that it took effect."""
    return await _asked("snippet", _options(need=need, no_policy=True), venv, machine, what_if, framework, backend)


@server.tool(annotations=READ_ONLY)
async def docker(
    backend: Backend = None, venv: Venv = None, machine: Machine = None, what_if: WhatIf = None, need: Need = None
) -> Json:
    """A Dockerfile and a run line with this backend that fit driver and GPUs. Nothing is built or run."""
    return await _asked("docker", _options(need=need, no_policy=True), venv, machine, what_if, backend)


def serve() -> None:
    """Until the client goes away. Standard output is the protocol's alone."""
    gc.enable()  # a command that ends soon does without; this one stays
    server.run("stdio")


def listed() -> str:
    """The tools with their first lines, for people."""
    functions = (check, resolve, install_plan, repair_plan, wheels, explain, rule, snippet, docker)
    return printed(line for one in functions for line in hanging(f"{one.__name__:<13} ", inspect.getdoc(one) or ""))


def _options(**given: Sequence[str] | str | float | bool | None) -> list[str]:
    """['--need=causal', '--dry-run']: names with hyphens, a list once for each, what is not given left away."""
    found: list[str] = []
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            found.append(option)
        elif isinstance(value, list):
            found += [f"{option}={one}" for one in value]
        elif value not in (None, False):
            found.append(f"{option}={value}")
    return found


async def _asked(
    command: str,
    given: list[str],
    venv: str | None,
    machine: list[str] | None,
    what_if: list[str] | None,
    *words: str | None,
) -> Json:
    """The JSON of a command, about this machine or an imagined one. No word of it is an option."""
    target = _options(what_if=what_if)
    read = b""
    if machine:
        if venv:
            raise ToolError("machine imagines one: it goes without venv")
        code, read, said = await _run(["simulate", "--", *machine], b"")
        if code:
            raise ToolError(said)
        target.append("--facts=-")
    else:
        target += _environment(venv)
    named = [word for word in words if word]
    return await _answer([command, *given, *target, "--offline", "--format=json", "--", *named], read)


async def _answer(words: list[str], read: bytes) -> Json:
    code, out, said = await _run(words, read)
    try:
        answer: Json = msgspec.json.decode(out)
    except msgspec.DecodeError as error:
        raise ToolError(said or f"attn-doctor {words[0]} ended with {code} and answered nothing") from error
    return answer


def _environment(folder: str | None) -> list[str]:
    """The option for a folder whose files say what it is: of another, its interpreter would have to be run to know."""
    if folder is None:
        return []
    path = os.path.abspath(os.path.expanduser(folder))
    if os.path.isfile(os.path.join(path, "pyvenv.cfg")) or os.path.isdir(os.path.join(path, "conda-meta")):
        return [f"--venv={path}"]
    raise ToolError(f"{folder} is no virtual environment: there is no pyvenv.cfg in it")


async def _run(words: Sequence[str], read: bytes) -> tuple[int, bytes, str]:
    """Exit code, standard output, and what was said of it."""
    try:
        with anyio.fail_after(TIMEOUT_S):
            command = [sys.executable, "-c", COMMAND, *words]
            done = await anyio.run_process(command, input=read, check=False, env=os.environ | {RUN_NO_PYTHON: "1"})
    except TimeoutError as error:
        raise ToolError(f"attn-doctor {words[0]} did not answer within {TIMEOUT_S} s") from error
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip()
