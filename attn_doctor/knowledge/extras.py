"""Extras that a package should be installed with, by the CUDA of torch."""

import msgspec

from attn_doctor.knowledge.requirements import satisfies
from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major


class Extra(msgspec.Struct, frozen=True):
    """One extra of a package, from release `since` on."""

    package: str
    extra: str
    cuda_major: int
    since: str
    source: str


class _Extras(msgspec.Struct, frozen=True):
    as_of: str
    notes: tuple[str, ...]
    rows: tuple[Extra, ...]


def with_extra(package: str, version: str | None, cuda: str | None) -> str:
    """'flash-attn-4[cu13]' beside a torch of CUDA 13, else the plain name. `version`: None is the newest."""
    for row in load("extras", _Extras).rows:
        fits = cuda is not None and row.package == package and row.cuda_major == major(cuda)
        if fits and (version is None or satisfies(version, f">={row.since}")):
            return f"{package}[{row.extra}]"
    return package
