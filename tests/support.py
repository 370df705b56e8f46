"""What several tests use and what is no fixture: a clean environment, and machines described by their files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from posixpath import normpath
from typing import Any

from attn_doctor.machine.host import CannotLook, Completed, Failed, RecordedHost, RecordingHost
from attn_doctor.machine.target import Target

# Variables of the developer's shell that would change an answer, or make each process compile its modules anew.
# PIP_* and UV_* stay: installers need them.
UNCLEAN = {
    *("CC", "CI", "COLUMNS", "CONDA_DEFAULT_ENV", "CONDA_PREFIX", "CXX", "FAKE_NVML", "FORCE_COLOR", "GITHUB_ACTIONS"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "MAX_JOBS", "NO_COLOR", "NVCC_THREADS", "PYTHONHOME", "PYTHONNOUSERSITE"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV", "container"),
}
UNCLEAN_PREFIXES = ("ATTN_DOCTOR_", "CUDA_", "FLASH_ATT", "KUBERNETES_", "NVIDIA_", "PYTORCH_", "TORCH_")
TIMEOUT_S = 120


def is_unclean(name: str) -> bool:
    return name in UNCLEAN or name.startswith(UNCLEAN_PREFIXES)


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not is_unclean(name)}


class Ran:
    """A command that ended: exit code, standard output, standard error."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.code = done.returncode
        self.stdout = done.stdout
        self.out = done.stdout.decode()
        self.err = done.stderr.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run_cli(
    *arguments: object,
    input: str | bytes | None = None,  # noqa: A002 - as subprocess calls it
    env: dict[str, str | None] | None = None,
    cwd: object,
    under: tuple[str, ...] = (),
) -> Ran:
    """`attn-doctor ARGUMENTS` as the process it is. A value of None in `env` takes the variable away.

    `under` is a command that starts the one behind it: with limits, with a stream closed.
    """
    merged = clean_environment() | (env or {})
    done = subprocess.run(
        [*under, sys.executable, "-m", "attn_doctor", *map(str, arguments)],
        input=input.encode() if isinstance(input, str) else input if input is not None else b"",
        env={name: value for name, value in merged.items() if value is not None},
        cwd=str(cwd),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ran(done)


class Described:
    """A machine as a dictionary of files. A command that was not described fails; a file that was not is absent.

    A file whose content is an exception refuses to be read; a folder ends in a slash.
    """

    def __init__(self, files: dict[str, str | Exception] | None = None, **said: Any) -> None:
        self.files = files or {}
        self.links: dict[str, str] = said.get("links", {})
        self.executables: set[str] = set(said.get("executables", ()))
        self.variables: dict[str, str] = said.get("env", {})
        self.commands: dict[str, Completed | Failed] = said.get("commands", {})
        self.said = {"system": ("linux", "x86_64", "6.1.0-28-amd64"), "cores": 8, "disks": {}, "confstr": {}} | said
        self.started: list[str] = []

    def _find(self, path: str) -> str:
        path = normpath(path)
        for link, to in self.links.items():
            if path == link or path.startswith(link + "/"):
                return self._find(to + path[len(link) :])
        return path

    def _names(self) -> set[str]:
        return {name.rstrip("/") for name in (*self.files, *self.executables, *self.links)}

    def system(self) -> tuple[str, str, str]:
        return self.said["system"]

    def read_text(self, path: str) -> str | None:
        found = self.files.get(self._find(path))
        if isinstance(found, Exception):
            raise found
        return found

    def read_head(self, path: str, size: int) -> str | None:
        text = self.read_text(path)
        return None if text is None else text[:size]

    def open_binary(self, path: str) -> bytes | None:
        text = self.read_text(path)
        return None if text is None else text.encode()

    def remembered(self, path: str) -> bytes | None:
        return None

    def remember(self, path: str, found: bytes) -> None:
        return None

    def list_dir(self, path: str) -> tuple[str, ...]:
        folder = self._find(path)
        if isinstance(refusal := self.files.get(folder + "/"), Exception):
            raise refusal
        below = [name[len(folder) + 1 :] for name in self._names() if name.startswith(folder + "/")]
        return tuple(sorted({name.partition("/")[0] for name in below}))

    def is_dir(self, path: str) -> bool:
        folder = self._find(path)
        return folder + "/" in self.files or any(name.startswith(folder + "/") for name in self._names())

    def is_file(self, path: str) -> bool:
        return self._find(path) in {*self.files, *self.executables}

    def is_executable(self, path: str) -> bool:
        return self._find(path) in self.executables

    def real_path(self, path: str) -> str:
        return self._find(path)

    def env(self, name: str) -> str | None:
        return self.variables.get(name)

    def cores(self) -> int:
        return self.said["cores"]

    def confstr(self, name: str) -> str | None:
        return self.said["confstr"].get(name)

    def disk(self, path: str) -> tuple[int, int, str] | None:
        return self.said["disks"].get(path)

    def memory(self) -> tuple[int, int] | None:
        return self.said.get("memory")

    def start(self, name: str, command: Any) -> None:
        if name not in self.commands:
            raise LookupError(f"not described: {command}")
        self.started.append(name)

    def finish(self, name: str, timeout_s: float) -> Completed | Failed:
        return self.commands[name]


def said(stdout: str, returncode: int = 0, stderr: str = "") -> Completed:
    return Completed(returncode, stdout, stderr)


REFUSED = CannotLook("cannot read it: permission denied")

VENV = Target(
    prefix="/venv",
    python="/venv/bin/python",
    version="3.12.3",
    kind="venv",
    chosen_by="--venv",
    site_packages=("/venv/lib/python3.12/site-packages",),
    base="/usr/bin",
)
SITE = VENV.site_packages[0]


def ask(probe: Any, host: Any, target: Target = VENV) -> Any:
    """What the probe reads, once from the machine and once from a recording of it: the same, or the test fails."""
    recording = RecordingHost(host)
    answer = _ask(probe, recording, target)
    replayed = _ask(probe, RecordedHost(recording.answers), target)
    assert replayed == answer, "a recording of this machine reads otherwise than the machine"
    return answer


def _ask(probe: Any, host: Any, target: Target) -> Any:
    if probe.begin:
        probe.begin(host, target)
    return probe.read(host, target)


def value(reading: Any) -> Any:
    """The value of a Known reading; anything else fails the test and says what it was."""
    assert type(reading).__name__ == "Known", reading
    return reading.value
