"""The whole gather, as `facts` and `check`, on a machine whose libnvidia-ml is a real library."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Ran

    Machine = Callable[[str], dict[str, str]]
    Cli = Callable[..., Ran]

pytestmark = pytest.mark.skipif(
    os.path.exists("/proc/driver/nvidia") or bool(os.environ.get("NVIDIA_DRIVER_CAPABILITIES")),
    reason="this machine has an NVIDIA driver of its own",
)

HEALTHY = "driver 550.144.03\nnvml 12.550.144.03\ncuda 12040\n"
A100 = 'device name="NVIDIA A100-SXM4-80GB" cc=8.0 memory=85899345920 pci=0x20B210DE mig=0'
T4 = 'device name="Tesla T4" cc=7.5 memory=16106127360 pci=0x1EB810DE'
SOON_S = 30  # generous: the answer itself takes about a second


def readings(cli: Cli, env: dict[str, str]) -> Any:
    ran = cli("facts", env=env)
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.json()["readings"]


def report(cli: Cli, env: dict[str, str], code: int) -> Any:
    ran = cli("check", "--format", "json", env=env)
    assert ran.code == code, ran
    assert "Traceback" not in ran.err
    return ran.json()


def test_one_gpu(cli: Cli, nvml_machine: Machine) -> None:
    found = readings(cli, nvml_machine(HEALTHY + A100))
    driver, gpus = found["driver"], found["gpus"]
    assert (driver["status"], driver["source"], driver["value"]["fault"]) == ("known", "NVML", None)
    assert (driver["value"]["version"], driver["value"]["cuda"]) == ("550.144.03", "12.4")
    (gpu,) = gpus["value"]
    assert gpus["source"] == "NVML"
    assert (gpu["name"], gpu["compute_capability"], gpu["memory_bytes"]) == (
        "NVIDIA A100-SXM4-80GB",
        "8.0",
        85899345920,
    )
    assert (gpu["vendor"], gpu["mig"], gpu["fault"]) == ("nvidia", None, None)


def test_eight_gpus(cli: Cli, nvml_machine: Machine) -> None:
    gpus = readings(cli, nvml_machine(HEALTHY + f"{A100}\n" * 8))["gpus"]["value"]
    assert [gpu["index"] for gpu in gpus] == list(range(8))
    assert {gpu["name"] for gpu in gpus} == {"NVIDIA A100-SXM4-80GB"}


def test_two_generations_are_both_judged(cli: Cli, nvml_machine: Machine) -> None:
    """F24: FlashAttention 2 runs on the A100 and not on the T4, whichever comes first."""
    answers = []
    for order in ((A100, T4), (T4, A100)):
        env = nvml_machine(HEALTHY + "\n".join(order))
        found = report(cli, env, 0)
        assert {gpu["compute_capability"] for gpu in found["facts"]["readings"]["gpus"]["value"]} == {"7.5", "8.0"}
        fa2 = next(row for row in found["backends"] if row["name"] == "flash_attention_2")
        assert "7.5" in " ".join(fa2["reasons"]), fa2
        answers.append((fa2["status"], found["recommendation"]["best"]))
    assert answers[0] == answers[1]
    assert answers[0][0] == "unsupported"
    assert answers[0][1] != "flash_attention_2"


def test_mig(cli: Cli, nvml_machine: Machine) -> None:
    instance = 'migdevice parent=0 slot={} name="NVIDIA A100-SXM4-80GB MIG 1g.10gb" memory=10200547328\n'
    text = HEALTHY + A100.replace("mig=0", "mig=1") + "\n" + instance.format(0) + instance.format(3)
    (gpu,) = readings(cli, nvml_machine(text))["gpus"]["value"]
    assert gpu["mig"] == {
        "instances": ["NVIDIA A100-SXM4-80GB MIG 1g.10gb"] * 2,
        "memory_bytes": [10200547328] * 2,
    }


def test_a_lost_gpu_is_a_finding_and_hides_no_other(cli: Cli, nvml_machine: Machine) -> None:
    found = report(cli, nvml_machine(HEALTHY + f"{A100}\n{A100} lost=15\n{T4}\n"), 1)
    assert [gpu["fault"] for gpu in found["facts"]["readings"]["gpus"]["value"]] == [None, "GPU is lost", None]
    assert any("GPU 1: GPU is lost" in row["detail"] for row in found["findings"])


def test_no_nvidia_smi_on_path(cli: Cli, nvml_machine: Machine, tmp_path: Path) -> None:
    """F2: a slim container has the library and no programs."""
    (tmp_path / "empty").mkdir()
    found = readings(cli, nvml_machine(HEALTHY + A100) | {"PATH": str(tmp_path / "empty")})
    assert found["driver"]["value"]["version"] == "550.144.03"
    assert len(found["gpus"]["value"]) == 1


def test_the_check_of_a_slim_container_does_not_miss_the_driver(
    cli: Cli, nvml_machine: Machine, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    found = report(cli, nvml_machine(HEALTHY + A100) | {"PATH": str(tmp_path / "empty")}, 0)
    words = " ".join(row["title"] + " " + row["detail"] for row in found["findings"])
    assert "driver" not in words.lower(), words


def test_a_mismatch_is_no_machine_without_a_driver(cli: Cli, nvml_machine: Machine) -> None:
    env = nvml_machine(HEALTHY + f"init 18\n{A100}")
    found = readings(cli, env)
    for name in ("driver", "gpus"):
        assert found[name]["status"] == "unknown", found[name]
        assert "Driver/library version mismatch" in found[name]["reason"]
    report(cli, env, 3)


def test_a_library_without_a_driver_is_a_machine_without_one(cli: Cli, nvml_machine: Machine) -> None:
    found = readings(cli, nvml_machine("nvml 12.550.144.03\ncuda 0\ninit 9"))
    assert (found["driver"]["status"], found["gpus"]["status"]) == ("absent", "absent")


@pytest.mark.parametrize("where", ["init hang", f"{A100} hang=memory"], ids=["init", "memory"])
def test_a_driver_that_hangs(cli: Cli, nvml_machine: Machine, where: str) -> None:
    env = nvml_machine(HEALTHY + where) | {"ATTN_DOCTOR_PROBE_TIMEOUT": "1"}
    began = time.monotonic()
    found = report(cli, env, 3)
    assert time.monotonic() - began < SOON_S
    readings = found["facts"]["readings"]
    for name in ("driver", "gpus"):
        assert readings[name]["status"] == "unknown", readings[name]
        assert "no answer within 1 s" in readings[name]["reason"]
    # nobody else pays for it
    unknown = {name for name, reading in readings.items() if reading["status"] == "unknown"}
    assert unknown == {"driver", "gpus"}


@pytest.mark.parametrize("where", ["init crash", f"{A100} crash=memory"], ids=["init", "memory"])
def test_a_driver_that_crashes(cli: Cli, nvml_machine: Machine, where: str) -> None:
    found = report(cli, nvml_machine(HEALTHY + where), 3)
    for name in ("driver", "gpus"):
        reading = found["facts"]["readings"][name]
        assert reading == {"status": "unknown", "reason": "NVML crashed (signal 11)"}


def test_a_verdict_that_could_not_be_reached_is_said_in_text_too(cli: Cli, nvml_machine: Machine) -> None:
    ran = cli("check", env=nvml_machine(HEALTHY + "init crash"))
    assert ran.code == 3
    assert "NVML crashed" in ran.out
    assert "Traceback" not in ran.out + ran.err


def test_the_same_bytes_with_a_gpu(cli: Cli, nvml_machine: Machine) -> None:
    env = nvml_machine(HEALTHY + f"{A100}\n{T4}\n")
    first, second = (cli("facts", env=env).json()["readings"] for _ in range(2))
    assert (first["gpus"], first["driver"]) == (second["gpus"], second["driver"])
