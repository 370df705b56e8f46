"""Environments broken by what breaks them in real life, each mended by `attn-doctor repair --yes`, then judged again.

pip and uv are real, and so are the environments; torch and the rest are small wheels with real names, versions and
compiled parts, from an index on loopback and from PyTorch's and GitHub's servers as a proxy shows them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nvml_library
from compiled import needs_compiler
from plan.mends import stand_ins as make
from plan.mends.places import Places
from plan.shop import fingerprint
from support import Ran, clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("openssl"), reason="Linux, with openssl"),
    needs_compiler,
]

SCRIPTS = os.path.dirname(sys.executable)
UV = os.path.join(SCRIPTS, "uv")
A100 = 'driver 580.95.05\nnvml 13.580.95.05\ncuda 13000\ndevice name="NVIDIA A100-SXM4-80GB" cc=8.0 memory=85899345920 '
A100 += "pci=0x20B210DE mig=0\n"
BUILT = "cu12torch{}cxx11abiTRUE"
DEMANDS = ("typing_extensions", 'triton=={}; platform_system == "Linux"', "nvidia-cudnn-cu12==9.10.2.21")


class World:
    """One environment to break, and the servers that installers ask."""

    def __init__(self, venv: Path, places: Places, home: Path, gpu: dict[str, str]) -> None:
        self.venv = venv
        self.places = places
        self.home = home
        self.gpu = gpu
        self.variables: dict[str, str] = {}
        self.python: Path = venv / "bin/python"

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/python3*/site-packages"))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(("PIP_", "UV_"))}
        cache = {
            "XDG_CACHE_HOME": "cache",
            "PIP_CACHE_DIR": "cache/pip",
            "UV_CACHE_DIR": "cache/uv",
            "XDG_STATE_HOME": "state",
        }
        index = {f"{name}_INDEX_URL": f"{self.places.base}/simple/" for name in ("PIP", "UV")}
        proxy = {"HTTPS_PROXY": self.places.base, "https_proxy": self.places.base, "NO_PROXY": "127.0.0.1"}
        pip = {"PIP_CERT": str(self.places.certificate), "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
        pip |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "HOME": str(self.home)}
        pip |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), pip["PIP_CERT"])
        pip["PATH"] = f"{SCRIPTS}:/usr/bin:/bin"
        places = {name: str(self.home / folder) for name, folder in cache.items()}
        return kept | index | proxy | pip | places | self.gpu | self.variables

    def run(self, *command: object) -> str:
        """A command in the world; it must succeed."""
        done = subprocess.run(
            [*map(str, command)],
            env=self.environment(),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pip(self, *arguments: object) -> None:
        self.run(self.python, "-m", "pip", *arguments)

    def put(self, *names: str) -> None:
        """Install these very files, as `pip install --no-deps` of a downloaded wheel does."""
        folder = self.home / "downloaded"
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_bytes(self.places.files[name])
        self.run(
            UV, "pip", "install", "--quiet", "--no-deps", "--python", self.python, *(folder / one for one in names)
        )

    def cli(self, *arguments: object) -> Ran:
        env: dict[str, str | None] = {**dict.fromkeys(os.environ), **self.environment()}
        return run_cli(*arguments, *self.target(), env=env, cwd=self.home)

    def target(self) -> tuple[object, ...]:
        return ("--venv", self.venv) if (self.venv / "pyvenv.cfg").exists() else ("--python", self.python)

    def codes(self) -> set[str]:
        """The findings with their severity: 'AD303 error'."""
        report: Any = self.cli("check", "--deep", "--format", "json").json()
        return {f"{one['code']} {one['severity']}" for one in report["findings"]}

    def log(self) -> str:
        """What the steps of the last change printed."""
        logs = sorted(self.home.glob("state/attn-doctor/changes/*/log"))
        return "\n".join(line[:300] for line in logs[-1].read_text().splitlines()[-40:]) if logs else ""

    def remove(self, pattern: str) -> None:
        found = list(self.site.glob(pattern))
        assert found, pattern
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Every file that anything here installs."""
    opened = Places(tmp_path_factory.mktemp("places"))
    for release, triton in (("2.8.0", "3.4.0"), ("2.9.1", "3.5.1")):
        demands = tuple(one.format(triton) for one in DEMANDS)
        opened.add(make.torch(f"{release}+cu128", demands, cudnn=True), make.torch(f"{release}+cpu", DEMANDS[:1]))
    opened.add(make.torch("2.2.2+cpu", DEMANDS[:1]))
    for release, vision in (("2.8.0", "0.23.0"), ("2.9.1", "0.24.1")):
        for variant in ("", "cu128", "cpu"):
            opened.add(make.companion("torchvision", vision, release, variant))
            opened.add(make.companion("torchaudio", release, release, variant))
        opened.files |= dict([make.flash_attn(BUILT.format(release[:3]), release)])
        opened.files |= dict([make.flash_attn(BUILT.format(release[:3]), release, "2.8.3.post1")])
    for name, version in (("triton", "3.4.0"), ("triton", "3.5.1"), ("numpy", "1.26.4"), ("numpy", "2.3.0")):
        opened.add(make.plain(name, version, tag=f"{make.TAG}-{make.TAG}-manylinux_2_17_x86_64"))
    opened.add(make.plain("einops", "0.8.1"), make.plain("typing_extensions", "4.15.0", typing_extensions=""))
    opened.add(make.plain("transformers", "4.57.6"), make.plain("bystander", "1.0"))
    for name in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        filename = f"{name.replace('-', '_')}-9.10.2.21-py3-none-manylinux_2_27_x86_64.whl"
        library = make._library("libcudnn.so.9", 'extern "C" int cudnnCreate() { return 0; }\n')
        opened.files[filename] = make.wheel(filename, {"nvidia/cudnn/lib/libcudnn.so.9": library})
    filename = "xformers-0.0.33.post2-cp39-abi3-manylinux_2_28_x86_64.whl"
    opened.files[filename] = make.wheel(
        filename, {"xformers/ops.py": "", "xformers/__init__.py": ""}, ("torch==2.9.1",)
    )
    opened.add(make.plain("flash-attn-4", "4.0.0b36", *FOUR, flash_attn__cute____init__="import cutlass\n"))
    opened.add(make.plain("nvidia-cutlass-dsl", "4.6.2", cutlass=""), make.plain("quack-kernels", "0.5.3"))
    opened.add(make.plain("apache-tvm-ffi", "0.1.11"), make.plain("torch-c-dlpack-ext", "0.1.4"))
    yield opened
    opened.close()


