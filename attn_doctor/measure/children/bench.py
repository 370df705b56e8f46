"""Measures attention calls as they are asked for, one JSON document a line, and answers each with one line.

Runs in the target's interpreter and imports torch and the package that is measured. Every backend gets tensors in the
layout it takes by itself, so that no copy of a layout is counted.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time

import attn_doctor_kernels as kernels
import torch
from attn_doctor_calls import CALLS, COMPILED, Refused

MEMORY = "ATTN_DOCTOR_MEMORY_BYTES"
SETS = 3  # of inputs, taken in turn: no call finds the last one's in the cache
FLUSH_BYTES = 256 << 20  # more than any second-level cache
WARM_S = 0.2
LEAST_S = 2e-4  # what one reading of the clock has to span
NO_MEMORY = (
    *("can't allocate memory", "out of memory", "not enough memory"),
    "Resource temporarily unavailable",  # no room for the stack of a thread
)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    limit()
    answers.write(json.dumps(hello()) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")


def hello() -> dict:
    """What is here. Sizes in bytes."""
    found = {"torch": torch.__version__, "cuda": torch.cuda.is_available(), "threads": torch.get_num_threads()}
    if found["cuda"]:
        properties = torch.cuda.get_device_properties(0)
        found.update(name=properties.name, memory_bytes=properties.total_memory)
    return found


def limit() -> None:
    """On a CPU: take no more memory than there is, so that what does not fit is told and not killed."""
    left = os.environ.get(MEMORY)
    if not left:
        return
    with open("/proc/self/status", encoding="ascii") as status:
        held = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData:"))
    import resource  # not on Windows, where no limit is given

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + int(left), hard))


def answer(question: dict) -> dict:
    """What became of one question: a block of timings, the memory of one call, or whether it fits."""
    began = time.perf_counter()
    try:
        found = DO[question["do"]](question)
    except Refused as refused:
        found = {"status": "refused", "reason": str(refused)}
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is its row
        found = raised(error)
    if found["status"] != "ran":
        forget()
    return {**found, "wall_s": time.perf_counter() - began}


def raised(error: Exception) -> dict:
    """What an exception says: no memory, a shape that the backend does not take, or a fault."""
    said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return {"status": "no memory", "reason": said}
    refused = isinstance(error, NotImplementedError) or kernels_refuse(said)
    return {"status": "refused" if refused else "failed", "reason": said, "spoilt": "CUDA error" in said}


def kernels_refuse(said: str) -> bool:
    words = ("support", "must be", "expect", "require", "not implemented", "at most", "No available", "no operator")
    return any(word in said for word in words)


# one shape at a time is kept, with its inputs and what was made ready for it

KEPT: dict = {}


def forget() -> None:
    KEPT.clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def inputs(shape: dict, device: str, layout: str, sets: int = SETS) -> list:
    """Sets of q, k, v and the gradient of the result; standard normal, from the seed of the question."""
    key = ("inputs", layout, device, json.dumps(shape, sort_keys=True))
    if key not in KEPT:
        if not any(known[2:] == key[2:] for known in KEPT if known[0] == "inputs"):
            forget()
        KEPT[key] = [made(shape, device, layout, place) for place in range(sets)]
    return KEPT[key]


def made(shape: dict, device: str, layout: str, place: int) -> tuple:
    """The same numbers in every layout: what backends give can be held against each other."""
    generator = torch.Generator(device).manual_seed(int(shape.get("seed", 0)) + place)
    dtype = kernels.DTYPES[shape["dtype"]]

    def one(heads: int) -> torch.Tensor:
        size = (shape["batch"], heads, shape["length"], shape["head_dim"])
        found = torch.randn(size, generator=generator, device=device, dtype=torch.float32).to(dtype)
        return found if layout == "bhsd" else found.transpose(1, 2).contiguous()

    q, k, v, weight = one(shape["heads"]), one(shape["kv_heads"]), one(shape["kv_heads"]), one(shape["heads"])
    return q, k, v, weight


def ready(question: dict) -> tuple:
    """(call, sets of inputs, layout): the call takes q, k, v in the layout of the backend."""
    shape, device = question["shape"], question["device"]
    backend, _, kernel = question["subject"].partition(".")
    layout, prepare = CALLS[backend]
    sets = inputs(shape, device, layout, int(question.get("sets", SETS)))
    key = ("call", question["subject"], device, json.dumps(shape, sort_keys=True), question["direction"] == "forward")
    if key not in KEPT:
        KEPT[key] = prepare(shape, device, kernel, question["direction"] != "forward")
    return KEPT[key], sets, layout


def nothing(_one) -> None:
    """What is to be made ready before a call that needs nothing."""


def work(call, direction: str):
    """A function of a set of inputs that does what is timed, and one that makes ready what is not."""
    if direction == "forward":

        def forward(one, _made):
            with torch.no_grad():
                return (call(*one[:3]),)

        return nothing, forward
    if direction == "both":

        def both(one, _made):
            leaves = [tensor.detach().requires_grad_() for tensor in one[:3]]
            return torch.autograd.grad(call(*leaves), leaves, one[3])

        return nothing, both

    def graph(one):
        leaves = [tensor.detach().requires_grad_() for tensor in one[:3]]
        out = call(*leaves)
        if not out.requires_grad:
            raise Refused("its result has no gradient")
        return out, leaves

    def backward(one, made_ready):
        out, leaves = made_ready
        return torch.autograd.grad(out, leaves, one[3], retain_graph=True)

    return graph, backward


# what can be asked


def block(question: dict) -> dict:
    """Timings of single calls for about `target_s` seconds, after `warm` calls that do not count."""
    call, sets, _layout = ready(question)
    prepare, run = work(call, question["direction"])
    device = question["device"]
    kernel_s = 0.0
    graphs = [prepare(one) for one in (sets if question["direction"] != "backward" else sets[:1])]
    sets = sets[: len(graphs)]
    for place in range(int(question["warm"])):
        if kernel_s > WARM_S:
            break  # a call that long was warm before it ended
        began = time.perf_counter()
        run(sets[place % len(sets)], graphs[place % len(sets)])
        settle(device)
        kernel_s += time.perf_counter() - began
    timed = on_gpu if device == "cuda" else on_cpu
    times, spent = timed(run, sets, graphs, float(question["target_s"]))
    return {"status": "ran", "times_s": times, "kernel_s": kernel_s + spent}


def settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def on_cpu(run, sets: list, graphs: list, target_s: float) -> tuple:
    """Each reading spans at least `LEAST_S`: calls shorter than the clock can tell are timed together."""
    began = time.perf_counter()
    run(sets[0], graphs[0])
    first = time.perf_counter() - began
    together = max(1, math.ceil(LEAST_S / max(first, 1e-9)))
    times, spent, place = [], first, 0
    while spent < target_s or not times:
        start = time.perf_counter()
        for _ in range(together):
            run(sets[place], graphs[place])
        span = time.perf_counter() - start
        times.append(span / together)
        spent += span
        place = (place + 1) % len(sets)
    return times, spent


def on_gpu(run, sets: list, graphs: list, target_s: float) -> tuple:
    """Events of the device around each call; the second-level cache is written over before it."""
    cache = KEPT.setdefault(("cache",), torch.empty(FLUSH_BYTES, dtype=torch.int8, device="cuda"))
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    run(sets[0], graphs[0])
    end.record()
    torch.cuda.synchronize()
    first = start.elapsed_time(end) / 1e3
    calls = max(1, min(1000, int(target_s / max(first, 1e-6))))
    pairs = [
        (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True), place % len(sets))
        for place in range(calls)
    ]
    for begin, finish, place in pairs:
        cache.zero_()
        begin.record()
        run(sets[place], graphs[place])
        finish.record()
    torch.cuda.synchronize()
    times = [begin.elapsed_time(finish) / 1e3 for begin, finish, _ in pairs]
    return times, first + sum(times)


def memory(question: dict) -> dict:
    """Bytes at the peak of one call beside its inputs, as torch's allocator counts them."""
    call, sets, _layout = ready(question)
    prepare, run = work(call, question["direction"])
    held = prepare(sets[0])
    if question["device"] == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        out = run(sets[0], held)
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated() - before
    else:
        out, peak = on_allocator(lambda: run(sets[0], held))
    return {"status": "ran", "peak_bytes": peak, "kernel_s": 0.0, "holds": held is not None and out is not None}


