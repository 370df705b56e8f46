"""libcuda.so, the driver's own library, is not found by the loader or the linker.

In WSL it lies in /usr/lib/wsl/lib, in Colab under libcuda.so.1 only; a linker wants libcuda.so. The linker's
"cannot find -lcuda" belongs to triton-compile-env where Triton or Inductor called it (unless WSL or Colab is named).
libcudart and other libraries of the toolkit are other causes.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _containers
from attn_doctor.explain.log import Log

TRITON = r"(?i)triton|inductor|/tmp/tmp\w+/(?:main|cuda_utils|__triton_launcher)\.c"
WSL_LIB = "/usr/lib/wsl/lib"


def weigh(match: Match, log: Log) -> Strength | None:
    if "is not a symbolic link" in match.line.text:
        return None  # ldconfig in WSL, harmless
    if "-lcuda" in match.line.text and log.matches(TRITON) and not _containers.wsl(log):
        return None
    if match.strength == SIGN and _containers.wsl(log):
        return PROOF
    return match.strength


def explain(_match: Match, case: Case) -> str:
    if _containers.wsl(case.log):
        return (
            f"In WSL libcuda comes from Windows and lies in {WSL_LIB}, where the loader or the linker does not "
            "look here."
        )
    return (
        "libcuda belongs to the NVIDIA driver, not to torch or the toolkit. Either no driver is there (or "
        "none was given to the "
        "container), or only libcuda.so.1 is found where a linker asks for libcuda.so."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    if _containers.wsl(case.log):
        yield (
            f"export LD_LIBRARY_PATH={WSL_LIB}:$LD_LIBRARY_PATH LIBRARY_PATH={WSL_LIB}:$LIBRARY_PATH "
            f"TRITON_LIBCUDA_PATH={WSL_LIB}"
        )
        yield (
            "no file there: update NVIDIA's driver in Windows, then wsl --shutdown. A Linux driver inside WSL "
            "breaks it."
        )
        return
    yield "ldconfig -p | grep libcuda.so   (where it lies, and under which names)"
    if _containers.inside(case.log):
        yield from _containers.start(case.log)
    yield (
        "libcuda.so.1 is there, libcuda.so is not: sudo ldconfig, and name its folder: "
        "export LIBRARY_PATH=/usr/lib/x86_64-linux-gnu TRITON_LIBCUDA_PATH=/usr/lib/x86_64-linux-gnu"
    )
    yield (
        "a link libcuda.so to libcuda.so.1 of the same folder is right; one to another version, or to the "
        "stubs of the toolkit, is not"
    )


CAUSE = Cause(
    category="wsl-libcuda-not-found",
    stage="runtime",
    title="The driver's libcuda is not found",
    signs=(
        Sign("libcuda.so: cannot open shared object file", by="glibc, dl-load.c"),
        Sign("libcuda.so cannot found", by="triton/backends/nvidia/driver.py, libcuda_dirs"),
        Sign("libcuda.so.1: cannot open shared object file", strength=SIGN, by="glibc, dl-load.c"),
        Sign(
            "libcuda.so",
            r"libcuda\.so(?:\.1)?: (?:Kann die|impossible d'ouvrir|no se puede abrir|"
            r"无法打开|共有オブジェクト|невозможно открыть)",
            SIGN,
            by="glibc, translated",
        ),
        Sign(
            "-lcuda",
            (
                r"(?:cannot find|unable to find library|library not found for|kann nicht finden|ne peut trouver"
                r"|no se puede encontrar|找不到|ausgeführt: nicht gefunden) ?-lcuda\b"
            ),
            SIGN,
            by="ld, lld, gold",
        ),
        Sign("Failed to open libcuda.so", by="triton/backends/nvidia/driver.c"),
        Sign("CUDA driver library cannot be found", by="numba: CudaSupportError"),
        Sign(
            "libcuda.so",
            r"(?i)(?:could not|cannot|can't|unable to|failed to) (?:find|load|open|locate)[^\n]{0,40}libcuda\.so",
            SIGN,
            by="TensorFlow, JAX, llama.cpp",
        ),
        Sign("libcuda.so not found", strength=SIGN, by="bitsandbytes, cuda_setup"),
        Sign("CUDA driver is a stub library", strength=SIGN, by="CUDA: cudaErrorStubLibrary"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-gpu-visible",),
)
