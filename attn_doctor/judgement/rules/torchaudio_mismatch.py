"""AD304 torchaudio-mismatch

Each torchaudio up to 2.10 is compiled against one torch release and demands exactly that one in its metadata; 2.11
uses torch's stable ABI and demands none. Beside another torch its library does not load: an undefined symbol, or
"Could not load this library".

Its CUDA version must be torch's to the minor: a torchaudio of cu126 beside a torch of cu128 refuses to be imported
("compiled with different CUDA versions").

It comes from an upgrade that moved torch alone. Install the pair together, from one index.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.judgement.rules._demands import companion
from attn_doctor.judgement.view import Machine
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.torch import TorchDist


def check(machine: Machine, packages: dict[str, Package], torch: TorchDist) -> Problem | None:
    package = packages.get("torchaudio")
    if package is None:
        return None
    return companion(machine, "torchaudio", package, torch, "Its library does not load beside another torch.")


RULE = Rule("AD304", "torchaudio-mismatch", "error", "torchaudio is for another torch", check)
