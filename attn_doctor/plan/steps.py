"""The steps that plans are made of, each in the words of the target's own installer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from attn_doctor.judgement import commands, torch_bonds, torch_choice
from attn_doctor.judgement.backends.triton import version as triton_version
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.machine.facts import Known
from attn_doctor.plan.plan import Step

# readings that decide what a plan does; memory and disk are looked at again when it is carried out
DECIDING = (
    *("compiler", "driver", "extensions", "gpus", "libc", "ninja", "packages"),
    *("python", "system", "toolkits", "tools", "torch"),
)
# what is handed to the target's interpreter; in double quotes only, for a shell takes it in single ones
KEEP = """\
import os, shutil, sys
here, there = sys.argv[1:]
if os.path.lexists(there):
    sys.exit(there + " is there already, the copy of an earlier run: remove it, or put it back, first")
def keep(old, new):
    os.makedirs(new)
    for one in os.scandir(old):
        if one.path == os.path.dirname(there):  # of a file system of its own the copies lie in it
            continue
        other = os.path.join(new, one.name)
        if one.is_dir(follow_symlinks=False):
            keep(one.path, other)
        elif one.is_symlink() or one.name.endswith((".pth", ".cfg", ".conf", "history")):  # written in place by some
            shutil.copy2(one.path, other, follow_symlinks=False)
            own(one.path, other)
        else:
            os.link(one.path, other)
    own(old, new)
    shutil.copystat(old, new)
def own(old, new):
    if os.name == "posix" and os.geteuid() == 0:
        os.chown(new, os.lstat(old).st_uid, os.lstat(old).st_gid, follow_symlinks=False)
try:
    keep(here, there + ".part")
    os.rename(there + ".part", there)
except OSError as error:
    sys.exit("cannot keep " + str(error.filename or here) + ": " + str(error.strerror))"""
# every distribution once, but for pip and those that are named; a name that ends in -* stands for all that begin so
PINS = r"""import importlib.metadata as metadata, re, sys
def tidy(name):
    return re.sub("[-_.]+", "-", str(name)).lower()
found = {tidy(one.metadata["Name"]): one for one in reversed([*metadata.distributions()]) if one.version}
out = {"pip", "none", *sys.argv[1:]}
if "torch" in out and "torch" in found:  # what torch demands may have to move with it
    out |= {tidy(re.match("[A-Za-z0-9._-]+", one)[0]) for one in found["torch"].requires or ()}
plain = r"(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.?(post|dev)\d+)*(\+[\w.-]+)?"
for name, one in sorted(found.items()):
    if not out & {name, name.split("-")[0] + "-*"} and re.fullmatch(plain, one.version):
        print(name + "==" + one.version)"""
DIGEST_CHECK = (
    'import hashlib, sys; found = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest(); '
    'sys.exit(None if found == sys.argv[2] else sys.argv[1] + ": sha256 is " + found + ", not " + sys.argv[2])'
)


AREA = ".attn-doctor"  # where a target that is a file system of its own holds its copies


def digest(machine: Machine) -> str:
    """Of the facts that a plan rests on: another machine, or this one changed, has another."""
    readings = {name: machine.facts.readings.get(name) for name in DECIDING}
    return sha256(msgspec.json.encode(readings, order="deterministic")).hexdigest()


def python(machine: Machine) -> str:
    """The target's interpreter; `python` on a machine that is imagined."""
    return machine.python.executable if machine.python and machine.python.executable else "python"


def program(machine: Machine, text: str) -> str:
    """A program for the target's interpreter: double quotes get lost in PowerShell, single ones end a POSIX word."""
    return text.replace('"', "'") if machine.os == "windows" else text


def of_target(machine: Machine) -> tuple[str, ...]:
    """What names the target to attn-doctor itself; nothing on a machine that is imagined."""
    return ("--python", python(machine)) if machine.python and machine.python.executable else ()


