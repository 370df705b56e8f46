"""Commands in the words of the target's own installer."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attn_doctor.judgement import torch_choice
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.extras import with_extra
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.knowledge.versions import public

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.wheels.catalogue import Wheel

# which companions must move with torch, and the attribute of Pins that holds their version
COMPANIONS = ("torchvision", "torchaudio")


def installer(machine: Machine) -> str:
    """'python -m pip install' of the target, or uv where the target has no pip."""
    python = machine.python
    if python is None or not python.executable:
        return "pip install"
    if "pip" not in machine.tools and "uv" in machine.tools:
        return f"uv pip install --python {shlex.quote(python.executable)}"
    return f"{shlex.quote(python.executable)} -m pip install"


def index_option(machine: Machine) -> str:
    """How the index is named that takes the place of all others. uv lets UV_DEFAULT_INDEX win over --index-url."""
    return "--default-index" if installer(machine).startswith("uv ") else "--index-url"


def torch_requirements(machine: Machine, build: Build) -> tuple[list[str], str | None]:
    """What brings this torch, with the companions that are installed and must move along; and the index, if any."""
    # from an index of its own the local part is named: pip takes an installed 2.8.0+cpu for 2.8.0 and would do nothing.
    # The package index's own file has no local part in its name, so of that build nothing closer can be written:
    # '==2.8.0' takes 2.8.0+cu126 too, where the user's own settings add an index that has it.
    same = machine.torch is not None and machine.torch.version.partition("+")[0] == build.torch
    own_index = same or not build.on_pypi
    suffix = f"+{build.variant}" if own_index else ""
    wanted = [f"torch=={build.torch}{suffix}"]
    pins = torch_builds.pins(build.torch)
    for name in COMPANIONS:
        if name in machine.packages:
            pinned = getattr(pins, name, None)
            wanted.append(f"{name}=={pinned}{suffix}" if pinned else name)
    return wanted, build.index_url if own_index else None


def install_torch(machine: Machine, build: Build) -> str:
    """The command that brings this torch, with the companions that are installed and must move along."""
    wanted, index = torch_requirements(machine, build)
    return f"{installer(machine)} {' '.join(wanted)}{f' {index_option(machine)} {index}' if index else ''}"


def any_torch(machine: Machine) -> str | None:
    """A torch for this machine: by its GPUs and driver, else what the package index has; None where there is none."""
    if machine.libc and machine.libc.family == "musl":
        return None
    move = torch_choice.best(machine) if machine.nvidia else None
    if move:
        return install_torch(machine, move)
    return f"{installer(machine)} {'--upgrade ' if machine.torch else ''}torch"


def install_wheel(machine: Machine, wheel: Wheel, moved: Build | None = None) -> str:
    """The command that brings this very file and leaves torch alone. `moved`: the torch that came just before."""
    if wheel.platform == "any":
        # pure Python with needs of its own: naming the installed torch holds it where it is
        have = moved.torch if moved else machine.torch.version if machine.torch else None
        cuda = moved.cuda if moved else cuda_of_torch(machine)
        wanted = f"{with_extra(wheel.package, wheel.version, cuda)}=={wheel.version}"
        return f"{installer(machine)} {shlex.quote(wanted)}{f' torch=={have}' if have else ''}"
    again = "--force-reinstall " if wheel.package in machine.packages else ""  # pip takes another build for the same
    einops = " einops" if wheel.package.startswith("flash-attn") and "einops" not in machine.packages else ""
    if wheel.url:
        return f"{installer(machine)} {again}--no-deps {wheel.url.replace('+', '%2B')}{einops}"
    return f"{installer(machine)} {again}--no-deps {wheel.package}=={wheel.version}{einops}"


def install_triton(machine: Machine) -> str | None:
    """The Triton that belongs to the installed torch; None where that is not known."""
    pins = torch_builds.pins(machine.torch.version) if machine.torch else None
    name = "triton-windows" if machine.os == "windows" else "triton"
    return f"{installer(machine)} {name}=={pins.triton}" if pins and pins.triton else None


def install(machine: Machine, *requirements: str) -> str:
    """The command that brings these, each as 'name', 'name==1.2' or 'name>=1.2,<2'."""
    wanted = (_for_this_cuda(requirement, cuda_of_torch(machine)) for requirement in requirements)
    return f"{installer(machine)} {' '.join(map(shlex.quote, wanted))}"


def _for_this_cuda(requirement: str, cuda: str | None) -> str:
    """With the extra that the CUDA of torch asks for."""
    name = re.split(r"[<>=!~]", requirement, maxsplit=1)[0]
    version = requirement.partition("==")[2] or None
    return with_extra(name, version, cuda) + requirement[len(name) :]


def cuda_of_torch(machine: Machine) -> str | None:
    """'13.0'; None without a torch, and for one that has no CUDA."""
    return machine.torch.cuda if machine.torch else None


def reinstall(machine: Machine, name: str, version: str, index: str | None = None) -> str:
    """The command that writes the files of that very version anew and touches nothing else."""
    at = f" {index_option(machine)} {index}" if index else ""
    return f"{forced(installer(machine))} --no-deps {shlex.quote(f'{name}=={version}')}{at}"


def forced(command: str) -> str:
    """An install command that counts nothing as installed already."""
    again = "pip install --force-reinstall"
    return command if again in command else command.replace("pip install", again, 1)


def uninstall(machine: Machine, *names: str) -> str:
    """The command that takes these away."""
    uv = installer(machine).startswith("uv ")
    command = installer(machine).replace("pip install", "pip uninstall" if uv else "pip uninstall -y", 1)
    return f"{command} {' '.join(names)}"


def remove(machine: Machine, paths: Sequence[str]) -> str:
    """The command that deletes these files and folders."""
    if machine.os == "windows":
        quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        return f"Remove-Item -Recurse -Force {quoted}"
    return f"rm -rf {' '.join(shlex.quote(path) for path in paths)}"


def installed_build(machine: Machine) -> Build | None:
    """The published build that the installed torch is; None for a nightly, a vendor's build or one not listed."""
    torch = machine.torch
    if torch is None or not torch.released or torch.rocm or torch.xpu:
        return None
    for build in torch_builds.builds(machine.os, machine.arch):
        if build.torch == public(torch.version) and build.cuda == torch.cuda:
            return build
    return None


def reinstall_torch(machine: Machine) -> str | None:
    """The command that writes the files of the installed torch anew; None where that build is not known."""
    build = installed_build(machine)
    if build is None:
        return None
    if build.on_pypi:
        return reinstall(machine, "torch", build.torch)
    return reinstall(machine, "torch", f"{build.torch}+{build.variant}", build.index_url)


def install_companion(machine: Machine, name: str) -> str | None:
    """The torchvision or torchaudio that belongs to the installed torch; None where that is not known."""
    build = installed_build(machine)
    pins = torch_builds.pins(build.torch) if build else None
    pinned: str | None = getattr(pins, name, None)
    if build is None or pinned is None:
        return None
    # the same version of another build counts as installed already: it is named with its local part, from its index
    if build.on_pypi and public(machine.packages[name].version) != pinned:
        return f"{installer(machine)} --no-deps {name}=={pinned}"
    return f"{installer(machine)} --no-deps {name}=={pinned}+{build.variant} {index_option(machine)} {build.index_url}"
