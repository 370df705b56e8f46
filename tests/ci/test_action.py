"""The action for GitHub: its shape, and its steps run in bash with what the runner gives them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci import actions
from ci.actions import ACTION, Done
from plan.shop import make_wheel

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
BIN = Path(sys.executable).parent


def test_the_action_is_what_the_schema_of_actions_takes() -> None:
    checked = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]
    subprocess.run([*checked, ACTION / "action.yml"], check=True, timeout=60)


def test_the_scripts_are_clean() -> None:
    subprocess.run([BIN / "shellcheck", *sorted(ACTION.glob("*.sh"))], check=True, timeout=60)


def test_every_input_reaches_a_step_and_every_output_comes_from_one() -> None:
    action = actions.load(ACTION / "action.yml")
    steps = json.dumps(action["runs"]["steps"])
    for name in action["inputs"]:
        assert f"inputs.{name} " in steps, name
    for name, output in action["outputs"].items():
        assert f"steps.check.outputs.{name} " in output["value"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with a torch in it, by its files."""
    folder = tmp_path_factory.mktemp("project") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    site = next(folder.glob("[Ll]ib*/**/site-packages"))
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("__version__ = '2.8.0+cpu'\ncuda = None\nhip = None\n")
    (site / "torch-2.8.0+cpu.dist-info").mkdir()
    (site / "torch-2.8.0+cpu.dist-info" / "METADATA").write_text("Name: torch\nVersion: 2.8.0+cpu\n")
    return folder


@pytest.fixture
def step(tmp_path: Path, environment: Path):
    """The action in a workspace whose project lies in `my project`."""
    workspace = tmp_path / "workspace"
    project = workspace / "my project"
    project.mkdir(parents=True)
    (project / ".venv").symlink_to(environment)
    actions.installed(tmp_path, BIN / "attn-doctor")

    def run(env: dict[str, str] | None = None, **inputs: str) -> Done:
        return actions.run(tmp_path, workspace, env, **{"working-directory": "my project"} | inputs)

    run.project = project  # type: ignore[attr-defined]
    return run


def test_a_healthy_environment_passes_and_is_summed_up(step) -> None:
    done = step(require="sdpa, eager")
    assert done.code == 0, done.said
    assert done.outputs == {"exit-code": "0", "sarif": ""}
    assert "torch    2.8.0+cpu" in done.said
    assert done.summary.startswith("## attn-doctor: ")
    assert "| + | `sdpa` | ready |" in done.summary


def test_a_backend_that_is_not_ready_fails_the_step(step) -> None:
    done = step(require="flash_attention_2\nsdpa")
    assert done.code == 1
    assert done.outputs["exit-code"] == "1"
    assert [(one.name, one.properties.get("title")) for one in done.commands if one.name == "error"] == [
        ("error", "required-backend flash_attention_2 is required and unsupported")
    ]


def test_every_input_is_an_option(step) -> None:
    done = step(
        require="flash_attention_2",
        need="dtype=bf16 head_dim=128,\n  causal",
        what_if="gpu=NVIDIA A100-SXM4-80GB\ndriver=575.51.03\ntorch=2.8.0+cu128\npkg.flash-attn=2.8.3\n\n",
        fail_on="never",
        ignore="AD214,AD211",
        args="--no-policy\n--verbose",
    )
    assert done.code == 0, done.said
    assert "NVIDIA A100-SXM4-80GB" in done.said
    assert "+ flash_attention_2  ready" in done.said


def test_the_policy_of_the_project_holds_and_is_annotated_at_its_line(step) -> None:
    (step.project / "pyproject.toml").write_text('[project]\nname = "x"\n\n[tool.attn-doctor]\nrequire = ["fa2"]\n')
    done = step()
    assert done.code == 1
    places = [one.properties for one in done.commands if "file" in one.properties]
    assert [(one["file"], one["line"]) for one in places] == [("my project/pyproject.toml", "5")]


def test_the_target_of_the_policy_is_examined(step, environment: Path) -> None:
    (step.project / "env").symlink_to(environment)
    (step.project / ".venv").unlink()
    empty = step.project / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(empty)], check=True, timeout=60)
    policy = step.project / "attn-doctor.toml"
    policy.write_text('target.venv = "env"\n')
    assert "2.8.0+cpu" in step().said
    assert "2.8.0+cpu" not in step(args="--no-policy").said
    (step.project / "elsewhere.toml").write_text('require = ["sdpa"]\n')
    assert "2.8.0+cpu" not in step(policy="elsewhere.toml").said
    policy.write_text('target.venv = "gone"\n')
    done = step()
    assert done.code == 2
    assert "attn-doctor.toml:1: target.venv" in done.said


