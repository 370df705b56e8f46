"""The container for a backend: the image, the Dockerfile, the run line; on every machine of the tests and by hand."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import dockerfile as buildkit  # BuildKit's own parser
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn_doctor.errors import UsageError
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import images, torch_builds
from attn_doctor.knowledge.versions import major_minor, numbers
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known, Unknown
from attn_doctor.machine.probes.gpus import Gpu
from attn_doctor.machine.probes.tools import Tools
from attn_doctor.plan import container, dockerfile
from attn_doctor.plan.container import Container
from attn_doctor.plan.dockerfile.parse import parse
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.resolve import Key, fits

MACHINES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))["simulate"]
    for file in sorted((Path(__file__).parents[1] / "machines").glob("*.json"))
}
# NVIDIA, CUDA compatibility: written down again, so that a wrong table does not agree with itself
LINUX_FLOORS = {13: "580", 12: "525.60.13", 11: "450.80.02"}
WINDOWS_FLOORS = {13: "580", 12: "527.41", 11: "452.39"}
L4, H100, B200, RTX3090 = "gpu=NVIDIA L4", "gpu=NVIDIA H100 80GB HBM3", "gpu=NVIDIA B200", "gpu=NVIDIA GeForce RTX 3090"
SCRIPTS = Path(sysconfig.get_path("scripts"))


def made(*keys: str) -> Machine:
    return Machine(whatif.simulate([*keys]))


def with_tools(machine: Machine, *names: str) -> Machine:
    found = Known(Tools({name: f"/usr/bin/{name}" for name in names}), source="test")
    return Machine(msgspec.structs.replace(machine.facts, readings=machine.facts.readings | {"tools": found}))


def chosen(*keys: str, backend: str = "flash_attention_2", torch: str | None = None) -> Container:
    return container.choose(made(*keys), backend, torch)


def text(one: Container) -> str:
    assert one.dockerfile is not None, one.obstacles
    return one.dockerfile


def from_lines(one: Container) -> list[str]:
    return re.findall(r"^FROM (\S+)", text(one), re.MULTILINE)


@cache
def everything() -> dict[tuple[str, str], tuple[Machine, Container]]:
    found = {}
    for name, keys in MACHINES.items():
        machine = made(*keys)
        for backend in backends():
            found[name, backend] = (machine, container.choose(machine, backend))
    return found


def whole() -> dict[tuple[str, str], tuple[Machine, Container]]:
    """Those that have an image."""
    return {key: pair for key, pair in everything().items() if pair[1].dockerfile is not None}


# properties over all machines and all backends


def test_there_is_an_image_or_a_reason() -> None:
    for (name, backend), (_, one) in everything().items():
        assert (one.dockerfile is None) == bool(one.obstacles), (name, backend)
        assert all(sentence.strip() for sentence in (*one.obstacles, *one.warnings, *one.needs, *one.why))
        assert bool(one.run) == bool(one.image) == bool(one.dockerfile), (name, backend)
    assert {backend for _, backend in whole()} == set(backends())
    assert len(whole()) > 700


def test_every_dockerfile_parses_as_buildkit_parses_it() -> None:
    for _, one in whole().values():
        theirs = [(command.cmd.upper(), command.start_line) for command in buildkit.parse_string(text(one))]
        assert theirs == [(found.name, found.line) for found in parse(text(one), "x")]
        assert theirs[-1][0] == "CMD"


def test_never_an_image_that_the_driver_cannot_run() -> None:
    for (name, _), (machine, one) in whole().items():
        assert machine.driver is not None
        floors = WINDOWS_FLOORS if machine.os == "windows" else LINUX_FLOORS
        cuda = [torch_cuda(one)] + [tag[1] for image in from_lines(one) if (tag := CUDA_TAG.match(image))]
        for version in cuda:
            floor = floors[int(version.split(".")[0])]
            assert numbers(machine.driver.version) >= numbers(floor), (name, version)


def test_a_base_of_nvidias_asks_for_no_newer_cuda_than_the_driver_offers() -> None:
    seen = 0
    for machine, one in whole().values():
        tag = CUDA_TAG.match(one.image or "")
        if tag and machine.driver and machine.driver.cuda:
            assert numbers(machine.driver.cuda) >= numbers(major_minor(tag[1]))
            seen += 1
    assert seen > 300


CUDA_TAG = re.compile(r"nvidia/cuda:(\d+\.\d+\.\d+)-(base|runtime|devel)-(ubuntu\d\d\.\d\d)$")


def torch_cuda(one: Container) -> str:
    found = re.search(r'"torch==[\d.]+\+cu(\d\d)(\d)"', text(one))
    assert found is not None
    return f"{found[1]}.{found[2]}"


def test_every_image_is_one_that_was_seen() -> None:
    known = {
        f"nvidia/cuda:{row.cuda}-{flavour}-{on}"
        for row in images.table().cuda
        for flavour in ("base", "devel")
        for on in row.distributions
    }
    known |= {row.image for row in images.table().distributions if row.image}
    for _, one in whole().values():
        assert set(from_lines(one)) <= known
        assert from_lines(one)[-1] == one.image
        assert "devel" not in (one.image or "")


def test_torch_is_a_published_build_that_runs_on_every_gpu() -> None:
    for (name, backend), (machine, one) in whole().items():
        version, _, variant = (one.torch or "").partition("+")
        build = next(
            found
            for found in torch_builds.builds("linux", machine.arch)
            if (found.torch, found.variant) == (version, variant)
        )
        assert f'"torch=={one.torch}" --index-url {build.index_url}' in text(one)
        assert f"cp{(one.python or '').replace('.', '')}" in (build.python_tags or ()), (name, backend)
        assert not machine.nvidia or build.arch_list is not None


def test_a_wheel_fits_the_image_by_the_resolver() -> None:
    seen: dict[str, int] = {}
    for (name, backend), (machine, one) in whole().items():
        if one.wheel is None:
            continue
        version, _, variant = (one.torch or "").partition("+")
        cuda = torch_builds.cuda_of_variant(variant)
        key = Key(
            os="linux",
            arch=machine.arch,
            libc=f"glibc-{one.glibc}",
            python=one.python or "",
            torch=version,
            torch_cuda=cuda,
            torch_release=True,
            cxx11abi=torch_builds.cxx11abi(version, cuda, "linux", machine.arch),
            capabilities=machine.capabilities,
        )
        files = [wheel for wheel in catalogue.wheels(one.package or "") if wheel.filename == one.wheel.filename]
        assert any(fits(wheel, key) for wheel in files), (name, backend)
        if one.wheel.url:
            assert one.wheel.url.replace("+", "%2B") in text(one)
        if one.wheel.sha256:
            assert f"sha256{'=' if one.wheel.url else ':'}{one.wheel.sha256}" in text(one)
        seen[backend] = seen.get(backend, 0) + 1
    assert set(seen) >= {f"flash_attention_{number}" for number in (1, 2, 3, 4)} | {"xformers"}


def test_what_is_made_here_is_healthy_by_our_own_judgement() -> None:
    for (name, backend), (machine, one) in whole().items():
        assert dockerfile.judge(text(one), machine).findings == (), (name, backend)


def test_nobody_runs_as_root_and_nothing_is_secret() -> None:
    for _, one in whole().values():
        users = re.findall(r"^USER (\S+)", text(one), re.MULTILINE)
        assert users[-1].isdigit()
        assert int(users[-1]) > 1000
        assert not re.search(r"(?i)token|password|secret", text(one))
        assert "HEALTHCHECK" not in text(one)
        assert ":latest" not in text(one)
        assert "--mount=type=cache,target=/root/.cache/pip" in text(one)


GPUS = (
    "NVIDIA L4",
    "Tesla T4",
    "Tesla V100-SXM2-16GB",
    "NVIDIA H100 80GB HBM3",
    "NVIDIA B200",
    "NVIDIA GeForce RTX 5090",
)
IMAGINED = st.fixed_dictionaries(
    {},
    optional={
        "gpu": st.sampled_from(GPUS),
        "driver": st.sampled_from(
            ["none", "440.33.01", "470.256.02", "525.60.13", "550.144.03", "580.95.05", "615.71.09"]
        ),
        "torch": st.sampled_from(
            ["none", "1.13.1", "2.4.1", "2.8.0", "2.8.0+cpu", "2.9.1+cu130", "2.15.0", "2.8.0a0+nv25.08"]
        ),
        "python": st.sampled_from(["3.8", "3.10", "3.11", "3.13t", "3.15"]),
        "arch": st.sampled_from(["x86_64", "aarch64"]),
        "os": st.sampled_from(["linux", "windows"]),
        "wsl": st.sampled_from(["true", "false"]),
        "ram": st.sampled_from(["4GiB", "64GiB"]),
    },
)


@settings(max_examples=80)
@given(IMAGINED, st.sampled_from(sorted(backends())))
def test_whatever_the_machine_there_is_an_image_or_a_reason(keys: dict[str, str], backend: str) -> None:
    one = container.choose(made(*(f"{name}={value}" for name, value in keys.items())), backend)
    assert (one.dockerfile is None) == bool(one.obstacles)
    if one.dockerfile:
        assert buildkit.parse_string(one.dockerfile)
        for image in from_lines(one):
            tag = CUDA_TAG.match(image)
            assert tag is None or tag[1].split(".")[0] == torch_cuda(one).split(".")[0]


# the linters

# the archive of a distribution drops versions; each RUN is a layer of its own, so that torch is not fetched again
NOT_OURS = ("DL3008", "DL3059")


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    texts = {text(one).partition("\nFROM ")[2]: text(one) for _, one in whole().values()}
    texts |= {one.dockerfile: one.dockerfile for one in compiled() if one.dockerfile}
    files = []
    for count, content in enumerate(texts.values()):
        file = tmp_path / f"{count}.Dockerfile"
        file.write_text(content, encoding="utf-8")
        files.append(str(file))
    assert len(files) > 60
    ignored = [part for code in NOT_OURS for part in ("--ignore", code)]
    done = subprocess.run(
        [SCRIPTS / "hadolint", *ignored, "--no-color", *files], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_hadolint_would_have_something_to_say(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM ubuntu\nRUN pip install torch && echo $X\n", encoding="utf-8")
    done = subprocess.run([SCRIPTS / "hadolint", file], capture_output=True, text=True, check=False)
    assert "DL3006" in done.stdout
    assert "SC2086" in done.stdout


def test_every_command_passes_shellcheck(tmp_path: Path) -> None:
    runs = {found.text for _, one in whole().values() for found in parse(text(one), "x") if found.name == "RUN"}
    runs |= {found.text for one in compiled() for found in parse(text(one), "x") if found.name == "RUN"}
    files = []
    for count, run in enumerate(sorted(runs)):
        (tmp_path / f"{count}.sh").write_text(f"#!/bin/sh\n{run}\n", encoding="utf-8")
        files.append(str(tmp_path / f"{count}.sh"))
    assert len(files) > 60
    done = subprocess.run([SCRIPTS / "shellcheck", *files], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


# a source build


@cache
def compiled() -> tuple[Container, ...]:
    """Images that compile flash-attn: for every torch of which no file is published."""
    found = []
    for gpu, arch in ((B200, "x86_64"), (RTX3090, "x86_64"), (H100, "aarch64")):
        for build in torch_builds.builds("linux", arch):
            if build.cuda:
                keys = (gpu, f"arch={arch}", "ram=64GiB", "cores=16")
                one = container.choose(made(*keys), torch=f"{build.torch}+{build.variant}")
                found += [one] if one.build_image else []
    return tuple(found)


def test_f18_the_toolkit_is_of_torchs_own_cuda() -> None:
    assert compiled()
    for one in compiled():
        first = CUDA_TAG.match(from_lines(one)[0])
        assert first is not None
        assert first[2] == "devel"
        assert major_minor(first[1]) == torch_cuda(one)
        assert first[0] == one.build_image
        last = from_lines(one)[-1]
        assert len(from_lines(one)) == 2
        assert first[3] == f"ubuntu{re.search(r'ubuntu:?(.*)', last)[1]}"  # type: ignore[index]
        assert numbers(one.torch or "")[:2] < (2, 14)


def test_a_source_build_is_bounded() -> None:
    one = chosen(B200, "ram=64GiB", "cores=16", torch="2.13.0+cu129")
    said = text(one)
    assert one.build_image == "nvidia/cuda:12.9.1-devel-ubuntu24.04"
    assert re.search(r"^ARG MAX_JOBS=[1-9]\d?$", said, re.MULTILINE)
    assert 'FLASH_ATTN_CUDA_ARCHS="100"' in said
    assert "--no-build-isolation --no-deps" in said
    assert said.index("pip wheel") < said.index("FROM nvidia/cuda:12.9.1-base-ubuntu24.04")
    assert "--mount=type=bind,from=build" in said
    small = text(chosen(B200, "ram=12GiB", "cores=16", torch="2.13.0+cu129"))
    assert "ARG MAX_JOBS=1\n" in small
    none = chosen(B200, "ram=4GiB", torch="2.13.0+cu129")
    assert none.dockerfile is None
    assert any("GiB" in reason for reason in none.obstacles)


def test_memory_that_could_not_be_read_is_not_made_up() -> None:
    machine = made(B200, "cores=64")
    readings = machine.facts.readings | {"memory": Unknown("no /proc/meminfo")}
    one = container.choose(Machine(msgspec.structs.replace(machine.facts, readings=readings)), torch="2.13.0+cu129")
    assert "ARG MAX_JOBS=1\nARG NVCC_THREADS=1\n" in text(one)
    assert "Its memory could not be read" in text(one)
    assert "For the memory" not in text(one)
    assert any("could not be read, so it compiles with one job" in warning for warning in one.warnings)
    known = chosen(B200, "ram=64GiB", "cores=16", torch="2.13.0+cu129")
    assert not any("could not be read" in sentence for sentence in (*known.warnings, text(known)))


@pytest.mark.parametrize("arch", ["ppc64le", "riscv64"])
def test_a_processor_that_no_image_is_made_for(arch: str) -> None:
    machine = made(H100)
    system = machine.facts.readings["system"]
    other = Known(msgspec.structs.replace(system.value, arch=arch), source="test")
    readings = machine.facts.readings | {"system": other}
    one = container.choose(Machine(msgspec.structs.replace(machine.facts, readings=readings)))
    assert one.dockerfile is None
    assert len(one.obstacles) == 1
    assert arch in one.obstacles[0]


def test_a_torch_that_nothing_fits_and_nothing_compiles_against() -> None:
    one = chosen(L4, torch="2.15.0")
    assert one.dockerfile is None
    assert any("C++20" in reason for reason in one.obstacles)


# by hand


def test_the_plain_case() -> None:
    one = chosen(L4, "torch=2.8.0")
    assert one.image == "nvidia/cuda:12.8.1-base-ubuntu24.04"
    assert (one.torch, one.python, one.glibc) == ("2.8.0+cu128", "3.12", "2.39")
    assert one.package_version == "2.8.3.post1"
    assert one.build == ("docker", "build", "--tag", "attn-doctor-flash-attention-2", ".")
    assert one.run == ("docker", "run", "--rm", "--gpus", "all", "attn-doctor-flash-attention-2")
    assert one.test[-2:] == (one.image, "nvidia-smi")
    assert "einops==" in text(one)


def test_the_python_of_the_target_decides_among_images() -> None:
    one = chosen(L4, "torch=2.8.0", "python=3.10")
    assert (one.image, one.python) == ("nvidia/cuda:12.8.1-base-ubuntu22.04", "3.10")
    assert one.wheel is not None
    assert "cp310" in one.wheel.filename


def test_seed_000_cuda_11_8() -> None:
    one = chosen("gpu=NVIDIA GeForce RTX 3050", "driver=555.99", "torch=2.7.1+cu118", "wsl=true")
    assert one.torch == "2.7.1+cu118"
    assert any("driver is the one of Windows" in warning for warning in one.warnings)


@pytest.mark.parametrize(
    ("driver", "torch_major", "image"),
    [
        ("450.80.02", 11, "ubuntu:24.04"),
        ("520.61.05", 11, "ubuntu:24.04"),
        ("525.60.13", 12, "ubuntu:24.04"),
        ("550.144.03", 12, "ubuntu:24.04"),
        ("570.124.06", 12, "nvidia/cuda:12.8.1-base-ubuntu24.04"),
        ("580.95.05", 13, "nvidia/cuda:13.0.2-base-ubuntu24.04"),
    ],
)
def test_the_driver_decides(driver: str, torch_major: int, image: str) -> None:
    torch = {11: "torch=2.7.1+cu118", 12: "torch=2.8.0+cu128", 13: "torch=2.9.1+cu130"}[torch_major]
    one = chosen(RTX3090, f"driver={driver}", torch)
    assert one.image == image
    assert torch_cuda(one).startswith(str(torch_major))
    assert driver in (one.driver or "")
    has_variables = "NVIDIA_VISIBLE_DEVICES=all" in text(one)
    assert has_variables == image.startswith("ubuntu")


def test_a_driver_below_everything() -> None:
    one = chosen(RTX3090, "driver=440.33.01")
    assert one.dockerfile is None
    assert "440.33.01 is older than 450.80.02" in one.obstacles[0]


def test_a_newer_driver_never_takes_an_image_away() -> None:
    drivers = ("440.33.01", "450.80.02", "520.61.05", "525.60.13", "550.54.14", "570.26", "580.65.06", "615.71.09")
    for backend in ("flash_attention_2", "xformers", "sdpa"):
        had = False
        for driver in drivers:
            has = chosen(RTX3090, f"driver={driver}", backend=backend).dockerfile is not None
            assert has or not had, (backend, driver)
            had = has


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ((), "no GPU"),
        (("os=macos", "arch=aarch64", "gpu=Apple M3"), "macOS"),
        (("gpu=AMD Instinct MI300X",), "no NVIDIA GPU"),
        ((L4, "driver=none"), "a container brings none"),
        (("arch=aarch64", "gpu=Orin"), "Jetson"),
        (("gpu=Tesla T4",), "needs capability 8.0"),
    ],
)
def test_what_stands_in_the_way(keys: tuple[str, ...], said: str) -> None:
    one = chosen(*keys)
    assert one.dockerfile is None
    assert said in " ".join(one.obstacles)


def test_a_gpu_of_no_table() -> None:
    gpu = Known((Gpu(0, "NVIDIA Experimental 1", "nvidia"),), source="test")
    machine = made(L4)
    machine = Machine(msgspec.structs.replace(machine.facts, readings=machine.facts.readings | {"gpus": gpu}))
    assert "--what-if cc=X.Y" in container.choose(machine).obstacles[0]


def test_of_two_gpus_the_one_that_can_is_named() -> None:
    one = chosen("gpu=Tesla T4", "gpu=NVIDIA GeForce RTX 4090", "torch=2.8.0")
    assert "CUDA_VISIBLE_DEVICES=1" in one.obstacles[-1]


def test_only_the_visible_gpus_go_in() -> None:
    machine = made("gpu=Tesla T4", "gpu=NVIDIA GeForce RTX 4090", "gpu=NVIDIA L4", "torch=2.8.0")
    readings = machine.facts.readings | {"environment": Known({"CUDA_VISIBLE_DEVICES": "1,2"}, source="test")}
    machine = Machine(msgspec.structs.replace(machine.facts, readings=readings))
    one = container.choose(machine)
    assert one.run[3:5] == ("--gpus", '"device=1,2"')
    assert "'\"device=1,2\"'" in shlex.join(one.run)
    podman = container.choose(with_tools(machine, "podman"))
    assert podman.run[3:7] == ("--device", "nvidia.com/gpu=1", "--device", "nvidia.com/gpu=2")


def test_podman_takes_cdi() -> None:
    one = container.choose(with_tools(made(L4, "torch=2.8.0"), "podman", "nvidia-ctk"))
    assert one.run[:5] == ("podman", "run", "--rm", "--device", "nvidia.com/gpu=all")
    assert one.build[0] == "podman"
    assert one.needs == ()
    assert any("CDI" in warning for warning in one.warnings)


def test_everything_is_there() -> None:
    one = container.choose(with_tools(made(L4, "torch=2.8.0"), "docker", "nvidia-ctk", "podman"))
    assert one.run[0] == "docker"
    assert one.needs == one.prepare == ()


def test_the_toolkit_is_missing() -> None:
    one = container.choose(with_tools(made(L4, "torch=2.8.0"), "docker"))
    assert [needed for needed in one.needs if "Container Toolkit" in needed]
    assert any(command.startswith("sudo nvidia-ctk runtime configure") for command in one.prepare)
    wsl = container.choose(with_tools(made(L4, "torch=2.8.0", "wsl=true"), "docker"))
    assert "unless this is Docker Desktop" in wsl.needs[0]
    windows = container.choose(with_tools(made(L4, "torch=2.8.0", "os=windows"), "docker"))
    assert windows.needs == ()


def test_inside_a_container() -> None:
    one = chosen(L4, "torch=2.8.0", "container=true")
    assert any("inside of a container" in warning for warning in one.warnings)


def test_a_vendors_torch_cannot_be_fetched() -> None:
    one = chosen(H100, "torch=2.8.0a0+34c6371d24.nv25.08")
    assert any("no release that could be fetched" in warning for warning in one.warnings)
    assert "a0" not in (one.torch or "")


@pytest.mark.parametrize("backend", sorted(backends()))
def test_a_compiler_only_where_one_runs(backend: str) -> None:
    one = chosen(H100, "torch=2.8.0", backend=backend)
    assert ("gcc" in text(one)) == (backend in ("triton", "sage_attention", "flex_attention"))
    assert one.build_image is None


@pytest.mark.parametrize("wish", ["two", "2", "2.8.0+cpu", "2.8\n", "2.8.0; rm -rf /", "\u0662.8"])
def test_a_wish_that_cannot_be_read(wish: str) -> None:
    with pytest.raises(UsageError, match="--torch"):
        chosen(L4, torch=wish)


def test_a_torch_that_never_existed() -> None:
    one = chosen(L4, torch="2.99")
    assert one.dockerfile is None
    assert "torch 2.99" in one.obstacles[0]


def test_flex_attention_needs_its_torch() -> None:
    one = chosen(L4, "torch=2.4.1", backend="flex_attention")
    assert numbers(one.torch or "") >= (2, 5)


# what is written there runs: the proof, and the file with a digest


def proof(one: Container) -> list[str]:
    run = [found.text for found in parse(text(one), "x") if found.name == "RUN" and found.text.startswith("python -c")]
    return shlex.split(run[-1])[1:]


def site(tmp_path: Path, torch: str, cuda: str, extension: bool) -> Path:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        f'__version__ = "{torch}"\nclass version:\n    cuda = "{cuda}"\n', encoding="utf-8"
    )
    info = tmp_path / "flash_attn-2.8.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flash-attn\nVersion: 2.8.3\n", encoding="utf-8")
    name = "flash_attn_2_cuda.cpython-312-x86_64-linux-gnu.so"
    (info / "RECORD").write_text(f"{name},,\nflash_attn/__init__.py,,\n", encoding="utf-8")
    if extension:
        (tmp_path / name).write_bytes(b"\x7fELF")
    return tmp_path


@pytest.mark.parametrize(
    ("torch", "cuda", "extension", "code"),
    [("2.8.0+cu128", "12.8", True, 0), ("2.8.0+cu126", "12.6", True, 1), ("2.8.0+cu128", "12.8", False, 1)],
)
def test_the_last_run_proves_something(torch: str, cuda: str, extension: bool, code: int, tmp_path: Path) -> None:
    arguments = proof(chosen(L4, "torch=2.8.0"))
    folder = site(tmp_path, torch, cuda, extension)
    done = subprocess.run(
        [sys.executable, *arguments],
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert ("AssertionError" in done.stderr) == bool(code)
    assert (done.stdout == "2.8.0+cu128 2.8.3\n") == (code == 0)


def test_the_document_is_json() -> None:
    one = chosen(L4, "torch=2.8.0")
    document = json.loads(msgspec.json.encode(one))
    assert document["schema"] == "attn-doctor/docker/1"
    assert msgspec.json.decode(msgspec.json.encode(one), type=Container) == one
