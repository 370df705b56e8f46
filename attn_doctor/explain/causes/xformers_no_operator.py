"""xFormers is in order, and none of its operators takes this device, dtype or shape.

It lists every operator with its reasons. "requires device with capability > (9, 0)" only concerns FA3's operator.
Where a reason is "xFormers wasn't build with CUDA support", xFormers itself was not loaded: another cause; where
torch is a CPU build, that is.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention, _builds, _gpus
from attn_doctor.explain.log import Log

NOT_BUILT = ("wasn't build with CUDA support", "can't load C++/CUDA extensions")
OPERATOR = "memory_efficient_attention"
TOO_NEW = r"requires device with capability <=? ?\(\d+, ?\d+\)[^\n]{0,60}too new"
ON_CPU = r"device=cpu\b"


def weigh(match: Match, log: Log) -> Strength | None:
    if log.has(*NOT_BUILT) and not log.matches(ON_CPU):
        return SIGN  # xformers-torch-mismatch
    if match.strength == SIGN and "capability > (9, 0)" in match.line.text and "too new" not in match.line.text:
        return None  # FA3's operator is passed over, and another taken
    if match.strength == SIGN and log.matches(r"max\(query\.shape\[-1\]") and "No operator found" not in log.text:
        return None  # one operator, asked for by name: head-dim-unsupported
    return match.strength


def explain(_match: Match, case: Case) -> str:
    log, found = case.log, []
    if log.matches(ON_CPU):
        found.append("the tensors lie on the CPU")
    if log.matches(r"dtype=torch\.float32 \(supported"):
        found.append("they are float32, which the fastest operators do not take")
    if log.matches(TOO_NEW):
        found.append("the GPU is newer than this xFormers")
    if log.matches(r"\(too old\)"):
        found.append("the GPU is too old for some")
    if log.matches(r"shape\[-1\]\) > \d+"):
        found.append("the head dimension is too large")
    why = f" Of the reasons listed: {', '.join(found)}." if found else " The lines below it give the reason of each."
    return f"xFormers is installed and found no operator for this call.{why}"


def fix(_match: Match, case: Case) -> Iterator[str]:
    log = case.log
    if log.matches(ON_CPU):
        yield "model.to('cuda') and inputs.to('cuda')   (xFormers' operators are for GPUs)"
        yield (
            "no GPU is meant: without xFormers (pip uninstall xformers; DINOv2: XFORMERS_DISABLED=1), torch's "
            "SDPA takes its place"
        )
    if log.matches(TOO_NEW):
        yield from _attention.planned(case, "xformers")
        yield from _gpus.torch_with_code(case)
    if log.matches(r"dtype=torch\.float32 \(supported"):
        yield "float16 or bfloat16: model.half(), or torch.autocast('cuda', dtype=torch.float16)"
    if log.has(*NOT_BUILT):
        yield from _builds.instead_of_building(case)
    yield (
        "torch.nn.functional.scaled_dot_product_attention instead   (diffusers: "
        "pipe.disable_xformers_memory_efficient_attention())"
    )


CAUSE = Cause(
    category="xformers-no-operator",
    stage="runtime",
    title="No xFormers operator takes these tensors",
    signs=(
        Sign(
            "No operator found for ",
            r"No operator found for (?:this attention|`?memory_efficient)",
            by="xformers/ops/fmha/dispatch.py",
        ),
        Sign(
            "does not support inputs:",
            r"Operator `[\w@.+-]+` does not support inputs",
            by="xformers/ops/fmha/dispatch.py",
        ),
        Sign(
            " is not supported because:",
            r"`[\w@.+-]+` is not supported because:",
            SIGN,
            by="xformers/ops/fmha/dispatch.py",
        ),
        Sign("but your GPU has capability", strength=SIGN, by="xformers/ops/fmha/common.py"),
        Sign("(supported: {'cuda'})", strength=SIGN, by="xformers/ops/fmha/common.py"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("gpu-too-old-for-fa2", "head-dim-unsupported"),
)
