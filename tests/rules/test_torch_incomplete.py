"""AD319, AD320 and AD322: an environment whose interpreter or torch is there in part only, made for real."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import Need
from attn_doctor.machine.whatif import simulate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Ran

FILES = ("torch/__init__.py", "torch/version.py", "torch/nn/__init__.py", "torch/_C.cpython-311-x86_64-linux-gnu.so")
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment with a torch that has what its record says."""
    import venv as maker

    maker.create(tmp_path / "venv", with_pip=False, symlinks=True)
    site = tmp_path / f"venv/lib/python{MINOR}/site-packages"
    for name in FILES:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("__version__ = '2.13.0+cpu'\ncuda = None\n" if name.endswith("version.py") else "")
    metadata = site / "torch-2.13.0+cpu.dist-info"
    metadata.mkdir()
    (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in FILES))
    return tmp_path / "venv"


def site(venv: Path) -> Path:
    return venv / f"lib/python{MINOR}/site-packages"


def report(cli: Callable[..., Ran], venv: Path) -> Any:
    return cli("check", "--venv", venv, "--format", "json").json()


def codes(found: Any) -> set[str]:
    return {finding["code"] for finding in found["findings"]}


def test_a_whole_torch_is_left_alone(cli: Callable[..., Ran], venv: Path) -> None:
    found = report(cli, venv)
    assert not codes(found) & {"AD319", "AD320"}
    assert found["recommendation"]["use_now"] == "sdpa"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_named_and_nothing_is_recommended(
    cli: Callable[..., Ran], venv: Path, name: str
) -> None:
    (site(venv) / name).unlink()
    found = report(cli, venv)
    finding = next(finding for finding in found["findings"] if finding["code"] == "AD320")
    assert ("torch/_C" if "_C." in name else name) in finding["detail"]
    assert "2.13.0+cpu" in finding["fix"][0]
    assert "reinstall" in finding["fix"][0]
    assert found["recommendation"]["use_now"] is None
    assert not [verdict["name"] for verdict in found["backends"] if verdict["status"] == "ready"]


def test_what_was_never_recorded_is_not_missed(cli: Callable[..., Ran], venv: Path) -> None:
    (site(venv) / FILES[-1]).unlink()
    (site(venv) / "torch-2.13.0+cpu.dist-info/RECORD").unlink()
    assert "AD320" not in codes(report(cli, venv))


def test_files_without_a_record(cli: Callable[..., Ran], venv: Path) -> None:
    shutil.rmtree(site(venv) / "torch-2.13.0+cpu.dist-info")
    found = report(cli, venv)
    finding = next(finding for finding in found["findings"] if finding["code"] == "AD322")
    assert finding["severity"] == "warning"
    assert "torch==2.13.0+cpu" in finding["fix"][0]
    assert found["recommendation"]["use_now"] == "sdpa"  # it can be imported all the same


def of_a_source_tree(venv: Path) -> None:
    (site(venv) / "torch/version.py").write_text("__version__ = '2.13.0a0+git1234567'\ncuda = None\n")


def recorded_elsewhere(venv: Path) -> None:
    """As `pip install --editable` does."""
    tree = venv / "source"
    tree.mkdir()
    (site(venv) / "torch").rename(tree / "torch")
    (site(venv) / "torch.pth").write_text(f"{tree}\n")
    metadata = site(venv) / "torch-2.13.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: torch\nVersion: 2.13.0\n")


@pytest.mark.parametrize("build", [of_a_source_tree, recorded_elsewhere])
def test_a_torch_that_somebody_builds_needs_no_record(
    cli: Callable[..., Ran], venv: Path, build: Callable[[Path], None]
) -> None:
    shutil.rmtree(site(venv) / "torch-2.13.0+cpu.dist-info")
    build(venv)
    found = report(cli, venv)
    assert found["recommendation"]["use_now"] == "sdpa"
    assert "AD322" not in codes(found)


def test_an_interpreter_that_leads_nowhere(cli: Callable[..., Ran], venv: Path) -> None:
    for name in ("python", "python3", f"python{MINOR}"):
        link = venv / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("/there/is/no/python")
    found = report(cli, venv)
    finding = next(finding for finding in found["findings"] if finding["code"] == "AD319")
    assert finding["severity"] == "error"
    assert str(venv) in finding["fix"][0]


@pytest.mark.parametrize(
    "keys",
    [
        ("gpu=Tesla V100-SXM2-16GB", "torch=2.8.0+cu128"),
        ("gpu=Tesla V100-SXM2-16GB", "torch=2.13.0+cu126"),
        ("gpu=Tesla T4", "torch=2.8.0+cu128"),
        ("gpu=NVIDIA GeForce RTX 5090", "torch=2.9.1+cu128"),
    ],
)
def test_an_installable_xformers_is_ready_once_installed(keys: tuple[str, ...]) -> None:
    before = next(v for v in check(simulate(keys), Need()).backends if v.name == "xformers")
    if before.status == "installable" and "with torch" not in before.reasons[0]:
        version = before.reasons[0].partition(",")[0]
        after = next(
            v for v in check(simulate([*keys, f"pkg.xformers={version}"]), Need()).backends if v.name == "xformers"
        )
        assert after.status == "ready", after.reasons
    else:
        assert "V100" in keys[0], before.reasons
