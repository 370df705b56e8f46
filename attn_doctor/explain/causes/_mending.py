"""Commands that mend an installation, for the machine at hand where it is known, else by what the log says."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.errors import AttnDoctorError
from attn_doctor.explain.case import Case
from attn_doctor.judgement import binaries, commands
from attn_doctor.judgement.view import Machine


def pip(case: Case) -> str:
    """'pip install', as it is called there."""
    return commands.installer(case.machine) if case.machine else "pip install"


def name(case: Case) -> str:
    """The package that the log is about."""
    return case.package or "flash-attn"


def torch(case: Case) -> str:
    """'torch 2.8.0+cu128', as far as it is known."""
    machine = case.machine
    version = case.said.get("torch") or (machine.torch.version if machine and machine.torch else None)
    return f"torch {version}" if version else "the installed torch"


def has_torch(case: Case) -> Machine | None:
    """The machine, where its torch is known."""
    machine = case.machine
    return machine if machine is not None and machine.torch is not None else None


def anew(case: Case, package: str | None = None, *, there: bool = True) -> Iterator[str]:
    """The very file that fits this torch, in place of the one that is there (or was refused); else how to find it."""
    package = package or name(case)
    if package in PINS_TORCH:
        yield f"{pip(case)} --force-reinstall {package}   (brings along the one torch release that its files are for)"
        return
    if not there and case.plan is not None and case.plan.package == package:
        yield f"attn-doctor install {case.plan.backend}   ({case.plan.title})"
    machine = has_torch(case)
    command = _fitting(machine, package) if machine else None
    if machine is not None and command is not None:
        yield command + assumed(case, machine)
        return
    if package in CATALOGUED:
        system = " --platform win_amd64" if case.windows else ""
        yield f"attn-doctor wheels {package}{system}   (the published files that fit torch, CUDA, C++ ABI and Python)"
    if case.windows or package in NO_SOURCES:
        return
    first = f"pip uninstall -y {package}, then " if there else ""
    yield f"{first}{again(package)}   (compiles it against the torch that is installed)"


# their published files demand exactly one torch, and hours pass before they are compiled for another
PINS_TORCH = ("vllm",)
CATALOGUED = ("flash-attn", "flash-attn-3", "flash-attn-4", "xformers", "sageattention")
# what the package index has under these names is no source of the compiled package
NO_SOURCES = ("flash-attn-3", "flash-attn-4", "sageattention")


def again(package: str) -> str:
    """Built here and now: neither isolated, where another torch would be taken, nor from pip's cache."""
    return f"pip install --no-build-isolation --no-cache-dir --no-binary {package} --no-deps {package}"


def _fitting(machine: Machine, package: str) -> str | None:
    if package not in CATALOGUED:
        return None
    try:
        found = binaries.repair(machine, package)
    except AttnDoctorError:
        return None
    return next((command for command in found if "uninstall" not in command), None)


def for_old_glibc(case: Case, package: str) -> str | None:
    """A file for this torch whose name promises an older C library; those that promise nothing are what failed."""
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    machine = has_torch(case)
    if machine is None or package not in CATALOGUED:
        return None
    try:
        found = wheel_choice.fits(machine, next(iter(machine.nvidia), None), package)
    except AttnDoctorError:
        return None
    promising = (wheel for wheel in found if wheel.platform.startswith("manylinux"))
    wheel = next(promising, None)
    return commands.forced(commands.install_wheel(machine, wheel)) + assumed(case, machine) if wheel else None


def assumed(case: Case, machine: Machine) -> str:
    """What the command takes for granted, where neither the log nor the machine says it."""
    python = machine.python
    if python is None or python.executable or "python" in case.said:
        return ""
    return f"   (for Python {'.'.join(python.version.split('.')[:2])})"


def torch_anew(case: Case) -> str:
    """The command that brings the installed torch again, and with it the CUDA packages of the versions it demands."""
    machine = has_torch(case)
    command = commands.reinstall_torch(machine) if machine else None
    if command is not None:
        return command.replace(" --no-deps", "")
    version = case.said.get("torch")
    return f"{commands.forced(pip(case))} torch=={version or 'VERSION, the one that is installed'}"


def torch_for(case: Case) -> Iterator[str]:
    """A torch for this machine, by its GPUs and driver."""
    machine = case.machine
    if machine is not None and machine.nvidia and (command := commands.any_torch(machine)):
        yield command


def companions(case: Case) -> Iterator[str]:
    """The torchvision and torchaudio of the very release and build of the installed torch."""
    machine = has_torch(case)
    build = commands.installed_build(machine) if machine else None
    if machine is None or build is None:
        return
    from attn_doctor.knowledge import torch_builds

    pins = torch_builds.pins(build.torch)
    wanted = [f"{one}=={getattr(pins, one)}" for one in commands.COMPANIONS if pins and getattr(pins, one)]
    if wanted:
        index = f" --index-url {build.index_url}"
        yield f"{commands.installer(machine)} --no-deps --force-reinstall {' '.join(wanted)}{index}"


def activate(case: Case) -> str:
    """How a virtual environment is made and entered there."""
    return r"python -m venv .venv; .venv\Scripts\activate" if case.windows else VENV


VENV = "python3 -m venv .venv && . .venv/bin/activate"
