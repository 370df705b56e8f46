"""AD312 wheel-for-another-python

A compiled package is built for one Python version; its wheel says so in its tags (cp312-cp312). Another Python does
not see an extension named `.cpython-312-...so` at all: `No module named 'torch._C'`, or `'flash_attn_2_cuda'`. It
comes from a virtual environment whose Python was replaced under it, from copied folders, and from wheels renamed to
please pip. Wheels for the stable ABI (abi3) and for every Python (py3) are no fault.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.python import Python


def check(machine: Machine, python: Python, packages: dict[str, Package]) -> Problem | None:
    if python.implementation != "cpython":
        return None
    foreign = {name: package for name, package in packages.items() if not loads(package, python)}
    if not foreign:
        return None
    named = ", ".join(f"{name} {package.version} ({package.tags[0]})" for name, package in foreign.items())
    mends = [_mend(machine, name, package) for name, package in foreign.items()]
    return Problem(
        f"{named}: built for another Python. This is Python {python.version} ({python.tag}) and cannot import "
        f"{'its' if len(foreign) == 1 else 'their'} compiled part.{''.join(dict.fromkeys(note for note, _ in mends))}",
        fix=tuple(command for _, command in mends),
    )


def loads(package: Package, python: Python) -> bool:
    """Whether one of the wheel's tags suits this Python; True where it names none, or none that is understood."""
    return not package.tags or any(_suits(tag, python) for tag in package.tags)


def _suits(tag: str, python: Python) -> bool:
    parts = tag.split("-")
    if len(parts) < 3:  # noqa: PLR2004 - Python, ABI, platform
        return True
    # cp37m: an ABI flag of old; cp313t: another ABI than cp313
    abis = [abi.rstrip("mu") for abi in parts[1].split(".")]
    exact = [abi for abi in abis if abi.startswith("cp") and abi[2:].removesuffix("t").isdecimal()]
    return len(exact) < len(abis) or python.tag in exact


def _mend(machine: Machine, name: str, package: Package) -> tuple[str, str]:
    """What is to be said besides, and the command."""
    again = commands.reinstall(machine, name, public(package.version))
    if name == "torch":
        return "", commands.reinstall_torch(machine) or again
    if name.startswith("flash-attn") or name == "xformers":
        from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

        gpu = next(iter(machine.nvidia), None)
        if found := wheel_choice.fits(machine, gpu, name):
            return "", commands.forced(commands.install_wheel(machine, found[0]))
        if not wheel_choice.by_name(machine, name):
            return wheel_choice.note(machine, name, gpu), commands.uninstall(machine, name)
    return "", again


RULE = Rule("AD312", "wheel-for-another-python", "error", "a compiled package is built for another Python", check)
