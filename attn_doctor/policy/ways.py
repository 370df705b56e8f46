"""What to do about a GPU of the list that the project would not run on: a command, or what to change in the policy."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from attn_doctor.judgement.report import Elsewhere, Report
from attn_doctor.policy.call import Settings

NO_TORCH = "AD105"


def out(
    one: Elsewhere, there: Report, gpu: Sequence[str], locked: Sequence[str] | None, settings: Settings
) -> tuple[str, ...]:
    """`there`: the report on that GPU. `gpu`, `locked`: the keys of `simulate` for it, and for what the lock holds.

    A backend that can be brought there has a plan, whose -v has the lines for the project's own files; what cannot run
    there whatever is installed leaves the policy to change; an error has its own fix. Where a lock holds the packages,
    that fix is shown in the report on such a machine: it is the lock that has to change.
    """
    if locked is None and one.driver and not any(key.startswith("driver=") for key in gpu):
        gpu = (*gpu, f"driver={one.driver}")  # a machine without a GPU has none
    lacking = [verdict for verdict in there.backends if there.required.get(verdict.name) is False]
    bring = next((verdict.name for verdict in lacking if verdict.status == "installable"), None)
    if one.torch is not None and bring is not None:
        return (_asked(f"install {bring} --dry-run -v", gpu, locked, settings),)
    if one.torch is not None and lacking:
        return f"# {one.origin}: take {one.gpu} off gpus", f"# {_instead(one, lacking[0].name)}"
    codes = one.findings if one.torch is not None else (NO_TORCH,)
    fix = [command for finding in there.findings if finding.code in codes for command in finding.fix[:1]]
    if fix and locked is None:
        return tuple(dict.fromkeys(fix))
    return (_asked("check --no-policy", gpu, locked, settings),)


def _instead(one: Elsewhere, backend: str) -> str:
    if one.use_now is None or one.use_now in one.required:
        return f"take {backend} off require"
    return f"require {one.use_now} in place of {backend}"


def _asked(command: str, gpu: Sequence[str], locked: Sequence[str] | None, settings: Settings) -> str:
    """That command about the GPU: on an imagined machine with what the lock holds, or on the target with that GPU."""
    needs = " ".join(f"--need {shlex.quote(one.value)}" for one in settings.told if one.origin == "--need")
    if locked is not None:
        keys = " ".join(shlex.quote(key) for key in (*locked, *gpu))
        begins, given = f"attn-doctor simulate {keys} | ", ["--facts -"]
    else:
        begins, given = "", [*_target(settings, command), *(f"--what-if {shlex.quote(key)}" for key in gpu)]
    return begins + " ".join(part for part in (f"attn-doctor {command}", needs, *given) if part)


def _target(settings: Settings, command: str) -> Iterator[str]:
    """What the call named; what the policy names is known to whoever reads the policy."""
    named = {"target.python": settings.python, "target.venv": settings.venv, "target.facts": None}
    for told in settings.told:
        if told.key in named and (told.origin.startswith("--") or "--no-policy" in command):
            yield f"--{told.key.removeprefix('target.')} {shlex.quote(named[told.key] or told.value)}"
