from __future__ import annotations

import os
import shutil
import sys
from ctypes.util import find_library
from typing import TYPE_CHECKING

import pytest

from nvml_library import COMPILER, build, config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UNCLEAN = ("CUDA_", "NVIDIA_", "LD_", "PYTHON", "FAKE_NVML")


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(UNCLEAN)}


def built(folder: Path, *flags: str) -> Path:
    if sys.platform != "linux" or shutil.which(COMPILER) is None:
        pytest.skip("needs Linux and a C compiler")
    return build(folder, *flags)


@pytest.fixture(scope="session")
def nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_nvml_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("old_nvml"), "-DOLD_LIBRARY")


@pytest.fixture
def nvml_machine(nvml_folder: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The environment of a process that sees the machine the text describes."""
    return lambda text: clean_environment() | config(tmp_path, text, nvml_folder)


@pytest.fixture
def old_nvml_machine(old_nvml_folder: Path, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """The same with a library that lacks what old drivers lack."""
    return lambda text: clean_environment() | config(tmp_path, text, old_nvml_folder)


@pytest.fixture
def broken_nvml_machine(tmp_path: Path) -> Callable[[bytes], dict[str, str]]:
    """A libnvidia-ml.so.1 of the given bytes. It stands before a real one, and the loader stops at it."""

    def machine(content: bytes) -> dict[str, str]:
        (tmp_path / "libnvidia-ml.so.1").write_bytes(content)
        return clean_environment() | {"LD_LIBRARY_PATH": str(tmp_path)}

    return machine


@pytest.fixture
def no_nvml_machine(tmp_path: Path) -> dict[str, str]:
    if find_library("nvidia-ml"):
        pytest.skip("this machine has a real NVML")
    return clean_environment() | {"LD_LIBRARY_PATH": str(tmp_path)}
