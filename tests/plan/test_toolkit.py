from __future__ import annotations

import shlex

import msgspec
import pytest

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import cuda, toolkit_packages
from attn_doctor.knowledge.versions import major, numbers
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.compiler import Compiler
from attn_doctor.machine.probes.disk import Disk, Place
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.probes.tools import Tools
from attn_doctor.plan import toolkit
from attn_doctor.plan.toolkit import ToolkitWay

FOLDER = "/home/u/.cache/attn-doctor/toolkits/cuda"
A100, BLACKWELL = ("8.0",), ("12.0",)
GIB = 1 << 30


def machine(*keys: str, **readings: object) -> Machine:
    """That imagined machine, with whole readings in place of some of its own."""
    facts = whatif.simulate([*keys])
    replaced = {name: Known(value, source="test") for name, value in readings.items()}
    return Machine(msgspec.structs.replace(facts, readings={**facts.readings, **replaced}))


def tools(*names: str) -> Tools:
    return Tools({name: f"/usr/bin/{name}" for name in names})


def on(distribution: str | None, **said: object) -> System:
    return System("linux", "x86_64", "6.1", distribution, **said)  # type: ignore[arg-type]


def ways(of: Machine, minor: str) -> dict[str, ToolkitWay]:
    listed = toolkit.ways(of, minor, FOLDER)
    assert len({way.name for way in listed}) == len(listed)
    return {way.name: way for way in listed}


def shown(way: ToolkitWay) -> str:
    return "\n".join(shlex.join(step.command) for step in way.steps)


# --- which one


@pytest.mark.parametrize("torch_cuda", [*toolkit_packages.minors("x86_64")])
def test_the_minor_of_torch_where_nothing_speaks_against_it(torch_cuda: str) -> None:
    assert toolkit.wanted(machine(), torch_cuda, (), None) == torch_cuda


@pytest.mark.parametrize(
    ("torch_cuda", "on_gpus", "gcc", "expected"),
    [
        ("12.4", BLACKWELL, "12.2", "12.8"),  # the first nvcc for 12.0
        ("12.4", A100, "14.1", "12.8"),  # the first that takes gcc 14
        ("12.1", A100, "13.2.0", "12.3"),
        ("12.9", A100, "15.1", None),  # no 12.x takes it
        ("11.8", A100, "12.2", None),
        ("11.8", A100, "11.4", "11.8"),
        ("11.8", ("9.0",), None, "11.8"),
        ("11.8", BLACKWELL, None, None),
        ("11.7", ("9.0",), "11", "11.8"),
        ("13.0", ("8.0", "12.0"), "15", "13.0"),
        ("13.0", A100, "16", "13.4"),  # of 13.3 it is not known, and 13.2 refuses it
        ("13.3", A100, "15", "13.3"),  # as 13.2 takes it
        ("13.9", A100, None, "13.5"),  # none so new: the nearest below
        ("12.7", A100, None, "12.8"),  # there never was a 12.7
        ("14.0", A100, None, None),
        ("10.2", A100, None, None),
    ],
)
def test_which_toolkit_is_fetched(torch_cuda: str, on_gpus: tuple[str, ...], gcc: str, expected: str | None) -> None:
    assert toolkit.wanted(machine(), torch_cuda, on_gpus, gcc) == expected


def test_a_new_glibc_needs_headers_that_agree_with_it() -> None:
    new = machine("libc=glibc-2.42")
    assert toolkit.wanted(machine("libc=glibc-2.41"), "13.0", A100, "14") == "13.0"
    assert toolkit.wanted(new, "13.0", A100, "14") == "13.2"
    assert toolkit.wanted(new, "12.8", A100, "14") is None
    conda = machine("libc=glibc-2.42", compiler=Compiler("gcc", "12.2", "/opt/miniconda3/bin/g++"))
    assert toolkit.wanted(conda, "13.0", A100, "14") == "13.0"


@pytest.mark.parametrize("keys", [("os=windows",), ("os=macos", "arch=aarch64"), ("libc=musl-1.2",)])
def test_where_no_compiler_of_nvidia_runs(keys: tuple[str, ...]) -> None:
    of = machine(*keys)
    assert toolkit.ways(of, "13.0", FOLDER) == ()
    assert toolkit.wanted(of, "13.0", A100, None) is None


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("torch_cuda", ["11.8", "12.0", "12.1", "12.4", "12.6", "12.8", "12.9", "13.0", "13.2"])
@pytest.mark.parametrize("gcc", [None, *map(str, range(4, 18))])
def test_what_is_wanted_fits_in_every_respect(arch: str, torch_cuda: str, gcc: str | None) -> None:
    of = machine(f"arch={arch}")
    for capabilities in ((), ("8.0",), ("8.6", "9.0"), ("10.0",), ("12.0", "8.0")):
        found = toolkit.wanted(of, torch_cuda, capabilities, gcc)
        if found is None:
            continue
        assert major(found) == major(torch_cuda)
        assert toolkit.ways(of, found, FOLDER)
        assert gcc is None or (cuda.min_gcc(found) or 0) <= int(gcc) <= (cuda.max_gcc(found) or 99)
        if {"10.0", "12.0"} & set(capabilities):
            assert numbers(found) >= (12, 8)


