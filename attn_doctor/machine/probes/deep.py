"""`--deep`: torch and the attention packages imported for real, each in a child of the target's own interpreter.

What files say can be proven wrong only by running: a crash, a hang and a signal are one reading each. Nothing of this
happens without `--deep`.
"""

from __future__ import annotations

import os

import msgspec

from attn_doctor.machine.beside import python_path
from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import Completed, Failed, Host
from attn_doctor.machine.probe import Probe, timeout_s
from attn_doctor.machine.target import Target, distributions, user_site

MARKER = "ATTN_DOCTOR_DEEP "
# a cold import of a CUDA torch reads gigabytes
TIMEOUT_S = 120.0
# distribution and the module whose import loads its compiled code
MODULES = {
    "torch": "torch",
    "flash-attn": "flash_attn_2_cuda",
    "flash-attn-3": "flash_attn_interface",
    "flash-attn-4": "flash_attn.cute",
    "xformers": "xformers.ops",
    "sageattention": "sageattention",
    "triton": "triton",
}
FIRST_SERIES_MODULE = "flash_attn_cuda"  # flash-attn 1.x


class TorchSays(msgspec.Struct, frozen=True):
    """What the imported torch answers; None where it has no such answer."""

    cuda: str | None = None
    rocm: str | None = None
    cxx11abi: bool | None = None
    arch_list: tuple[str, ...] | None = None
    cuda_available: bool | None = None
    devices: tuple[str, ...] | None = None
    capabilities: tuple[str, ...] | None = None
    cudnn: int | None = None
    flash_sdpa: bool | None = None
    mps_available: bool | None = None


class Import(msgspec.Struct, frozen=True):
    """One import. `error` is None where it succeeded."""

    module: str
    error: str | None = None
    version: str | None = None
    file: str | None = None
    torch: TorchSays | None = None


def parse(answer: Completed | Failed, module: str) -> Import:
    """The child's line; a child that crashed, hung or printed none is an import that failed."""
    if isinstance(answer, Failed):
        return Import(module, error=answer.reason)
    line = next((line for line in answer.stdout.splitlines() if line.startswith(MARKER)), None)
    if line is None and answer.returncode < 0:
        return Import(module, error=f"killed by signal {-answer.returncode}")
    try:
        return msgspec.json.decode((line or "").removeprefix(MARKER), type=Import)
    except msgspec.DecodeError:
        last = (answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"])[-1]
        return Import(module, error=f"no answer: {last[:200]}")


def modules(host: Host, target: Target) -> list[tuple[str, str]]:
    """Distribution and module of everything that is installed and worth importing."""
    installed = distributions(host, target)
    found = [(name, module) for name, module in MODULES.items() if name in installed]
    old = "flash-attn" in installed and installed["flash-attn"].version.startswith("1.")
    return [(name, FIRST_SERIES_MODULE if old and name == "flash-attn" else module) for name, module in found]


def begin(host: Host, target: Target) -> None:
    """Start every import at once."""
    if not target.deep:
        return
    script = os.path.join(os.path.dirname(os.path.dirname(__file__)), "children", "deep.py")
    # -I takes the packages of the user away, and those of PYTHONPATH
    taken = [site for site in (user_site(host, target), *reversed(python_path(host))) if site in target.site_packages]
    for name, module in modules(host, target):
        host.start(f"deep {name}", [target.python, "-I", script, module, *map(str, taken)])


def read(host: Host, target: Target) -> Reading[dict[str, Import]]:
    if not target.deep:
        return Absent(("not asked for: --deep",))
    found = {
        name: parse(host.finish(f"deep {name}", timeout_s(host, TIMEOUT_S)), module)
        for name, module in modules(host, target)
    }
    return Known(dict(sorted(found.items())), source=f"{target.python}, importing")


PROBE = Probe("deep", dict[str, Import], read, begin)
