"""A real transformers beside the real torch: the one in which snippets are run."""

from __future__ import annotations

from e2e.conftest import framework_venv, torch_venv

__all__ = ["framework_venv", "torch_venv"]
