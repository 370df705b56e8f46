"""Repairs that end AD307 and AD404, and what happens to flash-attn 2 and 4 in one folder: real pip, real nvcc.

torch and the packages are small wheels with real names, versions and layouts, from an index on loopback and from
PyTorch's and GitHub's servers as a proxy shows them. The code for GPUs is compiled by nvcc.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import nvml_library
from compiled import needs_compiler
from e2e.test_repair import A100, BUILT, FOUR, UV, World
from plan.mends import stand_ins as make
from plan.mends.places import Places
from plan.shop import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux" or not shutil.which("openssl"), reason="Linux, with openssl"),
    needs_compiler,
    pytest.mark.xdist_group("repair_attention"),
]
needs_nvcc = pytest.mark.skipif(not shutil.which("nvcc"), reason="the code for GPUs is made with nvcc")

KERNEL = "__global__ void kernel(int *out) { *out = 1; }\n"
# what flash_attn_4-4.0.0b36 and flash_attn-2.8.3 both have, as their archives list it, and one file of each alone
CUTE = (
    *("__init__", "ampere_helpers", "blackwell_helpers", "block_info", "fast_math", "flash_bwd"),
    *("flash_bwd_postprocess", "flash_bwd_preprocess", "flash_fwd", "flash_fwd_sm100", "interface", "mask"),
    *("mma_sm100_desc", "named_barrier", "pack_gqa", "pipeline", "seqlen_info", "softmax", "tile_scheduler", "utils"),
)
OF_TWO, OF_FOUR = "flash_attn/cute/hopper_helpers.py", "flash_attn/cute/flash_bwd_sm90.py"
THE_SAME = "whose = {!r}\n"


def flash_attn(version: str, cuda_archs: tuple[str, ...] = (), build: str = "") -> dict[str, bytes]:
    """flash-attn for torch 2.8, laid out as the real one; `cuda_archs`: code for these GPUs in its extension."""
    filename = f"flash_attn-{version}{'+' + build if build else ''}-{make.ABI_TAG}.whl"
    extension = with_code(cuda_archs) if cuda_archs else make.extension("flash_attn_2_cuda", "2.8.0")
    files: dict[str, str | bytes] = {
        "flash_attn/__init__.py": f"__version__ = '{version}'\nimport torch\nimport flash_attn_2_cuda\n",
        "flash_attn/flash_attn_interface.py": "",
        "flash_attn/layers/__init__.py": "",
        f"flash_attn_2_cuda.cpython-{make.TAG[2:]}-x86_64-linux-gnu.so": extension,
        OF_TWO: "",
        **{f"flash_attn/cute/{name}.py": THE_SAME.format(f"flash-attn {version}") for name in CUTE},
    }
    return {filename: make.wheel(filename, files, ("torch", "einops"), version)}


def flash_attn_4() -> dict[str, bytes]:
    filename = "flash_attn_4-4.0.0b36-py3-none-any.whl"
    files: dict[str, str | bytes] = {
        **{f"flash_attn/cute/{name}.py": THE_SAME.format("flash-attn-4") for name in CUTE},
        "flash_attn/cute/__init__.py": "import cutlass\nfrom .interface import whose\nfrom . import flash_bwd_sm90\n",
        OF_FOUR: "",
    }
    return {filename: make.wheel(filename, files, FOUR)}


def with_code(archs: tuple[str, ...]) -> bytes:
    """The extension as nvcc makes it: a Python module linked to torch, with machine code for these GPUs."""
    takes = make.symbol("2.8.0")
    source = make.MODULE.format(
        name="flash_attn_2_cuda", declared=f"namespace at {{ void add({takes}); }}", called="at::add(0);"
    )
    asked = [part for arch in archs for part in ("-gencode", f"arch=compute_{arch},code=sm_{arch}")]
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        libraries = {"libc10.so": make.LIBC10, "libtorch_cpu.so": f"namespace at {{ void add({takes}) {{}} }}\n"}
        for name, text in libraries.items():
            (here / name).write_bytes(make._library(name, text))
        (here / "module.cpp").write_text(source)
        (here / "kernel.cu").write_text(KERNEL)
        command = ["nvcc", "-shared", "-Xcompiler", "-fPIC", "-Xlinker", "--no-as-needed", *asked]
        command += ["-I", sysconfig.get_path("include"), "-o", "out.so", "kernel.cu", "module.cpp", *libraries]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this nvcc does not make it: {done.stderr.splitlines()[-1:]}")
        return (here / "out.so").read_bytes()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    opened = Places(tmp_path_factory.mktemp("places"))
    demands = ("typing_extensions",)
    for version in ("2.3.1+cpu", "2.4.1+cpu", "2.8.0+cu128"):
        opened.add(make.torch(version, demands))
    opened.add(make.plain("typing_extensions", "4.15.0", typing_extensions=""), make.plain("einops", "0.8.1"))
    for version in ("4.57.6", "5.3.0"):
        opened.add(make.plain("transformers", version))
    opened.add(make.plain("bystander", "1.0"), make.plain("triton", "3.4.0"), make.plain("numpy", "1.26.4"))
    opened.add(flash_attn("2.8.3", build=BUILT.format("2.8")), flash_attn("2.8.3.post1", build=BUILT.format("2.8")))
    opened.add(flash_attn("2.0.4"), flash_attn("2.7.4", build=BUILT.format("2.7")), flash_attn_4())
    opened.add(make.plain("nvidia-cutlass-dsl", "4.6.2", cutlass=""), make.plain("quack-kernels", "0.5.3"))
    opened.add(make.plain("apache-tvm-ffi", "0.1.11"), make.plain("torch-c-dlpack-ext", "0.1.4"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def gpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A real NVML that answers for an A100: compute capability 8.0."""
    folder = tmp_path_factory.mktemp("nvml")
    return nvml_library.config(folder, A100, nvml_library.build(folder))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, places: Places, venv: Path) -> dict[str, Path]:
    """A torch for the CPU of 2024, and one for the GPU."""
    folder = tmp_path_factory.mktemp("made")
    found = {kind: Path(shutil.copytree(venv, folder / kind, symlinks=True)) for kind in ("cpu", "gpu")}
    for kind, torch in (("cpu", "torch-2.3.1+cpu"), ("gpu", "torch-2.8.0+cu128")):
        world = World(found[kind], places, folder, {})
        world.put(f"{torch}-{make.ABI_TAG}.whl")
        rest = ("typing-extensions", "transformers==4.57.6", "bystander", "einops", "triton", "numpy")
        world.run(UV, "pip", "install", "-q", "--python", world.python, *rest)
    return found


