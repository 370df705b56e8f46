"""AD106 driver-does-not-answer

The kernel driver is loaded, and its own library cannot talk to it. Most often the driver packages were upgraded while
the old kernel module stayed loaded ("Driver/library version mismatch"): a restart loads the new module. In a container
the library that was mounted in does not belong to the host's driver: recreate the container.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.machine.probes.driver import Driver
from attn_doctor.machine.probes.system import System


def check(system: System, driver: Driver) -> Problem | None:
    if driver.fault is None:
        return None
    wanted = "recreate the container" if system.container else "restart the machine"
    fix = () if system.container else ("sudo reboot",)
    return Problem(
        f"driver {driver.version} is loaded, and NVML says: {driver.fault}. To load matching parts, {wanted}.", fix
    )


RULE = Rule("AD106", "driver-does-not-answer", "error", "the driver does not answer", check)
