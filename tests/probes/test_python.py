from __future__ import annotations

import msgspec
import pytest

from attn_doctor.machine.probes.python import PROBE, Python
from support import VENV, Described, ask, value

MARKED = Described({"/usr/lib/python3.12/EXTERNALLY-MANAGED": "[externally-managed]\n"})
SYSTEM = msgspec.structs.replace(
    VENV, kind="system", prefix="/usr", python="/usr/bin/python3", stdlib="/usr/lib/python3.12"
)


@pytest.mark.parametrize(
    ("python", "tag"),
    [
        (Python("3.11.9"), "cp311"),
        (Python("3.9"), "cp39"),
        (Python("3.13.1", free_threaded=True), "cp313t"),
        (Python("3"), "cp30"),
    ],
)
def test_tag(python: Python, tag: str) -> None:
    assert python.tag == tag


def test_a_virtual_environment() -> None:
    reading = ask(PROBE, Described())
    assert value(reading) == Python(
        "3.12.3", kind="venv", prefix="/venv", executable="/venv/bin/python", chosen_by="--venv"
    )
    assert reading.source == "/venv/pyvenv.cfg"


def test_a_system_python_that_its_distribution_manages() -> None:
    reading = ask(PROBE, MARKED, SYSTEM)
    assert value(reading).externally_managed
    assert reading.source == "/usr/bin/python3"


def test_a_system_python_without_the_marker() -> None:
    assert not value(ask(PROBE, Described(), SYSTEM)).externally_managed


def test_the_marker_does_not_reach_into_virtual_environments() -> None:
    assert not value(ask(PROBE, MARKED, msgspec.structs.replace(SYSTEM, kind="venv"))).externally_managed


def test_a_conda_environment_may_be_marked_too() -> None:
    """PEP 668 asks for the marker wherever sys.prefix is sys.base_prefix."""
    conda = msgspec.structs.replace(SYSTEM, kind="conda")
    assert value(ask(PROBE, MARKED, conda)).externally_managed
