from __future__ import annotations

from attn_doctor.machine.probes.ninja import PROBE as NINJA
from attn_doctor.machine.probes.tools import PROBE
from support import SITE, Described, ask, value


def test_what_is_on_path_and_the_pip_of_the_target() -> None:
    machine = Described(
        {f"{SITE}/pip-25.0.1.dist-info/METADATA": ""},
        executables={"/usr/bin/uv", "/opt/bin/docker", "/usr/bin/pip", "/elsewhere/conda"},
        env={"PATH": "/usr/bin:/opt/bin"},
    )
    assert value(ask(PROBE, machine)).found == {"docker": "/opt/bin/docker", "pip": "25.0.1", "uv": "/usr/bin/uv"}


def test_a_pip_elsewhere_is_not_the_pip_of_the_target() -> None:
    machine = Described(executables={"/usr/bin/pip"}, env={"PATH": "/usr/bin"})
    assert value(ask(PROBE, machine)).found == {}


def test_a_folder_of_that_name_or_a_file_that_cannot_run_is_no_tool() -> None:
    machine = Described({"/usr/bin/uv/": "", "/usr/bin/conda": ""}, env={"PATH": "/usr/bin::"})
    assert value(ask(PROBE, machine)).found == {}


def test_windows_finds_exe_and_cmd() -> None:
    machine = Described(
        system=("windows", "x86_64", "10"),
        executables={"C:/bin/uv.exe", "C:/conda/conda.cmd"},
        env={"PATH": "C:/bin;C:/conda"},
    )
    assert value(ask(PROBE, machine)).found == {"conda": "C:/conda/conda.cmd", "uv": "C:/bin/uv.exe"}


def test_ninja() -> None:
    package = Described({f"{SITE}/ninja-1.11.1.3.dist-info/METADATA": ""})
    assert value(ask(NINJA, package)).version == "1.11.1.3"
    assert value(ask(NINJA, package)).path == "/venv/bin/ninja"
    on_path = Described(executables={"/usr/bin/ninja"}, env={"PATH": "/usr/bin"})
    assert value(ask(NINJA, on_path)).path == "/usr/bin/ninja"
    assert type(ask(NINJA, Described())).__name__ == "Absent"
