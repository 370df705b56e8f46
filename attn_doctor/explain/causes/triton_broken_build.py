"""Triton is needed and missing, or is another one than torch (or the GPU) needs.

Shows as "Cannot find a working triton installation", missing names of triton.compiler, triton.ops or triton.language, a
libtriton that does not load, a GPU that its LLVM or ptxas does not know. Not for it: "A matching Triton is not
available", which is a remark (not-an-install-failure), a C compiler or Python.h that its launcher lacks
(triton-compile-env).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log
from attn_doctor.judgement import commands

CATEGORY = "triton-broken-build"
REMARKS = (
    *(
        "A matching Triton is not available",
        "Triton is not available, some optimizations",
        "triton not found; flop counting",
    ),
    *(
        "optimizations will not be enabled",
        "Triton not available, falling back",
    ),
)
SHORT = 8  # lines of a log that holds nothing but the error
NEEDED = (
    "torch.compile",
    "_inductor",
    "_dynamo",
    "sageattention",
    "flex_attention",
    "unsloth",
    "mamba",
    "fla.",
    "flash_attn",
    "bitsandbytes",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match["missing"]:
        if log.has(*REMARKS):
            return None
        return match.strength if log.has(*NEEDED) or len(log.lines) <= SHORT else SIGN
    if match["target"]:
        return match.strength if log.has("triton", "inductor", "LLVM") else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    if match["missing"] or "working triton" in match.line.text:
        where = " Triton has no files for Windows; triton-windows is a build of its own." if case.windows else ""
        return f"The program compiles GPU code with Triton, which is not installed, or is too old for torch.{where}"
    if match["target"]:
        return f"The Triton that is installed does not know this GPU ({match['target']}): it is older than the GPU."
    return (
        f"The Triton that is installed is not the one that {_mending.torch(case)} demands: its inner names change with "
        "every release."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    machine = _mending.has_torch(case)
    command = commands.install_triton(machine) if machine is not None else None
    if command:
        yield f"{command}   (the one that belongs to {_mending.torch(case)})"
    elif case.windows:
        yield "pip install -U triton-windows   (one release for each torch: its page has the table)"
    else:
        yield 'pip show torch | grep -i requires; pip install "triton==VERSION", as torch demands it'
    yield (
        "pip uninstall -y triton pytorch-triton triton-nightly, then that command   (where two of them share the "
        "folder)"
    )
    yield "TORCHDYNAMO_DISABLE=1 runs the program without torch.compile, to see that nothing else is wrong"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="Triton is missing, or is not the one that is needed",
    signs=(
        Sign("Cannot find a working triton installation", None, PROOF, "torch/_inductor/exc.py: TritonMissing"),
        Sign("No module named ", r"No module named '?(?P<missing>triton)(?:'|\s|$)", SIGN, "Python"),
        Sign(
            "No module named ",
            r"No module named '?(?P<module>triton\.[\w.]+)",
            PROOF,
            "Python: modules of another Triton",
        ),
        Sign(
            "cannot import name '",
            r"cannot import name '\w+' from (?:partially initialized module )?'triton\b",
            PROOF,
            "Python",
        ),
        Sign("module 'triton", r"module 'triton[\w.]*' has no attribute", PROOF, "Python"),
        Sign(
            "libtriton", r"(?:undefined symbol|DLL load failed|cannot open|No module named|GLIBCXX)", SIGN, "the loader"
        ),
        Sign(
            "is not a recognized processor",
            r"'(?P<target>sm_\w+)' is not a recognized processor",
            SIGN,
            "LLVM in Triton",
        ),
        Sign("is not defined for option 'gpu-name'", r"(?P<target>sm_\w+)", SIGN, "the ptxas in Triton"),
        Sign("PassManager::run failed", None, HINT, "Triton's compiler"),
        Sign("triton_key", r"cannot import name", PROOF, "torch/_inductor/codecache.py"),
        Sign(
            "AttrsDescriptor",
            r"(?:cannot import name|has no attribute)",
            PROOF,
            "torch 2.2 to 2.6 with Triton 3.2 or later",
        ),
        Sign("triton is not installed", r"(?i)triton is not installed", SIGN, "frameworks"),
        Sign("Triton is not installed", None, SIGN, "frameworks"),
        Sign("PY_SSIZE_T_CLEAN macro must be defined", r".", SIGN, "Triton 2.0 with Python 3.10 and later"),
        Sign("JITFunction", r"'JITFunction' object has no attribute", SIGN, "code for another Triton"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
