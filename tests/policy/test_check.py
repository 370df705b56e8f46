"""`check` held to a policy: what is found, on which line, what wins over what, and a healthy project left alone."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import imagined
from attn_doctor.policy import find
from attn_doctor.policy.requirements import where_asked
from policy.projects import A100, FLASH_ATTN, OFFICIAL, T4, UV_LOCK, breaches, settings

if TYPE_CHECKING:
    from policy.projects import Project

HEALTHY = (A100, "torch=2.8.0", FLASH_ATTN, "driver=580.95.05")
WARNED = (A100, "torch=2.8.0", "nvcc=11.8")  # AD214
MACHINES = [json.loads(file.read_text()) for file in sorted((Path(__file__).parents[1] / "machines").glob("*.json"))]
SAID = 'require = ["fa2"]\nneed = ["dtype=bf16"]\nfail-on = "warning"\nversions = { torch = ">=2.8" }\n'


def located(report, code: str) -> list[tuple[str, int]]:
    found = [one["location"] for one in report["findings"] if one["code"] == code]
    return [(one["file"], one["line"]) for one in found]


# --- what is found


def test_a_healthy_project_is_left_alone(project: Project) -> None:
    without = project.check(*HEALTHY, options=("--format", "json")).json()
    project.policy(SAID)
    called = project.check(*HEALTHY, options=("--format", "json"))
    report = called.json()
    assert called.code == 0
    assert report["findings"] == without["findings"]
    assert report["policy"]["file"] == "pyproject.toml"
    told = ("policy", "required", "needs", "fail_on")
    assert {key: value for key, value in report.items() if key not in told} == {
        key: value for key, value in without.items() if key not in told
    }


def test_a_version_out_of_its_range_points_to_the_line(project: Project) -> None:
    project.policy(
        '[tool.attn-doctor.versions]\ntorch = ">=2.9"\npython = "<3.12"\ndriver = ">=550"\nflash_attn = "<2.8"\n'
    )
    report = project.report(*HEALTHY)
    assert breaches(report)["AD501"] == [
        "torch 2.8.0 is not >=2.9, as pyproject.toml:6 demands",
        "python 3.12 is not <3.12, as pyproject.toml:7 demands",
        "flash_attn 2.8.3+cu12torch2.8cxx11abiTRUE is not <2.8, as pyproject.toml:9 demands",
    ]
    assert located(report, "AD501") == [("pyproject.toml", line) for line in (6, 7, 9)]
    assert report["findings"][0]["evidence"] == ["policy: pyproject.toml:6", "torch: what-if"]
    assert project.check(*HEALTHY).code == 1
    # what is not there breaks no rule about its version
    assert breaches(project.report("python=3.11")) == {}


@pytest.mark.parametrize(
    ("machine", "allowed", "breaks"),
    [
        ("driver=550.144.03", ">=550.144.3", False),
        ("driver=535.183.01", ">=550", True),
        ("torch=2.10.0", ">=2.9", False),
        ("torch=2.13.0+cpu", "==2.13.0", False),
        ("torch=2.15.0.dev20261101", "<2.15", True),  # PEP 440: no pre-release of the bound itself
        ("torch=2.8.0a0+34c6371d24.nv25.08", ">=2.7", False),
    ],
)
def test_versions_are_compared_as_packaging_does(project: Project, machine: str, allowed: str, breaks: bool) -> None:
    project.policy(f'versions.{machine.partition("=")[0]} = "{allowed}"\n')
    torch = () if machine.startswith("torch") else ("torch=2.8.0",)
    assert ("AD501" in breaches(project.report(A100, *torch, machine))) is breaks


def test_cuda_is_that_of_torch(project: Project) -> None:
    project.policy('versions.cuda = ">=12.8"\n')
    assert breaches(project.report(A100, "torch=2.8.0+cu126")) == {
        "AD501": ["cuda 12.6 is not >=12.8, as pyproject.toml:5 demands"]
    }
    assert breaches(project.report(A100, "torch=2.8.0+cu128")) == {}
    project.write("requirements.txt", "torch==2.6.0\n")  # of CUDA 12.4
    project.policy('gpus = ["A100"]\nlock = "requirements.txt"\nversions.cuda = ">=12.8"\n')
    report = project.report(A100, "torch=2.8.0+cu128")
    assert breaches(report)["AD501"] == ["cuda 12.4 is not >=12.8, as pyproject.toml:7 demands"]
    assert "cuda: requirements.txt:1" in report["findings"][0]["evidence"]


def test_what_is_required_and_not_ready_is_a_finding_with_its_line(project: Project) -> None:
    project.policy('require = [\n  "sdpa",\n  "flash-attn",\n]\n')
    report = project.report(A100, "torch=2.8.0")
    assert located(report, "AD503") == [("pyproject.toml", 7)]
    assert breaches(report)["AD503"][0].startswith("flash_attention_2 is installable: ")
    assert report["required"] == {"sdpa": True, "flash_attention_2": False}
    # required is required, whatever findings count
    assert project.check(A100, "torch=2.8.0", options=("--fail-on", "never")).code == 1
    assert project.check(*HEALTHY).code == 0


def test_the_wheel_of_a_source_that_is_not_allowed(project: Project) -> None:
    project.write("uv.lock", UV_LOCK)
    project.policy('gpus = ["A100"]\nlock = "uv.lock"\nwheel-sources = ["mjun0812"]\n')
    report = project.report(A100, "torch=2.8.0")
    assert breaches(report) == {"AD504": ["flash-attn is a wheel of fa-official; allowed are mjun0812"]}
    assert "uv.lock:4" in report["findings"][0]["evidence"]
    project.policy('gpus = ["A100"]\nlock = "uv.lock"\nwheel-sources = ["mjun0812", "fa-official"]\n')
    assert breaches(project.report(A100, "torch=2.8.0")) == {}


def test_an_installed_wheel_says_where_it_came_from(project: Project) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project.folder / "env")], check=True)
    site = next((project.folder / "env").glob("[Ll]ib*/**/site-packages"))
    for place, source in ((OFFICIAL, "fa-official"), ("https://wheels.example.org/me", "a source that the catalogue")):
        url = f"{place}/flash_attn-2.8.3%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
        package = site / "flash_attn-2.8.3.dist-info"
        package.mkdir(exist_ok=True)
        (package / "METADATA").write_text("Name: flash_attn\nVersion: 2.8.3\n")
        (package / "direct_url.json").write_text(json.dumps({"url": url, "archive_info": {}}))
        project.policy('wheel-sources = ["mjun0812"]\ntarget.venv = "env"\n')
        report = project.call("check", "--format", "json").json()
        assert breaches(report)["AD504"][0].startswith(f"flash-attn is a wheel of {source}"), source
        assert located(report, "AD504") == [("pyproject.toml", 5)]
    project.policy('wheel-sources = ["fa-official"]\ntarget.venv = "env"\n')
    (package / "direct_url.json").write_text(json.dumps({"url": f"{OFFICIAL}/{url.rpartition('/')[2]}"}))
    assert breaches(project.call("check", "--format", "json").json()) == {}


def test_an_ignored_finding_shows_and_does_not_count(project: Project) -> None:
    assert project.check(*WARNED, options=("--fail-on", "warning")).code == 1
    project.policy(
        'fail-on = "warning"\n[[tool.attn-doctor.ignore]]\ncode = "AD214"\nreason = "x"\nuntil = 2999-12-31\n'
    )
    report = project.report(*WARNED)
    assert [one["ignored"] for one in report["findings"] if one["code"] == "AD214"] == [True]
    assert project.check(*WARNED).code == 0
    project.policy('versions.torch = "<2"\n[[tool.attn-doctor.ignore]]\ncode = "AD501"\nreason = "x"\n')
    assert project.check(*HEALTHY).code == 0


# --- GPUs of the list


def test_a_lock_is_judged_on_gpus_that_nobody_has(project: Project) -> None:
    project.write("uv.lock", UV_LOCK)
    text = 'require = ["fa2"]\nlock = "uv.lock"\ngpus = [\n  "T4",\n  "A100",\n  "RTX 5090",\n]\n'
    project.policy(text)
    report = project.report()
    verdicts = {one["gpu"]: one for one in report["policy"]["gpus"]}
    assert {name: one["met"] for name, one in verdicts.items()} == {"T4": False, "A100": True, "RTX 5090": True}
    assert verdicts["A100"]["torch"] == "2.8.0+cu128"
    assert verdicts["A100"]["required"] == {"flash_attention_2": "ready"}
    assert breaches(report) == {
        "AD502": ["T4: flash_attention_2 is unsupported: needs capability 8.0; this GPU has 7.5"]
    }
    assert located(report, "AD502") == [("pyproject.toml", 8)]
    assert report["findings"][0]["evidence"][1].startswith("judged with torch 2.8.0+cu128 (uv.lock:15) and driver ")
    # what is required is asked of the list, and of this machine only once it has a GPU
    assert report["required"] == {}
    assert project.report(T4)["required"] == {"flash_attention_2": False}
    project.policy(text.replace('  "T4",\n', ""))
    assert project.check().code == 0
    assert "runs on A100, RTX 5090" in project.check().out
    assert project.check(options=("--require", "sdpa")).code == 1, "the call speaks of this machine"


def said(project: Project, fix: str) -> imagined.Called:
    """What the commands of a fix answer, each given what the one before printed."""
    out, code = b"", 0
    for command in fix.split(" | "):
        program, *words = shlex.split(command)
        assert (program, code) == ("attn-doctor", 0)
        called = project.call(*words, stdin=out)
        out, code = called.raw, called.code
    return called


def test_what_to_do_about_a_gpu_that_is_not_served(project: Project) -> None:
    def fixes(*keys: str, options: tuple[str, ...] = ()) -> list[list[str]]:
        report = project.report(*keys, options=options)
        return [one["fix"] for one in report["findings"] if one["code"] == "AD502"]

    project.write("requirements.txt", "torch==2.6.0\n")
    listed = 'lock = "requirements.txt"\ngpus = ["T4", "RTX 5090"]\n'
    project.policy(f'require = ["fa2"]\n{listed}')
    never, (torch,) = fixes(options=("--need", "dtype=fp16"))
    assert never == ["# pyproject.toml:7: take T4 off gpus", "# require sdpa in place of flash_attention_2"]
    plan = said(project, torch)
    assert plan.code == 0
    assert "torch 2.6.0 -> 2.7.1+cu128" in plan.out, "the plan moves torch, and -v has the lines for the project"
    assert "requirements.txt" in plan.out
    project.policy(f'require = ["fa2", "sdpa"]\n{listed}')
    assert fixes()[0] == ["# pyproject.toml:7: take T4 off gpus", "# take flash_attention_2 off require"]
    project.policy(listed)
    (error,) = fixes()[-1]
    assert "pip install torch==2.7.1+cu128" in said(project, error).out
    project.write("requirements.txt", "numpy\n")
    (no_torch,) = fixes()[-1]
    assert "pip install torch" in said(project, no_torch).out
    project.policy('gpus = ["RTX 5090"]\n')
    assert fixes("torch=2.6.0+cpu") == [
        ["pip install torch==2.7.1+cu128 --index-url https://download.pytorch.org/whl/cu128"]
    ]
    assert fixes()[0][0].startswith("pip install torch==")
    project.policy('require = ["fa2"]\ngpus = ["A100"]\n')
    (project.folder / "here.json").write_bytes(imagined.facts("torch=2.8.0"))
    report = project.call("check", "--facts", "here.json", "--format", "json").json()
    (bring,) = next(one["fix"] for one in report["findings"] if one["code"] == "AD502")
    command = (
        "attn-doctor install flash_attention_2 --dry-run -v --facts here.json --what-if gpu=A100 --what-if driver="
    )
    assert bring.startswith(command)
    assert said(project, bring).code == 0


def test_torch_without_code_for_a_gpu_is_found_on_it(project: Project) -> None:
    project.write("requirements.txt", "--extra-index-url https://download.pytorch.org/whl/cu126\ntorch==2.6.0\n")
    project.policy('gpus = ["A100", "RTX 5090"]\nlock = "requirements.txt"\n')
    report = project.report()
    (one,) = breaches(report)["AD502"]
    assert one.startswith("RTX 5090: AD103, torch has no code for this GPU: ")
    assert report["policy"]["gpus"][1]["torch"] == "2.6.0+cu126"
    assert report["policy"]["gpus"][1]["findings"] == ["AD103"]
    project.policy('require = ["sdpa"]\ngpus = ["RTX 5090"]\nlock = "requirements.txt"\n')
    (one,) = breaches(project.report())["AD502"]
    assert one.startswith("RTX 5090: sdpa is installable: torch has no code for this GPU; ")
    assert one.endswith(" (AD103 there)")


def test_the_oldest_driver_that_the_policy_allows_must_do(project: Project) -> None:
    project.write("requirements.txt", "torch==2.13.0+cu130\n")
    listed = 'lock = "requirements.txt"\ngpus = ["A100", { name = "H100", driver = "580.95.05" }]\n'
    project.policy(listed + 'versions.driver = ">=550"\n')
    report = project.report()
    assert [(one["gpu"], one["driver"], one["met"]) for one in report["policy"]["gpus"]] == [
        ("A100", "550", False),
        ("H100, driver 580.95.05", "580.95.05", True),
    ]
    project.policy(listed + 'versions.driver = ">=580"\n')
    assert breaches(project.report()) == {}


def test_the_target_is_judged_where_there_is_no_lock(project: Project) -> None:
    project.policy('gpus = ["T4", "A100"]\nrequire = ["flash_attention_2"]\n')
    for machine in (("torch=2.8.0", FLASH_ATTN), ("torch=2.8.0", FLASH_ATTN, T4, "driver=580.95.05")):
        report = project.report(*machine)
        assert [one["met"] for one in report["policy"]["gpus"]] == [False, True], machine
    mac = project.report("os=macos", "arch=aarch64", "gpu=Apple M2", "torch=2.8.0")
    assert [one["torch"] for one in mac["policy"]["gpus"]] == ["2.8.0", "2.8.0"]
    cpu = project.report("torch=2.8.0+cpu")
    assert [one["met"] for one in cpu["policy"]["gpus"]] == [False, False]


def test_nothing_to_judge_by_is_said_and_is_no_pass(project: Project) -> None:
    project.policy('gpus = ["T4"]\n')
    report = project.report()
    assert "there is no torch to judge it by" in breaches(report)["AD502"][0]
    assert project.check().code == 1
    project.write("requirements.txt", "numpy==2.0\n")
    project.policy('gpus = ["T4"]\nlock = "requirements.txt"\n')
    assert "there is no torch to judge it by: requirements.txt has none" in breaches(project.report())["AD502"][0]


@pytest.mark.parametrize(
    ("asked", "said"), [("torch>=2", "torch>=2"), ("Torch [opt] ; python_version>'3'", "Torch [opt]")]
)
def test_a_torch_that_is_not_pinned_is_named_with_its_line(project: Project, asked: str, said: str) -> None:
    project.write("needs/base.txt", f"torch; sys_platform == 'darwin'\ntorchvision\n{asked}  # the newest\n")
    project.write("requirements.txt", "-r needs/base.txt\n")
    project.policy('gpus = ["T4"]\nlock = "requirements.txt"\n')
    detail = breaches(project.report())["AD502"][0]
    assert f"needs/base.txt:3 has {said}, which is no pinned version: write torch==..." in detail


def test_nothing_is_to_be_installed_into_attn_doctor_s_own_environment(project: Project) -> None:
    project.policy('require = ["sdpa"]\n')
    report = project.call("check", "--python", sys.executable, "--format", "json").json()
    fixes = {one["code"]: one["fix"] for one in report["findings"]}
    assert fixes["AD105"][0] == fixes["AD503"][0] == "attn-doctor check --venv DIR"


@pytest.mark.parametrize("machine", MACHINES[::6], ids=lambda one: " ".join(one["simulate"][:2]))
def test_every_machine_keeps_what_holds_there_and_its_own_gpus(project: Project, machine) -> None:
    """A recorded machine under a policy that asks for its own backend and GPUs: no breach, and nothing else moves."""
    before = project.report(*machine["simulate"])
    use_now = before["recommendation"]["use_now"]
    named = [key.partition("=")[2] for key in machine["simulate"] if key.startswith("gpu=")]
    project.policy(f"require = {json.dumps([use_now] if use_now else [])}\n")
    report = project.report(*machine["simulate"])
    assert breaches(report) == {}
    assert report["findings"] == before["findings"]
    if (
        machine.get("healthy")
        and named
        and "Apple" not in named[0]
        and before["facts"]["readings"]["torch"]["status"] == "known"
    ):
        project.policy(f"gpus = {json.dumps(named)}\n")
        on_cpu = "+cpu" in before["facts"]["readings"]["torch"]["value"]["version"]
        assert ("AD502" in breaches(project.report(*machine["simulate"]))) is on_cpu


# --- who wins


def test_the_call_wins_over_the_file_and_the_file_over_the_defaults(project: Project) -> None:
    project.policy('require = ["sdpa"]\nneed = ["dtype=bf16", "causal"]\nfail-on = "never"\n')
    plain = project.report(*WARNED)
    assert settings(plain) == [
        ("require", "sdpa", "pyproject.toml:5"),
        ("need", "dtype=bf16", "pyproject.toml:6"),
        ("need", "causal", "pyproject.toml:6"),
        ("target.facts", "-", "--facts"),
        ("fail-on", "never", "pyproject.toml:7"),
    ]
    options = ("--fail-on", "warning", "--need", "dtype=fp16", "--require", "eager", "--ignore", "AD101")
    report = project.report(*WARNED, options=options)
    assert report["needs"] == {"dtype": "fp16", "causal": "true"}
    assert report["required"] == {"sdpa": True, "eager": True}
    assert [one for one in settings(report) if one not in settings(plain)] == [
        ("need", "dtype=fp16", "--need"),
        ("require", "eager", "--require"),
        ("ignore", "AD101", "--ignore"),
        ("fail-on", "warning", "--fail-on"),
    ]
    assert ("need", "dtype=bf16", "pyproject.toml:6") not in settings(report)
    assert (project.check(*WARNED).code, project.check(*WARNED, options=options).code) == (0, 1)
    project.policy('require = ["sdpa"]\n')
    assert settings(project.report(*WARNED))[-1] == ("fail-on", "error", "default")


def test_v_says_where_each_setting_comes_from(project: Project) -> None:
    project.policy(SAID + 'gpus = ["T4"]\n')
    out = project.check(*HEALTHY, options=("-v", "--require", "sdpa")).out
    for said in (
        "policy   pyproject.toml · not on T4",
        "require        flash_attention_2  [pyproject.toml:5]",
        "require        sdpa  [--require]",
        "fail-on        warning  [pyproject.toml:7]",
        "versions       torch >=2.8  [pyproject.toml:8]",
        "on T4: flash_attention_2 unsupported, sdpa ready; torch 2.8.0",
    ):
        assert said in out, out
    assert imagined.too_wide(out) == []
    assert "[pyproject.toml:5]" not in project.check(*HEALTHY).out


def test_the_nearest_file_holds_and_its_own_file_wins(project: Project) -> None:
    project.policy('fail-on = "never"\n')
    (project.folder / "deep" / "inside").mkdir(parents=True)
    options = ("--format", "json")
    assert project.check(*HEALTHY, options=options, at="deep/inside").json()["policy"]["file"] == "../../pyproject.toml"
    project.write("deep/attn-doctor.toml", 'fail-on = "warning"\n')
    near = project.check(*HEALTHY, options=options, at="deep/inside").json()["policy"]
    assert near["file"] == "../attn-doctor.toml"
    project.write("deep/pyproject.toml", "[tool.attn-doctor]\n")
    beside = project.check(*HEALTHY, options=options, at="deep").json()["policy"]
    assert beside["file"] == "attn-doctor.toml"
    assert beside["notes"] == ["pyproject.toml has a policy too; it is passed over"]
    # a file that only looks as if it held one is passed by
    project.write("deep/inside/pyproject.toml", '[project]\ndependencies = ["attn-doctor"]\n[tool]\nx.y = 1\n')
    assert project.check(*HEALTHY, options=options, at="deep/inside").json()["policy"]["file"] == "../attn-doctor.toml"
    # never beyond the repository
    (project.folder / "deep" / "inside" / ".git").mkdir()
    assert project.check(*HEALTHY, options=options, at="deep/inside").json()["policy"] is None
    named = project.check(*HEALTHY, options=(*options, "--policy", "../../pyproject.toml"), at="deep/inside").json()
    assert named["policy"]["file"] == "../../pyproject.toml"
    none = project.check(*HEALTHY, options=(*options, "--no-policy")).json()
    assert none["policy"] is None


FORMS = (
    "[tool.attn-doctor]\nfail-on = 'never'\n",
    "[ tool . 'attn-doctor' ]\nfail-on = 'never'\n",
    '["tool"."attn-doctor"]\nfail-on = "never"\n',
    "tool.attn-doctor.fail-on = 'never'\n",
    "tool = { attn-doctor = { fail-on = 'never' } }\n",
    "[tool]\nruff = {}\nattn-doctor = { fail-on = 'never' }\n",
    "  [tool]  # ours\n  attn-doctor . fail-on = 'never'\n",
    "[tool.attn-doctor.target]\n[tool.attn-doctor]\nfail-on = 'never'\n",
)


@pytest.mark.parametrize("form", FORMS)
def test_the_table_is_found_in_every_form_that_toml_has_for_it(project: Project, form: str) -> None:
    project.write("pyproject.toml", "# attn-doctor\n" + form)
    line = 2 + form[: form.index("fail-on")].count("\n")
    assert settings(project.report(*HEALTHY))[-1] == ("fail-on", "never", f"pyproject.toml:{line}")


# --- the target, and files as they are


def test_the_target_of_the_policy_is_examined(project: Project) -> None:
    for name in ("env", "other"):
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project.folder / name)], check=True)
    project.policy('target.venv = "env"\n')
    (project.folder / "below").mkdir()
    read = project.call("check", "--format", "json", at="below").json()
    assert read["facts"]["readings"]["python"]["value"]["prefix"] == str(project.folder / "env")
    other = project.call("check", "--format", "json", "--venv", "other").json()
    assert other["facts"]["readings"]["python"]["value"]["prefix"] == str(project.folder / "other")
    assert ("target.venv", "other", "--venv") in settings(other)
    assert ("target.venv", "env", "pyproject.toml:5") not in settings(other)


def test_every_command_speaks_of_the_target_of_the_policy(project: Project) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project.folder / "env")], check=True)
    expired = '[[tool.attn-doctor.ignore]]\ncode = "AD101"\nreason = "x"\nuntil = 2020-01-01\n'
    project.policy(f'target.python = "env/bin/python"\n{expired}')
    assert project.call("check").code == 2
    facts = project.call("facts")  # held to nothing else of it
    assert facts.json()["readings"]["python"]["value"]["prefix"] == str(project.folder / "env")
    assert project.call("history").code == 0
    gone = project.policy('target.venv = "gone"\n')
    for command in ("facts", "check", "repair"):
        called = project.call(command, *(("--dry-run",) if command == "repair" else ()))
        assert called.code == 2, called
        assert "pyproject.toml:5: target.venv: " in " ".join(called.err.split()), called
    gone.write_text("[tool.attn-doctor\n")
    assert project.call("facts").code == 0


def test_a_windows_editor_s_file(project: Project) -> None:
    path = project.folder / "attn-doctor.toml"
    path.write_bytes(b'\xef\xbb\xbfrequire = ["sdpa"]\r\nversions.torch = "<2"\r\n')
    assert located(project.report(*HEALTHY), "AD501") == [("attn-doctor.toml", 2)]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
def test_a_fifo_is_not_waited_for(project: Project) -> None:
    os.mkfifo(project.folder / "pyproject.toml")
    assert [*find.found(str(project.folder))] == []
    assert where_asked(str(project.folder)) == {}


# --- requirements


def test_a_finding_about_a_package_points_to_where_it_is_asked_for(project: Project) -> None:
    v100 = ("gpu=Tesla V100-SXM2-16GB", "driver=580.95.05", "torch=2.13.0")
    project.write("requirements-gpu.txt", "# torch\nnumpy\n  torch>=2  # new\n")
    assert located(project.report(*v100), "AD103") == [("requirements-gpu.txt", 3)]
    project.write("pyproject.toml", '[project]\nkeywords = ["torch"]\ndependencies = [\n  "numpy",\n  "torch>=2",\n]\n')
    assert located(project.report(*v100), "AD103") == [("pyproject.toml", 5)]
    project.write("pyproject.toml", "[tool.poetry.group.gpu.dependencies]\nnumpy = '*'\ntorch = '2.13.0'\n")
    assert located(project.report(*v100), "AD103") == [("pyproject.toml", 3)]
    wrong = (A100, "torch=2.9.1", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE")
    project.write(
        "pyproject.toml", '[project]\ndependencies = ["torch"]\n[dependency-groups]\ngpu = ["Flash_Attn==2.8.3"]\n'
    )
    (finding,) = [one for one in project.report(*wrong)["findings"] if one["severity"] == "error"]
    assert "flash-attn" in finding["detail"]
    assert finding["location"] == {"file": "pyproject.toml", "line": 4, "column": 8}
    # no package is named: there is no line to point to
    hidden = project.report(A100, "torch=2.8.0", "nvcc=11.8", "driver=none")
    assert [one["location"] for one in hidden["findings"] if "torch" not in one["title"] + one["detail"]] != []
    project.write("pyproject.toml", "[project\n")
    project.write("requirements-gpu.txt", "")
    assert project.report(*v100)["findings"][0]["location"] is None


def test_no_policy_costs_nothing_that_reads_one(project: Project) -> None:
    project.write("pyproject.toml", "[project]\nname = 'x'\n")
    code = f"""
import os, sys
os.chdir({str(project.folder)!r})
from attn_doctor.cli import main
try:
    main(["check", "--format", "json", "--output", os.devnull])
except SystemExit:
    pass
print(sorted(name for name in sys.modules if name in ("tomllib", "datetime") or name.startswith("attn_doctor.policy.")))
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    loaded = set(json.loads(said.replace("'", '"')))
    assert "attn_doctor.policy.find" in loaded
    assert loaded & {"attn_doctor.policy.read", "attn_doctor.policy.keys", "attn_doctor.policy.lock"} == set()
