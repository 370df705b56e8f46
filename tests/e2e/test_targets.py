"""The target as it really is: environments made by venv, uv and pip, and asked from outside."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from e2e.conftest import TORCH, call, make_venv
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

    Cli = Callable[..., Ran]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")

OURS = ".".join(map(str, sys.version_info[:3]))
MINOR = "{}.{}".format(*sys.version_info)


def readings(ran: Ran) -> Any:
    assert (ran.code, ran.err) == (0, ""), ran
    return ran.json()["readings"]


def python(ran: Ran) -> Any:
    return readings(ran)["python"]["value"]


def without_free_bytes(text: str) -> str:
    """Free memory and disk are rounded, and may all the same cross a GiB between two calls."""
    return re.sub(r'("(?:free|available)_bytes": )\d+', r"\1_", text)


def asked(interpreter: object, code: str) -> Any:
    return json.loads(call(interpreter, "-I", "-c", f"import json, sys\nprint(json.dumps({code}))"))


# --- kinds of environment


@pytest.mark.parametrize("option", ["--venv", "--python"])
def test_a_venv(cli: Cli, venv: Path, option: str) -> None:
    found = python(cli("facts", option, venv if option == "--venv" else venv / "bin" / "python"))
    assert found["version"] == OURS
    assert found["prefix"] == str(venv) == asked(venv / "bin" / "python", "sys.prefix")
    assert found["executable"] == str(venv / "bin" / "python")
    assert (found["kind"], found["chosen_by"], found["own"]) == ("venv", option, False)
    assert (found["externally_managed"], found["free_threaded"], found["implementation"]) == (False, False, "cpython")


def test_the_pip_of_a_venv_is_the_one_that_it_names(cli: Cli, venv: Path) -> None:
    said = call(venv / "bin" / "python", "-m", "pip", "--version").split()[1]
    assert readings(cli("facts", "--venv", venv))["tools"]["value"]["found"]["pip"] == said


def test_a_uv_venv_has_no_pip(cli: Cli, uv_venv: Path) -> None:
    found = readings(cli("facts", "--venv", uv_venv))
    assert (found["python"]["value"]["kind"], found["python"]["value"]["version"]) == ("uv", OURS)
    assert "pip" not in found["tools"]["value"]["found"]
    assert found["packages"]["value"] == {}


def test_a_relative_path_and_a_home(cli: Cli, venv: Path) -> None:
    for given in ("venv", "./venv", "venv/"):
        assert python(cli("facts", "--venv", given, cwd=venv.parent))["prefix"] == str(venv)
    home = {"HOME": str(venv.parent)}
    assert python(cli("facts", "--as-is", "--venv", "~/venv", env=home))["prefix"] == str(venv)
    assert python(cli("facts", "--venv", "~/venv", env=home))["prefix"] == "/home/user/venv"
    assert python(cli("facts", "--python", "venv/bin/python3", cwd=venv.parent))["prefix"] == str(venv)


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no system Python")
def test_the_python_of_the_system(cli: Cli) -> None:
    found = python(cli("facts", "--python", "/usr/bin/python3"))
    version = asked("/usr/bin/python3", "'.'.join(map(str, sys.version_info[:3]))")
    stdlib = asked("/usr/bin/python3", "__import__('sysconfig').get_path('stdlib')")
    # the patch level stands in a header that only the development package brings
    assert found["version"] in (version, version.rpartition(".")[0])
    assert (found["kind"], found["prefix"]) == ("system", "/usr")
    assert found["externally_managed"] is os.path.exists(os.path.join(stdlib, "EXTERNALLY-MANAGED"))


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no system Python")
def test_packages_of_the_system_python_are_those_it_imports_from(cli: Cli) -> None:
    found = readings(cli("facts", "--python", "/usr/bin/python3"))
    sites = set(asked("/usr/bin/python3", "[p for p in sys.path if p.endswith('-packages')]"))
    assert set(found["torch"].get("looked_in", ())) <= sites | {"/usr/local/lib/python3/dist-packages"}
    for name, package in found["packages"]["value"].items():
        assert package["location"] in sites, name


OTHERS = sorted(
    path
    for path in glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3"))
    if tuple(map(int, re.findall(r"/3\.(\d+)", path)[:1])) >= (10,)
)


@pytest.mark.parametrize("interpreter", OTHERS, ids=[path.split("/")[-3] for path in OTHERS])
def test_another_python(cli: Cli, tmp_path: Path, interpreter: str) -> None:
    version = asked(interpreter, "'.'.join(map(str, sys.version_info[:3]))")
    if version == OURS:
        pytest.skip("it is the one that runs the tests")
    folder = make_venv(tmp_path / "venv", "--without-pip", python=interpreter)
    found = python(cli("facts", "--venv", folder))
    assert (found["version"], found["kind"]) == (version, "venv")
    # and the interpreter itself, which is no virtual environment
    base = python(cli("facts", "--python", interpreter))
    assert (base["version"], base["kind"]) == (version, "system")
    assert base["prefix"] == asked(interpreter, "sys.prefix")


def test_system_site_packages(cli: Cli, tmp_path: Path) -> None:
    base = getattr(sys, "_base_executable", sys.executable)
    shared = make_venv(tmp_path / "shared", "--without-pip", "--system-site-packages", python=base)
    alone = make_venv(tmp_path / "alone", "--without-pip", python=base)
    told = {name: readings(cli("facts", "--venv", folder)) for name, folder in (("shared", shared), ("alone", alone))}
    sites = asked(shared / "bin" / "python", "[p for p in sys.path if p.endswith('-packages')]")
    user = [site for site in sites if "/.local/" in site]
    looked_in = told["shared"]["torch"].get("looked_in", sites)
    assert set(looked_in) == set(sites) - set(user)
    assert "pip" in told["shared"]["packages"]["value"]
    assert "pip" not in told["alone"]["packages"]["value"]


def test_a_path_with_a_space_and_letters_of_other_alphabets(cli: Cli, tmp_path: Path) -> None:
    folder = make_venv(tmp_path / "mein Ordner Übung 環境" / "v e", "--without-pip")
    found = python(cli("facts", "--venv", folder))
    assert (found["prefix"], found["version"]) == (str(folder), OURS)


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "LANG": None}])
def test_such_a_path_survives_a_terminal_without_those_letters(cli: Cli, tmp_path: Path, env: dict[str, str]) -> None:
    folder = make_venv(tmp_path / "Übung", "--without-pip")
    ran = cli("facts", "--venv", folder, env=env)
    assert ran.code == 0, ran
    assert json.loads(ran.stdout)["readings"]["python"]["value"]["prefix"] == str(folder)


def test_a_path_that_is_no_utf8_ends_in_no_traceback(cli: Cli, tmp_path: Path) -> None:
    folder = make_venv(tmp_path / "venv", "--without-pip")
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        odd.symlink_to(folder)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    ran = subprocess.run(
        [sys.executable, "-m", "attn_doctor", "facts", "--venv", odd],
        env=clean_environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in ran.stderr
    assert b"itself failed" not in ran.stderr, ran.stderr
    assert ran.returncode in (0, 2)


def test_a_conda_environment(cli: Cli, tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.12" / "site-packages"
    for folder in (tmp_path / "conda-meta", tmp_path / "bin", site / "triton-3.5.0.dist-info"):
        folder.mkdir(parents=True)
    for name in ("python-3.12.3-hab00c5b_0_cpython.json", "python_abi-3.12-5_cp312.json", "pytorch-2.5.1-py3.12.json"):
        (tmp_path / "conda-meta" / name).write_text("{}")
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    for options, env in (
        (("--venv", tmp_path), {}),
        (("--python", tmp_path / "bin" / "python"), {}),
        ((), {"CONDA_PREFIX": str(tmp_path)}),
    ):
        found = readings(cli("facts", *options, env=env))
        told = found["python"]["value"]
        assert (told["kind"], told["version"], told["prefix"]) == ("conda", "3.12.3", str(tmp_path)), options
        assert found["packages"]["value"]["triton"]["version"] == "3.5.0"


# --- which environment


@pytest.fixture
def three(tmp_path: Path, venv: Path) -> tuple[Path, Path, Path]:
    """An active environment, a folder with a .venv, and a conda environment."""
    project, conda = tmp_path / "project", tmp_path / "conda"
    make_venv(project / ".venv", "--without-pip")
    (conda / "conda-meta").mkdir(parents=True)
    (conda / "conda-meta" / "python-3.12.3-h1.json").write_text("{}")
    (conda / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    return venv, project, conda


def test_precedence(cli: Cli, three: tuple[Path, Path, Path], uv_venv: Path) -> None:
    active, project, conda = three
    env: dict[str, str | None] = {"VIRTUAL_ENV": str(active), "CONDA_PREFIX": str(conda)}

    def chosen(*options: object, cwd: object = project) -> tuple[str, str]:
        found = python(cli("facts", *options, env=env, cwd=cwd))
        return found["chosen_by"], found["prefix"]

    assert chosen("--venv", uv_venv) == ("--venv", str(uv_venv))
    assert chosen("--python", uv_venv / "bin" / "python") == ("--python", str(uv_venv))
    assert chosen() == ("$VIRTUAL_ENV", str(active))
    env["VIRTUAL_ENV"] = None
    assert chosen() == ("./.venv", str(project / ".venv"))
    assert chosen(cwd=active.parent) == ("$CONDA_PREFIX", str(conda))
    env["CONDA_PREFIX"] = None
    assert chosen(cwd=active.parent)[0] == "the interpreter that runs attn-doctor"


def test_our_own_interpreter(cli: Cli) -> None:
    found = python(cli("facts"))
    assert (found["prefix"], found["executable"], found["version"], found["own"]) == (
        sys.prefix,
        sys.executable,
        OURS,
        True,
    )


def test_our_own_environment_by_its_name_is_known_to_be_ours(cli: Cli) -> None:
    assert python(cli("facts", "--python", sys.executable))["own"] is True


# --- what is no environment


def test_a_shim(cli: Cli, tmp_path: Path, venv: Path) -> None:
    shim = tmp_path / "bin" / "python3"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {venv}/bin/python "$@"\n')
    shim.chmod(0o755)
    found = python(cli("facts", "--python", shim))
    assert (found["prefix"], found["version"]) == (str(venv), OURS)


def script(text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        file = folder / "python"
        file.write_text(text)
        file.chmod(0o755)
        return file

    return make


NO_PYTHON: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "no such folder": ("--venv", lambda folder: folder / "none", "there is no folder"),
    "an empty folder": ("--venv", lambda folder: folder, "is not a Python environment"),
    "no such file": ("--python", lambda folder: folder / "python", "there is no interpreter"),
    "a folder for a file": ("--python", lambda folder: folder, "there is no interpreter"),
    "a script that fails": ("--python", script("#!/bin/sh\necho no version >&2\nexit 3\n"), "no version"),
    "a script that says nothing": ("--python", script("#!/bin/sh\nexit 0\n"), "does not answer"),
    "a script that says something else": ("--python", script("#!/bin/sh\necho hello\n"), "does not answer"),
    "something that is no program": ("--python", script("\x00\x01\x02"), "could not be started"),
}


def unfolded(text: str) -> str:
    """A message without its white space: where it is folded is for another test."""
    return "".join(text.split())


@pytest.mark.parametrize("command", ["facts", "check"])
@pytest.mark.parametrize(("option", "make", "words"), NO_PYTHON.values(), ids=NO_PYTHON)
def test_what_is_no_environment_is_one_sentence(
    cli: Cli, tmp_path: Path, command: str, option: str, make: Callable[[Path], Path], words: str
) -> None:
    path = make(tmp_path)
    ran = cli(command, option, path)
    assert (ran.code, ran.out) == (2, ""), ran
    said = unfolded(ran.err)
    assert said.startswith(f"attn-doctor:{option}:")
    assert unfolded(str(path)) in said
    assert unfolded(words) in said
    assert "Traceback" not in said
    hints = [line for line in ran.err.splitlines() if line.startswith("  ")]
    assert len(ran.err) < 400 + len(str(path)), "one sentence and a hint"
    assert len(hints) <= 2


def test_a_virtual_env_that_is_no_environment_is_named(cli: Cli, tmp_path: Path) -> None:
    ran = cli("facts", env={"VIRTUAL_ENV": str(tmp_path)})
    assert ran.code == 2
    assert unfolded(ran.err).startswith(f"attn-doctor:$VIRTUAL_ENV:{tmp_path}is")


def test_no_path_is_folded_at_a_hyphen(cli: Cli, tmp_path: Path) -> None:
    """A path that is broken over two lines can be neither copied nor searched for."""
    path = tmp_path / ("a-long-name-with-hyphens" * 5)
    assert str(path) in cli("facts", "--venv", path).err


def test_python_and_venv_together(cli: Cli, venv: Path) -> None:
    ran = cli("facts", "--venv", venv, "--python", venv / "bin" / "python")
    assert (ran.code, ran.out) == (2, "")
    assert "--python" in ran.err
    assert "--venv" in ran.err


def test_a_venv_whose_interpreter_is_gone_is_still_read(cli: Cli, tmp_path: Path) -> None:
    folder = make_venv(tmp_path / "venv", "--without-pip")
    for name in os.listdir(folder / "bin"):
        if name.startswith("python"):
            (folder / "bin" / name).unlink()
    assert python(cli("facts", "--venv", folder))["version"] == OURS


# --- torch


@pytest.fixture(scope="session")
def torch_says(torch_venv: Path) -> Any:
    """What the torch of that environment says of itself."""
    code = (
        "import json, torch\n"
        "print(json.dumps([torch.__version__, torch.version.cuda, torch.compiled_with_cxx11_abi(), torch.__file__]))"
    )
    return json.loads(call(torch_venv / "bin" / "python", "-I", "-c", code, timeout_s=300).splitlines()[-1])


def test_torch_is_read_as_it_describes_itself(cli: Cli, torch_venv: Path, torch_says: Any) -> None:
    reading = readings(cli("facts", "--venv", torch_venv))["torch"]
    found = reading["value"]
    version, cuda, abi, file = torch_says
    assert (found["version"], found["cuda"], found["cxx11abi"]) == (version, cuda, abi) == (TORCH, None, True)
    assert (found["rocm"], found["xpu"], found["arch_list"]) == (None, None, None)
    assert found["location"] == os.path.dirname(file)
    assert reading["source"] == os.path.join(os.path.dirname(file), "version.py")
    assert found["requires_python"] == requires_python(torch_venv)


def requires_python(folder: Path) -> str:
    code = "__import__('importlib.metadata').metadata.metadata('torch')['Requires-Python']"
    return asked(folder / "bin" / "python", code)


def test_torch_is_among_the_packages_and_its_only_copy(cli: Cli, torch_venv: Path, torch_says: Any) -> None:
    found = readings(cli("facts", "--venv", torch_venv))
    package = found["packages"]["value"]["torch"]
    assert (package["version"], package["build"]) == (TORCH, "cpu")
    assert any(tag.startswith(f"cp{MINOR.replace('.', '')}-") for tag in package["tags"])
    leftovers = found["leftovers"]["value"]
    assert (leftovers["half_removed"], leftovers["torch_copies"]) == ([], [os.path.dirname(torch_says[3])])
    assert leftovers["rivals"] == []


def test_a_check_of_a_cpu_torch_is_a_report(cli: Cli, torch_venv: Path) -> None:
    """F4."""
    ran = cli("check", "--format", "json", "--venv", torch_venv)
    assert ran.code == 0, ran
    names = {row["name"]: row["status"] for row in ran.json()["backends"]}
    assert names["sdpa"] == names["eager"] == "ready"


def our_packages() -> str:
    """A PYTHONPATH by which another environment's interpreter finds attn-doctor and what it needs."""
    import msgspec
    import typer

    import attn_doctor

    modules = (attn_doctor, msgspec, typer)
    return os.pathsep.join(sorted({str(Path(module.__file__).parents[1]) for module in modules if module.__file__}))


