"""Runs cases as they come in, one JSON document a line, and answers each with one line.

Reads standard input, writes to the descriptor that standard output was; whatever else prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings

import attn_doctor_kernels as kernels
import torch

POISON_COPIES = 3
# how backends say that a case is none of theirs: "FlashAttention only support fp16 and bf16 data type"
REFUSES = re.compile(
    r"(?i)support|must be|expect|require|not implemented|at most|no (?:operator|available)|invalid (?:head|dtype)"
)
SPOILS = re.compile(r"CUDA error|HIP error|illegal memory|misaligned|device-side assert|CUDNN_STATUS")


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    answers.write(json.dumps({"torch": torch.__version__, "cuda": torch.cuda.is_available()}) + "\n")
    for line in sys.stdin:
        case = json.loads(line)
        answers.write(json.dumps(answer(case)) + "\n")


def answer(case: dict) -> dict:
    """What became of one case."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = dropped(case) if case.get("dropout") else judged(case)
        except kernels.Refused as refused:
            found = {"status": "refused", "reason": str(refused)}
        except NotImplementedError as error:
            found = {"status": "refused", "reason": str(error).partition("\n")[0]}
        except Exception as error:  # noqa: BLE001 - whatever a kernel raises is its row
            found = raised(error)
    said = dict.fromkeys(str(one.message).partition(" (Triggered internally")[0] for one in caught)
    return {**found, "warnings": [one for one in said if "kernel" in one or "attention" in one.lower()][:6]}


def raised(error: Exception) -> dict:
    """What an exception says: no memory, a case that the backend does not take, or a fault."""
    said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return {"status": "no memory", "reason": said}
    if SPOILS.search(said):
        return {"status": "failed", "reason": said, "spoilt": True}
    return {"status": "refused" if REFUSES.search(said) else "failed", "reason": said}


def judged(case: dict) -> dict:
    """The errors of the subject, and of eager attention in the same dtype, against float64."""
    device = case["device"]
    q, k, v = kernels.inputs(case, device)
    added = kernels.bias(case, device)
    call = kernels.own(*case["own"]) if case.get("own") else None
    backward = case["direction"] == "backward"
    weight = torch.randn(q.shape, generator=torch.Generator().manual_seed(int(case["seed"]) + 7), dtype=torch.float64)

    def results(run, wide):
        leaves = [one.detach().clone().requires_grad_(backward) for one in (q, k, v)]
        out = run(*leaves)
        if not backward:
            return [out.detach().double()]
        (out.double() * weight.to(device)).sum().backward() if wide else out.backward(weight.to(device, out.dtype))
        return [one.grad.double() for one in leaves]

    true = results(lambda a, b, c: kernels.reference(a.double(), b.double(), c.double(), added), wide=True)
    plain = results(lambda a, b, c: kernels.eager(a, b, c, added), wide=False)
    poison(true)
    ran: list = []

    def subject(a, b, c):
        def once():
            return call(a, b, c, case) if call else kernels.run(case["subject"], a, b, c, case)

        out, names = recorded(once) if case.get("record") else (once(), [])
        ran.extend(names)
        if out.shape != a.shape:
            raise ValueError(f"the result has shape {tuple(out.shape)}, not {tuple(a.shape)}")
        if out.dtype != a.dtype:
            raise ValueError(f"the result is {out.dtype}, not {a.dtype}")
        if backward and not out.requires_grad:
            raise kernels.Refused("its result has no gradient")
        return out

    got = results(subject, wide=False)
    return {
        "status": "ran",
        "finite": all(bool(torch.isfinite(one).all()) for one in got),
        "error": largest(got, true),
        "eager": largest(plain, true),
        "rms": spread(got, true),
        "eager_rms": spread(plain, true),
        "ran": sorted(set(ran)),
    }


def largest(got: list, true: list) -> float:
    """The largest difference, as a share of the largest true value of each tensor."""
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-30)) for a, b in zip(got, true))


def spread(got: list, true: list) -> float:
    """The root mean square of the difference over that of the truth, of the worst head of the worst sequence."""
    worst = 0.0
    for a, b in zip(got, true):
        error = (a - b).square().mean(dim=(-1, -2)).sqrt()
        size = b.square().mean(dim=(-1, -2)).sqrt().clamp_min(1e-30)
        worst = max(worst, float((error / size).max()))
    return worst


def poison(like: list) -> None:
    """Fill memory of the very sizes that results will get with NaN, and give it back: what is not written shows."""
    for one in like:
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            copies = [torch.full(one.shape, float("nan"), dtype=dtype, device=one.device) for _ in range(POISON_COPIES)]
            del copies


def recorded(call):
    """The result, and the names of the attention operators and kernels that ran for it."""
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
    with profile(activities=activities) as seen:
        out = call()
    names = {event.key for event in seen.key_averages()}
    return out, [
        name for name in names if "attention" in name.lower() or "flash" in name.lower() or "fmha" in name.lower()
    ]


def dropped(case: dict) -> dict:
    """Dropout by its statistics: with values of one, each result is the sum of the weights that are left, scaled."""
    if case.get("own"):
        raise kernels.Refused("dropout is not asked of a kernel of one's own")
    q, k, _ = kernels.inputs(case, case["device"])
    ones = torch.ones_like(k)
    torch.manual_seed(int(case["seed"]))
    out = kernels.run(case["subject"], q, k, ones, case).double()
    mean, deviation = float(out.mean()), float(out[..., 0].std())
    sure = 6 * deviation / max(1.0, out[..., 0].numel() ** 0.5) + 0.02
    return {
        "status": "ran",
        "finite": bool(torch.isfinite(out).all()),
        "mean": mean,
        "deviation": deviation,
        "dropped": abs(mean - 1) <= sure and deviation > 1e-3,
        "ran": [],
    }


if __name__ == "__main__":
    main()
