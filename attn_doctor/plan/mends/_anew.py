"""A new environment in place of the old one, which is kept: what was installed comes again, less the culprit."""

from __future__ import annotations

from msgspec.structs import replace

from attn_doctor.judgement import commands
from attn_doctor.judgement.view import Machine
from attn_doctor.plan import steps
from attn_doctor.plan.mends.interpreter_gone import another, runs
from attn_doctor.plan.plan import Step

# every distribution with the place that it came from: an editable project, a repository, a file, an index
LISTED = r"""import importlib.metadata as metadata, json, os, re, sys
from urllib.parse import unquote
def tidy(name):
    return re.sub("[-_.]+", "-", str(name)).lower()
def told(one):
    said = json.loads(one.read_text("direct_url.json") or "{}")
    url, path = said.get("url", ""), unquote(said.get("url", "").removeprefix("file://"))
    if said.get("dir_info", {}).get("editable"):
        return "-e " + url
    if "vcs_info" in said:
        return "%s @ %s+%s@%s" % (one.metadata["Name"], said["vcs_info"]["vcs"], url, said["vcs_info"]["commit_id"])
    if url and (path == url or os.path.exists(path)):
        return "%s @ %s" % (one.metadata["Name"], url)
    return "%s==%s" % (one.metadata["Name"], one.version)
site, *out = sys.argv[1:]
seen = {"pip", "none", *out}
for one in metadata.distributions(path=[site]):
    name = tidy(one.metadata["Name"])
    if name not in seen and one.version and (one.files is None or any(file.locate().exists() for file in one.files
                                                                     if ".dist-info" not in str(file))):
        seen.add(name)
        print(told(one))"""


def possible(machine: Machine) -> bool:
    """Whether the environment is one that can be made anew by a command."""
    python = machine.python
    made = bool(python and python.executable and python.kind in ("venv", "uv"))
    own_disk = bool(machine.mounts)  # its copies lie in it, and --clear would take them along
    return made and machine.os != "windows" and runs(machine) and not own_disk


def anew(machine: Machine, culprits: tuple[str, ...]) -> tuple[Step, ...]:
    """The steps, but for keeping the old one and verifying the new."""
    python = machine.python
    if python is None:
        return ()
    prefix = (python.real_prefix or python.prefix).rstrip("/")
    minor = ".".join(python.version.split(".")[:2])
    site = f"{prefix}/lib/python{minor}{'t' if python.free_threaded else ''}/site-packages"
    listed = steps.path(machine, "environment.txt")
    own = commands.installed_build(machine)
    index = ("--extra-index-url", own.index_url) if own and not own.on_pypi and own.index_url else ()
    return (
        Step(
            id="list",
            title="write down what is installed" + (f", less {', '.join(culprits)}" if culprits else ""),
            kind="pin",
            command=(*another(machine), "-c", LISTED, site, *culprits),
            output=listed,
        ),
        _made(machine, prefix, minor),
        steps.install(
            machine, "install all of that again, the project too", "--no-deps", "--requirement", listed, *index
        ),
    )


def _made(machine: Machine, prefix: str, minor: str) -> Step:
    borrows = any(one.location and not one.location.startswith(prefix + "/") for one in machine.packages.values())
    shared = ("--system-site-packages",) if borrows else ()
    command = (*another(machine), "-m", "venv", "--clear", *shared, prefix)
    if machine.python and machine.python.kind == "uv" and "uv" in machine.tools:
        command = ("uv", "venv", "--clear", "--python", minor, *shared, prefix)
    return Step(
        id="venv", title="make a new environment in its place; the old one is kept", kind="run", command=command
    )


def keep(machine: Machine) -> tuple[Step, ...]:
    """As every plan keeps the environment, by a Python that can run."""
    own = steps.keep(machine)
    run = another(machine)
    return tuple(replace(step, command=(*run, *step.command[1:])) for step in own)
