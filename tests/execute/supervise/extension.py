"""An extension of a dozen files that is compiled by ninja, as torch's builder does it, with its own build backend.

Every call of the compiler leaves a line in a file, so that a test can tell what was compiled how often.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from attn_doctor.plan.plan import Step
from support import clean_environment

UNITS = 12
BACKEND = """\
import os, subprocess, sys, zipfile
NAME, HERE = "slow_ext", os.getcwd()
INFO, WHEEL = NAME + "-1.0.dist-info", NAME + "-1.0-py3-none-any.whl"
FILES = {
    "METADATA": "Metadata-Version: 2.1\\nName: slow_ext\\nVersion: 1.0\\n",
    "WHEEL": "Wheel-Version: 1." "0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n",
}


def get_requires_for_build_wheel(settings=None):
    return []


def prepare_metadata_for_build_wheel(folder, settings=None):
    os.makedirs(os.path.join(folder, INFO), exist_ok=True)
    for name, text in FILES.items():
        with open(os.path.join(folder, INFO, name), "w") as file:
            file.write(text)
    return INFO


def build_wheel(folder, settings=None, metadata=None):
    place = os.path.join(HERE, "build", "temp.linux-x86_64")
    os.makedirs(place, exist_ok=True)
    sources = sorted(name for name in os.listdir("csrc"))
    objects = [os.path.join(place, name + ".o").replace(" ", "$ ") for name in sources]
    with open(os.path.join(place, "build.ninja"), "w") as file:
        file.write("rule compile\\n  command = %s '%s/compile.py' $in $out\\n\\n" % (sys.executable, HERE))
        for source, made in zip(sources, objects):
            file.write("build %s: compile %s\\n" % (made, os.path.join(HERE, "csrc", source).replace(" ", "$ ")))
    subprocess.run(["ninja", "-v", "-j", os.environ["MAX_JOBS"]], cwd=place, check=True)
    with zipfile.ZipFile(os.path.join(folder, WHEEL), "w") as wheel:
        for name in sorted(os.listdir(place)):
            if name.endswith(".o"):
                wheel.write(os.path.join(place, name), NAME + "/" + name)
        for name, text in FILES.items():
            wheel.writestr(INFO + "/" + name, text)
        wheel.writestr(INFO + "/RECORD", "")
    return WHEEL
"""
PROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "slow_ext"
version = "1.0"
"""
# how a source is compiled; {body} is what a test wants to happen besides
COMPILE = """\
import os, signal, subprocess, sys, time
source, made = sys.argv[1:]
unit = os.path.basename(source)
with open({calls!r}, "a") as file:
    file.write(unit + "\\n")
{body}
command = {command!r}
sys.exit(subprocess.run([*command, "-c", source, "-o", made]).returncode)
"""


def make(
    folder: Path,
    calls: Path,
    *,
    cuda: bool = False,
    body: str = "",
    units: int = UNITS,
    named: tuple[str, str] = ("slow_ext", "1.0"),
) -> Path:
    """Its sources, which compile each in a moment; `body` is run before every compile."""
    (folder / "csrc").mkdir(parents=True)
    suffix, command = (".cu", ["nvcc", "-arch=sm_80"]) if cuda else (".cpp", ["g++"])
    for number in range(units):
        kernel = f"__global__ void k{number}(float *x) {{ x[threadIdx.x] += {number}; }}\n" if cuda else ""
        text = f"{kernel}int f{number}() {{ return {number}; }}\n"
        (folder / "csrc" / f"u{number:02}{suffix}").write_text(text)
    for name, text in (("pyproject.toml", PROJECT), ("backend.py", BACKEND)):
        (folder / name).write_text(text.replace("slow_ext", named[0]).replace("1.0", named[1]))
    (folder / "compile.py").write_text(COMPILE.format(calls=str(calls), body=body, command=command))
    return folder


def archive(project: Path, folder: Path, name: str = "slow_ext-1.0") -> Path:
    """The same as a source archive."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        file.add(project, name)
    return path


def step(project: Path, wheels: Path, jobs: int = 2, *before: str) -> Step:
    """As a plan has it."""
    command = (
        *before,
        *(sys.executable, "-m", "pip", "wheel", "-v", "--no-cache-dir", "--no-index", "--no-deps"),
        *("--no-build-isolation", "--use-pep517", "--wheel-dir", str(wheels), str(project)),
    )
    return Step(id="build", title="compile", kind="build", command=command, env={"MAX_JOBS": str(jobs)})


def compiled(calls: Path) -> Counter[str]:
    """How often every unit was given to the compiler."""
    return Counter(calls.read_text().split()) if calls.exists() else Counter()


def logged(project: Path) -> set[str]:
    """The units whose objects ninja has written down."""
    log = project / "build/temp.linux-x86_64/.ninja_log"
    lines = log.read_text().splitlines()[1:] if log.exists() else []
    return {Path(line.split("\t")[3]).name.removesuffix(".o") for line in lines}


DRIVER = """\
import sys
import msgspec
from attn_doctor.execute.supervise import build
from attn_doctor.execute.supervise.room import Room
from attn_doctor.plan.plan import Step

step = msgspec.json.decode(sys.argv[1], type=Step)
left = iter([int(word) for word in sys.argv[2].split(",")] if len(sys.argv) > 2 else [])
last = [None]

def look(pid):
    last[0] = next(left, last[0])
    return None if last[0] is None else Room(last[0], 16 << 30)

build.run(step, lambda data: None, tell=lambda now: None, look=look)
"""


def driven(one: Step, *more: str, mark: str = "none") -> subprocess.Popen[bytes]:
    """A process that supervises that build."""
    import msgspec

    environment = {**clean_environment(), "ATTN_DOCTOR_CHANGE": mark}
    command = [sys.executable, "-c", DRIVER, msgspec.json.encode(one).decode(), *more]
    return subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    """A moment, not a duration: it only fails where it never comes."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def marked(mark: str) -> list[int]:
    """The processes that carry that mark in their variables."""
    found = []
    wanted = f"ATTN_DOCTOR_CHANGE={mark}\0".encode()
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if wanted in Path(f"/proc/{name}/environ").read_bytes():
                    found.append(int(name))
            except OSError:
                continue
    return found


NINJA = shutil.which("ninja")
GXX = shutil.which("g++")
NVCC = shutil.which("nvcc")
