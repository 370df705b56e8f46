"""What is imported at start: exact where clocks are noisy."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import imagined
from support import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

NEVER = {"torch", "psutil", "asyncio", "importlib.metadata", "packaging.tags", "packaging.markers", "pydantic", "numpy"}
NETWORK = {"urllib.request", "http.client", "requests", "httpx"}


def modules_after(code: str, folder: Path) -> set[str]:
    """Every module that a new Python has imported once the code has run."""
    script = (
        f"import sys, json\nbefore = set(sys.modules)\n{code}\nprint(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=clean_environment(),
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return set(json.loads(done.stdout.splitlines()[-1]))


def modules_of(folder: Path, *arguments: str) -> set[str]:
    """The same for a command of attn-doctor; what it prints goes nowhere."""
    code = f"""
import contextlib, io
from attn_doctor.cli import main
try:
    with contextlib.redirect_stdout(io.StringIO()):
        main({list(arguments)!r})
except SystemExit as ended:
    assert ended.code in (0, 1), ended.code
"""
    return modules_after(code, folder)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("target")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=60)
    site = next((folder / "venv").glob("[Ll]ib*/**/site-packages"))
    torch = site / "torch"
    torch.mkdir()
    (torch / "__init__.py").write_text("raise SystemExit('torch was imported')\n")
    (torch / "version.py").write_text("__version__ = '2.8.0+cu128'\ncuda = '12.8'\nhip = None\n")
    (site / "torch-2.8.0+cu128.dist-info").mkdir()
    (site / "torch-2.8.0+cu128.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.8.0+cu128\n")
    return folder


@pytest.mark.parametrize(
    "options", [(), ("-v",), *(("--format", form) for form in ("json", "sarif", "html", "github"))]
)
def test_check_imports_nothing_slow(target: Path, options: tuple[str, ...]) -> None:
    imported = modules_of(target, "check", "--venv", str(target / "venv"), *options)
    assert "attn_doctor.judgement.check" in imported
    assert imported & (NEVER | NETWORK) == set()


@pytest.mark.parametrize("options", [("--format", "json"), ("--output", "report.txt")])
def test_rich_is_for_a_terminal_only(target: Path, options: tuple[str, ...]) -> None:
    imported = modules_of(target, "check", "--venv", str(target / "venv"), *options)
    assert {name for name in imported if name.partition(".")[0] == "rich"} == set()


def test_facts_of_a_file_need_no_probing(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_bytes(imagined.facts("gpu=NVIDIA L4", "torch=2.8.0"))
    imported = modules_of(tmp_path, "check", "--facts", "facts.json", "--format", "json")
    assert imported & (NEVER | NETWORK) == set()
    assert not {name for name in imported if name.partition(".")[0] in ("rich", "pynvml")}


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("rule", "--list"), ("simulate",), ("facts",)])
def test_no_command_imports_torch_or_the_network(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    imported = modules_of(tmp_path, *arguments)
    assert "attn_doctor.cli" in imported
    assert imported & (NEVER | NETWORK) == set()


def test_importing_the_package_imports_nothing(tmp_path: Path) -> None:
    imported = modules_after("import attn_doctor", tmp_path)
    assert "attn_doctor" in imported
    roots = {name.partition(".")[0] for name in imported}
    assert roots & {"typer", "click", "rich", "torch", "msgspec", "packaging", "psutil", "numpy"} == set()
    assert {name for name in imported if name.startswith("attn_doctor.")} == set()


def test_the_measure_itself_sees_an_import(tmp_path: Path) -> None:
    assert "importlib.metadata" in modules_after("import importlib.metadata", tmp_path)
