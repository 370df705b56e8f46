"""A target with the real torch: the one that the end-to-end tests install."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from e2e.conftest import torch_venv

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["torch_venv"]


@pytest.fixture(scope="session")
def torch_python(torch_venv: Path) -> str:
    return str(torch_venv / "bin" / "python")
