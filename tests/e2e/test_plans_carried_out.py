"""Plans carried out by real installers: pip and uv, against a release server and an index on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from attn_doctor.plan.plan import Plan
from attn_doctor.reporters import _plan, _script
from e2e.conftest import make_venv
from plan.shop import Shop, fingerprint, make_wheel
from support import clean_environment, run_cli

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hard links and a POSIX shell")

TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"
GPU = ("--what-if", "gpu=NVIDIA A100-SXM4-40GB", "--what-if", "driver=580.95.05")
RELEASES = "https://github.com/Dao-AILab/flash-attention/releases/download"
TORCH = f"torch-2.8.0+cu128-{TAG}-{TAG}-linux_x86_64.whl"
# as torch 2.6.0 demands it: where it stays, no later torch comes in
SYMPY = "sympy-1.13.1-py3-none-any.whl"
DEMANDS = ("sympy==1.13.1", "typing_extensions>=4; python_version > '3'")
TORCH_FILES = {"torch/version.py": "__version__ = '2.8.0+cu128'\ncuda = '12.8'\n", "torch/__init__.py": ""}
BYSTANDER = "bystander-1.0-py3-none-any.whl"
SCRIPTS = os.path.dirname(sys.executable)

UV = os.path.join(SCRIPTS, "uv")


@pytest.fixture
def shop() -> Iterator[Shop]:
    opened = Shop()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An environment of each kind with a torch that consists of its version, and something else that must not move."""
    folder = tmp_path_factory.mktemp("made")
    found = {"pip": make_venv(folder / "pip")}
    if os.path.exists(UV):
        found["uv"] = folder / "uv"
        subprocess.run([UV, "venv", "--quiet", "--offline", "--python", sys.executable, found["uv"]], check=True)
    bystander = make_wheel(folder, BYSTANDER, {"bystander.py": "here = 1\n"})
    torch = make_wheel(folder, TORCH, TORCH_FILES, DEMANDS)
    sympy = make_wheel(folder, SYMPY, {"sympy.py": ""})
    typing = make_wheel(folder, "typing_extensions-4.15.0-py3-none-any.whl", {"typing_extensions.py": ""})
    for one in found.values():
        install(one, torch, bystander, sympy, typing)
    return found


def install(target: Path, *wheels: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(target / "bin/python"),
        "install",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*command, *map(str, wheels)], check=True, capture_output=True, env=clean_environment())


@pytest.fixture(params=["pip", "uv"])
def target(request: pytest.FixtureRequest, made: dict[str, Path], tmp_path: Path) -> Path:
    if request.param not in made:
        pytest.skip("uv is not installed")
    return Path(shutil.copytree(made[request.param], tmp_path / "an environment", symlinks=True))


