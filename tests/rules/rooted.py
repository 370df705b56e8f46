"""Machines for the tests of rules: imagined ones with single readings put in, and trees of files that probes read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from attn_doctor.judgement.report import Finding, Skipped
from attn_doctor.judgement.rule import judge, rules
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent, Known, Unknown
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.host import LiveHost
from support import VENV, ask


def imagined(*keys: str, **readings: Any) -> Facts:
    """A simulated machine with these readings in place of its own; None is absence."""
    facts = whatif.simulate([*keys])
    put = {
        name: value if isinstance(value, (Known, Absent, Unknown)) else known(value) for name, value in readings.items()
    }
    return Facts(readings=facts.readings | put)


def known(value: Any) -> Known[Any] | Absent:
    return Absent(("the test",)) if value is None else Known(value, source="the test")


def finding(code: str, facts: Facts) -> Finding | None:
    """What the rule finds; a skipped rule fails the test."""
    answer = judge(rules()[code], Machine(facts))
    assert not isinstance(answer, Skipped), answer
    return answer


def found(code: str, facts: Facts) -> Finding:
    answer = finding(code, facts)
    assert answer is not None, f"{code} stays silent"
    return answer


class Rooted(LiveHost):
    """The file system below a folder, as if it were the whole machine; a glibc and an environment of its own."""

    def __init__(self, root: Path, env: dict[str, str] | None = None, glibc: str = "2.36", **said: Any) -> None:
        super().__init__()
        self.root = str(root.resolve())
        self.variables = {"PATH": "/usr/local/bin:/usr/bin"} | (env or {})
        self.glibc = glibc
        self.said = {"system": ("linux", "x86_64", "6.8.0-48-generic"), "disk": (64 << 30, 99 << 30, "")} | said

    def _inside(self, path: str) -> str:
        return self.root + path if path.startswith("/") else path

    def system(self) -> tuple[str, str, str]:
        return self.said["system"]

    def read_head(self, path: str, size: int) -> str | None:
        return super().read_head(self._inside(path), size)

    def list_dir(self, path: str) -> tuple[str, ...]:
        return super().list_dir(self._inside(path))

    def is_dir(self, path: str) -> bool:
        return super().is_dir(self._inside(path))

    def is_file(self, path: str) -> bool:
        return super().is_file(self._inside(path))

    def is_executable(self, path: str) -> bool:
        return super().is_executable(self._inside(path))

    def real_path(self, path: str) -> str:
        return os.path.realpath(self._inside(path)).removeprefix(self.root)

    def env(self, name: str) -> str | None:
        return self.variables.get(name)

    def confstr(self, name: str) -> str | None:
        return f"glibc {self.glibc}"

    def disk(self, path: str) -> tuple[int, int, str] | None:
        return self.said["disk"]


def plant(root: Path, files: dict[str, str], links: dict[str, str] | None = None) -> Path:
    """The tree of these files; one below a bin folder is executable. Links are written relative to their folder."""
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if file.parent.name == "bin":
            file.chmod(0o755)
    for path, to in (links or {}).items():
        link = root / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(root / to.lstrip("/"), link.parent))
    return root


def read(name: str, host: Any) -> Any:
    """That probe's reading of the host, once from it and once from its recording."""
    from attn_doctor.machine.probe import probes

    return ask(probes()[name], host, VENV)


def toolkit(root: str, version: str, *, headers: bool = True, runtime: bool = True) -> dict[str, str]:
    """The files of a CUDA toolkit that decide something."""
    files = {f"{root}/bin/nvcc": "\x7fELF", f"{root}/version.json": f'{{"cuda": {{"version": "{version}.0"}}}}'}
    files |= {f"{root}/include/cuda_runtime.h": ""} if headers else {}
    return files | ({f"{root}/lib64/libcudart.so": ""} if runtime else {})
