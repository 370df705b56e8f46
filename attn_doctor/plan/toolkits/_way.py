"""What every way to a toolkit has, and what they share."""

from __future__ import annotations

import shlex

import msgspec

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.plan import steps
from attn_doctor.plan.plan import Step

# compiles and links as torch's builder does, with the host compiler that it would hand on
CHECK = """\
import os, subprocess, sys, tempfile
nvcc, release = sys.argv[1:]
said = subprocess.run([nvcc, "--version"], stdout=subprocess.PIPE, universal_newlines=True).stdout
if "release " + release + "," not in said:
    sys.exit(nvcc + " is not of CUDA " + release + ": " + said)
with tempfile.TemporaryDirectory() as folder:
    source = os.path.join(folder, "check.cu")
    with open(source, "w") as file:
        file.write("__global__ void none() {}  int main() { none<<<1, 1>>>(); return cudaDeviceSynchronize(); }")
    host = ["-ccbin", os.environ["CC"]] if os.environ.get("CC") else []
    sys.exit(subprocess.call([nvcc, *host, "-cudart", "shared", source, "-o", os.path.join(folder, "check")]))"""


class ToolkitWay(msgspec.Struct, frozen=True, kw_only=True):
    """One way to a toolkit that stands by itself. `folder` is the way's own: undoing removes it whole."""

    name: str
    title: str
    cuda: str
    home: str
    """The toolkit's folder: CUDA_HOME of the build, where bin/nvcc is."""
    steps: tuple[Step, ...]
    env: dict[str, str]
    """For the build and nothing else. PATH is not among it: torch's builder takes CUDA_HOME alone."""
    check: Step
    possible: bool
    """Whether attn-doctor can do it by itself here."""
    download_bytes: int | None = None
    disk_bytes: int | None = None
    why: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def check(machine: Machine, home: str, cuda: str, env: dict[str, str]) -> Step:
    """Fails unless that nvcc is of that CUDA, compiles and links."""
    return Step(
        id="toolkit-check",
        title=f"check that nvcc is of CUDA {cuda}, compiles and links",
        kind="check",
        command=(steps.python(machine), "-c", CHECK, f"{home}/bin/nvcc", cuda),
        env=env,
    )


def remove(folder: str) -> str:
    """What puts things back."""
    return f"rm -rf {shlex.quote(folder)}"


def no_wheels(cuda: str) -> tuple[str, ...]:
    """Why the wheels that so many people try first are no way to that CUDA."""
    row = toolkit_packages.without_compiler(cuda)
    return (f"NVIDIA's compiler wheels for CUDA {row.cuda_major} hold {row.what}",) if row else ()


def no_room(machine: Machine, folder: str, needed_bytes: int | None) -> tuple[str, ...]:
    """What is wrong with the place that the folder is on."""
    above = [place for place in machine.disk if f"{folder}/".startswith(f"{place.path.rstrip('/')}/")]
    place = max(above, key=lambda one: len(one.path), default=None)
    if place is None:
        return ()
    found = []
    if place.noexec:
        found.append(f"{place.path} is mounted noexec: nothing that lies there can run")
    if place.read_only:
        found.append(f"{place.path} is read-only")
    if needed_bytes and place.free_bytes < needed_bytes:
        found.append(
            f"at least {needed_bytes / 1e9:.1f} GB are needed in {place.path}, {place.free_bytes / 1e9:.1f} GB are free"
        )
    return tuple(found)
