"""Walking through a Dockerfile: what is there, as far as it can be known, when each command runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from attn_doctor.plan.dockerfile import shell
from attn_doctor.plan.dockerfile.base import Image, image
from attn_doctor.plan.dockerfile.parse import Instruction
from attn_doctor.plan.dockerfile.pip import Installation, Requirement, apt_packages, installation
from attn_doctor.plan.dockerfile.shell import Command
from attn_doctor.plan.dockerfile.torches import Torch, torch_cuda, torch_version

TOOLKIT_PACKAGE = r"(?a)(?:cuda|cuda-toolkit|cuda-nvcc|cuda-compiler|cuda-minimal-build)-(\d+)-(\d+)"
RUNFILE = r"(?a)(?:.*/)?cuda_(\d+\.\d+)[\w.]*\.run"
ALPINE_TORCH = r"(?a)py3-(?:py)?torch(?:[=<>~@].*)?"  # built by the distribution itself
OTHER_PYTHONS = ("conda", "mamba", "micromamba", "pixi", "pyenv", "poetry", "rye", "pdm")
WHERE_PACKAGES_ARE = ("site-packages", "dist-packages", "venv", "conda", "/usr/local", "/opt", "/root", "/home")
COMPILED_PACKAGES = ("flash-attn", "flash-attn-3", "xformers", "sageattention")
MANAGED = "EXTERNALLY-MANAGED"  # PEP 668: the file that keeps pip out
SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash", "/usr/bin/bash")


class Extension(msgspec.Struct, frozen=True):
    """A compiled attention package, and the torch it was installed beside."""

    name: str
    line: int
    torch: Torch


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as it is at one place of the file. None: not known."""

    image: Image
    line: int
    """Of the FROM that names an image."""
    arch: str
    environment: dict[str, str] = {}
    exported: frozenset[str] = frozenset()
    """Of these, what a shell has set."""
    python: str | None = None
    glibc: str | None = None
    nvcc: str | None = None
    has_nvcc: bool | None = None
    torch: Torch | None = None
    extension: Extension | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A command, and the stage before it has run."""

    stage: Stage
    line: int
    command: Command
    installs: Installation | None = None


class Walk(msgspec.Struct, frozen=True):
    """Everything that happens, and the stage that is left in the end."""

    events: tuple[Event, ...]
    last: Stage


def walk(instructions: Sequence[Instruction], arch: str) -> Walk:
    """Follow every stage, each from its base on."""
    given: dict[str, str] = {}
    named: dict[str, Stage] = {}
    events: list[Event] = []
    stage: Stage | None = None
    name, count = "", -1
    for one in instructions:
        if one.name == "FROM":
            stage, name = _from(one, given, named, arch)
            count += 1
        elif stage is None:
            given.update(_arguments(one.text, given, given))
        elif one.name == "RUN":
            for event in _events(one, stage):
                events.append(event)
                stage = _after(event)
        else:
            stage = _changed(one, stage, given, named)
        if stage is not None:
            named[name] = named[str(count)] = stage
    if stage is None:
        raise AssertionError("parse() lets no file through without FROM")
    return Walk(tuple(events), stage)


def _from(one: Instruction, given: dict[str, str], named: dict[str, Stage], arch: str) -> tuple[Stage, str]:
    words = shell.substituted(one.text, given).split()
    reference = words[0].strip("\"'") if words else ""
    name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""  # noqa: PLR2004 - IMAGE AS NAME
    if reference.lower() in named:
        return named[reference.lower()], name
    platform = one.flags.get("platform", "")
    arch = "aarch64" if "arm64" in platform else "x86_64" if "amd64" in platform else arch
    base = image(reference)
    torch = Torch(base.torch, base.cuda, one.line) if base.torch else None
    stage = Stage(
        image=base,
        line=one.line,
        arch=arch,
        python=base.python,
        glibc=base.glibc,
        nvcc=base.cuda if base.has_nvcc else None,
        has_nvcc=base.has_nvcc,
        torch=torch,
    )
    return stage, name


def _changed(one: Instruction, stage: Stage, given: dict[str, str], named: dict[str, Stage]) -> Stage:
    """After an instruction that is no RUN."""
    if one.name == "ENV":
        values = _environment(one.text, stage.environment)
        return msgspec.structs.replace(stage, environment=stage.environment | values)
    if one.name == "ARG":
        values = _arguments(one.text, stage.environment, given)
        return msgspec.structs.replace(stage, environment=values | stage.environment)
    if one.name in ("COPY", "ADD") and "from" in one.flags:
        return _copied(one, stage, named.get(one.flags["from"].lower()))
    return stage


def _copied(one: Instruction, stage: Stage, source: Stage | None) -> Stage:
    """What comes from another stage or image comes with what is in it; of a foreign image that is not known."""
    paths = one.text if one.words is None else " ".join(one.words)
    if "cuda" in paths:
        nvcc, has = (source.nvcc, source.has_nvcc) if source else (None, None)
        stage = msgspec.structs.replace(stage, nvcc=nvcc, has_nvcc=has)
    if any(part in paths for part in WHERE_PACKAGES_ARE):
        # an interpreter may come along
        python = stage.python if source and source.python == stage.python else None
        torch = source.torch if source and source.torch else stage.torch
        extension = source.extension if source else None
        stage = msgspec.structs.replace(stage, python=python, torch=torch, extension=extension or stage.extension)
    return stage


def _environment(text: str, known: dict[str, str]) -> dict[str, str]:
    """Of `NAME=value ...`, or of the old `NAME value`."""
    first = text.split(maxsplit=1)
    if first and "=" not in first[0]:
        return {first[0]: shell.substituted(first[1], known) if len(first) > 1 else ""}
    return _pairs(text, known)


def _arguments(text: str, known: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """ARG: with its default; without one, what stands before the first FROM."""
    found = _pairs(text, known)
    for name in text.split():
        if "=" not in name and name in given:
            found.setdefault(name, given[name])
    return found


def _pairs(text: str, known: dict[str, str]) -> dict[str, str]:
    words = next(iter(shell.commands(f"env-of {text}", known)), None)
    pairs = (word.partition("=") for word in (words.words[1:] if words else ()))
    return {name: value for name, is_set, value in pairs if is_set}


def _events(one: Instruction, stage: Stage) -> Iterator[Event]:
    """Each command of a RUN with the stage that the ones before it left."""
    for command in _texts(one, stage.environment):
        installs = installation(command, stage.environment)
        event = Event(stage=stage, line=one.line_of(command.offset), command=command, installs=installs)
        yield event
        stage = _after(event)


def _texts(one: Instruction, known: dict[str, str]) -> Iterator[Command]:
    if one.words is not None:
        if len(one.words) > 2 and one.words[0] in SHELLS and one.words[1].startswith("-"):  # noqa: PLR2004 - sh -c TEXT
            yield from (msgspec.structs.replace(found, offset=0) for found in shell.commands(one.words[2], known))
        elif one.words:
            yield Command(one.words, {}, 0)
        return
    is_script = one.text.lstrip().startswith("<<") or one.text.split("<<")[0].strip() in SHELLS
    body = "\n".join((one.text, *one.heredocs)) if is_script else one.text
    yield from shell.commands(body, known)


def _after(event: Event) -> Stage:
    """The stage once a command has run."""
    command, stage = event.command, event.stage
    if event.installs:
        return stage if event.installs.wheel_only else _installed(event.installs, event.line, stage)
    changed = _exported(command)
    if changed:
        exported = stage.exported | changed.keys()
        return msgspec.structs.replace(stage, environment=stage.environment | changed, exported=exported)
    packages = apt_packages(command)
    if packages:
        return _apt(packages, stage)
    program = command.words[0].rpartition("/")[2]
    if program == "apk" and any(re.fullmatch(ALPINE_TORCH, word) for word in command.words):
        return msgspec.structs.replace(stage, torch=Torch(None, None, event.line))
    if program in OTHER_PYTHONS or (program == "update-alternatives" and "python" in " ".join(command.words)):
        nvcc = any("nvcc" in word or "cuda" in word for word in command.words)
        stage = msgspec.structs.replace(stage, python=None, torch=stage.torch if not _names_torch(command) else None)
        return msgspec.structs.replace(stage, has_nvcc=None, nvcc=None) if nvcc else stage
    # `sh -c` hands a whole line over in one word
    spoken = (word for words in command.words for word in words.split())
    runfile = next((match for word in spoken if (match := re.fullmatch(RUNFILE, word))), None)
    if runfile and program in ("sh", "bash"):
        return msgspec.structs.replace(stage, has_nvcc=True, nvcc=runfile[1])
    python = _python(command)
    return msgspec.structs.replace(stage, python=python or None) if python is not None else stage


def _exported(command: Command) -> dict[str, str]:
    """What a command changes for those after it; kept beyond its RUN too, where it is only too little that is said."""
    words = command.words
    if words[0] == "export":
        return {name: value for name, is_set, value in (word.partition("=") for word in words[1:]) if is_set}
    if words[0] in (".", "source") and "activate" in words[-1]:
        return {"VIRTUAL_ENV": words[-1]}
    if any(MANAGED in word or "break-system-packages" in word for word in words):
        return {"PIP_BREAK_SYSTEM_PACKAGES": "1"}
    return {}


def _names_torch(command: Command) -> bool:
    return any(word.partition("=")[0] in ("torch", "pytorch") for word in command.words)


def _python(command: Command) -> str | None:
    """The Python of an environment that is made here: '' where it is not known, None where none is made."""
    words = command.words
    made = re.fullmatch(r"(?a)(?:.*/)?python(3(?:\.\d+)?)", words[0])
    if made and words[1:3] == ("-m", "venv") and "." in made[1]:
        return made[1]
    if words[:2] in (("uv", "venv"), ("uv", "sync"), ("uv", "python")):
        named = [word for word in words if re.fullmatch(r"(?a)(?:--python=|-p=)?3\.\d+(\.\d+)?", word)]
        return ".".join(named[0].rpartition("=")[2].split(".")[:2]) if named else ""
    return None


def _apt(packages: Sequence[str], stage: Stage) -> Stage:
    for package in packages:
        toolkit = re.fullmatch(TOOLKIT_PACKAGE, package)
        if toolkit:
            stage = msgspec.structs.replace(stage, has_nvcc=True, nvcc=f"{toolkit[1]}.{toolkit[2]}")
        elif package in ("cuda", "cuda-toolkit", "nvidia-cuda-toolkit"):
            stage = msgspec.structs.replace(stage, has_nvcc=True, nvcc=None)
        elif re.fullmatch(r"(?a)python3\.\d+", package) and package.removeprefix("python") != stage.python:
            stage = msgspec.structs.replace(stage, python=None)
    return stage


def _installed(inst: Installation, line: int, stage: Stage) -> Stage:
    wanted = inst.wanted("torch")
    if wanted and not already_there(inst, wanted, stage):
        stage = msgspec.structs.replace(stage, torch=Torch(torch_version(wanted), torch_cuda(inst, stage.arch), line))
    if any(one.name.startswith(("nvidia-cuda-nvcc", "cuda-toolkit")) for one in inst.requirements):
        stage = msgspec.structs.replace(stage, has_nvcc=None, nvcc=None)
    built = next((one for one in inst.requirements if one.name in COMPILED_PACKAGES), None)
    if built and stage.torch:
        stage = msgspec.structs.replace(stage, extension=Extension(built.name, line, stage.torch))
    return stage


def already_there(inst: Installation, wanted: Requirement, stage: Stage) -> bool:
    """`pip install torch` where there is one does nothing, unless it is to be the newest."""
    if stage.torch is None or wanted.url:
        return False
    if not wanted.specifier:
        return not inst.has("--upgrade")
    return wanted.exact is not None and wanted.exact == stage.torch.version
