"""vllm-project/vllm: the sections of its own collect_env."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attn_doctor.issues import _environment, _text
from attn_doctor.issues._project import Line, Project

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

# a section of vLLM's script, and the lines of collect_env that stand in it
SECTIONS = {
    "System Info": ("OS", "GCC version", "Clang version", "CMake version", "Libc version"),
    "PyTorch Info": (
        *("PyTorch version", "Is debug build", "CUDA used to build PyTorch", "ROCM used to build PyTorch"),
        "XPU used to build PyTorch",
    ),
    "Python Environment": ("Python version", "Python platform"),
}
# what it prints of a GPU, where there is one
GPU = ("Is CUDA available", "CUDA runtime version", "CUDA_MODULE_LOADING set to", "Nvidia driver version")
GPU_ALSO = ("cuDNN version", "HIP runtime version", "MIOpen runtime version", "Is XNNPACK available")
RULE = "=" * 30
WIDTH = 29
SECOND = "attn-doctor check"


def lines(machine: Machine, report: Report) -> Iterator[Line]:
    named = {line.name: line for line in _environment.collected(machine) if line.value}
    xpu = (machine.torch.xpu if machine.torch else None) or "N/A"
    named["XPU used to build PyTorch"] = Line("XPU used to build PyTorch", xpu)
    for title, names in SECTIONS.items():
        yield Line(title, "")
        yield from (named[name] for name in names)
    yield Line("CUDA / GPU Info", "")
    yield from (named[name] for name in GPU)
    for gpu in _environment.gpus(machine):
        yield Line("GPU models and configuration", gpu)
    yield from (named[name] for name in GPU_ALSO)
    yield Line("CPU Info", "")
    yield from _environment.cpu(machine)
    yield Line("Versions of relevant libraries", "")
    for one in _environment.packages(machine):
        yield Line("[pip3]", one)
    yield Line("vLLM Info", "")
    vllm = machine.packages.get("vllm")
    yield Line("ROCM Version", (machine.torch.rocm if machine.torch else None) or "N/A")
    yield Line("vLLM Version", vllm.version if vllm else "not installed")
    yield Line("vLLM Build Flags", f"CUDA Archs: {machine.environment.get('TORCH_CUDA_ARCH_LIST', 'Not Set')}")
    yield Line("GPU Topology", "not asked")
    yield Line("Environment Variables", "")
    for one in _environment.variables(machine) or ["none of those that bite"]:
        yield Line("[env]", one)
    yield Line(SECOND, "")
    yield from _environment.judged(report)


def render(found: Sequence[Line]) -> str:
    at = next(number for number, line in enumerate(found) if line.name == SECOND)
    texts = [text for line in found[:at] for text in _lines(line)]
    block = _text.fenced(texts[1:], "The output of collect_env")
    second = _text.fenced(map(_text.plain, found[at + 1 :]), SECOND)
    return f"{_text.BY}\n\n{block}\n{second}"


def _lines(line: Line) -> Iterator[str]:
    if not line.value:
        yield from ("", RULE, line.name.center(len(RULE)).rstrip(), RULE)
    elif line.name.startswith("["):
        yield _text.plain(line)
    else:
        yield f"{line.name:{WIDTH}}: {line.value}"


PROJECT = Project("vllm", lines, render)
