"""torch, or the attention extension, was compiled without code for this (new) GPU.

RTX 50, RTX PRO, B200, GB10: sm_120, sm_100, sm_121 came with CUDA 12.8. The same message on a Jetson and on a GPU
that is too old belongs to other causes; where the log names no GPU, the newest generation is the likeliest.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import Cause, Match, Strength
from attn_doctor.explain.causes import _attention, _builds, _gpus, _no_kernel
from attn_doctor.explain.log import Log


def weigh(match: Match, log: Log) -> Strength | None:
    return _no_kernel.weigh(match, log, "blackwell")


def explain(match: Match, case: Case) -> str:
    who, extension = _gpus.named(case.log), _gpus.extension_of(case.log)
    if extension is None and _gpus.seen(case.log) is None:
        return (
            "torch, or the extension that was called, holds no machine code for this GPU. Mostly the GPU is newer than "
            "the build (RTX 50, B200); sometimes it is one that newer builds have dropped."
        )
    if match.sign.literal in _no_kernel.NOT_IN_TORCH or (extension is None and not _gpus.torch_has_code(case)):
        return (
            f"The installed torch has no machine code for {who}: its CUDA is older than the GPU. "
            "A build with that code is needed; a newer driver or toolkit alone changes nothing."
        )
    return (
        f"{extension or 'The extension'} was compiled without code for {who}. torch itself may well have it: "
        "then only the extension has to be compiled or fetched anew."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    torch_lacks = match.sign.literal in _no_kernel.NOT_IN_TORCH or not _gpus.torch_has_code(case)
    if torch_lacks:
        yield from _gpus.torch_with_code(case)
    if _gpus.seen(case.log) is None:
        yield (
            'python -c "import torch; print(torch.cuda.get_device_capability(), torch.cuda.get_arch_list())"   '
            "(is the GPU's in the list?)"
        )
    if _gpus.extension_of(case.log):
        yield from _builds.instead_of_building(case)
        yield from _gpus.compile_for(case)
    yield from _attention.sdpa(case)


CAUSE = Cause(
    category="no-kernel-image-blackwell",
    stage="runtime",
    title="No code for this GPU was compiled in",
    signs=_no_kernel.SIGNS,
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("sdpa-no-available-kernel", "xformers-no-operator"),
)
