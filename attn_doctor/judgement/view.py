"""The machine as the judges see it: facts with their absences, and what follows from them for every judge alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast

from attn_doctor.knowledge import capability
from attn_doctor.knowledge.versions import digits, numbers
from attn_doctor.machine.facts import Known, Unknown

if TYPE_CHECKING:
    from attn_doctor.judgement.allowed import Allowed
    from attn_doctor.machine.gather import Facts
    from attn_doctor.machine.probes.built_wheels import BuiltWheel
    from attn_doctor.machine.probes.compiler import Compiler
    from attn_doctor.machine.probes.disk import Place
    from attn_doctor.machine.probes.driver import Driver
    from attn_doctor.machine.probes.extensions import Extensions
    from attn_doctor.machine.probes.gpus import Gpu
    from attn_doctor.machine.probes.libc import Libc
    from attn_doctor.machine.probes.measured import Measured
    from attn_doctor.machine.probes.memory import Memory
    from attn_doctor.machine.probes.packages import Package
    from attn_doctor.machine.probes.python import Python
    from attn_doctor.machine.probes.system import System
    from attn_doctor.machine.probes.toolkits import Toolkits
    from attn_doctor.machine.probes.torch import TorchDist

T = TypeVar("T")
# libraries that come with the driver: another finding speaks of them
FROM_THE_DRIVER = ("libcuda.so", "libnvidia-")
Device = Literal["cuda", "rocm", "mps", "cpu"]


class Machine:
    """A view of facts. A property is None both for what is absent and for what could not be read: see `unknown`.

    `allowed`: whose wheels may be installed in the target; None where nobody says.
    """

    def __init__(self, facts: Facts, allowed: Allowed | None = None) -> None:
        self.facts = facts
        self.allowed = allowed
        self._memory: dict[str, object] = {}

    def _value(self, name: str) -> Any:
        reading = self.facts.readings.get(name)
        return reading.value if isinstance(reading, Known) else None

    def turned_into(self, facts: Facts) -> Machine:
        """The machine as these facts describe it; what may be installed stays the same."""
        return Machine(facts, self.allowed)

    def remembered(self, name: str, work_out: Callable[[], T]) -> T:
        """What several judges ask for alike, worked out once for this machine."""
        if name not in self._memory:
            self._memory[name] = work_out()
        return cast("T", self._memory[name])

    def unknown(self, name: str) -> str | None:
        """Why that reading is not known; None where it is known or absent."""
        reading = self.facts.readings.get(name)
        return reading.reason if isinstance(reading, Unknown) else None

    @cached_property
    def system(self) -> System | None:
        return self._value("system")  # type: ignore[no-any-return]

    @cached_property
    def os(self) -> str:
        return self.system.os if self.system else "linux"

    @cached_property
    def arch(self) -> str:
        return self.system.arch if self.system else "x86_64"

    @cached_property
    def libc(self) -> Libc | None:
        return self._value("libc")  # type: ignore[no-any-return]

    @cached_property
    def python(self) -> Python | None:
        return self._value("python")  # type: ignore[no-any-return]

    @cached_property
    def torch(self) -> TorchDist | None:
        return self._value("torch")  # type: ignore[no-any-return]

    @cached_property
    def driver(self) -> Driver | None:
        return self._value("driver")  # type: ignore[no-any-return]

    @cached_property
    def measured(self) -> Measured | None:
        return self._value("measured")  # type: ignore[no-any-return]

    @cached_property
    def memory(self) -> Memory | None:
        return self._value("memory")  # type: ignore[no-any-return]

    @cached_property
    def compiler(self) -> Compiler | None:
        return self._value("compiler")  # type: ignore[no-any-return]

    @cached_property
    def toolkits(self) -> Toolkits | None:
        return self._value("toolkits")  # type: ignore[no-any-return]

    @cached_property
    def packages(self) -> dict[str, Package]:
        return self._value("packages") or {}

    @cached_property
    def built_wheels(self) -> tuple[BuiltWheel, ...]:
        """Wheels that attn-doctor built here and kept."""
        return self._value("built_wheels") or ()

    @cached_property
    def extensions(self) -> Extensions | None:
        return self._value("extensions")  # type: ignore[no-any-return]

    @cached_property
    def disk(self) -> tuple[Place, ...]:
        """The places that an installation writes to."""
        found = self._value("disk")
        return found.places if found else ()

    @cached_property
    def mounts(self) -> tuple[str, ...]:
        """Folders of the target that are file systems of their own."""
        found = self._value("disk")
        return found.mounts if found else ()

    @cached_property
    def cores(self) -> int:
        """Usable ones; 1 where that could not be read."""
        found = self._value("cpu")
        return found.cores if found else 1

    @cached_property
    def tools(self) -> dict[str, str]:
        """Installers and container runtimes, by name."""
        found = self._value("tools")
        return found.found if found else {}

    @cached_property
    def has_ninja(self) -> bool:
        """Whether a build in the target would find one."""
        return self._value("ninja") is not None

    @cached_property
    def environment(self) -> dict[str, str]:
        return self._value("environment") or {}

    @cached_property
    def all_gpus(self) -> tuple[Gpu, ...]:
        return self._value("gpus") or ()

    @cached_property
    def gpus(self) -> tuple[Gpu, ...]:
        """The GPUs that a process started here would see."""
        return visible(self.all_gpus, self.environment.get("CUDA_VISIBLE_DEVICES"))

    @cached_property
    def nvidia(self) -> tuple[Gpu, ...]:
        return tuple(gpu for gpu in self.gpus if gpu.vendor == "nvidia")

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """The compute capabilities of the visible NVIDIA GPUs, each once, lowest first."""
        stated = {gpu.compute_capability for gpu in self.nvidia if gpu.compute_capability}
        return tuple(sorted(stated, key=capability.capability))

    @cached_property
    def torch_fault(self) -> str | None:
        """Why the installed torch certainly cannot be imported; None where nothing says so."""
        if self.torch is None:
            return None
        if self.torch.missing:
            return f"torch lacks {self.torch.missing[0]}"
        libraries = self.extensions.torch if self.extensions else None
        lost = [name for name in libraries.missing if not name.startswith(FROM_THE_DRIVER)] if libraries else []
        if lost:
            return f"torch finds no {lost[0]}"
        if libraries and libraries.foreign:
            return f"torch gets another {libraries.foreign[0].name} than its own"
        imported = (self._value("deep") or {}).get("torch")
        return "torch cannot be imported" if imported and imported.error else None

    @cached_property
    def driver_serves(self) -> bool:
        """Whether the loaded driver runs torch's CUDA; True where nothing says otherwise."""
        return bool(
            self.driver
            and self.torch
            and self.torch.cuda
            and driver_runs(self.driver.version, self.torch.cuda, self.os)
        )

    @cached_property
    def device(self) -> Device:
        """The device that torch picks by itself (torch.cuda.is_available and its like)."""
        torch = self.torch
        if torch and torch.cuda and self.nvidia and self.driver and not self.driver.fault and self.driver_serves:
            return "cuda"
        if torch and torch.rocm and any(gpu.vendor == "amd" for gpu in self.gpus):
            return "rocm"
        if self.os == "macos" and any(gpu.vendor == "apple" for gpu in self.gpus):
            return "mps"
        return "cpu"

    def lacks_code(self, gpu: Gpu) -> bool:
        """Whether the installed torch certainly has no code for that GPU."""
        torch = self.torch
        if not torch or not torch.cuda or gpu.vendor != "nvidia" or not gpu.compute_capability:
            return False
        if torch.arch_list is not None:
            return not capability.covers(torch.arch_list, gpu.compute_capability)
        from attn_doctor.knowledge import cuda

        # an unknown build still cannot hold code that its nvcc could not make
        possible = cuda.nvcc_archs(torch.cuda)
        return possible is not None and too_old_for(possible, gpu.compute_capability)


