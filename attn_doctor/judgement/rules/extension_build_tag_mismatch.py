"""AD408 extension-build-tag-mismatch

The name of the file that a package was installed from says which torch, CUDA and C++ ABI it was built for, and the
installed torch is another. Importing it usually fails with "undefined symbol" or a missing libcudart. The name is not
always right: where the symbols of the file itself have been looked up and are not there, AD402 or AD403 says so with
certainty, and this finding keeps silent.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries
from attn_doctor.judgement.backends import _package
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist

BUILT = ("flash-attn", "flash-attn-3", "xformers", "sageattention")


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:  # noqa: ARG001 - without a torch there is no mismatch
    found = [
        binaries.mended(machine, name, f"{name} {said}.")
        for name in BUILT
        if name in packages and not binaries.proof(machine, name)
        if (said := _package.mismatch(machine, packages[name]))
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix)


RULE = Rule(
    "AD408",
    "extension-build-tag-mismatch",
    "error",
    "an installed build names another torch",
    check,
    confidence="likely",
)
