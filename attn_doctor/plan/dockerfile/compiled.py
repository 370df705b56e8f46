"""A source build of flash-attn in a Dockerfile: what stands against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention, images
from attn_doctor.knowledge.versions import major, major_minor, numbers
from attn_doctor.plan.dockerfile.files import fitting_file, torch_of
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Installation, Requirement
from attn_doctor.plan.dockerfile.stages import Event, Stage
from attn_doctor.plan.dockerfile.torches import INDEX_VARIANT, Torch
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import version_key

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

PACKAGE = "flash-attn"
UPSTREAM = "fa-official"
NO_ISOLATION = ("PIP_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION")


def build(event: Event, inst: Installation, machine: Machine) -> Iterator[Finding]:
    """What stands against a source build of flash-attn."""
    wanted = inst.wanted(PACKAGE)
    if wanted is None or not _compiles(inst, wanted):
        return
    yield from _order(event, inst)
    stage, line = event.stage, event.line
    torch = torch_of(event, inst)
    if stage.has_nvcc is False:
        yield _no_nvcc(line, stage, torch)
    elif torch and torch.cuda == "":
        said = f"flash-attn needs a CUDA build of torch; line {torch.line} installs another."
        yield Finding("torch-without-cuda", line, said)
    elif stage.nvcc and torch and torch.cuda and major(stage.nvcc) != major(torch.cuda):
        yield _other_major(line, stage.nvcc, stage, torch)
    else:
        yield from _build_or_fetch(event, torch, wanted, inst, machine.capabilities)


def _order(event: Event, inst: Installation) -> Iterator[Finding]:
    """Whether the set-up finds torch when it runs."""
    if not _without_isolation(inst):
        said = "flash-attn's set-up imports torch, and pip runs it in an environment of its own, which has none."
        yield Finding("build-isolation", event.line, said, ("pip install --no-build-isolation flash-attn==...",))
    elif event.stage.torch is None and inst.wanted("torch"):
        said = "flash-attn's set-up imports torch, which the same command is only about to install: torch goes first."
        yield Finding("torch-not-there-yet", event.line, said)


def _build_or_fetch(
    event: Event, torch: Torch | None, wanted: Requirement, inst: Installation, gpus: tuple[str, ...]
) -> Iterator[Finding]:
    stage, line = event.stage, event.line
    asks_for = _asks_for(torch, wanted)
    if not _is_fetched(stage, torch, wanted, inst, asks_for):
        yield from _compiling(line, torch, wanted, inst, gpus)
    elif asks_for and torch:
        said = (
            f"flash-attn {wanted.exact} asks its releases for a file of CUDA {asks_for} beside torch of CUDA "
            f"{torch.cuda}, and then misses libcudart.so.{asks_for}: name the file of CUDA {major(torch.cuda or '')}."
        )
        yield Finding("fetched-for-another-cuda", line, said, fitting_file(stage, torch, inst, PACKAGE))


def _compiling(
    line: int, torch: Torch | None, wanted: Requirement, inst: Installation, gpus: tuple[str, ...]
) -> Iterator[Finding]:
    """Nothing is fetched: the compiler runs."""
    row = attention.source_build(PACKAGE, "2")
    version = wanted.exact or row.version
    known = wanted.url is None and version_key(version) <= version_key(row.version)
    if known and torch and torch.version and numbers(torch.version)[:2] >= numbers(row.max_torch_excluded):
        said = f"flash-attn {version} does not compile against torch {torch.version}: {row.why_max}."
        yield Finding("source-against-torch", line, said)
    elif not inst.env.get("MAX_JOBS", "").strip():
        said = (
            "flash-attn may be compiled here without MAX_JOBS: a compiler process takes up to "
            f"{row.process_peak_gib:g} GiB, one for each architecture, and the default starts too many for the memory."
        )
        archs = ";".join(source_build.architectures(row, gpus))
        narrowed = (f'ENV FLASH_ATTN_CUDA_ARCHS="{archs}"',) if archs else ()
        yield Finding("no-max-jobs", line, said, ("ARG MAX_JOBS=4", *narrowed))


def _compiles(inst: Installation, wanted: Requirement) -> bool:
    """Whether pip gets a source; False too where an unknown index or folder may hold a wheel."""
    if wanted.url is not None and wanted.url.partition("#")[0].endswith(".whl"):
        return False
    places = [url for option in ("--index-url", "--extra-index-url") for url in inst.options.get(option, ())]
    if inst.has("--find-links", "--only-binary") or any(not re.search(INDEX_VARIANT, url) for url in places):
        return False
    return inst.env.get("FLASH_ATTENTION_SKIP_CUDA_BUILD", "FALSE").upper() != "TRUE"


def _without_isolation(inst: Installation) -> bool:
    named = inst.options.get("--no-build-isolation-package", ())
    return inst.has("--no-build-isolation") or any(inst.env.get(name) for name in NO_ISOLATION) or bool(named)


def _no_nvcc(line: int, stage: Stage, torch: Torch | None) -> Finding:
    said = f"flash-attn is compiled here, and {stage.image.reference} has no nvcc: only images called devel have."
    if torch is None or not torch.cuda:
        return Finding("no-nvcc", line, said)
    has = stage.image.cuda
    if has and major(has) != major(torch.cuda):
        have = major_minor(has)
        said += f" {have}-devel would fail as well: nvcc {have} against torch's {torch.cuda} is another major."
    return Finding("no-nvcc", line, said, _devel(stage, torch))


def _other_major(line: int, nvcc: str, stage: Stage, torch: Torch) -> Finding:
    said = (
        f"flash-attn is compiled with nvcc {major_minor(nvcc)} against torch of CUDA {torch.cuda} (line {torch.line}): "
        f"another major, which torch's build refuses. Take an image of CUDA {major(torch.cuda or '')}, or a torch of "
        f"CUDA {major(nvcc)}."
    )
    return Finding("toolkit-major", line, said, _devel(stage, torch))


def _devel(stage: Stage, torch: Torch) -> tuple[str, ...]:
    """The image whose toolkit is of torch's CUDA."""
    on = stage.image.distribution or images.table().distributions[-1].name
    tag = images.tag(torch.cuda or "", "devel", on, stage.arch)
    return (f"FROM {tag}",) if tag else ()


