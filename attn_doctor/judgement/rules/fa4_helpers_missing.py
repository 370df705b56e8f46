"""AD315 fa4-helpers-missing

FlashAttention 4 is Python that NVIDIA's CuTe DSL compiles on first use: without nvidia-cutlass-dsl, quack-kernels and
apache-tvm-ffi (and torch-c-dlpack-ext, einops) `import flash_attn.cute` fails with "No module named 'cutlass'" or its
like. The DSL changes between releases: with another than the one demanded it fails inside its own functions
("fmax() takes 2 positional arguments", "no attribute 'fmin'"). nvidia-cutlass-dsl and its libs-base must be of one
version too.

A copy of the sources brings none of them; installing the package does.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules._demands import imagined
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.requirements import requirements, satisfies
from attn_doctor.machine.probes.packages import Package

PACKAGE = "flash-attn-4"
DSL = "nvidia-cutlass-dsl"


def demanded(name: str, package: Package) -> dict[str, str]:
    """Specifiers by what is needed; torch is judged elsewhere."""
    if package.requires is not None:
        return {needed: specifier for needed, specifier in package.requires.items() if needed != "torch"}
    return {row.needs: row.specifier for row in requirements(name, package.version)} if imagined(package) else {}


def check(machine: Machine, packages: dict[str, Package]) -> Problem | None:
    package = packages.get(PACKAGE)
    if package is None:
        return None
    needs = demanded(PACKAGE, package)
    missing = [] if imagined(package) else [name for name in needs if name not in packages]
    if missing:
        return Problem(
            f"{PACKAGE} {package.version} cannot be imported without {_listed(missing)}.",
            fix=(commands.install(machine, *(name + needs[name] for name in missing)),),
        )
    dsl = packages.get(DSL)
    needs |= demanded(DSL, dsl) if dsl else {}
    wrong = [name for name in needs if name in packages and not satisfies(packages[name].version, needs[name])]
    if not wrong:
        return None
    said = _listed([f"{name}{needs[name]} ({packages[name].version} is installed)" for name in wrong])
    return Problem(
        f"{PACKAGE} {package.version} needs {said}.",
        fix=(commands.install(machine, *(name + needs[name] for name in wrong)),),
        title="FlashAttention 4 has other helpers than it needs",
        severity="warning",
    )


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


RULE = Rule("AD315", "fa4-helpers-missing", "error", "FlashAttention 4 lacks packages that it needs", check)
