"""AD405 glibc-too-old-for-extension

A compiled file names the versions of the C library that it needs. Where the system's is older, importing it fails with
"version `GLIBC_2.32' not found". flash-attn wheels from 2.8.0.post1 on are built on Ubuntu 22.04 and need glibc 2.32
although their name says only linux_x86_64. The C library belongs to the distribution: take a file that was built on an
older one (a manylinux wheel), compile here, or use a newer container image.
"""

from __future__ import annotations

from attn_doctor.judgement import binaries, commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.extensions import Extensions
from attn_doctor.machine.probes.libc import Libc


def check(machine: Machine, extensions: Extensions, libc: Libc) -> Problem | None:
    found = [
        _mended(machine, package, _said(machine, package, f"{binaries.name(file)} needs {needed}", libc))
        for package, file in binaries.packages(machine, extensions)
        if (needed := binaries.lacks_libc(machine, file))
    ]
    if not found:
        return None
    detail, fix = binaries.together(found)
    return Problem(detail, fix)


def _said(machine: Machine, package: str, needs: str, libc: Libc) -> str:
    return f"{binaries.called(machine, package)}: {needs}; this system has {libc.family} {libc.version}."


def _mended(machine: Machine, package: str, sentence: str) -> tuple[str, str]:
    """With a file whose name promises an older C library; those that promise nothing are what failed."""
    from attn_doctor.judgement import wheel_choice  # the catalogue: only where a file is looked for

    gpu, series = next(iter(machine.nvidia), None), binaries.series(machine, package)
    for wheel in wheel_choice.fits(machine, gpu, package, series):
        if wheel.platform.startswith(("manylinux", "musllinux")):
            return sentence, binaries.anew(commands.install_wheel(machine, wheel))
    return sentence + wheel_choice.note(machine, package, gpu, series), binaries.uninstall(machine, package)


RULE = Rule("AD405", "glibc-too-old-for-extension", "error", "an extension needs a newer C library", check)
