"""Probes, rules, backends and reporters are found by listing their folder: adding one is adding a file."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from types import ModuleType


def discover(package: str) -> list[ModuleType]:
    """Every module of a package, sorted by name; files that start with an underscore are passed over."""
    import_module(package)
    folder = os.path.dirname(sys.modules[package].__file__ or "")
    names = {name.partition(".")[0] for name in os.listdir(folder) if name.endswith((".py", ".pyc"))}
    return [import_module(f"{package}.{name}") for name in sorted(names) if not name.startswith("_")]
