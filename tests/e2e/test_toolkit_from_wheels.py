"""NVIDIA's compiler wheels, put aside by the very commands of the plan: they compile, link, and are seen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.tools import Tools
from attn_doctor.plan import toolkit
from compiled import needs_compiler
from support import clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from attn_doctor.plan.plan import Step
    from attn_doctor.plan.toolkit import ToolkitWay

pytestmark = [needs_compiler, pytest.mark.xdist_group("toolkit")]
CUDA = "13.0"
KERNEL = """
#include <cuda_bf16.h>
#include <cuda/std/array>
__global__ void add(__nv_bfloat16 *at, cuda::std::array<int, 2> by) { at[threadIdx.x] += __nv_bfloat16(by[0]); }
void run(__nv_bfloat16 *at) { add<<<1, 32>>>(at, {1, 2}); }
"""
MAIN = """
#include <cstdio>
int main() { int devices; std::puts(cudaGetErrorString(cudaGetDeviceCount(&devices))); }
"""


def machine(venv: Path, *installers: str) -> Machine:
    """This machine in all that a way to a toolkit reads, with that environment as its target."""
    facts = whatif.simulate(["torch=2.13.0", f"arch={os.uname().machine}"])
    python = Python("3.11", prefix=str(venv), executable=str(venv / "bin" / "python"))
    found = Tools({name: name for name in installers})
    changed = {"python": Known(python, source="test"), "tools": Known(found, source="test")}
    return Machine(msgspec.structs.replace(facts, readings={**facts.readings, **changed}))


def from_wheels(of: Machine, folder: Path) -> ToolkitWay:
    return next(way for way in toolkit.ways(of, CUDA, str(folder)) if way.name == "wheels")


def execute(step: Step, **env: str) -> subprocess.CompletedProcess[str]:
    """The step as it stands: no shell, its own variables besides a clean environment."""
    return call(step.command, **step.env, **env)


def call(command: Iterable[object], **env: str) -> subprocess.CompletedProcess[str]:
    merged = clean_environment() | env
    return subprocess.run([*map(str, command)], env=merged, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="session")
def way(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> ToolkitWay:
    """The toolkit of the wheels, in a folder with a blank in its name."""
    found = from_wheels(machine(venv, "pip"), tmp_path_factory.mktemp("toolkit") / "CUDA 13")
    for step in found.steps:
        done = execute(step)
        if "No matching distribution" in done.stderr or "Could not find a version" in done.stderr:
            pytest.skip("pip finds no such wheels here")
        assert done.returncode == 0, done.stderr
    return found


@pytest.fixture
def spoilt(way: ToolkitWay, venv: Path, tmp_path: Path) -> ToolkitWay:
    """A copy to take parts from, in hard links."""
    there = tmp_path / "toolkit"
    assert call(["cp", "-al", way.home.removesuffix("/nvidia/cu13"), there]).returncode == 0
    return from_wheels(machine(venv, "pip"), there)


def test_the_check_takes_it(way: ToolkitWay) -> None:
    done = execute(way.check)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_compiles_and_links_as_a_torch_extension_is(way: ToolkitWay, tmp_path: Path) -> None:
    (tmp_path / "kernel.cu").write_text(KERNEL)
    (tmp_path / "host.cpp").write_text("#include <cuda_runtime_api.h>\nint host() { return cudaFree(nullptr); }\n")
    home = way.env["CUDA_HOME"]
    nvcc = f"{home}/bin/nvcc"
    target = "-gencode=arch=compute_80,code=sm_80"
    made = [
        call([nvcc, "-c", tmp_path / "kernel.cu", "-o", tmp_path / "kernel.o", "-Xcompiler", "-fPIC", target]),
        call(["g++", "-fPIC", "-c", tmp_path / "host.cpp", "-o", tmp_path / "host.o", f"-I{home}/include"]),
        call(
            [
                *("g++", "-shared", tmp_path / "kernel.o", tmp_path / "host.o", f"-L{home}/lib64", "-lcudart"),
                *("-o", tmp_path / "extension.so"),
            ]
        ),
    ]
    assert [done.returncode for done in made] == [0, 0, 0], [done.stderr for done in made]
    library = (tmp_path / "extension.so").read_bytes()
    assert b"libcudart.so.13" in library
    assert b".nv_fatbin" in library


def test_what_it_links_runs(way: ToolkitWay, tmp_path: Path) -> None:
    (tmp_path / "main.cu").write_text(MAIN)
    done = call([f"{way.home}/bin/nvcc", tmp_path / "main.cu", "-o", tmp_path / "main"])
    assert done.returncode == 0, done.stderr
    said = call([tmp_path / "main"])
    assert said.returncode == 0
    assert "driver" in said.stdout or "no error" in said.stdout or "device" in said.stdout


def test_the_probe_sees_it_whole_by_cuda_home(way: ToolkitWay, venv: Path, tmp_path: Path) -> None:
    ran = run_cli("facts", "--venv", venv, env=dict(way.env), cwd=tmp_path)
    assert ran.code == 0, ran
    toolkits: Any = ran.json()["readings"]["toolkits"]["value"]
    assert (toolkits["build_root"], toolkits["build_by"]) == (way.home, "CUDA_HOME")
    (seen,) = [one for one in toolkits["found"] if one["root"] == way.home]
    assert seen["version"] == CUDA
    assert seen["headers"] is not False
    assert seen["runtime"] is not False


def test_the_target_stays_as_it_was(way: ToolkitWay, venv: Path) -> None:
    listed = call([venv / "bin" / "python", "-m", "pip", "list", "--format=freeze"])
    assert listed.returncode == 0
    assert "nvidia" not in listed.stdout


def test_a_second_run_of_the_steps_changes_nothing(way: ToolkitWay) -> None:
    assert os.readlink(f"{way.home}/lib64") == "lib"
    for step in way.steps[1:]:
        assert execute(step).returncode == 0
    assert os.readlink(f"{way.home}/lib64") == "lib"
    assert not os.path.lexists(f"{way.home}/lib/lib")


PARTS = {
    "nvvm/bin/cicc": r"cicc: not found",
    "include/crt": r"crt/host_config\.h: No such file or directory",
    "include/cuda_runtime.h": r"cuda_runtime\.h: No such file or directory",
    "bin/ptxas": r"ptxas: not found",
    "lib64": r"cannot find -lcudart|cannot find -lcudadevrt",
    "lib/libcudart.so": r"cannot find -lcudart",
    "bin/nvcc": r"nvcc",
}


@pytest.mark.parametrize("part", PARTS)
def test_the_check_refuses_a_toolkit_that_lacks_a_part(spoilt: ToolkitWay, part: str) -> None:
    path = f"{spoilt.home}/{part}"
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    # a ptxas of the machine's own must not stand in for it
    done = execute(spoilt.check, PATH="/usr/bin:/bin")
    assert done.returncode != 0
    assert re.search(PARTS[part], done.stdout + done.stderr), done.stdout + done.stderr


def test_the_check_refuses_another_cuda(way: ToolkitWay) -> None:
    done = call([*way.check.command[:-1], "12.8"], **way.check.env)
    assert done.returncode == 1
    assert "is not of CUDA 12.8" in done.stderr
    assert "release 13.0" in done.stderr


def test_the_undo_takes_the_folder_and_nothing_beside_it(venv: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's a toolkit"
    (folder / "nvidia").mkdir(parents=True)
    (tmp_path / "it").mkdir()
    undo = from_wheels(machine(venv, "pip"), folder).steps[0].undo
    assert call(["sh", "-c", undo]).returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["it"]


@pytest.mark.parametrize("row", toolkit_packages.table().wheels, ids=lambda row: row.cuda)
def test_every_wheel_of_the_table_is_there_for_both_architectures(
    uv_venv: Path, tmp_path: Path, row: toolkit_packages.Wheels
) -> None:
    of = machine(uv_venv, "uv")
    step = next(way for way in toolkit.ways(of, row.cuda, str(tmp_path / "toolkit")) if way.name == "wheels").steps[0]
    assert step.command[0] == "uv"
    uv = os.path.join(os.path.dirname(sys.executable), "uv")
    uv = uv if os.path.exists(uv) else "uv"
    for platform in ("x86_64-manylinux_2_17", "aarch64-manylinux_2_17"):
        done = call([uv, *step.command[1:], "--dry-run", "--python-platform", platform])
        assert done.returncode == 0, done.stderr
        assert "Would install 5 packages" in done.stderr
