"""What causes of builds ask alike: who builds, whether in isolation, on what machine, and what needs no build."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.log import Line, Log

NEAR = 60
# what follows from any of the causes that stop a build: said later, and of no account where the cause is known
AFTERMATH = (
    "prebuilt-wheel-not-found-source-fallback",
    "ninja-missing-slow-build",
    "build-hang-or-very-slow",
    "build-compile-error-jetson",
)
UV = (
    *("builds-v0", ".cache/uv", "uv pip", "uv sync", "uv add", "uv run", "uv lock", "uv tool", "uv build", "tool.uv"),
    *("├─▶", "The build backend returned an error", "Build backend failed to determine", "Failed to build `"),
    *("`, but doesn't declare it as a build dependency", "Failed to download and build `"),
)
POETRY = (
    *("poetry add", "poetry install", "poetry update", "poetry lock", "poetry run", "ChefBuildError", "pypoetry"),
    *("PEP517 build of a dependency failed", "PEP517 build of ", "not a problem with poetry", "poetry/installation"),
    *("poetry/utils", "poetry/inspection", "Unable to determine package info for path", "Fallback egg_info"),
    *("Package operations:", "poetry.installation"),
)
PDM = (
    *("pdm add", "pdm install", "pdm sync", "pdm update", "pdm lock", "pdm-build-env", "pdm.toml", "/pdm/", "\\pdm\\"),
    *("BuildError: Build backend raised", "Build backend raised error: Module", "use '--no-isolation'", "pdm-install-"),
)
PIP_ISOLATED = (
    "pip-build-env",
    "Getting requirements to build wheel",
    "Installing build dependencies",
    "get_requires_for_build",
    "Getting requirements to build editable",
    "build-env-",
)
BUILDING = (
    *PIP_ISOLATED,
    *("setup.py", "build_meta", "metadata-generation-failed", "Preparing metadata", "Preparing editable metadata"),
    *("Building wheel", "Building editable", "cpp_extension", "bdist_wheel", "build_ext", "egg_info"),
    *("pip-setuptools-caller", "Failed to build", "code, locals())", "ninja: ", "pyproject_hooks"),
    *("bin/nvcc ", "FAILED: "),
)
COMPILING = (
    *BUILDING,
    "nvcc",
    "cicc",
    "cc1plus",
    ".cu.o",
    "csrc/",
    "csrc\\",
    "hipcc",
    "[1/",
    "CMake",
    "docker build",
    "pip install ",
)
MACOS = (
    r"(?<![\w.:])/Users/|macosx_\d|Apple clang|apple-darwin|\.dylib\b|/opt/homebrew|\bMacBook\b|darwin2\d|on macOS"
    r"|\bApple[ -]M\d|Apple Silicon|/private/var/folders/|\bosx-(?:arm64|64)\b|\bmacOS\b|\bMac OS X?\b"
    r"|\bM\d (?:Pro|Max|Ultra|Mac)\b"
)
LINUX = ("/home/", "manylinux", "linux_x86_64", "linux_aarch64", "linux-x86_64", "linux-gnu")
ROCM = r"\+rocm\d|\bhipcc\b|/opt/rocm|\bgfx\d{3,4}\b|\bRadeon\b|AMD Instinct|amdgpu|\bMI[23]\d0X?\b"
WINDOWS = r"(?i)\b[a-z]:\\|\bwin_amd64\b|\bMSVC\b|\bcl\.exe\b|Visual Studio|\bnmake\b|\[WinError|PowerShell"


def isolating_tool(line: Line, log: Log) -> str | None:
    """'uv', 'poetry', 'pdm' or 'pip': who made the environment in which this line was printed; None: nobody did."""
    about = "\n".join(one.text for one in log.around(line, before=NEAR, after=NEAR))
    for tool, words in (("uv", UV), ("poetry", POETRY), ("pdm", PDM)):
        if any(word in about for word in words):
            return tool
    if without_isolation(line, log):
        return None
    return "pip" if any(word in about for word in PIP_ISOLATED) else None


def without_isolation(line: Line, log: Log) -> bool:
    """Whether pip was told to build in the environment at hand."""
    about = "\n".join(one.text for one in log.around(line, before=NEAR, after=NEAR))
    return "--no-build-isolation" in about and "pip-build-env" not in about


def during_a_build(line: Line, log: Log) -> bool:
    """Whether a package is being built where the line stands."""
    about = log.around(line, before=NEAR, after=NEAR)
    return any(word in one.text for one in about for word in BUILDING)


def compiling(line: Line, log: Log) -> bool:
    """Whether compilers run where the line stands."""
    about = log.around(line, before=NEAR, after=NEAR)
    return any(word in one.text for one in about for word in COMPILING)


def on_windows(log: Log) -> bool:
    """Whether the log comes from Windows."""
    return log.matches(WINDOWS) is not None


def on_macos(log: Log) -> bool:
    """Whether the log comes from a Mac."""
    return not log.has(*LINUX) and log.matches(MACOS) is not None


def on_rocm(log: Log) -> bool:
    """Whether the log comes from a machine with AMD GPUs, or a torch for them."""
    return log.matches(ROCM) is not None


def instead_of_building(case: Case) -> Iterator[str]:
    """The plan for this machine, where it needs no compiler; else the build with its numbers."""
    one = case.plan
    if one is not None and one.method == "wheel":
        yield f"attn-doctor install {one.backend}   ({one.title}: nothing is compiled)"
    elif one is not None and one.method == "source" and one.build is not None:
        env = " ".join(f"{key}={value}" for key, value in one.build.env.items() if key in SHOWN)
        yield f"attn-doctor install {one.backend}   ({one.title}; {env})"


def a_wheel(case: Case) -> Iterator[str]:
    """The plan for this machine, only where it needs no compiler."""
    one = case.plan
    if one is not None and one.method == "wheel":
        yield f"attn-doctor install {one.backend}   ({one.title}: nothing is compiled)"


def or_search(case: Case) -> str:
    """Where no plan can be made for want of facts: how to look for a file."""
    package = case.package or "flash-attn"
    return f"attn-doctor wheels {package}   (is there a published wheel, so that nothing needs compiling?)"


SHOWN = ("MAX_JOBS", "NVCC_THREADS", "FLASH_ATTN_CUDA_ARCHS")
