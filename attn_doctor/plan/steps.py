"""The steps that plans are made of, each in the words of the target's own installer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from attn_doctor.judgement import commands
from attn_doctor.judgement.backends.triton import version as triton_version
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.plan.plan import Step

# readings that decide what a plan does; memory and disk are looked at again when it is carried out
DECIDING = (
    *("compiler", "driver", "extensions", "gpus", "libc", "ninja", "packages"),
    *("python", "system", "toolkits", "tools", "torch"),
)
# what is handed to the target's interpreter; in double quotes only, for a shell takes it in single ones
LINKED_COPY = "import os, shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], symlinks=True, copy_function=os.link)"
# every distribution once, but for pip and those whose names begin as one of the arguments
PINS = (
    "import importlib.metadata as m, sys; "
    'every = [(str(d.metadata["Name"]).lower().replace("_", "-"), d.version) for d in m.distributions()]; '
    'out = (*sys.argv[1:], "pip"); kept = {n: v for n, v in reversed(every) if v and not n.startswith(out)}; '
    'print(*(n + "==" + v for n, v in sorted(kept.items())), sep="\\n")'
)
# torch, what is built against one torch, and the CUDA libraries that each release demands
TORCH_FAMILY = ("torch", "triton", "pytorch-triton", "nvidia-", "cuda-", "flash-attn", "xformers", "sage", "spas-sage")
DIGEST_CHECK = (
    'import hashlib, sys; found = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(); '
    'sys.exit(None if found == sys.argv[2] else sys.argv[1] + ": sha256 is " + found + ", not " + sys.argv[2])'
)


def digest(machine: Machine) -> str:
    """Of the facts that a plan rests on: another machine, or this one changed, has another."""
    readings = {name: machine.facts.readings.get(name) for name in DECIDING}
    return sha256(msgspec.json.encode(readings, order="deterministic")).hexdigest()


def python(machine: Machine) -> str:
    """The target's interpreter; `python` on a machine that is imagined."""
    return machine.python.executable if machine.python and machine.python.executable else "python"


def of_target(machine: Machine) -> tuple[str, ...]:
    """What names the target to attn-doctor itself; nothing on a machine that is imagined."""
    return ("--python", python(machine)) if machine.python and machine.python.executable else ()


def uses_uv(machine: Machine) -> bool:
    """Whether uv installs there: the target has no pip of its own."""
    return commands.installer(machine).startswith("uv ")


def installer(machine: Machine, verb: str = "install") -> tuple[str, ...]:
    """('.venv/bin/python', '-m', 'pip', 'install') and its like."""
    if uses_uv(machine):
        return ("uv", "pip", verb, "--python", python(machine))
    return (python(machine), "-m", "pip", verb)


def folder(machine: Machine) -> str:
    """Where files are fetched to: attn-doctor's own part of the cache."""
    cache = next((place.path for place in machine.disk if place.purpose == "cache"), None)
    return f"{cache}/attn-doctor/files" if cache else "attn-doctor-files"


def path(machine: Machine, *names: str) -> str:
    """A path below that folder."""
    return "/".join((folder(machine), *names))


def kept(machine: Machine) -> tuple[str, str] | None:
    """What is kept aside and where: the environment, or the packages of one that holds more than packages."""
    target = machine.python
    if target is None or not target.prefix:
        return None
    where = target.prefix
    if target.kind == "system":
        where = _site(machine) or ""
    return (where, f"{where}.before-{digest(machine)[:8]}") if where else None


def _site(machine: Machine) -> str | None:
    if machine.torch and machine.torch.location:
        return machine.torch.location.replace("\\", "/").rpartition("/")[0]
    return next((one.location for one in machine.packages.values() if one.location), None)


def keep(machine: Machine) -> tuple[Step, ...]:
    """The environment as it is now, kept beside itself in hard links: it takes no room and a second or two."""
    places = kept(machine)
    if places is None:
        return ()
    here, there = places
    plain = ("cp", "-al", here, there)
    return (
        Step(
            id="keep",
            title="keep the environment as it is now",
            kind="keep",
            command=plain if machine.os == "linux" else (python(machine), "-c", LINKED_COPY, here, there),
            undo=_put_back(here, there),
        ),
    )


