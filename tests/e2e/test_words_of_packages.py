"""The words of frameworks, held against the packages: `scripts/check_words.py` on a real wheel and on made ones."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from support import clean_environment

SCRIPT = Path(__file__).parent.parent.parent / "scripts" / "check_words.py"
AXOLOTL = "0.19.0"


def checked(*files: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, files)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wheel(folder: Path, name: str, member: str, text: str) -> Path:
    file = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr(member, text)
    return file


def test_a_real_package(tmp_path: Path) -> None:
    fetched = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", f"axolotl=={AXOLOTL}"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if fetched.returncode:
        pytest.skip(f"pip brings no axolotl {AXOLOTL} here")
    done = checked(*tmp_path.glob("*.whl"))
    assert (done.returncode, "accepts all" in done.stdout) == (0, True), done.stdout + done.stderr


def test_a_word_that_is_gone_is_named(tmp_path: Path) -> None:
    text = 'ATTENTION_BACKEND_CHOICES = ["triton", "torch_native", "fa4", "flex_attention"]\n'
    done = checked(wheel(tmp_path, "sglang", "sglang/srt/arg_groups/choices.py", text))
    assert done.returncode == 1
    assert "does not accept fa3" in done.stdout


def test_vllm_is_read_by_its_enum(tmp_path: Path) -> None:
    text = 'class AttentionBackendEnum:\n    FLASH_ATTN = "a"\n    TRITON_ATTN = "b"\n    FLEX_ATTENTION = "c"\n'
    done = checked(wheel(tmp_path, "vllm", "vllm/v1/attention/backends/registry.py", text))
    assert (done.returncode, "accepts all 3 words" in done.stdout) == (0, True), done.stdout
