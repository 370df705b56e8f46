"""What the children of the measurements have in common: lines in, lines out, and what an exception says.

Imports nothing at the top but the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time

MEMORY = "ATTN_DOCTOR_MEMORY_BYTES"
STATUS = "/proc/self/status"
# torch's CPU allocator raises a RuntimeError: "DefaultCPUAllocator: can't allocate memory: you tried to allocate"; the
# last is said where there is none left for the stack of a thread
NO_MEMORY = re.compile(
    r"(?i)out of memory|(?:can't|cannot|not enough|unable to) (?:allocate )?memory|bad_alloc|ALLOC_FAILED"
    r"|Resource temporarily unavailable"
)
# after these nothing in the process can be believed
SPOILS = re.compile(r"CUDA error|HIP error|\[CUDA\]|illegal memory|misaligned|device-side assert|CUDNN_STATUS")
# the GPU is not made for it, which does no harm: cuBLAS and cuDNN of a dtype, as bf16 on a P100 (pytorch/pytorch #57773);
# Triton of a kernel with more shared memory than there is, which torch raises as an OutOfMemoryError (#180278)
NOT_FOR_IT = re.compile(r"_STATUS_(?:NOT_SUPPORTED|ARCH_MISMATCH)|out of resource: ")
# how sdpa says that none of the kernels it may take is for these inputs
NONE_TAKES = re.compile(r"No available kernel|No viable backend")
# how backends say that a case is none of theirs: "FlashAttention only support fp16 and bf16 data type"
REFUSES = re.compile(
    r"(?i)support|(?:must|should) be|expect|require|not implemented|at most|no (?:operator|available)"
    r"|invalid (?:head|dtype)"
)
# a check of torch's without words of its own, as of cuDNN's graph that does not run (pytorch/pytorch #122695)
BROKEN = re.compile(r"to be true, but got false|INTERNAL ASSERT")


class Refused(Exception):
    """The backend does not take this case, and says so: that is no error of it."""


def serve(hello, answer) -> None:
    """Say what is here, then answer each line of standard input; what else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    answers.write(json.dumps(hello()) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")


def limit() -> None:
    """On a CPU: take no more memory than there is, so that what does not fit is told and not killed."""
    left = os.environ.get(MEMORY)
    if not left:
        return
    with contextlib.suppress(OSError, ImportError, StopIteration, ValueError):  # where it cannot be limited, it is not
        with open(STATUS, encoding="ascii") as status:
            held = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (held + int(left), hard))


def raised(error: Exception) -> dict:
    """What an exception says: no memory, a case that the backend does not take, or a fault."""
    # torch.compile's own begin with "backend='inductor' raised:", and the line ends there
    within = getattr(error, "inner_exception", None)
    if isinstance(within, Exception):
        return raised(within)
    text = str(error).strip()
    said = f"{type(error).__name__}: {text.partition(chr(10))[0]}".rstrip(": ")
    if isinstance(error, Refused):
        return {"status": "refused", "reason": text.partition("\n")[0]}
    if NOT_FOR_IT.search(said):
        return {"status": "refused", "reason": said}
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or NO_MEMORY.search(text):
        return {"status": "no memory", "reason": said}
    if SPOILS.search(said) or lost():
        return {"status": "failed", "reason": said, "spoilt": True}
    refused = isinstance(error, NotImplementedError) or NONE_TAKES.search(said)
    refused = refused or (REFUSES.search(said) and not BROKEN.search(said))
    return {"status": "refused" if refused else "failed", "reason": said}


def lost() -> bool:
    """Whether the GPU answers this process no more, in whatever words that was said: not every package says 'CUDA error'."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def here() -> dict:
    """Torch, and the first GPU that it sees, with what the driver knows it by. Sizes in bytes.

    From then on no more than the memory of the GPU is taken: drivers for Windows lend that of the machine besides, under
    WSL too, and what does not fit would be slow and called large (microsoft/WSL #11050).
    """
    import torch

    found = {"torch": torch.__version__, "cuda": torch.cuda.is_available(), "threads": torch.get_num_threads()}
    if found["cuda"]:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
        properties = torch.cuda.get_device_properties(0)
        found.update(name=properties.name, memory_bytes=properties.total_memory)
        found["capability"] = "{}.{}".format(*torch.cuda.get_device_capability(0))
        found["card"] = card(properties)
    return found


def card(properties) -> list:
    """Names of a GPU that are the same for the driver, the surest first; torch before 2.5 knows none."""
    named = [f"GPU-{properties.uuid}"] if hasattr(properties, "uuid") else []
    if hasattr(properties, "pci_bus_id") and hasattr(properties, "pci_domain_id"):
        place = (properties.pci_domain_id, properties.pci_bus_id, properties.pci_device_id)
        named.append("{:08x}:{:02x}:{:02x}.0".format(*place))
    return named


def give_back() -> None:
    """To the driver, what torch's allocator holds and nobody uses."""
    import torch

    with contextlib.suppress(RuntimeError):  # after an error of CUDA
        torch.cuda.empty_cache()


def on_allocator(call) -> tuple:
    """(result, peak, seconds) of a call: the bytes are what the CPU's allocator gave out for it.

    By the profiler under torch.profiler, which loads torch's compiler, and that takes as long as torch itself.
    """
    from torch.autograd.profiler import profile

    with profile(use_kineto=True, profile_memory=True) as seen:
        began = time.perf_counter()
        out = call()
        spent = time.perf_counter() - began
    events = [event for event in seen.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for _, size in sorted((event.start_ns(), event.nbytes()) for event in events):
        now += size
        peak = max(peak, now)
    return out, peak, spent
