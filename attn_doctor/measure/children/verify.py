"""Runs cases as they come in, one JSON document a line, and answers each with one line.

Reads standard input, writes to the descriptor that standard output was; whatever else prints goes to standard error.
"""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager

import attn_doctor_kernels as kernels
import torch
from attn_doctor_answers import NONE_TAKES, Refused, raised, serve

POISON_COPIES = 3
# what is in the names of operators and kernels that tell how attention was computed
TELLING = ("attention", "attn", "flash", "fmha", "softmax")
# how sdpa begins what it says of one kernel: "Memory efficient kernel not used because:"
HEADING = "kernel not used because"
HEADINGS = {"flash": "flash", "efficient": "memory", "cudnn": "cudnn", "math": "math"}
# the kernels of sdpa by the operators that they are, and by their numbers in torch's order of preference
OPERATORS = {
    "flash": "flash_attention",
    "efficient": "efficient_attention",
    "cudnn": "cudnn_attention",
    "math": "attention_math",
}
NUMBERS = {0: "math", 1: "flash", 2: "efficient", 3: "cudnn"}
TOLD_BY_LOG = "torch.nested._internal.sdpa"
NESTED = ("flash", "efficient", "math", "cudnn")  # of nested tensors torch prefers them so, whatever the GPU is
DROPPED_APART = 0.3  # of the variance that dropout must have: six deviations of it over the rows of a case
SAME_MASK_APART = 0.05  # another mask in backward is off by the probability, 0.2


class Wrong(Exception):
    """What no backend may do, whatever its numbers are."""


def hello() -> dict:
    return {"torch": torch.__version__, "cuda": torch.cuda.is_available()}


def answer(case: dict) -> dict:
    """What became of one case, or of loading a kernel."""
    if case.get("load"):
        return loaded(*case["load"])
    with listening() as said:
        try:
            found = dropped(case) if case.get("dropout") else judged(case)
        except (Refused, NotImplementedError) as refused:
            kernel = case["subject"].partition(".")[2]
            told = words(said, kernel) if NONE_TAKES.search(str(refused)) else []
            found = {"status": "refused", "reason": " ".join(told) or because(refused)}
        except Wrong as wrong:
            found = {"status": "wrong", "reason": str(wrong)}
        except Exception as error:  # noqa: BLE001 - whatever a kernel raises is its row
            found = raised(error)
    return found


