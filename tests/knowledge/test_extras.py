"""Which extra a package is installed with, by the CUDA of torch; and the commands that name it."""

from __future__ import annotations

import pytest

from attn_doctor.judgement import commands
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.extras import with_extra
from attn_doctor.machine.whatif import simulate
from attn_doctor.plan import files
from attn_doctor.wheels import catalogue


@pytest.mark.parametrize(
    ("package", "version", "cuda", "wanted"),
    [
        ("flash-attn-4", "4.0.0b36", "13.0", "flash-attn-4[cu13]"),
        ("flash-attn-4", "4.0.0b36", "13.2", "flash-attn-4[cu13]"),
        ("flash-attn-4", "4.0.0b36", "12.8", "flash-attn-4"),
        ("flash-attn-4", "4.0.0b36", None, "flash-attn-4"),
        ("flash-attn-4", "4.0.0b7", "13.0", "flash-attn-4[cu13]"),
        ("flash-attn-4", "4.0.0b5", "13.0", "flash-attn-4"),  # it had none yet
        ("flash-attn-4", None, "13.0", "flash-attn-4[cu13]"),
        ("nvidia-cutlass-dsl", "4.6.2", "13.0", "nvidia-cutlass-dsl[cu13]"),
        ("flash-attn", "2.8.3", "13.0", "flash-attn"),
    ],
)
def test_by_package_release_and_cuda(package: str, version: str | None, cuda: str | None, wanted: str) -> None:
    assert with_extra(package, version, cuda) == wanted


def test_commands_name_it() -> None:
    machine = Machine(simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.9.1+cu130"]))
    command = commands.install(machine, "nvidia-cutlass-dsl>=4.6.2", "quack-kernels>=0.5.3", "flash-attn-4==4.0.0b5")
    assert command == "pip install 'nvidia-cutlass-dsl[cu13]>=4.6.2' 'quack-kernels>=0.5.3' flash-attn-4==4.0.0b5"


def test_after_a_move_the_torch_that_came_counts() -> None:
    """The command that follows the one for torch must neither name the old torch nor ask by its CUDA."""
    machine = Machine(simulate(["gpu=NVIDIA H100 80GB HBM3", "torch=2.9.1+cpu"]))
    wheel = next(one for one in catalogue.wheels("flash-attn-4") if one.version == "4.0.0b36")
    build = next(one for one in torch_builds.builds("linux", "x86_64") if (one.torch, one.cuda) == ("2.9.1", "13.0"))
    assert commands.install_wheel(machine, wheel, build).endswith("'flash-attn-4[cu13]==4.0.0b36' torch==2.9.1")
    assert commands.install_wheel(machine, wheel).endswith("flash-attn-4==4.0.0b36 torch==2.9.1+cpu")
    assert files.bring(machine, wheel, build)[-1].command[-1] == "flash-attn-4[cu13]==4.0.0b36"
    assert files.bring(machine, wheel)[-1].command[-1] == "flash-attn-4==4.0.0b36"
