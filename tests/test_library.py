"""attn_doctor.check(), as a script calls it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import attn_doctor
from attn_doctor.errors import NoTarget, UsageError


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
