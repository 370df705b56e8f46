"""An image of some CUDA against the driver that it would run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attn_doctor.judgement.view import driver_runs
from attn_doctor.knowledge import cuda, images
from attn_doctor.knowledge.versions import major_minor, numbers

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine


def image_fault(reference: str, repository: str, needed: str | None, machine: Machine) -> tuple[str, str] | None:
    """The rule that it breaks, and what is said of it."""
    if needed is None or machine.driver is None or not machine.nvidia:
        return None
    have, runtime = machine.driver.version, major_minor(needed)
    if not driver_runs(have, needed, machine.os):
        floor = cuda.driver_floor(needed, machine.os)
        said = f"{reference} is CUDA {runtime}, which needs driver {floor}; here it is {have}."
        return "driver-too-old-for-image", said
    row = images.table().requirement
    offered = machine.driver.cuda or cuda.cuda_of_driver(have, machine.os)
    asks = repository == images.table().repository and numbers(needed) >= numbers(row.since)
    branded = any(row.brand in gpu.name for gpu in machine.nvidia)
    if not (asks and branded and offered and numbers(offered) < numbers(runtime)):
        return None
    said = (
        f"{reference} asks for a driver of CUDA {runtime} ({row.variable}); {have} offers {offered}, and on "
        f"{row.brand} cards the container toolkit refuses to start it. torch's wheels bring their own CUDA: plain "
        "Ubuntu, or an image of an older CUDA, serves as well."
    )
    return "driver-refused-by-image", said