def too_old_for(possible: tuple[str, ...], on: str) -> bool:
    """Whether a GPU is older than anything a toolkit can target; for a newer one PTX may help."""
    targets = [parsed[1:3] for arch in possible if (parsed := capability.parse(arch))]
    return bool(targets) and capability.capability(on) < min(targets)


def driver_runs(driver: str, runtime: str, os: str) -> bool:
    """Whether a driver runs a CUDA runtime: by the floor of its major (minor-version compatibility).

    True where the floor is not established: silence beats a wrong no.
    """
    from attn_doctor.knowledge import cuda  # a machine without a GPU does without

    floor = cuda.driver_floor(runtime, os)
    return floor is None or numbers(driver) >= numbers(floor)


def visible(gpus: tuple[Gpu, ...], variable: str | None) -> tuple[Gpu, ...]:
    """What CUDA_VISIBLE_DEVICES leaves of the GPUs: indices up to the first invalid one; names are not resolved."""
    if variable is None:
        return gpus
    kept: list[Gpu] = []
    for item in variable.split(","):
        text = item.strip()
        if text.lower().startswith(("gpu-", "mig-")):
            return gpus  # identifiers are private and not recorded: which of the GPUs they mean is not known here
        if not digits(text) or int(text) >= len(gpus):
            break
        if gpus[int(text)] in kept:
            return ()  # a GPU named twice: CUDA shows none at all
        kept.append(gpus[int(text)])
    return tuple(kept)
