"""AD306 xformers-torch-mismatch

Up to 0.0.34 each xFormers is compiled against one torch release and demands exactly that one in its metadata; from
0.0.35 on it uses torch's stable ABI and demands torch 2.10 or later. Beside another torch its extension does not load
("xFormers can't load C++/CUDA extensions"), and memory_efficient_attention finds no operator. Upgrading it with
dependencies replaces torch instead, and leaves torchvision and flash-attn behind.

Where the symbols and libraries of the extension were looked up and are not there, AD402 or AD403 says so with
certainty, and this finding keeps silent.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries, commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules._demands import meets, of_torch, same_minor, told
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    package = packages.get("xformers")
    demanded = of_torch("xformers", package) if package else ()
    if package is None or not demanded or not torch.released or torch.rocm or meets(torch, demanded):
        return None
    if any(map(binaries.is_for_another, binaries.files(machine, "xformers"))):
        return None
    note, fix = _mend(machine)
    return Problem(
        f"xformers {package.version} demands {told(demanded)}; torch {torch.version} is installed. "
        f"Its CUDA extension was compiled for the other one.{note}",
        fix=(fix,),
        severity="warning" if same_minor(torch.version, demanded) else None,
    )


def _mend(machine: Machine) -> tuple[str, str]:
    """What is to be said besides, and the command."""
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    gpu = next(iter(machine.nvidia), None)
    if found := wheel_choice.fits(machine, gpu, "xformers"):
        return "", commands.install_wheel(machine, found[0])
    # without a fitting one, torch's own sdpa does what it did
    return wheel_choice.note(machine, "xformers", gpu), commands.uninstall(machine, "xformers")


RULE = Rule("AD306", "xformers-torch-mismatch", "error", "xFormers is for another torch", check)
