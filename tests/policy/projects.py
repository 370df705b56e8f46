"""Projects in a folder, and the command called there in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import imagined

if TYPE_CHECKING:
    from pathlib import Path

NAME = '[project]\nname = "trains"\n\n'
T4, A100 = "gpu=Tesla T4", "gpu=NVIDIA A100-SXM4-80GB"
FLASH_ATTN = "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE"
OFFICIAL = "https://github.com/Dao-AILab/flash-attention/releases/download/v2.8.3"
# flash-attn and torch of CUDA, and a torch for Macs beside it
UV_LOCK = f"""\
version = 1
requires-python = ">=3.11"

[[package]]
name = "flash-attn"
version = "2.8.3"
source = {{ url = "{OFFICIAL}/flash_attn-2.8.3%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl" }}

[[package]]
name = "torch"
version = "2.8.0"
source = {{ registry = "https://index.example.org/simple" }}
resolution-markers = ["sys_platform == 'darwin'"]

[[package]]
name = "torch"
version = "2.8.0+cu128"
source = {{ registry = "https://download.pytorch.org/whl/cu128" }}
resolution-markers = ["sys_platform != 'darwin'"]

[package.metadata]
requires-dist = [{{ name = "numpy" }}]
"""


class Project:
    """A folder with a repository and files; `check` and the rest are called in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / ".git").mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    def policy(self, text: str) -> Path:
        """As the table of a pyproject.toml whose first line is the fourth of the file."""
        return self.write("pyproject.toml", NAME + "[tool.attn-doctor]\n" + text)

    def call(self, *arguments: str, stdin: str | bytes = b"", at: str = ".") -> imagined.Called:
        before = os.getcwd()
        os.chdir(self.folder / at)
        try:
            return imagined.call(*arguments, stdin=stdin)
        finally:
            os.chdir(before)

    def check(self, *keys: str, options: tuple[str, ...] = (), at: str = ".") -> imagined.Called:
        """`check` of an imagined machine."""
        return self.call("check", "--facts", "-", *options, stdin=imagined.facts(*keys), at=at)

    def report(self, *keys: str, options: tuple[str, ...] = ()) -> Any:
        called = self.check(*keys, options=("--format", "json", *options))
        assert called.code in (0, 1), called
        return called.json()


def breaches(report: Any) -> dict[str, list[str]]:
    """What the policy found: the details by code."""
    found: dict[str, list[str]] = {}
    for one in report["findings"]:
        if one["code"].startswith("AD5"):
            found.setdefault(one["code"], []).append(one["detail"])
    return found


def settings(report: Any) -> list[tuple[str, str, str]]:
    return [(one["key"], one["value"], one["origin"]) for one in report["policy"]["settings"]]