def _put_back(here: str, there: str) -> str:
    failed = shlex.quote(there.replace(".before-", ".failed-"))
    return f"mv {shlex.quote(here)} {failed} && mv {shlex.quote(there)} {shlex.quote(here)} && rm -rf {failed}"


def pip_first(machine: Machine) -> tuple[Step, ...]:
    """A pip, where the target has none and no uv is at hand."""
    if not machine.python or not machine.python.executable or {"pip", "uv"} & machine.tools.keys():
        return ()
    command = (python(machine), "-m", "ensurepip", "--upgrade")
    return (Step(id="pip", title="bring pip into the environment", kind="install", command=command),)


def pin(machine: Machine, *, but_torch: bool = False) -> tuple[Step, str]:
    """What is installed, as a constraint that nothing may break; and the file that holds it.

    `but_torch`: without torch and what moves with it.
    """
    file = path(machine, "installed.txt")
    command = (python(machine), "-c", PINS, *(TORCH_FAMILY if but_torch else ()))
    return Step(id="pin", title="write down what must not move", kind="pin", command=command, output=file), file


def install(machine: Machine, title: str, *arguments: str, step: str = "install") -> Step:
    """An installation into the target."""
    return Step(id=step, title=title, kind="install", command=(*installer(machine), *arguments))


def needed(machine: Machine, names: Sequence[str], title: str) -> tuple[Step, ...]:
    """What a package cannot do without and is not there yet; each comes alone."""
    lacking = [name for name in names if name not in machine.packages]
    if not lacking:
        return ()
    return (install(machine, f"{title}: {', '.join(lacking)}", "--no-deps", *lacking, step="needs"),)


def torch(machine: Machine, build: Build) -> tuple[Step, ...]:
    """Another torch, and what moves with it; everything else stays where it is."""
    wanted, index = commands.torch_requirements(machine, build)
    at = ("--index-url", index) if index else ()
    title = f"install torch {build.torch}+{build.variant}"
    if not machine.packages and machine.torch is None:
        return (install(machine, title, *wanted, *at, step="torch"),)
    pinned, file = pin(machine, but_torch=True)
    return pinned, install(machine, title, "--constraint", file, *wanted, *at, step="torch")


def triton_of(machine: Machine, torch_version: str | None = None) -> tuple[str, str] | None:
    """Name and version of the Triton that a torch (default: the installed one) demands; None where not known."""
    of = torch_version or (machine.torch.version if machine.torch else None)
    pins = torch_builds.pins(of) if of else None
    if pins is None or pins.triton is None:
        return None
    return ("triton-windows" if machine.os == "windows" else "triton"), pins.triton


def triton(machine: Machine, torch_version: str | None = None) -> tuple[Step, ...]:
    """The Triton of that torch, where there is none and torch itself brings none."""
    wanted = lacking_triton(machine, torch_version)
    if wanted is None:
        return ()
    requirement = "==".join(wanted)
    return (install(machine, f"install {requirement}", "--no-deps", requirement, step="triton"),)


def lacking_triton(machine: Machine, torch_version: str | None = None) -> tuple[str, str] | None:
    """What of it has to be installed by name: on Linux a torch that comes anew brings its own."""
    if triton_version(machine) is not None or (torch_version is not None and machine.os == "linux"):
        return None
    return triton_of(machine, torch_version)


def verify(machine: Machine, backend: str, needs: Sequence[str]) -> Step:
    """The probe is believed, not the exit status of an installer."""
    asked = tuple(part for need in needs for part in ("--need", need))
    command = (
        "attn-doctor",
        "check",
        *of_target(machine),
        "--deep",
        *asked,
        "--fail-on",
        "never",
        "--require",
        backend,
    )
    return Step(id="verify", title=f"verify: load it, and judge {backend} again", kind="verify", command=command)
