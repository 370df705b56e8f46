"""attn_doctor.check(), as a script calls it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import attn_doctor
from attn_doctor.errors import BadInput, BadPolicy, NoTarget, UsageError


def test_check_is_what_the_command_prints() -> None:
    report = attn_doctor.check(what_if=["gpu=NVIDIA L4", "driver=580.95.05", "torch=2.8.0+cu128"], need=["causal"])
    by_name = {verdict.name: verdict for verdict in report.backends}
    assert by_name["sdpa"].status == "ready"
    assert report.recommendation.use_now == "sdpa"
    assert report.needs == {"causal": "true"}


def test_what_is_wrong_with_a_call_is_an_error_with_a_sentence() -> None:
    with pytest.raises(UsageError, match="colour"):
        attn_doctor.check(what_if=["colour=blue"])
    with pytest.raises(NoTarget, match="no folder"):
        attn_doctor.check(venv="/there/is/none")


def test_importing_the_package_imports_nothing() -> None:
    script = "import sys; before = set(sys.modules); import attn_doctor; print(sorted(set(sys.modules) - before))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.strip() in ("['attn_doctor']", "['__future__', 'attn_doctor']")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="resolv"):
        _ = attn_doctor.resolv


# --- held to a policy

A100 = ("gpu=NVIDIA A100-SXM4-80GB", "driver=580.95.05", "torch=2.8.0")
POLICY = '[tool.attn-doctor]\nrequire = ["fa2"]\nneed = ["dtype=bf16"]\nwheel-sources = ["pypi"]\nfail-on = "warning"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that the script runs in."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "pyproject.toml").write_text(POLICY)
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def test_no_policy_is_read_unless_one_is_asked_for(folder: Path) -> None:
    assert folder
    for report in (attn_doctor.check(what_if=A100), attn_doctor.check(what_if=A100, policy=False)):
        assert (report.policy, report.needs, report.required) == (None, {}, {})


def test_the_policy_of_the_project_is_found_as_the_command_finds_it(folder: Path) -> None:
    held = attn_doctor.check(what_if=A100, policy=True)
    assert held.policy is not None
    assert held.policy.file.endswith("pyproject.toml")
    assert (held.needs, held.required, held.fail_on) == ({"dtype": "bf16"}, {"flash_attention_2": False}, "warning")
    (finding,) = [one for one in held.findings if one.code == "AD503"]
    assert f"which {held.policy.file}:4 does not allow" in finding.detail
    assert finding.location is not None
    assert attn_doctor.check(what_if=A100, policy=True, need=["dtype=fp16"]).needs == {"dtype": "fp16"}
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert attn_doctor.check(what_if=A100, policy=True).policy is None


@pytest.mark.parametrize("kind", [str, Path])
def test_a_policy_may_be_named(folder: Path, tmp_path: Path, kind: type) -> None:
    (tmp_path / "other.toml").write_text('versions.torch = ">=2.9"\n')
    report = attn_doctor.check(what_if=A100, policy=kind(tmp_path / "other.toml"))
    assert [one.code for one in report.findings if one.code.startswith("AD5")] == ["AD501"]
    with pytest.raises(BadInput, match="cannot read"):
        attn_doctor.check(policy=kind(folder / "none.toml"))


def test_what_is_wrong_with_a_policy_is_an_error_with_its_place(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.attn-doctor]\nrequires = ["fa2"]\n')
    with pytest.raises(BadPolicy, match=r"pyproject\.toml:2:1: unknown key 'requires'"):
        attn_doctor.check(policy=True)
    (folder / "pyproject.toml").write_text('[tool.attn-doctor]\ntarget.venv = "gone"\n')
    with pytest.raises(NoTarget, match=r"pyproject\.toml:2: target\.venv: "):
        attn_doctor.check(policy=True)


def test_resolve_reads_no_policy(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.attn-doctor\n")  # no TOML: whoever read it would say so
    script = """
import sys
import attn_doctor
from attn_doctor.errors import NoBackend
try:
    attn_doctor.resolve()
except NoBackend:
    pass
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder)
    assert "attn_doctor.here" in done.stdout
    assert "attn_doctor.policy" not in done.stdout