# --- the ways


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_every_way_says_what_it_does_and_how_it_is_checked(arch: str) -> None:
    of = machine(f"arch={arch}", tools=tools("conda"))
    for minor in toolkit_packages.minors(arch):
        listed = toolkit.ways(of, minor, FOLDER)
        assert listed
        assert [way.possible for way in listed] == sorted((way.possible for way in listed), reverse=True)
        for way in listed:
            assert way.cuda == minor
            assert way.env["CUDA_HOME"] == way.home
            assert way.check.command[-2:] == (f"{way.home}/bin/nvcc", minor)
            assert way.check.env == way.env
            assert way.possible is not bool(way.obstacles)
            assert way.why
            assert "PATH" not in way.env
            assert len({step.id for step in (*way.steps, way.check)}) == len(way.steps) + 1
            assert all(part for step in way.steps for part in step.command)


def test_a_way_without_root_stays_in_its_folder_and_is_undone_with_it() -> None:
    for minor in toolkit_packages.minors("x86_64"):
        for tool in ("conda", "mamba", "pixi"):
            for way in toolkit.ways(machine(tools=tools(tool)), minor, "/a b/cuda"):
                assert not any(step.needs_root for step in way.steps)
                assert way.steps[0].undo == "rm -rf '/a b/cuda'"
                assert all(step.undo is None for step in way.steps[1:])
                assert way.home.startswith("/a b/cuda")
                assert "sudo" not in shown(way)


def test_the_wheels_of_cuda_13() -> None:
    python = Python("3.12.3", prefix="/venv", executable="/venv/bin/python")
    way = ways(machine(python=python, tools=Tools({"pip": "25.0"})), "13.0")["wheels"]
    assert way.possible
    assert way.home == f"{FOLDER}/nvidia/cu13"
    assert way.steps[0].command[:4] == ("/venv/bin/python", "-m", "pip", "install")
    asked = set(way.steps[0].command)
    assert {"--target", FOLDER, "--no-deps", "nvidia-nvvm==13.0.88", "nvidia-cuda-crt==13.0.88"} <= asked
    assert not any("constraint" in part or part == "--user" for part in asked)
    links = [step.command for step in way.steps[1:]]
    assert links == [
        ("ln", "-sfn", "lib", f"{way.home}/lib64"),
        ("ln", "-sfn", "libcudart.so.13", f"{way.home}/lib/libcudart.so"),
    ]
    assert way.download_bytes == 104484191
    assert way.disk_bytes > way.download_bytes


def test_a_target_without_pip_takes_uv() -> None:
    python = Python("3.12.3", prefix="/venv", executable="/venv/bin/python")
    way = ways(machine(python=python, tools=tools("uv")), "13.0")["wheels"]
    assert way.steps[0].command[:5] == ("uv", "pip", "install", "--python", "/venv/bin/python")


@pytest.mark.parametrize("minor", ["12.0", "12.4", "12.8", "12.9", "11.8"])
def test_wheels_that_hold_no_compiler_are_no_way_and_the_others_say_so(minor: str) -> None:
    found = ways(machine(tools=tools("conda")), minor)
    assert "wheels" not in found
    assert found["conda"].possible
    assert any("neither nvcc" in line for line in found["conda"].why)
    assert not any("neither nvcc" in line for line in ways(machine(), "13.0")["conda"].why)


def test_conda_in_an_environment_of_its_own() -> None:
    way = ways(machine(tools=tools("conda")), "12.8")["conda"]
    (step,) = way.steps
    assert step.command == (
        *("conda", "create", "--yes", "--prefix", FOLDER, "--override-channels", "--channel", "conda-forge"),
        *("cuda-version=12.8", "cuda-nvcc-impl", "cuda-cudart-dev", "cuda-cccl"),
    )
    assert way.env == {
        "CPATH": f"{FOLDER}/targets/x86_64-linux/include",
        "CUDA_HOME": FOLDER,
        "LIBRARY_PATH": f"{FOLDER}/lib",
    }
    arm = ways(machine("arch=aarch64", tools=tools("conda")), "12.8")["conda"]
    assert arm.env["CPATH"] == f"{FOLDER}/targets/sbsa-linux/include"


def test_conda_of_cuda_11_is_on_the_channel_of_nvidia() -> None:
    way = ways(machine(tools=tools("mamba", "conda")), "11.8")["conda"]
    assert "mamba create --yes" in shown(way)
    assert "--channel nvidia/label/cuda-11.8.0" in shown(way)
    assert "CPATH" not in way.env


