"""What the dynamic linker says when a compiled file does not load, and whose fault that is.

Python's own errors keep the English of ld.so (it sets no LC_MESSAGES), so the words here are those of glibc's
elf/dl-lookup.c and elf/dl-load.c, of macOS's dyld, and of musl.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from attn_doctor.explain.cause import Match, Sign, Strength
from attn_doctor.explain.log import Log, compiled
from attn_doctor.judgement.binaries import Symbol
from attn_doctor.knowledge.tables import rows

UNDEFINED = (
    Sign("undefined symbol", by="glibc elf/dl-lookup.c: 'FILE: undefined symbol: NAME, version VERSION'"),
    Sign("with link time reference", by="glibc elf/dl-lookup.c: 'symbol NAME, version V not defined in file F ...'"),
    Sign("Symbol not found: ", by="macOS dyld"),
    Sign(": symbol not found", by="musl ldso/dynlink.c: 'Error relocating FILE: NAME: symbol not found'"),
)
MISSING = Sign("cannot open shared object file", by="glibc elf/dl-load.c")

SYMBOL = (
    r"undefined symbol: ?(?P<undefined>[^\s,;'\")\]]{1,1500})"
    r"|\bsymbol (?P<reference>[^\s,]{1,1500}), version [\w.]{1,60} not defined in file"
    r"|Symbol not found: \(?_?(?P<dyld>[^\s)]{1,1500})"
    r"|: (?P<musl>[^\s:]{1,1500}): symbol not found"
)
VERSION = r"(?:, version |in file )(?P<version>lib[\w.-]{1,60})"
LIBRARY = r"\b(?P<library>lib[\w+-]{1,60}\.so[\d.]{0,20}): cannot open shared object file"

# of a mangled name: std::string of the old C++ ABI is `Ss`, of the new one stands under __cxx11
NEW_ABI = r"__cxx11|B5cxx11"
TORCH = (
    r"^_{0,2}Z\w{0,8}(?:N[KVRO]{0,2})?(?:2at|3c10|5torch|6caffe2)|^(?:c10|at|torch|caffe2)::|^THP|^aoti_torch|^torch_"
)
CUDA_LIBRARIES = (
    r"^libcublas|^libcudnn|^libcufft|^libcurand|^libcusolver|^libcusparse|^libcupti|^libnccl|^libnvJitLink|^libnvrtc"
    r"|^libnvToolsExt|^libnvshmem|^libcufile|^libcudss|^libnppi?c?\.|^libnvjpeg|^libnvtx"
)

ABI_VERSION = "abi-undefined-symbol-torch-version"
ABI_FLAG = "cxx11-abi-mismatch"
CONFLICT = "cuda-libs-conflict-ld-library-path"


class Undefined(msgspec.Struct, frozen=True):
    """One symbol that is nowhere. `file` asked for it; `library` is what should have it, where that is said."""

    symbol: str
    file: str
    library: str | None


def undefined(text: str) -> Undefined | None:
    """What a line says is undefined; None where it only talks about it."""
    found = compiled(SYMBOL).search(text)
    if found is None:
        return None
    symbol = next(group for group in found.groups() if group)
    named = compiled(VERSION).search(text, found.start())
    before = text[max(0, found.start() - 600) : found.start()].rstrip(": ")
    file = before.rsplit(" ", 1)[-1].strip("'\"(:")
    return Undefined(symbol, file, named["version"] if named else None)


def missing_library(text: str) -> str | None:
    """'libcudart.so.12' where the loader does not find it. What TensorFlow says of itself is no failure."""
    if "dso_loader" in text or "Could not load dynamic library" in text or "Ignore above cudart" in text:
        return None
    found = compiled(LIBRARY).search(text)
    return found["library"] if found else None


def at_link_time(text: str) -> bool:
    """Whether it is the linker of a build that speaks, and not the loader."""
    return "undefined reference" in text or "collect2" in text


def owner(match: Match, log: Log) -> str | None:
    """The category of a line about an undefined symbol."""
    found = undefined(match.line.text)
    if found is None or at_link_time(match.line.text):
        return None
    return by_symbol(found) or by_file(found, log)


def by_symbol(found: Undefined) -> str | None:
    """Where the name alone says whose it is."""
    symbol, library = found.symbol, found.library or ""
    for pattern, category in OWNERS:
        if re.search(pattern, symbol):
            return category
    if library.startswith("libcudnn") or "libcudnn" in found.file.rpartition("/")[2]:
        return "cudnn-version-mismatch"
    if library.startswith("libnccl"):
        return "nccl-symbol-mismatch"
    if re.search(CUDA_LIBRARIES, library) or re.search(CUDA_LIBRARIES, found.file.rpartition("/")[2]):
        return CONFLICT
    return None


OWNERS = (
    (r"^nccl[A-Z]", "nccl-symbol-mismatch"),
    (r"^cudnn[A-Z]", "cudnn-version-mismatch"),
    (r"^(?:__)?nvJitLink|^cu(?:blas|blasLt|sparse|sparseLt|solver|fft|rand|pti|file)[A-Z]", CONFLICT),
    (r"^(?:__)?cuda[A-Z]", CONFLICT),
    (r"^_?Py[A-Z_]\w+$", "wheel-python-tag-mismatch"),
    (r"^__libc_|^__isoc\d\d_|^GLIBC_", "glibc-too-old"),
    (r"^_ZS[tT]|^_ZNS[ts]|^_ZNK?St\d|^__cxa_", "libstdcxx-too-old"),
)


def by_file(found: Undefined, log: Log) -> str | None:
    """By the package that asks: those that have a category of their own, then the C++ ABI, then the torch release."""
    if not re.search(TORCH, found.symbol):
        return None
    file = found.file
    if "flash_attn_3" in file or "flash_attn_interface" in file:
        return "fa3-import-abi"
    if "torchvision" in file or "torchaudio" in file:
        return "torchvision-mismatch"
    if "/xformers/" in file or "\\xformers\\" in file:
        return "xformers-torch-mismatch"
    return ABI_FLAG if by_abi(found.symbol, log) else ABI_VERSION


def flavour(symbol: str) -> str | None:
    """'new' or 'old' C++ ABI, by how the name spells std::string; None where it holds none."""
    if re.search(NEW_ABI, symbol):
        return "new"
    return "old" if "Ss" in _without_names(symbol) or "std::string" in symbol else None


def _without_names(symbol: str) -> str:
    """What is left of a mangled name when its identifiers (`7SymBool`) are taken out: types and substitutions."""
    kept, at = "", 0
    while at < len(symbol):
        length = re.match(r"\d{1,3}", symbol[at : at + 3])
        counts = length is not None and not kept.endswith(("S", "T")) and not re.search(r"L[a-z]$", kept)
        step = length.end() + int(length[0]) if length and counts else 1
        kept += "" if counts else symbol[at]
        at += step
    return kept


def by_abi(symbol: str, log: Log) -> bool:
    """Whether the C++ ABI flag is at fault, and not the release: the symbol is of one ABI, and this torch of the other.

    Where the log names the torch of the wheel and the installed one and they differ, the release is the cause.
    """
    spelled = flavour(symbol)
    if spelled is None or other_release(log):
        return False
    have = abi_of_torch(log)
    if have is not None:
        return have != spelled
    return True


def other_release(log: Log) -> bool:
    """Whether the file's name says another torch minor than the one that the log shows installed."""
    built, have = torch_of_wheel(log), torch_said(log)
    return bool(built and have and built != ".".join(have.split(".")[:2]))