def environment(shop: Shop, home: Path) -> dict[str, str]:
    """No index but ours; nothing of the caches of this machine."""
    kept = {name: value for name, value in clean_environment().items() if not name.startswith(("PIP_", "UV_"))}
    index = {
        "PIP_INDEX_URL": f"{shop.base}/simple/",
        "UV_DEFAULT_INDEX": f"{shop.base}/simple/",
        "PIP_CONFIG_FILE": os.devnull,
    }
    limits = {"PIP_DEFAULT_TIMEOUT": "2", "UV_HTTP_TIMEOUT": "2", "PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
    path = {"PATH": f"{SCRIPTS}{os.pathsep}{kept['PATH']}"}
    places = {
        "XDG_CACHE_HOME": str(home / "cache"),
        "PIP_CACHE_DIR": str(home / "pip"),
        "UV_CACHE_DIR": str(home / "uv"),
    }
    return kept | index | limits | path | places | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def planned(target: Path, shop: Shop, tmp_path: Path, backend: str, *options: str) -> Any:
    ran = run_cli(
        *("install", backend, "--dry-run", "--format", "json", "--venv", target, *GPU, *options),
        env={**environment(shop, tmp_path)},
        cwd=tmp_path,
    )
    assert ran.code in (0, 1), ran
    return ran.json()


def from_the_shop(plan: Any, shop: Shop, sha256: str | None) -> Plan:
    """The same plan, with the address of the release server and the digest of the small file."""
    text = json.dumps(plan).replace(RELEASES, shop.base + "/releases")
    known = plan["wheel"]["sha256"]
    if known and sha256:
        text = text.replace(known, sha256)
    elif sha256:
        url = json.loads(text)["wheel"]["url"]
        text = text.replace(f'"{url}"', f'"{url}#sha256={sha256}"').replace(f'{url}"', f'{url}#sha256={sha256}"')
    return msgspec.json.decode(text, type=Plan)


def small(plan: Any, shop: Shop, tmp_path: Path) -> str:
    """A small wheel under the name that the plan wants, and einops beside it."""
    einops = make_wheel(tmp_path, "einops-0.8.1-py3-none-any.whl", {"einops/__init__.py": ""})
    shop.add(einops)
    name = plan["wheel"]["filename"]
    version = name.split("-")[1].partition("+")[0]
    files = {"flash_attn/__init__.py": f"__version__ = '{version}'\n"}
    return shop.add(make_wheel(tmp_path, name, files, ("torch", "einops"), version=version))


def without_verify(plan: Plan) -> Plan:
    return msgspec.structs.replace(plan, steps=tuple(step for step in plan.steps if step.kind != "verify"))


def run(plan: Plan, shop: Shop, tmp_path: Path, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "install.sh"
    script.write_text(_script.script(plan), encoding="utf-8")
    return subprocess.run(
        ["/bin/sh", str(script)],
        env=environment(shop, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def versions(target: Path) -> dict[str, str]:
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    done = subprocess.run([target / "bin/python", "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_wheel_goes_in_and_nothing_else_moves(target: Path, shop: Shop, tmp_path: Path) -> None:
    before = versions(target)
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    assert plan["wheel"]["source"] == "fa-official"
    done = run(without_verify(from_the_shop(plan, shop, small(plan, shop, tmp_path))), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = versions(target)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"flash-attn", "einops"}
    (info,) = (target / "lib").glob("python*/site-packages/flash_attn-*.dist-info")
    assert plan["wheel"]["filename"].split("-")[1].split("+")[1] in unquoted((info / "direct_url.json").read_text())


def unquoted(text: str) -> str:
    return text.replace("%2B", "+").replace("%2b", "+")


def test_what_does_not_verify_is_put_back_to_the_byte(target: Path, shop: Shop, tmp_path: Path) -> None:
    before = fingerprint(target)
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    done = run(from_the_shop(plan, shop, small(plan, shop, tmp_path)), shop, tmp_path)
    assert done.returncode != 0
    assert "verify" in done.stderr
    assert "putting back" in done.stderr
    assert fingerprint(target) == before


@pytest.mark.parametrize("mood", ["wrong digest", "missing", "cut", "hang"])
def test_a_download_that_goes_wrong_leaves_everything_as_it_was(
    target: Path, shop: Shop, tmp_path: Path, mood: str
) -> None:
    before = fingerprint(target)
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    digest = small(plan, shop, tmp_path)
    if mood == "wrong digest":
        digest = "0" * 64
    else:
        shop.moods[plan["wheel"]["filename"]] = mood
    done = run(without_verify(from_the_shop(plan, shop, digest)), shop, tmp_path)
    assert done.returncode != 0, done.stdout + done.stderr
    assert fingerprint(target) == before
    assert any(plan["wheel"]["filename"] in path for path in shop.asked)


def test_a_proxy_that_hangs_costs_its_time_and_nothing_else(
    target: Path, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(target)
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    one = without_verify(from_the_shop(plan, shop, small(plan, shop, tmp_path)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        done = run(one, shop, tmp_path)
    assert done.returncode != 0
    assert fingerprint(target) == before
    assert not shop.asked


def test_a_redirect_is_followed(target: Path, shop: Shop, tmp_path: Path) -> None:
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    digest = small(plan, shop, tmp_path)
    shop.moods[plan["wheel"]["filename"]] = "redirect"
    done = run(without_verify(from_the_shop(plan, shop, digest)), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "flash-attn" in versions(target)


def test_another_build_of_the_same_version_takes_the_place_of_the_first(
    target: Path, shop: Shop, tmp_path: Path
) -> None:
    """pip and uv take it for the same otherwise: the version that is installed says nothing of the build."""
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    name = plan["wheel"]["filename"]
    version = plan["version"]
    wrong = make_wheel(
        tmp_path, name.replace("torch2.8", "torch2.7"), {"flash_attn/__init__.py": "wrong"}, version=version
    )
    install(target, wrong)
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    assert plan["wheel"]["filename"] == name
    done = run(without_verify(from_the_shop(plan, shop, small(plan, shop, tmp_path))), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (init,) = (target / "lib").glob("python*/site-packages/flash_attn/__init__.py")
    assert "wrong" not in init.read_text()


def test_a_package_with_demands_moves_nothing(target: Path, shop: Shop, tmp_path: Path) -> None:
    """flash-attn-4 demands torch without a version: a newer one on the index must not come in."""
    plan = planned(target, shop, tmp_path, "flash_attention_4")
    assert plan["package"] == "flash-attn-4"
    stated = plan["version"]
    name = f"flash_attn_4-{stated}-py3-none-any.whl"
    digest = shop.add(make_wheel(tmp_path, name, {"flash_attn/cute/__init__.py": ""}, ("torch", "helper")))
    shop.add(make_wheel(tmp_path, "helper-3.0-py3-none-any.whl", {"helper.py": ""}, ("bystander",)))
    shop.add(make_wheel(tmp_path, "bystander-2.0-py3-none-any.whl", {"bystander.py": "here = 2\n"}))
    shop.add(make_wheel(tmp_path, f"torch-9.0.0-{TAG}-{TAG}-linux_x86_64.whl", {"torch/version.py": ""}))
    done = run(without_verify(from_the_index(plan, digest)), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = versions(target)
    assert (after["torch"], after["bystander"], after["helper"]) == ("2.8.0+cu128", "1.0", "3.0")


def test_demands_that_cannot_be_met_without_moving_torch_stop_it(target: Path, shop: Shop, tmp_path: Path) -> None:
    before = fingerprint(target)
    plan = planned(target, shop, tmp_path, "flash_attention_4")
    name = f"flash_attn_4-{plan['version']}-py3-none-any.whl"
    digest = shop.add(make_wheel(tmp_path, name, {"flash_attn/cute/__init__.py": ""}, ("torch>=9",)))
    shop.add(make_wheel(tmp_path, f"torch-9.0.0-{TAG}-{TAG}-linux_x86_64.whl", {"torch/version.py": ""}))
    done = run(without_verify(from_the_index(plan, digest)), shop, tmp_path)
    assert done.returncode != 0
    assert "demands" in done.stderr or "needs, and move nothing" in done.stderr
    assert fingerprint(target) == before


def test_another_torch_moves_with_its_companions_and_alone(target: Path, shop: Shop, tmp_path: Path) -> None:
    """A torch without code for the card: the plan names another, from an index of its own; the rest stays."""
    vision = make_wheel(
        tmp_path, f"torchvision-0.23.0+cu128-{TAG}-{TAG}-linux_x86_64.whl", {"torchvision/version.py": ""}
    )
    install(target, vision)
    plan = planned(target, shop, tmp_path, "flash_attention_2", "--what-if", "driver=450.80.02")
    moved = {change["package"]: change["after"] for change in plan["changes"]}
    assert moved["torch"].endswith("+cu118"), plan
    torch, torchvision = moved["torch"], moved["torchvision"]
    local = torch.partition("+")[2]
    files = {"torch/version.py": f"__version__ = '{torch}'\n"}
    shop.add(make_wheel(tmp_path, f"torch-{torch}-{TAG}-{TAG}-linux_x86_64.whl", files, ("sympy>=1.13.3",)))
    shop.add(make_wheel(tmp_path, "sympy-1.14.0-py3-none-any.whl", {"sympy.py": ""}))
    shop.add(
        make_wheel(
            tmp_path,
            f"torchvision-{torchvision}+{local}-{TAG}-{TAG}-linux_x86_64.whl",
            {"torchvision/version.py": ""},
            (f"torch=={torch.partition('+')[0]}",),
        )
    )
    text = json.dumps(plan).replace("https://download.pytorch.org/whl/" + local, shop.base + "/simple/")
    repository = plan["wheel"]["url"].split("/releases/")[0]
    text = text.replace(repository + "/releases/download", shop.base + "/releases")
    small(plan, shop, tmp_path)
    done = run(without_verify(msgspec.json.decode(text, type=Plan)), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    after = versions(target)
    assert (after["torch"], after["bystander"], after["sympy"]) == (torch, "1.0", "1.14.0")
    assert after["torchvision"].partition("+")[0] == torchvision


def test_a_package_with_demands_is_upgraded(target: Path, shop: Shop, tmp_path: Path) -> None:
    """What is pinned must not be the package itself."""
    plan = planned(target, shop, tmp_path, "flash_attention_4")
    name = f"flash_attn_4-{plan['version']}-py3-none-any.whl"
    old = make_wheel(tmp_path, "flash_attn_4-4.0.0b8-py3-none-any.whl", {"flash_attn/cute/__init__.py": ""})
    install(target, old)
    plan = planned(target, shop, tmp_path, "flash_attention_4", "--version", plan["version"])
    digest = shop.add(make_wheel(tmp_path, name, {"flash_attn/cute/__init__.py": "new = 1"}, ("torch",)))
    done = run(without_verify(from_the_index(plan, digest)), shop, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions(target)["flash-attn-4"] == plan["version"]


def test_a_file_of_the_index_is_held_against_its_digest(target: Path, shop: Shop, tmp_path: Path) -> None:
    before = fingerprint(target)
    plan = planned(target, shop, tmp_path, "flash_attention_4")
    name = f"flash_attn_4-{plan['version']}-py3-none-any.whl"
    shop.add(make_wheel(tmp_path, name, {"flash_attn/cute/__init__.py": "not what was published"}, ("torch",)))
    done = run(without_verify(msgspec.json.decode(json.dumps(plan), type=Plan)), shop, tmp_path)
    assert done.returncode != 0
    assert fingerprint(target) == before


def from_the_index(plan: Any, digest: str) -> Plan:
    return msgspec.json.decode(json.dumps(plan).replace(plan["wheel"]["sha256"], digest), type=Plan)


def test_the_same_script_twice_loses_nothing(target: Path, shop: Shop, tmp_path: Path) -> None:
    """The copy of the first run stays what it is: the second stops before anything is touched."""
    plan = planned(target, shop, tmp_path, "flash_attention_2")
    one = without_verify(from_the_shop(plan, shop, small(plan, shop, tmp_path)))
    first = run(one, shop, tmp_path)
    assert first.returncode == 0, first.stderr
    kept = one.steps[0].command[-1]
    assert kept in first.stderr, "where the copy lies is said"
    before, copy = fingerprint(target), fingerprint(Path(kept))
    again = run(one, shop, tmp_path)
    assert again.returncode != 0
    assert "is there already" in again.stderr
    assert (fingerprint(target), fingerprint(Path(kept))) == (before, copy)


def test_an_environment_behind_a_link_is_put_back(target: Path, shop: Shop, tmp_path: Path) -> None:
    link = tmp_path / "linked"
    link.symlink_to(target)
    before = fingerprint(target)
    plan = planned(link, shop, tmp_path, "flash_attention_2")
    assert plan["steps"][0]["command"][-2] == str(target)
    done = run(from_the_shop(plan, shop, small(plan, shop, tmp_path)), shop, tmp_path)
    assert done.returncode != 0
    assert fingerprint(target) == before
    assert link.is_symlink()


def test_the_commands_of_the_text_are_those_of_the_json(target: Path, shop: Shop, tmp_path: Path) -> None:
    plan = msgspec.json.decode(json.dumps(planned(target, shop, tmp_path, "flash_attention_2")), type=Plan)
    text = _plan.text(plan, verbose=True, call="attn-doctor install")
    script = _script.script(plan)
    for step in plan.steps:
        assert _plan.command(step) in text
        assert _plan.command(step) in script


def test_planning_writes_nothing(target: Path, shop: Shop, tmp_path: Path) -> None:
    before = fingerprint(target)
    planned(target, shop, tmp_path, "flash_attention_2")
    assert fingerprint(target) == before
    assert {path.name for path in tmp_path.iterdir()} <= {"an environment", "cache"}
    assert not shop.asked
