"""One test for each wrong answer that published tools give: F1 to F24 and F40 to F46. None may be reproduced."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import imagined
from attn_doctor.reporters import formats
from imagined import advised_torches, checked, codes, judged, kernel, kernels, status, words
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

V100, P100, GTX1080 = "gpu=Tesla V100-SXM2-16GB", "gpu=Tesla P100-PCIE-16GB", "gpu=NVIDIA GeForce GTX 1080"
T4, A100, RTX3050 = "gpu=Tesla T4", "gpu=NVIDIA A100-SXM4-80GB", "gpu=NVIDIA GeForce RTX 3050"
RTX4090, RTX5090, H100 = "gpu=NVIDIA GeForce RTX 4090", "gpu=NVIDIA GeForce RTX 5090", "gpu=NVIDIA H100 80GB HBM3"
B200, GB10 = "gpu=NVIDIA B200", "gpu=NVIDIA GB10"
R580 = "driver=580.95.05"  # the last branch for Volta and older

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads a real Linux machine")


def raised(report: Any) -> list[str]:
    return codes(report, *imagined.SEEN)


def edited(edit: Callable[[dict[str, Any]], None], *keys: str) -> imagined.Called:
    """The report on facts changed by hand, for what no key can say."""
    document = json.loads(imagined.facts(*keys))
    edit(document["readings"])
    return imagined.call("check", "--facts", "-", "--format", "json", stdin=json.dumps(document))


def follow(keys: tuple[str, ...]) -> list[str]:
    """The torch builds that are advised on a machine; each must bring it to where sdpa runs and nothing is wrong."""
    advised = advised_torches(judged(*keys))
    others = [key for key in keys if not key.startswith("torch")]
    for torch in advised:
        after = checked(*others, f"torch={torch}", options=("--format", "json"))
        assert after.code == 0, f"{torch} is advised, and then: {raised(after.json())}"
        assert status(after.json(), "sdpa") == "ready", torch
    return advised


def cuda_of(torch: str) -> str:
    """'13.0' of the torch that `simulate` makes of it."""
    return json.loads(imagined.facts(f"torch={torch}"))["readings"]["torch"]["value"]["cuda"]


def test_f01_an_older_minor_of_the_same_major_serves() -> None:
    report = judged(RTX4090, "torch=2.9.1+cu128")
    assert raised(report) == []
    assert status(report, "sdpa") == "ready"
    assert "nightly" not in words(report).lower()
    assert raised(judged("gpu=NVIDIA GeForce RTX 3060", "arch=aarch64", "torch=2.11.0")) == []  # sm_80 on 8.6
    assert raised(judged("gpu=Orin", "arch=aarch64", "torch=2.11.0")) == []  # sm_80 on 8.7
    assert raised(judged(GB10, "arch=aarch64", "torch=2.11.0")) == []  # sm_120 on 12.1


@pytest.mark.parametrize(("gpu", "archs"), [(RTX4090, "sm_90"), (A100, "sm_86"), (H100, "sm_80"), (RTX5090, "sm_100")])
def test_f01_another_major_or_a_newer_minor_does_not_serve(gpu: str, archs: str) -> None:
    called = edited(lambda readings: readings["torch"]["value"].update(arch_list=[archs]), gpu, "torch=2.9.1")
    assert (called.code, codes(called.json(), "error")) == (1, ["AD103"])


@linux
def test_f02_a_driver_that_only_nvml_can_see(cli: Any, tmp_path: Path) -> None:
    nvml_library = pytest.importorskip("nvml_library")
    library = nvml_library.build(tmp_path)
    said = "driver 550.144.03\nnvml 12.550.144.03\ncuda 12040\n"
    said += 'device name="NVIDIA A100-SXM4-80GB" cc=8.0 memory=85899345920 pci=0x20B210DE mig=0\n'
    empty = tmp_path / "no-nvidia-smi"
    empty.mkdir()
    ran = cli("check", "--format", "json", env={"PATH": str(empty)} | nvml_library.config(tmp_path, said, library))
    readings = ran.json()["facts"]["readings"]
    assert readings["driver"]["status"] == "known", readings["driver"]
    assert readings["driver"]["value"]["version"] == "550.144.03"
    assert readings["gpus"]["value"][0]["compute_capability"] == "8.0"
    assert not {"AD102", "AD106"} & set(codes(ran.json()))


def toolkit(folder: Path, version: str) -> Path:
    """A toolkit as its installer leaves it, with an nvcc that says its version."""
    release = version + ".48"
    nvcc = folder / "bin" / "nvcc"
    nvcc.parent.mkdir(parents=True)
    (folder / "version.json").write_text(json.dumps({"cuda": {"name": "CUDA SDK", "version": release}}))
    (folder / "include").mkdir()
    number = int(version.partition(".")[0]) * 1000 + int(version.partition(".")[2]) * 10
    (folder / "include" / "cuda.h").write_text(f"#define CUDA_VERSION {number}\n")
    (folder / "nvvm" / "bin").mkdir(parents=True)
    said = f"nvcc: NVIDIA (R) Cuda compiler driver\\nCuda compilation tools, release {version}, V{release}\\n"
    nvcc.write_text(f'#!/bin/sh\nprintf "{said}"\n')
    nvcc.chmod(0o755)
    return folder


@linux
def test_f03_nvcc_on_path_is_found_without_cuda_home(cli: Any, tmp_path: Path) -> None:
    folder = toolkit(tmp_path / "cuda-13.0", "13.0")
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    ran = cli("check", "--format", "json", env={"PATH": path, "CUDA_HOME": None})
    toolkits = ran.json()["facts"]["readings"]["toolkits"]
    assert toolkits["status"] == "known", toolkits
    assert [found["version"] for found in toolkits["value"]["found"]][:1] == ["13.0"]
    assert "nvcc 13.0" in cli("check", env={"PATH": path, "CUDA_HOME": None}).out
    assert not re.search(r"nvcc (was )?not found|no nvcc|must install", words(ran.json()), re.IGNORECASE)


@pytest.mark.parametrize("driver", ["470.256.02", "535.183.01", "580.95.05", "615.71.09"])
@pytest.mark.parametrize("gpu", [A100, RTX5090, V100, "gpu=none"])
def test_f04_a_cpu_torch_beside_any_driver_is_a_sentence(gpu: str, driver: str) -> None:
    called = checked(gpu, f"driver={driver}", "torch=2.8.0+cpu")
    assert "Traceback" not in called.out + called.err
    assert called.code == (0 if gpu == "gpu=none" else 1)
    if gpu != "gpu=none":
        assert re.search(r"CPU build|build\s+without\s+CUDA", called.out)
        assert "AD104" in called.out


def test_f05_no_flash_attention_2_before_8_0() -> None:
    on_t4 = judged(T4, "torch=2.13.0+cu130", "nvcc=13.0")
    assert status(on_t4, "flash_attention_2") == "unsupported"
    assert "8.0" in " ".join(imagined.backend(on_t4, "flash_attention_2")["reasons"])
    assert raised(on_t4) == []
    on_p100 = checked(P100, R580, "torch=2.13.0+cu130", "nvcc=13.0", options=("--format", "json"))
    assert status(on_p100.json(), "flash_attention_2") == "unsupported"
    assert (on_p100.code, codes(on_p100.json(), "error")) == (1, ["AD103"])


def test_f06_a_wheel_needs_no_toolkit() -> None:
    report = judged(A100, "torch=2.8.0+cu128", "python=3.11", "nvcc=none", "gcc=none", "ninja=false")
    assert raised(report) == []
    one = imagined.backend(report, "flash_attention_2")
    assert one["status"] == "installable"
    assert "upstream" in " ".join(one["reasons"])
    assert "toolkit" not in words(report).lower()
    step = report["recommendation"]["next_step"]
    assert re.search(r"flash_attn-2\.8\.3[^/ ]*cu12torch2\.8cxx11abiTRUE-cp311-cp311-linux_x86_64\.whl", step), step


@pytest.mark.parametrize(
    ("torch", "nvcc"), [("2.14.0+cu132", "13.0"), ("2.15.0", "13.0"), ("2.8.0+cu128", "12.4"), ("2.8.0+cu126", "12.9")]
)
def test_f07_another_minor_is_no_finding(torch: str, nvcc: str) -> None:
    report = judged(A100, f"torch={torch}", f"nvcc={nvcc}")
    assert raised(report) == []
    assert "uninstall" not in words(report).lower()


def test_f08_a_toolkit_of_the_right_major_beside_the_other() -> None:
    called = checked(A100, "torch=2.8.0+cu129", "nvcc=13.0", options=("--format", "json"))
    assert called.code == 0
    (finding,) = [one for one in called.json()["findings"] if one["code"] == "AD214"]
    said = finding["detail"] + " ".join(finding["fix"])
    assert finding["severity"] == "warning"
    assert "12.9" in said
    assert "CUDA_HOME" in said
    assert re.search(r"beside|side by side|alongside", said)
    assert not re.search(r"upgrade|downgrade|uninstall|remove", said, re.IGNORECASE)
    assert status(called.json(), "flash_attention_2") == "installable"


@pytest.mark.parametrize("driver", ["525.60.13", "535.183.01", "550.144.03", "570.26"])
@pytest.mark.parametrize("torch", ["2.8.0+cu128", "2.8.0+cu129", "2.7.1+cu126"])
def test_f09_one_major_runs_on_every_driver_from_its_floor(driver: str, torch: str) -> None:
    called = checked(A100, f"driver={driver}", f"torch={torch}", options=("--format", "json"))
    assert (called.code, raised(called.json())) == (0, [])
    assert status(called.json(), "sdpa") == "ready"
    assert kernel(called.json()) == "flash"


@pytest.mark.parametrize(
    ("system", "driver", "torch", "serves"),
    [
        ("linux", "525.60.13", "2.8.0+cu128", True),
        ("linux", "525.60.11", "2.8.0+cu128", False),
        ("linux", "450.80.02", "2.7.1+cu118", True),
        ("linux", "450.51.06", "2.7.1+cu118", False),
        ("linux", "580.65.06", "2.13.0+cu130", True),
        ("linux", "580.65.06", "2.15.0+cu132", True),
        ("linux", "575.57.08", "2.13.0+cu130", False),
        ("windows", "527.41", "2.8.0+cu128", True),
        ("windows", "526.98", "2.8.0+cu128", False),
        ("windows", "452.39", "2.7.1+cu118", True),
        ("windows", "451.82", "2.7.1+cu118", False),
    ],
)
def test_f09_the_floor_of_each_major_is_exact(system: str, driver: str, torch: str, serves: bool) -> None:
    report = judged(f"os={system}", A100, f"driver={driver}", f"torch={torch}")
    assert ("AD101" in codes(report, "error")) is not serves


@pytest.mark.parametrize("torch", ["none", "2.13.0", "2.11.0+cu130"])
def test_f10_a_v100_is_sent_to_a_build_with_code_for_it(torch: str) -> None:
    advised = follow((V100, R580, f"torch={torch}"))
    assert advised, "no torch is advised"
    assert all(cuda_of(one).startswith("12.") for one in advised), advised


@pytest.mark.parametrize("form", formats())
def test_f11_no_code_for_the_gpu_is_exit_1_in_every_format(form: str) -> None:
    called = checked(V100, R580, "torch=2.13.0+cu130", options=("--format", form))
    assert called.code == 1
    assert "AD103" in called.out


def test_f12_no_ptx_no_kernel_image() -> None:
    keys = (RTX5090, "torch=2.5.1+cu124")
    called = checked(*keys, options=("--format", "json"))
    assert (called.code, codes(called.json(), "error")) == (1, ["AD103"])
    assert [one["name"] for one in called.json()["backends"] if one["status"] == "ready"] == []
    said = words(called.json())
    assert "no kernel image" in said
    assert not re.search(r"JIT|degraded", said)
    assert all(float(cuda_of(torch)) >= 12.8 for torch in follow(keys))
    assert follow(keys)


def test_f13_a_cuda_mismatch_is_not_wsl() -> None:
    keys = (A100, "torch=2.8.0+cu129", "nvcc=13.0")
    assert "wsl" not in checked(*keys, "wsl=false", options=("-v",)).out.lower()
    assert "wsl" in checked(*keys, "wsl=true", options=("-v",)).out.lower()


@linux
def test_f13_this_machine_says_what_its_kernel_says(cli: Any) -> None:
    release = Path("/proc/sys/kernel/osrelease").read_text(encoding="ascii").lower()
    system = cli("facts").json()["readings"]["system"]["value"]
    assert system["wsl"] is ("microsoft" in release)


@pytest.mark.parametrize("python", ["3.13", "3.14"])
def test_f14_a_new_python_is_judged_by_the_metadata(python: str) -> None:
    def reads(readings: dict[str, Any]) -> None:
        readings["torch"]["value"]["requires_python"] = ">=3.10"

    called = edited(reads, A100, f"python={python}", "torch=2.13.0")
    assert (called.code, raised(called.json())) == (0, [])
    assert status(called.json(), "sdpa") == "ready"
    assert not re.search(r"up to 3\.\d|[Pp]ython 3\.12", words(called.json()))


@pytest.mark.parametrize("driver", ["616.10", "999.10"])
def test_f15_a_driver_newer_than_the_table(driver: str) -> None:
    for torch in ("2.15.0", "2.13.0", "2.8.0", "2.7.1+cu118"):
        report = judged(A100, f"driver={driver}", f"torch={torch}")
        assert raised(report) == []
        assert status(report, "sdpa") == "ready"
        told = [one for one in report["findings"] if one["severity"] == "info" and driver in one["detail"]]
        assert told, "that the table is older than the driver is not said"
    assert "AD901" not in codes(judged(A100, "torch=2.8.0"))


@pytest.mark.parametrize("options", [(), ("--fail-on", "warning"), ("--fail-on", "never"), ("--require", "sdpa")])
@pytest.mark.parametrize(
    "keys", [(), ("torch=2.8.0+cpu",), (V100, R580, "torch=2.13.0"), (A100,), (A100, "torch=2.8.0")]
)
def test_f16_one_exit_code_whatever_the_format(keys: tuple[str, ...], options: tuple[str, ...]) -> None:
    found = {form: checked(*keys, options=(*options, "--format", form)).code for form in formats()}
    assert len(set(found.values())) == 1, found


def test_f16_nothing_installed_and_no_gpu_is_no_error() -> None:
    assert {checked(options=("--format", form)).code for form in formats()} == {0}


@linux
def test_f17_virtual_environments_in_the_working_folder_are_not_asked(cli: Any, tmp_path: Path) -> None:
    target, elsewhere, crowded = tmp_path / "target", tmp_path / "elsewhere", tmp_path / "crowded"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True, timeout=60)
    elsewhere.mkdir()
    touched = tmp_path / "touched"
    for number in range(10):
        bin_folder = crowded / f"env{number}" / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder.parent / "pyvenv.cfg").write_text(f"home = {bin_folder}\nversion = 3.11.9\n")
        packages = bin_folder.parent / "lib" / "python3.11" / "site-packages" / "torch-2.0.0.dist-info"
        packages.mkdir(parents=True)
        (packages / "METADATA").write_text("Name: torch\nVersion: 2.0.0\n")
        for name in ("python", "python3", "nvcc", "pip"):
            (bin_folder / name).write_text(f"#!/bin/sh\necho {name} >> {touched}\n")
            (bin_folder / name).chmod(0o755)
    there = cli("facts", "--venv", target, cwd=crowded)
    away = cli("facts", "--venv", target, cwd=elsewhere)
    assert there.code == away.code == 0
    assert not touched.exists(), "an interpreter of the working folder was started"
    assert str(crowded) not in there.out
    assert _without_free_space(there.json()) == _without_free_space(away.json())


def _without_free_space(document: Any) -> Any:
    for name in ("disk", "memory"):  # what other processes use changes between two calls
        document["readings"].pop(name)
    return document


def test_f19_xformers_has_wheels() -> None:
    for torch in ("2.8.0", "2.9.1+cu130", "2.10.0", "2.13.0"):
        one = imagined.backend(judged(A100, f"torch={torch}", "nvcc=none", "gcc=none"), "xformers")
        assert one["status"] == "installable", (torch, one)
        assert not re.search(r"compil|toolkit|nvcc", " ".join(one["reasons"])), one


def test_f19_the_torch_pin_of_xformers_decides() -> None:
    assert "0.0.32" in " ".join(imagined.backend(judged(A100, "torch=2.8.0"), "xformers")["reasons"])
    assert "0.0.33.post2" in " ".join(imagined.backend(judged(A100, "torch=2.9.1"), "xformers")["reasons"])
    with_another = judged(A100, "torch=2.8.0", "pkg.xformers=0.0.33.post2")
    assert status(with_another, "xformers") != "ready", "0.0.33.post2 pins torch 2.9.1"
    assert status(judged(A100, "torch=2.9.1", "pkg.xformers=0.0.33.post2"), "xformers") == "ready"


def test_f20_an_rtx_3050_runs_flash_attention_2() -> None:
    for torch in ("2.8.0", "2.7.1+cu118", "2.7.1", "2.13.0"):
        for python in ("3.11", "3.12"):
            assert status(judged(RTX3050, f"torch={torch}", f"python={python}"), "flash_attention_2") == "installable"
    installed = judged(RTX3050, "torch=2.8.0", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE")
    assert status(installed, "flash_attention_2") == "ready"


def test_f21_a_gpu_that_lies_idle_is_an_error_that_names_it() -> None:
    keys = (RTX5090, "torch=2.8.0+cpu")
    called = checked(*keys)
    assert called.code == 1
    assert "NVIDIA GeForce RTX 5090 lies idle" in called.out
    assert re.search(r"CPU build", called.out)
    assert all(float(cuda_of(torch)) >= 12.8 for torch in follow(keys))
    assert follow(keys)


@pytest.mark.parametrize(
    ("gpu", "driver"),
    [
        (V100, "580.95.05"),
        (T4, "550.144.03"),
        (A100, "470.256.02"),
        (A100, "535.183.01"),
        (RTX4090, "580.95.05"),
        (H100, "550.144.03"),
        (RTX5090, "570.26"),
        (RTX5090, "615.71.09"),
        (B200, "580.95.05"),
        (GTX1080, "535.183.01"),
    ],
)
@pytest.mark.parametrize("torch", ["none", "2.8.0+cpu", "2.13.0", "2.4.1+cu121"])
def test_f22_the_index_is_by_gpu_and_driver(gpu: str, driver: str, torch: str) -> None:
    keys = (gpu, f"driver={driver}", f"torch={torch}")
    advised = follow(keys)
    if checked(*keys, options=("--fail-on", "warning")).code:
        assert advised, "nothing is advised"
    if gpu in (RTX5090, B200) or torch != "2.4.1+cu121":
        assert not any(one.endswith("+cu121") for one in advised), advised


def test_f22_driver_470_runs_cuda_11_only() -> None:
    assert {cuda_of(torch) for torch in follow((A100, "driver=470.256.02", "torch=none"))} == {"11.8"}


@pytest.mark.parametrize("gpu", [V100, P100, GTX1080])
@pytest.mark.parametrize("torch", ["none", "2.15.0", "2.13.0+cu132"])
def test_f23_the_gpu_decides_as_well_as_the_driver(gpu: str, torch: str) -> None:
    advised = follow((gpu, R580, f"torch={torch}"))
    assert advised
    assert not any(cuda_of(one).startswith("13.") for one in advised), advised


@pytest.mark.parametrize("gpus", [(RTX4090, T4), (T4, RTX4090)])
def test_f24_what_runs_on_every_gpu_is_recommended(gpus: tuple[str, str]) -> None:
    report = judged(*gpus, "torch=2.8.0")
    assert status(report, "flash_attention_2") == "unsupported"
    assert kernels(report) == {"NVIDIA GeForce RTX 4090": "flash", "Tesla T4": "mem_efficient"}
    assert report["recommendation"]["use_now"] == "sdpa"
    assert report["recommendation"]["best"] != "flash_attention_2"
    here = {gpu["name"]: gpu["status"] for gpu in imagined.backend(report, "flash_attention_2")["gpus"]}
    assert here == {"NVIDIA GeForce RTX 4090": "installable", "Tesla T4": "unsupported"}


@pytest.mark.parametrize("gpus", [(RTX4090, V100), (V100, RTX4090)])
def test_f24_a_gpu_without_code_is_named_wherever_it_stands(gpus: tuple[str, str]) -> None:
    report = judged(*gpus, R580, "torch=2.13.0")
    (finding,) = [one for one in report["findings"] if one["code"] == "AD103"]
    assert "V100" in finding["detail"]
    assert f"GPU {gpus.index(V100)}" in finding["detail"]
    assert "RTX 4090" not in finding["detail"]


NO_NETWORK = """
import os, socket
def refuse(*a, **k):
    with open(os.environ["TOUCHED"], "a") as file:
        file.write(repr(a) + "\\n")
    raise OSError("no network in this test")