def loaded(path: str, name: str) -> dict:
    """Whether that file is Python and has that function."""
    try:
        kernels.own(path, name)
    except kernels.NoFunction as error:
        return {"status": "not loaded", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever the file does
        said = str(error).strip().partition("\n")[0]
        missing = isinstance(error, AttributeError) and said.startswith("module 'kernel_under_test' has no")
        reason = f"there is no function {name} in it" if missing else f"{type(error).__name__}: {said}".rstrip(": ")
        return {"status": "not loaded", "reason": reason}
    return {"status": "loaded"}


@contextmanager
def listening():
    """Collects what torch says of its kernels: by warnings, and for nested tensors by its log."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(TOLD_BY_LOG)
    log.addHandler(handler)
    log.propagate = False

    def show(message, *_, **__):
        said.append(str(message).partition(" (Triggered internally")[0])

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield said
    finally:
        log.removeHandler(handler)


def words(said: list[str], kernel: str) -> list[str]:
    """Why sdpa did not take a kernel; why none, where no kernel is named."""
    found, heading = [], ""
    for line in said:
        if HEADING in line:
            heading = line.lower()
        elif HEADING in heading and (not kernel or heading.startswith(HEADINGS[kernel])):
            found.append(line)
    return list(dict.fromkeys(found))


def because(refused: Exception) -> str:
    """Its first line; of xFormers', what it says of each of its operators."""
    first, *rest = str(refused).split("\n")
    told = [line.strip() for line in rest[next((i for i, line in enumerate(rest) if "because" in line), len(rest)) :]]
    reasons = dict.fromkeys(line for line in told if not line.startswith("`"))
    return ": ".join([first.partition(" with inputs")[0], *(["; ".join(reasons)] if reasons else [])])


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
        if not wide and len(true) == len(leaves):
            poison(true)  # once more: what forward wrote and gave back may be right by chance
        (out.double() * weight.to(device)).sum().backward() if wide else out.backward(weight.to(device, out.dtype))
        missing = next((name for name, one in zip("qkv", leaves) if one.grad is None), None)
        if missing:
            raise Wrong(f"backward gives no gradient for {missing}")
        return [one.grad.double() for one in leaves]

    true: list = []
    true[:] = results(lambda a, b, c: kernels.true(a.double(), b.double(), c.double(), case), wide=True)
    plain = results(lambda a, b, c: kernels.eager(a, b, c, added), wide=False)
    poison(true)
    ran: list = []
    sdpa: dict = {}

    def subject(a, b, c):
        def once():
            return call(a, b, c, case) if call else kernels.run(case["subject"], a, b, c, case)

        out, names = recorded(once, case) if case.get("record") else (once(), [])
        ran.extend(names)
        if case["subject"] == "sdpa" and names:
            sdpa.update(choice(a, b, c, case, names))
        if call and not all(torch.equal(one, was) for one, was in zip((a, b, c), (q, k, v))):
            raise Wrong("it changed its inputs")
        if out.shape != a.shape:
            raise Wrong(f"the result has shape {tuple(out.shape)}, not {tuple(a.shape)}")
        if out.dtype != a.dtype:
            raise Wrong(f"the result is {out.dtype}, not {a.dtype}")
        if backward and not out.requires_grad:
            raise Refused("its result has no gradient")
        return out

    got = results(subject, wide=False)
    return {
        "status": "ran",
        "finite": all(bool(torch.isfinite(one).all()) for one in got),
        "error": largest(got, true),
        "eager": largest(plain, true),
        "rms": spread(got, true, case),
        "eager_rms": spread(plain, true, case),
        "ran": sorted(set(ran)),
        **sdpa,
    }


def largest(got: list, true: list) -> float:
    """The largest difference, as a share of the largest true value of each tensor."""
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1e-30)) for a, b in zip(got, true))


def spread(got: list, true: list, case: dict) -> float:
    """The root mean square of the difference over that of the truth, of the worst head of the worst sequence."""
    worst = 0.0
    rows, columns = ([pair[side] for pair in kernels.spans(case)] for side in (0, 1))
    for a, b, parts in zip(got, true, (rows, columns, columns)):
        for part in parts:
            error = (a - b)[:, :, part].square().mean(dim=(-1, -2)).sqrt()
            size = b[:, :, part].square().mean(dim=(-1, -2)).sqrt().clamp_min(1e-30)
            worst = max(worst, float((error / size).max()))
    return worst


def choice(q, k, v, case: dict, names: list) -> dict:
    """Which kernel sdpa took, and torch's words on each that it prefers and did not take."""
    took = next((one for one, name in OPERATORS.items() if any(name in ran for ran in names)), "")
    took = took or ("math" if any("softmax" in ran for ran in names) else "")  # its parts, on a CPU
    listed = preferred(case)
    better = listed[: listed.index(took)] if took in listed else ()
    return {"kernel": took, "not_taken": {one: refusal(q, k, v, case, one) for one in better}}


def preferred(case: dict) -> tuple:
    """The kernels as torch prefers them for a case."""
    if case["device"] == "cpu":
        return ("flash", "math")
    if case.get("lengths"):
        return NESTED
    ask = getattr(torch._C, "_get_sdp_priority_order", None)  # noqa: SLF001 - torch 2.6 and newer say it there alone
    numbers = ask() if ask else (1, 2, 0, 3)
    return tuple(NUMBERS[one] for one in numbers if one in NUMBERS)


def refusal(q, k, v, case: dict, kernel: str) -> str:
    """What torch says when it may take this kernel alone."""
    with listening() as said:
        try:
            kernels.sdpa(q, k, v, case, kernel)
        except (Refused, NotImplementedError, RuntimeError) as refused:
            return " ".join(words(said, kernel)) or f"torch gives no reason: {because(refused)}"
    return "it would have taken the case"