def uses_uv(machine: Machine) -> bool:
    """Whether uv installs there: the target has no pip of its own."""
    return commands.installer(machine).startswith("uv ")


def installer(machine: Machine, verb: str = "install") -> tuple[str, ...]:
    """('.venv/bin/python', '-m', 'pip', 'install') and its like."""
    if uses_uv(machine):
        return ("uv", "pip", verb, "--python", python(machine))
    return (python(machine), "-m", "pip", verb)


def folder(machine: Machine) -> str:
    """Where files are fetched to: attn-doctor's own part of the cache, else a folder beside the target."""
    cache = next((place.path for place in machine.disk if place.purpose == "cache"), None)
    if cache:
        return f"{cache}/attn-doctor/files"
    return f"{_root(machine)}.files" if _root(machine) else "attn-doctor-files"


def _root(machine: Machine) -> str:
    """The target's folder itself, whatever link leads to it."""
    target = machine.python
    return (target.real_prefix or target.prefix).rstrip("/") if target else ""


def path(machine: Machine, *names: str) -> str:
    """A path below that folder."""
    return "/".join((folder(machine), *names))


def kept(machine: Machine) -> tuple[str, str] | None:
    """What is kept aside and where: the environment; of a Python that holds more, the folder of its packages."""
    where = _root(machine)
    if machine.python and machine.python.kind == "system":
        where = _site(machine, where) or ""
    if not where:
        return None
    own = f"before-{digest(machine)[:8]}"
    return where, f"{where}/{AREA}/{own}" if where in machine.mounts else f"{where}.{own}"


def aside(here: str, there: str) -> str:
    """Where what stands in the target goes when that copy comes back."""
    failed = f"failed-{there.rpartition('-')[2]}"
    area, _, _ = there.rpartition("/")
    return f"{area}/{failed}" if _is_inside(here, there) else f"{here}.{failed}"


def _is_inside(here: str, there: str) -> bool:
    return there.startswith(f"{here}/{AREA}/")


def _site(machine: Machine, prefix: str) -> str | None:
    """Where pip writes, if the packages that are there lie there; Debian's own lie elsewhere."""
    torch = machine.torch.location if machine.torch else None
    places = [torch.replace("\\", "/").rpartition("/")[0]] if torch else []
    places += [one.location for one in machine.packages.values() if one.location]
    own = [place for place in places if place.startswith(f"{prefix}/lib/python") and place.endswith("/site-packages")]
    return own[0] if own and prefix != "/usr" else None


def keep(machine: Machine) -> tuple[Step, ...]:
    """The environment as it is now, kept beside itself in hard links: it takes no room and a second or two."""
    places = kept(machine)
    if places is None:
        return ()
    here, there = places
    return (
        Step(
            id="keep",
            title="keep the environment as it is now",
            kind="keep",
            command=(python(machine), "-c", program(machine, KEEP), here, there),
            undo=_put_back(machine.os, here, there),
        ),
    )


def _put_back(os: str, here: str, there: str) -> str:
    failed = aside(here, there)
    if os == "windows":
        now, before, gone = ("'" + one.replace("'", "''") + "'" for one in (here, there, failed))
        return f"Move-Item {now} {gone}; Move-Item {before} {now}; Remove-Item -Recurse -Force {gone}"
    now, before, gone = (shlex.quote(one) for one in (here, there, failed))
    if _is_inside(here, there):  # its own folder cannot be renamed: what is in it is moved
        out = f"find {now} -mindepth 1 -maxdepth 1 ! -name {AREA} -exec mv {{}} {gone}/ \\;"
        back = f"find {before} -mindepth 1 -maxdepth 1 -exec mv {{}} {now}/ \\;"
        return f"mkdir {gone} && {out} && {back} && rmdir {before} && rm -rf {gone}"
    return f"mv {now} {gone} && mv {before} {now} && rm -rf {gone}"


