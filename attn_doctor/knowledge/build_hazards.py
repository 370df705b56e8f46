"""What breaks a build or a load though every part is there: headers that clash, libraries found before torch's."""

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import numbers, public


class GlibcMath(msgspec.Struct, frozen=True):
    """Functions that glibc declares from one version on, and the CUDA whose headers first agree with it."""

    glibc: str
    cuda_before: str
    functions: tuple[str, ...]
    source: str


class Shadowed(msgspec.Struct, frozen=True):
    """A library of torch's that one in LD_LIBRARY_PATH replaces, up to a wheel of it or up to a torch."""

    library: str
    what: str
    source: str
    wheel_before: str | None = None
    torch_before: str | None = None


class HostGcc(msgspec.Struct, frozen=True):
    """The oldest gcc major for extensions of torch, from one release on."""

    torch: str
    gcc: str
    why: str
    source: str


def host_gcc(torch: str) -> HostGcc | None:
    """The row of that torch; None before the table."""
    listed = rows("host_gcc", HostGcc)
    return next((row for row in listed if numbers(public(torch)) >= numbers(row.torch)), None)


def clashing(glibc: str) -> tuple[GlibcMath, ...]:
    """The rows that this glibc brings into play."""
    return tuple(row for row in rows("glibc_math", GlibcMath) if numbers(glibc) >= numbers(row.glibc))


def shadowed(library: str, wheel: str, torch: str) -> Shadowed | None:
    """The row of a library that LD_LIBRARY_PATH can replace for this torch; None where torch finds its own."""
    for row in rows("shadowed", Shadowed):
        wheel_is_old = row.wheel_before is None or numbers(wheel) < numbers(row.wheel_before)
        torch_is_old = row.torch_before is None or numbers(public(torch)) < numbers(row.torch_before)
        if row.library == library and wheel_is_old and torch_is_old:
            return row
    return None