def test_a_policy_that_is_wrong_is_annotated_too(step) -> None:
    (step.project / "pyproject.toml").write_text('[tool.attn-doctor]\nrequir = ["fa2"]\n')
    done = step(sarif="findings.sarif")
    assert done.code == 2
    assert done.outputs == {"exit-code": "2", "sarif": ""}
    (error,) = [one for one in done.commands if one.name == "error"]
    assert (error.properties["file"], error.properties["line"]) == ("my project/pyproject.toml", "2")
    assert "did\nyou mean 'require'?" in error.data


def test_sarif_is_written_with_places_from_the_root(step) -> None:
    (step.project / "attn-doctor.toml").write_text('require = ["fa2"]\n')
    done = step(sarif="out.sarif")
    assert done.code == 1
    assert done.outputs["sarif"] == "my project/out.sarif"
    results = json.loads((step.project / "out.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    uris = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in results}
    assert "my%20project/attn-doctor.toml" in uris
    assert done.summary.count("## attn-doctor") == 1


def test_nothing_that_is_given_runs_as_a_command(step) -> None:
    done = step(require="sdpa$(touch pwned);touch${IFS}pwned", args='--what-if\nram=1GiB"; touch pwned; "')
    assert done.code == 2
    assert not list(step.project.glob("pwned"))


def test_without_an_environment_the_python_on_path_is_examined(step, environment: Path) -> None:
    (step.project / ".venv").unlink()
    done = step(env={"PATH": f"{environment}/bin:/usr/bin:/bin"}, require="sdpa")
    assert done.code == 0, done.said
    assert "2.8.0+cpu" in done.said


TINY = {
    "attn_doctor.py": """import sys
def main():
    if sys.argv[1:] == ["--version"]:
        print("attn-doctor 0.0.1")
    else:
        print(sys.prefix, *sys.argv[1:])
""",
    "attn_doctor-0.0.1.dist-info/entry_points.txt": "[console_scripts]\nattn-doctor = attn_doctor:main\n",
}


@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_it_installs_beside_what_it_examines(tmp_path: Path, environment: Path, tool: str) -> None:
    """With a package of that name that takes no time to install; the real one was installed by hand."""
    workspace, shelf = tmp_path / "workspace", tmp_path / "shelf"
    workspace.mkdir()
    shelf.mkdir()
    (workspace / ".venv").symlink_to(environment)
    make_wheel(shelf, "attn_doctor-0.0.1-py3-none-any.whl", TINY)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "python3").symlink_to(Path(sys.executable).resolve())
    if tool == "uv":
        (tools / "uv").symlink_to(BIN / "uv")
    offline = {"PATH": f"{tools}:/usr/bin:/bin", "PIP_CONFIG_FILE": "/dev/null"}
    offline |= {f"{name}_NO_INDEX": "1" for name in ("PIP", "UV")}
    offline |= {f"{name}_FIND_LINKS": str(shelf) for name in ("PIP", "UV")}
    before = sorted(environment.rglob("*"))
    first = actions.run(tmp_path, workspace, offline, version="0.0.1", require="sdpa")
    assert first.code == 0, first.said
    own = tmp_path / "runner temp" / "attn-doctor"
    assert f"{own} check --format github --venv .venv --require sdpa" in first.said
    written = (own / "for.txt").stat().st_mtime_ns
    assert actions.run(tmp_path, workspace, offline, version="0.0.1").code == 0
    assert (own / "for.txt").stat().st_mtime_ns == written, "the second time nothing is installed"
    assert (own / "for.txt").read_text() == "attn-doctor==0.0.1"
    assert sorted(environment.rglob("*")) == before


def test_without_a_python_it_says_what_to_do(tmp_path: Path) -> None:
    workspace, tools = tmp_path / "workspace", tmp_path / "tools"
    workspace.mkdir()
    tools.mkdir()
    for name in ("bash", "cat", "rm", "mkdir"):
        (tools / name).symlink_to(shutil.which(name) or name)
    done = actions.run(tmp_path, workspace, {"PATH": str(tools)})
    assert done.code == 2
    assert "put actions/setup-python before this step" in done.commands[0].data
