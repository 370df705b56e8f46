"""AD301, AD302, AD309 to AD313, AD315, AD317, AD318: environments broken for real, read by the real probes.

Where Python itself can say what happens, it is asked: what the finding claims is what importing does.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attn_doctor.judgement import need
from attn_doctor.judgement.check import check
from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.probe import probes
from attn_doctor.machine.target import locate
from attn_doctor.machine.whatif import plain_machine
from support import clean_environment

linux = pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")
pytestmark = linux

OURS = {f"AD{number}" for number in range(301, 319)}
READ = ("leftovers", "packages", "python", "tools", "torch")
THIS = f"cp{sys.version_info[0]}{sys.version_info[1]}"
OTHER = "cp312" if THIS != "cp312" else "cp311"
EGGS_FIRST = "import sys; p=getattr(sys,'__egginsert',0); sys.path[p:p]=new; sys.__egginsert = p+len(new)\n"


class Environment:
    """A virtual environment, without pip, into which packages are written as an installer would."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
        self.folder = folder
        self.python = folder / "bin/python"
        self.site = next(folder.glob("lib/python3*/site-packages"))
        self.install("pip", "25.0")

    def install(
        self, name: str, version: str, tag: str = "py3-none-any", site: Path | None = None, **said: str
    ) -> Path:
        """Its metadata folder, and a module or package of that name that states its version."""
        site = site or self.site
        module = name.replace("-", "_")
        record = site / f"{module}-{version}.dist-info"
        record.mkdir(parents=True)
        requires = "".join(f"Requires-Dist: {one}\n" for one in said.get("requires", "").split("|") if one)
        python = f"Requires-Python: {said['python']}\n" if "python" in said else ""
        header = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{python}{requires}"
        (record / "METADATA").write_text(f"{header}\nA package.\n")
        (record / "WHEEL").write_text(f"Wheel-Version: 1.0\nTag: {tag}\n")
        (record / "INSTALLER").write_text("pip\n")
        (site / module).mkdir(exist_ok=True)
        (site / module / "__init__.py").write_text(f"__version__ = {said.get('true', version)!r}\n")
        return record

    def torch(
        self, version: str, tag: str = f"{THIS}-{THIS}-linux_x86_64", site: Path | None = None, **said: str
    ) -> Path:
        """torch as a wheel of PyPI: its metadata does not name the build, its version.py does."""
        record = self.install("torch", version.partition("+")[0], tag, site, true=version, **said)
        cuda = f"'{version[-3:-1]}.{version[-1]}'" if "+cu" in version else None
        state = f"__version__ = '{version}'\ncuda = {cuda}\nhip = None\n"
        ((site or self.site) / "torch/version.py").write_text(state)
        return record

    def says(self, code: str, **variables: str) -> str:
        done = subprocess.run(
            [self.python, "-c", code],
            env=clean_environment() | variables,
            cwd="/",
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.stdout.decode().strip() or done.stderr.decode().strip().splitlines()[-1]

    def findings(self, python: str | None = None) -> dict[str, Any]:
        """Our findings by code. What is not of this environment is taken from a plain machine."""
        host = LiveHost()
        target = locate(host, python) if python else locate(host, venv=str(self.folder))
        target = msgspec.structs.replace(target, own=False)
        readings = plain_machine() | {name: probes()[name].read(host, target) for name in (*READ, "environment")}
        assert all(not hasattr(reading, "reason") for reading in readings.values()), readings
        report = check(Facts(readings={name: readings[name] for name in probes() if name in readings}), need.parse(()))
        assert not [one for one in report.skipped if one.code in OURS]
        return {one.code: one for one in report.findings if one.code in OURS}


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "venv")


