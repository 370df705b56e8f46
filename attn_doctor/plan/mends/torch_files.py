"""A torch that cannot be imported as it lies there: what is missing comes back, and nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.judgement import commands
from attn_doctor.judgement.rules.torch_library_missing import with_its_libraries
from attn_doctor.judgement.rules.wheel_for_another_python import loads
from attn_doctor.judgement.view import FROM_THE_DRIVER, Machine
from attn_doctor.knowledge.versions import public
from attn_doctor.machine.facts import Known
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import UNREAD_TORCH, Ailing, Mend, Part
from attn_doctor.plan.plan import Change


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    if machine.unknown("torch"):
        yield from _unread(machine)
    elif machine.torch is None:
        return
    elif "AD407" in ailing.findings:
        yield from _libraries(machine)
    elif why := _why(ailing):
        yield from _anew(machine, why)
    elif lacking := _not_there(machine):
        yield from _demands(machine, lacking)


def _why(ailing: Ailing) -> str | None:
    machine = ailing.machine
    package, torch = machine.packages.get("torch"), machine.torch
    if torch and torch.missing:
        return f"torch lacks {', '.join(torch.missing)}"
    if package and machine.python and not loads(package, machine.python):
        return f"torch was made for another Python ({package.tags[0]})"
    error = _error(machine)
    if error and not _not_there(machine):
        return f"torch cannot be imported ({error})"
    return "pip has no record of it" if "AD322" in ailing.findings else None


def _error(machine: Machine) -> str | None:
    deep = machine.facts.readings.get("deep")
    imported = deep.value.get("torch") if isinstance(deep, Known) else None
    error: str | None = imported.error if imported else None
    return error


def _not_there(machine: Machine) -> str | None:
    """A module of another package, which torch demands and which is not there."""
    found = re.search(r"No module named '(\w+)", _error(machine) or "")
    return found[1] if found and found[1] != "torch" else None


def _anew(machine: Machine, why: str) -> Iterator[Part]:
    torch, package = machine.torch, machine.packages.get("torch")
    if torch is None:
        return
    stated = torch.version if torch.location else (package or torch).version
    again = commands.reinstall_torch(machine) or commands.reinstall(machine, "torch", public(stated))
    yield Part(
        cures=("AD320", "AD312", "AD420", "AD311", "AD322"),
        title=f"torch {torch.version} anew",
        why=why,
        steps=(_parts.by_command(machine, again, f"write the files of torch {torch.version} anew: {why}", "torch"),),
        changes=(Change("torch", torch.version, torch.version),),
    )


def _unread(machine: Machine) -> Iterator[Part]:
    """Its version.py says nothing; its record says which it is."""
    package = machine.packages.get("torch")
    build = _parts.torch_by_name(machine, package.version) if package else None
    if package is None or build is None:
        return
    stated = f"{build.torch}+{build.variant}"
    title = f"write the files of torch {stated} anew: they do not say which version they are"
    yield Part(
        cures=(UNREAD_TORCH,),
        title=f"torch {stated} anew",
        why=machine.unknown("torch") or "torch cannot be read",
        steps=(_parts.by_command(machine, _parts.torch_again(machine, build), title, "torch"),),
        changes=(Change("torch", package.version, stated),),
    )


def _libraries(machine: Machine) -> Iterator[Part]:
    """The package that holds the library, at the version that torch demands; else torch with all that belongs to it."""
    torch, libraries = machine.torch, machine.extensions.torch if machine.extensions else None
    lost = [name for name in libraries.missing if not name.startswith(FROM_THE_DRIVER)] if libraries else []
    if torch is None or not lost:
        return  # a variable of the shell puts another library first
    own = {_holder(machine, name) for name in lost}
    why = f"torch finds no {lost[0]}"
    if None not in own:
        yield from _packages(machine, sorted(name for name in own if name), why)
        return
    yield Part(
        cures=("AD407", "AD420"),
        title=f"torch {torch.version} anew, with its libraries",
        why=why,
        steps=(
            _parts.by_command(
                machine, with_its_libraries(machine, torch), f"install torch with its libraries: {why}", "torch"
            ),
        ),
        changes=(Change("torch", torch.version, torch.version),),
    )


def _packages(machine: Machine, names: list[str], why: str) -> Iterator[Part]:
    demanded = (machine.packages["torch"].requires or {}) if "torch" in machine.packages else {}
    wanted = tuple(f"{name}{demanded[name]}" for name in names)
    again = "--reinstall" if steps.uses_uv(machine) else "--force-reinstall"
    step = steps.install(
        machine, f"install {' '.join(wanted)} anew: {why}", again, "--no-deps", *wanted, step="library"
    )
    yield Part(
        cures=("AD407", "AD420"),
        title=", ".join(names),
        why=why,
        steps=(step,),
        changes=tuple(Change(name, _parts.version(machine, name), demanded[name].removeprefix("==")) for name in names),
    )


def _holder(machine: Machine, library: str) -> str | None:
    """'nvidia-cudnn-cu12' for libcudnn.so.9, where torch's own metadata demands exactly one version of it."""
    stem = library.partition(".so")[0].removeprefix("lib").lower()
    part = {"cudart": "cuda-runtime", "cublaslt": "cublas"}.get(stem, stem.partition("_")[0])
    demanded = (machine.packages["torch"].requires or {}) if "torch" in machine.packages else {}
    fitting = [
        name
        for name, wanted in demanded.items()
        if re.fullmatch(rf"nvidia-{part}(-cu\d+)?", name) and wanted[:2] == "=="
    ]
    return fitting[0] if len(fitting) == 1 else None


def _demands(machine: Machine, lacking: str) -> Iterator[Part]:
    torch = machine.torch
    if torch is None:
        return
    pinned, file = steps.pin(machine)
    title = f"install what torch demands and lacks: no module {lacking}"
    own = torch.version if torch.location is None else _parts.version(machine, "torch") or public(torch.version)
    yield Part(
        cures=("AD420",),
        title="what torch demands",
        why=f"torch cannot be imported without {lacking}",
        steps=(pinned, steps.install(machine, title, "--constraint", file, f"torch=={own}", step="demands")),
        readings={"deep": {}},
    )


MEND = Mend("torch_files", 22, ("AD320", "AD322", "AD407", "AD312", "AD420", UNREAD_TORCH), parts)