def poison(like: list) -> None:
    """Fill memory of the very sizes that results will get with NaN, and give it back: what is not written shows."""
    for one in like:
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            copies = [torch.full(one.shape, float("nan"), dtype=dtype, device=one.device) for _ in range(POISON_COPIES)]
            del copies


def recorded(call, case: dict):
    """The result, and the names of the attention operators and kernels that ran for it."""
    if case["subject"] == "flex_attention":
        return call(), []  # it is not taken apart by an observer
    if case["device"] == "cpu":
        return observed(call)
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])
    with profile(activities=activities) as seen:
        out = call()
    names = {event.key for event in seen.key_averages()}
    return out, [name for name in names if any(word in name.lower() for word in TELLING)]


def observed(call):
    """As `recorded`, by the operators alone: the profiler loads torch's compiler, which takes as long as torch itself."""
    from torch.utils._python_dispatch import TorchDispatchMode

    names: set[str] = set()

    class Observer(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            names.add(function.name())
            return function(*args, **(kwargs or {}))

    with Observer():
        out = call()
    return out, [name for name in names if any(word in name.lower() for word in TELLING)]


def dropped(case: dict) -> dict:
    """Dropout by its statistics, since no two kernels draw the same numbers."""
    if case.get("own"):
        raise Refused("dropout is not asked of a kernel of one's own")
    torch.manual_seed(int(case["seed"]))
    return dropped_backward(case) if case["direction"] == "backward" else dropped_forward(case)


def dropped_forward(case: dict) -> dict:
    """With values of one, each result is the sum of the weights that are left, scaled: its mean is one, and its variance
    follows from the weights.
    """
    q, k, _ = kernels.inputs(case, case["device"])
    chance = case["dropout"]
    places = torch.eye(case["keys"], dtype=torch.float64, device=q.device).expand(*q.shape[:2], -1, -1)
    weights = kernels.true(q.double(), k.double(), places, case)
    expected = float(weights.square().sum(-1).mean()) * chance / (1 - chance)
    ones = torch.ones_like(k)

    def once():
        return kernels.run(case["subject"], q, k, ones, case)

    out, names = recorded(once, case) if case.get("record") else (once(), [])
    sdpa = choice(q, k, ones, case, names) if case["subject"] == "sdpa" and names else {}
    out = out.double()
    mean, variance = float(out.mean()), float((out[..., 0] - 1).square().mean())
    sure = 6 * (expected / out[..., 0].numel()) ** 0.5 + 0.02
    said = ""
    if not abs(mean - 1) <= sure:
        said = f"with values of one the mean is {mean:.3f}"
    elif not abs(variance / expected - 1) <= DROPPED_APART:
        said = f"the variance is {variance / expected:.2f} of what a chance of {chance:g} makes"
    finite = bool(torch.isfinite(out).all())
    return {"status": "ran", "finite": finite, "dropped": said, "ran": sorted(names), **sdpa}


def dropped_backward(case: dict) -> dict:
    """The result is linear in v: where backward drops what forward dropped, v times its gradient is the result squared."""
    leaves = [one.requires_grad_() for one in kernels.inputs(case, case["device"])]
    out = kernels.run(case["subject"], *leaves, case)
    if not out.requires_grad:
        raise Refused("its result has no gradient")
    out.backward(out.detach())
    squared, moved = float(out.double().square().sum()), float((leaves[2].grad.double() * leaves[2].double()).sum())
    said = "" if abs(moved / squared - 1) <= SAME_MASK_APART else "backward does not drop what forward dropped"
    finite = all(bool(torch.isfinite(one.grad).all()) for one in leaves)
    return {"status": "ran", "finite": finite, "dropped": said, "ran": []}


if __name__ == "__main__":
    torch.set_float32_matmul_precision("highest")  # NVIDIA's containers set TORCH_ALLOW_TF32_CUBLAS_OVERRIDE
    serve(hello, answer)