FOUR = (
    "nvidia-cutlass-dsl>=4.6.2",
    "torch",
    "apache-tvm-ffi<0.2,>=0.1.11",
    "torch-c-dlpack-ext",
    "quack-kernels>=0.5.3",
)
TORCH = ("torch", "torchvision", "torchaudio")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, places: Places, venv: Path) -> dict[str, Path]:
    """Healthy environments, made once and copied for each case: what pip and uv install into them."""
    folder = tmp_path_factory.mktemp("made")
    found = {"pip": Path(shutil.copytree(venv, folder / "pip", symlinks=True))}
    for name in ("uv", "cpu"):
        found[name] = folder / name
        subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, found[name]], check=True)
    for name, where in found.items():
        world = World(where, places, folder, {})
        if name == "cpu":
            world.put(*(f"{one}-{make.ABI_TAG}.whl" for one in ("torch-2.8.0+cpu", "torchvision-0.23.0+cpu")))
        else:
            world.put(
                *(f"{one}-{make.ABI_TAG}.whl" for one in ("torch-2.8.0", "torchvision-0.23.0", "torchaudio-2.8.0"))
            )
            world.run(UV, "pip", "install", "-q", "--python", world.python, "triton==3.4.0", "nvidia-cudnn-cu12")
        rest = ("numpy==2.3.0", "transformers", "bystander", "typing-extensions", "einops")
        world.run(UV, "pip", "install", "-q", "--python", world.python, *rest)
    return found