@pytest.fixture
def world(made: dict[str, Path], places: Places, gpu: dict[str, str], tmp_path: Path) -> Callable[[str], World]:
    def copied(kind: str) -> World:
        venv = shutil.copytree(made[kind], tmp_path / "an environment", symlinks=True)
        return World(Path(venv), places, tmp_path, gpu if kind == "gpu" else {})

    return copied


def mended(here: World, code: str) -> Any:
    """Broken as `code` says; repaired; the finding is gone, nothing else came, and what was there is there."""
    assert any(one.startswith(code) for one in here.codes()), here.codes()
    before = fingerprint(here.venv)
    plan: Any = here.cli("repair", "--dry-run", "--format", "json").json()
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert "done and verified" in ran.err
    after = here.codes()
    assert not {one for one in after if one.startswith(code) or one.endswith("error")}, after
    assert (here.site / "bystander-1.0.dist-info/RECORD").exists()
    assert nothing_to_repair(here)
    repaired = fingerprint(here.venv)
    assert here.cli("rollback", "--yes").code == 0
    assert fingerprint(here.venv) == before
    here.cli("rollback", "--yes")
    return plan, repaired


def nothing_to_repair(here: World) -> bool:
    ran = here.cli("repair", "--dry-run", "--format", "json")
    plan: Any = ran.json()
    return (ran.code, plan["method"], plan["steps"]) == (0, "none", [])


# --- AD307


def test_transformers_upgraded_beyond_its_torch(world: Callable[[str], World]) -> None:
    here = world("cpu")
    here.pip("install", "--upgrade", "--no-deps", "transformers==5.3.0")
    plan, _ = mended(here, "AD307 error")
    assert [one["after"] for one in plan["changes"] if one["package"] == "torch"] == ["2.4.1+cpu"], "the nearest"


def test_transformers_upgraded_beyond_its_flash_attn(world: Callable[[str], World]) -> None:
    here = world("gpu")
    here.put(f"flash_attn-2.0.4-{make.ABI_TAG}.whl")
    plan, _ = mended(here, "AD307 warning")
    assert {one["package"] for one in plan["changes"] if one["before"] != one["after"]} == {"flash-attn"}


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_a_transformers_that_takes_what_is_there(kind: str, world: Callable[[str], World]) -> None:
    """The twins: the same torch under the transformers of its time, the flash-attn that it accepts."""
    here = world(kind)
    if kind == "gpu":
        here.put(f"flash_attn-2.8.3+{BUILT.format('2.8')}-{make.ABI_TAG}.whl")
    assert not any(one.startswith("AD307") for one in here.codes())
    assert nothing_to_repair(here)


# --- AD404


