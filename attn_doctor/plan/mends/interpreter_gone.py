"""The environment's interpreter is a link that leads nowhere: its packages are all there, the link is made anew."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET
from msgspec.structs import replace

from attn_doctor.judgement.view import Machine
from attn_doctor.plan import steps
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Step

# the kept copy shares its files with the environment: what is written is written beside, and moved into place
RELINK = """\
import os, platform, re, sys
bin, settings = sys.argv[1:]
real = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
for name in os.listdir(bin):
    path = os.path.join(bin, name)
    if name.startswith("python") and os.path.islink(path) and not os.path.exists(path):
        os.symlink(real, path + ".new")
        os.replace(path + ".new", path)
with open(settings, encoding="utf-8") as file:
    text = file.read()
home = "home = " + os.path.dirname(real)
text = re.sub("(?m)^home *=.*$", lambda found: home, text)
text = re.sub("(?m)^executable *=.*$", lambda found: "executable = " + real, text)
text = re.sub("(?m)^(version|version_info) *=.*$", lambda found: found[1] + " = " + platform.python_version(), text)
with open(settings + ".new", "w", encoding="utf-8") as file:
    file.write(text)
os.replace(settings + ".new", settings)"""


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    python = machine.python
    if python is None or machine.os == "windows" or not runs(machine):
        return
    prefix = (python.real_prefix or python.prefix).rstrip("/")
    other = another(machine)
    minor = ".".join(python.version.split(".")[:2])
    where = f"in {other[0].rpartition('/')[0]}" if python.instead else "that is here"
    yield Part(
        cures=("AD319",),
        title=f"the link to Python {minor}",
        why="the Python that the environment was made from is gone; its packages are all there",
        steps=(
            Step(
                id="relink",
                title=f"link to the Python {minor} {where}",
                kind="run",
                command=(*other, "-c", RELINK, f"{prefix}/bin", f"{prefix}/pyvenv.cfg"),
            ),
        ),
        readings={"python": replace(python, interpreter_gone=False, instead=UNSET)},
        warnings=(f"no Python {minor} was found here: uv downloads one first",) if other[0] == "uv" else (),
    )


def runs(machine: Machine) -> bool:
    """Whether there is an interpreter that can run for the target, or uv, which brings one."""
    python = machine.python
    return bool(python and (not python.interpreter_gone or python.instead is not None or "uv" in machine.tools))


def another(machine: Machine) -> tuple[str, ...]:
    """A Python of the same version that can run: the target's own, one that was found, or one that uv brings."""
    python = machine.python
    if python is None or not python.interpreter_gone:
        return (steps.python(machine),)
    if python.instead:
        return (python.instead,)
    minor = ".".join(python.version.split(".")[:2])
    if "uv" in machine.tools and (python.instead is None or python.kind == "uv"):
        return ("uv", "run", "--no-project", "--isolated", "--python", minor, "python")
    return (f"python{minor}",)


MEND = Mend("interpreter_gone", 1, ("AD319",), parts)
