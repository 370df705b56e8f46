"""Triton (or torch.compile) cannot compile the small C module that starts its kernels.

At the first kernel Triton calls a C compiler with Python.h and libcuda. A missing compiler, missing headers or a
missing libcuda show as the compiler's own message, or only as the command that failed: /tmp/tmp.../main.c,
cuda_utils.c, __triton_launcher.c with -lcuda. Python.h that is missing while a package is being built is another
cause; a Triton that is missing or of another torch too.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _containers
from attn_doctor.explain.log import Log

TRITON = (
    r"(?i)triton|inductor|torch\._dynamo|tmp\w+[\\/](?:main|cuda_utils|__triton_launcher|hip_utils)\.c|torch\.compile"
)
HEADERS = ("Python.h",)
NO_COMPILER = ("Failed to find C compiler", "No working C++ compiler", "is not found", "cc1", "InvalidCxxCompiler")
LINK = ("-lcuda", "library 'cuda'", "cuda.lib")
WINDOWS_WARNINGS = (
    "Failed to find MSVC",
    "Failed to find Python libs",
    "Failed to find CUDA",
    "Failed to find Windows SDK",
)


def weigh(match: Match, log: Log) -> Strength | None:
    ours = log.matches(TRITON) is not None
    if any(word in match.line.text for word in LINK) and _containers.wsl(log) and "cannot find" in match.line.text:
        return None  # wsl-libcuda-not-found
    if match.sign.strength == PROOF:
        return PROOF
    if _builds.during_a_build(match.line, log) and not ours:
        return None
    if match.sign.literal in HEADERS:
        return PROOF if ours else SIGN
    return PROOF if ours else None


def explain(match: Match, case: Case) -> str:
    text, log = match.line.text, case.log
    start = "Triton compiles a small C module at the first kernel, and that fails: "
    if any(word in text for word in NO_COMPILER):
        return start + (
            "no C compiler is found. It takes none of the CUDA toolkit, only gcc or clang (Windows: MSVC or "
            "its own tcc)."
        )
    if log.has("Python.h", "Failed to find Python libs", "python3"):
        return start + "the header Python.h of this very Python is not installed."
    if any(
        f"{header}.h: No such file" in text for header in ("stddef", "stdarg", "stdint", "stdlib", "stdio", "limits")
    ):
        return start + "the C compiler is there, and the standard headers of C that belong to it are not."
    if any(log.has(word) for word in ("cannot find -lcuda", "library 'cuda'")):
        return start + "the linker does not find libcuda, the library of the driver."
    return start + "the compiler's own message stands above the line that names the command."


def fix(match: Match, case: Case) -> Iterator[str]:
    log, python = case.log, case.said.get("python")
    if case.windows:
        yield from _windows(case)
        return
    dev = f"python{python}-dev" if python else "python3-dev"
    if log.has("Python.h"):
        yield f"sudo apt install {dev}   (Fedora, RHEL: {dev}el; conda and uv bring it along: use their Python)"
    elif log.has("cannot find -lcuda", "cannot find -l:libcuda"):
        yield (
            "ldconfig -p | grep libcuda, then: export TRITON_LIBCUDA_PATH=FOLDER LIBRARY_PATH=FOLDER   (the "
            "folder that holds it)"
        )
    elif any(word in match.line.text for word in NO_COMPILER):
        yield (
            "sudo apt install gcc g++   (Fedora, RHEL: sudo dnf install gcc gcc-c++; conda: conda install gxx_linux-64)"
        )
        yield "a compiler elsewhere: export CC=/usr/bin/gcc CXX=/usr/bin/g++"
    else:
        yield f"sudo apt install build-essential {dev}"
    if _containers.inside(log):
        yield (
            f"in a Dockerfile: RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ {dev}   "
            "(the -devel images have gcc)"
        )
    yield "rm -rf ~/.triton/cache   (after the repair), or without it: TORCHDYNAMO_DISABLE=1; vLLM: --enforce-eager"


def _windows(case: Case) -> Iterator[str]:
    if case.log.has("Failed to find Python libs", "Python.h", "lpython3", "python_embeded"):
        yield (
            "an embedded Python has no headers: put the folders include and libs of a full Python of the "
            "same minor version "
            "beside its python.exe"
        )
    yield "pip install -U triton-windows   (of the minor release that belongs to the torch; it brings a compiler, tcc)"
    if case.log.has("cl is not found", "MSVC", "Compiler: cl"):
        yield (
            "Visual Studio Build Tools with 'Desktop development with C++', then start from its x64 Native Tools prompt"
        )
    yield "without torch.compile: the environment variable TORCHDYNAMO_DISABLE set to 1"


CAUSE = Cause(
    category="triton-compile-env",
    stage="runtime",
    title="Triton cannot compile its launcher",
    signs=(
        Sign("Failed to find C compiler", by="triton/runtime/build.py"),
        Sign("No working C++ compiler found in torch._inductor", by="torch/_inductor/exc.py"),
        Sign("InvalidCxxCompiler", by="torch/_inductor/exc.py"),
        Sign("Compiler: cl is not found", by="torch/_inductor/cpp_builder.py, Windows"),
        Sign("Compiler: ", r"Compiler: \S+ is not found", by="torch/_inductor/cpp_builder.py"),
        Sign("Failed to compile. cc_cmd:", by="triton-windows, runtime/build.py"),
        Sign(
            "Failed to find ",
            r"Failed to find (?:MSVC|Python libs|Windows SDK|CUDA)\b",
            SIGN,
            by="triton-windows, windows_utils.py",
        ),
        Sign("include file 'Python.h' not found", by="tcc of triton-windows"),
        Sign(
            "Python.h",
            (
                r"(?:fatal error|error|erreur|Fehler|错误|エラー)[^\n]{0,30}Python\.h"
                r"|Python\.h['\"\u2019»]?: ?(?:No such file|Datei oder|Aucun fichier|No existe)"
                r"|Python\.h['\"\u2019»]?: ?(?:没有那个|そのような|Нет такого)"
                r"|'Python\.h' file not found"
            ),
            SIGN,
            by="gcc, clang",
        ),
        Sign(
            "-lcuda",
            (
                r"(?:cannot find|找不到|kann nicht finden|ne peut trouver|no se puede encontrar"
                r"|unable to find library) ?-l:?(?:lib)?cuda(?:\.so(?:\.1)?)?\b(?!rt)"
            ),
            SIGN,
            by="ld, lld",
        ),
        Sign("tcc: error: ", r"tcc: error: (?:library 'cuda|file |undefined symbol)", by="tcc of triton-windows"),
        Sign(
            "returned non-zero exit status",
            r"(?:main|cuda_utils|__triton_launcher)\.c'.{0,600}-l:?(?:lib)?cuda",
            by="Python: the command that Triton ran",
        ),
        Sign(
            "returned non-zero exit status",
            r"-l:?(?:lib)?cuda.{0,600}tmp\w+[/\\](?:main|cuda_utils|__triton_launcher)",
            SIGN,
            by="Python: the command that Triton ran",
        ),
        *(
            Sign(f"{name}.c'", rf"Command '\[[^\n]{{0,400}}tmp\w+[/\\]{{1,4}}{name}\.c'", by="Python: what Triton ran")
            for name in ("main", "cuda_utils", "__triton_launcher")
        ),
        Sign("error trying to exec 'cc1", strength=SIGN, by="gcc"),
        Sign("cannot execute 'cc1", r"cannot execute '?[\u2018']?cc1", SIGN, by="gcc 12 and newer"),
        Sign(
            ".h: No such file or directory",
            (
                r"(?:tmp\w+/(?:main|cuda_utils|__triton_launcher)\.c)[^\n]{0,20} fatal error: (?:cuda|stdlib"
                r"|stdio|stdbool|dlfcn)\.h"
            ),
            SIGN,
            by="gcc, called by Triton",
        ),
        Sign(
            ".h: No such file or directory",
            r"fatal error: (?:stddef|stdarg|stdint|stdlib|stdio|string|limits|errno|assert|math)\.h",
            SIGN,
            by="gcc without its own headers or glibc's, called by Triton or Inductor",
        ),
        Sign("Cannot find ptxas", by="triton/backends/nvidia/compiler.py"),
        Sign("CppCompileError: C++ compile error", strength=SIGN, by="torch/_inductor/exc.py"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        "build-deps-missing",
        "cuda-headers-incomplete",
    ),  # where it is no build at all, Python.h is asked for by Triton
)
