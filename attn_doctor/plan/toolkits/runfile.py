"""NVIDIA's whole toolkit from its runfile, unpacked into a folder; no root, and gigabytes."""

from __future__ import annotations

from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import toolkit_packages
from attn_doctor.knowledge.toolkit_packages import File
from attn_doctor.plan.plan import Step
from attn_doctor.plan.toolkits import _way
from attn_doctor.plan.toolkits._way import ToolkitWay

BY_A_PERSON = "running it accepts NVIDIA's licence, which only you can do"


def way(machine: Machine, cuda: str, folder: str) -> ToolkitWay | None:
    row = toolkit_packages.runfile(cuda, machine.arch)
    if row is None:
        return _unlisted(machine, cuda, folder)
    file = row.files[machine.arch]
    home = f"{folder}/toolkit"
    env = {"CUDA_HOME": home}
    url = f"{toolkit_packages.table().downloads}/{row.release}/local_installers/{file.name}"
    return ToolkitWay(
        name="runfile",
        title=f"CUDA {row.release} from NVIDIA's runfile",
        cuda=cuda,
        home=home,
        steps=(
            _folder(folder),
            _fetch(url, f"{folder}/{file.name}", row.release),
            *_digest(file, folder),
            _unpack(folder, home, file),
            _tidy(folder, file),
        ),
        env=env,
        check=_way.check(machine, home, cuda, env),
        possible=False,
        download_bytes=file.bytes,
        why=(
            "no root, and the whole toolkit with every library; the driver is not touched (--toolkit)",
            "the installer needs libxml2, and writes /tmp/cuda-installer.log: a log of somebody else there stops it",
            *_way.no_wheels(cuda),
        ),
        obstacles=(BY_A_PERSON, *_way.no_room(machine, folder, file.bytes)),
    )


def _folder(folder: str) -> Step:
    return Step(
        id="toolkit-folder",
        title=f"make {folder}",
        kind="toolkit",
        command=("mkdir", "-p", f"{folder}/unpacking"),
        undo=_way.remove(folder),
    )


def _fetch(url: str, saved: str, release: str) -> Step:
    command = ("curl", "--fail", "--location", "--output", saved, url)
    return Step(id="toolkit-fetch", title=f"download the runfile of CUDA {release}", kind="fetch", command=command)


def _digest(file: File, folder: str) -> tuple[Step, ...]:
    if file.sha256 is None:
        return ()
    line = 'echo "$1  $2" | sha256sum -c -'
    command = ("sh", "-c", line, "sh", file.sha256, f"{folder}/{file.name}")
    return (Step(id="toolkit-digest", title="check its sha256", kind="check", command=command),)


def _unpack(folder: str, home: str, file: File) -> Step:
    # --defaultroot: what would go outside the toolkit's folder; --override: its check of the host compiler
    options = ("--silent", "--toolkit", f"--toolkitpath={home}", f"--defaultroot={folder}/root", "--override")
    return Step(
        id="toolkit",
        title=f"unpack the toolkit into {home}, and no driver",
        kind="toolkit",
        command=("sh", f"{folder}/{file.name}", *options, "--no-man-page", f"--tmpdir={folder}/unpacking"),
    )


def _tidy(folder: str, file: File) -> Step:
    command = ("rm", "-rf", f"{folder}/{file.name}", f"{folder}/unpacking")
    return Step(id="toolkit-tidy", title="remove the runfile", kind="toolkit", command=command)


def _unlisted(machine: Machine, cuda: str, folder: str) -> ToolkitWay:
    """Where the name of the file is not known, the page that has it is named, and no name is made up."""
    home = f"{folder}/toolkit"
    env = {"CUDA_HOME": home}
    options = f"--silent --toolkit --toolkitpath={home} --defaultroot={folder}/root --override"
    title = f"download the runfile of CUDA {cuda} from NVIDIA's CUDA Toolkit Archive, and run it with {options}"
    return ToolkitWay(
        name="runfile",
        title=f"CUDA {cuda} from NVIDIA's runfile",
        cuda=cuda,
        home=home,
        steps=(Step(id="toolkit", title=title, kind="toolkit", command=(), undo=_way.remove(folder)),),
        env=env,
        check=_way.check(machine, home, cuda, env),
        possible=False,
        why=("no root; the driver is not touched (--toolkit)",),
        obstacles=(BY_A_PERSON, f"attn-doctor does not know the name of the file for CUDA {cuda}"),
    )
