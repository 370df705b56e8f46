"""`attn-doctor repair --dry-run` as users and scripts call it: formats, exit codes, bad calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import attn_doctor
import imagined

A100 = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.9.1+cu128")
BROKEN = (*A100, "pkg.torchvision=0.23.0+cu128", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE")
SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/plan.json").read_text(encoding="utf-8"))


def repair(*arguments: str, keys: tuple[str, ...] = BROKEN, dry: bool = True) -> imagined.Called:
    return imagined.call(
        "repair", *arguments, *(("--dry-run",) if dry else ()), "--facts", "-", stdin=imagined.facts(*keys)
    )


@pytest.mark.parametrize("keys", [A100, BROKEN, (), ("torch=2.8.0+cpu",)])
def test_the_json_of_the_contract(keys: tuple[str, ...]) -> None:
    plan: Any = repair("--format", "json", keys=keys).json()
    jsonschema.validate(plan, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert plan["schema"] == "attn-doctor/plan/1"
    assert all(one["alternatives"] == [] for one in plan["alternatives"])


@pytest.mark.parametrize("form", ["text", "json", "sh"])
@pytest.mark.parametrize(("keys", "code"), [(A100, 0), (BROKEN, 0), ((*A100, "python=3.8"), 0), ((), 0)])
def test_one_exit_code_in_every_format(form: str, keys: tuple[str, ...], code: int) -> None:
    called = repair("--format", form, keys=keys)
    assert (called.code, called.err) == (code, "")
    assert called.out


def test_nothing_is_broken() -> None:
    plan: Any = repair("--format", "json", keys=A100).json()
    assert (plan["method"], plan["title"], plan["steps"], plan["changes"]) == ("none", "nothing to repair", [], [])
    assert "nothing to repair" in repair(keys=A100).out


def test_the_text_says_what_to_type_next() -> None:
    text = repair("--what-if", "pkg.torchaudio=2.8.0").out
    assert text.splitlines()[-1].strip() == (
        "attn-doctor repair --dry-run --facts - --what-if pkg.torchaudio=2.8.0 --format sh"
    )


def test_text_stays_in_80_columns_but_for_commands() -> None:
    text = repair().out
    own = [line for line in text.splitlines() if not line.startswith(("     ", "  ", "Nothing was changed."))]
    assert imagined.too_wide("\n".join(own)) == []


def test_the_script_does_what_the_plan_says() -> None:
    script = repair("--format", "sh").out
    plan: Any = repair("--format", "json").json()
    assert script.startswith("#!/bin/sh\n")
    for step in plan["steps"]:
        assert step["command"][-1] in script


def test_a_script_with_nothing_to_do_names_no_package() -> None:
    script = repair("--format", "sh", keys=()).out
    assert "None" not in script
    assert script.splitlines()[1:3] == [f"# attn-doctor {attn_doctor.__version__}", "# nothing to repair"]
    assert ": torch 2.9.1+cu128 for " in repair("--format", "sh", keys=A100).out.splitlines()[1]


def test_no_posix_script_for_windows() -> None:
    keys = ("os=windows", "gpu=NVIDIA GeForce RTX 4060", "torch=2.8.0+cpu")
    assert repair("--format", "sh", keys=keys).code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "html"), "--format html"),
        (("--yes",), "imagine a machine"),
        (("--yes", "--offline"), "--offline goes with --dry-run"),
    ],
)
def test_a_call_that_is_wrong(arguments: tuple[str, ...], said: str) -> None:
    called = repair(*arguments, dry=False)
    assert (called.code, called.out) == (2, "")
    assert said in called.err


def test_the_file_that_takes_the_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    called = repair("--format", "json", "--output", str(file))
    assert (called.code, called.out) == (0, "")
    assert json.loads(file.read_text())["title"].startswith("repair: ")
