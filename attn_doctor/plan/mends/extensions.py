"""An attention package that does not work here: the file that does, else without it, for sdpa is there."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.plan import files, one_folder, steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._attention import CODES, attention, broken, fitting_file, without_a_file
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change
from attn_doctor.plan.ways.another_torch import renamed
from attn_doctor.wheels.catalogue import Wheel


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    for package, why in broken(ailing):
        if ailing.plain and attention(package):
            yield _without(machine, package, why)
        elif attention(package):
            wheel = fitting_file(machine, package)
            yield (
                _file(machine, wheel, why)
                if wheel
                else _without(machine, package, without_a_file(machine, package, why))
            )
        else:
            yield _anew(machine, package, why)


def _file(machine: Machine, wheel: Wheel, why: str) -> Part:
    stated = wheel.filename.split("-")[1]
    brought = (_parts.fresh(machine, step) for step in files.bring(machine, wheel))
    return Part(
        cures=CODES,
        title=f"{wheel.package} {wheel.version} for this torch",
        why=f"{wheel.package}: {why}",
        steps=renamed(_parts.because(tuple(brought), why), wheel.package),
        changes=files.changes(machine, (wheel.package, wheel.version), beside=files.needs(wheel.package)),
        built={wheel.package: stated} if "+" in stated else {},
        cost_bytes=wheel.size_bytes,
        warnings=files.cautions(wheel),
    )


def _without(machine: Machine, package: str, why: str) -> Part:
    return Part(
        cures=CODES,
        title=f"without {package}",
        why=f"{package}: {why}",
        steps=renamed((_parts.uninstall(machine, package, why=why), *one_folder.again(machine, package)), package),
        changes=_parts.gone(machine, package),
    )


def _anew(machine: Machine, package: str, why: str) -> Part:
    """A package of which no list of files is kept: the same version once more."""
    version = public(machine.packages[package].version)
    title = f"install {package} {version} anew: {why}"
    step = steps.install(
        machine, title, steps.again(machine, package), "--no-deps", f"{package}=={version}", step=f"install-{package}"
    )
    return Part(
        cures=CODES,
        title=f"{package} {version} anew",
        why=f"{package}: {why}",
        steps=(_parts.fresh(machine, step),),
        changes=(Change(package, machine.packages[package].version, version),),
    )


MEND = Mend("extensions", 50, CODES, parts)
