"""A source build of flash-attn in a Dockerfile: what stands against it, and the published file that spares it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.judgement import source_build
from attn_doctor.knowledge import attention, images
from attn_doctor.knowledge.attention import SourceBuild
from attn_doctor.knowledge.capability import capability
from attn_doctor.knowledge.versions import major, major_minor, numbers
from attn_doctor.plan.dockerfile import fetched
from attn_doctor.plan.dockerfile.base_image import image_fault
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.fetched import PACKAGE
from attn_doctor.plan.dockerfile.files import fitting_file
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.jobs import jobs
from attn_doctor.plan.dockerfile.pip import Installation, Requirement, is_file
from attn_doctor.plan.dockerfile.torch_line import first, runs
from attn_doctor.plan.dockerfile.torches import INDEX_VARIANT, Torch
from attn_doctor.wheels.catalogue import version_key

NO_ISOLATION = ("PIP_NO_BUILD_ISOLATION", "UV_NO_BUILD_ISOLATION")
OWN_STAGE = "# in a stage of its own, which runs on no GPU; copy what it builds:"
ELSE_COMPILE = "# or compile it, on an image with the nvcc for this torch:"


def build(case: Case) -> Iterator[Finding]:
    """What stands against a source build of flash-attn."""
    wanted = case.inst.wanted(PACKAGE)
    if wanted is None or not _compiles(case.inst, wanted):
        return
    found = tuple(_obstacles(case, wanted))
    # a line has one fix: what takes the place of the command needs no isolation switched off
    replaced = any(line.startswith(case.pip) for one in found for line in one.fix)
    yield from _order(case, wanted, replaced=replaced)
    yield from found


def _order(case: Case, wanted: Requirement, *, replaced: bool) -> Iterator[Finding]:
    """Whether the set-up finds torch when it runs."""
    if not _without_isolation(case.inst):
        said = "flash-attn's set-up imports torch, and pip runs it in an environment of its own, which has none."
        again = f"{case.pip} --no-build-isolation {_written(wanted)}"
        yield Finding("build-isolation", case.line, said, () if replaced else (again,))
    elif case.stage.torch is None and case.inst.wanted("torch"):
        said = "flash-attn's set-up imports torch, which the same command is only about to install: torch goes first."
        yield Finding("torch-not-there-yet", case.line, said)


def _written(wanted: Requirement) -> str:
    """As it stands in the file, in quotes where a shell would take it apart."""
    text = f"{wanted.name} @ {wanted.url}" if wanted.url else f"{wanted.name}{wanted.specifier}"
    return f'"{text}"' if re.search(r"[\s<>!~;]", text) else text


def _obstacles(case: Case, wanted: Requirement) -> Iterator[Finding]:
    stage, torch = case.stage, case.torch
    if stage.has_nvcc is False:
        yield _no_nvcc(case, wanted)
    elif torch and torch.cuda == "":
        said = f"flash-attn needs a CUDA build of torch; line {torch.line} installs another."
        yield Finding("torch-without-cuda", case.line, said)
    elif stage.nvcc and torch and torch.cuda and major(stage.nvcc) != major(torch.cuda):
        yield _other_major(case, wanted, stage.nvcc, torch)
    elif files := fetched.asked_for(case, wanted.exact):
        yield from fetched.problems(case, wanted, files)
    else:
        yield from _compiling(case, wanted)


def _compiling(case: Case, wanted: Requirement) -> Iterator[Finding]:
    """Nothing is fetched: the compiler runs."""
    row = attention.source_build(PACKAGE, "2")
    version, torch = wanted.exact or row.version, case.torch
    if torch and (why := _refused(wanted, torch)):
        said = f"flash-attn {version} does not compile against torch {torch.version}: {why}."
        fix = fitting_file(case, PACKAGE, wanted.exact)
        yield Finding("source-against-torch", case.line, said + ("" if fix else _take_older(case, row)), fix)
        return
    yield from _old_nvcc(case, wanted, row)
    yield from jobs(case, version)


def _old_nvcc(case: Case, wanted: Requirement, row: SourceBuild) -> Iterator[Finding]:
    """The compiler makes no code for a GPU of this machine."""
    nvcc, gpus = case.stage.nvcc, case.machine.capabilities
    able = tuple(on for on in gpus if capability(on)[0] in row.majors)
    least = source_build.least_nvcc(row, able)
    if not able or nvcc is None or numbers(nvcc) >= numbers(least):
        return
    said = (
        f"nvcc {major_minor(nvcc)} makes no code for compute capability {', '.join(able)}: the first that does is "
        f"{least}."
    )
    torch = case.mended
    newer = torch is not None and torch.cuda is not None and numbers(torch.cuda) >= numbers(least)
    yield Finding("nvcc-too-old-for-gpu", case.line, said, _file_or_devel(case, wanted) if newer else ())


def _take_older(case: Case, row: SourceBuild) -> str:
    """Where no file fits and none can be made."""
    if said := first(case):
        return said
    return f" No published file is known to fit either: take a torch before {row.max_torch_excluded}."


def _refused(wanted: Requirement, torch: Torch) -> str | None:
    """Why no release up to the newest that is known compiles against that torch."""
    row = attention.source_build(PACKAGE, "2")
    known = wanted.url is None and version_key(wanted.exact or row.version) <= version_key(row.version)
    too_new = torch.version is not None and numbers(torch.version)[:2] >= numbers(row.max_torch_excluded)
    return row.why_max if known and too_new else None


def _compiles(inst: Installation, wanted: Requirement) -> bool:
    """Whether pip gets a source; False too where an unknown index or folder may hold a wheel."""
    if is_file(wanted):
        return False
    places = [url for option in ("--index-url", "--extra-index-url") for url in inst.options.get(option, ())]
    if inst.has("--find-links", "--only-binary") or any(not re.search(INDEX_VARIANT, url) for url in places):
        return False
    return inst.env.get("FLASH_ATTENTION_SKIP_CUDA_BUILD") != "TRUE"


def _without_isolation(inst: Installation) -> bool:
    named = inst.options.get("--no-build-isolation-package", ())
    return inst.has("--no-build-isolation") or any(inst.env.get(name) for name in NO_ISOLATION) or bool(named)


def _no_nvcc(case: Case, wanted: Requirement) -> Finding:
    stage, torch = case.stage, case.mended
    said = (
        f"flash-attn is compiled here, and {stage.image.reference} has no nvcc: only images called devel have. Its "
        "set-up asks for nvcc even where it then fetches a file."
    )
    has = stage.image.cuda
    if has and torch and torch.cuda and major(has) != major(torch.cuda):
        have = major_minor(has)
        said += f" {have}-devel would fail as well: nvcc {have} against torch's {torch.cuda} is another major."
    fix = _file_or_devel(case, wanted)
    if not fix and torch and (why := _refused(wanted, torch)):
        said += f" A compiler would not help: flash-attn does not compile against torch {torch.version} ({why})."
        said += _take_older(case, attention.source_build(PACKAGE, "2"))
    elif not fix:
        said += first(case)
    return Finding("no-nvcc", case.line, said, fix)


def _other_major(case: Case, wanted: Requirement, nvcc: str, torch: Torch) -> Finding:
    said = (
        f"flash-attn is compiled with nvcc {major_minor(nvcc)} against torch of CUDA {torch.cuda} (line {torch.line}): "
        "another major, which torch's build refuses."
    )
    mended = case.mended
    if mended and mended.cuda and major(mended.cuda) == major(nvcc):
        said += f" The torch that line {torch.line} should have instead goes with this nvcc."
        return Finding("toolkit-major", case.line, said)
    said += f" Take an image of CUDA {major(torch.cuda or '')}, or a torch of CUDA {major(nvcc)}."
    return Finding("toolkit-major", case.line, said, _file_or_devel(case, wanted))


def _file_or_devel(case: Case, wanted: Requirement) -> tuple[str, ...]:
    """The published file, which needs no compiler; then the image that has one."""
    file, torch = fitting_file(case, PACKAGE, wanted.exact), case.mended
    compiles = torch is not None and torch.cuda and runs(torch, case) and _refused(wanted, torch) is None
    devel = _devel(case, torch, other_python=not file) if torch and compiles else None
    if devel is None:
        return file
    if image_fault(devel, devel.partition(":")[0], torch.cuda if torch else None, case.machine):
        return file or (OWN_STAGE, f"FROM {devel} AS build")
    return (*file, ELSE_COMPILE, f"FROM {devel}") if file else (f"FROM {devel}",)


def _devel(case: Case, torch: Torch, *, other_python: bool) -> str | None:
    """The image whose toolkit is of torch's CUDA: the same one with a compiler, where there is such."""
    stage, own, cuda = case.stage, case.stage.image, torch.cuda or ""
    if own.torch and own.has_nvcc is False and major(own.cuda or "") == major(cuda):
        return f"{own.reference.partition('@')[0].removesuffix('-runtime')}-devel"
    others = images.table().distributions
    names = [own.distribution] if own.distribution else []
    names += [row.name for row in others if row.python == stage.python]
    names += [row.name for row in reversed(others)] if other_python or stage.python is None else []
    tags = (images.tag(cuda, "devel", name, stage.arch) for name in names)
    return next((tag for tag in tags if tag), None)