def on_allocator(call) -> tuple:
    """The result of a call, and the peak of what the CPU's allocator gave out for it."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        out = call()
    events = sorted(
        (event.start_ns(), event.nbytes())
        for event in seen.profiler.kineto_results.events()
        if event.name() == "[memory]"
    )
    now = peak = 0
    for _, size in events:
        now += size
        peak = max(peak, now)
    return out, peak


def difference(question: dict) -> dict:
    """How far the results lie from those of the first subject that was asked for this shape and direction."""
    call, sets, layout = ready(question)
    prepare, run = work(call, question["direction"])
    began = time.perf_counter()
    found = run(sets[0], prepare(sets[0]))
    settle(question["device"])
    # the first call of what is compiled is the compiler's time
    spent = time.perf_counter() - began if question["subject"] not in COMPILED else 0.0
    if layout != "bhsd":
        found = [one.transpose(1, 2) for one in found]
    key = ("result", question["device"], json.dumps(question["shape"], sort_keys=True), question["direction"])
    if key not in KEPT:
        KEPT[key] = found
        return {"status": "ran", "difference": None, "kernel_s": spent}
    worst = max(
        float(torch.linalg.vector_norm((a - b).float()) / torch.linalg.vector_norm(b.float()).clamp_min(1e-30))
        for a, b in zip(found, KEPT[key])
    )
    return {"status": "ran", "difference": worst if math.isfinite(worst) else None, "kernel_s": spent}


def fits(question: dict) -> dict:
    """Whether forward and backward of one batch go through."""
    forget()
    call, sets, _layout = ready({**question, "sets": 1})
    prepare, run = work(call, question["direction"])
    began = time.perf_counter()
    run(sets[0], prepare(sets[0]))
    settle(question["device"])
    spent = time.perf_counter() - began
    del sets
    forget()
    return {"status": "ran", "kernel_s": spent}


DO = {"block": block, "memory": memory, "difference": difference, "fits": fits}


if __name__ == "__main__":
    main()
