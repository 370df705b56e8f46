"""Whose wheels may be installed: `check` and every other command that names a file keep to it, and say why."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import imagined
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.allowed import Allowed
from attn_doctor.judgement.check import check
from attn_doctor.machine import whatif
from attn_doctor.plan import repair
from attn_doctor.plan import wish as wishes
from attn_doctor.plan.plan import Plan, Wish
from attn_doctor.policy.origin import source_of
from attn_doctor.wheels.catalogue import packages
from policy.projects import A100, FLASH_ATTN
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attn_doctor.judgement.report import Report
    from policy.projects import Project

BARE = (A100, "torch=2.8.0", "driver=580.95.05")  # fa-official and mjun0812 have files for it; there is no nvcc
FOR_ANOTHER = (A100, "torch=2.9.1", "driver=580.95.05", FLASH_ATTN)  # its flash-attn is made for torch 2.8
SAGE = (*BARE, "pkg.triton=3.4.0")
REFUSED = "the only wheels that fit come from fa-official and mjun0812, which pyproject.toml:4 does not allow"
REMEDY = "to take one of them, add fa-official or mjun0812 to wheel-sources there"
FILES = sorted((Path(__file__).parents[1] / "machines").glob("*.json"))
MACHINES = {file.stem: json.loads(file.read_text(encoding="utf-8"))["simulate"] for file in FILES}
WITH_PACKAGES = {name: keys for name, keys in MACHINES.items() if any(key.startswith("pkg.") for key in keys)}
URL = re.compile(r"https?://\S+\.whl")


def allow(project: Project, *sources: str, more: str = "") -> None:
    """A policy whose fourth line is the one about wheels."""
    project.write("pyproject.toml", f"[project]\nname = 'x'\n[tool.attn-doctor]\nwheel-sources = {[*sources]}\n{more}")


def process(project: Project, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """The command as a user calls it."""
    return subprocess.run(
        [sys.executable, "-m", "attn_doctor", *arguments],
        cwd=project.folder,
        env=clean_environment(),
        input=stdin.decode(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def verdict(report: Any, name: str = "flash_attention_2") -> tuple[str, list[str]]:
    found = next(one for one in report["backends"] if one["name"] == name)
    return found["status"], found["reasons"]


def advice(report: Any) -> str:
    """Everything in a report that somebody may do."""
    fixes = [fix for finding in report["findings"] for fix in finding["fix"]]
    return "\n".join([*fixes, report["recommendation"]["next_step"] or ""])


# --- check


def test_check_names_no_wheel_that_is_not_allowed_and_says_why(project: Project) -> None:
    assert verdict(project.report(*BARE)) == ("installable", ["2.8.3.post1, upstream wheel"])
    assert ".whl" in advice(project.report(*BARE))
    allow(project, "pypi", more='require = ["fa2"]\n')
    report = project.report(*BARE)
    assert verdict(report) == ("blocked", [REFUSED, REMEDY, "a source build: there is no nvcc"])
    assert URL.findall(advice(report)) == []
    (finding,) = report["findings"]
    assert (finding["code"], finding["detail"]) == ("AD503", f"flash_attention_2 is blocked: {REFUSED}")
    assert finding["fix"] == []  # `attn-doctor install` would refuse
    assert report["recommendation"]["best"] == "sdpa"


def test_it_does_so_as_a_process(project: Project) -> None:
    allow(project, "pypi")
    done = process(project, "check", "--facts", "-", "-v", stdin=imagined.facts(*BARE))
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stderr
    assert f"flash_attention_2 blocked {REFUSED} {REMEDY}" in said
    assert "flash_attn-2" not in said


def test_a_wheel_that_is_allowed_is_taken_in_place_of_a_better_one(project: Project) -> None:
    allow(project, "mjun0812")
    report = project.report(*BARE)
    assert verdict(report) == (
        "installable",
        [
            "2.8.3, community wheel",
            "the file is of mjun0812; pyproject.toml:4 does not allow that of fa-official",
        ],
    )
    (url,) = URL.findall(report["recommendation"]["next_step"])
    assert source_of("flash-attn", url) == "mjun0812"


def test_what_can_be_compiled_stays_installable_and_says_why_it_is_compiled(project: Project) -> None:
    allow(project, "pypi")
    status, reasons = verdict(project.report(*BARE, "nvcc=12.8"))
    assert (status, reasons) == (
        "installable",
        ["no wheel that is allowed fits; it can be compiled here", REFUSED, REMEDY],
    )
    assert URL.findall(advice(project.report(*BARE, "nvcc=12.8"))) == []


def test_a_torch_for_which_only_another_s_wheel_exists_is_no_way(project: Project) -> None:
    assert verdict(project.report(*BARE), "flash_attention_1")[0] == "installable"
    allow(project, "pypi")
    status, reasons = verdict(project.report(*BARE), "flash_attention_1")
    assert status == "blocked"
    assert (
        "the only wheel that fits, with torch 2.5.1+cu124, comes from mjun0812, which pyproject.toml:4 does not allow"
        in reasons
    )


def test_what_is_taken_by_name_is_of_the_package_index(project: Project) -> None:
    assert verdict(project.report(*SAGE), "sage_attention")[0] == "installable"
    allow(project, "fa-official")
    report = project.report(*SAGE)
    for name in ("sage_attention", "flash_attention_4"):
        status, reasons = verdict(report, name)
        assert status == "blocked"
        assert reasons[0] == "the only wheel that fits comes from pypi, which pyproject.toml:4 does not allow"
    assert verdict(report, "flash_attention_2")[0] == "installable"


@pytest.mark.parametrize("keys", [BARE, FOR_ANOTHER, SAGE, (A100, "torch=2.9.1", "pkg.xformers=0.0.32.post2")])
def test_a_policy_that_allows_the_source_changes_nothing(project: Project, keys: tuple[str, ...]) -> None:
    without = project.report(*keys)
    allow(project, "fa-official", "mjun0812", "pypi", "pytorch-index")
    report = project.report(*keys)
    for key in ("findings", "backends", "recommendation"):
        assert report[key] == without[key]


# --- findings


def test_the_fix_of_a_finding_names_no_other_wheel_and_the_finding_says_so(project: Project) -> None:
    (broken,) = [one for one in project.report(*FOR_ANOTHER)["findings"] if one["code"] == "AD408"]
    (url,) = URL.findall(broken["fix"][0])
    assert source_of("flash-attn", url) == "fa-official"
    allow(project, "mjun0812")
    (other,) = [one for one in project.report(*FOR_ANOTHER)["findings"] if one["code"] == "AD408"]
    assert other["detail"] == broken["detail"]
    assert [source_of("flash-attn", url) for url in URL.findall(other["fix"][0])] == ["mjun0812"]
    allow(project, "pypi")
    (refused,) = [one for one in project.report(*FOR_ANOTHER)["findings"] if one["code"] == "AD408"]
    assert refused["fix"] == ["pip uninstall -y flash-attn"]
    assert refused["detail"] == (f"{broken['detail']} {REFUSED[0].upper()}{REFUSED[1:]}.")


def test_xformers_for_another_torch_goes_where_no_other_may_come(project: Project) -> None:
    keys = (A100, "torch=2.9.1", "pkg.xformers=0.0.32.post2")
    allow(project, "fa-official")
    (finding,) = [one for one in project.report(*keys)["findings"] if one["code"] == "AD306"]
    assert finding["fix"] == ["pip uninstall -y xformers"]
    assert "come from pypi and pytorch-index, which pyproject.toml:4 does not allow." in finding["detail"]


def test_flash_attn_4_is_not_to_be_installed_again_from_where_it_may_not(project: Project) -> None:
    keys = (*BARE, FLASH_ATTN, "pkg.flash-attn-4=4.0.0b36")

    def fix() -> list[str]:
        (finding,) = [one for one in project.report(*keys)["findings"] if one["code"] == "AD310"]
        return list(finding["fix"])

    free = fix()
    assert "flash-attn-4==4.0.0b36" in free[0]
    allow(project, "fa-official")
    assert fix() == []
    allow(project, "pypi")
    assert fix() == free


@pytest.mark.parametrize("keys", WITH_PACKAGES.values(), ids=WITH_PACKAGES)
@pytest.mark.parametrize("sources", [("pypi",), ("mjun0812", "conda-forge")], ids=lambda sources: sources[0])
def test_on_no_machine_is_another_s_wheel_named(keys: list[str], sources: tuple[str, ...]) -> None:
    report = check(whatif.simulate(keys), needs.parse([]), allowed=Allowed(sources, "pyproject.toml:4"))
    for command in commands(report):
        for one in taken(command):
            assert one in sources, command


def commands(report: Report) -> Iterator[str]:
    yield from (fix for finding in report.findings for fix in finding.fix)
    yield from filter(None, [report.recommendation.next_step])


def taken(command: str) -> Iterator[str | None]:
    """Whose wheels a command installs: by address, and by name from the package index."""
    for url in URL.findall(command):
        yield source_of(url.rpartition("/")[2].partition("-")[0].replace("_", "-"), url)
    for word in command.split() if " install " in command else ():
        if word.strip("'\"").partition("==")[0].partition("[")[0] in packages():
            yield "pypi"


# --- install


def test_install_says_what_check_says(project: Project) -> None:
    allow(project, "pypi")
    facts = imagined.facts(*BARE)
    done = process(project, "install", "fa2", "--dry-run", "--facts", "-", stdin=facts)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert f"in the way {REFUSED} {REMEDY}" in said
    by_wheel = project.call("install", "fa2", "--dry-run", "--method", "wheel", "--facts", "-", stdin=facts)
    said = " ".join(by_wheel.out.split())
    assert by_wheel.code == 1
    assert f"in the way {REFUSED} {REMEDY}" in said
    assert "of fa-official, which pyproject.toml:4 does not allow" in said
    taken = project.call("install", "fa2", "--dry-run", "--source", "fa-official", "--facts", "-", stdin=facts)
    assert taken.code == 0
    assert "pyproject.toml" not in taken.out


def test_a_policy_that_is_named_stays_named(project: Project) -> None:
    project.write("ci.toml", 'wheel-sources = ["mjun0812"]\n')
    facts = imagined.facts(*FOR_ANOTHER)
    for command in (("install", "fa2"), ("repair",)):
        planned = project.call(*command, "--dry-run", "--facts", "-", "--policy", "ci.toml", stdin=facts)
        assert "--policy ci.toml" in planned.out
        assert "github.com/mjun0812" in planned.out
    for command in ("resolve", "repair", "docker", "wheels"):
        both = project.call(command, "--facts", "-", "--policy", "ci.toml", "--no-policy", stdin=facts)
        assert both.code == 2
    assert project.call("wheels", "refresh", "--policy", "ci.toml").code == 2
    assert project.call("wheels", "--all", "--policy", "ci.toml").code == 2


def test_a_build_in_place_of_a_wheel_says_why(project: Project) -> None:
    facts = imagined.facts(*BARE, "nvcc=12.8")
    allow(project, "pypi")
    plan = project.call("install", "fa2", "--dry-run", "--format", "json", "--facts", "-", stdin=facts).json()
    assert (plan["method"], plan["possible"]) == ("source", True)
    assert REFUSED in plan["why"]
    assert plan["asked"]["allowed_by"] == "pyproject.toml:4"
    allow(project, "fa-official")
    plan = project.call("install", "fa2", "--dry-run", "--format", "json", "--facts", "-", stdin=facts).json()
    assert plan["method"] == "wheel"


def test_a_wheel_of_the_index_that_is_not_allowed_is_not_installed(project: Project) -> None:
    facts = imagined.facts(*SAGE)
    call = ("install", "sage_attention", "--dry-run", "--format", "json", "--facts", "-")
    assert project.call(*call, stdin=facts).json()["wheel"]["source"] == "pypi"
    allow(project, "fa-official")
    plan = project.call(*call, stdin=facts)
    assert (plan.code, plan.json()["wheel"]) == (1, None)
    assert "pypi, which pyproject.toml:4 does not allow" in plan.json()["obstacles"][0]


def test_flash_attn_4_does_not_come_again_from_where_it_may_not(project: Project) -> None:
    facts = imagined.facts(*BARE, "pkg.flash-attn-4=4.0.0b36")
    call = ("install", "fa2", "--dry-run", "--format", "json", "--facts", "-")
    assert project.call(*call, stdin=facts).json()["possible"]
    allow(project, "fa-official")
    plan = project.call(*call, stdin=facts).json()
    assert not plan["possible"]
    assert "flash-attn-4 would have to come again from pypi, which pyproject.toml:4 does not allow" in plan["obstacles"]
    allow(project, "fa-official", "pypi")
    assert project.call(*call, stdin=facts).json()["possible"]


@pytest.mark.parametrize("keys", [*MACHINES.values()][::6], ids=[*MACHINES][::6])
def test_what_check_calls_installable_install_does_not_refuse_for_its_source(keys: list[str]) -> None:
    facts = whatif.simulate(keys)
    allowed = Allowed(("pypi",), "pyproject.toml:4")
    report = check(facts, needs.parse([]), allowed=allowed)
    for name in ("flash_attention_2", "xformers", "sage_attention"):
        if next(one.status for one in report.backends if one.name == name) != "installable":
            continue
        held = wishes.plan(facts, name, Wish(allowed_sources=allowed.sources, allowed_by=allowed.said_at))
        assert held.method != "none", name
        assert whose(held) <= {"pypi"}
        if not held.possible:  # for a reason that stands without a policy too
            free = wishes.plan(facts, name, Wish(method=held.method))
            assert not free.possible or free.wheel, name


def whose(one: Plan) -> set[str]:
    return {plan.wheel.source for plan in (one, *one.alternatives) if plan.wheel and plan.wheel.source != "built-here"}


# --- repair


def test_repair_fetches_no_wheel_that_is_not_allowed(project: Project) -> None:
    facts = imagined.facts(*FOR_ANOTHER)
    without = process(project, "repair", "--dry-run", "--facts", "-", stdin=facts)
    assert without.returncode == 0, without.stderr
    assert "github.com/Dao-AILab" in without.stdout
    allow(project, "fa-official")
    assert process(project, "repair", "--dry-run", "--facts", "-", stdin=facts).stdout == without.stdout
    allow(project, "pypi")
    held = process(project, "repair", "--dry-run", "--facts", "-", stdin=facts)
    said = " ".join(held.stdout.split())
    assert held.returncode == 0
    assert f"why built for torch 2.8, before torch 2.9.1 came: flash-attn; {REFUSED}" in said
    assert "other ways repair: without flash-attn" in said
    assert URL.findall(held.stdout) == []
    allow(project, "mjun0812")
    other = project.call("repair", "--dry-run", "--facts", "-", stdin=facts)
    assert "github.com/mjun0812" in other.out
    assert "github.com/Dao-AILab" not in other.out
    free = project.call("repair", "--dry-run", "--facts", "-", "--no-policy", stdin=facts)
    assert "github.com/Dao-AILab" in free.out


@pytest.mark.parametrize("keys", WITH_PACKAGES.values(), ids=WITH_PACKAGES)
def test_no_repair_of_any_machine_fetches_another_s_wheel(keys: list[str]) -> None:
    facts = whatif.simulate(keys)
    one = repair.plan(facts, Allowed(("mjun0812",), "pyproject.toml:4"))
    for plan in (one, *one.alternatives):
        if not plan.possible:
            continue
        for step in plan.steps:
            for source in taken(" ".join(step.command)):
                assert source == "mjun0812", step.command


# --- resolve and snippet


def test_resolve_takes_needs_and_names_no_way_that_install_refuses(project: Project) -> None:
    ready = imagined.facts(*BARE, FLASH_ATTN)
    assert project.call("resolve", "--facts", "-", stdin=ready).out == "flash_attention_2\n"
    allow(project, "fa-official", more='need = ["dtype=fp32"]\n')
    called = process(project, "resolve", "--facts", "-", stdin=ready)
    assert called.stdout == "sdpa\n"
    assert "fp32" in called.stderr
    assert project.call("resolve", "--facts", "-", "--need", "dtype=bf16", stdin=ready).out == "flash_attention_2\n"
    assert project.call("resolve", "--facts", "-", "--no-policy", stdin=ready).out == "flash_attention_2\n"
    said = project.call("resolve", "--facts", "-", "-v", stdin=ready).out
    assert "policy   pyproject.toml\n" in said
    assert "  need           dtype=fp32  [pyproject.toml:5]\n" in said
    assert "  wheel-sources  fa-official  [pyproject.toml:4]\n" in said
    said = project.call("resolve", "--facts", "-", "-v", "--need", "dtype=bf16", stdin=ready).out
    assert "  need           dtype=bf16  [--need]\n" in said
    assert "fp32" not in said


def test_the_fix_that_resolve_names_is_one_that_install_carries_out(project: Project) -> None:
    facts = imagined.facts(*BARE)

    def first() -> tuple[str, str, str | None]:
        answer = project.call("resolve", "--facts", "-", "--format", "json", stdin=facts).json()
        step = answer["steps"][0]
        return step["status"], step["reason"], step["fix"]

    free = first()
    assert free == ("installable", "flash-attn is not installed", "attn-doctor install flash_attention_2")
    allow(project, "pypi")
    assert first() == ("blocked", REFUSED, None)
    allow(project, "fa-official")
    assert first() == free


def test_what_is_wrong_with_the_rest_of_a_policy_ends_no_training_run(project: Project) -> None:
    facts = imagined.facts(*BARE)
    expired = '[[tool.attn-doctor.ignore]]\ncode = "AD101"\nreason = "x"\nuntil = 2020-01-01\n'
    allow(project, "fa-official", more=expired)
    assert project.call("check", "--facts", "-", stdin=facts).code == 2
    for command in (("resolve",), ("repair", "--dry-run"), ("snippet", "vllm"), ("wheels",)):
        assert project.call(*command, "--facts", "-", stdin=facts).code == 0, command
    allow(project, "fa-oficial")
    for command in (("resolve",), ("repair", "--dry-run"), ("snippet", "vllm"), ("wheels",), ("docker",)):
        called = project.call(*command, "--facts", "-", stdin=facts)
        assert called.code == 2, command
        assert "pyproject.toml:4:" in called.err


def test_a_snippet_is_for_what_the_project_needs(project: Project) -> None:
    ready = imagined.facts(*BARE, FLASH_ATTN)
    call = ("snippet", "transformers", "--facts", "-")
    free = project.call(*call, stdin=ready).out
    assert "flash_attention_2" in free
    allow(project, "fa-official")
    assert project.call(*call, stdin=ready).out == free
    allow(project, "fa-official", more='need = ["dtype=fp32"]\n')
    assert ": sdpa\n" in process(project, *call, stdin=ready).stdout
    assert project.call(*call, "--no-policy", stdin=ready).out == free


# --- wheels and docker


def test_a_search_shows_every_file_and_advises_only_what_is_allowed(project: Project) -> None:
    facts = imagined.facts(*BARE)

    def answer(*options: str) -> Any:
        return project.call("wheels", "--facts", "-", "--format", "json", *options, stdin=facts).json()

    free = answer()
    assert free["notes"] == []
    allow(project, "fa-official")
    assert answer() == free
    allow(project, "mjun0812")
    held = answer()
    assert held["fitting"] == free["fitting"]
    assert [source_of("flash-attn", url) for url in URL.findall(held["next_steps"][0])] == ["mjun0812"]
    assert held["notes"][0].startswith("pyproject.toml:4 does not allow fa-official; the best that it allows is ")
    allow(project, "pypi")
    held = answer()
    assert held["next_steps"] == []
    assert held["notes"][:2] == [f"{REFUSED[0].upper()}{REFUSED[1:]}.", f"{REMEDY[0].upper()}{REMEDY[1:]}."]
    assert answer("--source", "fa-official")["next_steps"] == free["next_steps"]
    assert answer("--no-policy") == free
    done = process(project, "wheels", "--all", "--torch", "2.8", "--format", "json")
    assert json.loads(done.stdout)["found"] > 0


def test_a_container_gets_no_other_wheel(project: Project) -> None:
    facts = imagined.facts(*BARE)

    def answer(*options: str) -> Any:
        return project.call("docker", "--facts", "-", "--format", "json", *options, stdin=facts).json()

    free = answer()
    assert free["wheel"]["source"] == "fa-official"
    allow(project, "fa-official")
    assert answer() == free
    allow(project, "mjun0812")
    assert answer()["wheel"]["source"] == "mjun0812"
    allow(project, "pypi")
    held = answer()
    assert held["wheel"] is None
    assert held["build_image"]
    assert any("which pyproject.toml:4 does not allow" in why for why in held["why"])
    assert answer("--no-policy") == free


def test_the_fix_of_a_dockerfile_names_no_other_wheel(project: Project) -> None:
    project.write(
        "Dockerfile",
        "FROM python:3.12\nRUN pip install torch==2.8.0\nRUN pip install --no-deps https://github.com/Dao-AILab/"
        "flash-attention/releases/download/v2.8.3/flash_attn-2.8.3+cu12torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl\n",
    )
    call = ("docker", "--check", "Dockerfile", "--facts", "-", "--format", "json")

    def whose_fix() -> set[str | None]:
        found = project.call(*call, stdin=imagined.facts(*BARE)).json()["findings"]
        assert len(found) == 1, found
        return {source_of("flash-attn", url) for url in URL.findall(" ".join(found[0]["fix"]).replace('"', ""))}

    assert whose_fix() == {"fa-official"}
    allow(project, "mjun0812")
    assert whose_fix() == {"mjun0812"}
    allow(project, "pypi")
    assert whose_fix() == set()


def test_a_gpu_of_the_list_is_judged_by_the_same_sources(project: Project) -> None:
    project.write("requirements.txt", "torch==2.8.0\n")
    more = 'require = ["fa2"]\ngpus = ["A100"]\nlock = "requirements.txt"\n'
    allow(project, "pypi", more=more)
    (finding,) = [one for one in project.report("torch=2.8.0")["findings"] if one["code"] == "AD502"]
    assert f"flash_attention_2 is blocked: {REFUSED}" in finding["detail"]
    allow(project, "fa-official", more=more)
    (finding,) = [one for one in project.report("torch=2.8.0")["findings"] if one["code"] == "AD502"]
    assert "flash_attention_2 is installable: 2.8.3.post1, upstream wheel" in finding["detail"]
