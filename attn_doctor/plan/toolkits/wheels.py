"""NVIDIA's compiler as wheels of the package index, in a folder of their own: no root and no conda."""

from __future__ import annotations

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Step
from attn_doctor.plan.toolkits import _way
from attn_doctor.plan.toolkits._way import ToolkitWay


def way(machine: Machine, cuda: str, folder: str) -> ToolkitWay | None:
    row = toolkit_packages.wheels(cuda, machine.arch)
    if row is None:
        return None
    home = f"{folder}/{row.home}"
    env = {"CUDA_HOME": home}
    download_bytes, disk_bytes = row.download_bytes[machine.arch], row.disk_bytes[machine.arch]
    obstacles = _way.no_room(machine, folder, disk_bytes)
    return ToolkitWay(
        name="wheels",
        title=f"CUDA {cuda} compiler from NVIDIA's wheels",
        cuda=cuda,
        home=home,
        steps=(
            _install(machine, cuda, folder, row.packages),
            # nvcc and many a setup.py look in lib64, and -lcudart for a name without a number
            _link("toolkit-lib64", "lib", f"{home}/lib64"),
            _link("toolkit-cudart", row.cudart, f"{home}/lib/libcudart.so"),
        ),
        env=env,
        check=_way.check(machine, home, cuda, env),
        possible=not obstacles,
        download_bytes=download_bytes,
        disk_bytes=disk_bytes,
        why=(
            "no root and no conda; torch's own NVIDIA packages are not touched",
            "compiler, runtime and CCCL headers only: an extension that wants cublas_v2.h or cusparse.h needs more",
        ),
        obstacles=obstacles,
    )


def _install(machine: Machine, cuda: str, folder: str, packages: tuple[str, ...]) -> Step:
    options = ("--target", folder, "--upgrade", "--no-deps", "--only-binary", ":all:")
    return Step(
        id="toolkit",
        title=f"put the CUDA {cuda} compiler into {folder}",
        kind="toolkit",
        command=(*steps.installer(machine), *options, *packages),
        undo=_way.remove(folder),
    )


def _link(step: str, to: str, name: str) -> Step:
    return Step(id=step, title=f"link {name} to {to}", kind="toolkit", command=("ln", "-sfn", to, name))
