"""Commands in the words of the target's own installer."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.torch_builds import Build

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.wheels.catalogue import Wheel

# which companions must move with torch, and the attribute of Pins that holds their version
COMPANIONS = ("torchvision", "torchaudio")


def installer(machine: Machine) -> str:
    """'python -m pip install' of the target, or uv where the target has no pip."""
    python = machine.python
    if python is None or not python.executable or python.own:
        return "pip install"
    reading = machine.facts.readings.get("tools")
    found = getattr(getattr(reading, "value", None), "found", {})
    if "pip" not in found:
        return f"uv pip install --python {shlex.quote(python.executable)}"
    return f"{shlex.quote(python.executable)} -m pip install"


def install_torch(machine: Machine, build: Build) -> str:
    """The command that brings this torch, with the companions that are installed and must move along."""
    # from an index of its own the local part is named: pip takes an installed 2.8.0+cpu for 2.8.0 and would do nothing
    same = machine.torch is not None and machine.torch.version.partition("+")[0] == build.torch
    own_index = same or not build.on_pypi
    suffix = f"+{build.variant}" if own_index else ""
    wanted = [f"torch=={build.torch}{suffix}"]
    pins = torch_builds.pins(build.torch)
    for name in COMPANIONS:
        if name in machine.packages:
            pinned = getattr(pins, name, None)
            wanted.append(f"{name}=={pinned}{suffix}" if pinned else name)
    index = f" --index-url {build.index_url}" if own_index else ""
    return f"{installer(machine)} {' '.join(wanted)}{index}"


def install_wheel(machine: Machine, wheel: Wheel) -> str:
    """The command that brings this very file and leaves torch alone."""
    if wheel.platform == "any":
        # pure Python with needs of its own: naming the installed torch holds it where it is
        held = f" torch=={machine.torch.version}" if machine.torch else ""
        return f"{installer(machine)} {wheel.package}=={wheel.version}{held}"
    einops = " einops" if wheel.package.startswith("flash-attn") and "einops" not in machine.packages else ""
    if wheel.url:
        return f"{installer(machine)} --no-deps {wheel.url.replace('+', '%2B')}{einops}"
    return f"{installer(machine)} --no-deps {wheel.package}=={wheel.version}{einops}"


def install_triton(machine: Machine) -> str | None:
    """The Triton that belongs to the installed torch; None where that is not known."""
    pins = torch_builds.pins(machine.torch.version) if machine.torch else None
    name = "triton-windows" if machine.os == "windows" else "triton"
    return f"{installer(machine)} {name}=={pins.triton}" if pins and pins.triton else None
