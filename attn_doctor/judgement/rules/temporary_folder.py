"""AD210 temporary-folder-full-or-noexec

torch.compile keeps what it compiled in the temporary folder and loads it from there; where that is mounted noexec, it
ends in "failed to map segment from shared object". pip unpacks downloads and builds there too: a torch needs about a
GiB, and a full or read-only folder ends in "No space left on device". TMPDIR names another one;
TORCHINDUCTOR_CACHE_DIR moves torch.compile's cache alone.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.disk import Disk
from attn_doctor.machine.probes.torch import TorchDist

GIB = 1 << 30
ELSEWHERE = "export TMPDIR=$HOME/tmp && mkdir -p $TMPDIR"


def check(machine: Machine, disk: Disk, environment: dict[str, str], torch: TorchDist | None) -> Problem | None:
    place = next((place for place in disk.places if place.purpose == "temporary"), None)
    if place is None or machine.os != "linux":
        return None
    if place.read_only:
        return Problem(f"{place.path} is mounted read-only: installing and compiling need it.", fix=(ELSEWHERE,))
    if place.noexec and torch is not None and "TORCHINDUCTOR_CACHE_DIR" not in environment:
        return Problem(
            f"{place.path} is mounted noexec: torch.compile loads from there what it compiled, and would stop.",
            fix=("export TORCHINDUCTOR_CACHE_DIR=$HOME/.cache/torchinductor",),
            title="torch.compile cannot load from the temporary folder",
        )
    if place.free_bytes < GIB:
        free = f"{place.free_bytes // (1 << 20)} MiB"
        return Problem(
            f"{place.path} has less than 1 GiB free (about {free}): unpacking a torch takes that much.",
            fix=(ELSEWHERE,),
            # with torch there, the wheels still to come are smaller
            severity="warning" if torch is None else "info",
        )
    return None


RULE = Rule("AD210", "temporary-folder-full-or-noexec", "warning", "the temporary folder cannot be used", check)
