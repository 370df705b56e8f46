"""The words of other tools: uv and pip read their own, and torch stays under the file that was built for it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attn_doctor.plan.plan import Plan
from plan.cases import A100, LAPTOP, NO_WHEEL, plan
from plan.shop import Shop, make_wheel
from support import clean_environment

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

UV = os.path.join(os.path.dirname(sys.executable), "uv")
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
PROJECT = f'[project]\nname = "x"\nversion = "0"\nrequires-python = "=={THIS}.*"\n'
H100 = "gpu=NVIDIA H100 80GB HBM3"
OWN_INDEX = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu126", f"python={THIS}")  # PyPI's 2.8.0 is for CUDA 12.8
MOVED = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.5.1+cu118", "driver=535.183.01", "pkg.torchvision=0.20.1+cu118")
BUILT = (*NO_WHEEL[:1], "torch=2.8.0+cu126", "nvcc=12.6", "ram=64GiB", "cores=16")
PYTORCH = "https://download.pytorch.org/whl/"
with_uv = pytest.mark.skipif(not os.path.exists(UV), reason="uv is not installed")
on_linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the files are for Linux on x86_64"
)


def words(one: Plan, tool: str, where: str = "") -> str:
    """All that stands under that tool, in the places that are called so."""
    said = [said.lines for said in one.words if said.tool == tool and where in said.where]
    return "\n".join("\n".join(lines) for lines in said) + "\n"


def complaints(folder: Path, text: str) -> str:
    """What uv says of its settings in a pyproject.toml."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    command = [UV, "cache", "dir", "--project", str(folder), "--no-progress"]
    done = subprocess.run(command, capture_output=True, text=True, env=clean_environment(), cwd=folder, check=False)
    return done.stderr


def merged(text: str) -> str:
    return PROJECT + text.replace("[project]\n", "")


@with_uv
@pytest.mark.parametrize("keys", [(*NO_WHEEL, "nvcc=13.0"), BUILT])
@pytest.mark.parametrize("tool", ["uv", "uv without isolation"])
def test_uv_reads_the_settings_of_a_build(tmp_path: Path, tool: str, keys: tuple[str, ...]) -> None:
    text = merged(words(plan("flash_attention_2", *keys, method="source"), tool))
    assert complaints(tmp_path, text) == ""
    assert "unknown field" in complaints(
        tmp_path, text.replace("[tool.uv]", "[tool.uv]\nno-build-isolation-packages = []")
    )


@with_uv
@pytest.mark.parametrize("keys", [A100, OWN_INDEX])
def test_uv_reads_the_direct_url(tmp_path: Path, keys: tuple[str, ...]) -> None:
    one = plan("flash_attention_2", *keys)
    assert one.wheel
    text = words(one, "uv")
    assert str(one.wheel.url) in text
    assert complaints(tmp_path, merged(text)) == ""


def test_every_tool_is_served() -> None:
    wheel, build = plan("flash_attention_2", *A100), plan("flash_attention_2", *NO_WHEEL, "nvcc=13.0")
    for one in (wheel, build):
        assert {"pip", "uv", "poetry", "pixi", "conda"} <= {said.tool for said in one.words}
    for said in wheel.words:
        assert any(str(wheel.wheel and wheel.wheel.url) in line for line in said.lines), said
    for tool in ("pip", "poetry", "conda"):
        assert "--no-build-isolation" in words(build, tool)
        assert "--no-cache-dir --no-binary flash-attn" in words(build, tool)
        assert f'MAX_JOBS="{build.build and build.build.max_jobs}"' in words(build, tool)


@pytest.mark.parametrize("backend", ["sdpa", "flash_attention_2"])
def test_nothing_where_nothing_is_installed(backend: str) -> None:
    assert plan("sdpa", *A100).words == ()
    docker = plan(backend, *A100, "driver=580.65.06", method="docker")
    assert docker.words == ()


# torch


