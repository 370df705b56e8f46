"""AD215."""

from __future__ import annotations

import msgspec
import pytest

from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.system import System
from rules.rooted import finding, found, imagined

BUILDER = ("gpu=NVIDIA GeForce RTX 3090", "torch=2.8.0", "nvcc=12.8", "python=3.11")


def machine(headers: bool | None, distribution: str | None = None, *keys: str) -> Facts:
    facts = imagined(*(keys or BUILDER))
    python = msgspec.structs.replace(facts.readings["python"].value, headers=headers)
    readings = facts.readings | {
        "python": Known(python, source="test"),
        "system": Known(System("linux", "x86_64", distribution=distribution), source="test"),
    }
    return Facts(readings=readings)


@pytest.mark.parametrize(
    ("distribution", "fix"),
    [
        ("Ubuntu 22.04.5 LTS", ("sudo apt install python3.11-dev",)),
        ("Debian GNU/Linux 12 (bookworm)", ("sudo apt install python3.11-dev",)),
        ("Rocky Linux 9.4 (Blue Onyx)", ("sudo dnf install python3.11-devel",)),
        ("Arch Linux", ()),
        (None, ()),
    ],
)
def test_no_headers(distribution: str | None, fix: tuple[str, ...]) -> None:
    answer = found("AD215", machine(False, distribution))
    assert answer.severity == "info"
    assert "Python.h of Python 3.11 is not installed" in answer.detail
    assert answer.fix == fix


@pytest.mark.parametrize("headers", [True, None])
def test_silent_where_they_are_there_or_nobody_looked(headers: bool | None) -> None:
    assert finding("AD215", machine(headers)) is None


def test_silent_where_nothing_can_be_built_anyway() -> None:
    assert finding("AD215", machine(False, None, "gpu=NVIDIA GeForce RTX 3090", "torch=2.8.0")) is None
