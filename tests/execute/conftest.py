from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

import nvml_library
from execute import workshop as made_here

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a libnvidia-ml.so.1."""
    import shutil

    if sys.platform != "linux" or shutil.which(nvml_library.COMPILER) is None:
        pytest.skip("needs Linux and a C compiler")
    return nvml_library.build(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An environment of a kind, made once: pip, uv, system, managed, conda."""
    made: dict[str, Path] = {}

    def one(kind: str) -> Path:
        if kind == "uv" and not os.path.exists(made_here.UV):
            pytest.skip("uv is not installed")
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind) / "made"
            if kind in ("pip", "uv"):
                made[kind] = made_here.make_target(folder, kind)
            else:
                made[kind] = made_here.make_system(folder, managed=kind == "managed", conda=kind == "conda")
        return made[kind]

    return one


@pytest.fixture
def shop() -> Iterator[made_here.Market]:
    opened = made_here.Market()
    yield opened
    opened.close()


@pytest.fixture
def open_workshop(
    environments: Callable[[str], Path], shop: made_here.Market, library: Path, tmp_path: Path
) -> Callable[[str], made_here.Workshop]:
    """A workshop around an environment of that kind, in a folder whose name is not simple."""

    def opened(kind: str) -> made_here.Workshop:
        (tmp_path / "with blanks").mkdir()
        target = made_here.copied(environments(kind), tmp_path / "with blanks" / "Umgebung für José")
        shop.add(made_here.triton(tmp_path))
        return made_here.Workshop(tmp_path, target, shop, library)

    return opened


@pytest.fixture
def workshop(open_workshop: Callable[[str], made_here.Workshop]) -> made_here.Workshop:
    """The plain kind: pip."""
    return open_workshop("pip")