@lru_cache(maxsize=1)
def torch_of_wheel(log: Log) -> str | None:
    """'2.7' of `flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-...`, of the last such name."""
    found = None
    for _, match in log.find("torch", r"(?:cu|rocm)[\d.]{2,6}torch(?P<minor>\d+\.\d+)"):
        found = match["minor"] if match else found
    return found


@lru_cache(maxsize=1)
def torch_said(log: Log) -> str | None:
    """The installed torch, as the log says it."""
    from attn_doctor.explain import said  # it reads the whole log: only where a symbol is looked at

    return said.facts(log).get("torch")


def abi_of_torch(log: Log) -> str | None:
    """'new' or 'old' of the torch that the log names; None where it names none, or its build decides."""
    from attn_doctor.knowledge import torch_builds

    version = torch_said(log)
    if version is None:
        return _abi_of_every_torch_for(log)
    cuda = torch_builds.cuda_of_variant(version.partition("+")[2]) or torch_builds.default_cuda(
        version, "linux", "x86_64"
    )
    abi = torch_builds.cxx11abi(version, cuda, "linux", "x86_64")
    return None if abi is None else "new" if abi else "old"


def _abi_of_every_torch_for(log: Log) -> str | None:
    """Where the log names its Python and no torch: the ABI that all torches of that Python have in common."""
    from attn_doctor.explain import said
    from attn_doctor.knowledge import torch_builds

    python = said.facts(log).get("python")
    tag = f"cp{python.replace('.', '')}" if python else None
    found = {
        torch_builds.cxx11abi(one.torch, torch_builds.cuda_of_variant(one.variant), "linux", "x86_64")
        for one in torch_builds.builds("linux", "x86_64")
        if tag and tag in (one.python_tags or ())
    }
    return None if len(found) != 1 or None in found else "new" if True in found else "old"


@lru_cache(maxsize=64)
def in_words(symbol: str) -> str:
    """'c10::cuda::SetDevice(int)' where the table knows the name; else as much of it as reads by itself."""
    row = known(symbol)
    if row is not None:
        return row.readable
    parts: list[str] = []
    rest = re.sub(r"^_{1,2}Z(?:N[KVRO]{0,2})?", "", symbol)
    while (length := re.match(r"\d{1,3}", rest)) is not None:
        start, count = length.end(), int(length[0])
        parts.append(rest[start : start + count])
        rest = rest[start + count :]
    return "::".join(parts) if parts else symbol[:120]


def known(symbol: str) -> Symbol | None:
    """The row of the table for a mangled name."""
    return next((row for row in rows("symbols", Symbol) if row.mangled == symbol), None)


def seen_in(symbol: str) -> str | None:
    """'2.8.0' where the table says in which torch the symbol was seen."""
    row = known(symbol)
    found = re.search(r"torch (\d+\.\d+\.\d+)", row.source) if row else None
    return found[1] if found else None


def package_of(file: str) -> str | None:
    """The distribution that a compiled file belongs to."""
    for part, package in PACKAGES:
        if part in file:
            return package
    found = re.search(r"(?:site|dist)-packages[/\\]([A-Za-z]\w+)", file)
    return found[1].replace("_", "-") if found else None


PACKAGES = (
    ("flash_attn_3", "flash-attn-3"),
    ("flash_attn_2_cuda", "flash-attn"),
    ("flash_attn_cuda", "flash-attn"),
    ("xformers", "xformers"),
    ("vllm/_", "vllm"),
    ("sageattention", "sageattention"),
    ("_qattn_sm", "sageattention"),
    ("selective_scan_cuda", "mamba-ssm"),
    ("causal_conv1d_cuda", "causal-conv1d"),
    ("torchvision", "torchvision"),
    ("torchaudio", "torchaudio"),
)


def speaks_for(category: str, match: Match, log: Log) -> Strength | None:
    """The strength of the match where the line belongs to that category."""
    return match.strength if owner(match, log) == category else None
