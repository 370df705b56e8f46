"""Source builds: jobs by memory and cores, architectures, variables, and what makes one impossible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import attn_doctor
from attn_doctor.judgement import need as needs
from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.tools import Tools
from attn_doctor.plan import choose
from attn_doctor.plan.request import Request
from plan.cases import NO_WHEEL, commands, kinds, other, plan

ROW = attention.source_build("flash-attn", "2")
GIB = 1 << 30
MEMORY_GIB = (4, 6, 8, 9, 10, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
CORES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)


@pytest.mark.parametrize("memory", MEMORY_GIB)
def test_jobs_fit_memory_and_cores(memory: int) -> None:
    """4 to 512 GiB, 1 to 256 cores, 1 to 8 architectures: never above the memory, never 0, never beyond the cores."""
    for cores in CORES:
        for archs in range(1, 9):
            found = source_build.settings(ROW, memory * GIB, cores, archs)
            if found is None:
                assert memory < ROW.process_peak_gib + ROW.reserve_gib
                continue
            assert found.max_jobs >= 1
            assert 1 <= found.nvcc_threads <= archs
            assert found.max_jobs * found.nvcc_threads <= cores
            assert found.peak_gib <= memory - ROW.reserve_gib
            assert found.peak_gib <= memory * (1 - ROW.reserve_share) + 0.1
            assert 1 <= found.minutes[0] < found.minutes[1]


@given(
    memory=st.integers(1 << 30, 600 << 30),
    cores=st.integers(1, 300),
    archs=st.integers(1, 8),
    at_most=st.none() | st.integers(1, 400),
)
@settings(max_examples=300)
def test_laws(memory: int, cores: int, archs: int, at_most: int | None) -> None:
    found = source_build.settings(ROW, memory, cores, archs, at_most)
    more = source_build.settings(ROW, memory + GIB, cores, archs, at_most)
    if found is None:
        return
    assert more is not None
    assert more.max_jobs * more.nvcc_threads >= found.max_jobs * found.nvcc_threads, "more memory never means less"
    assert found.max_jobs <= (at_most or cores)
    one, many = (source_build.settings(ROW, memory, cores, count) for count in (1, archs))
    assert one is not None
    assert many is not None
    assert one.minutes[1] <= many.minutes[1], "one architecture is never slower"


@pytest.mark.parametrize(
    ("memory", "cores", "archs", "jobs"),
    # facts measured and modelled: the column of one architecture, and that of four with four threads
    [(16, 8, 1, 1), (24, 2, 1, 2), (32, 16, 1, 4), (16, 8, 4, 1)],
)
def test_the_measured_cases(memory: int, cores: int, archs: int, jobs: int) -> None:
    found = source_build.settings(ROW, memory * GIB, cores, archs)
    assert found
    assert found.max_jobs * found.nvcc_threads >= jobs
    assert found.peak_gib <= memory


def test_the_peak_grows_with_the_crowd() -> None:
    peaks = [source_build.peak_gib(ROW, compilers) for compilers in range(1, 400)]
    assert peaks == sorted(peaks)
    assert (peaks[0], peaks[3]) == (6.6, 26.4)


def test_the_times_that_were_measured() -> None:
    """About 7 CPU hours for one architecture and 27 for four, on a core of 2.5 GHz."""
    for archs, hours in ((1, 7.1), (4, 27.4)):
        low, high = source_build.minutes(ROW, 1, 1, archs)
        assert low / 60 < hours < high / 60


def test_the_model_is_the_measurements_own() -> None:
    table = json.loads((Path(attn_doctor.__file__).parent / "knowledge/source_builds.json").read_text())
    (row,) = table["rows"]
    assert sum(unit["files"] for unit in row["units"]) == 73
    work = sum(unit["files"] * unit["cpu_s"] for unit in row["units"])
    assert 25_000 < work < 26_000


@pytest.mark.parametrize(
    ("capabilities", "archs"),
    [
        (("8.6",), ("80",)),
        (("8.0", "8.6", "8.9"), ("80",)),
        (("9.0",), ("90",)),
        (("8.9", "12.0"), ("80", "120")),
        (("10.3",), ("100",)),
    ],
)
def test_architectures(capabilities: tuple[str, ...], archs: tuple[str, ...]) -> None:
    """The build knows 80, 90, 100 and 120, and nothing else: 86 or 89 would make no code at all."""
    assert source_build.architectures(ROW, capabilities) == archs


def test_the_variables_of_a_build() -> None:
    one = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0")
    assert one.method == "source"
    assert one.build
    assert one.build.env == {
        "CUDA_HOME": "/usr/local/cuda-13.0",
        "FLASH_ATTENTION_FORCE_BUILD": "TRUE",
        "FLASH_ATTN_CUDA_ARCHS": "80",
        "MAX_JOBS": str(one.build.max_jobs),
        "NVCC_THREADS": "1",
    }
    (compiled,) = [step for step in one.steps if step.kind == "build"]
    assert compiled.env == one.build.env
    for option in ("--no-build-isolation", "--no-deps", "--no-cache-dir"):
        assert option in compiled.command
    assert one.build.peak_memory_gib <= 64
    assert kinds(one)[-5:] == ["fetch", "write", "build", "install", "verify"]


def places(*keys: str, **more: str) -> tuple[str, str]:
    """The folder for wheels and that of the build, of a plan."""
    (compiled,) = [
        step
        for step in plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", *keys, method="source", **more).steps
        if step.kind == "build"
    ]
    return compiled.command[-2], compiled.command[-1]


def test_a_wheel_lies_under_all_that_it_fits() -> None:
    wheels, sources = places()
    assert wheels.endswith(
        "/flash-attn-2.8.3.post2-cp312-linux_x86_64-glibc2.35-torch2.12.0a0+1234567.nv26.05-cu13.0-abi1-sm80"
    )
    assert sources.startswith("attn-doctor-files/builds/flash-attn-2.8.3.post2-")


@pytest.mark.parametrize(
    ("keys", "wheel_too"),
    [
        (("torch=2.12.0a0+7654321.nv26.06", "torch_cuda=13.0"), True),
        (("python=3.11",), True),
        (("gpu=NVIDIA H100 80GB HBM3",), True),
        (("nvcc=13.1",), False),
        (("gcc=13.2",), False),
    ],
)
def test_what_differs_never_shares_a_folder(keys: tuple[str, ...], wheel_too: bool) -> None:
    """Objects depend on the compiler as well; a wheel fits whatever compiled it."""
    plain, other_one = places(), places(*keys)
    assert plain[1] != other_one[1]
    assert (plain[0] != other_one[0]) is wheel_too


def test_free_memory_moves_no_folder() -> None:
    """A build that goes on later has other jobs, and the same objects."""
    assert places("ram=24GiB") == places()


def test_uv_builds_in_a_cache_for_this_build_alone() -> None:
    facts = whatif.simulate([*NO_WHEEL, "nvcc=13.0", "pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"])
    facts.readings["tools"] = Known(Tools({"uv": "/usr/bin/uv"}), source="a test")
    facts.readings["python"] = Known(Python("3.12", prefix="/venv", executable="/venv/bin/python"), source="a test")
    one = choose.plan(facts, "flash_attention_2", Request(method="source"), needs.parse([]))
    gone, compiled = [step for step in one.steps if step.id in ("remove", "build")]
    assert gone.command[:3] == ("uv", "pip", "uninstall")
    cache = compiled.command[compiled.command.index("--cache-dir") + 1]
    assert "/builds/flash-attn-2.8.3.post2-" in cache
    assert not {"--reinstall-package", "--refresh-package"} & set(" ".join(compiled.command).replace("=", " ").split())


def test_the_users_own_limit_on_jobs() -> None:
    free = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0")
    held = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", max_jobs=2)
    assert free.build
    assert held.build
    assert held.build.max_jobs == 2 < free.build.max_jobs
    assert held.build.minutes[1] > free.build.minutes[1]
    high = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", max_jobs=400)
    assert high.build == free.build, "more than fits is not taken"


def test_torch_214_does_not_compile_and_it_is_said() -> None:
    one = plan("flash_attention_2", "gpu=NVIDIA A100-SXM4-40GB", "torch=2.14.1", "nvcc=13.0", method="source")
    assert not one.possible
    assert any("does not compile against torch 2.14.1" in obstacle for obstacle in one.obstacles)
    assert "AD208" in one.blocked_by


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("nvcc=12.5",), "another major"),
        (("nvcc=13.0", "ram=4GiB"), "4.0 GiB in all"),
        (("nvcc=13.0", "gcc=none"), "no C++ compiler"),
        (("nvcc=13.0", "gcc=8.5"), "gcc 8.5 is older than"),
        (("nvcc=13.0", "gcc=19.1"), "gcc 19.1 is newer than"),
    ],
)
def test_what_makes_a_build_impossible(keys: tuple[str, ...], said: str) -> None:
    one = plan("flash_attention_2", *NO_WHEEL, *keys, method="source")
    builds = [way for way in (one, *one.alternatives) if way.method in ("source", "none")]
    reasons = [obstacle for way in builds for obstacle in way.obstacles]
    side_by_side = any(way.possible and "wheels" in way.title for way in builds if way.method == "source")
    assert side_by_side or any(said in reason for reason in reasons), reasons


def test_f8_an_older_toolkit_goes_beside_a_newer_one() -> None:
    """nvcc 13.0 and torch for CUDA 12.9: no downgrade, a toolkit for this build alone."""
    one = plan("flash_attention_2", "gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu129", "nvcc=13.0", method="source")
    assert not one.possible, "CUDA 12 has no compiler in wheels: conda or the runfile, by hand"
    assert "12.9" in one.title
    assert not any("uninstall" in command for command in commands(one))


def test_f7_another_minor_of_the_same_major_serves() -> None:
    one = plan(
        "flash_attention_2",
        *("gpu=NVIDIA A100-SXM4-40GB", "torch=2.12.0+cu132", "nvcc=13.0", "ram=64GiB", "python=3.12"),
        method="source",
    )
    assert one.possible
    assert one.build
    assert one.build.toolkit == "/usr/local/cuda-13.0"


def test_without_nvcc_the_compiler_comes_from_wheels_for_cuda_13() -> None:
    one = plan("flash_attention_2", *NO_WHEEL)
    assert one.possible
    assert one.method == "source"
    assert kinds(one).count("toolkit") == 3
    assert one.build
    assert one.build.toolkit
    assert one.build.toolkit.endswith("toolkits/13.0/nvidia/cu13")
    assert one.cost.download_bytes


def test_a_release_without_a_source_archive_is_not_compiled() -> None:
    one = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", method="source", version="2.8.0.post1")
    assert not one.possible


def test_an_older_release_is_compiled_where_it_is_asked_for() -> None:
    one = plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0", method="source", version="2.7.4.post1")
    assert one.possible
    assert any("flash-attn==2.7.4.post1" in command for command in commands(one))


def test_the_build_stands_beside_a_wheel() -> None:
    one = plan("flash_attention_2", "gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128", "nvcc=12.8", "ram=64GiB")
    assert one.method == "wheel"
    assert other(one, "source").build
