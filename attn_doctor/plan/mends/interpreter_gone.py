"""The environment's interpreter is a link that leads nowhere: its packages are all there, the link is made anew."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from attn_doctor.judgement.view import Machine
from attn_doctor.plan import steps
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Step

# the kept copy shares its files with the environment: what is written is written beside, and moved into place
RELINK = """\
import os, re, sys
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
with open(settings + ".new", "w", encoding="utf-8") as file:
    file.write(text)
os.replace(settings + ".new", settings)"""


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    python = machine.python
    if python is None or machine.os == "windows":
        return
    prefix = (python.real_prefix or python.prefix).rstrip("/")
    command = (*another(machine), "-c", RELINK, f"{prefix}/bin", f"{prefix}/pyvenv.cfg")
    minor = ".".join(python.version.split(".")[:2])
    yield Part(
        cures=("AD319",),
        title=f"the link to Python {minor}",
        why="the Python that the environment was made from is gone; its packages are all there",
        steps=(Step(id="relink", title=f"link to the Python {minor} that is here", kind="run", command=command),),
        readings={"python": replace(python, interpreter_gone=False)},
    )


def another(machine: Machine) -> tuple[str, ...]:
    """A Python of the same version that can run: the target's own, one on PATH, or one that uv knows of."""
    python = machine.python
    if python is None or not python.interpreter_gone:
        return (steps.python(machine),)
    minor = ".".join(python.version.split(".")[:2])
    if python.kind == "uv" and "uv" in machine.tools:
        return ("uv", "run", "--no-project", "--isolated", "--python", minor, "python")
    return (f"python{minor}",)


MEND = Mend("interpreter_gone", 1, ("AD319",), parts)
