"""A GPU in MIG mode is addressed as if it were whole, or has no instance.

One process sees one instance, named by its identifier (MIG-...). The messages are those of CUDA and of programs that
read CUDA_VISIBLE_DEVICES as numbers; they count only where the log shows MIG. The column "MIG M." of nvidia-smi shows
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _containers, _devices
from attn_doctor.explain.log import Log

ALONE = ("base 10: 'MIG-", "No MIG devices found", "No MIG-enabled devices found", "no MIG device")


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal in ALONE or match.strength == PROOF:
        return match.strength
    return PROOF if _devices.mig(log) else None


def explain(match: Match, _case: Case) -> str:
    if match.sign.literal in ALONE[1:]:
        return "The GPU is in MIG mode and has no instance: CUDA shows nothing of it until one is created."
    return (
        "The GPU is split by MIG. A process sees exactly one instance, and names it by its identifier; a "
        "number counts "
        "whole GPUs, and a second process or rank on the same GPU needs an instance of its own."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield "nvidia-smi -L   (names the instances: MIG-...)"
    if match.sign.literal in ALONE[1:]:
        yield "sudo nvidia-smi mig -cgi 0 -C   (creates one), or without MIG: sudo nvidia-smi -i 0 -mig 0"
    yield "CUDA_VISIBLE_DEVICES=MIG-... for each process, one instance each"
    if _containers.inside(case.log):
        yield "docker run --gpus '\"device=0:0\"' ...   (GPU 0, its first instance)"
    if "base 10" in match.line.text:
        yield "a program that reads numbers only: start it in a container with one instance; inside, it is device 0"
    else:
        yield (
            "NCCL and one model over several instances do not work: take whole GPUs for that (sudo nvidia-smi "
            "-i 0 -mig 0)"
        )


CAUSE = Cause(
    category="mig-device-misuse",
    stage="runtime",
    title="A GPU in MIG mode is addressed wrongly",
    signs=(
        Sign("base 10: 'MIG-", by="vLLM, Ray and others: int() of CUDA_VISIBLE_DEVICES"),
        Sign("No MIG devices found", by="nvidia-smi, the lower table"),
        Sign("No MIG-enabled devices found", by="nvidia-smi mig"),
        Sign("no MIG device", strength=SIGN, by="nvidia-container-cli"),
        Sign("device error: MIG-", by="nvidia-container-cli"),
        Sign(
            "device error: ", r"device error: (?:\d+:\d+|MIG[\w-]*)[^\n]{0,20}unknown device", by="nvidia-container-cli"
        ),
        Sign("In use by another client", strength=SIGN, by="nvidia-smi -mig, nvidia-smi mig -dci"),
        Sign("MIG is not supported", by="NVML"),
        Sign("invalid device ordinal", strength=SIGN, by="CUDA, with MIG in the log"),
        Sign("No CUDA GPUs are available", strength=SIGN, by="torch, with MIG in the log"),
        Sign("no CUDA-capable device is detected", strength=SIGN, by="CUDA, with MIG in the log"),
        Sign("CUDA unknown error", strength=SIGN, by="torch, with MIG in the log"),
        Sign("Duplicate GPU detected", strength=SIGN, by="NCCL, with MIG in the log"),
        Sign(
            "NVMLError_",
            r"NVMLError_(?:NotSupported|InvalidArgument|NoPermission)",
            SIGN,
            by="pynvml, with MIG in the log",
        ),
        Sign("device < num_gpus", strength=SIGN, by="aten, with MIG in the log"),
        Sign("Invalid device id", strength=SIGN, by="torch.cuda, with MIG in the log"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-gpu-visible", "cuda-visible-devices-misuse", "cuda-init-unknown-error"),
)
