"""What each attention backend demands and offers, and what its source build takes."""

import msgspec

from attn_doctor.knowledge.tables import rows
from attn_doctor.knowledge.versions import numbers


class Exclusion(msgspec.Struct, frozen=True):
    """A combination of needs that a backend refuses, on some GPUs or on all."""

    reason: str
    features: tuple[str, ...] = ()
    dtype: str | None = None
    head_dim: tuple[int, int] | None = None  # both ends included
    majors: tuple[int, ...] = ()
    only_on: tuple[str, ...] = ()  # compute capabilities
    not_on: tuple[str, ...] = ()


class Demands(msgspec.Struct, frozen=True):
    """One backend. `features`: True, False, or the release that brought it; an unlisted one is not judged."""

    backend: str
    dtypes: dict[str, str]
    features: dict[str, bool | str]
    source: str
    min_capability: str | None = None
    max_capability_major: int | None = None
    head_dim_max: int | None = None
    min_capability_of_series: dict[str, str] = msgspec.field(default_factory=dict)  # by the major of its version
    exclusions: tuple[Exclusion, ...] = ()
    first_torch: str | None = None
    first_torch_cpu: str | None = None
    pythons: tuple[str, ...] = ()  # for which its compiled needs exist; empty: any
    note: str | None = None


class Crowd(msgspec.Struct, frozen=True):
    """From so many compilers at once on: what they take together is base_gib and `gib` for each beyond `base`."""

    compilers: int
    base: int
    base_gib: float
    gib: float


class Unit(msgspec.Struct, frozen=True):
    """Source files of one kind, and the CPU seconds of each for one architecture."""

    name: str
    files: int
    cpu_s: float


class SourceBuild(msgspec.Struct, frozen=True, kw_only=True):
    """What compiling a package takes. Memory in GiB, of one device compiler at its worst file where not said."""

    package: str
    series: str
    version: str
    archives: tuple[str, ...]  # the releases that the row speaks of, newest first
    min_nvcc: str
    min_nvcc_by_major: dict[str, str]  # by the major of the GPU's compute capability
    first_with_code_for: dict[str, str]  # likewise: the first release that compiles for it
    majors: tuple[int, ...]  # for which the build makes code
    archs: dict[str, str]  # likewise by major: what names it in FLASH_ATTN_CUDA_ARCHS
    default_archs: tuple[str, ...]
    default_threads: int
    upstream_gib_per_job: float  # min(cores / 2, free GiB / this) is what setup.py takes for MAX_JOBS
    process_peak_gib: float
    reserve_gib: float
    reserve_share: float  # of what is free
    crowd: tuple[Crowd, ...]
    units: tuple[Unit, ...]
    shared_s: float
    tail_s: float
    speed: tuple[float, float]
    spread: float
    object_mib: float
    max_torch_excluded: str
    why_max: str
    build_needs: tuple[str, ...]
    run_needs: tuple[str, ...]
    source: str


class CodeFloor(msgspec.Struct, frozen=True):
    """The lowest capability a package's wheels carry code for, from a version on."""

    since: str
    min_capability: str
    source: str


def demands(backend: str) -> Demands:
    """The row of that backend."""
    return next(row for row in rows("attention", Demands) if row.backend == backend)


def source_build(package: str, series: str) -> SourceBuild:
    """The newest release that can be compiled."""
    listed = rows("source_builds", SourceBuild)
    return next(row for row in listed if row.package == package and row.series == series)


def xformers_floor(version: str) -> CodeFloor:
    """The lowest capability that version's wheels serve."""
    floors = rows("xformers_code", CodeFloor)
    return next(row for row in floors if numbers(version) >= numbers(row.since))