def test_pixi_makes_a_workspace() -> None:
    way = ways(machine(tools=tools("pixi")), "12.8")["conda"]
    assert shown(way).splitlines() == [
        f"pixi init --channel conda-forge {FOLDER}",
        f"pixi add --manifest-path {FOLDER}/pixi.toml cuda-version=12.8 cuda-nvcc-impl cuda-cudart-dev cuda-cccl",
    ]
    assert way.home == f"{FOLDER}/.pixi/envs/default"


def test_without_conda_the_way_is_named_and_not_possible() -> None:
    listed = toolkit.ways(machine(), "12.8", FOLDER)
    conda = next(way for way in listed if way.name == "conda")
    assert not conda.possible
    assert "neither conda" in conda.obstacles[0]


def test_the_runfile_brings_a_toolkit_and_no_driver() -> None:
    way = ways(machine(), "12.8")["runfile"]
    name = "cuda_12.8.1_570.124.06_linux.run"
    fetch, digest, unpack = way.steps[1].command, way.steps[2].command, way.steps[3].command
    assert fetch[-1].endswith(f"/12.8.1/local_installers/{name}")
    assert "228f6bcaf5b7618d032939f431914fc92d0e5ed39ebe37098a24502f26a19797" in digest
    assert unpack[:2] == ("sh", f"{FOLDER}/{name}")
    assert {"--silent", "--toolkit", f"--toolkitpath={FOLDER}/toolkit"} <= set(unpack)
    assert "--driver" not in unpack
    assert way.download_bytes == 5382238770
    assert not way.possible


def test_no_name_of_a_runfile_is_made_up() -> None:
    way = ways(machine(), "13.5")["runfile"]
    assert all(step.command == () for step in way.steps)
    assert "Archive" in way.steps[0].title
    assert any("does not know the name" in line for line in way.obstacles)


@pytest.mark.parametrize(
    ("distribution", "repository"),
    [
        ("Ubuntu 22.04.4 LTS", "ubuntu2204"),
        ("Ubuntu 24.04 LTS", "ubuntu2404"),
        ("Debian GNU/Linux 12 (bookworm)", "debian12"),
        ("Rocky Linux 9.4 (Blue Onyx)", "rhel9"),
        ("AlmaLinux 8.10 (Cerulean Leopard)", "rhel8"),
        ("Amazon Linux 2023.5.20240708", "amzn2023"),
    ],
)
def test_packages_of_the_distribution_take_root(distribution: str, repository: str) -> None:
    way = ways(machine(system=on(distribution)), "12.8")["packages"]
    assert f"/repos/{repository}/x86_64/" in shown(way)
    assert way.home == "/usr/local/cuda-12.8"
    last = way.steps[-1]
    assert last.needs_root
    assert last.command[0] == "sudo"
    assert last.command[-1] == "cuda-toolkit-12-8"
    assert last.undo
    assert "cuda" not in {part for step in way.steps for part in step.command}
    assert not way.possible


def test_an_unknown_distribution_has_no_repository() -> None:
    for distribution in ("Arch Linux", "Ubuntu 12.04", "Fedora Linux 42", None):
        assert "packages" not in ways(machine(system=on(distribution)), "12.8")


def test_in_a_container_there_is_no_sudo() -> None:
    way = ways(machine(system=on("Ubuntu 22.04.4 LTS", container="docker")), "12.8")["packages"]
    assert "sudo" not in shown(way)
    assert way.steps[-1].needs_root


def test_in_wsl_no_driver_comes_from_any_way() -> None:
    for distribution in ("Ubuntu 22.04.4 LTS", None):
        found = ways(machine(system=on(distribution, wsl=True), tools=tools("conda")), "12.8")
        assert "/repos/wsl-ubuntu/x86_64/" in shown(found["packages"])
        assert any("driver is the one of Windows" in line for line in found["packages"].why)
        for way in found.values():
            assert "driver" not in shown(way)
            assert "cuda-drivers" not in shown(way)


def test_a_place_where_nothing_can_run_is_an_obstacle() -> None:
    noexec = Disk((Place("cache", "/home/u/.cache", 100 * GIB, noexec=True), Place("target", "/", 100 * GIB)))
    way = ways(machine(disk=noexec), "13.0")["wheels"]
    assert not way.possible
    assert "noexec" in way.obstacles[0]


def test_a_full_disk_is_an_obstacle_and_a_full_other_one_is_none() -> None:
    full = Disk((Place("target", "/venv", 0), Place("cache", "/home/u/.cache", 0)))
    other = Disk((Place("target", "/venv", 0), Place("cache", "/home/u/.cache", GIB)))
    assert "GB are needed in /home/u/.cache" in ways(machine(disk=full), "13.0")["wheels"].obstacles[0]
    assert ways(machine(disk=other), "13.0")["wheels"].possible
    assert any("5.4 GB" in line for line in ways(machine(disk=other), "12.8")["runfile"].obstacles)


def test_nonsense_is_no_cuda() -> None:
    assert toolkit.ways(machine(), "", FOLDER) == ()
    assert toolkit.ways(machine(), "newest", FOLDER) == ()
    assert toolkit.ways(machine(), "13.0.88", FOLDER)[0].cuda == "13.0"
