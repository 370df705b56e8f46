"""AD308 kernels-version

transformers takes prebuilt attention kernels from the Hugging Face Hub through the `kernels` package, of the versions
it names only; from 5.23 on too new a one is refused as well. With any other it behaves as if `kernels` were not there:
`attn_implementation="kernels-community/..."` raises an ImportError, and flash_attention_2 has no substitute where
flash-attn is missing. Nothing else depends on it.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.requirements import requirement, satisfies
from attn_doctor.machine.probes.packages import Package


def check(machine: Machine, packages: dict[str, Package]) -> Problem | None:
    transformers, kernels = packages.get("transformers"), packages.get("kernels")
    if transformers is None or kernels is None:
        return None
    row = requirement("transformers", transformers.version, "kernels")
    if row is None or satisfies(kernels.version, row.specifier):
        return None
    return Problem(
        f"transformers {transformers.version} accepts kernels{row.specifier}; kernels {kernels.version} is installed. "
        f"So {row.otherwise}.",
        fix=(commands.install(machine, f"kernels{row.specifier}"),),
    )


RULE = Rule("AD308", "kernels-version", "info", "transformers does not accept this kernels", check)
