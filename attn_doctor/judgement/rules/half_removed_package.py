"""AD301 half-removed-package

While pip uninstalls a package it renames its folders (torch to ~orch, flash_attn to ~lash_attn) and deletes them at
the end. One that was interrupted, or could not delete a file that was in use, leaves them: gigabytes on the disk, the
warning "Ignoring invalid distribution ~orch" from then on, and a package that may be incomplete. Only packages with
compiled code are named here; while pip runs at this very moment the folders are no fault.
"""

from __future__ import annotations

from attn_doctor.judgement import commands
from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.tables import rows
from attn_doctor.machine.probes.leftovers import Leftovers
from attn_doctor.machine.probes.packages import WatchedPackage

# what pip puts in place of the first letters (pip/_internal/utils/temp_dir.py, AdjacentTempDirectory)
LEADING = "-~.=%0123456789"


def check(machine: Machine, leftovers: Leftovers) -> Problem | None:
    found = {path: name for path in leftovers.half_removed if (name := original(path.rpartition("/")[2]))}
    if not found:
        return None
    names = ", ".join(path.rpartition("/")[2] for path in found)
    of = ", ".join(dict.fromkeys(found.values()))
    return Problem(
        f"{names} in {next(iter(found)).rpartition('/')[0]}: what is left of {of} where pip was interrupted. "
        "Unless pip is running at this moment, delete it, and reinstall what does not import.",
        fix=(commands.remove(machine, tuple(found)),),
    )


def original(entry: str) -> str | None:
    """'torch' for '~orch' and for '~orch-2.8.0.dist-info'; None where no compiled package was called so."""
    stem = entry.removesuffix(".dist-info").rpartition("-")[0] if entry.endswith(".dist-info") else entry
    rest = stem.lstrip(LEADING)
    same = (name for name in _names() if len(name) == len(stem) and rest and name.endswith(rest))
    return next(same, None)


def _names() -> list[str]:
    watched = rows("packages_watched", WatchedPackage)
    built = [row.name.replace("-", "_") for row in watched if row.built or row.name.startswith("nvidia-")]
    return [*built, "nvidia", "torchgen"]


RULE = Rule("AD301", "half-removed-package", "warning", "a package was removed by half", check)
