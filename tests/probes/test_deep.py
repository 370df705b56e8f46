"""--deep: real imports in a real interpreter, of modules that raise, crash, hang, print rubbish, or work."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.machine.host import Completed, Failed
from attn_doctor.machine.probes.deep import Import, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

    Cli = Callable[..., Ran]

MODULES = {
    "works": "__version__ = '2.13.0'\n",
    "raises": "raise ImportError('undefined symbol: _ZN3c105ErrorC2ENS_14SourceLocationESs')\n",
    "aborts": "import os\nos.abort()\n",
    "exits": "import sys\nsys.exit(3)\n",
    "hangs": "import time\ntime.sleep(600)\n",
    "chatty": "print('ATTN_DOCTOR_' * 3)\nimport sys\nsys.stderr.write('warning\\n' * 20000)\n",
}


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import venv as maker

    folder = tmp_path_factory.mktemp("deep") / "venv"
    maker.create(folder, with_pip=False, symlinks=True)
    return folder


def install(venv: Path, text: str, version: str = "2.13.0+cpu") -> None:
    """A torch whose files are in order and whose import does `text`."""
    site = venv / f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    (site / "torch").mkdir(exist_ok=True)
    # what was compiled of another text of the same length within the same second would be taken for this one's
    shutil.rmtree(site / "torch/__pycache__", ignore_errors=True)
    (site / "torch/version.py").write_text(f"__version__ = '{version}'\ncuda = None\nhip = None\n")
    (site / "torch/__init__.py").write_text(text)
    (site / f"torch-{version}.dist-info").mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("works", None),
        ("raises", "ImportError: undefined symbol: _ZN3c105ErrorC2ENS_14SourceLocationESs"),
        ("aborts", "killed by signal 6"),
        ("exits", "SystemExit: 3"),
        ("hangs", "no answer within 2 s"),
        ("chatty", None),
    ],
)
def test_an_import_is_one_reading_however_it_ends(cli: Cli, venv: Path, name: str, error: str | None) -> None:
    install(venv, MODULES[name])
    called = cli("facts", "--deep", "--venv", str(venv), env={"ATTN_DOCTOR_PROBE_TIMEOUT": "2"})
    assert called.code == 0, called.err
    assert called.json()["readings"]["deep"]["value"]["torch"]["error"] == error


def test_a_failed_import_is_an_error_of_its_own(cli: Cli, venv: Path) -> None:
    install(venv, MODULES["raises"])
    called = cli("check", "--deep", "--venv", str(venv), "--format", "json")
    assert called.code == 1
    found = {finding["code"]: finding for finding in called.json()["findings"]}
    assert "undefined symbol" in found["AD420"]["detail"]
    assert "AD421" not in found


def test_an_import_that_says_another_version_contradicts_the_files(cli: Cli, venv: Path) -> None:
    install(venv, "__version__ = '2.9.1'\nclass _Nothing:\n    pass\nversion = _Nothing()\nversion.cuda = '12.8'\n")
    called = cli("check", "--deep", "--venv", str(venv), "--format", "json")
    found = {finding["code"]: finding for finding in called.json()["findings"]}
    assert "2.9.1" in found["AD421"]["detail"]
    assert "12.8" in found["AD421"]["detail"]


def test_a_working_import_says_nothing(cli: Cli, venv: Path) -> None:
    install(venv, "__version__ = '2.13.0+cpu'\n")
    called = cli("check", "--deep", "--venv", str(venv), "--format", "json")
    assert not {finding["code"] for finding in called.json()["findings"]} & {"AD420", "AD421"}


def test_nothing_is_imported_without_being_asked(cli: Cli, venv: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    install(venv, f"open({str(trace)!r}, 'w').close()\n")
    assert cli("check", "--venv", str(venv)).code in (0, 1)
    assert not trace.exists()
    cli("check", "--venv", str(venv), "--deep")
    assert trace.exists()


def test_deep_and_recorded_facts_exclude_each_other(cli: Cli, tmp_path: Path) -> None:
    called = cli("check", "--deep", "--facts", "-", input="{}")
    assert called.code == 2
    assert "--deep" in called.err


def test_parse() -> None:
    line = 'ATTN_DOCTOR_DEEP {"module": "torch", "error": null, "version": "2.8.0"}'
    assert parse(Completed(0, f"noise\n{line}\n", ""), "torch") == Import("torch", None, "2.8.0")
    assert parse(Completed(-11, "", ""), "torch").error == "killed by signal 11"
    assert parse(Completed(1, "", "Traceback\nOSError: boom\n"), "torch").error == "no answer: OSError: boom"
    assert parse(Completed(0, "ATTN_DOCTOR_DEEP {not json", ""), "torch").error == "no answer: exit status 0"
    assert parse(Failed("no answer within 2 s"), "torch").error == "no answer within 2 s"


def test_recorded_deep_facts_come_back(cli: Cli, venv: Path) -> None:
    install(venv, "__version__ = '2.13.0+cpu'\n")
    recorded = cli("facts", "--deep", "--venv", str(venv)).out
    assert json.loads(cli("facts", "--facts", "-", input=recorded).out) == json.loads(recorded)
