"""The wheel that was built here before, for the very same: nothing is compiled and nothing is fetched for it."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement import built_here, wheel_choice
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import attention
from attn_doctor.machine.probes.built_wheels import BuiltWheel
from attn_doctor.plan import files, one_folder, steps
from attn_doctor.plan.plan import Plan, Step, WheelFile
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way

SOURCE = "built-here"
ESCAPED = {"%": "%25", " ": "%20", "#": "%23", "?": "%3F"}


def plans(case: Case) -> Iterator[Plan]:
    package, series, machine, asked = case.backend.package, case.backend.series, case.machine, case.request.asked
    if package is None or asked.sources or not wheel_choice.torch_serves(machine, None):
        return
    one = built_here.fitting(machine, package, series, asked.version)
    if one is not None:
        yield of_wheel(case, one, attention.source_build(package, series).run_needs)


def of_wheel(case: Case, one: BuiltWheel, run_needs: tuple[str, ...]) -> Plan:
    """Install this very file, once its digest has been looked at."""
    machine = case.machine
    return Plan(
        backend=case.backend.name,
        method="source",
        package=one.package,
        version=one.version,
        title=built_here.described(one),
        why=(f"compiled for torch {one.torch}, CUDA {one.cuda}, {one.python} and {_archs(one)}, as things are here",),
        wheel=WheelFile(
            filename=one.path.rpartition("/")[2],
            url="file://" + "".join(ESCAPED.get(letter, letter) for letter in one.path),
            sha256=one.sha256,
            source=SOURCE,
            trust="upstream",
            evidence="seen",
        ),
        steps=(
            *steps.keep(machine),
            *steps.pip_first(machine),
            *steps.needed(machine, run_needs, "install what it needs"),
            *_bring(machine, one),
            *one_folder.again(machine, one.package),
            steps.verify(machine, case.backend.name, case.request.needs),
        ),
        changes=files.changes(machine, (one.package, one.version), beside=run_needs),
        warnings=tuple(files.advised(one.package, one.version)),
    )


def _bring(machine: Machine, one: BuiltWheel) -> tuple[Step, Step]:
    again = (steps.again(machine, one.package),) if one.package in machine.packages else ()
    title = f"install {one.package} {one.version}, {built_here.described(one)}"
    return (
        files.check(machine, one.path, one.sha256, step="built-here"),
        steps.install(machine, title, *again, "--no-deps", "--no-index", one.path),
    )


def _archs(one: BuiltWheel) -> str:
    return ", ".join(f"sm_{arch}" for arch in one.cuda_archs)


WAY = Way("built_here", 12, "source", plans)
