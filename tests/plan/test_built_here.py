"""The wheel that was built here before: a way of its own before compiling, for the very same and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from attn_doctor.judgement import built_here
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.backend import backends, judge
from attn_doctor.judgement.view import Machine
from attn_doctor.judgement.wheel_query import Asked
from attn_doctor.knowledge import attention
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes import built_wheels
from attn_doctor.machine.probes.built_wheels import BuiltWheel
from attn_doctor.plan import choose, saved, wish
from attn_doctor.plan.plan import Plan, Wish
from attn_doctor.plan.request import Request
from attn_doctor.plan.ways import _compile
from attn_doctor.reporters import _plan
from plan.cases import A100, NO_WHEEL, commands, kinds

VERSION = attention.source_build("flash-attn", "2").version
FILE = f"flash_attn-{VERSION}-cp312-cp312-linux_x86_64.whl"


COMPILING = (*NO_WHEEL, "nvcc=13.0")
FOLDER = "/home/ada/.cache/attn-doctor/files/built"
PATH = f"{FOLDER}/{{}}/{FILE}"


def built_on(*keys: str) -> BuiltWheel:
    """What a build on that machine leaves: the build itself names its folder."""
    facts = whatif.simulate([*keys])
    build = choose.plan(facts, "flash_attention_2", Request(method="source"), needs.parse([])).build
    assert build
    name = _compile.wheel_name(Machine(facts), "flash-attn", VERSION, build)
    text = f'{{"fits": "{name}", "filename": "{FILE}", "sha256": "{"ab" * 32}", "at": "2026-11-28T09:30:00Z"}}'
    one = built_wheels.parse(f"{FOLDER}/{name}", name, text)
    assert one, name
    return one


WHEEL = built_on(*COMPILING)


def machine(*keys: str, wheels: tuple[BuiltWheel, ...] = (WHEEL,)) -> Facts:
    facts = whatif.simulate([*keys])
    return Facts(readings=facts.readings | {"built_wheels": Known(wheels, source=FOLDER)})


def plan(facts: Facts, backend: str = "flash_attention_2", **asked: Any) -> Plan:
    method = asked.pop("method", "auto")
    return choose.plan(facts, backend, Request(method=method, asked=Asked(**asked)), needs.parse([]))


@pytest.mark.parametrize("keys", [COMPILING, NO_WHEEL], ids=["that could compile it again", "without a compiler"])
def test_it_comes_before_compiling(keys: tuple[str, ...]) -> None:
    facts = machine(*keys)
    one = plan(facts)
    assert (one.method, one.title) == ("source", "the wheel that was built here on 2026-11-28")
    assert (one.package, one.version, one.possible, one.build) == ("flash-attn", VERSION, True, None)
    assert one.wheel
    assert (one.wheel.filename, one.wheel.sha256) == (FILE, "ab" * 32)
    assert kinds(one) == ["install", "check", "install", "verify"]
    _, looks, install, _ = commands(one)
    assert looks.endswith(f"{WHEEL.path} {'ab' * 32}")
    assert install == f"python -m pip install --no-deps --no-index {WHEEL.path}"
    verdict = judge(backends()["flash_attention_2"], Machine(facts), needs.parse([]))
    assert verdict.status == "installable"
    assert verdict.reasons == (f"{VERSION}, the wheel that was built here on 2026-11-28",)


def test_as_a_person_reads_it() -> None:
    text = _plan.text(plan(machine(*COMPILING)), verbose=False, call="attn-doctor install fa2 --dry-run")
    for said in (
        "way        the wheel that was built here on 2026-11-28",
        f"sha256     {'ab' * 32}",
        f"file       {FILE}",
    ):
        assert said in text, text
    assert "compiled for torch 2.12.0a0+1234567.nv26.05, CUDA 13.0, cp312 and sm_80" in " ".join(text.split())
    assert "source build with nvcc 13.0" in text, "compiling stands among the other ways"


@pytest.mark.parametrize(
    "other",
    [
        {"torch": "2.12.0a0+7654321.nv26.05"},
        {"torch": "2.12.0"},
        {"cuda": "12.9"},
        {"python": "cp311"},
        {"python": "cp312t"},
        {"cxx11abi": False},
        {"arch": "aarch64"},
        {"libc": "glibc2.39"},
        {"cuda_archs": ("90",)},
        {"package": "xformers"},
        {"version": "1.0.9"},
    ],
    ids=str,
)
def test_one_that_is_for_something_else_is_not_offered(other: dict[str, Any]) -> None:
    facts = machine(*COMPILING, wheels=(replace(WHEEL, **other),))
    one = plan(facts)
    assert one.build is not None, "it is compiled"
    assert not any("built here" in way.title for way in one.alternatives)
    assert "built here" not in str(judge(backends()["flash_attention_2"], Machine(facts), needs.parse([])).reasons)


def test_code_for_more_gpus_than_are_here_serves() -> None:
    assert plan(machine(*COMPILING, wheels=(replace(WHEEL, cuda_archs=("80", "90")),))).build is None


def test_one_with_code_for_some_of_the_gpus_does_not() -> None:
    facts = machine(*COMPILING, "gpu=NVIDIA H100 80GB HBM3")
    assert {one.compute_capability for one in Machine(facts).gpus} == {"8.0", "9.0"}
    assert built_here.fitting(Machine(facts), "flash-attn", "2") is None


def test_the_newest_of_several_and_the_version_that_is_asked_for() -> None:
    older = replace(WHEEL, version="2.8.3", path=f"{FOLDER}/older/{FILE}")
    facts = machine(*COMPILING, wheels=(WHEEL, older))
    assert plan(facts).version == VERSION
    assert plan(facts, version="2.8.3").version == "2.8.3"


def test_a_published_file_that_fits_comes_first() -> None:
    wheel = replace(WHEEL, torch="2.8.0+cu128", cuda="12.8")
    one = plan(machine(*A100, wheels=(wheel,)))
    assert one.wheel
    assert one.wheel.source == "fa-official"
    assert any("built here" in way.title for way in one.alternatives)
    assert plan(machine(*A100, wheels=(wheel,)), method="source").title.startswith("the wheel that was built here")
    only = plan(machine(*A100, wheels=(wheel,)), sources=("fa-official",))
    assert not any("built here" in way.title for way in only.alternatives)


def test_uv_installs_it_too() -> None:
    facts = machine(*COMPILING)
    python = replace(Machine(facts).python, executable="/venv/bin/python", prefix="/venv", kind="uv")  # type: ignore[type-var]
    from attn_doctor.machine.probes.tools import Tools

    known = {"python": Known(python, source="x"), "tools": Known(Tools({"uv": "/usr/bin/uv"}), source="x")}
    one = plan(Facts(readings=facts.readings | known))
    assert f"uv pip install --python /venv/bin/python --no-deps --no-index {WHEEL.path}" in commands(one)


def test_a_saved_plan_to_compile_is_not_taken_for_it() -> None:
    from attn_doctor.errors import BadInput

    before = wish.plan(whatif.simulate([*COMPILING]), "flash_attention_2", Wish())
    with pytest.raises(BadInput, match="is not what the same request gives"):
        saved.still_true(before, machine(*COMPILING), "plan.json")
    after = wish.plan(machine(*COMPILING), "flash_attention_2", Wish())
    assert saved.still_true(after, machine(*COMPILING), "plan.json") == after
