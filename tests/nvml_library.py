"""A real libnvidia-ml.so.1 that answers from a text file; libnvml.c describes its lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "nvml" / "libnvml.c"
COMPILER = os.environ.get("CC", "cc")


def build(folder: Path, *flags: str) -> Path:
    """Compile the library into `folder`, which is then what LD_LIBRARY_PATH has to name."""
    name = "libnvidia-ml.so.1"
    command = [COMPILER, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{name}"]
    subprocess.run([*command, *flags, "-o", str(folder / name), str(SOURCE)], check=True, timeout=60)
    return folder


def config(folder: Path, text: str, library: Path | None = None) -> dict[str, str]:
    """The variables under which the library in `library` (or `folder`) answers with `text`."""
    file = folder / "nvml.conf"
    # names may hold bytes that are no UTF-8: "\udce9" becomes the byte E9
    file.write_bytes(text.encode(errors="surrogateescape"))
    return {"LD_LIBRARY_PATH": str(library or folder), "FAKE_NVML": str(file)}