def _is_fetched(
    stage: Stage, torch: Torch | None, wanted: Requirement, inst: Installation, asks_for: int | None
) -> bool:
    """Whether upstream has a file of that version for what is here: its set-up then takes that and compiles nothing.

    What is not known does not count: where some file would do, nothing is said of a compiler.
    """
    if wanted.exact is None or inst.env.get("FLASH_ATTENTION_FORCE_BUILD", "FALSE").upper() == "TRUE":
        return False
    minor = major_minor(torch.version) if torch and torch.version else None
    cuda = asks_for or (major(torch.cuda) if torch and torch.cuda else None)
    python = inst.python or stage.python
    tag = f"cp{python.replace('.', '')}" if python else None
    return any(
        wheel.version == wanted.exact
        and wheel.source == UPSTREAM
        and wheel.platform == f"linux_{stage.arch}"
        and cuda in (None, major(catalogue.cuda_version(wheel.cuda) or ""))
        and tag in (None, wheel.python_tag)
        for wheel in catalogue.wheels(PACKAGE, minor)
    )


def _asks_for(torch: Torch | None, wanted: Requirement) -> int | None:
    """The CUDA major of the file that an older set-up asks for, where it is not torch's."""
    row = images.table().fetches
    if not (torch and torch.cuda and wanted.exact) or major(torch.cuda) != row.torch_cuda:
        return None
    return row.asks_for if version_key(wanted.exact) < version_key(row.before) else None
