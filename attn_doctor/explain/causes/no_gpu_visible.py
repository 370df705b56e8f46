"""The process sees no NVIDIA GPU, or no driver: torch has CUDA and finds no device.

What the CUDA runtime, torch, Triton, vLLM and nvidia-smi say then. A container that was started without its GPU, a
torch without CUDA, CUDA_VISIBLE_DEVICES that hides the GPU, and MIG without an instance are causes of their own:
where the log names one of these, it is not this.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _containers, _devices
from attn_doctor.explain.log import Log

IN_A_CONTAINER = (
    "Found no NVIDIA driver on your system",
    "No CUDA GPUs are available",
    "nvidia-smi: command not found",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if _devices.hidden(log) or _devices.mig(log):
        return None
    if _containers.inside(log) and match.sign.literal in IN_A_CONTAINER:
        return None  # docker-gpu-not-exposed
    if "Is CUDA available: False" in match.line.text and not log.matches(r"Nvidia driver version: \d|GPU \d: "):
        return None  # collect_env on a machine that may have no GPU
    return match.strength


def explain(_match: Match, case: Case) -> str:
    said = "No NVIDIA GPU is visible to this process: CUDA finds no device, or no driver. "
    if _containers.building(case.log):
        return said + "While an image is built there never is one: what needs a GPU has to wait until it runs."
    if _containers.inside(case.log):
        return said + "A container sees only the GPUs that it was started with."
    return said + "torch itself may be in order: what is missing lies below it."


def fix(_match: Match, case: Case) -> Iterator[str]:
    if _containers.inside(case.log):
        yield from _containers.start(case.log)
        yield "on the host first: nvidia-smi   (no driver is installed inside a container: it comes from the host)"
        return
    yield "nvidia-smi   (names the GPU and the driver; where it fails, the driver comes first)"
    if _containers.wsl(case.log):
        yield "WSL: update NVIDIA's driver in Windows, then wsl --shutdown. No Linux driver is installed inside WSL."
        return
    if not case.windows:
        yield "no driver: Ubuntu: sudo ubuntu-drivers install, then sudo reboot; Fedora: akmod-nvidia of RPM Fusion"
        yield (
            "the driver is installed and not loaded (after a kernel update, Secure Boot): sudo modprobe nvidia; "
            "sudo dmesg"
        )
    else:
        yield "no driver: install NVIDIA's for this GPU, then restart Windows"
    yield "python -c 'import torch; print(torch.version.cuda)'   (None: torch itself is a build without CUDA)"
    yield "no NVIDIA GPU in this machine: attn-doctor check says what runs on it"


CAUSE = Cause(
    category="no-gpu-visible",
    stage="runtime",
    title="No NVIDIA GPU is visible to the process",
    signs=(
        Sign("Found no NVIDIA driver on your system", by="c10/cuda/CUDAFunctions.cpp"),
        Sign("No CUDA GPUs are available", by="torch/csrc/cuda, after cudaGetDeviceCount gave 0"),
        Sign("CUDA driver initialization failed, you might not have a CUDA gpu", by="c10/cuda/CUDAFunctions.cpp"),
        Sign("no CUDA-capable device is detected", by="CUDA: cudaErrorNoDevice"),
        Sign("CUDA_ERROR_NO_DEVICE", by="the driver API, cuInit"),
        Sign("cudaErrorNoDevice", by="the runtime API"),
        Sign("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver", by="nvidia-smi"),
        Sign("NVML_ERROR_DRIVER_NOT_LOADED", by="NVML"),
        Sign("Failed to initialize NVML: Driver Not Loaded", by="nvidia-smi"),
        Sign("NVMLError_DriverNotLoaded", by="pynvml"),
        Sign("NVMLError_LibraryNotFound", strength=SIGN, by="pynvml"),
        Sign("NVML Shared Library Not Found", strength=SIGN, by="pynvml"),
        Sign("NVIDIA-SMI couldn't find libnvidia-ml.so", strength=SIGN, by="nvidia-smi"),
        Sign("No devices were found", r"^\s*No devices were found\s*$", SIGN, by="nvidia-smi"),
        Sign("nvidia-smi: command not found", strength=SIGN, by="bash"),
        Sign("nvidia-smi: not found", strength=SIGN, by="sh"),
        Sign(
            "nvidia-smi", r"nvidia-smi'? (?:is not recognized|was not found|: Die Benennung)", SIGN, by="Windows shells"
        ),
        Sign("command not found: nvidia-smi", strength=SIGN, by="zsh"),
        Sign("Torch is not able to use GPU", strength=SIGN, by="stable-diffusion-webui, launch_utils.py"),
        Sign("torch.cuda.is_available() is False", strength=SIGN, by="torch.load: serialization.py"),
        Sign("Failed to infer device type", strength=SIGN, by="vllm/config: no platform found"),
        Sign("No supported device detected", strength=SIGN, by="vllm/config.py, 0.3 and 0.4"),
        Sign("vLLM is running on UnspecifiedPlatform", strength=HINT, by="vllm/platforms"),
        Sign("0 active drivers ([])", strength=SIGN, by="triton/runtime/driver.py"),
        Sign(
            "is not available on CPU. Please make sure torch can access a CUDA device", strength=SIGN, by="transformers"
        ),
        Sign("Your setup doesn't support bf16/gpu", strength=SIGN, by="transformers TrainingArguments"),
        Sign("Found no CUDA devices", strength=SIGN, by="DeepSpeed, Lightning"),
        Sign("No supported gpu backend found", strength=SIGN, by="lightning: MisconfigurationException"),
        Sign("CUDA is not available", r"^(?!.*(?:Disabling|[Uu]serWarning)).*CUDA is not available", HINT, by="many"),
        Sign("cuda.is_available", r"cuda\.is_available\(\)\)?\W{1,8}False", SIGN, by="users, ultralytics"),
        Sign("Torch CUDA is available: False", strength=SIGN, by="users"),
        Sign("is_available(): False", strength=SIGN, by="users"),
        Sign("CUDA available: False", strength=SIGN, by="users"),
        Sign("Is CUDA available: False", strength=SIGN, by="torch.utils.collect_env"),
        Sign("Unable to determine the device handle for GPU", strength=SIGN, by="nvidia-smi: the GPU is lost"),
        Sign("GPU is lost.  Reboot the system", strength=SIGN, by="nvidia-smi"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "sdpa-no-available-kernel"),
)