def test_facts_never_import_torch(torch_venv: Path, tmp_path: Path) -> None:
    """Run in the very environment that has torch, where an import would succeed."""
    code = (
        "import sys\n"
        "from attn_doctor.cli import main\n"
        "try:\n    main(['check', '--format', 'json', '--output', sys.argv[1]])\n"
        "except SystemExit:\n    pass\n"
        "assert 'attn_doctor.machine.probes.torch' in sys.modules\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('torch', 'numpy', 'triton')))\n"
    )
    env = clean_environment() | {"PYTHONPATH": our_packages()}
    done = subprocess.run(
        [str(torch_venv / "bin" / "python"), "-c", code, str(tmp_path / "report.json")],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["facts"]["readings"]["torch"]["value"]["version"] == TORCH


# --- the toolkit of this machine


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="no nvcc on PATH")
def test_the_real_nvcc(cli: Cli) -> None:
    release = re.search(r"release (\d+\.\d+)", call("nvcc", "--version"))
    assert release is not None
    toolkits = readings(cli("facts"))["toolkits"]["value"]["found"]
    by_path = [toolkit for toolkit in toolkits if "PATH" in toolkit["seen_by"]]
    assert [toolkit["version"] for toolkit in by_path] == [release[1]]
    roots = [toolkit["root"] for toolkit in toolkits]
    assert len(roots) == len({os.path.realpath(root) for root in roots})
    assert all(os.access(os.path.join(root, "bin", "nvcc"), os.X_OK) for root in roots)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ on PATH")