PLANS = {
    "as it is, of the package index": ("flash_attention_2", A100, {}),
    "as it is, of its own index": ("flash_attention_2", OWN_INDEX, {}),
    "another one": ("flash_attention_2", MOVED, {}),
    "another build of one release": ("flash_attention_2", LAPTOP, {"trust": "upstream"}),
    "torch alone": ("flex_attention", ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.4.1+cu121"), {}),
    "a file of the package index": ("flash_attention_4", (H100, "torch=2.9.1+cu130"), {}),
    "a source build": ("flash_attention_2", BUILT, {"method": "source"}),
    "nothing was there": ("flash_attention_2", ("gpu=NVIDIA A100-SXM4-40GB",), {}),
}


@pytest.mark.parametrize("case", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("tool", ["uv", "poetry", "pixi"])
def test_torch_is_held_with_its_index(case: tuple[str, tuple[str, ...], dict[str, Any]], tool: str) -> None:
    """Left out, the project's own resolver would take the newest torch, and the file would not load."""
    backend, keys, asked = case
    one = plan(backend, *keys, **asked)
    after = torch_after(one, keys)
    document = tomllib.loads(words(one, tool, ".toml"))
    version, index = torch_in(tool, document)
    assert version.lstrip("=").partition("+")[0] == after.partition("+")[0]
    assert index is None or index == PYTORCH + after.partition("+")[2]
    default = {"2.8.0+cu128", "2.7.1+cu126", "2.9.1+cu128", "2.5.1+cu124", "2.13.0+cu130", "2.15.0+cu130"}
    assert (index is None) == (after in default), after


def torch_after(one: Plan, keys: tuple[str, ...]) -> str:
    moved = [change.after for change in one.changes if change.package == "torch"]
    return str(moved[0]) if moved else next(key for key in keys if key.startswith("torch=")).partition("=")[2]


def torch_in(tool: str, document: dict[str, Any]) -> tuple[str, str | None]:
    """The version of torch that is demanded, and the index that it is taken from."""
    if tool == "uv":
        (wanted,) = [one for one in document["project"]["dependencies"] if one.startswith("torch==")]
        named = document["tool"]["uv"].get("sources", {}).get("torch", {}).get("index") if "tool" in document else None
        indexes = {one["name"]: one for one in document.get("tool", {}).get("uv", {}).get("index", ())}
        assert all(one["explicit"] is True for one in indexes.values())
        return wanted.removeprefix("torch"), indexes[named]["url"] if named else None
    if tool == "poetry":
        poetry = document["tool"]["poetry"]
        wanted = poetry["dependencies"]["torch"]
        indexes = {one["name"]: one for one in poetry.get("source", ())}
        assert all(one["priority"] == "explicit" for one in indexes.values())
        if isinstance(wanted, str):
            return wanted, None
        assert wanted["version"].endswith("+" + wanted["source"].partition("-")[2])
        return wanted["version"], indexes[wanted["source"]]["url"]
    wanted = document["pypi-dependencies"]["torch"]
    return (wanted, None) if isinstance(wanted, str) else (wanted["version"], wanted["index"])


def test_companions_move_along() -> None:
    one = plan("flash_attention_2", *LAPTOP, "pkg.torchvision=0.22.1+cu118", "pkg.torchaudio=2.7.1", trust="upstream")
    lines = words(one, "pip").splitlines()
    assert lines[:4] == [
        f"--extra-index-url {PYTORCH}cu126",
        *("torch==2.7.1+cu126", "torchvision==0.22.1+cu126", "torchaudio==2.7.1+cu126"),
    ]
    assert '"torch==2.7.1", "torchvision==0.22.1", "torchaudio==2.7.1", "flash-attn"' in words(one, "uv")


def test_what_comes_anew_with_torch_is_named_by_its_file() -> None:
    one = plan("sage_attention", *A100[:1], "torch=2.9.1+cpu", "pkg.flash-attn=2.8.3+cu12torch2.9cxx11abiTRUE")
    carried = [change for change in one.changes if change.package == "flash-attn"]
    sources = tomllib.loads(words(one, "uv"))["tool"]["uv"]["sources"]
    assert bool(carried) == ("flash-attn" in sources)
    if carried:
        assert f"flash_attn-{carried[0].after}" in sources["flash-attn"]["url"]


def test_the_extra_of_a_cuda_major() -> None:
    new, old = (
        plan("flash_attention_4", H100, "torch=2.9.1+cu130"),
        plan("flash_attention_4", H100, "torch=2.9.1+cu128"),
    )
    assert '"flash-attn-4[cu13]==4.0.0b36"' in words(new, "uv")
    assert tomllib.loads(words(new, "poetry"))["tool"]["poetry"]["dependencies"]["flash-attn-4"] == {
        "version": "4.0.0b36",
        "extras": ["cu13"],
    }
    assert tomllib.loads(words(new, "pixi"))["pypi-dependencies"]["flash-attn-4"]["extras"] == ["cu13"]
    assert all("cu13" not in line for said in old.words for line in said.lines)


def test_a_torch_that_is_in_no_index_is_said() -> None:
    one = plan("flash_attention_4", H100, "torch=2.8.0a0+34c6371d24.nv25.08", "torch_cuda=13.0")
    for said in one.words:
        assert any("# torch 2.8.0a0+34c6371d24.nv25.08 is in no public index" in line for line in said.lines)
    assert tomllib.loads(words(one, "uv"))["project"]["dependencies"] == ["flash-attn-4[cu13]==4.0.0b36"]


def test_conda_takes_the_lines_of_pip() -> None:
    one = plan("flash_attention_2", *OWN_INDEX)
    lines = words(one, "conda").splitlines()
    assert lines[:3] == ["dependencies:", "  - pip", "  - pip:"]
    assert [line.removeprefix("      - ") for line in lines[3:]] == words(one, "pip").splitlines()


# the real tools: a package index with a newer torch, and torch's own


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[tuple[Shop, Shop]]:
    """The package index, which has torch for CUDA 12.8, and PyTorch's index for CUDA 12.6."""
    general, own = Shop(), Shop()
    for name in ("torch-2.8.0-py3-none-any.whl", "torch-2.15.0-py3-none-any.whl", "einops-0.8.1-py3-none-any.whl"):
        general.add(make_wheel(tmp_path, name, {}))
    own.add(make_wheel(tmp_path, "torch-2.8.0+cu126-py3-none-any.whl", {}))
    own.add(make_wheel(tmp_path, "torch-2.9.0+cu126-py3-none-any.whl", {}))
    yield general, own
    general.close()
    own.close()


def local(one: Plan, text: str, folder: Path, shops: tuple[Shop, Shop]) -> str:
    """The same lines, with addresses on loopback that have such files."""
    assert one.wheel
    assert one.wheel.url
    general, own = shops
    filename = one.wheel.filename
    needs = ("torch", "einops")
    made = make_wheel(folder, filename, {"flash_attn/__init__.py": ""}, needs)
    digest = general.add(made)
    text = text.replace(one.wheel.url, f"{general.base}/files/{filename.replace('+', '%2B')}")
    return text.replace(str(one.wheel.sha256), digest).replace(f"{PYTORCH}cu126", f"{own.base}/simple")


def locked(folder: Path, text: str, shops: tuple[Shop, Shop]) -> dict[str, dict[str, Any]]:
    """What uv decides on."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    index = f"{shops[0].base}/simple/"
    command = [UV, "lock", "--python", sys.executable, "--default-index", index, "--no-progress"]
    env = unset("UV_") | {"UV_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    lock = tomllib.loads((folder / "uv.lock").read_text(encoding="utf-8"))
    return {package["name"]: package for package in lock["package"]}


@with_uv
@on_linux
def test_uv_keeps_torch_under_the_file(tmp_path: Path, shops: tuple[Shop, Shop]) -> None:
    one = plan("flash_attention_2", *OWN_INDEX)
    text = merged(local(one, words(one, "uv"), tmp_path, shops))
    found = locked(tmp_path, text, shops)
    assert found["torch"]["version"] == "2.8.0+cu126"
    assert "url" in found["flash-attn"]["source"]
    loose = text.replace('"torch==2.8.0", ', "").replace('torch = { index = "pytorch-cu126" }\n', "")
    assert locked(tmp_path, loose, shops)["torch"]["version"] == "2.15.0", "without the lines it moves"


@on_linux
@pytest.mark.parametrize("tool", ["pip", "conda"])
def test_pip_keeps_torch_under_the_file(tmp_path: Path, shops: tuple[Shop, Shop], tool: str) -> None:
    one = plan("flash_attention_2", *OWN_INDEX)
    lines = [line.removeprefix("      - ") for line in local(one, words(one, tool), tmp_path, shops).splitlines()]
    wanted = [line for line in lines if line not in ("dependencies:", "  - pip", "  - pip:")]
    assert installed(tmp_path, wanted, shops) >= {"torch-2.8.0+cu126", "flash_attn"}
    assert "torch-2.15.0" in installed(tmp_path, wanted[-1:], shops), "without the lines it moves"


def installed(folder: Path, lines: list[str], shops: tuple[Shop, Shop]) -> set[str]:
    """What pip would install, as name-version; of a direct URL the name alone."""
    (folder / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-cache-dir"]
    command += ["--index-url", f"{shops[0].base}/simple/", "-r", "requirements.txt"]
    env = unset("PIP_") | {"PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = next(line for line in done.stdout.splitlines() if line.startswith("Would install "))
    return {name.partition("-2.8.3")[0] for name in said.replace("flash-attn", "flash_attn").split()[2:]}


def unset(prefix: str) -> dict[str, str]:
    """The environment without what sets a tool up."""
    return {name: value for name, value in clean_environment().items() if not name.startswith(prefix)}
