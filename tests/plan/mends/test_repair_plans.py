"""The plan that mends, by imagined machines: the smallest, what stands beside it, and what is true once it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import attn_doctor
from attn_doctor.judgement.rule import rules
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known, Unknown
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.deep import Import
from attn_doctor.machine.probes.leftovers import Leftovers
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.python import Python
from attn_doctor.machine.probes.tools import Tools
from attn_doctor.machine.probes.torch import TorchDist
from attn_doctor.plan import repair
from attn_doctor.plan.mends import _course
from attn_doctor.plan.mends._mend import UNREAD_TORCH, mends
from attn_doctor.plan.plan import Plan

MACHINES = sorted((Path(__file__).parents[2] / "machines").glob("*.json"))
SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/plan.json").read_text(encoding="utf-8"))
A100 = "gpu=NVIDIA A100-SXM4-40GB"
SITE = "/env/lib/python3.12/site-packages"


def imagined(*keys: str, **readings: Any) -> Facts:
    """An A100 with a virtual environment of its own, and these readings."""
    facts = whatif.simulate([A100, *keys])
    python = Python("3.12.3", kind="venv", prefix="/env", executable="/env/bin/python")
    put = {"python": python, "tools": Tools({"pip": "25.0"}), **readings}
    known = {name: one if isinstance(one, Unknown) else Known(one, source="the test") for name, one in put.items()}
    return Facts(readings=facts.readings | known)


def changes(plan: Plan) -> dict[str, str | None]:
    return {change.package: change.after for change in plan.changes}


def commands(plan: Plan) -> str:
    return "\n".join(" ".join(step.command) for step in plan.steps)


@pytest.mark.parametrize("file", MACHINES, ids=lambda file: file.stem)
def test_what_is_planned_ends_what_was_found(file: Path) -> None:
    """On every machine: a plan that can be carried out leaves nothing to repair, by the same judges."""
    facts = whatif.simulate(json.loads(file.read_text(encoding="utf-8"))["simulate"])
    plan = repair.plan(facts)
    found = _course.ailments(Machine(facts), _course.judged(Machine(facts)))
    assert bool(plan.steps) == bool(found) or not plan.possible
    if plan.possible and plan.steps:
        jsonschema.validate(json.loads(msgspec.json.encode(plan)), SCHEMA, cls=jsonschema.Draft202012Validator)
        then = _course.treated(Machine(facts))
        assert _course.ailments(Machine(then.facts), then.report) == ()
        assert plan.steps[-1].kind == "verify"


def test_every_mend_answers_findings_that_there_are() -> None:
    for mend in mends():
        assert set(mend.codes) - {UNREAD_TORCH} <= rules().keys(), mend.name
        assert set(mend.even_info) <= set(mend.codes)
    assert len({mend.rank for mend in mends()}) == len(mends()), "the order is no accident"


def test_a_companion_alone_moves_and_torch_stays() -> None:
    plan = repair.plan(imagined("torch=2.9.1+cu128", "pkg.torchvision=0.23.0+cu128"))
    assert changes(plan) == {"torchvision": "0.24.1+cu128"}
    assert [step.kind for step in plan.steps] == ["keep", "install", "verify"]
    assert "AD303" in plan.steps[-1].title


def test_several_packages_that_agree_bring_their_torch_back() -> None:
    """One cause, one mend: torch was moved from under them."""
    built = "pkg.flash-attn=2.8.2+cu12torch2.8cxx11abiTRUE"
    plan = repair.plan(imagined("torch=2.9.1+cu128", "pkg.torchvision=0.23.0", "pkg.xformers=0.0.32.post2", built))
    assert changes(plan) == {"torch": "2.8.0+cu128", "triton": "3.4.0"}
    others = [changes(one) for one in plan.alternatives if one.possible]
    assert {"torchvision", "flash-attn", "xformers"} <= others[0].keys()
    assert {"flash-attn": None, "xformers": None}.items() <= others[1].items()


def test_one_package_alone_moves_no_torch_that_others_were_made_for() -> None:
    plan = repair.plan(imagined("torch=2.9.1+cu128", "pkg.torchvision=0.24.1", "pkg.xformers=0.0.32.post2"))
    assert set(changes(plan)) == {"xformers"}


@pytest.mark.parametrize(
    "built",
    ["2.8.3+cu12torch2.7cxx11abiTRUE", "2.7.4.post1+cu12torch2.5cxx11abiFALSE", "2.8.3+cu13torch2.8cxx11abiTRUE"],
)
def test_back_to_plain_sdpa_stands_beside_every_mend_of_an_attention_package(built: str) -> None:
    plan = repair.plan(imagined("torch=2.8.0+cu128", f"pkg.flash-attn={built}"))
    assert changes(plan)["flash-attn"] is not None
    plain = next(one for one in plan.alternatives if one.title.startswith("back to plain sdpa"))
    assert (plain.possible, changes(plain)) == (True, {"flash-attn": None})
    assert "--require sdpa" in commands(plain)


def test_nothing_of_a_compiled_package_comes_out_of_a_cache() -> None:
    plan = repair.plan(imagined("torch=2.8.0+cu128", "pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"))
    brought = [step for step in plan.steps if step.kind in ("fetch", "install")]
    assert all("--no-cache-dir" in step.command for step in brought)


def test_each_step_says_why() -> None:
    plan = repair.plan(imagined("torch=2.2.2+cu121", "pkg.numpy=2.1.0"))
    (step,) = [step for step in plan.steps if step.kind == "install"]
    assert step.title == "install numpy<2: torch 2.2.2+cu121 was compiled for NumPy 1, and numpy 2.1.0 is there"
    assert "AD314" in plan.steps[-1].title
    assert "--fail-on warning" in " ".join(plan.steps[-1].command)


def test_what_is_wrong_with_the_machine_is_said_and_no_reason_to_fail() -> None:
    plan = repair.plan(imagined("driver=none", "torch=2.9.1+cu128", "pkg.torchvision=0.23.0+cu128"))
    assert plan.possible
    assert any(said.startswith("AD102") for said in plan.warnings)
    assert "--ignore AD102" in commands(plan)
    alone = repair.plan(imagined("driver=none", "torch=2.9.1+cu128"))
    assert (alone.method, alone.possible, alone.title) == ("none", True, "nothing to repair")
    assert any(said.startswith("AD102") for said in alone.warnings)


def test_a_torch_for_the_gpu_takes_its_companions_along() -> None:
    plan = repair.plan(imagined("torch=2.8.0+cpu", "pkg.torchvision=0.23.0+cpu"))
    assert plan.possible
    assert changes(plan)["torch"] == "2.8.0+cu128"
    assert "torchvision==0.23.0+cu128" in commands(plan)


def test_a_stale_record_is_gone_before_anything_is_judged_by_it() -> None:
    records = (f"{SITE}/flash_attn-2.0.0.dist-info", f"{SITE}/flash_attn-2.8.3.dist-info")
    keys = ("torch=2.8.0+cu128", "pkg.flash-attn=2.0.0", "pkg.transformers=4.57.6")
    plan = repair.plan(imagined(*keys, leftovers=Leftovers(rivals=records)))
    assert plan.possible, plan.obstacles
    assert [step.kind for step in plan.steps] == ["keep", "check", "run", "verify"]
    assert plan.steps[2].command == ("rm", "-rf", records[0])


def test_an_import_that_fails_for_the_driver_is_nothing_to_repair() -> None:
    said = {
        "flash-attn": Import("flash_attn_2_cuda", error="ImportError: libcuda.so.1: cannot open shared object file")
    }
    plan = repair.plan(imagined("torch=2.8.0+cu128", "pkg.flash-attn=2.8.3", deep=said))
    assert (plan.title, plan.possible) == ("nothing to repair", True)


def test_an_import_that_fails_is_mended() -> None:
    said = {"flash-attn": Import("flash_attn_2_cuda", error="ModuleNotFoundError: No module named 'flash_attn_2_cuda'")}
    plan = repair.plan(imagined("torch=2.8.0+cu128", "pkg.flash-attn=2.8.3", deep=said))
    assert "flash-attn" in changes(plan)
    assert "No module named 'flash_attn_2_cuda'" in plan.why[0]


@pytest.mark.parametrize(
    ("missing", "mended"),
    [
        ("cutlass", {"nvidia-cutlass-dsl"}),
        ("flash_attn.cute.interface", {"flash-attn-4"}),
    ],
)
def test_an_import_that_fails_for_another_package_says_nothing_against_its_own(missing: str, mended: set[str]) -> None:
    """AD315 says which is lacking: that one comes. For a module of its own the package comes anew."""
    said = {"flash-attn-4": Import("flash_attn.cute", error=f"ModuleNotFoundError: No module named '{missing}'")}
    four = Package("4.0.0b36", requires={"nvidia-cutlass-dsl": "==4.6.2", "einops": ""})
    packages = {"flash-attn-4": four, "einops": Package("0.8.1"), "triton": Package("3.4.0")}
    plan = repair.plan(imagined("torch=2.8.0+cu128", packages=packages, deep=said))
    assert plan.possible, plan.obstacles
    assert changes(plan).keys() == mended


def test_an_environment_of_another_python_is_made_anew() -> None:
    facts = imagined("torch=2.8.0+cu128", "pkg.torchvision=0.23.0", "pkg.flash-attn=2.8.3", "pkg.triton=3.4.0")
    found: Any = facts.readings["packages"]
    tags = {name: msgspec.structs.replace(one, tags=("cp311-cp311-linux_x86_64",)) for name, one in found.value.items()}
    plan = repair.plan(Facts(readings=facts.readings | {"packages": Known(tags, source="the test")}))
    assert plan.title == "a new environment"
    assert [step.id for step in plan.steps] == ["keep", "list", "venv", "install", "verify"]


def test_a_torch_that_cannot_be_read_comes_anew() -> None:
    facts = imagined("torch=2.8.0+cu128", "pkg.torch=2.8.0", torch=Unknown("no version in torch/version.py"))
    plan = repair.plan(facts)
    assert plan.possible, plan.obstacles
    assert changes(plan) == {"torch": "2.8.0+cu128"}
    other = repair.plan(imagined("torch=2.8.0+cu128", torch=Unknown("no version in torch/version.py")))
    assert any("could not be read" in said for said in other.obstacles) or other.title == "a new environment"


@pytest.mark.parametrize("reading", ["packages", "gpus", "driver"])
def test_nothing_is_changed_on_a_guess(reading: str) -> None:
    facts = imagined("torch=2.9.1+cu128", "pkg.torchvision=0.23.0+cu128", **{reading: Unknown("no permission")})
    plan = repair.plan(facts)
    assert not plan.possible or not plan.steps
    assert not plan.steps or any("guess" in said for said in plan.obstacles)


def test_a_closed_target_gets_advice() -> None:
    python = Python("3.12.3", kind="system", prefix="/usr", executable="/usr/bin/python3", externally_managed=True)
    plan = repair.plan(imagined("torch=2.9.1+cu128", "pkg.torchvision=0.23.0+cu128", python=python))
    assert not plan.possible
    assert any("-m venv" in said for said in plan.obstacles)


def test_libraries_of_torch_come_at_the_version_that_it_demands() -> None:
    from attn_doctor.machine.probes.extensions import Extensions, TorchLibraries

    libraries = TorchLibraries(f"{SITE}/torch/lib", {"libcudnn.so.9": "libtorch_cuda.so"})
    packages = {"torch": Package("2.8.0", requires={"nvidia-cudnn-cu12": "==9.10.2.21"})}
    torch = TorchDist("2.8.0+cu128", "12.8", location=f"{SITE}/torch")
    plan = repair.plan(imagined(torch=torch, packages=packages, extensions=Extensions(torch=libraries)))
    assert plan.possible, plan.obstacles
    assert changes(plan) == {"nvidia-cudnn-cu12": "9.10.2.21"}
