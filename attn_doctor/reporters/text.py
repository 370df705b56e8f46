"""Text for people: 80 columns, the answer before the reasons, one next step."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import capability

if TYPE_CHECKING:
    from attn_doctor.judgement.report import BackendVerdict, Finding, Report
    from attn_doctor.machine.probes.gpus import Gpu

WIDTH = 80
GIB = 1 << 30
MARKS = {"ready": "+", "installable": "~", "blocked": "!", "unsupported": "-"}
STYLES = {
    "ready": "green",
    "installable": "cyan",
    "blocked": "yellow",
    "unsupported": "dim",
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
}
Line = Text | str


def render(report: Report, *, verbose: bool, elapsed_s: float | None, plain: bool) -> str:
    """The whole report as one screen."""
    machine = Machine(report.facts)
    buffer = io.StringIO()
    console = Console(file=buffer, width=WIDTH, force_terminal=_colour(plain), highlight=False, emoji=False)
    for line in _lines(report, machine, verbose, elapsed_s):
        # commands are printed whole: a wrapped one cannot be copied
        console.print(line, soft_wrap=True, markup=False)
    return buffer.getvalue()


def _colour(plain: bool) -> bool:
    return not plain and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _lines(report: Report, machine: Machine, verbose: bool, elapsed_s: float | None) -> Iterator[Line]:
    yield _heading(machine, elapsed_s)
    yield ""
    errors = [finding for finding in report.findings if finding.severity == "error"]
    for finding in errors:
        yield from _finding(finding, verbose)
        yield ""
    yield from _machine(machine, verbose)
    yield ""
    for verdict in report.backends:
        yield from _backend(verdict, verbose)
    yield ""
    for finding in report.findings:
        if finding.severity != "error":
            yield from _finding(finding, verbose)
            yield ""
    for reason in report.unreadable:
        yield from _hanging("not read  ", reason, "yellow")
    if report.unreadable:
        yield ""
    if verbose:
        yield from _skipped(report)
    yield from _recommendation(report, errors)


def _heading(machine: Machine, elapsed_s: float | None) -> Text:
    python = machine.python
    if python is None:
        return Text(f"target  {machine.unknown('python') or 'none'}")
    place = _short(python.prefix) if python.prefix else "imagined"
    left = f"target  {place} · Python {python.version}{' free-threaded' if python.free_threaded else ''}"
    if python.own:
        left += " · attn-doctor's own"
    right = f"{elapsed_s:.1f} s" if elapsed_s is not None else ""
    return Text.assemble((left, "bold"), " " * max(1, WIDTH - len(left) - len(right)), (right, "dim")) if right else Text(left, "bold")


def _short(path: str) -> str:
    here = os.getcwd() + os.sep
    home = os.path.expanduser("~") + os.sep
    if path.startswith(here):
        return path.removeprefix(here)
    return "~/" + path.removeprefix(home) if path.startswith(home) else path


def _machine(machine: Machine, verbose: bool) -> Iterator[Line]:
    yield from _gpus(machine)
    yield from _row("driver", _driver(machine))
    yield from _row("torch", _torch(machine))
    yield from _row("toolkit", _toolkit(machine))
    yield from _row("build", _build(machine))
    if verbose:
        yield from _row("system", _system(machine))
        yield from _row("packages", ", ".join(f"{name} {package.version}" for name, package in machine.packages.items()))
        if machine.torch and machine.torch.arch_list:
            yield from _row("code", capability.short(machine.torch.arch_list))
        yield from _row("variables", ", ".join(f"{name}={value}" for name, value in machine.environment.items()))


def _row(label: str, text: str | None) -> Iterator[Line]:
    if text:
        yield from _hanging(f"{label:<9}", text)


def _hanging(label: str, text: str, style: str = "", rest: str = "") -> Iterator[Line]:
    """A label and a paragraph that hangs under its own first word."""
    folded = wrap(text, WIDTH - len(label), break_long_words=False, break_on_hyphens=False) or [""]
    yield Text.assemble((label, style), (folded[0], rest))
    for line in folded[1:]:
        yield Text.assemble(" " * len(label), (line, rest))


def _gpus(machine: Machine) -> Iterator[Line]:
    if why := machine.unknown("gpus"):
        yield from _row("GPU", f"not read: {why}")
    elif not machine.all_gpus:
        yield from _row("GPU", "none")
    kinds: dict[str, list[Gpu]] = {}
    for gpu in machine.all_gpus:
        kinds.setdefault(_gpu(gpu), []).append(gpu)
    for label, gpus in kinds.items():
        count = f"{len(gpus)} x " if len(gpus) > 1 else ""
        hidden = "" if set(gpus) & set(machine.gpus) else " · hidden by CUDA_VISIBLE_DEVICES"
        yield from _row("GPU", f"{count}{label}{hidden}")


def _gpu(gpu: Gpu) -> str:
    parts = [gpu.name]
    if gpu.memory_bytes:
        parts.append(f"{gpu.memory_bytes / GIB:.0f} GiB")
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if gpu.gfx:
        parts.append(gpu.gfx)
    if gpu.mig:
        parts.append(f"MIG: {', '.join(gpu.mig.instances) or 'on, no instance'}")
    if gpu.fault:
        parts.append(gpu.fault)
    return " · ".join(parts)


def _driver(machine: Machine) -> str | None:
    driver = machine.driver
    if driver is None:
        why = machine.unknown("driver")
        if why:
            return f"not read: {why}"
        return "none loaded" if machine.all_gpus and machine.os != "macos" and not _amd(machine) else None
    if driver.fault:
        return f"{driver.version} · {driver.fault}"
    majors = [number for number in ("11", "12", "13") if _runs(machine, number)]
    span = f" · runs every CUDA {_and(majors)} build of torch" if majors else ""
    return f"{driver.version}{span}"


def _amd(machine: Machine) -> bool:
    return all(gpu.vendor != "nvidia" for gpu in machine.all_gpus)


def _runs(machine: Machine, cuda_major: str) -> bool:
    from attn_doctor.judgement.view import driver_runs

    return machine.driver is not None and driver_runs(machine.driver.version, f"{cuda_major}.0", machine.os)


def _and(items: Sequence[str]) -> str:
    return " and ".join((", ".join(items[:-1]), items[-1])) if len(items) > 1 else "".join(items)


def _torch(machine: Machine) -> str:
    torch = machine.torch
    if torch is None:
        why = machine.unknown("torch")
        return f"not read: {why}" if why else "not installed"
    parts = [torch.version]
    if torch.cpu_only and machine.os != "macos":
        parts.append("CPU build")
    elif torch.cuda and "+cu" not in torch.version:
        parts.append(f"CUDA {torch.cuda}")
    elif torch.rocm and "+rocm" not in torch.version:
        parts.append(f"ROCm {torch.rocm}")
    if torch.cuda and machine.capabilities:
        lacking = [gpu for gpu in machine.gpus if machine.lacks_code(gpu)]
        many = len(machine.gpus) > 1
        if lacking:
            parts.append("no code for " + (" and ".join(dict.fromkeys(gpu.name for gpu in lacking)) if many else "this GPU"))
        elif torch.arch_list:
            parts.append("has code for " + ("these GPUs" if many else "this GPU"))
    return " · ".join(parts)


def _toolkit(machine: Machine) -> str | None:
    toolkits = machine.toolkits
    if toolkits is None:
        return None
    taken = toolkits.build
    listed = [f"nvcc {toolkit.version or '?'}" + (f" ({toolkit.root})" if len(toolkits.found) > 1 else "") for toolkit in toolkits.found]
    said = " · ".join(listed)
    if taken is None and toolkits.build_by and len(toolkits.found) == 1:
        return f"{said} · {toolkits.found[0].root}"
    if len(toolkits.found) > 1 and taken:
        return f"{said} · a build takes {taken.version}, by {toolkits.build_by}"
    return said


def _build(machine: Machine) -> str:
    parts = []
    if machine.compiler:
        parts.append(f"{machine.compiler.family} {machine.compiler.version}")
    else:
        parts.append("no C++ compiler")
    ninja = machine.facts.readings.get("ninja")
    parts.append("ninja" if getattr(ninja, "value", None) else "no ninja")
    if machine.memory:
        parts.append(f"{machine.memory.available_bytes / GIB:.1f} GiB free")
    cpu = getattr(machine.facts.readings.get("cpu"), "value", None)
    if cpu:
        parts.append(f"{cpu.cores} core{'s' if cpu.cores != 1 else ''}")
    return " · ".join(parts)


def _system(machine: Machine) -> str:
    system = machine.system
    if system is None:
        return "not read"
    parts = [system.distribution or system.os, system.arch]
    if machine.libc:
        parts.append(f"{machine.libc.family} {machine.libc.version}")
    if system.wsl:
        parts.append("WSL")
    if system.container:
        parts.append(f"container ({system.container})")
    return " · ".join(parts)


def _backend(verdict: BackendVerdict, verbose: bool) -> Iterator[Line]:
    label = f"{MARKS[verdict.status]} {verdict.name:<18} {verdict.status:<12} "
    reasons = verdict.reasons if verbose else verdict.reasons[:1]
    if verdict.status == "ready" and not verbose:
        reasons = verdict.reasons[:1]
    folded = [line for reason in reasons or ("",) for line in wrap(reason, WIDTH - len(label), break_long_words=False) or [""]]
    yield Text.assemble((label, STYLES[verdict.status]), (folded[0], "dim" if verdict.status == "unsupported" else ""))
    for line in folded[1:]:
        yield Text(" " * len(label) + line, "dim" if verdict.status == "unsupported" else "")
    if verbose:
        for kernel in verdict.kernels:
            state = "chosen" if kernel.chosen else "usable" if kernel.usable else "refused"
            yield from _hanging(f"    {kernel.kernel:<15} {state:<8} ", kernel.reason or "", "dim", "dim")


def _finding(finding: Finding, verbose: bool) -> Iterator[Line]:
    severity = f"{finding.severity}, ignored" if finding.ignored else finding.severity
    label = f"{finding.code} {severity:<8} "
    style = STYLES[finding.severity]
    yield Text.assemble((label, style), (finding.title, "bold" if finding.severity == "error" else ""))
    for line in wrap(finding.detail, WIDTH - 15, break_long_words=False):
        yield " " * 15 + line
    if verbose:
        for evidence in finding.evidence:
            yield from _hanging(" " * 15 + "seen: ", evidence, "dim", "dim")
    for number, command in enumerate(finding.fix):
        yield Text.assemble(("  fix          " if number == 0 else "  or           ", "green"), command)


def _skipped(report: Report) -> Iterator[Line]:
    for skipped in report.skipped:
        yield from _hanging(f"{skipped.code} skipped  ", skipped.reason, "dim", "dim")
    if report.skipped:
        yield ""


def _recommendation(report: Report, errors: Sequence[Finding]) -> Iterator[Line]:
    advice = report.recommendation
    if errors:
        counted = f"{len(errors)} error{'s' if len(errors) > 1 else ''}."
        yield Text(f"{counted} {_consequence(report)}", "bold")
        return
    if advice.use_now:
        why = f": {advice.why[0]}" if advice.why and advice.why[0] else ""
        yield from _hanging("", f"Use {advice.use_now}{why}.", "", "bold")
    elif advice.best:
        yield Text("No backend is ready yet.", "bold")
    if advice.next_step:
        label = f"For {advice.best}:" if advice.best != advice.use_now else "Next:"
        yield Text.assemble(label, "  " + advice.next_step)


def _consequence(report: Report) -> str:
    if report.recommendation.use_now:
        return f"Until it is mended: {report.recommendation.use_now}, on the CPU." if _gpu_is_lost(report) else "Mend it first."
    return "Nothing runs on the GPU until it is mended."


def _gpu_is_lost(report: Report) -> bool:
    return Machine(report.facts).device == "cpu"


