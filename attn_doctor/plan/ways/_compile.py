"""The steps that compile: in a folder of attn-doctor's own, so that a build goes on from the objects that are done.

setuptools and torch leave objects and ninja's log in the folder of the sources. pip builds there since 21.3, and uv in
its cache, which here is one for this build alone.
"""

from __future__ import annotations

import re
from hashlib import sha256

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.plan import one_folder, steps
from attn_doctor.plan.plan import Build, Step

SOURCES, BUILDS, WHEELS = "sources", "builds", "built"
# for the target's interpreter; double quotes only, for a shell takes it in single ones
UNPACK = """\
import os, shutil, sys, tarfile
files, here = sys.argv[1:]
part = here + ".part"
if not os.path.isdir(here):
    (name,) = [one for one in os.listdir(files) if one.endswith((".tar.gz", ".zip"))]
    safe = {"filter": "data"} if hasattr(tarfile, "data_filter") and name.endswith(".tar.gz") else {}
    shutil.rmtree(part, ignore_errors=True)
    shutil.unpack_archive(os.path.join(files, name), part, **safe)
    (top,) = os.listdir(part)
    os.rename(os.path.join(part, top), here)
    os.rmdir(part)"""


def steps_of(machine: Machine, row: SourceBuild, version: str, build: Build) -> tuple[Step, ...]:
    """Fetch, unpack, compile to a wheel that is kept, then install that; uv does all of it at once."""
    beside = steps.needed(machine, row.run_needs, "install what it needs")
    title = f"compile {row.package} {version} for {', '.join(build.cuda_archs)}"
    own = _by_uv if steps.uses_uv(machine) else _by_pip
    after = one_folder.again(machine, row.package)
    return (*beside, *own(machine, row.package, version, build, title), *after)


def _by_uv(machine: Machine, package: str, version: str, build: Build, title: str) -> tuple[Step, ...]:
    # to install again what is there, uv would unpack the sources anew and lose the objects: it goes first
    gone = Step(
        id="remove",
        title=f"remove the {package} that is there",
        kind="install",
        command=(*steps.installer(machine, "uninstall"), package),
    )
    command = (
        *steps.installer(machine),
        *("--cache-dir", steps.path(machine, BUILDS, build_name(machine, package, version, build))),
        *("--no-deps", "--no-build-isolation", "--no-binary", package),
        f"{package}=={version}",
    )
    compiled = Step(id="build", title=title, kind="build", command=command, env=build.env)
    return (*((gone,) if package in machine.packages else ()), compiled)


def _by_pip(machine: Machine, package: str, version: str, build: Build, title: str) -> tuple[Step, ...]:
    requirement = f"{package}=={version}"
    archives = steps.path(machine, SOURCES, f"{package}-{version}")
    sources = steps.path(machine, BUILDS, build_name(machine, package, version, build))
    wheels = steps.path(machine, WHEELS, wheel_name(machine, package, version, build))
    again = ("--force-reinstall",) if package in machine.packages else ()
    plain = ("--no-deps", "--no-build-isolation")
    fetched = (*steps.installer(machine, "download"), *plain, "--no-binary", package, "--dest", archives, requirement)
    # -v: what the compiler prints is in the log while it runs; without PEP 517 an old pip would clean after a failure
    compiled = (*steps.installer(machine, "wheel"), "-v", "--no-cache-dir", *plain, "--use-pep517")
    return (
        # it runs setup.py for the metadata, which looks for the toolkit
        Step(id="sources", title=f"fetch its sources: {requirement}", kind="fetch", command=fetched, env=build.env),
        Step(
            id="unpack",
            title="unpack them where the build takes place",
            kind="write",
            command=(steps.python(machine), "-c", steps.program(machine, UNPACK), archives, sources),
        ),
        Step(id="build", title=title, kind="build", command=(*compiled, "--wheel-dir", wheels, sources), env=build.env),
        steps.install(
            machine, "install what was compiled", *again, "--no-deps", "--no-index", "--find-links", wheels, requirement
        ),
    )


def wheel_name(machine: Machine, package: str, version: str, build: Build) -> str:
    """All that a wheel fits, in words: the folder of that name holds no other."""
    torch, libc = machine.torch, machine.libc
    fits = [f"{package}-{version}", machine.python.tag if machine.python else "", f"{machine.os}_{machine.arch}"]
    if libc:
        fits.append(f"{libc.family}{libc.version}")
    if torch:
        fits += [f"torch{torch.version}", f"cu{torch.cuda}", f"abi{_said(torch.cxx11abi)}"]
    fits.append(f"sm{'-'.join(build.cuda_archs)}")
    return re.sub(r"[^\w.+-]", "_", "-".join(one for one in fits if one))


def build_name(machine: Machine, package: str, version: str, build: Build) -> str:
    """The same, and all that objects depend on besides: two that differ never share a folder."""
    toolkits = machine.toolkits.found if machine.toolkits else ()
    toolkit = next((one.version for one in toolkits if one.root == build.toolkit), None)
    compiler = f"{machine.compiler.family} {machine.compiler.version}" if machine.compiler else ""
    settings = (
        wheel_name(machine, package, version, build),
        steps.python(machine),
        f"{build.toolkit} {toolkit}",
        compiler,
        f"{build.nvcc_threads}",
    )
    return f"{package}-{version}-{sha256(chr(10).join(settings).encode()).hexdigest()[:8]}"


def _said(known: bool | None) -> str:
    return {True: "1", False: "0", None: "unknown"}[known]
