"""`snippet --model` speaks of one environment, also where the policy of the project names it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import imagined

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_model_is_read_in_the_target_of_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True, timeout=60)
    site = next(venv.glob("[Ll]ib*/**/site-packages"))
    for name, version in (("torch", "2.8.0+cpu"), ("transformers", "5.3.0")):
        (site / name).mkdir()
        (site / name / "version.py").write_text(f"__version__ = {version!r}\ncuda = None\nhip = None\n")
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (site / "transformers" / "modeling_utils.py").write_text(
        "class PreTrainedModel:\n    _supports_sdpa = False\n    _supports_flash_attn = False\n"
    )
    (tmp_path / "attn-doctor.toml").write_text('target.venv = "env"\n')
    model = tmp_path / "own"
    model.mkdir()
    named = {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}
    (model / "config.json").write_text(
        json.dumps({"model_type": "own", "architectures": ["OwnForCausalLM"], "auto_map": named})
    )
    (model / "modeling_own.py").write_text(
        "from transformers import PreTrainedModel\nclass OwnForCausalLM(PreTrainedModel):\n    _supports_sdpa = False\n"
    )
    monkeypatch.chdir(tmp_path)
    called = imagined.call("snippet", "transformers", "--model", str(model), "--format", "json")
    assert called.code == 0, called
    assert called.json()["word"] == "eager", "the model supports no other"
