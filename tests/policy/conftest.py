from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policy.projects import Project

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project with a repository."""
    return Project(tmp_path / "project")
