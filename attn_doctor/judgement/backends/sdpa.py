"""sdpa

`torch.nn.functional.scaled_dot_product_attention`. Needs nothing but torch 2.0. It chooses among kernels at every
call: flash (FlashAttention 2 since torch 2.2), memory-efficient, cuDNN, and math, the fallback that holds the whole
score matrix. Which one runs depends on the GPU, the dtype, the head dimension and the mask; this report says which.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import conditions
from attn_doctor.judgement.backend import Backend, Obstacle
from attn_doctor.judgement.backends.eager import torch_runs, torch_version, where
from attn_doctor.judgement.verdict import KernelVerdict
from attn_doctor.knowledge import sdpa as table
from attn_doctor.knowledge.attention import demands
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import numbers

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine.probes.gpus import Gpu


def obstacles(machine: Machine, gpu: Gpu | None, need: Need) -> Iterator[Obstacle]:
    yield from torch_runs(machine, gpu)
    row = demands("sdpa")
    yield from conditions.new_enough(machine, row)
    yield from conditions.needs(need, row, gpu, machine.torch.version if machine.torch else None)


def refusal(  # noqa: PLR0911 - one reason a line
    kernel: str, torch: str, on: str, need: Need
) -> str | None:
    """Why a fused kernel does not take what is needed on that capability; None where it does."""
    if kernel == "math":
        return None
    limits = table.table().limits[kernel]
    span: table.Range | None = getattr(table.release(torch), kernel)
    if span is None:
        return "this torch has none"
    if not table.within(span, on):
        return f"needs compute capability {span[0]} to {span[1] or 'any'}; this GPU has {on}"
    if need.dtype and need.dtype not in limits.dtypes:
        return f"takes {' and '.join(limits.dtypes)}, not {need.dtype}"
    if kernel == "mem_efficient" and need.dtype == "bf16" and capability(on)[0] < 8:  # noqa: PLR2004 - sdp_utils.cpp
        return "takes bf16 from compute capability 8.0"
    if need.head_dim and limits.head_dim_max and need.head_dim > limits.head_dim_max:
        return f"head dimensions up to {limits.head_dim_max}"
    backward = need.head_dim if kernel == "flash" and need.has("backward") else None
    if backward and table.refused_backward(torch, on, backward, need.has("dropout")):
        return f"refuses head dimension {backward} backward on {on}"
    masked = next((feature for feature in ("mask", "alibi", "sliding_window") if need.has(feature)), None)
    if masked and not limits.mask:
        return f"takes no {'mask' if masked == 'mask' else masked.replace('_', ' ') + ' (it is a mask here)'}"
    if kernel == "cudnn" and need.has("deterministic"):
        return "refused under use_deterministic_algorithms"
    return None


def cudnn_first(machine: Machine, on: str) -> bool:
    """Whether the dispatcher asks cuDNN before flash."""
    row = table.table().cudnn_first
    if machine.environment.get(row.variable) == "1" or capability(on)[0] not in row.majors:
        return False
    installed = [machine.packages[name].version for name in machine.packages if name.startswith("nvidia-cudnn-cu")]
    stated = installed or [pins for pins in (_pinned_cudnn(machine),) if pins]
    return bool(stated) and numbers(stated[0])[:3] > numbers(row.above_cudnn)


def _pinned_cudnn(machine: Machine) -> str | None:
    from attn_doctor.knowledge import torch_builds

    pins = torch_builds.pins(machine.torch.version) if machine.torch else None
    return pins.cudnn if pins else None


def kernels(machine: Machine, gpu: Gpu | None, need: Need) -> tuple[KernelVerdict, ...]:
    """Every kernel on this GPU, in the dispatcher's order; the first usable one is chosen."""
    torch = machine.torch
    if torch is None or gpu is None or machine.device != "cuda" or machine.lacks_code(gpu):
        return ()
    if gpu.compute_capability is None or table.release(torch.version) is None:
        return ()
    on = gpu.compute_capability
    order = ("flash", "mem_efficient", "math", "cudnn")
    if cudnn_first(machine, on):
        order = ("cudnn", "flash", "mem_efficient", "math")
    refusals = {kernel: refusal(kernel, torch.version, on, need) for kernel in order}
    if machine.os == "windows" and refusals["flash"] is None:
        # Windows builds came with and without it: no table can say, only torch itself
        refusals["flash"] = "Windows builds may lack it: ask torch.backends.cuda.is_flash_attention_available()"
    chosen = next(kernel for kernel in order if refusals[kernel] is None)
    return tuple(
        KernelVerdict(gpu.name, kernel, refusals[kernel] is None, kernel == chosen, refusals[kernel])
        for kernel in order
    )


NAMES = {"flash": "{flash}", "mem_efficient": "memory-efficient kernel", "cudnn": "cuDNN kernel", "math": "math kernel"}


def remarks(machine: Machine, gpu: Gpu | None, need: Need) -> tuple[str, ...]:
    found = kernels(machine, gpu, need)
    if not found or machine.torch is None:
        return (where(machine),) if where(machine) else ()
    release = table.release(machine.torch.version)
    chosen = next(kernel for kernel in found if kernel.chosen)
    flash = f"FlashAttention {release.bundled_flash[-1]} kernel" if release else "flash kernel"
    if machine.os == "windows" and chosen.kernel == "mem_efficient":
        return (
            "runs torch's flash or memory-efficient kernel",
            *(k.reason for k in found if k.reason and not k.usable),
        )
    said = [f"runs torch's {NAMES[chosen.kernel].format(flash=flash)} here"]
    if chosen.kernel != "flash":
        said += [
            f"not its flash kernel: {kernel.reason}" for kernel in found if kernel.kernel == "flash" and kernel.reason
        ]
    if chosen.kernel == "math":
        said.append("the math kernel holds the whole score matrix in memory")
    return tuple(said)


BACKEND = Backend(
    "sdpa", "PyTorch scaled_dot_product_attention", obstacles, torch_version, remarks=remarks, kernels=kernels
)