def healthy(env: Environment) -> Environment:
    env.torch("2.8.0+cu128", python=">=3.9.0", requires='triton==3.4.0; platform_system == "Linux"|numpy')
    env.install("triton", "3.4.0", f"{THIS}-{THIS}-manylinux_2_27_x86_64")
    env.install("torchvision", "0.23.0", f"{THIS}-{THIS}-linux_x86_64", requires="numpy|torch (==2.8.0)")
    (env.site / "torchvision/version.py").write_text("__version__ = '0.23.0+cu128'\n")
    env.install("torchaudio", "2.8.0", f"{THIS}-{THIS}-linux_x86_64", requires="torch==2.8.0")
    (env.site / "torchaudio/version.py").write_text("__version__ = '2.8.0+cu128'\n")
    env.install("xformers", "0.0.32.post2", "cp39-abi3-manylinux_2_28_x86_64", requires="numpy|torch==2.8.0")
    env.install("flash-attn", "2.8.3", f"{THIS}-{THIS}-linux_x86_64", requires="torch|einops")
    env.install("transformers", "4.57.6", requires='torch>=2.2; extra == "torch"|numpy>=1.17')
    env.install("numpy", "2.3.0", f"{THIS}-{THIS}-manylinux_2_28_x86_64")
    return env


def test_a_healthy_environment_is_left_alone(env: Environment) -> None:
    assert healthy(env).findings() == {}


def test_the_same_machine_gives_the_same_bytes(env: Environment) -> None:
    healthy(env)
    read = [
        msgspec.json.encode(probes()[name].read(LiveHost(), locate(LiveHost(), venv=str(env.folder))))
        for name in (*READ, *READ)
    ]
    assert read[: len(READ)] == read[len(READ) :]


# AD301


def test_what_an_interrupted_pip_leaves(env: Environment) -> None:
    healthy(env)
    for name in ("~orch", "~orch-2.7.1.dist-info", "~lash_attn", "~vidia"):
        (env.site / name).mkdir()
    finding = env.findings()["AD301"]
    assert finding.severity == "warning"
    assert "~orch" in finding.detail
    assert "torch, flash_attn" in finding.detail.replace("flash_attn, torch", "torch, flash_attn")
    (command,) = finding.fix
    subprocess.run(["sh", "-c", command], check=True, timeout=60)
    assert env.findings() == {}
    assert (env.site / "torch").is_dir()


@pytest.mark.parametrize("name", ["~umpy", "~ip-24.0.dist-info", "~", "~$notes.docx", "~tmp", "torch~", "~-"])
def test_what_is_no_leftover_of_a_compiled_package(env: Environment, name: str) -> None:
    healthy(env)
    (env.site / name).mkdir()
    assert env.findings() == {}


@pytest.mark.parametrize(
    ("entry", "of"),
    [
        ("~orch", "torch"),
        ("~-rch", "torch"),
        ("~~rch", "torch"),
        ("~orch-2.8.0+cu128.dist-info", "torch"),
        ("~lash_attn", "flash_attn"),
        ("~lash_attn-2.8.3.dist-info", "flash_attn"),
        ("~formers", "xformers"),
        ("~riton", "triton"),
        ("~vidia", "nvidia"),
        ("~orchgen", "torchgen"),
        ("~torch", None),
        ("~ch", None),
        ("~", None),
        ("~~~~~", None),
        ("~umpy", None),
    ],
)
def test_the_name_that_pip_changed(entry: str, of: str | None) -> None:
    from attn_doctor.judgement.rules.half_removed_package import original

    assert original(entry) == of


# AD302


def test_the_metadata_is_of_another_torch(env: Environment) -> None:
    healthy(env)
    (env.site / "torch/version.py").write_text("__version__ = '2.7.1+cu126'\ncuda = '12.6'\n")
    finding = env.findings()["AD302"]
    assert finding.severity == "error"
    assert "2.7.1+cu126" in finding.detail
    assert "torch-2.8.0.dist-info" in finding.detail
    assert env.says("from importlib.metadata import version; print(version('torch'))") == "2.8.0"
    assert finding.fix == (f"{env.python} -m pip install --force-reinstall --no-deps torch==2.7.1",)


def test_two_records_of_one_torch(env: Environment) -> None:
    healthy(env)
    old = env.torch("2.7.1+cu126")
    (env.site / "torch/version.py").write_text("__version__ = '2.8.0+cu128'\ncuda = '12.8'\nhip = None\n")
    finding = env.findings()["AD302"]
    assert finding.severity == "warning"
    assert "torch-2.7.1.dist-info and torch-2.8.0.dist-info" in finding.detail
    assert finding.fix[0] == f"rm -rf {old}"
    subprocess.run(["sh", "-c", finding.fix[0]], check=True, timeout=60)
    assert env.findings() == {}


