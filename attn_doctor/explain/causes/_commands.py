"""Commands that several causes of builds end in: variables, the same build again, another toolkit, another compiler."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.explain.case import Case
from attn_doctor.explain.causes import _builds
from attn_doctor.judgement import commands, toolkit_choice
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major, major_minor, numbers

if TYPE_CHECKING:
    from attn_doctor.plan.toolkit import ToolkitWay

IN_A_CHECKOUT = ("setup.py install", "setup.py develop", "setup.py bdist_wheel", "setup.py build", "pip install -e .",
                 "pip install .", "pip install -v .", "pip install --no-build-isolation .")  # fmt: skip
SUBJECT = (
    r"(?:Building wheel for|Failed building wheel for|Failed to build|Building|ERROR: Failed to build) "
    r"[`'\"]?([A-Za-z][\w.-]*?)(?:==|@| |\(|`|'|$)"
)
NOT_PACKAGES = (
    "installable",
    "wheels",
    "wheel",
    "the",
    "extension",
    "CUDA",
    "CXX",
    "build",
    "with",
    "cuda",
    "editable",
)


def variables(case: Case, **values: str) -> str:
    """The line that sets them for what is started afterwards from the same terminal."""
    if case.windows:
        return "; ".join(f"$env:{name} = '{value}'" for name, value in values.items())
    return "export " + " ".join(f"{name}={_quoted(value)}" for name, value in values.items())


def _quoted(value: str) -> str:
    """With variables of the shell left to the shell."""
    return f'"{value}"' if "$" in value else shlex.quote(value)


def installer(case: Case) -> str:
    """'pip install', in the words of the target where that is known."""
    return commands.installer(case.machine) if case.machine is not None else "pip install"


def subject(case: Case) -> str:
    """The package that is built, with its release where the log says it."""
    if case.package in ("flash-attn", "xformers") and case.version:
        return f"{case.package}=={case.version}"
    if case.package in ("flash-attn", "xformers"):
        return case.package
    if found := case.log.matches(r"\bgit\+https?://[\w./@:%+#=-]{1,200}"):
        return found[0]
    for literal in ("Building ", "Failed to build ", "Failed building "):
        for _, found in case.log.find(literal, SUBJECT):
            if found and found[1] not in NOT_PACKAGES:
                return found[1]
    return "flash-attn" if case.package is None and "setup.py" not in case.log.text else "."


def again(case: Case, **values: str) -> str:
    """The same build once more, in the environment at hand, with these variables."""
    checkout = any(words in case.log.text for words in IN_A_CHECKOUT)
    what = "." if checkout else subject(case)
    command = f"{installer(case)} --no-build-isolation {what}"
    if not values:
        return command
    if case.windows:
        return f"{variables(case, **values)}; {command}"
    return f"{' '.join(f'{name}={_quoted(value)}' for name, value in values.items())} {command}"


def torch_cuda(case: Case) -> str | None:
    """The CUDA of the torch at hand, as major.minor."""
    machine = case.machine
    if machine is None or machine.torch is None or machine.torch.cuda is None:
        return None
    return major_minor(machine.torch.cuda)


def wanted_cuda(case: Case, least: str | None = None) -> str | None:
    """The CUDA of a toolkit that suits torch and the GPUs, and is at least so new; None where torch is not known."""
    runtime = torch_cuda(case)
    if runtime is None or case.machine is None:
        return least
    gcc = case.machine.compiler.version if case.machine.compiler and not case.windows else None
    chosen = toolkit_choice.wanted(case.machine, runtime, case.machine.capabilities, gcc) or runtime
    if least is None or numbers(chosen) >= numbers(least):
        return chosen
    return least


def toolkit(case: Case, cuda: str | None) -> Iterator[str]:
    """How a toolkit of that CUDA comes to stand beside everything else, without touching the driver."""
    if cuda is None:
        return
    if case.windows:
        yield from _windows_toolkit(cuda)
        return
    one = case.planned(case.backend, "source")
    if one is not None and one.build is not None and any(step.kind == "toolkit" for step in one.steps):
        yield f"attn-doctor install {one.backend} --method source   ({one.title})"
        return
    way = _way(case, cuda)
    if way is None:
        yield f"the CUDA {cuda} toolkit of NVIDIA's CUDA Toolkit Archive, without its driver; then CUDA_HOME set to it"
    else:
        shown = " && ".join(shlex.join(step.command) for step in way.steps)
        yield f"{shown} && export CUDA_HOME={_home(way)}   ({way.title})"


def _home(way: ToolkitWay) -> str:
    return way.home if way.home.startswith("/") else f'"$PWD/{way.home}"'


def _way(case: Case, cuda: str) -> ToolkitWay | None:
    from attn_doctor.machine import whatif
    from attn_doctor.plan import toolkit as plan_toolkit

    machine = case.machine
    if machine is None or not toolkit_choice.served(machine):
        machine = Machine(whatif.simulate([f"arch={case.said['arch']}"] if "arch" in case.said else []))
    minor = _obtainable(machine, cuda)
    found = [way for way in plan_toolkit.ways(machine, minor, f"cuda-{minor}") if way.steps]
    return next((way for way in found if way.name in ("wheels", "conda")), found[0] if found else None)


def _obtainable(machine: Machine, cuda: str) -> str:
    """That CUDA, or the next of its major that can be had."""
    listed = [one for one in toolkit_choice.obtainable(machine) if major(one) == major(cuda)]
    return next((one for one in listed if numbers(one) >= numbers(cuda)), major_minor(cuda))


def _windows_toolkit(cuda: str) -> Iterator[str]:
    minor = major_minor(cuda)
    folder = rf"C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v{minor}"
    yield f"install CUDA Toolkit {minor} from NVIDIA's CUDA Toolkit Archive (custom, without the driver), then:"
    yield f"$env:CUDA_HOME = '{folder}'; $env:CUDA_PATH = $env:CUDA_HOME"


def another_torch(case: Case, cuda: str) -> str | None:
    """The torch for that toolkit's CUDA, where the same release is published for it."""
    from attn_doctor.judgement import torch_choice

    machine = case.machine
    if machine is None or machine.torch is None:
        return None
    fit = [build for build in torch_choice.suitable(machine) if build.cuda and major(build.cuda) == major(cuda)]
    nearest = torch_choice.nearest(machine, fit)
    return commands.install_torch(machine, nearest) if nearest else None


def no_compiler_needed(case: Case) -> Iterator[str]:
    """A wheel by the planner; else how to look for one."""
    found = list(_builds.a_wheel(case))
    yield from found or [_builds.or_search(case)]
