"""The compiler from a conda channel, in an environment of its own that is never activated."""

from __future__ import annotations

from attn_doctor.judgement.toolkit_choice import CONDA
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.knowledge.toolkit_packages import Conda
from attn_doctor.plan.plan import Step
from attn_doctor.plan.toolkits import _way
from attn_doctor.plan.toolkits._way import ToolkitWay

PIXI_PREFIX = ".pixi/envs/default"


def way(machine: Machine, cuda: str, folder: str) -> ToolkitWay | None:
    row = toolkit_packages.conda(cuda, machine.arch)
    if row is None:
        return None
    found = next((name for name in CONDA if name in machine.tools), None)
    tool = found or "conda"
    home = f"{folder}/{PIXI_PREFIX}" if tool == "pixi" else folder
    packages = tuple(package.format(cuda=cuda) for package in row.packages)
    env = _env(row, home, machine.arch)
    obstacles = (
        *(() if found else ("neither conda, mamba nor pixi was found on PATH",)),
        *_way.no_room(machine, folder, None),
    )
    return ToolkitWay(
        name="conda",
        title=f"CUDA {cuda} compiler from {row.channel} with {tool}",
        cuda=cuda,
        home=home,
        steps=_pixi(cuda, folder, row, packages) if tool == "pixi" else (_create(tool, cuda, folder, row, packages),),
        env=env,
        check=_way.check(machine, home, cuda, env),
        possible=not obstacles,
        why=(
            "no root; an environment of its own, so that no other one changes, and the host's gcc compiles",
            *_way.no_wheels(cuda),
        ),
        obstacles=obstacles,
    )


def _env(row: Conda, home: str, arch: str) -> dict[str, str]:
    """The host compiler is told where headers and libraries lie, which nvcc alone knows in a conda environment."""
    found = {"CUDA_HOME": home, "LIBRARY_PATH": f"{home}/lib"}
    if headers := row.headers.get(arch):
        found["CPATH"] = f"{home}/{headers}"
    return dict(sorted(found.items()))


def _create(tool: str, cuda: str, folder: str, row: Conda, packages: tuple[str, ...]) -> Step:
    where = ("--prefix", folder, "--override-channels", "--channel", row.channel)
    return Step(
        id="toolkit",
        title=f"make an environment with the CUDA {cuda} compiler in {folder}",
        kind="toolkit",
        command=(tool, "create", "--yes", *where, *packages),
        undo=_way.remove(folder),
    )


def _pixi(cuda: str, folder: str, row: Conda, packages: tuple[str, ...]) -> tuple[Step, ...]:
    return (
        Step(
            id="toolkit-folder",
            title=f"make a pixi workspace in {folder}",
            kind="toolkit",
            command=("pixi", "init", "--channel", row.channel, folder),
            undo=_way.remove(folder),
        ),
        Step(
            id="toolkit",
            title=f"add the CUDA {cuda} compiler to it",
            kind="toolkit",
            command=("pixi", "add", "--manifest-path", f"{folder}/pixi.toml", *packages),
        ),
    )
