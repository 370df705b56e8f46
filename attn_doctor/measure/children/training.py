"""Training steps of a GPT-2 with one backend or another, one JSON document a line, each answered with one line.

Runs in the target's interpreter. One model at a time is held: what a backend needs is not taken by another one. Weights and
tokens come from the seed of the question alone, so every backend is asked to do the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import re
import sys
import time

import attn_doctor_kernels as kernels
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from attn_doctor_answers import give_back, here, limit, on_allocator, serve
from attn_doctor_answers import raised as said_of
from attn_doctor_calls import CALLS

WARM = 2  # the first makes the optimizer's state and compiles, the second is watched for memory
RATE, BETAS, DECAY = 3e-4, (0.9, 0.95), 0.1
# what torch says where nothing is at hand to compile with
NO_COMPILER = re.compile(
    r"(?i)compiler.{0,40}(?:not found|can't|cannot)|InvalidCxxCompiler|Failed to find C compiler"
    r"|Cannot find a working triton|not supported on (?:Python|Windows)|GPUTooOld|TooOldForTriton"
)


def introduced() -> dict:
    """What is here, with the release of Python."""
    return {**here(), "python": "{}.{}".format(*sys.version_info)}


def answer(question: dict) -> dict:
    """What became of some steps."""
    began = time.perf_counter()
    try:
        found = trained(question)
    except Exception as error:  # noqa: BLE001 - whatever a backend raises is its row
        found = raised(error, question)
    forget(question)  # not before: the error holds the frames, and they the tensors
    return {**found, "wall_s": time.perf_counter() - began}


def raised(error: Exception, question: dict) -> dict:
    """As of every child; and that there is nothing to compile with."""
    found = said_of(error)
    if (
        question["setting"] == "torch_compile"
        and found["status"] != "no memory"
        and NO_COMPILER.search(f"{found['reason']} {error}")
    ):
        return {"status": "cannot", "reason": found["reason"]}
    return found


def forget(question: dict) -> None:
    """Give back what the model held."""
    if question["setting"] == "torch_compile":
        torch._dynamo.reset()  # noqa: SLF001 - torch.compiler.reset is newer than torch.compile
    gc.collect()
    if question["device"] == "cuda":
        give_back()
        return
    with contextlib.suppress(OSError, AttributeError, TypeError):  # of glibc, which keeps what is freed for itself
        ctypes.CDLL(None).malloc_trim(0)


# the model


class Attention(torch.nn.Module):
    """Queries, keys and values from one product, a backend, and a product again."""

    def __init__(self, config: dict, layout: str, call) -> None:
        super().__init__()
        width = config["width"]
        self.heads, self.layout, self.call = config["heads"], layout, call
        self.into = torch.nn.Linear(width, 3 * width)
        self.out = torch.nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (one.view(batch, length, self.heads, -1) for one in self.into(x).split(width, dim=2))
        if self.layout == "bhsd":
            q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        found = self.call(q, k, v)
        if self.layout == "bhsd":
            found = found.transpose(1, 2)
        return self.out(found.reshape(batch, length, width))


class Block(torch.nn.Module):
    """Attention and two products, each beside what came in."""

    def __init__(self, config: dict, layout: str, call) -> None:
        super().__init__()
        width = config["width"]
        self.before, self.between = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attention = Attention(config, layout, call)
        self.wide, self.narrow = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.before(x))
        return x + self.narrow(F.gelu(self.wide(self.between(x)), approximate="tanh"))


class Model(torch.nn.Module):
    """GPT-2: learned positions, layer norm first, GELU by tanh, the embedding used again at the end, no dropout."""

    def __init__(self, config: dict, layout: str, call, checkpointed: bool = False) -> None:
        super().__init__()
        self.tokens = torch.nn.Embedding(config["padded_vocabulary"], config["width"])
        self.positions = torch.nn.Embedding(config["positions"], config["width"])
        self.blocks = torch.nn.ModuleList(Block(config, layout, call) for _ in range(config["layers"]))
        self.last = torch.nn.LayerNorm(config["width"])
        self.checkpointed = checkpointed

    def forward(self, tokens, following):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = recomputed(block, x) if self.checkpointed else block(x)
        logits = F.linear(self.last(x), self.tokens.weight)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), following.reshape(-1))


def recomputed(block, x):
    from torch.utils.checkpoint import checkpoint

    return checkpoint(block, x, use_reentrant=False)


def weighted(model: Model, config: dict, seed: int) -> None:
    """GPT-2's own beginning: 0.02, and less where a layer adds to what came in; from the seed alone.

    A narrower model gets more, so that its attention is as far from even as GPT-2's.
    """
    generator = torch.Generator(model.tokens.weight.device).manual_seed(seed)
    usual = 0.02 * (768 / config["width"]) ** 0.5
    small = usual / (2 * config["layers"]) ** 0.5
    with torch.no_grad():
        for name, one in model.named_parameters():
            if name.endswith("bias"):
                one.zero_()
            elif one.dim() > 1:
                adds = name.endswith(("out.weight", "narrow.weight"))
                one.normal_(0.0, small if adds else usual, generator=generator)


def drawn(question: dict, place: int):
    """Tokens of one step, as often as words are: the share of the n-th falls as 1/n. Fresh for every step."""
    config = question["config"]
    generator = torch.Generator().manual_seed(int(question["seed"]) * 100003 + place)
    share = torch.rand((question["batch"], question["length"] + 1), generator=generator, dtype=torch.float64)
    tokens = (config["vocabulary"] ** share).long() - 1
    return tokens.clamp_(0, config["vocabulary"] - 1).to(question["device"])


# a step


def backend(question: dict) -> tuple:
    """Layout and call of the backend, for the shape of this model."""
    config, device = question["config"], question["device"]
    shape = {"batch": question["batch"], "length": question["length"], "causal": True, "dtype": question["dtype"]}
    shape.update(heads=config["heads"], kv_heads=config["heads"], head_dim=config["width"] // config["heads"])
    if question.get("own"):
        call = kernels.own(*question["own"])
        case = {**shape, "queries": shape["length"], "keys": shape["length"]}
        return "bhsd", lambda q, k, v: call(q, k, v, case)
    name, _, kernel = question["subject"].partition(".")
    layout, prepare = CALLS[name]
    return layout, prepare(shape, device, kernel, True)


class Trainer:
    """A model with its optimizer."""

    def __init__(self, question: dict) -> None:
        self.device, self.setting, dtype = question["device"], question["setting"], question["dtype"]
        torch.set_float32_matmul_precision("high" if self.setting == "tf32" else "highest")
        config, checkpointed = question["config"], self.setting == "gradient_checkpointing"
        with torch.device(self.device):
            self.model = Model(config, *backend(question), checkpointed)
        weighted(self.model, config, int(question["seed"]))
        self.run = torch.compile(self.model) if self.setting == "torch_compile" else self.model
        self.optimizer = adamw(self.model.parameters())
        self.half = None if dtype == "fp32" else kernels.DTYPES[dtype]
        self.scaler = scaler() if dtype == "fp16" and self.device == "cuda" else None

    def step(self, tokens):
        """Forward, backward, and the weights moved; the loss stays on the device."""
        mixed = torch.autocast(self.device, dtype=self.half) if self.half else contextlib.nullcontext()
        with mixed:
            loss = self.run(tokens[:, :-1], tokens[:, 1:])
        if self.scaler is None:
            loss.backward()
            self.optimizer.step()
        else:
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def held_bytes(self) -> int:
        """Weights and the optimizer's state: what is there between two steps."""
        states = (one for state in self.optimizer.state.values() for one in state.values())
        tensors = [*self.model.parameters(), *(one for one in states if isinstance(one, torch.Tensor))]
        return sum(one.numel() * one.element_size() for one in tensors)


