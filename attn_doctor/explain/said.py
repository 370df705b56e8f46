"""What a log says of the machine it comes from, as `--what-if` would say it; the last word of a log counts."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from attn_doctor.explain.log import Line, Log


class Saying(msgspec.Struct, frozen=True):
    """One wording that gives a fact away. `key`: of `--what-if`; the pattern's first group is the value."""

    key: str
    literal: str
    pattern: str


VERSION = r"\d+\.\d+(?:\.\d+)?(?:\.post\d+|\.dev\d+|rc\d+|a0|b\d+)?"
LOCAL = r"(?:\+(?:cu\d+|cpu|rocm[\d.]+|xpu|git\w+))?"
TORCH = VERSION + LOCAL
GPU = (
    r"\bNVIDIA ((?:GeForce (?:RTX|GTX) \d{4}(?: Ti)?|[ABHLTV]\d{1,3}0?[A-Z]?|Tesla [A-Z]\d+)\b[\w -]{0,14}?)"
    r"(?= with|$|[,)|])"
)
SAYINGS = (
    Saying("os", ":\\", r"(?i)\b[a-z]:\\(?:users|program files|windows|\w)"),
    Saying("os", "win_amd64", r"win_amd64"),
    Saying("os", "MSVC", r"MSVC"),
    Saying("os", "DLL load failed", r"DLL load failed"),
    Saying("os", "[WinError", r"\[WinError \d"),
    Saying("os", "macosx_", r"macosx_\d"),
    Saying("os", "/Users/", r"(?<![\w.:])/Users/"),
    Saying("os", ".so", r"\.so\b"),
    Saying("os", "/usr/", r"(?<!\w)/usr/(?:local|lib|bin|include)/"),
    Saying("os", "linux_x86_64", r"linux_x86_64"),
    Saying("arch", "aarch64", r"aarch64"),
    Saying("arch", "x86_64", r"x86_64"),
    Saying("python", "cpython-3", r"cpython-(3\d{1,2})[-.]"),
    Saying("python", "/python3.", r"/python(3\.\d{1,2})/"),
    Saying("python", "Python 3.", r"\bPython (3\.\d{1,2})\.\d+\b(?! \(you)"),
    Saying("python", "Python3", r"[\\/]Python(3\d{1,2})[\\/]"),
    Saying("python", "-cp3", r"-cp(3\d{1,2})(?:t)?-cp3\d{1,2}t?-"),
    Saying("torch", "Successfully installed", rf"\btorch-({TORCH})(?= |$)"),
    Saying("torch", "torch in ", rf"\btorch\b.* in \S+.*\(({TORCH})\)"),
    Saying("torch", "torch.__version__", rf"torch\.__version__\W{{1,6}}({TORCH})"),
    Saying("torch", "you have", rf"\(you have ({TORCH})\)"),
    Saying("torch", "PyTorch version", rf"PyTorch version\W{{1,4}}({TORCH})"),
    Saying("torch", "torch==", rf"(?<![\w-])torch==({TORCH})\b"),
    Saying("nvcc", "release ", r"Cuda compilation tools, release (\d+\.\d+)"),
    Saying("nvcc", "detected CUDA version", r"detected CUDA version \((\d+\.\d+)\)"),
    Saying("driver", "Driver Version", r"Driver Version: *(\d{3}\.\d+(?:\.\d+)?)"),
    Saying("gpu", "GPU", r"\b((?:NVIDIA )?(?:GeForce )?(?:RTX|GTX) ?\d{4}(?: Ti)?(?: SUPER)?)\b"),
    Saying("gpu", "NVIDIA ", GPU),
)  # fmt: skip
# of a wheel that is refused the tags say what the machine is not
REFUSED = ("is not a supported wheel", "incompatible with the current platform", "installed in the current environment")
FIXED = {
    ":\\": "windows",
    "win_amd64": "windows",
    "MSVC": "windows",
    "DLL load failed": "windows",
    "[WinError": "windows",
    "macosx_": "macos",
    "/Users/": "macos",
}


def facts(log: Log) -> dict[str, str]:
    """The facts, by the keys of `--what-if`; of several wordings of one fact the first of the table that is there."""
    found: dict[str, str] = {}
    for saying in SAYINGS:
        if saying.key in found:
            continue
        last = None
        for line, match in log.find(saying.literal, saying.pattern):
            if not any(refusal in line.text for refusal in REFUSED):
                last = match
        if last is not None:
            found[saying.key] = _value(saying, last[1] if last.re.groups else "")
    return found


def _value(saying: Saying, group: str) -> str:
    if saying.key == "os":
        return FIXED.get(saying.literal, "linux")
    if saying.key == "arch":
        return saying.literal
    if saying.key == "python" and "." not in group:
        return f"3.{group[1:]}"
    return group


class Package(msgspec.Struct, frozen=True):
    """A package that the log is about, and the release where it is said."""

    name: str
    version: str | None
    line: Line


PACKAGE = (
    r"(?i)\b(flash[-_]attn(?:[-_][34])?|xformers|sageattention|vllm|mamba[-_]ssm|causal[-_]conv1d)"
    r"(?:==|-)(\d+\.\d+[\w.]*?)(?:\.tar\.gz|\.zip|[-+`'\s)]|$)"
)


def packages(log: Log) -> Iterator[Package]:
    """The packages of the field that the log names with a release."""
    for literal in ("lash", "formers", "ageattention", "vllm", "mamba", "causal"):
        for line, found in log.find(literal, PACKAGE):
            if found:
                yield Package(found[1].lower().replace("_", "-"), found[2].rstrip("."), line)
