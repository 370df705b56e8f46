"""What `verify` and `bench` measure with: the target's interpreter, the device, and backends by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.errors import NoAnswer, NoTorch, UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.torch import TorchDist


def measurable(machine: Machine, device: str) -> tuple[str, str]:
    """('/env/bin/python', 'cpu'): what runs torch there, and on what; `device` as --device takes it.

    Raises NoTorch, NoAnswer, and UsageError where there is no GPU for `cuda`.
    """
    if reason := machine.unknown("torch"):
        raise NoAnswer(reason)
    if machine.torch is None:
        raise _no_torch(machine)
    if machine.python is None or not machine.python.executable:
        raise NoAnswer("it has no interpreter")
    if device == "cuda":
        _refuse_without_gpu(machine, machine.torch)
    on = device if device != "auto" else "cuda" if machine.device in ("cuda", "rocm") else "cpu"
    return machine.python.executable, on


def _no_torch(machine: Machine) -> NoTorch:
    from attn_doctor.judgement import commands

    where = (machine.python and machine.python.prefix) or "the target"
    if machine.python and machine.python.own:
        return NoTorch(where, "attn-doctor runs in it; name the environment of your model: --venv DIR")
    if machine.python and machine.python.externally_managed:
        return NoTorch(where, "pip may not install there (PEP 668); name the environment of your model: --venv DIR")
    command = commands.any_torch(machine)
    return NoTorch(where, f"Install it: {command}" if command else "There is no torch wheel for musl.")


def _refuse_without_gpu(machine: Machine, torch: TorchDist) -> None:
    """What is certain; where the GPUs could not be read, torch is asked."""
    if torch.cuda is None and torch.rocm is None:
        build = "a CPU build" if torch.cpu_only else "no build for CUDA or ROCm"
        raise UsageError(f"--device cuda: torch {torch.version} is {build}", "For the CPU: --device cpu")
    if machine.unknown("gpus") is None and not machine.gpus:
        why = "CUDA_VISIBLE_DEVICES hides every GPU" if machine.all_gpus else "there is no GPU here"
        raise UsageError(f"--device cuda: {why}", "For the CPU: --device cpu")


def subject(name: str) -> str:
    """'sdpa.math' as it is, and a backend by the name of attn-doctor's. Raises UsageError."""
    from attn_doctor.judgement import names as known
    from attn_doctor.measure.verify import KERNELS

    backend, _, kernel = name.partition(".")
    if not kernel:
        return known.backend(name)
    if known.backend(backend) != "sdpa" or kernel not in KERNELS["cuda"]:
        raise UsageError(f"{name}: expected a backend, or one kernel of sdpa: sdpa.{', sdpa.'.join(KERNELS['cuda'])}")
    return f"sdpa.{kernel}"
