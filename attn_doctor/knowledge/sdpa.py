"""Which kernels torch's scaled_dot_product_attention has, and what each refuses."""

import msgspec

from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major_minor, numbers

KERNELS = ("flash", "mem_efficient", "cudnn", "math")
Range = tuple[str, str | None]


class Release(msgspec.Struct, frozen=True):
    """The capabilities each kernel takes, from torch `since` on; None: that torch has no such kernel."""

    since: str
    flash: Range
    mem_efficient: Range
    cudnn: Range | None
    bundled_flash: str
    flex: bool
    source: str


class Limits(msgspec.Struct, frozen=True):
    """What a kernel refuses whatever the GPU."""

    dtypes: tuple[str, ...]
    head_dim_max: int | None
    mask: bool


class CudnnFirst(msgspec.Struct, frozen=True):
    """When the dispatcher tries cuDNN before flash."""

    majors: tuple[int, ...]
    above_cudnn: str
    variable: str
    source: str


class FlashBackward(msgspec.Struct, frozen=True):
    """Head dimensions (both ends included) that the flash kernel refuses backward; `dropout`: only with it."""

    since: str
    capabilities: tuple[str, ...]
    head_dim: tuple[int, int]
    dropout: bool
    source: str
    before: str | None = None


class Table(msgspec.Struct, frozen=True):
    """The table `sdpa`."""

    as_of: str
    cudnn_first: CudnnFirst
    limits: dict[str, Limits]
    flash_backward: tuple[FlashBackward, ...]
    rows: tuple[Release, ...]


def table() -> Table:
    """All of it."""
    return load("sdpa", Table)


def release(torch: str) -> Release | None:
    """The row for a torch version; a torch newer than the table has the newest row, one before 2.0 has no sdpa."""
    version = numbers(major_minor(torch))
    rows = [row for row in table().rows if numbers(row.since) <= version]
    return rows[-1] if rows else None


def refused_backward(torch: str, on: str, head_dim: int, dropout: bool) -> bool:
    """Whether the flash kernel of that torch refuses the backward pass."""
    version = numbers(major_minor(torch))
    return any(
        on in row.capabilities
        and row.head_dim[0] <= head_dim <= row.head_dim[1]
        and (dropout or not row.dropout)
        and numbers(row.since) <= version
        and (row.before is None or version < numbers(row.before))
        for row in table().flash_backward
    )


def within(limits: Range | None, on: str) -> bool:
    """Whether a capability lies in a range, both ends included."""
    if limits is None:
        return False
    lowest, highest = limits
    return capability(lowest) <= capability(on) and (highest is None or capability(on) <= capability(highest))
