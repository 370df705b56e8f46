"""`attn-doctor issue pytorch` beside the script that PyTorch's form asks for, in a real environment."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Ran


@pytest.mark.xdist_group("torch")
def test_every_line_of_torchs_own_script_is_answered(torch_venv: Path, cli: Callable[..., Ran]) -> None:
    """Held beside the real output, on this machine: the same names, and where a file says it the same answers."""
    python = torch_venv / "bin" / "python"
    own = subprocess.run(
        [python, "-W", "ignore", "-m", "torch.utils.collect_env"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    ).stdout
    theirs = said(own)
    ours = said(cli("issue", "pytorch", "--venv", torch_venv).out)
    names = set(theirs) - cpu_lines(own) - {"Collecting environment information..."}
    assert names - set(ours) == set()
    for name in ("PyTorch version", "Libc version", "Python platform", "ROCM used to build PyTorch"):
        assert ours[name] == theirs[name], name
    assert ours["OS"].startswith(theirs["OS"])
    assert ours["Is CUDA available"].startswith(theirs["Is CUDA available"])
    assert ours["Python version"].split()[0] == theirs["Python version"].split()[0]


def said(text: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.splitlines() if ":" in line and not line.startswith("["))
    return {name: value.strip() for name, _, value in pairs}


def cpu_lines(text: str) -> set[str]:
    """What lscpu prints of a processor: the facts hold its kind and its cores alone."""
    part = text.partition("\nCPU:\n")[2].partition("\n\n")[0]
    return {line.partition(":")[0] for line in part.splitlines()} - {"Architecture", "CPU(s)"}
