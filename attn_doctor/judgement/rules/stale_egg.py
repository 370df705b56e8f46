"""AD318 stale-egg

An older install of a compiled package (flash-attn, SageAttention, xFormers) that is still there beside the newer one:
an egg of `setup.py install`, a link of `setup.py develop`, or a second metadata folder. Where `easy-install.pth` puts
eggs first, the old build is the one imported, whatever pip says it installed; where it does not, the egg waits for the
other to be uninstalled. Of two metadata folders the order of a listing decides which version the package claims, and
transformers goes by that claim. One egg alone, or two records of the same version, is no fault.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement import commands
from attn_doctor.judgement.report import Severity
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import numbers, public
from attn_doctor.machine.probes.leftovers import Leftovers
from attn_doctor.machine.target import normalise

EGGS = (".egg", ".egg-link")


def check(machine: Machine, leftovers: Leftovers) -> Problem | None:
    by_name: dict[str, list[str]] = {}
    for path in leftovers.rivals:
        by_name.setdefault(_name(path), []).append(path)
    eggs = [path for path in leftovers.rivals if path.endswith(EGGS)]
    if eggs and leftovers.eggs_first:
        return _told(machine, by_name, eggs, "Python imports the egg: easy-install.pth puts it first.", None)
    records = {name: [path for path in paths if not path.endswith(EGGS)] for name, paths in by_name.items()}
    stale = [path for paths in records.values() for path in paths if numbers(_version(path)) < max(map(_key, paths))]
    if stale:
        return _told(machine, by_name, stale, "Which version it claims to be depends on the order of a listing.", None)
    if eggs:
        return _told(machine, by_name, eggs, "The egg would be imported if the other were uninstalled.", "info")
    return None


def _told(
    machine: Machine, by_name: dict[str, list[str]], stale: list[str], then: str, severity: Severity | None
) -> Problem:
    involved = [paths for paths in by_name.values() if any(path in stale for path in paths)]
    said = "; ".join(" and ".join(path.rpartition("/")[2] for path in paths) for paths in involved)
    # the record that does not say what the files say is the one to delete
    module = _name(stale[0]).replace("-", "_")
    python = shlex.quote(machine.python.executable) if machine.python and machine.python.executable else "python"
    ask = () if stale[0].endswith(EGGS) else (f'{python} -c "import {module}; print({module}.__version__)"',)
    where = stale[0].rpartition("/")[0]
    return Problem(
        f"{said} in {where} are one package installed twice. {then}",
        fix=(*ask, commands.remove(machine, stale)),
        severity=severity,
    )


def _name(path: str) -> str:
    entry = path.rpartition("/")[2]
    return normalise(entry.rpartition(".")[0].partition("-")[0])


def _version(path: str) -> str:
    """'2.7.0' of flash_attn-2.7.0-py3.11-linux-x86_64.egg and of flash_attn-2.7.0.dist-info."""
    entry = path.rpartition("/")[2]
    return public(entry.rpartition(".")[0].partition("-")[2].partition("-py3")[0])


def _key(path: str) -> tuple[int, ...]:
    return numbers(_version(path))


RULE = Rule("AD318", "stale-egg", "warning", "an older install of a package is still there", check)
