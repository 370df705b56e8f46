"""What is imported is an older build: a cached wheel, an egg, a build folder, a cache of compiled extensions.

Shows as a wheel "Using cached" that only your own machine can have built, followed by an undefined symbol; as Python
files and compiled file of different releases ("incompatible function arguments"); as CMake's and ninja's words about
another folder; as kernels that a build left out (SageAttention's SM89_ENABLED). Not for it: a fresh build for the wrong
torch.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log

CATEGORY = "stale-build-artifacts"
# no index carries these with this tag: pip built them here, and kept them
HOME_MADE = (
    r"(?:Using cached|Processing)\b[^\n]{0,300}\b(?:flash_attn|xformers|sageattention|mamba_ssm|causal_conv1d"
    r"|vllm)-[^\n]{1,120}-linux_\w+\.whl"
)
BROKEN = ("undefined symbol", "DLL load failed", "cannot open shared object")
KERNEL = "kernel is not available. Make sure you GPUs with compute capability"


def weigh(match: Match, log: Log) -> Strength | None:
    if match["cached"] is not None:
        after = "\n".join(line.text for line in log.lines[log.position(match.line) :])
        return SIGN if any(word in after for word in BROKEN) else None
    if "no known rule" in match.line.text and "cutlass" in match.line.text:
        return None  # sources that were never there
    return match.strength


def explain(match: Match, _case: Case) -> str:
    text = match.line.text
    if KERNEL in text:
        return (
            "The SageAttention that is imported was compiled without the kernels for this GPU: an older build, or one "
            "made where the GPU was not visible. Its set-up takes the GPUs it sees, and pip keeps the wheel and uses "
            "it again."
        )
    if match["cached"] is not None:
        return (
            "pip took a wheel out of its cache that it had built on this machine for the torch of that time. The cache "
            "asks for the package's version alone, not for the torch it was built against."
        )
    if "function arguments" in text:
        return (
            "The Python files and the compiled file are of two releases: one of them was left behind by an earlier "
            "install."
        )
    if "unknown location" in text:
        return (
            "There is a folder of that name without the package in it: left behind by an uninstall, or (flash_attn) "
            "the one of FlashAttention 4, which brings flash_attn.cute alone."
        )
    return (
        "An older build is taken in place of the new one: from a build folder, an egg, or a cache of compiled "
        "extensions."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text = match.line.text
    if "CMakeCache" in text or "build.ninja" in text or "no known rule" in text:
        yield "rm -rf build   (in the source folder; Windows: Remove-Item -Recurse -Force build), then build again"
        return
    if "torch_extensions" in text:
        yield "rm -rf ~/.cache/torch_extensions   (what torch compiled for an earlier torch; it is compiled again)"
        return
    package = "sageattention" if "SM8" in text or "SM9" in text or "sageattention" in text else _mending.name(case)
    module = package.replace("-", "_")
    yield (
        f'python -c "import {module}; print({module}.__path__)"   (from another folder than the sources: which copy is '
        "it?)"
    )
    yield (
        f"pip uninstall -y {package}; pip cache remove {module}; rm -rf build dist *.egg-info   (in the source folder)"
    )
    yield from _mending.anew(case, package)


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="An older build is the one that is used",
    signs=(
        Sign("Using cached", rf"(?P<cached>{HOME_MADE})", SIGN, "pip: wheel cache"),
        Sign(KERNEL, None, SIGN, "sageattention/core.py: assert SM80_ENABLED, SM89_ENABLED, SM90_ENABLED"),
        Sign("_ENABLED, ", r"assert SM\d\d_ENABLED", SIGN, "sageattention/core.py"),
        Sign(
            "incompatible function arguments",
            r"(?:fwd|bwd|varlen|kvcache|_cuda)\w*\(\): incompatible function arguments",
            PROOF,
            "pybind11",
        ),
        Sign(
            "(unknown location)",
            r"from '(?:flash_attn|xformers|sageattention|triton|torch)'",
            SIGN,
            "Python: a folder without the package",
        ),
        Sign("CMakeCache.txt", r"is different than the directory", PROOF, "CMake"),
        Sign("missing and no known rule to make it", None, SIGN, "ninja"),
        Sign(
            "torch_extensions",
            r"torch_extensions/[^\n]{1,200}(?:undefined symbol|cannot open shared object|invalid ELF|No such file)",
            PROOF,
            "torch cpp_extension.load",
        ),
        Sign("kernel is not available", r"(?i)\b(?:sm\d\d|gpu|cuda) kernel is not available", SIGN, "sageattention"),
        Sign("easy-install.pth", r"(?i)(?:stale|old|still|wrong|previous)", HINT, "prose"),
        Sign("has already been imported from", None, HINT, "pkg_resources"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("abi-undefined-symbol-torch-version", "cxx11-abi-mismatch", "libcudart-missing-major-mismatch"),
)
