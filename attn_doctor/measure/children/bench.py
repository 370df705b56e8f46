"""Measures attention calls as they are asked for, one JSON document a line, and answers each with one line.

Runs in the target's interpreter and imports torch and the package that is measured. Every backend gets tensors in the
layout it takes by itself, so that no copy of a layout is counted.
"""

from __future__ import annotations

import gc
import json
import math
import time
from functools import partial

import attn_doctor_kernels as kernels
import torch
from attn_doctor_answers import give_back, here, limit, on_allocator, raised, serve
from attn_doctor_calls import CALLS, COMPILED, Refused

SETS = 3  # of inputs, taken in turn: no call finds the last one's in the cache
FLUSH_BYTES = 256 << 20  # as triton.testing.do_bench writes over the second-level cache
LONG_S = 0.2  # a call that long needs no other one before it that does not count
LEAST_S = 2e-4  # what one reading of the clock has to span


class NoNumber(Exception):
    """A result that is NaN or infinite, of inputs that are neither."""


def answer(question: dict) -> dict:
    """What became of one question: the first calls of a subject, a block of timings, or whether a batch fits."""
    began = time.perf_counter()
    try:
        found = DO[question["do"]](question)
    except NoNumber as wrong:
        found = {"status": "failed", "reason": str(wrong)}
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is its row
        found = raised(error)
    if found["status"] != "ran":
        forget()
    return {**found, "wall_s": time.perf_counter() - began}


# one shape at a time is kept, with its inputs and what was made ready for it

KEPT: dict = {}
# what other results are held against, of one shape and direction; it outlives what a backend that fails takes along
RESULTS: dict = {}


def forget() -> None:
    KEPT.clear()
    gc.collect()  # an error of torch.compile's holds its frames in a ring, and they the inputs
    give_back()


def named(shape: dict) -> str:
    return json.dumps(shape, sort_keys=True)


def inputs(shape: dict, device: str, layout: str, sets: int) -> list:
    """Sets of q, k, v; standard normal, from the seed of the question, the same numbers in every layout."""
    key = ("inputs", layout, device, named(shape))
    if key not in KEPT:
        if not any(known[2:] == key[2:] for known in KEPT if known[0] == "inputs"):
            forget()
        heads = (shape["heads"], shape["kv_heads"], shape["kv_heads"])
        KEPT[key] = [drawn(shape, device, layout, heads, place) for place in range(sets)]
    return KEPT[key]


def weights(shape: dict, device: str, layout: str, sets: int) -> list:
    """Gradients of the result, one for each set; for the backward pass alone."""
    key = ("weights", layout, device, named(shape))
    if key not in KEPT:
        KEPT[key] = [drawn(shape, device, layout, (shape["heads"],), SETS + place)[0] for place in range(sets)]
    return KEPT[key]


def drawn(shape: dict, device: str, layout: str, heads: tuple, place: int) -> list:
    """One tensor for each number of heads; in the dtype, so that nothing wider takes room beside them."""
    generator = torch.Generator(device).manual_seed(int(shape.get("seed", 0)) + place)
    dtype = kernels.DTYPES[shape["dtype"]]
    sizes = ((shape["batch"], one, shape["length"], shape["head_dim"]) for one in heads)
    found = (torch.randn(size, generator=generator, device=device, dtype=dtype) for size in sizes)
    return [one if layout == "bhsd" else one.transpose(1, 2).contiguous() for one in found]


def ready(question: dict) -> tuple:
    """(call, sets of inputs, layout): the call takes q, k, v in the layout of the backend; a set is (q, k, v, weight)."""
    shape, device, forward = question["shape"], question["device"], question["direction"] == "forward"
    backend, _, kernel = question["subject"].partition(".")
    layout, prepare = CALLS[backend]
    count = int(question.get("sets", SETS))
    made = inputs(shape, device, layout, count)
    ends = [None] * count if forward else weights(shape, device, layout, count)
    key = ("call", question["subject"], device, named(shape), forward)
    if key not in KEPT:
        KEPT[key] = prepare(shape, device, kernel, not forward)
    return KEPT[key], [(*one, end) for one, end in zip(made, ends)], layout


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


def first(question: dict) -> dict:
    """The first calls of a subject, which warm it up: how far its result lies from that of `against`, the bytes at the
    peak beside the inputs; then a block.
    """
    call, sets, layout = ready(question)
    prepare, run = work(call, question["direction"])
    device = question["device"]
    began = time.perf_counter()
    held = prepare(sets[0])
    out = run(sets[0], held)
    settle(device)
    # the first call of what is compiled is the compiler's time
    spent = time.perf_counter() - began if question["subject"] not in COMPILED else 0.0
    apart = difference(question, out, layout)
    del out
    peak, once = memory(partial(run, sets[0], held), device)
    del held
    found = block({**question, "known_s": once})
    return {**found, "peak_bytes": peak, "difference": apart, "kernel_s": found["kernel_s"] + spent + once}


