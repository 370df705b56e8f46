"""Compute capability arithmetic: which machine code runs on which GPU.

Source: NVIDIA CUDA C++ Programming Guide, "Binary Compatibility" and "Architecture-Specific Features".
"""

from collections.abc import Iterable


def parse(arch: str) -> tuple[str, int, int, str] | None:
    """('sm', 9, 0, 'a') from 'sm_90a', ('compute', 12, 0, '') from 'compute_120'; None for anything else."""
    kind, _, number = arch.partition("_")
    suffix = number[-1:] if number[-1:] in ("a", "f") else ""
    digits = number.removesuffix(suffix)
    if kind not in ("sm", "compute") or not digits[1:].isdigit() or not digits.isascii() or not digits.isdigit():
        return None
    return kind, int(digits[:-1]), int(digits[-1]), suffix


def capability(text: str) -> tuple[int, int]:
    """(8, 6) from '8.6'."""
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def runs(arch: str, on: str) -> bool:
    """Whether code for `arch` (sm_80, sm_90a, sm_100f, compute_90) runs on a GPU of capability `on` (8.6).

    A cubin runs on the same major and an equal or higher minor; with suffix a on exactly its own; with f within its
    family (same major, equal or higher minor). PTX is compiled by the driver for any equal or higher capability;
    with a suffix it is bound like a cubin.
    """
    parsed = parse(arch)
    if parsed is None:
        return False
    kind, major, minor, suffix = parsed
    gpu = capability(on)
    if suffix == "a":
        return gpu == (major, minor)
    if kind == "compute" and not suffix:
        return gpu >= (major, minor)
    return gpu[0] == major and gpu[1] >= minor


def covers(arches: Iterable[str], on: str) -> bool:
    """Whether any of these architectures runs on that GPU."""
    return any(runs(arch, on) for arch in arches)


def sm(on: str) -> str:
    """'sm_86' for '8.6'."""
    major, minor = capability(on)
    return f"sm_{major}{minor}"


def short(arches: Iterable[str]) -> str:
    """'sm_70 75 80' and '… +PTX 120' for people."""
    listed = list(arches)
    cubins = [arch.removeprefix("sm_") for arch in listed if arch.startswith("sm_")]
    ptx = [arch.removeprefix("compute_") for arch in listed if arch.startswith("compute_")]
    return ("sm_" + " ".join(cubins) if cubins else "no machine code") + (f" +PTX {' '.join(ptx)}" if ptx else "")