class Closed(socket.socket):
    __init__ = connect = connect_ex = sendto = refuse
socket.socket = Closed
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
"""


def run_without_network(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    environment = clean_environment() | {"PYTHONPATH": str(folder), "TOUCHED": str(folder / "touched")}
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("check", "--help"), 0),
        (("facts",), 0),
        (("rule", "AD103"), 0),
        (("check", "--facts", "-"), 0),
    ],
)
def test_f40_no_network_call(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    done = run_without_network(tmp_path, "-m", "attn_doctor", *arguments, stdin=imagined.facts(A100, "torch=2.8.0"))
    assert done.returncode == code, done.stderr
    assert not (tmp_path / "touched").exists()


def test_f40_a_check_of_this_machine_makes_no_network_call(tmp_path: Path) -> None:
    done = run_without_network(tmp_path, "-m", "attn_doctor", "check", "--format", "json")
    assert json.loads(done.stdout)["schema"] == "attn-doctor/report/1"
    assert not (tmp_path / "touched").exists()


def test_f40_the_trap_of_these_tests_closes(tmp_path: Path) -> None:
    done = run_without_network(tmp_path, "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9/')")
    assert done.returncode == 1
    assert (tmp_path / "touched").exists()


def test_f41_nothing_that_is_read_can_become_a_command() -> None:
    package = Path(imagined.whatif.__file__).parents[1]
    patterns = r"shell\s*=\s*True|os\.system\(|os\.popen\(|(?<![\w.])(eval|exec)\(|pickle\.load|getoutput\("
    for file in package.rglob("*.py"):
        assert not re.search(patterns, file.read_text(encoding="utf-8")), file


def test_f42_versions_are_compared_as_versions() -> None:
    # flash-attn 2.10 has the softcap that came with 2.6, and the code for 12.0 that came with 2.7.3
    softcap = judged(A100, "torch=2.8.0", "pkg.flash-attn=2.10.0", need=("softcap",))
    assert status(softcap, "flash_attention_2") == "ready"
    assert status(judged(RTX5090, "torch=2.8.0", "pkg.flash-attn=2.10.0"), "flash_attention_2") == "ready"
    # as a float torch 2.10 would be 2.1, with FlashAttention 1, no FlexAttention and no code for 12.0
    recent = judged(RTX5090, "torch=2.10.0")
    assert kernel(recent) == "flash"
    assert status(recent, "flex_attention") == "ready"
    # as a float nvcc 12.10 would be older than 12.8, the first that compiles for 12.0
    keys = (RTX5090, "torch=2.8.0", "python=3.9", "ram=256GiB", "gcc=12.2")
    refused = judged(*keys, "nvcc=12.1")
    allowed = judged(*keys, "nvcc=12.10")
    assert raised(allowed) == []
    assert status(allowed, "flash_attention_2") == "installable"
    assert "12.10 is older" not in words(allowed)
    assert "12.10" not in words(refused)
    # as a string driver 1000 would be older than 580
    assert raised(judged(A100, "driver=1000.10", "torch=2.13.0")) == []


def test_f43_text_table_and_recommendation_are_one_verdict() -> None:
    for keys in (
        (),
        (A100,),
        (A100, "torch=2.8.0"),
        (A100, "torch=2.8.0+cpu"),
        (V100, R580, "torch=2.13.0"),
        (RTX4090, T4),
    ):
        report = judged(*keys)
        assert imagined.inconsistencies(report) == []
        text = checked(*keys).out
        for one in report["backends"]:
            assert re.search(rf"{one['name']} +{one['status']}\b", text), one["name"]
        if not codes(report, "error"):
            use_now = report["recommendation"]["use_now"]
            assert (f"Use {use_now}" in text) if use_now else ("Use " not in text)


@linux
@pytest.mark.parametrize("kind", ["exec", "link"])
def test_f44_a_wrapper_is_no_second_toolkit(cli: Any, tmp_path: Path, kind: str) -> None:
    folder = toolkit(tmp_path / "cuda-12.8", "12.8")
    real = folder / "bin" / "nvcc"
    wrapper = tmp_path / "wrappers" / "nvcc"
    wrapper.parent.mkdir()
    if kind == "link":
        wrapper.symlink_to(real)
    else:
        wrapper.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
        wrapper.chmod(0o755)
    path = os.pathsep.join([str(wrapper.parent), str(real.parent), os.environ["PATH"]])
    toolkits = cli("facts", env={"PATH": path}).json()["readings"]["toolkits"]["value"]
    ours = [found for found in toolkits["found"] if str(tmp_path) in json.dumps(found)]
    assert len(ours) == 1, ours
    assert ours[0]["version"] == "12.8"
    assert str(wrapper.parent) not in json.dumps(ours[0])


def test_f45_json_flag_is_refused() -> None:
    for command in ("check", "facts", "simulate", "rule"):
        called = imagined.call(command, "--json")
        assert called.code == 2
        assert called.out == ""
        assert "--json" in called.err


# a transformers of one model
MINIATURE = {
    "transformers-4.57.6.dist-info/METADATA": "",
    "transformers/modeling_utils.py": "class PreTrainedModel:\n    _supports_sdpa = False\n",
    "transformers/models/auto/configuration_auto.py": 'CONFIG_MAPPING_NAMES = {"tiny": "TinyConfig"}\n',
    "transformers/models/auto/modeling_auto.py": 'MODEL_MAPPING_NAMES = {"tiny": "TinyModel"}\n',
    "transformers/models/tiny/modeling_tiny.py": "from ...modeling_utils import PreTrainedModel\n"
    "class TinyModel(PreTrainedModel):\n    _supports_sdpa = True\n",
}
# every option of `check` and `facts`: what is given with it, and how the answer then differs from the plain one
OTHER_FACTS = imagined.facts(H100, "torch=2.13.0")


def options_of(command: str) -> set[str]:
    return set(re.findall(r"(?:^|\s)(--[a-z][a-z-]*)", imagined.call(command, "--help").out.partition("Options:")[2]))


def reads_a_model(command: str, venv: Path) -> bool:
    site = next(venv.glob("lib/python3*/site-packages"))
    for name, text in MINIATURE.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    called = imagined.call(command, "--venv", str(venv), "--model", "tiny", "--format", "json")
    return called.json()["model"]["parts"][0]["architecture"] == "TinyModel"


def proofs(folder: Path) -> dict[str, Callable[[str], bool]]:
    plain = imagined.facts(A100, "torch=2.8.0", "nvcc=11.8")  # a warning stands in it
    venv = folder / "venv"
    other = folder / "other.json"
    other.write_bytes(OTHER_FACTS)

    def answer(command: str, *options: str) -> tuple[int, str]:
        called = imagined.call(command, "--facts", "-", *options, stdin=plain)
        return called.code, called.out

    def differs(*options: str) -> Callable[[str], bool]:
        return lambda command: answer(command, *options) != answer(command)

    def targets(option: str, value: str) -> Callable[[str], bool]:
        def there(command: str) -> bool:
            called = imagined.call(command, option, value, *([] if command == "facts" else ["--format", "json"]))
            document = called.json()
            python = (document["facts"] if command == "check" else document)["readings"]["python"]["value"]
            return python["prefix"] == str(venv) and imagined.call(command, option, str(folder / "none")).code == 2

        return there

    def deepens(command: str) -> bool:
        def deep_reading(*options: str) -> str:
            form = () if command == "facts" else ("--format", "json")
            document = imagined.call(command, "--venv", str(venv), *form, *options).json()
            return (document["facts"] if command == "check" else document)["readings"]["deep"]["status"]

        return (deep_reading(), deep_reading("--deep")) == ("absent", "known") and answer(command, "--deep")[0] == 2

    def written(command: str) -> bool:
        file = folder / f"{command}.out"
        return (
            answer(command, "--output", str(file))[1] == "" and file.read_text(encoding="utf-8") == answer(command)[1]
        )

    def leaves_names_in(command: str) -> bool:
        private = plain.replace(b"/usr/local/", b"/home/somebody/")
        said = [imagined.call(command, "--facts", "-", *options, stdin=private).out for options in ((), ("--as-is",))]
        return ["somebody" in one for one in said] == [False, True]

    policy = folder / "attn-doctor.toml"
    policy.write_text('fail-on = "warning"\n', encoding="utf-8")

    def leaves_the_policy(command: str) -> bool:
        before = os.getcwd()
        os.chdir(folder)
        try:
            return [answer(command, *options)[0] for options in ((), ("--no-policy",))] == [1, 0]
        finally:
            os.chdir(before)

    return {
        "--as-is": leaves_names_in,
        "--policy": differs("--policy", str(policy)),
        "--no-policy": leaves_the_policy,
        "--model": lambda command: reads_a_model(command, venv),
        "--python": targets("--python", str(venv / "bin" / "python")),
        "--venv": targets("--venv", str(venv)),
        "--facts": lambda command: imagined.call(command, "--facts", str(other)).out != answer(command)[1],
        "--what-if": differs("--what-if", "torch=2.13.0"),
        "--need": differs("--need", "dtype=fp8"),
        "--require": differs("--require", "fa2"),
        "--fail-on": differs("--fail-on", "warning"),
        "--ignore": differs("--ignore", "AD214"),
        "--format": lambda command: (
            answer(command, "--format", "text" if command == "facts" else "json") != answer(command)
        ),
        "--output": written,
        "--deep": deepens,
        "--offline": lambda command: answer(command, "--offline") == answer(command),  # no call to leave out: see F40
        "--verbose": differs("--verbose"),
        "--help": differs("--help"),
    }


@linux
@pytest.mark.parametrize("command", ["check", "facts"])
def test_f45_every_option_does_something_or_is_refused(command: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    proof = proofs(tmp_path)
    contract = {"--python", "--venv", "--facts", "--what-if", "--format", "--output", "--offline"}
    if command == "check":
        contract |= {"--need", "--require", "--fail-on", "--ignore"}
    offered = options_of(command)
    assert contract <= offered
    assert offered <= proof.keys(), f"no proof that these do something: {offered - proof.keys()}"
    assert [option for option in sorted(offered) if not proof[option](command)] == []
    for option in sorted(proof.keys() - offered):
        assert imagined.call(command, option, "x").code == 2, f"{option} is not offered and not refused"


@pytest.mark.parametrize("nvcc", ["12.8", "13.0"])
@pytest.mark.parametrize("gpu", [A100, RTX5090])
def test_f46_a_cpu_torch_is_the_cause_and_not_nvcc(gpu: str, nvcc: str) -> None:
    called = checked(gpu, f"nvcc={nvcc}", "torch=2.8.0+cpu", options=("--format", "json"))
    assert (called.code, raised(called.json())) == (1, ["AD104"])
    said = words(called.json())
    assert not re.search(
        r"nvcc (was )?not found|no nvcc|nvcc is missing|install (the )?(CUDA )?toolkit", said, re.IGNORECASE
    )
    reasons = " ".join(imagined.backend(called.json(), "flash_attention_2")["reasons"])
    assert "CPU build" in reasons
    assert "nvcc" not in reasons
