"""The three ways to ask about NVIDIA hardware, in order: NVML in a child process, nvidia-smi, /proc and sysfs.

NVML runs in a child because driver start-up can take seconds, hang, or crash; the child starts before every other
probe and is waited for last.
"""

from __future__ import annotations

import os
import sys

import msgspec

from attn_doctor.knowledge.versions import digits
from attn_doctor.machine.host import CannotLook, Completed, Host, join, run, which
from attn_doctor.machine.probe import timeout_s
from attn_doctor.machine.target import Target, import_path

MARKER = "ATTN_DOCTOR_NVML "
SMI_FIELDS = "name,compute_cap,memory.total,driver_version"
PCI_DEVICES = "/sys/bus/pci/devices"
WSL_LIBRARIES = "/usr/lib/wsl/lib"
LOADER_CACHE = "/etc/ld.so.cache"
# where the loader looks besides its cache and LD_LIBRARY_PATH, and where drivers are mounted into containers
LIBRARY_FOLDERS = (
    "/lib64",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib",
    WSL_LIBRARIES,
    "/usr/local/nvidia/lib64",
    "/run/opengl-driver/lib",
)
LIBRARY = "libnvidia-ml.so.1"


class NvmlError(msgspec.Struct, frozen=True):
    """What NVML answered in place of data."""

    code: int
    name: str
    text: str


class MigInstance(msgspec.Struct, frozen=True):
    """A partition of a GPU."""

    name: str | None = None
    memory_bytes: int | None = None


class MigState(msgspec.Struct, frozen=True):
    """Whether the GPU is partitioned, and into what."""

    enabled: bool
    devices: tuple[MigInstance, ...] = ()


class NvmlDevice(msgspec.Struct, frozen=True):
    """One GPU as NVML describes it."""

    index: int
    name: str | None = None
    compute_capability: str | None = None
    memory_bytes: int | None = None
    pci_device_id: str | None = None
    mig: MigState | None = None
    errors: tuple[str, ...] = ()


class LostDevice(msgspec.Struct, frozen=True):
    """A GPU that is counted but does not answer."""

    index: int
    error: str


class Nvml(msgspec.Struct, frozen=True):
    """The child's answer."""

    library: bool = False
    error: NvmlError | None = None
    driver: str | None = None
    nvml: str | None = None
    cuda: str | None = None
    devices: tuple[NvmlDevice, ...] = ()
    lost: tuple[LostDevice, ...] = ()


def present(host: Host) -> bool:
    """Whether anything of an NVIDIA driver is here; False saves the child process."""
    if host.system()[0] == "windows":
        return True
    if host.system()[0] != "linux":
        return False
    if host.is_dir("/proc/driver/nvidia") or which(host, "nvidia-smi"):
        return True
    folders = [*(host.env("LD_LIBRARY_PATH") or "").split(":"), *LIBRARY_FOLDERS]
    if any(folder and host.is_file(join(folder, LIBRARY)) for folder in folders):
        return True
    try:
        return (host.open_binary(LOADER_CACHE) or b"").find(LIBRARY.encode()) >= 0
    except CannotLook:
        return False


def begin(host: Host, _target: Target) -> None:
    """Start the NVML child, where there can be an NVML."""
    pynvml = next((entry for entry in import_path() if os.path.isfile(os.path.join(entry, "pynvml.py"))), None)
    if pynvml and present(host):
        script = os.path.join(os.path.dirname(os.path.dirname(__file__)), "children", "nvml.py")
        host.start("nvml", [sys.executable, "-I", "-S", script, pynvml])


def parse_nvml(text: str) -> Nvml | None:
    """The JSON behind the marker in what the child printed."""
    line = next((line for line in text.splitlines() if line.startswith(MARKER)), None)
    try:
        return msgspec.json.decode(line.removeprefix(MARKER), type=Nvml) if line else None
    except msgspec.DecodeError:
        return None


class Hung(msgspec.Struct, frozen=True):
    """The driver gave no answer in time: whoever asks it next waits as well."""

    reason: str


def ask_nvml(host: Host) -> Nvml | Hung | str | None:
    """NVML's answer; a sentence where it gave none; None where nothing of NVIDIA is installed."""
    if not present(host):
        return None
    try:
        answer = host.finish("nvml", timeout_s(host))
    except KeyError:
        return "nvidia-ml-py is not installed beside attn-doctor"
    if not isinstance(answer, Completed):
        said = f"NVML: {answer.reason}"
        return Hung(said) if answer.timed_out else said
    found = parse_nvml(answer.stdout)
    if found is None and answer.returncode < 0:
        return f"NVML crashed (signal {-answer.returncode})"
    return found or f"NVML: not understood: {(answer.stdout or answer.stderr)[:120]!r}"


NO_DRIVER = ("NVML_ERROR_DRIVER_NOT_LOADED", "NVML_ERROR_LIBRARY_NOT_FOUND")


def refusal(answer: Nvml) -> str | None:
    """NVML's words where it failed for another reason than that there is no driver: then one may be there."""
    return f"NVML: {answer.error.text}" if answer.error and answer.error.name not in NO_DRIVER else None


NO_DEVICES = "No devices were found"


class SmiGpu(msgspec.Struct, frozen=True):
    """One line of nvidia-smi."""

    name: str
    compute_capability: str | None
    memory_bytes: int | None
    driver: str | None


def parse_smi(text: str) -> list[SmiGpu]:
    """The lines of `nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader,nounits`.

    Memory comes in MiB. A line that is not of that form (an error message, a banner) gives nothing.
    """
    found = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        match fields:
            case [name, capability, mebibytes, driver] if name and driver[:1].isdigit():
                known = capability if capability.replace(".", "").isdigit() else None
                found.append(SmiGpu(name, known, int(mebibytes) << 20 if digits(mebibytes) else None, driver))
    return found


def ask_smi(host: Host) -> list[SmiGpu] | str:
    """The GPUs that nvidia-smi lists; empty where it is missing or fails; a sentence where it gives no answer."""
    wsl = join(WSL_LIBRARIES, "nvidia-smi")
    path = which(host, "nvidia-smi") or (wsl if host.is_executable(wsl) else None)
    if path is None:
        return []
    command = [path, f"--query-gpu={SMI_FIELDS}", "--format=csv,noheader,nounits"]
    answer = run(host, command, timeout_s(host))
    if not isinstance(answer, Completed):
        return f"nvidia-smi: {answer.reason}"
    listed = parse_smi(answer.stdout) if answer.returncode == 0 else []
    if answer.returncode == 0 and not listed and answer.stdout.strip() not in ("", NO_DEVICES):
        return f"nvidia-smi: not understood: {answer.stdout[:120]!r}"
    return listed


class PciGpu(msgspec.Struct, frozen=True):
    """A display or 3D controller on the PCI bus."""

    vendor: str
    device: str


VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x8086": "intel"}


def pci_gpus(host: Host) -> list[PciGpu]:
    """Cards on the bus, whether or not a driver speaks for them. PCI class 0x03 is a display controller."""
    found = []
    for slot in host.list_dir(PCI_DEVICES):
        folder = join(PCI_DEVICES, slot)
        if not (host.read_text(join(folder, "class")) or "").startswith("0x03"):
            continue
        vendor = VENDORS.get((host.read_text(join(folder, "vendor")) or "").strip())
        if vendor:
            device = (host.read_text(join(folder, "device")) or "").strip().removeprefix("0x")
            found.append(PciGpu(vendor, device))
    return found