def block(question: dict) -> dict:
    """Timings of single calls for about `target_s` seconds. `known_s`: what a call took before, about."""
    call, sets, _layout = ready(question)
    prepare, run = work(call, question["direction"])
    device = question["device"]
    began = time.perf_counter()
    graphs = [prepare(one) for one in (sets if question["direction"] != "backward" else sets[:1])]
    settle(device)
    prepared = time.perf_counter() - began
    timed = on_gpu if device == "cuda" else on_cpu
    times, spent = timed(run, sets[: len(graphs)], graphs, float(question["target_s"]), float(question["known_s"]))
    return {"status": "ran", "times_s": times, "kernel_s": prepared + spent}


def settle(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def on_cpu(run, sets: list, graphs: list, target_s: float, known_s: float) -> tuple:
    """Each reading spans at least `LEAST_S`: calls shorter than the clock can tell are timed together."""
    spent = 0.0
    if known_s < LONG_S:
        began = time.perf_counter()
        run(sets[0], graphs[0])
        spent = known_s = time.perf_counter() - began
    together = max(1, math.ceil(LEAST_S / max(known_s, 1e-9)))
    times, place = [], 0
    while spent < target_s or not times:
        start = time.perf_counter()
        for _ in range(together):
            run(sets[place], graphs[place])
        span = time.perf_counter() - start
        times.append(span / together)
        spent += span
        place = (place + 1) % len(sets)
    return times, spent


def on_gpu(run, sets: list, graphs: list, target_s: float, known_s: float) -> tuple:
    """Events of the device around each call; the second-level cache is written over before it."""
    if ("cache",) not in KEPT:
        KEPT["cache",] = torch.empty(FLUSH_BYTES, dtype=torch.int8, device="cuda")
    cache, before_s = KEPT["cache",], 0.0
    if known_s < LONG_S:
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        run(sets[0], graphs[0])
        end.record()
        torch.cuda.synchronize()
        before_s = known_s = start.elapsed_time(end) / 1e3
    calls = max(1, min(1000, int(target_s / max(known_s, 1e-6))))
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
    return times, before_s + sum(times)


def memory(call, device: str) -> tuple:
    """(bytes, seconds): the peak of one call beside its inputs, as torch's allocator counts them."""
    if device != "cuda":
        _out, peak, spent = on_allocator(call)
        return peak, spent
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    began = time.perf_counter()
    out = call()
    torch.cuda.synchronize()
    spent = time.perf_counter() - began
    del out
    return torch.cuda.max_memory_allocated() - before, spent


def difference(question: dict, found: tuple, layout: str) -> float | None:
    """How far the results lie from those of `against`, at worst: root mean square, as a share. None for itself.

    Raises NoNumber.
    """
    if layout != "bhsd":
        found = tuple(one.transpose(1, 2) for one in found)
    if not all(bool(torch.isfinite(one).all()) for one in found):
        raise NoNumber("its result is no number: NaN or infinite")
    against = question["against"]
    key = (question["device"], named(question["shape"]), question["direction"], against)
    if any(known[:3] != key[:3] for known in RESULTS):
        RESULTS.clear()
    if question["subject"] == against:
        RESULTS[key] = found
        return None
    if key not in RESULTS:
        RESULTS[key] = of_another({**question, "subject": against})
    sizes = ((float((a - b).float().norm()), float(b.float().norm())) for a, b in zip(found, RESULTS[key]))
    shares = [apart / max(size, 1e-30) for apart, size in sizes]
    return max(shares) if shares and math.isfinite(max(shares)) else None


def of_another(question: dict) -> tuple:
    """What a backend gives that is not measured now, or whose result a child took along; nothing where it fails."""
    try:
        call, sets, layout = ready(question)
        prepare, run = work(call, question["direction"])
        found = run(sets[0], prepare(sets[0]))
    except Exception:  # noqa: BLE001 - not the fault of what is measured
        return ()
    return found if layout == "bhsd" else tuple(one.transpose(1, 2) for one in found)


def fits(question: dict) -> dict:
    """Whether forward and backward of one batch go through."""
    RESULTS.clear()
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


DO = {"first": first, "block": block, "fits": fits}


if __name__ == "__main__":
    limit()
    torch.set_float32_matmul_precision(
        "highest"
    )  # as in verify.py: fp32 of one backend, TF32 of another are no comparison
    serve(here, answer)
