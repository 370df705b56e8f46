"""Windows finds a compiled module and cannot load it: a function or a library that it needs is not there.

"procedure could not be found" (error 127): the DLLs are there and are others, so the module was built for another torch
or Python. "module could not be found" (126): a DLL that it needs is nowhere. 1114: a DLL gives up while it starts.
Windows says so in its own language; the English of Python stands before it.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "windows-dll-load-failed"
NAMED = r"while importing (?P<module>[\w.]{1,80})"
PROCEDURE = (
    *(
        "procedure",
        "Prozedur",
        "proc\u00e9dure",
        "procedimiento",
        "procedura",
        "\u627e\u4e0d\u5230\u6307\u5b9a\u7684\u7a0b\u5e8f",
    ),
    *(
        "\u30d7\u30ed\u30b7\u30fc\u30b8\u30e3",
        "\u043f\u0440\u043e\u0446\u0435\u0434\u0443\u0440",
        "WinError 127",
        "\ud504\ub85c\uc2dc\uc800",
        "entry point",
    ),
)
NOT_TORCH = (
    "_ssl",
    "_sqlite3",
    "_ctypes",
    "win32api",
    "win32file",
    "pywintypes",
    "_tkinter",
    "QtCore",
    "QtWidgets",
    "cv2",
    "lzma",
)


def weigh(match: Match, _log: Log) -> Strength | None:
    if "WinError 1455" in match.line.text:
        return None  # memory, and no DLL that is missing or wrong
    module = match["module"] or ""
    return SIGN if any(module.startswith(name) for name in NOT_TORCH) else match.strength


def other_build(text: str) -> bool:
    """Whether a function is missing, and not a file."""
    return any(word in text for word in PROCEDURE)


def explain(match: Match, case: Case) -> str:
    text, module = match.line.text, match["module"] or "The module"
    if other_build(text):
        return (
            f"{module} was found, and the DLLs of {_mending.torch(case)} lack a function it asks for: it was built for "
            "another torch, CUDA or Python than the ones installed."
        )
    if "1114" in text:
        return (
            "A DLL of torch stopped while it started: the Visual C++ runtime is too old, or another copy of a DLL came "
            "first."
        )
    return (
        f"{module} needs a DLL that is nowhere in reach: the CUDA runtime of the major it was built for, the Visual "
        "C++ runtime, or torch's own libraries (import torch before it)."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text = match.line.text
    module = match["module"] or ""
    package = _loader.package_of(module) or _loader.package_of(text)
    if "triton" in text:
        yield "pip install -U triton-windows   (the build of Triton for Windows; one release for each torch)"
    elif module == "_multiarray_umath" or "numpy" in text:
        yield "pip install --force-reinstall numpy"
    elif "c10.dll" in text or "torch_python.dll" in text or "torch\\lib" in text or "torch/lib" in text:
        yield from _mending.torch_for(case)
    else:
        yield from _mending.anew(case, package)
    if not other_build(text):
        yield "winget install Microsoft.VCRedist.2015+.x64   (the Visual C++ runtime), then open a new shell"
    yield (
        'python -c "import torch; print(torch.__version__, torch.version.cuda)"   (torch alone: if this fails, begin '
        "with it)"
    )
    yield "copying single DLLs from elsewhere does not help: the set belongs together"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="Windows cannot load a compiled module",
    signs=(
        Sign("DLL load failed", NAMED, PROOF, "CPython Python/dynload_win.c, 3.8 and later"),
        Sign("DLL load failed", r"DLL load failed(?! while)", PROOF, "CPython Python/dynload_win.c up to 3.7"),
        Sign("[WinError 126]", by="Windows: ERROR_MOD_NOT_FOUND"),
        Sign("[WinError 127]", by="Windows: ERROR_PROC_NOT_FOUND"),
        Sign("[WinError 1114]", by="Windows: ERROR_DLL_INIT_FAILED"),
        Sign("[WinError 182]", by="Windows: ERROR_INVALID_ORDINAL"),
        Sign(
            "or one of its dependencies",
            r"Error loading \"|Could not find module '",
            PROOF,
            "torch/__init__.py, ctypes",
        ),
        Sign("Could not find module '", r"\.(?:dll|pyd)'", PROOF, "ctypes/__init__.py"),
        Sign("could not be located in the dynamic link library", None, PROOF, "Windows: a message box"),
        Sign("he specified procedure could not be found", None, PROOF, "Windows error 127"),
        Sign("he specified module could not be found", None, SIGN, "Windows error 126"),
        Sign("Microsoft Visual C++ Redistributable is not installed", None, SIGN, "torch/__init__.py"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "transformers-fa-api-mismatch", "xformers-torch-mismatch"),
)
