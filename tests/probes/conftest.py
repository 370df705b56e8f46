from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from nvml_library import COMPILER, build, config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux" or shutil.which(COMPILER) is None:
        pytest.skip("needs Linux and a C compiler")
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def nvml_machine(nvml_folder: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The variables under which a process sees, through a real library, the machine the text describes."""
    return lambda text: config(tmp_path, text, nvml_folder)
