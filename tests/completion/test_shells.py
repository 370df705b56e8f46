"""Completion in real shells, at a real prompt on a pseudo-terminal. PowerShell is not tried: nobody has it here."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.cli.completion import FOLDER
from attn_doctor.judgement.rule import rules
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
PATIENCE_S = 30
KILL_LINE = "\x15"
# what is typed, and what the tab behind it must add
TYPED = [
    ("attn-doctor simu", "late"),
    ("attn-doctor check --what-if gpu_c", "ount="),
    ("attn-doctor check --need dty", "pe="),
    ('attn-doctor check --what-if gpu="NVIDIA TITAN R', "TX"),
    ("attn-doctor verify --devi", "ce"),
    ("attn-doctor bench --preset flash", "-attention"),
    ("attn-doctor bench sdpa.fl", "ash"),
    ("attn-doctor verify sdpa.eff", "icient"),
    ("attn-doctor resolve --chain flash_attention_2,sd", "pa"),
    ("attn-doctor resolve --chain=flash_attention_2,eag", "er"),
    ("attn-doctor check --venv unlike", "ly-folder"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with each shell's script where its first lines say."""
    folder = tmp_path_factory.mktemp("home")
    beside = folder / "bin"
    beside.mkdir()
    command = beside / "attn-doctor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m attn_doctor "$@"\n')
    command.chmod(0o755)
    (folder / "unlikely-folder").mkdir()
    for place, name in ((".zfunc", "_attn-doctor"), (".config/fish/completions", "attn-doctor.fish")):
        (folder / place).mkdir(parents=True)
        shutil.copy(Path(FOLDER) / f"attn-doctor.{'zsh' if 'zfunc' in place else 'fish'}", folder / place / name)
    (folder / ".bashrc").write_text(f". '{FOLDER}/attn-doctor.bash'\nPS1='ready> '\n")
    (folder / ".zshrc").write_text("PS1='ready> '\nfpath+=(~/.zfunc); autoload -Uz compinit && compinit -u\n")
    (folder / ".config/fish/config.fish").write_text(
        "function fish_prompt; echo 'ready> '; end\nset -g fish_greeting\n"
    )
    return folder


class Prompt:
    """A shell at a terminal: keys go in, and the screen is waited for."""

    def __init__(self, command: list[str], home: Path) -> None:
        import fcntl
        import pty
        import termios

        self._terminal, theirs = pty.openpty()
        environment = clean_environment() | {
            "HOME": str(home),
            "TERM": "xterm",
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
            "COLUMNS": "200",
            "XDG_CONFIG_HOME": str(home / ".config"),
        }
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=home,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - fish wants a terminal of its own
        )
        os.close(theirs)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, wanted: str) -> str:
        """What came until it shows; colours and movements of the cursor taken out."""
        seen, until = b"", time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if select.select([self._terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(self._terminal, 1 << 16)
                except OSError:
                    break
            text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[(\]][^\x07]{0,40}?\x07?)", "", seen.decode(errors="replace"))
            if wanted in text.replace("\r", ""):
                return text
        raise AssertionError(f"{wanted!r} never came; seen: {seen.decode(errors='replace')!r}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)


@pytest.fixture(params=["bash", "zsh", "fish"])
def prompt(request: pytest.FixtureRequest, home: Path) -> Iterator[Prompt]:
    found = shutil.which(request.param)
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    options = {"bash": ["--noprofile", "--rcfile", str(home / ".bashrc"), "-i"]}.get(request.param, ["-i"])
    opened = Prompt([found, *options], home)
    try:
        opened.wait_for("ready>")
        yield opened
    finally:
        opened.close()


def test_what_is_typed_is_completed(prompt: Prompt) -> None:
    lone = next(code for code in rules() if sum(other.startswith(code[:4]) for other in rules()) == 1)
    for typed, added in [*TYPED, (f"attn-doctor rule {lone[:4]}", lone[4:])]:
        prompt.type(typed)
        prompt.wait_for(typed[-3:])
        prompt.type("\t")
        prompt.wait_for(added)
        prompt.type(KILL_LINE)


def test_the_scripts_parse() -> None:
    for shell, ending in (("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")):
        if found := shutil.which(shell):
            checked = subprocess.run(
                [found, "-n", f"{FOLDER}/attn-doctor.{ending}"], capture_output=True, timeout=60, check=False
            )
            assert (checked.returncode, checked.stderr) == (0, b"")
    checker = Path(sys.executable).with_name("shellcheck")
    if checker.exists():
        subprocess.run([checker, f"{FOLDER}/attn-doctor.bash"], check=True, timeout=60)
