"""The toolkit has a compiler, and lacks headers, libraries or parts of the compiler.

conda's cuda-nvcc, NVIDIA's wheels, slim images and the distribution's packages bring parts; cusparse.h, cublas_v2.h and
-lcudart are in others. A header that no release before a certain CUDA had is cuda-toolkit-too-old; cuda.h for Triton is
triton-compile-env; libcuda (-lcuda) belongs to the driver.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log

# by the literal that a family of headers shares
HEADERS = (
    ("cuda_runtime", r"cuda_runtime(?:_api)?\.h"),
    ("cusparse", r"cusparse(?:_v2|Lt)?\.h"),
    ("cublas", r"cublas(?:_v2|Lt|_api|XT)?\.h"),
    ("cusolver", r"cusolver(?:Dn|Sp|Mg|_common)?\.h"),
    ("curand", r"curand(?:_kernel|_mtgp32\w*)?\.h"),
    ("cufft", r"cufft(?:Xt|w)?\.h"),
    ("nvToolsExt", r"(?:nvtx3/)?nvToolsExt(?:Cuda)?\.h"),
    ("nvtx3/", r"nvtx3/\S+\.hp{0,2}"),
    ("cuda_fp16.h", r"cuda_fp16\.h"),
    ("crt/host_", r"crt/host_(?:defines|config)\.h"),
    ("cuda_profiler", r"cuda_profiler_api\.h"),
    ("driver_types", r"(?:driver|vector|library|device)_types\.h"),
    ("nvrtc.h", r"nvrtc\.h"),
    ("nvml.h:", r"nvml\.h"),
    ("cudnn", r"cudnn(?:_\w+)?\.h"),
    ("nccl.h:", r"nccl\.h"),
    ("nv/target", r"nv/target"),
    ("cuda/std/", r"cuda/std/[\w/]+"),
    ("thrust/", r"thrust/[\w/]+\.h"),
    ("cub/", r"cub/[\w/]+\.cuh"),
    ("cuda.h", r"cuda\.h"),
    ("math_constants", r"math_constants\.h"),
    ("cooperative_groups", r"cooperative_groups(?:/\w+)?\.h"),
    ("cupti", r"cupti\.h"),
)
LIBRARIES = (
    r"(?:cudart(?:_static)?|cudadevrt|cublas(?:Lt)?|cusparse|cusolver|curand|cufft|nvrtc|nvToolsExt|cudnn|nccl|cupti"
    r"|nvJitLink|nvidia-ml)"
)
PARTS = r"(?:cicc|cudafe\+\+|ptxas|fatbinary|nvlink|bin2c)"
# which package of conda-forge and of NVIDIA's repositories brings what: by what a name starts with
BROUGHT_BY = (
    ("cusparse", "libcusparse-dev"),
    ("cublas", "libcublas-dev"),
    ("cusolver", "libcusolver-dev"),
    ("curand", "libcurand-dev"),
    ("cufft", "libcufft-dev"),
    ("nvrtc", "cuda-nvrtc-dev"),
    ("nvToolsExt", "cuda-nvtx-dev"),
    ("nvtx3", "cuda-nvtx-dev"),
    ("cuda_profiler", "cuda-profiler-api"),
    ("cudnn", "cudnn"),
    ("nccl", "nccl"),
    ("thrust", "cuda-cccl"),
    ("cub/", "cuda-cccl"),
    ("cuda/std", "cuda-cccl"),
    ("nv/target", "cuda-cccl"),
    ("cupti", "cuda-cupti-dev"),
)


def weigh(match: Match, log: Log) -> Strength | None:
    if _builds.on_macos(log):
        return None
    name = match["header"] or match["library"] or ""
    if name == "cuda.h" and log.near(match.line, "triton", "Triton", before=25, after=10):
        return None  # Triton compiles its launcher
    if _builds.on_rocm(log) and not log.has("nvcc", "+cu1"):
        return None
    return match.strength


def _missing(match: Match) -> str:
    return match["header"] or match["library"] or match["part"] or "a part"


def explain(match: Match, _case: Case) -> str:
    return (
        f"The CUDA toolkit that the build takes is not whole: it has nvcc, and {_missing(match)} is not in it. "
        "Toolkits from conda, wheels and slim images come in parts, and this extension needs one more."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    missing = _missing(match)
    part = next((package for start, package in BROUGHT_BY if missing.startswith(start)), "cuda-cudart-dev")
    cuda = case.said.get("nvcc") or _commands.torch_cuda(case)
    yield from _builds.a_wheel(case)
    if case.windows:
        yield "run the CUDA toolkit's installer again and let it install all of Development and Runtime"
        return
    pin = f" cuda-version={cuda}" if cuda else ""
    if case.log.has("conda", "envs/"):
        yield f"conda install -c conda-forge {part}{pin}   (all of them: cuda-libraries-dev{pin})"
        yield 'export CUDA_HOME="$CONDA_PREFIX" CPATH="$CONDA_PREFIX/targets/x86_64-linux/include"'
        return
    suffix = cuda.replace(".", "-") if cuda else "X-Y"
    named = "NVIDIA's repository; no driver" if cuda else "X-Y: the release that nvcc -V prints, as 12-8"
    yield f"sudo apt install cuda-libraries-dev-{suffix} cuda-cudart-dev-{suffix}   ({named})"
    yield "in a container: an image whose tag ends in -devel has all of them"
    if cuda:
        yield (
            f"without root: conda create --prefix cuda-{cuda} -c conda-forge{pin} cuda-nvcc cuda-libraries-dev "
            f'cuda-cudart-dev && export CUDA_HOME="$PWD/cuda-{cuda}"'
        )


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="cuda-headers-incomplete",
    stage="build",
    title="The CUDA toolkit lacks headers or libraries that the build needs",
    signs=(
        *(_headers.missing(literal, pattern, PROOF, "gcc, clang, MSVC, nvcc") for literal, pattern in HEADERS),
        _sign("-l", rf"\bld(?:\.\w+)?: [^\n]{{0,60}}-l(?P<library>{LIBRARIES})\b", "GNU ld, in any language"),
        _sign("library not found for -l", rf"for -l(?P<library>{LIBRARIES})\b", "Apple ld"),
        _sign("unable to find library -l", rf"library -l(?P<library>{LIBRARIES})\b", "lld"),
        _sign("LNK1", rf"LNK11?(?:81|04)[^\n]{{0,60}}['\"](?P<library>{LIBRARIES}\.lib)", "MSVC link"),
        _sign("not found", rf"\b(?P<part>{PARTS}): (?:command )?not found", "sh, called by nvcc"),
        _sign("Path to libdevice library not specified", None, "nvcc"),
        _sign("nvcc fatal", r"Could not open (?:profile|input file)[^\n]{0,60}(?P<part>nvcc\.profile)", "nvcc"),
        _sign("Could NOT find CUDA", r"missing: [^\n]{0,60}(?P<library>CUDA_(?:CUDART|CUBLAS|cu\w+)\w*)", "CMake"),
        _sign("contains:", r"CUDA::nvToolsExt", "CMake: torch's targets"),
        _sign("CUDA::nvToolsExt", None, "CMake: torch's targets", SIGN),
        _sign("CUDA_CUDART_LIBRARY", r"NOTFOUND|set to NOTFOUND", "CMake: FindCUDA"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "windows-msvc-build", "source-incompatible-torch-api"),
)
