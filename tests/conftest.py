from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from support import is_unclean, run_cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Ran


# several tests run torch at a time: threads that spin while they wait would keep the others from working
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")
# what is compiled is kept: the tests themselves for the next run, modules for the next process
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# the same examples each time: what turns red is the change's fault; `make fuzz` looks for examples that nobody had yet
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fresh", derandomize=False, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def empty_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for caches, with nothing in it: the developer's own may hold a refreshed catalogue."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, empty_cache: str) -> None:
    """What stands in the developer's shell, or in the developer's cache, changes no answer."""
    for name in [*os.environ]:
        if is_unclean(name):
            monkeypatch.delenv(name)
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for installer in ("pip", "uv"):  # theirs may stay: what is in it need not be downloaded again
        if f"{installer.upper()}_CACHE_DIR" not in os.environ:
            monkeypatch.setenv(f"{installer.upper()}_CACHE_DIR", os.path.join(caches, installer))
    monkeypatch.setenv("XDG_CACHE_HOME", empty_cache)
    monkeypatch.setenv("XDG_STATE_HOME", empty_cache)


@pytest.fixture
def cli(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Ran]:
    """attn-doctor as the process it is: cli("check", "--format", "json", env={...}).json(), .code, .out, .err.

    It starts in an empty folder, so that the ./.venv of the checkout is nobody's target.
    """
    empty: Path = tmp_path_factory.mktemp("cwd")

    def run(*arguments: object, cwd: object = None, **how: object) -> Ran:
        return run_cli(*arguments, cwd=cwd or empty, **how)  # type: ignore[arg-type]

    return run


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make golden`."""
    parser.addoption("--golden", action="store_true", help="write the golden reports anew")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup`, as `make test` has it: files are dealt out whole."""
    if config.getoption("dist") != "loadgroup":
        return None
    from shares import ByFile

    return ByFile(config, log)
