"""A first policy drawn up from a report: what is here today is what the project demands."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import msgspec

from attn_doctor.errors import BadInput, UsageError
from attn_doctor.judgement.report import Report
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major, major_minor, public
from attn_doctor.policy import find, judge, lock, settings
from attn_doctor.policy.call import Call
from attn_doctor.policy.draft import Draft, text
from attn_doctor.policy.read import read

# packages whose version a project relies on, where they are installed
RELIED_ON = ("flash-attn", "flash-attn-3", "flash-attn-4", "sageattention", "transformers", "xformers")


def drawn_up(report: Report, need: Sequence[str], folder: str, target: tuple[str, str] | None = None) -> Draft:
    """What holds here today: the recommended backend, the GPUs, the versions as minima."""
    use_now = report.recommendation.use_now
    machine = Machine(report.facts)
    first = Draft(
        require=(use_now,) if use_now else (),
        ready=tuple(one.name for one in report.backends if one.status == "ready"),
        need=tuple(need),
        gpus=tuple(dict.fromkeys(gpu.name for gpu in machine.gpus if _is_listable(gpu.name))),
        versions=dict(_versions(machine)),
        target=_inside(folder, target),
    )
    first = msgspec.structs.replace(first, gpus=_met(first, report, folder))
    here = next((name for name in (*lock.LOCKS[:3],) if os.path.isfile(os.path.join(folder, name))), None)
    if here is None or not first.gpus:
        return msgspec.structs.replace(first, beside=here)
    locked = msgspec.structs.replace(first, lock=here)
    return locked if _met(locked, report, folder) == first.gpus else msgspec.structs.replace(first, beside=here)


def _inside(folder: str, target: tuple[str, str] | None) -> tuple[str, str] | None:
    """A target that was named, by its path in the project; one elsewhere is nothing to the project's other machines."""
    if target is None:
        return None
    try:
        path = os.path.relpath(os.path.abspath(os.path.expanduser(target[1])), folder)
    except ValueError:  # another drive
        return None
    return None if path.startswith(os.pardir) else (target[0], path.replace(os.sep, "/"))


def _is_listable(name: str) -> bool:
    """Whether it can be imagined by its name alone, and is no GPU that torch has without a package of its own."""
    from attn_doctor.machine import whatif

    try:
        whatif.simulate([f"gpu={name}"])
    except UsageError:
        return False
    return not name.startswith("Apple")


def _versions(machine: Machine) -> Iterator[tuple[str, str]]:
    if machine.torch:
        yield "torch", _at_least(machine.torch.version, major_minor(machine.torch.version))
    if machine.driver and major(machine.driver.version):
        yield "driver", f">={major(machine.driver.version)}"
    for name in RELIED_ON:
        if name in machine.packages:
            version = machine.packages[name].version
            yield name, _at_least(version, major_minor(version))


def _at_least(version: str, short: str) -> str:
    """'>=2.8'; the whole version where that would not hold: a pre-release comes before its release."""
    wanted = f">={short}"
    return wanted if judge.allowed(wanted, version) else f">={public(version)}"


def _met(one: Draft, report: Report, folder: str) -> tuple[str, ...]:
    """The GPUs of the draft on which it would be kept."""
    try:
        found = find.Found(
            os.path.join(folder, find.OWN_FILE), find.OWN_FILE, text(one, own_file=True).encode(), in_pyproject=False
        )
        policy = read(found)
        if policy is None or not one.gpus:
            return ()
        judged = judge.held_to(report, settings.merge(Call(), policy)).policy
    except BadInput:  # a lock that cannot be read
        return ()
    met = {gpu.gpu for gpu in judged.gpus if gpu.met} if judged else set()
    return tuple(name for name in one.gpus if name in met)