@needs_nvcc
def test_flash_attn_compiled_for_another_gpu(world: Callable[[str], World]) -> None:
    """TORCH_CUDA_ARCH_LIST=9.0 on the way to a machine with an A100."""
    here = world("gpu")
    (here.home / "built").mkdir()
    ((name, data),) = flash_attn("2.8.3", ("90",)).items()
    (here.home / "built" / name).write_bytes(data)
    here.pip("install", "--no-deps", here.home / "built" / name)
    plan, _ = mended(here, "AD404 error")
    assert plan["changes"][0]["package"] == "flash-attn"
    assert "it has no code for this GPU" in " ".join(plan["why"])


@needs_nvcc
def test_flash_attn_compiled_for_this_gpu_among_others(world: Callable[[str], World]) -> None:
    """The twin."""
    here = world("gpu")
    ((name, data),) = flash_attn("2.8.3", ("80", "90")).items()
    (here.home / name).write_bytes(data)
    here.pip("install", "--no-deps", here.home / name)
    assert not any(one.startswith("AD404") for one in here.codes())
    assert nothing_to_repair(here)


# --- flash-attn 2 and 4 in one folder


def whose(here: World) -> set[str]:
    """Whose the files are that both wheels have; an import of both, as a program has them."""
    lines = {(here.site / f"flash_attn/cute/{name}.py").read_text() for name in CUTE if name != "__init__"}
    out = here.run(here.python, "-c", "import torch, flash_attn.cute, sys; print(flash_attn.cute.whose)")
    assert out.strip() == "flash-attn-4"
    return lines


FOURS = {THE_SAME.format("flash-attn-4")}


def both(here: World, two: str) -> None:
    here.put(two)
    here.pip("install", "flash-attn-4==4.0.0b36")


def test_repairing_flash_attn_leaves_flash_attn_4_its_files(world: Callable[[str], World]) -> None:
    """flash-attn of another torch: the file that fits has an older flash_attn/cute in it."""
    here = world("gpu")
    both(here, f"flash_attn-2.7.4+{BUILT.format('2.7')}-{make.ABI_TAG}.whl")
    assert whose(here) == FOURS
    before = fingerprint(here.venv)
    ran = here.cli("repair", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert "install flash-attn-4 4.0.0b36 again" in " ".join(ran.out.split())
    assert here.run(here.python, "-c", "import torch, flash_attn; print(flash_attn.__version__)").startswith("2.8.3")
    assert whose(here) == FOURS
    assert nothing_to_repair(here)
    assert here.cli("rollback", "--yes").code == 0
    assert fingerprint(here.venv) == before


def test_taking_flash_attn_away_leaves_flash_attn_4_its_files(world: Callable[[str], World]) -> None:
    """Back to plain sdpa, as the plan beside the first one says it, step by step."""
    here = world("gpu")
    both(here, f"flash_attn-2.7.4+{BUILT.format('2.7')}-{make.ABI_TAG}.whl")
    plan: Any = here.cli("repair", "--dry-run", "--format", "json").json()
    plain = next(one for one in plan["alternatives"] if "back to plain sdpa" in one["title"])
    assert [one["package"] for one in plain["changes"]] == ["flash-attn"]
    for step in plain["steps"]:
        if step["kind"] not in ("keep", "verify"):
            here.run(*step["command"])
    assert not (here.site / "flash_attn/__init__.py").exists()
    assert whose(here) == FOURS


def test_installing_flash_attn_beside_flash_attn_4(world: Callable[[str], World]) -> None:
    here = world("gpu")
    here.pip("install", "flash-attn-4==4.0.0b36")
    ran = here.cli("install", "fa2", "--yes")
    assert ran.code == 0, f"{ran!r}\n{here.log()}"
    assert (here.site / "flash_attn/layers/__init__.py").exists()
    assert whose(here) == FOURS


def test_flash_attn_uninstalled_by_hand_took_files_of_flash_attn_4(world: Callable[[str], World]) -> None:
    """It is found by importing, and mended by its published file: ours is not that one, as the digest shows."""
    here = world("gpu")
    both(here, f"flash_attn-2.8.3+{BUILT.format('2.8')}-{make.ABI_TAG}.whl")
    assert nothing_to_repair(here)
    here.pip("uninstall", "-y", "flash-attn")
    assert not (here.site / "flash_attn/cute/interface.py").exists()
    assert "AD420 error" in here.codes()
    before = fingerprint(here.venv)
    ran = here.cli("repair", "--yes")
    assert ran.code == 1, ran
    assert "flash-attn-4==4.0.0b36" in ran.out
    assert "check its sha256" in ran.err
    assert fingerprint(here.venv) == before
