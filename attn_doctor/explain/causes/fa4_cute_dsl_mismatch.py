"""FlashAttention 4 (flash_attn.cute) lacks a package that it needs, or has another CUTLASS DSL.

It is Python that nvidia-cutlass-dsl compiles on first use, with quack-kernels and apache-tvm-ffi. Shows as missing
modules cutlass, quack, tvm_ffi, as names that the DSL does not have, as errors of the DSL itself. Not for it: the C++
headers of CUTLASS in a build (cutlass-submodule-missing).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log
from attn_doctor.judgement import commands
from attn_doctor.knowledge.requirements import Requirement
from attn_doctor.knowledge.tables import load

CATEGORY = "fa4-cute-dsl-mismatch"
PACKAGE = "flash-attn-4"
MODULES = (
    r"cutlass(?:\.[\w.]+)?|quack(?:\.[\w.]+)?|tvm_ffi(?:\.[\w.]+)?|nvidia_cutlass_dsl(?:\.[\w.]+)?"
    r"|flash_attn\.cute(?:\.[\w.]+)?|cutlass_library|torch_c_dlpack_ext"
)
DISTRIBUTIONS = {
    "cutlass": "nvidia-cutlass-dsl",
    "quack": "quack-kernels",
    "tvm_ffi": "apache-tvm-ffi",
    "torch_c_dlpack_ext": "torch-c-dlpack-ext",
}
NEAR = ("flash_attn", "flash-attn", "cute", "quack", "FlashAttention")


def weigh(match: Match, log: Log) -> Strength | None:
    if match["other"]:
        # other projects are built on the DSL too, and the C++ CUTLASS has a Python package of the same name
        return match.strength if log.has(*NEAR) else SIGN
    return match.strength


def explain(match: Match, _case: Case) -> str:
    module = (match["module"] or "").split(".")[0]
    if module:
        brings = DISTRIBUTIONS.get(module)
        what = f"{module} comes with {brings}" if brings else f"{match['module']} is not there"
        return (
            f"FlashAttention 4 is Python that NVIDIA's CuTe DSL compiles on first use. {what}, and it is not installed "
            "(or is of a release without that module): a copy of the sources brings none of its needs."
        )
    return (
        "FlashAttention 4 and nvidia-cutlass-dsl do not go together: the DSL renames and changes functions between "
        "releases, and each FlashAttention 4 is written for one of them."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    plan = case.planned("flash_attention_4")
    if plan is not None:
        yield f"attn-doctor install flash_attention_4   ({plan.title})"
    needs = demanded()
    machine = case.machine
    if machine is not None:
        yield commands.install(machine, *(f"{row.needs}{row.specifier}" for row in needs))
    else:
        yield "pip install " + " ".join(f'"{row.needs}{row.specifier}"' for row in needs)
    yield f"{_mending.pip(case)} --pre -U {PACKAGE}   (the package brings them all; [cu13] beside a torch of CUDA 13)"
    yield (
        "pip list | grep -i cutlass   (nvidia-cutlass-dsl and its libs packages must be of one version; cutlass of "
        "others shadows it)"
    )


def demanded() -> tuple[Requirement, ...]:
    """What the newest known release of FlashAttention 4 asks for."""
    from attn_doctor.knowledge.requirements import _Requirements

    return tuple(row for row in load("requirements", _Requirements).rows if row.package == PACKAGE)


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="FlashAttention 4 lacks what it needs, or has another CUTLASS DSL",
    signs=(
        Sign("No module named ", rf"No module named '?\"?(?P<module>{MODULES})['\"\s]?", PROOF, "Python"),
        Sign("No such module `cutlass", None, PROOF, "how people quote it"),
        Sign("no module of ", r"no module of (?P<module>cutlass|quack|tvm_ffi)", SIGN, "prose"),
        Sign("from 'cutlass", r"cannot import name", PROOF, "Python"),
        Sign("from 'nvidia_cutlass_dsl", r"cannot import name", PROOF, "Python"),
        Sign("from 'quack", r"cannot import name", PROOF, "Python"),
        Sign("from 'flash_attn.cute", r"cannot import name", PROOF, "Python"),
        Sign("from 'tvm_ffi", r"cannot import name", PROOF, "Python"),
        Sign("module 'cutlass", r"module 'cutlass[\w.]*' has no attribute", PROOF, "Python"),
        Sign("module 'quack", r"has no attribute", PROOF, "Python"),
        Sign("DSLRuntimeError", r"(?P<other>DSL\w*Error)", SIGN, "nvidia_cutlass_dsl: base_dsl/common.py"),
        Sign("DSLUserCodeError", r"(?P<other>DSL\w*Error)", SIGN, "nvidia_cutlass_dsl: base_dsl"),
        Sign(
            "nvidia-cutlass-dsl",
            r"nvidia-cutlass-dsl[^\n]{0,80}(?:is not installed|not found|incompatible|but you have|requires)",
            SIGN,
            "pip, frameworks",
        ),
        Sign("pip install apache-tvm-ffi", None, SIGN, "what people are told"),
        Sign(
            "positional argument", r"\bf(?:max|min)\(\) takes \d+ positional", PROOF, "Python: cute.arch of another DSL"
        ),
        Sign("cutlass._mlir", r"(?:Error|undefined symbol|cannot)", SIGN, "nvidia_cutlass_dsl"),
        Sign("_cutlass_ir", r"(?:Error|undefined symbol|cannot)", SIGN, "nvidia_cutlass_dsl: its compiled part"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
