"""Which GPU a log speaks of, and the torch that has code for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Literal

import msgspec

from attn_doctor.errors import AttnDoctorError
from attn_doctor.explain import said
from attn_doctor.explain.case import Case
from attn_doctor.explain.log import Log
from attn_doctor.judgement import commands, torch_choice
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import capability, gpus
from attn_doctor.knowledge.attention import demands, source_build
from attn_doctor.knowledge.tables import load
from attn_doctor.machine import whatif
from attn_doctor.machine.gather import Facts

Kind = Literal["blackwell", "jetson", "old", "other"]
JETSON = r"(?i)\bjetson\b|\b(?:agx )?(?:orin|xavier)\b|jetpack|\bl4t\b|-tegra\b|\btegra\b|nv[gt]pu|\bthor\b"
BLACKWELL = (
    r"(?i)\brtx[ _-]?50[5-9]0|\b50[5-9]0 ?ti\b|\bG?B[123]00\b|\bGB10\b|blackwell|\brtx pro [2-6]\d00\b|dgx spark"
    r"|\bsm_?1[0-2]\d[af]?\b|compute_1[0-2]\d"
)
OLD = (
    r"(?i)\b(?:tesla |quadro )(?:[kmp]\d{1,4}|v100)\b|\b(?:k80|k40|m40|m60|p100|p40|v100)\b"
    r"|\bgtx ?(?:[79]\d0|1[06]\d0)"
    r"|\btitan (?:x|xp|v|black)\b|maxwell|pascal (?:gpu|architecture|card)"
)
OF_A_GPU = (
    r"CUDA capability sm_(?P<sm>\d{2,3})",
    r"compute capability \(CC\) (?P<a>\d{1,2}\.\d)",
    r"but your GPU has capability \((?P<b>\d{1,2}, ?\d)\)",
    r"CUDA capability (?P<c>\d{1,2}\.\d) of the current device",
    r"[Cc]ompute [Cc]apability[ :=]{1,3}\(?(?P<d>\d{1,2}[.,] ?\d)\b(?! (?:or|and) (?:higher|above|newer))",
    r"(?:get_device_capability\(\)|major, ?minor|capability)\W{1,6}\(?(?P<e>\d{1,2}, ?\d)\)",
)


class Seen(msgspec.Struct, frozen=True):
    """A GPU as far as the log tells; `on` is its compute capability."""

    kind: Kind
    on: str | None
    name: str | None


@lru_cache(maxsize=8)
def seen(log: Log) -> Seen | None:
    """The GPU on which it failed; None where the log does not say."""
    on, name = _stated(log), said.facts(log).get("gpu")
    product = gpus.find(name) if name else None
    on = on or (product.compute_capability if product else None)
    if on is not None:
        return Seen(_kind(on, log), on, name)
    for kind, words in _WORDS:
        if found := log.matches(words):
            named = gpus.find(found[0])
            return Seen(kind, named.compute_capability if named else None, found[0])
    return None


_WORDS: tuple[tuple[Kind, str], ...] = (("jetson", JETSON), ("blackwell", BLACKWELL), ("old", OLD))


def _stated(log: Log) -> str | None:
    for pattern in OF_A_GPU:
        if found := log.matches(pattern):
            text = next(value for value in found.groups() if value)
            return text.replace(", ", ".").replace(",", ".") if not text.isdigit() else f"{text[:-1]}.{text[-1]}"
    return None


def _kind(on: str, log: Log) -> Kind:
    newest = capability.capability(on)[0] > (demands("flash_attention_3").max_capability_major or 0)
    if on in _boards() or (newest and log.matches(JETSON)):
        return "jetson"
    if newest:
        return "blackwell"
    least = demands("flash_attention_1").min_capability or "0.0"
    return "old" if capability.capability(on) < capability.capability(least) else "other"


@cache
def _boards() -> frozenset[str]:
    """The compute capabilities that only Jetson boards have."""
    rows = load("gpus", gpus.Gpus).rows
    boards = {row.cc for row in rows if row.cc and re.search(JETSON, row.name)}
    return frozenset(boards - {row.cc for row in rows if row.cc and not re.search(JETSON, row.name)})


def too_old(log: Log, backend: str = "flash_attention_2") -> bool:
    """Whether the log names a GPU below what the backend needs."""
    gpu = seen(log)
    least = demands(backend).min_capability
    if gpu is None or least is None:
        return False
    return gpu.kind == "old" if gpu.on is None else capability.capability(gpu.on) < capability.capability(least)


def named(log: Log) -> str:
    """'RTX 5090 (sm_120)', 'a GPU of compute capability 6.1' or 'this GPU'."""
    gpu = seen(log)
    if gpu is None:
        return "this GPU"
    code = capability.sm(gpu.on) if gpu.on else ""
    if gpu.name:
        return f"the {gpu.name.strip()}{f' ({code})' if code else ''}"
    return f"a GPU of compute capability {gpu.on}" if gpu.on else "this GPU"


def machine(case: Case) -> Machine:
    """The machine; one with only what the log says, where nothing else is known."""
    if case.machine is not None:
        return case.machine
    found = whatif.simulate([])
    for key, value in case.said.items():
        found = _with(found, f"{key}={value}")
    return Machine(found)


def _with(facts: Facts, assignment: str) -> Facts:
    """What the log says may be no value that `--what-if` takes: then it is not said."""
    try:
        return whatif.apply(facts, [assignment])
    except (AttnDoctorError, ValueError):
        return facts


def torch_with_code(case: Case) -> Iterator[str]:
    """The command for the nearest torch that has code for the GPU of the log; nothing where that is not known."""
    gpu = seen(case.log)
    if gpu is None or gpu.on is None:
        return
    about = machine(case)
    builds = torch_choice.by_distance(about, torch_choice.suitable(about, (gpu.on,)))
    if builds and not torch_choice.is_installed(about, builds[0]):
        yield f"{commands.install_torch(about, builds[0])}   ({torch_choice.label(builds[0])} has code for it)"


def torch_has_code(case: Case) -> bool:
    """Whether the torch of the log certainly has code for its GPU: then it is the extension that lacks it."""
    gpu, torch = seen(case.log), machine(case).torch
    return bool(gpu and gpu.on and torch and torch.arch_list and capability.covers(torch.arch_list, gpu.on))


def compile_for(case: Case) -> Iterator[str]:
    """How the extension is compiled for that GPU."""
    gpu = seen(case.log)
    if gpu is None or gpu.on is None:
        yield "compile the extension on that machine, with TORCH_CUDA_ARCH_LIST set to the GPU's compute capability"
        return
    archs = source_build("flash-attn", "2").archs
    major = gpu.on.partition(".")[0]
    ours = case.backend == "flash_attention_2" and major in archs
    variable = f"FLASH_ATTN_CUDA_ARCHS={archs[major]}" if ours else f"TORCH_CUDA_ARCH_LIST={gpu.on}"
    package = case.package or "flash-attn"
    command = f"pip install --no-build-isolation --no-deps --force-reinstall --no-binary {package} {package}"
    yield f"compile it for this GPU, with {variable} in the environment: {command}"


def extension_of(log: Log) -> str | None:
    """The extension in whose code it failed, by the frames and messages about it; None: torch itself, or unknown."""
    for name, words in EXTENSIONS.items():
        if log.matches(words):
            return name
    return None


EXTENSIONS = {
    "SageAttention": r"sageattn|sageattention|_qattn|sage_attn",
    "xFormers": r"xformers[\\/.]|_C_flashattention|xfrm2|fmha_cutlass|xFormers",
    "FlashAttention": r"flash_attn|flash-attention[\\/]|flash_fwd_|flash_bwd_|flash_api",
}