def pip_first(machine: Machine) -> tuple[Step, ...]:
    """A pip, where the target has none and no uv is at hand."""
    tools = machine.facts.readings.get("tools")
    if not isinstance(tools, Known) or not of_target(machine) or {"pip", "uv"} & machine.tools.keys():
        return ()
    command = (python(machine), "-m", "ensurepip", "--upgrade")
    return (Step(id="pip", title="bring pip into the environment", kind="install", command=command),)


def pin(machine: Machine, *but: str) -> tuple[Step, str]:
    """What is installed, as a constraint that nothing may break, less what is to move; and the file that holds it."""
    file = path(machine, "installed.txt")
    command = (python(machine), "-c", program(machine, PINS), *but)
    return Step(id="pin", title="write down what must not move", kind="pin", command=command, output=file), file


def install(machine: Machine, title: str, *arguments: str, step: str = "install") -> Step:
    """An installation into the target."""
    return Step(id=step, title=title, kind="install", command=(*installer(machine), *arguments))


def again(machine: Machine, package: str) -> str:
    """The option by which an installer does not take what is there for what is asked for."""
    return f"--reinstall-package={package}" if uses_uv(machine) else "--force-reinstall"


def needed(machine: Machine, names: Sequence[str], title: str) -> tuple[Step, ...]:
    """What a package cannot do without and is not there yet; each comes alone."""
    lacking = [name for name in names if name not in machine.packages]
    if not lacking:
        return ()
    return (install(machine, f"{title}: {', '.join(lacking)}", "--no-deps", *lacking, step="needs"),)


def torch(machine: Machine, build: Build) -> tuple[Step, ...]:
    """Another torch, and what moves with it; everything else stays where it is."""
    wanted, index = commands.torch_requirements(machine, build)
    at = (commands.index_option(machine), index) if index else ()
    title = f"install torch {build.torch}+{build.variant}"
    if not machine.packages and machine.torch is None:
        return (install(machine, title, *wanted, *at, step="torch"),)
    if torch_choice.is_installed(machine, build):
        # another file of the same version counts as installed: what it demands is there already
        return (install(machine, title, again(machine, "torch"), "--no-deps", wanted[0], *at, step="torch"),)
    pinned, file = pin(machine, "torch", *sorted(torch_bonds.moving()), "cuda-*", "nvidia-*")
    return pinned, install(machine, title, "--constraint", file, *wanted, *at, step="torch")


def triton_of(machine: Machine, torch_version: str | None = None) -> tuple[str, str] | None:
    """Name and version of the Triton that a torch (default: the installed one) demands; None where not known."""
    of = torch_version or (machine.torch.version if machine.torch else None)
    pins = torch_builds.pins(of) if of else None
    if pins is None or pins.triton is None:
        return None
    return ("triton-windows" if machine.os == "windows" else "triton"), pins.triton


def triton(machine: Machine, torch_version: str | None = None) -> tuple[Step, ...]:
    """The Triton of that torch, where there is none and torch itself brings none."""
    wanted = lacking_triton(machine, torch_version)
    if wanted is None:
        return ()
    requirement = "==".join(wanted)
    return (install(machine, f"install {requirement}", "--no-deps", requirement, step="triton"),)


def lacking_triton(machine: Machine, torch_version: str | None = None) -> tuple[str, str] | None:
    """What of it has to be installed by name: on Linux a torch that comes anew brings its own."""
    if triton_version(machine) is not None or (torch_version is not None and machine.os == "linux"):
        return None
    return triton_of(machine, torch_version)


def verify(machine: Machine, backend: str, needs: Sequence[str]) -> Step:
    """The probe is believed, not the exit status of an installer."""
    asked = tuple(part for need in needs for part in ("--need", need))
    command = (
        "attn-doctor",
        "check",
        *of_target(machine),
        "--deep",
        "--no-policy",  # it is the plan that is verified, wherever this is called
        *asked,
        "--fail-on",
        "never",
        "--require",
        backend,
    )
    return Step(id="verify", title=f"verify: load it, and judge {backend} again", kind="verify", command=command)
