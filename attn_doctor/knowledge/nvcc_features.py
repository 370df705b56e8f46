"""What an nvcc must be new enough for: options, headers and types, and the CUDA that first has them."""

import msgspec

from attn_doctor.knowledge.tables import rows


class Feature(msgspec.Struct, frozen=True):
    """One option, header or type, as compilers name it where it is missing."""

    feature: str
    cuda: str
    source: str


def first_cuda(name: str) -> str | None:
    """The CUDA that first has it; None where that is not in the table."""
    listed = rows("nvcc_features", Feature)
    return next((row.cuda for row in listed if row.feature in name or name in row.feature), None)