def adamw(parameters):
    """Fused where this torch has it for the device."""
    listed = list(parameters)
    options = {"lr": RATE, "betas": BETAS, "weight_decay": DECAY}
    try:
        return torch.optim.AdamW(listed, fused=True, **options)
    except (RuntimeError, TypeError):
        return torch.optim.AdamW(listed, **options)


def scaler():
    return torch.amp.GradScaler("cuda") if hasattr(torch.amp, "GradScaler") else torch.cuda.amp.GradScaler()


def trained(question: dict) -> dict:
    """Steps from the beginning: warm-up, then as many as are asked for and fit into `limit_s`.

    `losses` are of all steps, `times_s` of those after the warm-up.
    """
    trainer = Trainer(question)
    began, place, losses = time.perf_counter(), 0, []
    memory: dict = {}
    while place < WARM:
        start = time.perf_counter()
        tokens = drawn(question, place)
        if place == WARM - 1:
            loss, memory = watched(trainer, tokens)
        else:
            loss = trainer.step(tokens)
        losses.append(float(loss))  # waits for the device
        last, place = time.perf_counter() - start, place + 1
    left = float(question["limit_s"]) - (time.perf_counter() - began)
    count = max(1, min(int(question["steps"]), int(left / last)))
    tokens = [drawn(question, place + more) for more in range(count)]
    times, more = (on_gpu if question["device"] == "cuda" else on_cpu)(trainer, tokens)
    return {
        "status": "ran",
        "losses": losses + [float(one) for one in more],
        "times_s": times,
        "kernel_s": time.perf_counter() - began,
        **memory,
    }


def on_cpu(trainer: Trainer, tokens: list) -> tuple:
    times, losses = [], []
    for one in tokens:
        start = time.perf_counter()
        losses.append(trainer.step(one))
        times.append(time.perf_counter() - start)
    return times, losses


def on_gpu(trainer: Trainer, tokens: list) -> tuple:
    """From the end of one step to the end of the next, by events of the device; nobody waits in between."""
    marks = [torch.cuda.Event(enable_timing=True) for _ in range(len(tokens) + 1)]
    losses = []
    torch.cuda.synchronize()
    marks[0].record()
    for one, mark in zip(tokens, marks[1:]):
        losses.append(trainer.step(one))
        mark.record()
    torch.cuda.synchronize()
    return [marks[place].elapsed_time(marks[place + 1]) / 1e3 for place in range(len(tokens))], losses


def watched(trainer: Trainer, tokens) -> tuple:
    """One step, and the bytes at its peak as torch's allocator counts them, weights and optimizer among them."""
    if trainer.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        loss = trainer.step(tokens)
        torch.cuda.synchronize()
        found = {"peak_bytes": torch.cuda.max_memory_allocated(), "reserved_bytes": torch.cuda.max_memory_reserved()}
        return loss, found
    held = trainer.held_bytes()
    loss, peak, _spent = on_allocator(lambda: trainer.step(tokens))
    return loss, {"peak_bytes": held + peak}


if __name__ == "__main__":
    limit()
    serve(introduced, answer)