@pytest.fixture(scope="session")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A real NVML that answers for an A100."""
    folder = tmp_path_factory.mktemp("nvml")
    return nvml_library.config(folder, A100, nvml_library.build(folder))


@pytest.fixture
def world(made: dict[str, Path], places: Places, gpu: dict[str, str], tmp_path: Path) -> Callable[[str], World]:
    def copied(kind: str) -> World:
        venv = shutil.copytree(made[kind], tmp_path / "an environment", symlinks=True)
        return World(Path(venv), places, tmp_path, gpu)

    return copied


def flash(torch: str, version: str = "2.8.3") -> str:
    return f"flash_attn-{version}+{BUILT.format(torch)}-{make.ABI_TAG}.whl"


Break = Callable[[World], None]
CASES: dict[str, tuple[str, str, Break]] = {}


def case(expected: str, kind: str = "pip") -> Callable[[Break], Break]:
    """Register how an environment of a kind is broken, and the code of the finding that says so."""

    def register(how: Break) -> Break:
        CASES[how.__name__] = (expected, kind, how)
        return how

    return register


@case("AD301")
def an_interrupted_uninstall(world: World) -> None:
    world.put(flash("2.8"))
    for name in ("flash_attn", "flash_attn-2.8.3.dist-info"):  # as pip stashes them before it deletes
        (world.site / name).rename(world.site / f"~{name[1:]}")


@case("AD303")
def torchvision_upgraded_alone(world: World) -> None:
    world.pip("install", "--no-deps", "torchvision==0.24.1")


@case("AD304", "uv")
def torchaudio_upgraded_alone_by_uv(world: World) -> None:
    world.run(UV, "pip", "install", "--no-deps", "--python", world.python, "torchaudio==2.9.1")


@case("AD303")
def torch_upgraded_under_its_companions(world: World) -> None:
    world.put(f"torch-2.9.1-{make.ABI_TAG}.whl")


@case("AD402")
def torch_upgraded_under_flash_attn_and_torchvision(world: World) -> None:
    world.put(flash("2.8"))
    world.put(f"torch-2.9.1-{make.ABI_TAG}.whl")


@case("AD402")
def flash_attn_compiled_for_another_torch(world: World) -> None:
    name, data = make.flash_attn("", "2.9.1")
    world.places.files[name] = data
    world.put(name)


@case("AD401")
def flash_attn_without_its_extension(world: World) -> None:
    name, data = make.flash_attn("", None)
    world.places.files[name] = data
    world.put(name)


@case("AD420")
def flash_attn_of_which_only_the_record_is_left(world: World) -> None:
    world.put(flash("2.8"))
    world.remove("flash_attn")
    world.remove("flash_attn_2_cuda*")


@case("AD312")
def flash_attn_renamed_to_please_pip(world: World) -> None:
    tag = f"{make.OTHER}-{make.OTHER}-linux_x86_64"
    name, data = make.flash_attn("", "2.8.0", tag=tag)
    renamed = name.replace(tag, "py3-none-any")
    (world.home / renamed).write_bytes(data)
    world.run(UV, "pip", "install", "--quiet", "--no-deps", "--python", world.python, world.home / renamed)


@case("AD104", "cpu")
def a_cpu_torch_beside_a_gpu(world: World) -> None:
    world.run(shutil.which("true") or "true")


@case("AD320")
def a_cleaner_that_went_too_far(world: World) -> None:
    world.remove("torch/nn")
    world.remove("torch/_C*")


@case("AD320", "uv")
def torch_of_which_only_the_record_is_left(world: World) -> None:
    world.remove("torch")


@case("AD322")
def torch_whose_record_is_gone(world: World) -> None:
    world.remove("torch-*.dist-info")


@case("AD302")
def two_records_of_torch(world: World) -> None:
    other = world.site / "torch-2.7.1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.7.1\n")


@case("AD302")
def another_torch_under_the_record(world: World) -> None:
    """conda and pip wrote into one folder."""
    (world.site / "torch-2.8.0.dist-info").rename(world.site / "torch-2.6.0.dist-info")


@case("AD314", "cpu")
def numpy_2_beside_an_old_torch(world: World) -> None:
    world.gpu = {}
    world.run(UV, "pip", "uninstall", "--python", world.python, "torchvision")
    world.put(f"torch-2.2.2+cpu-{make.ABI_TAG}.whl")


@case("AD305")
def triton_upgraded_by_another_package(world: World) -> None:
    world.pip("install", "--upgrade", "triton")


@case("AD318")
def an_older_record_of_flash_attn(world: World) -> None:
    world.put(flash("2.8"))
    (world.site / "flash_attn-2.5.0-py3.11.egg-info").write_text("Name: flash-attn\nVersion: 2.5.0\n")


@case("AD318")
def an_egg_that_python_imports_first(world: World) -> None:
    world.put(flash("2.8"))
    egg = world.site / f"flash_attn-2.5.0-py3.{sys.version_info[1]}-linux-x86_64.egg/flash_attn"
    egg.mkdir(parents=True)
    (egg / "__init__.py").write_text("__version__ = '2.5.0'\n")
    lines = ("import sys; sys.__plen = len(sys.path)", f"./{egg.parent.name}")
    last = "import sys; new=sys.path[sys.__plen:]; del sys.path[sys.__plen:]; p=getattr(sys,'__egginsert',0); "
    last += "sys.path[p:p]=new; sys.__egginsert = p+len(new)"
    (world.site / "easy-install.pth").write_text("\n".join((*lines, last, "")))


@case("AD317")
def pip_uninstalled_by_itself(world: World) -> None:
    world.pip("uninstall", "-y", "pip")
    world.variables["PATH"] = "/usr/bin:/bin"  # no uv


@case("AD315")
def flash_attention_4_without_its_helpers(world: World) -> None:
    world.put("flash_attn_4-4.0.0b36-py3-none-any.whl")


@case("AD316")
def cudnn_of_two_cuda_majors(world: World) -> None:
    world.pip("install", "nvidia-cudnn-cu13")


@case("AD407")
def cudnn_went_with_the_other_major(world: World) -> None:
    """Both write libcudnn.so.9: taking one away takes it from both."""
    world.pip("install", "nvidia-cudnn-cu13")
    world.pip("uninstall", "-y", "nvidia-cudnn-cu13")


@case("AD420", "cpu")
def what_torch_demands_uninstalled(world: World) -> None:
    world.gpu = {}
    init = world.site / "torch/__init__.py"
    init.write_text("import typing_extensions\n" + init.read_text())
    world.run(UV, "pip", "uninstall", "--python", world.python, "typing-extensions")


@case("AD319")
def the_interpreter_removed(world: World) -> None:
    """An upgrade of the system took the Python that the environment was made from."""
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        link = world.venv / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to("/opt/gone/bin/python3")
    settings = world.venv / "pyvenv.cfg"
    settings.write_text(
        settings.read_text().replace(os.path.dirname(os.path.realpath(sys.executable)), "/opt/gone/bin")
    )
    other = world.home / "bin"
    other.mkdir()
    (other / f"python3.{sys.version_info[1]}").symlink_to(os.path.realpath(sys.executable))
    world.variables["PATH"] = f"{other}:{SCRIPTS}:/usr/bin:/bin"


@case("what was wrong")
def version_py_truncated_by_a_full_disk(world: World) -> None:
    (world.site / "torch/version.py").write_text("")


@case("AD306", "cpu")
def xformers_of_another_torch(world: World) -> None:
    world.gpu = {}
    world.put("xformers-0.0.33.post2-cp39-abi3-manylinux_2_28_x86_64.whl")


@case("AD309")
def a_newer_torch_in_the_folder_of_the_user(world: World) -> None:
    """A Python that is no virtual environment sees ~/.local first."""
    installed(world)
    (world.home / ".local/bin").mkdir(parents=True)
    wheel = world.home / f"torch-2.9.1-{make.ABI_TAG}.whl"
    wheel.write_bytes(world.places.files[wheel.name])
    world.pip("install", "--user", "--no-deps", wheel)


def an_environment_copied_to_another_python(world: World) -> None:
    project(world)
    for record in world.site.glob("*.dist-info/WHEEL"):
        record.write_text(record.read_text().replace(make.TAG, make.OTHER))
    for file in world.site.rglob("*.cpython-*"):
        file.rename(file.with_name(file.name.replace(make.TAG[2:], make.OTHER[2:])))


BACKEND = """
import zipfile
def build_editable(folder, settings=None, metadata=None):
    name = "ours-1.0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("ours.pth", {source!r})
        wheel.writestr("ours-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: ours\\nVersion: 1.0\\n")
        wheel.writestr("ours-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("ours-1.0.dist-info/RECORD", "")
    return name
"""


def project(world: World) -> None:
    """A project that is installed as it is edited, with a build backend of its own."""
    folder = world.home / "our project"
    folder.mkdir()
    (folder / "ours.py").write_text("here = 1\n")
    (folder / "backend.py").write_text(BACKEND.replace("{source!r}", repr(str(folder))))
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(build)
    world.run(UV, "pip", "install", "--no-deps", "--python", world.python, "-e", folder)
    assert world.run(world.python, "-c", "import ours; print(ours.here)").strip() == "1"


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_a_new_environment_has_all_that_the_old_one_had(kind: str, world: Callable[[str], World]) -> None:
    here = world(kind)
    an_environment_copied_to_another_python(here)
    names = {path.name for path in here.site.glob("*.dist-info") if not path.name.startswith(("pip-", "setuptools-"))}
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert names <= {path.name for path in here.site.glob("*.dist-info")}
    assert here.run(here.python, "-c", "import ours, bystander; print(ours.here)").strip() == "1"
    (old,) = here.home.glob("an environment.before-*")
    assert next(old.rglob("torch/version.py")).read_text()


def installed(world: World) -> None:
    """The packages of the environment in a Python of their own, as a distribution or a container has one."""
    real, version = Path(os.path.realpath(sys.executable)), f"python3.{sys.version_info[1]}"
    prefix = world.home / "usr"
    library = prefix / "lib" / version
    library.mkdir(parents=True)
    (prefix / "bin").mkdir()
    shutil.copy2(real, prefix / "bin" / version)
    for entry in Path(os.__file__).parent.iterdir():
        if entry.name != "site-packages":
            (library / entry.name).symlink_to(entry)
    shutil.move(world.site, library / "site-packages")
    world.venv, world.python = prefix, prefix / "bin" / version


@pytest.mark.parametrize("name", CASES)
def test_a_broken_environment_is_mended(name: str, world: Callable[[str], World]) -> None:
    code, kind, how = CASES[name]
    here = world(kind)
    how(here)
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert code in ran.out, "what was found is what is looked for again"
    assert "done and verified" in ran.err
    after = here.codes()
    assert not {one for one in after if one.startswith(code) or one.endswith("error")}, after
    assert (here.site / "bystander-1.0.dist-info/RECORD").exists()


HEALTHY: dict[str, tuple[str, Break]] = {}


def healthy(kind: str = "pip") -> Callable[[Break], Break]:
    """Register an environment that only looks broken."""

    def register(how: Break) -> Break:
        HEALTHY[how.__name__] = (kind, how)
        return how

    return register


@healthy()
def as_pip_made_it(world: World) -> None:
    assert world.site.is_dir()


@healthy("uv")
def as_uv_made_it_without_a_pip(world: World) -> None:
    assert not (world.site / "pip").exists()


@healthy("cpu")
def a_cpu_torch_without_a_gpu(world: World) -> None:
    world.gpu = {}


@healthy()
def flash_attn_as_it_was_published(world: World) -> None:
    world.put(flash("2.8"))


@healthy()
def flash_attn_compiled_here(world: World) -> None:
    name, data = make.flash_attn("", "2.8.0")
    world.places.files[name] = data
    world.put(name)


@healthy()
def flash_attention_2_and_4_with_all_that_they_need(world: World) -> None:
    world.put(flash("2.8"))
    world.pip("install", "flash-attn-4==4.0.0b36")


@healthy()
def no_torch_at_all(world: World) -> None:
    world.pip("uninstall", "-y", *TORCH, "triton", "nvidia-cudnn-cu12")


@healthy()
def one_egg_alone(world: World) -> None:
    egg = world.site / f"xformers-0.0.1-py3.{sys.version_info[1]}.egg/xformers"
    egg.mkdir(parents=True)
    (world.site / "easy-install.pth").write_text(f"./{egg.parent.name}\n")


@healthy()
def a_torch_of_ones_own(world: World) -> None:
    version = world.site / "torch/version.py"
    version.write_text(version.read_text().replace("2.8.0+cu128", "2.8.0a0+gitba56102"))
    (world.site / "torch-2.8.0.dist-info").rename(world.site / "torch-2.8.0a0+gitba56102.dist-info")


@healthy()
def leftovers_of_what_is_not_compiled(world: World) -> None:
    (world.site / "~ransformers").mkdir()


@healthy()
def an_empty_record_of_another_torch(world: World) -> None:
    (world.site / "torch-2.7.1.dist-info").mkdir()


@healthy()
def without_torchaudio_and_triton(world: World) -> None:
    world.pip("uninstall", "-y", "torchaudio", "triton")


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_environment_gets_an_empty_plan(name: str, world: Callable[[str], World]) -> None:
    kind, how = HEALTHY[name]
    here = world(kind)
    how(here)
    ran = here.cli("repair", "--dry-run", "--format", "json")
    plan: Any = ran.json()
    assert (ran.code, plan["method"], plan["title"], plan["steps"]) == (0, "none", "nothing to repair", []), plan


def test_what_was_mended_can_be_rolled_back_to_the_byte(world: Callable[[str], World]) -> None:
    here = world("uv")
    torchaudio_upgraded_alone_by_uv(here)
    before = fingerprint(here.venv)
    assert here.cli("repair", "--yes").code == 0
    assert fingerprint(here.venv) != before
    back = here.cli("rollback", "--yes")
    assert back.code == 0, back
    assert fingerprint(here.venv) == before


def test_what_cannot_be_mended_is_put_back_to_the_byte(world: Callable[[str], World]) -> None:
    here = world("uv")
    torchaudio_upgraded_alone_by_uv(here)
    before = fingerprint(here.venv)
    here.variables["UV_INDEX_URL"] = f"{here.places.base}/nothing/here/"
    ran = here.cli("repair", "--yes")
    assert ran.code == 1, ran
    assert "putting everything back" in ran.err
    assert fingerprint(here.venv) == before


def test_nobody_is_asked_without_a_terminal(world: Callable[[str], World]) -> None:
    here = world("uv")
    torchaudio_upgraded_alone_by_uv(here)
    before = fingerprint(here.venv)
    ran = here.cli("repair")
    assert (ran.code, "--yes" in ran.err) == (1, True)
    assert fingerprint(here.venv) == before


def test_a_python_of_the_system_is_left_alone(world: Callable[[str], World]) -> None:
    """PEP 668: pip would refuse, and so does the plan, with what to do instead."""
    here = world("pip")
    torchvision_upgraded_alone(here)
    installed(here)
    (here.venv / f"lib/python3.{sys.version_info[1]}/EXTERNALLY-MANAGED").write_text("[externally-managed]\n")
    ran = here.cli("repair", "--yes")
    assert ran.code == 1, ran
    assert "belongs to the system" in ran.out
    assert "-m venv .venv" in ran.out
    assert not (here.home / "state").exists()


def test_a_variable_of_the_shell_is_not_for_a_plan_to_mend(world: Callable[[str], World]) -> None:
    here = world("uv")
    elsewhere = here.home / "src/torch"
    elsewhere.mkdir(parents=True)
    (elsewhere / "version.py").write_text("__version__ = '2.6.0+cu124'\ncuda = '12.4'\n")
    here.variables["PYTHONPATH"] = str(elsewhere.parent)
    ran = here.cli("repair", "--dry-run")
    assert ran.code == 1, ran
    assert "unset PYTHONPATH" in ran.out


def test_an_old_build_in_the_cache_of_pip_stays_there(world: Callable[[str], World]) -> None:
    """A wheel of the right name that was built for another torch: nothing of a compiled package comes from there."""
    here = world("pip")
    flash_attn_without_its_extension(here)
    plan: Any = here.cli("repair", "--dry-run", "--format", "json").json()
    brought = [step["command"] for step in plan["steps"] if step["kind"] in ("fetch", "install")]
    assert brought
    assert all("--no-cache-dir" in command for command in brought)
