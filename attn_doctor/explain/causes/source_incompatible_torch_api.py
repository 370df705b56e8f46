"""The package's sources use what this torch, or this CUDA, no longer has.

THC headers went with torch 1.11, AT_CHECK with 1.5, Tensor.type() as a dtype with 2.x; CUDA 12 took textures by
reference, CUDA 13 fields of cudaDeviceProp and functors of cub. Errors of the same look that follow from a wrong C++
standard or a compiler that is too new are consequences of those.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log

NAMESPACES = r"(?:at|c10|torch|caffe2|cub|thrust|cuda)"
OLD_MACROS = (
    r"(?:AT_CHECK|AT_ASSERTM?|THCState|THCudaBlas\w*|THCudaCheck|THCCeilDiv|THArgCheck|AT_ERROR|TORCH_CUDA_API)"
)


def weigh(match: Match, log: Log) -> Strength | None:
    if log.has("or later compatible compiler is required", "You need C++"):
        return None  # a wrong standard makes errors of every kind
    if match.strength == SIGN and not _builds.compiling(match.line, log):
        return None
    return match.strength


def explain(match: Match, case: Case) -> str:
    name = match["header"] or match["name"]
    torch = case.said.get("torch")
    whose = f"torch {torch}" if torch else "the installed torch (or its CUDA)"
    what = f"use {name}, which {whose} does not have" if name else f"do not fit {whose}"
    return f"The package's sources {what}. They were written for another release: the machine is not at fault."


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.a_wheel(case)
    if case.package == "flash-attn" and case.version:
        yield f"{_commands.installer(case)} --no-build-isolation --upgrade flash-attn   ({case.version} is older)"
    else:
        package = case.package or "the package"
        yield f"the newest release, or the main branch, of {package}: it may have followed"
    yield "else an environment of its own with the torch that the package names in its documentation"


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="source-incompatible-torch-api",
    stage="build",
    title="The package's sources do not compile against this torch",
    signs=(
        _headers.missing("THC/", r"THC/\w+\.cuh?|THC/\w+\.h", PROOF, "gcc: removed in torch 1.11"),
        _headers.missing("TH/TH", r"TH/\w+\.h", PROOF, "gcc: removed in torch 1.11"),
        _headers.missing("ATen/", r"ATen/[\w/]+\.(?:h|cuh)", PROOF, "gcc"),
        _headers.missing("c10/", r"c10/[\w/]+\.h", PROOF, "gcc"),
        _headers.missing("torch/", r"torch/(?!extension)[\w/]+\.h", SIGN, "gcc"),
        _sign(
            "DeprecatedTypeProperties", r"c10::ScalarType|no suitable conversion|cannot convert", "gcc, nvcc: type()"
        ),
        _sign("is undefined", rf"identifier \"(?P<name>{OLD_MACROS})\" is undefined", "nvcc"),
        _sign("was not declared in this scope", rf"['\u2018](?P<name>{OLD_MACROS})['\u2019] was not declared", "gcc"),
        _sign("AT_CHECK", r"['\u2018\"](?P<name>AT_CHECK)['\u2019\"]", "gcc, clang, in any language"),
        _sign(
            "has no member", rf"(?:namespace|class) \"(?P<name>{NAMESPACES}(?:::[\w:<>, ]+)?)\" has no member", "nvcc"
        ),
        _sign("has no member", r"(?:class|struct) \"cuda(?P<name>DeviceProp)\" has no member", "nvcc 13"),
        _sign(
            "has no member named",
            rf"['\u2018](?:const )?(?:class |struct )?(?P<name>{NAMESPACES}::[\w:<>, ]+)['\u2019] has no member named",
            "gcc",
        ),
        _sign(
            "is not a member of",
            rf"['\u2018](?P<name>\w+)['\u2019] is not a member of ['\u2018]{NAMESPACES}(?:::[\w:]+)?['\u2019]",
            "gcc",
        ),
        _sign("no member named", rf"no member named '(?P<name>\w+)' in (?:namespace )?'{NAMESPACES}", "clang"),
        _sign("texture is not a template", None, "nvcc 12: texture references are gone"),
        _sign('"cudaBindTexture', r"identifier \"(?P<name>cuda(?:Un)?[bB]indTexture\w*)\" is undefined", "nvcc 12"),
        _sign("error C2039", rf"error C2039: '(?P<name>\w+)': is not a member of '{NAMESPACES}", "MSVC"),
        _sign("has no attribute '_GLIBCXX_USE_CXX11_ABI'", None, "setup.py on a newer torch", SIGN),
        _sign("no instance of", rf"no instance of (?:overloaded function|constructor) \"{NAMESPACES}::", "nvcc", SIGN),
        _sign("no operator", rf"no (?:suitable )?(?:operator|conversion)[^\n]{{0,120}}\"{NAMESPACES}::", "nvcc", SIGN),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "windows-msvc-build"),
)