def test_the_metadata_is_of_another_build_of_the_same_torch(env: Environment) -> None:
    env.install("torch", "2.8.0+cpu")
    (env.site / "torch/version.py").write_text("__version__ = '2.8.0+cu128'\ncuda = '12.8'\n")
    finding = env.findings()["AD302"]
    assert finding.severity == "warning"
    assert "torch-2.8.0+cpu" in finding.detail


@pytest.mark.parametrize(
    ("record", "files"),
    [
        ("2.8.0", "2.8.0+cu128"),  # PyPI
        ("2.8.0+cu126", "2.8.0+cu126"),  # the PyTorch index
        ("2.8.0a0+5228986c39.nv25.6", "2.8.0a0+5228986c39.nv25.6"),  # a vendor
        ("2.9.0a0+gitabcdef0", "2.9.0a0+git1234567"),  # a source tree that was rebuilt
        ("2.5.1", "2.5.1.post303"),  # conda-forge
    ],
)
def test_records_that_say_the_same_in_other_words(env: Environment, record: str, files: str) -> None:
    env.install("torch", record)
    (env.site / "torch/version.py").write_text(f"__version__ = '{files}'\ncuda = '12.8'\n")
    assert env.findings() == {}


def test_an_empty_folder_is_no_second_record(env: Environment) -> None:
    healthy(env)
    (env.site / "torch-2.7.1.dist-info").mkdir()
    (env.site / "torch_geometric-2.6.0.dist-info").mkdir()
    assert env.findings() == {}


# AD303 to AD308 by the metadata that is installed, not by a table


def test_the_installed_metadata_decides(env: Environment) -> None:
    healthy(env)
    record = env.site / "torchvision-0.23.0.dist-info/METADATA"
    record.write_text("Name: torchvision\nRequires-Dist: torch (==2.7.1)\n\n")
    finding = env.findings()["AD303"]
    assert "torch==2.7.1" in finding.detail
    record.write_text("Name: torchvision\nRequires-Dist: torch\n\n")  # built here, for whatever is here
    assert env.findings() == {}


def test_the_build_of_a_wheel_of_pypi_stands_in_its_version_py(env: Environment) -> None:
    healthy(env)
    (env.site / "torch/version.py").write_text("__version__ = '2.8.0+cpu'\ncuda = None\n")
    found = env.findings()
    assert {"AD303", "AD304"} == set(found)
    assert "torchvision 0.23.0+cu128" in found["AD303"].detail


def test_a_torchaudio_of_another_cuda_minor(env: Environment) -> None:
    healthy(env)
    (env.site / "torchaudio/version.py").write_text("__version__ = '2.8.0+cu126'\n")
    (env.site / "torchvision/version.py").write_text("__version__ = '0.23.0+cu126'\n")
    assert set(env.findings()) == {"AD304"}


def test_a_triton_that_torch_does_not_demand(env: Environment) -> None:
    healthy(env)
    (env.site / "torch-2.8.0.dist-info/METADATA").write_text("Name: torch\nRequires-Dist: triton==3.3.0\n\n")
    assert "triton==3.3.0" in env.findings()["AD305"].detail
    (env.site / "torch-2.8.0.dist-info/METADATA").write_text("Name: torch\n\n")  # conda's and vendors' name none
    assert env.findings() == {}


# AD309


def test_a_torch_on_pythonpath_wins(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(env)
    env.torch("2.6.0+cu124", site=tmp_path / "src")
    monkeypatch.setenv("PYTHONPATH", f"/nowhere:{tmp_path / 'src'}")
    assert env.says("import torch; print(torch.__version__)", PYTHONPATH=str(tmp_path / "src")) == "2.6.0+cu124"
    finding = env.findings()["AD309"]
    assert finding.severity == "error"
    assert "torch 2.6.0+cu124" in finding.detail
    assert "torch 2.8.0+cu128" in finding.detail
    assert finding.fix == ("unset PYTHONPATH",)


def test_the_same_torch_twice_is_a_warning(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(env)
    env.torch("2.8.0+cu128", site=tmp_path / "src")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "src"))
    assert env.findings()["AD309"].severity == "warning"


