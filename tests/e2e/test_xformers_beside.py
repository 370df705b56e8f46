"""AD323 against the real xFormers: imported beside a flash-attn of a version it does what `check` says that it does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from attn_doctor.knowledge.requirements import requirement
from e2e.conftest import call, installed, own_uv
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import Ran

    Cli = Callable[..., Ran]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="wheels of xFormers for Linux"),
    pytest.mark.xdist_group("torch"),
]

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
XFORMERS, FOUR = "0.0.35", "4.0.0b36"
REFUSED = "Requires Flash-Attention version"


@pytest.fixture(scope="module")
def over(torch_venv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with xFormers, laid over the one with torch."""
    folder = tmp_path_factory.mktemp("xformers") / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", folder)
    (site(folder) / "torch.pth").write_text(f"{site(torch_venv)}\n")
    install(folder, f"xformers=={XFORMERS}", "numpy")
    return folder


@pytest.fixture
def beside(over: Path) -> Iterator[Callable[[str], None]]:
    """Puts a flash-attn of a version there: what xFormers looks at, and the metadata; nothing of it stays."""
    package, metadata = site(over) / "flash_attn", site(over) / "flash_attn-0.dist-info"

    def put(version: str) -> None:
        package.mkdir()
        (package / "__init__.py").write_text(f"__version__ = {version!r}\n")
        (package / "flash_attn_interface.py").write_text("import types\nflash_attn_gpu = types.SimpleNamespace()\n")
        metadata.with_name(f"flash_attn-{version}.dist-info").mkdir()
        (metadata.with_name(f"flash_attn-{version}.dist-info") / "METADATA").write_text(
            f"Name: flash-attn\nVersion: {version}\n"
        )

    yield put
    for path in (package, *site(over).glob("flash_attn-*.dist-info")):
        call("rm", "-rf", path)


def site(venv: Path) -> Path:
    return venv / f"lib/python{MINOR}/site-packages"


def install(venv: Path, *names: str) -> None:
    uv = own_uv()
    how = [uv, "pip", "install", "--python"] if uv else [sys.executable, "-m", "pip", "--python"]
    how += [venv / "bin/python"] if uv else [venv / "bin/python", "install"]
    done = installed([*how, "--quiet", "--no-deps", *names])
    if "No matching distribution" in done.stderr or "no version" in done.stderr:
        pytest.skip(f"there is no {names[0]} here")
    assert done.returncode == 0, done.stderr


def imported(venv: Path, **env: str) -> str:
    """The last line of what importing it says; empty where it goes well."""
    done = subprocess.run(
        [venv / "bin/python", "-c", "import xformers.ops"],
        env={**clean_environment(), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def finding(cli: Cli, venv: Path, **env: str) -> str | None:
    report = cli("check", "--venv", venv, "--format", "json", env=env).json()
    return next((one["detail"] for one in report["findings"] if one["code"] == "AD323"), None)


def test_alone_it_is_imported(cli: Cli, over: Path) -> None:
    assert (imported(over), finding(cli, over)) == ("", None)


@pytest.mark.parametrize("version", ["2.7.0.post2", "2.8.4", "2.8.4.post1"])
def test_it_takes_the_versions_that_the_table_says(
    cli: Cli, over: Path, beside: Callable[[str], None], version: str
) -> None:
    beside(version)
    said, found = imported(over), finding(cli, over)
    assert (REFUSED in said) is (found is not None), (said, found)
    if found:
        row = requirement("xformers", XFORMERS, "flash-attn")
        assert row
        assert row.specifier in said.replace(", ", ",")
        assert version in found


def test_the_variable_has_it_take_every_version(cli: Cli, over: Path, beside: Callable[[str], None]) -> None:
    beside("2.6.3")
    assert REFUSED in imported(over)
    switch = {"XFORMERS_IGNORE_FLASH_VERSION_CHECK": "1"}
    assert (imported(over, **switch), finding(cli, over, **switch)) == ("", None)


def test_flash_attn_4_alone_is_taken_for_flash_attn_2(cli: Cli, over: Path) -> None:
    install(over, f"flash-attn-4=={FOUR}")
    try:
        assert "flash_attn.flash_attn_interface" in imported(over)
        assert "flash-attn-4" in (finding(cli, over) or "")
    finally:
        for path in (site(over) / "flash_attn", *site(over).glob("flash_attn_4-*")):
            call("rm", "-rf", path)
