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
        "3.12.3", kind="venv", prefix="/venv", executable="/venv/bin/python", chosen_by="--venv", headers=False
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


@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("/usr/bin", "/usr/include/python3.12/Python.h"),  # `home` of a pyvenv.cfg
        ("/usr", "/usr/include/python3.12/Python.h"),  # sys.base_prefix
        (None, "/venv/include/python3.12/Python.h"),  # conda and uv bring their own
    ],
)
def test_headers_are_looked_for_where_the_interpreter_has_them(base: str | None, place: str) -> None:
    target = msgspec.structs.replace(VENV, base=base)
    assert value(ask(PROBE, Described({place: ""}), target)).headers is True
    assert value(ask(PROBE, Described({place.replace("3.12", "3.11"): ""}), target)).headers is False


def test_headers_of_a_free_threaded_python_have_a_folder_of_their_own() -> None:
    target = msgspec.structs.replace(VENV, base="/usr/bin", free_threaded=True)
    assert value(ask(PROBE, Described({"/usr/include/python3.12/Python.h": ""}), target)).headers is False
    assert value(ask(PROBE, Described({"/usr/include/python3.12t/Python.h": ""}), target)).headers is True


def test_headers_are_a_question_for_linux_only() -> None:
    windows = Described(system=("windows", "x86_64", "10"))
    assert value(ask(PROBE, windows)).headers is None
    pypy = msgspec.structs.replace(VENV, implementation="pypy")
    assert value(ask(PROBE, Described(), pypy)).headers is None
