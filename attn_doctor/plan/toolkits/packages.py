"""NVIDIA's package repository, with root: cuda-toolkit-12-8 and never cuda, which brings a driver."""

from __future__ import annotations

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.knowledge.toolkit_packages import Repository
from attn_doctor.plan.plan import Step
from attn_doctor.plan.toolkits import _way
from attn_doctor.plan.toolkits._way import ToolkitWay

DEBIAN_LIKE = ("Ubuntu", "Debian")


def way(machine: Machine, cuda: str, folder: str) -> ToolkitWay | None:
    row = _repository(machine)
    if row is None:
        return None
    home = f"/usr/local/cuda-{cuda}"
    env = {"CUDA_HOME": home}
    package = f"cuda-toolkit-{cuda.replace('.', '-')}"
    installed = _apt(machine, row, package, folder) if row.tool == "apt" else _dnf(machine, row, package)
    return ToolkitWay(
        name="packages",
        title=f"{package} with {row.tool}",
        cuda=cuda,
        home=home,
        steps=installed,
        env=env,
        check=_way.check(machine, home, cuda, env),
        possible=False,
        why=tuple(_why(machine, package)),
        obstacles=("it takes root, which attn-doctor does not use",),
    )


def _why(machine: Machine, package: str) -> list[str]:
    found = [
        f"{package} brings no driver (the package cuda would), and stands beside other toolkits in /usr/local",
        "the link /usr/local/cuda may lead to it afterwards",
    ]
    if machine.system and machine.system.wsl:
        found.append("in WSL the driver is the one of Windows: install none inside")
    return found


def _repository(machine: Machine) -> Repository | None:
    distribution = machine.system.distribution if machine.system else None
    if machine.system and machine.system.wsl and (not distribution or distribution.startswith(DEBIAN_LIKE)):
        return toolkit_packages.repository("WSL", machine.arch)
    return toolkit_packages.repository(distribution, machine.arch) if distribution else None


def _sudo(machine: Machine) -> tuple[str, ...]:
    """In a container one is root, and there is no sudo."""
    return () if machine.system and machine.system.container else ("sudo",)


def _url(machine: Machine, row: Repository, name: str) -> str:
    table = toolkit_packages.table()
    return f"{table.downloads}/repos/{row.name}/{table.repository_arches[machine.arch]}/{name}"


def _apt(machine: Machine, row: Repository, package: str, folder: str) -> tuple[Step, ...]:
    sudo, keyring = _sudo(machine), toolkit_packages.table().keyring
    saved = f"{folder}/{keyring}"
    fetch = ("curl", "--fail", "--location", "--create-dirs", "--output", saved, _url(machine, row, keyring))
    undo = " ".join((*sudo, "apt-get autoremove --yes", package))
    return (
        Step(
            id="toolkit-fetch",
            title="download the key of NVIDIA's repository",
            kind="fetch",
            command=fetch,
            undo=_way.remove(folder),
        ),
        _root("toolkit-repository", f"add NVIDIA's repository for {row.name}", (*sudo, "dpkg", "--install", saved)),
        _root("toolkit-listing", "read its list of packages", (*sudo, "apt-get", "update")),
        _root("toolkit", f"install {package}", (*sudo, "apt-get", "install", "--yes", package), undo),
    )


def _dnf(machine: Machine, row: Repository, package: str) -> tuple[Step, ...]:
    sudo, url = _sudo(machine), _url(machine, row, f"cuda-{row.name}.repo")
    undo = " ".join((*sudo, "dnf remove --assumeyes", package))
    add = (*sudo, "dnf", "config-manager", "--add-repo", url)
    return (
        _root("toolkit-repository", f"add NVIDIA's repository for {row.name}", add),
        _root("toolkit", f"install {package}", (*sudo, "dnf", "install", "--assumeyes", package), undo),
    )


def _root(step: str, title: str, command: tuple[str, ...], undo: str | None = None) -> Step:
    return Step(id=step, title=title, kind="toolkit", command=command, undo=undo, needs_root=True)
