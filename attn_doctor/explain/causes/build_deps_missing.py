"""The environment in which a package is built lacks a module, a compiler or a header that the build itself needs.

Without isolation nobody brings what setup.py imports: packaging, wheel, psutil, ninja, setuptools; and a plain image
has neither gcc nor Python.h. torch that is missing in isolation is another cause; so is a compiler that Triton looks
for while a model runs (triton-compile-env), and cl.exe (windows-msvc-build).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands, _headers
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.build_modules import brings

MODULES = (
    r"packaging|wheel|setuptools|psutil|ninja|pybind11|cmake|Cython|numpy|setuptools_scm|setuptools_rust|skbuild"
    r"|scikit_build_core|distutils|pkg_resources|hatchling|flit_core|poetry|torch|_cffi_backend|cffi|mesonpy"
)
ALWAYS_OF_A_BUILD = ("wheel", "setuptools", "pkg_resources", "distutils")
SOMETIMES = ("packaging", "psutil", "ninja", "cmake")
COMPILERS = r"(?:[\w/.-]*-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+)(?:-\d+)?"
NOT_FOUND = r"(?:No such file|[Nn]ot found|nicht gefunden|introuvable|未找到|見つかりません|не найден|no encontrad)"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal in CUT:
        # without isolation, and the reason cut off: what set-up imports first are the modules that a build needs
        return HINT if log.has("--no-build-isolation") and not log.matches(REASON) else None
    if log.near(match.line, "triton", "Triton", before=25, after=10) or "triton" in match.line.text:
        return None  # Triton compiles while a model runs
    if "CMAKE_C" in match.sign.literal and _builds.on_windows(log):
        return None  # Visual Studio is what is missing there
    module = match["module"]
    if module == "torch":
        return _torch(match, log)
    if module is not None:
        return _module(module, match, log)
    if match["compiler"] is not None or match["header"] is not None:
        return match.strength if _builds.compiling(match.line, log) or len(log.lines) < SHORT else None
    return match.strength


SHORT = 4
CUT = ("The build backend returned an error", "Getting requirements to build wheel did not run successfully")
REASON = r"(?m)^[ \t]*(?:[\w.]{1,60}(?:Error|Exception)\b(?::|$)|error: (?!Failed|Git operation)\S)"


def _torch(match: Match, log: Log) -> Strength | None:
    """Without isolation a torch that is not found is not installed."""
    tool = _builds.isolating_tool(match.line, log)
    if tool is None and _builds.without_isolation(match.line, log) and _builds.during_a_build(match.line, log):
        return PROOF
    return None


def _module(module: str, match: Match, log: Log) -> Strength | None:
    if module == "ninja" and "bin/ninja" in "".join(line.text for line in log.around(match.line, before=4)):
        return None  # the command is there, and its module is not: ninja is broken
    if _builds.during_a_build(match.line, log):
        return PROOF
    if module in ALWAYS_OF_A_BUILD:
        return SIGN
    return HINT if module in SOMETIMES and len(log.lines) < SHORT else None


def explain(match: Match, _case: Case) -> str:
    if match["header"]:
        return (
            f"The compiler does not find {match['header']}. It belongs to the development files of Python, which "
            "distributions package apart from Python itself; every C++ extension needs them."
        )
    if match["compiler"] or "compiler" in match.sign.by:
        return (
            "The build calls a C++ compiler, and there is none on PATH. nvcc needs one too: it compiles no host code."
        )
    if match["module"] == "torch":
        return (
            "The build runs in your environment, as --no-build-isolation asks, and torch is not installed there. "
            "Either it was never installed, or another Python's pip was called."
        )
    if match["module"]:
        return (
            f"The build needs {match['module']}, and the environment it runs in has none. With --no-build-isolation "
            "nobody installs what a build needs: it has to be there before."
        )
    return "The build needs a tool that the environment it runs in does not have."


def fix(match: Match, case: Case) -> Iterator[str]:
    if match["header"]:
        version = case.said.get("python")
        yield f"sudo apt install python{version or '3'}-dev   (Fedora, RHEL: python{version or '3'}-devel)"
        yield "an interpreter of uv, pyenv or conda brings its headers along: an environment made from one will do too"
    elif match["compiler"] or "compiler" in match.sign.by:
        yield "sudo apt install build-essential   (Fedora, RHEL: gcc-c++ make; conda: conda install -c conda-forge gxx)"
        yield from _builds.a_wheel(case)
    elif match["module"] == "torch":
        yield "python -m pip --version; python -m pip show torch   (is torch in the Python whose pip was called?)"
        yield f"{_commands.installer(case)} torch packaging psutil ninja setuptools wheel"
        yield _commands.again(case)
    else:
        yield from _modules(match, case)


def _modules(match: Match, case: Case) -> Iterator[str]:
    module = match["module"] or match.sign.literal.rpartition("'")[0].rpartition("'")[2] or ""
    wanted = dict.fromkeys(
        [*brings(module or "bdist_wheel").split(), "packaging", "psutil", "ninja", "setuptools", "wheel"]
    )
    named = [one for one in wanted if not ("setuptools<" in "".join(wanted) and one == "setuptools")]
    quoted = " ".join(f"'{one}'" if "<" in one else one for one in named)
    command = "uv pip install" if _builds.isolating_tool(match.line, case.log) == "uv" else _commands.installer(case)
    yield f"{command} {quoted}"
    yield _commands.again(case)
    yield from _builds.a_wheel(case)


def _sign(literal: str, pattern: str | None = None, by: str = "", strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="build-deps-missing",
    stage="build",
    title="The build lacks a tool that it needs",
    signs=(
        Sign(CUT[0], None, HINT, "uv-build-frontend/src/error.rs, cut off before the reason"),
        Sign(CUT[1], None, HINT, "pip, cut off before the reason"),
        _sign("No module named", rf"No module named '?(?P<module>{MODULES})(?:\.[\w.]+)?'?(?=\W|$)", "Python"),
        _sign("invalid command 'bdist_wheel'", None, "distutils/dist.py: no wheel package"),
        _sign("Cannot import 'setuptools", None, "pyproject_hooks: BackendUnavailable"),
        _sign("BackendUnavailable", r"BackendUnavailable(?:: |\b)", "pyproject_hooks, pip before 24"),
        _sign("since setuptools is not available", None, "pip/_internal/build_env: Can not execute `setup.py`"),
        _sign("Could not import setuptools which is required", None, "pip/_internal/utils/setuptools_build.py"),
        _sign("Some build dependencies for", r"are missing: (?P<what>.+)\.?$", "pip/_internal/distributions/sdist.py"),
        _sign(
            "cannot import name 'packaging' from 'pkg_resources'", None, "torch/utils/cpp_extension.py, setuptools 70"
        ),
        _sign(
            "declare it as a build dependency", r"depends on `?(?P<module>(?!torch\b)\w[\w.-]*)`?, but doesn't", "uv"
        ),
        _sign(
            "Ninja is required to load C++ extensions", None, "torch/utils/cpp_extension.py: verify_ninja_availability"
        ),
        _sign("unable to find a build program corresponding to", None, "CMake: no ninja or make"),
        _sign("Cannot find CMake executable", None, "vllm setup.py"),
        _sign("CMake must be installed to build", None, "setup.py of CMake extensions"),
        _sign("'cmake'", r"No such file or directory: 'cmake'", "Python: subprocess"),
        _sign("cmake: ", rf"\bcmake: (?:command )?{NOT_FOUND}", "sh"),
        _sign("unable to execute", rf"unable to execute '?(?P<compiler>{COMPILERS})'?: No such", "distutils/spawn.py"),
        _sign("error: command ", rf"error: command '(?P<compiler>{COMPILERS})' failed: No such", "distutils/spawn.py"),
        _sign(
            "'which', '", r"\['which', '(?P<compiler>[\w+./-]+)'\]' returned non-zero", "torch/utils/cpp_extension.py"
        ),
        _sign("No such file or directory: '", rf"directory: '(?P<compiler>{COMPILERS}|which)'", "Python: subprocess"),
        _sign(
            "not found", rf"(?:sh|bash): (?:\d+: |line \d+: )?(?P<compiler>{COMPILERS}): (?:command )?not found", "sh"
        ),
        _sign("No CMAKE_CXX_COMPILER could be found", None, "CMake: no C++ compiler"),
        _sign("No CMAKE_C_COMPILER could be found", None, "CMake: no C compiler"),
        _sign("CMAKE_CXX_COMPILER not set, after EnableLanguage", None, "CMake: no C++ compiler"),
        _sign("Failed to find a working C++ compiler", None, "compiler"),
        _sign("No supported gcc/g++ host compiler found", None, "nvcc: no compiler"),
        _sign(
            "nvcc fatal", r"Failed to preprocess host compiler properties|gcc: No such file", "nvcc: no compiler", SIGN
        ),
        _headers.missing("Python.h", r"Python\.h", PROOF, "gcc"),
        _headers.missing("pyconfig.h", r"pyconfig\.h", PROOF, "gcc"),
        _sign("Could NOT find Python", r"missing:[^\n]{0,80}(?:Development|INCLUDE_DIR)", "CMake: FindPython"),
        _sign(
            "is not installed.", r"legacy 'setup\.py install' for .{1,60} since package 'wheel'", "pip before 23", HINT
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=_builds.AFTERMATH,
)