def test_the_real_compiler(cli: Cli) -> None:
    assert readings(cli("facts"))["compiler"]["value"]["version"].startswith(call("g++", "-dumpversion").strip())


# --- the same machine, the same bytes


def test_the_working_folder_is_nobodys_business(cli: Cli, venv: Path, tmp_path: Path) -> None:
    """F17."""
    for number in range(10):
        shutil.copytree(venv, tmp_path / f"venv{number}", symlinks=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    crowded, alone = (cli("facts", "--venv", venv, cwd=folder).out for folder in (tmp_path, empty))
    assert without_free_bytes(crowded) == without_free_bytes(alone)


def test_facts_twice_are_the_same_bytes(cli: Cli, venv: Path) -> None:
    first, second = (cli("facts", "--venv", venv).out for _ in range(2))
    assert without_free_bytes(first) == without_free_bytes(second)


def test_facts_of_facts_are_the_same_bytes(cli: Cli, venv: Path, tmp_path: Path) -> None:
    probed = cli("facts", "--venv", venv)
    assert cli("facts", "--facts", "-", input=probed.stdout).stdout == probed.stdout
    file = tmp_path / "facts.json"
    file.write_bytes(probed.stdout)
    assert cli("facts", "--facts", file).stdout == probed.stdout
    copied = tmp_path / "copy.json"
    assert cli("facts", "--facts", file, "--output", copied).out == ""
    assert copied.read_bytes() == probed.stdout


def test_a_check_of_facts_is_the_check_of_the_machine(cli: Cli, venv: Path) -> None:
    probed = cli("facts", "--venv", venv)
    report = cli("check", "--format", "json", "--facts", "-", input=probed.stdout)
    assert json.dumps(report.json()["facts"]) == json.dumps(probed.json())


def test_run_from_a_uv_environment_it_knows_that_there_is_no_pip_of_venv(uv_venv: Path, tmp_path: Path) -> None:
    """The same kind as when the environment is named: a plan for it must not count on pip."""
    code = "from attn_doctor.cli import main; main(['facts'])"
    env = clean_environment() | {"PYTHONPATH": our_packages()}
    done = subprocess.run(
        [str(uv_venv / "bin" / "python"), "-c", code],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["readings"]["python"]["value"]
    assert (found["prefix"], found["kind"], found["own"]) == (str(uv_venv), "uv", True)


@pytest.mark.skipif(not os.path.exists("/usr/bin/python3"), reason="no system Python")
def test_a_torch_that_pip_put_into_the_users_folder_is_found(cli: Cli, tmp_path: Path) -> None:
    minor = ".".join(asked("/usr/bin/python3", "'.'.join(map(str, sys.version_info[:3]))").split(".")[:2])
    site = tmp_path / f"lib/python{minor}/site-packages"
    (site / "torch").mkdir(parents=True)
    (site / "torch/version.py").write_text("__version__ = '2.9.1+cpu'\ncuda = None\n")
    base = {"PYTHONUSERBASE": str(tmp_path)}
    found = readings(cli("facts", "--python", "/usr/bin/python3", env=base))["torch"]
    assert found["value"]["version"] == "2.9.1+cpu"
    assert (
        readings(cli("facts", "--python", "/usr/bin/python3", env=base | {"PYTHONNOUSERSITE": "1"}))["torch"]["status"]
        == "absent"
    )
