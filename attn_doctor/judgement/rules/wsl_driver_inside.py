"""AD112 wsl-driver-inside

In WSL the driver is the one of Windows: its libcuda lies in /usr/lib/wsl/lib and must stay the only one. A Linux driver
that was installed inside (by cuda, cuda-drivers or nvidia-driver-*; cuda-toolkit-* is the right package) brings another
libcuda, which cannot reach the GPU: CUDA then finds no device, although nvidia-smi lists it.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.system import System


def check(system: System) -> Problem | None:
    path = system.linux_libcuda
    if path is None or not system.wsl or system.container:
        return None
    name = (system.distribution or "").lower()
    debian = "debian" in name or "ubuntu" in name
    remove = f"sudo apt remove $(dpkg-query --search {shlex.quote(path)} | cut -d: -f1)"
    return Problem(
        f"{path} belongs to a Linux driver, which has no use in WSL; found before /usr/lib/wsl/lib it hides the GPU.",
        fix=(remove, "sudo ldconfig") if debian else ("export LD_LIBRARY_PATH=/usr/lib/wsl/lib:$LD_LIBRARY_PATH",),
    )


RULE = Rule(
    "AD112", "wsl-driver-inside", "warning", "a Linux driver is installed inside WSL", check, confidence="likely"
)