def test_a_link_to_the_same_folder_is_no_second_torch(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(env)
    (tmp_path / "link").symlink_to(env.site)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "link"))
    assert env.findings() == {}


def conda(env: Environment, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment as conda makes one; the folder of the user's packages that it sees."""
    monkeypatch.setenv("HOME", str(home))
    (env.folder / "pyvenv.cfg").unlink()
    version = ".".join(map(str, sys.version_info[:3]))
    (env.folder / "conda-meta").mkdir()
    (env.folder / f"conda-meta/python-{version}-h0_cpython.json").write_text("{}")
    return home / f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def test_a_torch_of_the_user_hides_the_one_of_conda(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(env)
    env.torch("2.6.0+cu124", site=conda(env, tmp_path / "home", monkeypatch))
    finding = env.findings()["AD309"]
    assert finding.severity == "error"
    assert "torch 2.6.0+cu124" in finding.detail
    assert finding.fix == ("export PYTHONNOUSERSITE=1", f"{env.python} -m pip uninstall -y torch")
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    assert env.findings() == {}


def test_an_environment_of_its_own_does_not_see_the_user(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(env)
    site = f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    env.torch("2.6.0+cu124", site=tmp_path / "home" / site)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert env.says("import torch; print(torch.__version__)", HOME=str(tmp_path / "home")) == "2.8.0+cu128"
    assert env.findings() == {}


def test_one_that_sees_the_system_has_its_own_first(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy(env)
    settings = env.folder / "pyvenv.cfg"
    settings.write_text(settings.read_text().replace("packages = false", "packages = true"))
    site = f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    env.torch("2.6.0+cu124", site=tmp_path / "home" / site)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert env.says("import torch; print(torch.__version__)", HOME=str(tmp_path / "home")) == "2.8.0+cu128"
    assert env.findings() == {}


# AD310


def test_flash_attention_2_and_4_in_one_folder(env: Environment) -> None:
    healthy(env)
    helpers(env)
    finding = env.findings()["AD310"]
    assert finding.severity == "info"
    assert "2.8.3" in finding.detail
    assert "4.0.0b36" in finding.detail


# AD311


def test_the_installed_torch_excludes_this_python(env: Environment) -> None:
    env.torch("2.13.0+cu130", python=">=3.99")
    finding = env.findings()["AD311"]
    assert finding.severity == "error"
    assert ">=3.99" in finding.detail


def test_f14_a_torch_newer_than_the_tables_is_judged_by_its_metadata(env: Environment) -> None:
    env.torch("9.9.0+cu999", python=">=3.10")
    assert env.findings() == {}


# AD312


def test_a_wheel_for_another_python(env: Environment) -> None:
    healthy(env)
    (env.site / "flash_attn-2.8.3.dist-info/WHEEL").write_text(f"Tag: {OTHER}-{OTHER}-linux_x86_64\n")
    (env.site / f"flash_attn_2_cuda.{OTHER.replace('cp', 'cpython-')}-x86_64-linux-gnu.so").write_bytes(b"\x7fELF")
    assert "No module named 'flash_attn_2_cuda'" in env.says("import flash_attn_2_cuda")
    finding = env.findings()["AD312"]
    assert finding.severity == "error"
    assert f"flash-attn 2.8.3 ({OTHER}-{OTHER}-linux_x86_64)" in finding.detail
    assert THIS in finding.detail


def test_a_torch_for_another_python_is_reinstalled(env: Environment) -> None:
    env.torch("2.8.0+cu128", tag=f"{OTHER}-{OTHER}-linux_x86_64", python=">=3.99")
    findings = env.findings()
    assert set(findings) == {"AD312"}, "one cause, one finding"
    assert findings["AD312"].fix == (f"{env.python} -m pip install --force-reinstall --no-deps torch==2.8.0",)


@pytest.mark.parametrize(
    ("tag", "python", "free_threaded", "loads"),
    [
        ("cp311-cp311-linux_x86_64", "3.11.9", False, True),
        ("cp312-cp312-linux_x86_64", "3.11.9", False, False),
        ("cp313-cp313-linux_x86_64", "3.13", True, False),
        ("cp313-cp313t-linux_x86_64", "3.13", True, True),
        ("cp313-cp313t-linux_x86_64", "3.13", False, False),
        ("cp37-cp37m-linux_x86_64", "3.7", False, True),
        ("cp39-abi3-linux_x86_64", "3.12", False, True),
        ("py3-none-any", "3.12", False, True),
        ("py39-none-manylinux_2_28_x86_64", "3.12", False, True),
        ("cp312-none-any", "3.11", False, True),
        ("cp315-abi4-any", "3.11", False, True),  # not understood
        ("nonsense", "3.11", False, True),
    ],
)
def test_tags(tag: str, python: str, free_threaded: bool, loads: bool) -> None:
    from attn_doctor.judgement.rules.wheel_for_another_python import loads as judged
    from attn_doctor.machine.probes.packages import Package
    from attn_doctor.machine.probes.python import Python

    assert judged(Package("1", tags=(tag,)), Python(python, free_threaded)) is loads
    assert judged(Package("1"), Python(python, free_threaded))


# AD313, AD317: by facts, since a system Python is not ours to make


def facts_with(**changes: Any) -> dict[str, Any]:
    from attn_doctor.machine.probes.python import Python
    from attn_doctor.machine.whatif import simulate

    facts = simulate(changes.pop("keys", []))
    python = Python("3.12.3", kind="venv", prefix="/venv", executable="/venv/bin/python")
    readings = facts.readings | {"python": Known(msgspec.structs.replace(python, **changes), source="test")}
    report = check(Facts(readings=readings), need.parse(()))
    return {one.code: one for one in report.findings if one.code in OURS}


def test_pip_may_not_install_into_the_system() -> None:
    managed = {"kind": "system", "prefix": "/usr", "executable": "/usr/bin/python3.12", "externally_managed": True}
    finding = facts_with(**managed)["AD313"]
    assert finding.severity == "info"
    assert "/usr" in finding.detail
    assert finding.fix[0] == "/usr/bin/python3.12 -m venv .venv"
    assert facts_with(**managed, keys=["torch=2.8.0+cpu"]) == {}, "nothing needs to be installed"
    assert set(facts_with(**managed, keys=["gpu=NVIDIA L4", "torch=2.8.0+cpu"])) == {"AD313"}
    assert "AD313" not in facts_with()


def test_nobody_can_install(env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(env)
    subprocess.run(["rm", "-r", env.site / "pip-25.0.dist-info"], check=True, timeout=60)
    monkeypatch.setenv("PATH", "/nowhere")
    finding = env.findings()["AD317"]
    assert finding.severity == "info"
    assert finding.fix == (f"{env.python} -m ensurepip --upgrade",)


def test_uv_needs_no_pip(env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy(env)
    subprocess.run(["rm", "-r", env.site / "pip-25.0.dist-info"], check=True, timeout=60)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/uv").write_text("#!/bin/sh\n")
    (tmp_path / "bin/uv").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert env.findings() == {}


# AD315


def helpers(env: Environment, *without: str, dsl: str = "4.6.2") -> None:
    needs = "nvidia-cutlass-dsl>=4.6.2|torch|apache-tvm-ffi<0.2,>=0.1.11|torch-c-dlpack-ext|quack-kernels>=0.5.3"
    extra = '|nvidia-cutlass-dsl[cu13]>=4.6.2; extra == "cu13"'
    env.install("flash-attn-4", "4.0.0b36", requires=needs + extra)
    versions = {
        "nvidia-cutlass-dsl": dsl,
        "apache-tvm-ffi": "0.1.11",
        "torch-c-dlpack-ext": "0.1.4",
        "quack-kernels": "0.5.3",
    }
    for name, version in versions.items():
        if name not in without:
            env.install(name, version, requires=f"nvidia-cutlass-dsl-libs-base=={version}" if "dsl" in name else "")
    env.install("nvidia-cutlass-dsl-libs-base", "4.6.2")


def test_flash_attention_4_without_its_helpers(env: Environment) -> None:
    helpers(env, "quack-kernels", "apache-tvm-ffi")
    finding = env.findings()["AD315"]
    assert finding.severity == "error"
    assert "apache-tvm-ffi and quack-kernels" in finding.detail
    assert finding.fix == (f"{env.python} -m pip install 'apache-tvm-ffi<0.2,>=0.1.11' 'quack-kernels>=0.5.3'",)


def test_flash_attention_4_with_another_dsl(env: Environment) -> None:
    helpers(env, dsl="4.5.0")
    finding = env.findings()["AD315"]
    assert finding.severity == "warning"
    assert "nvidia-cutlass-dsl>=4.6.2 (4.5.0 is installed)" in finding.detail
    assert "nvidia-cutlass-dsl-libs-base==4.5.0 (4.6.2 is installed)" in finding.detail


def test_flash_attention_4_with_all_that_it_needs(env: Environment) -> None:
    helpers(env)
    assert "AD315" not in env.findings()


# AD318


def egg(env: Environment, first: bool) -> Path:
    folder = env.site / f"flash_attn-2.7.0-py{sys.version_info[0]}.{sys.version_info[1]}-linux-x86_64.egg"
    (folder / "flash_attn").mkdir(parents=True)
    (folder / "flash_attn/__init__.py").write_text("__version__ = '2.7.0'\n")
    lines = f"./{folder.name}\n"
    before = "import sys; sys.__plen = len(sys.path)\n"
    after = "import sys; new=sys.path[sys.__plen:]; del sys.path[sys.__plen:]; " + EGGS_FIRST.removeprefix(
        "import sys; "
    )
    (env.site / "easy-install.pth").write_text(before + lines + after if first else lines)
    return folder


def test_an_old_egg_that_is_imported(env: Environment) -> None:
    healthy(env)
    folder = egg(env, first=True)
    assert env.says("import flash_attn; print(flash_attn.__version__)") == "2.7.0"
    finding = env.findings()["AD318"]
    assert finding.severity == "warning"
    assert "flash_attn-2.7.0" in finding.detail
    assert "flash_attn-2.8.3" in finding.detail
    assert finding.fix == (f"rm -rf {folder}",)
    subprocess.run(["sh", "-c", finding.fix[0]], check=True, timeout=60)
    assert env.says("import flash_attn; print(flash_attn.__version__)") == "2.8.3"
    assert env.findings() == {}


def test_an_old_egg_that_waits(env: Environment) -> None:
    healthy(env)
    egg(env, first=False)
    assert env.says("import flash_attn; print(flash_attn.__version__)") == "2.8.3"
    assert env.findings()["AD318"].severity == "info"


def test_two_records_of_one_package(env: Environment) -> None:
    healthy(env)
    (env.site / "flash_attn-2.5.0-py3.11.egg-info").write_text("Name: flash-attn\nVersion: 2.5.0\n")
    finding = env.findings()["AD318"]
    assert finding.severity == "warning"
    assert "2.5.0" in finding.detail
    assert "2.8.3" in finding.detail
    assert "flash_attn.__version__" in finding.fix[0]
    assert finding.fix[1].endswith("flash_attn-2.5.0-py3.11.egg-info")


def test_an_egg_alone_is_an_install_like_another(env: Environment) -> None:
    egg(env, first=True)
    assert env.findings() == {}


def test_records_of_the_same_version(env: Environment) -> None:
    healthy(env)
    (env.site / "flash_attn-2.8.3-py3.11.egg-info").write_text("Name: flash-attn\nVersion: 2.8.3\n")
    assert env.findings() == {}


# cost


def test_five_hundred_packages_are_read_no_more_than_before(env: Environment) -> None:
    """Only what is watched is opened: the rest is a name in one listing."""
    healthy(env)
    opened: list[str] = []

    class Counting(LiveHost):
        def read_head(self, path: str, size: int) -> str | None:
            opened.append(path)
            return super().read_head(path, size)

    def read_all() -> int:
        opened.clear()
        host = Counting()
        target = locate(host, venv=str(env.folder))
        for name in READ:
            probes()[name].read(host, target)
        return len(opened)

    few = read_all()
    for number in range(500):
        (env.site / f"package_{number}-1.0.dist-info").mkdir()
    assert read_all() == few
