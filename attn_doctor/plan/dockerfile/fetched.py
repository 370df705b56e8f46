"""What the set-up of flash-attn fetches instead of compiling: the release's file for torch, by the label torch says.

The label is not always true, and a set-up asks for nothing but a name: what comes down may not load.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.knowledge import attention, images, torch_builds
from attn_doctor.knowledge.versions import major, major_minor
from attn_doctor.plan.dockerfile import torch_line
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.files import differences, fitting_file, sure
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Requirement
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel, version_key

PACKAGE = "flash-attn"
UPSTREAM = "fa-official"


def asked_for(case: Case, version: str | None) -> tuple[Wheel, ...]:
    """The files that its set-up may find: one where everything is known, none where it compiles.

    What is not known does not count: where some file would do, nothing is said of a compiler.
    """
    env = case.inst.env
    if version is None or env.get("FLASH_ATTENTION_FORCE_BUILD") == "TRUE" or env.get("FLASH_ATTN_LOCAL_VERSION"):
        return ()
    torch = case.torch
    minor = major_minor(torch.version) if torch and torch.version else None
    cuda = other_cuda(case, version) or (major(torch.cuda) if torch and torch.cuda else None)
    tag = f"cp{case.python.replace('.', '')}" if case.python else None
    return tuple(
        wheel
        for wheel in catalogue.wheels(PACKAGE, minor)
        if wheel.version == version
        and wheel.source == UPSTREAM
        and wheel.tag == f"v{version}"
        and wheel.platform == f"linux_{case.stage.arch}"
        and cuda in (None, major(catalogue.cuda_version(wheel.cuda) or ""))
        and tag in (None, wheel.python_tag)
        and _label_of_torch(case) in (None, _label(wheel))
    )


def problems(case: Case, wanted: Requirement, files: tuple[Wheel, ...]) -> Iterator[Finding]:
    """What comes down and does not load."""
    torch, version = case.torch, wanted.exact or ""
    cuda = other_cuda(case, version)
    if cuda and torch:
        said = (
            f"flash-attn {version} asks its releases for a file of CUDA {cuda} beside torch of CUDA {torch.cuda}, and "
            f"then misses libcudart.so.{cuda}: name the file of CUDA {major(torch.cuda or '')}."
        )
        yield Finding("fetched-for-another-cuda", case.line, said, fitting_file(case, PACKAGE, version))
        return
    wrong = [differences(wheel, case) for wheel in files]
    if torch and torch.version and all(wrong):
        name = f"torch{major_minor(torch.version)}, cxx11abi{str(_label(files[0])).upper()}"
        said = (
            f"flash-attn {version} fetches the published file that is named for this torch ({name}), and what comes "
            f"down does not load: {'; '.join(wrong[0])}{_symptom(wrong[0])}."
        )
        fix = fitting_file(case, PACKAGE, version) or _older(case)
        yield Finding("fetched-does-not-load", case.line, said + ("" if fix else torch_line.first(case)), fix)


def other_cuda(case: Case, version: str) -> int | None:
    """The CUDA major of the file that an older set-up asks for, where it is not torch's."""
    row, torch = images.table().fetches, case.torch
    if not (torch and torch.cuda) or major(torch.cuda) != row.torch_cuda:
        return None
    return row.asks_for if version_key(version) < version_key(row.before) else None


def _symptom(differs: tuple[str, ...]) -> str:
    by_abi = any("C++ ABI" in text for text in differs)
    return " (undefined symbol at import)" if by_abi else ""


def _label_of_torch(case: Case) -> bool | None:
    """What the set-up puts after cxx11abi: what torch reports, unless it is made to say TRUE."""
    torch = case.torch
    if case.inst.env.get("FLASH_ATTENTION_FORCE_CXX11_ABI") == "TRUE":
        return True
    return (
        torch_builds.cxx11abi(torch.version, torch.cuda, "linux", case.stage.arch) if torch and torch.version else None
    )


def _label(wheel: Wheel) -> bool:
    return bool(wheel.cxx11abi) and not wheel.label_lies


def _older(case: Case) -> tuple[str, ...]:
    """The newest release whose own file loads, where the Python of the image is not known."""
    if case.torch is None or case.mended != case.torch or not torch_line.runs(case.torch, case):
        return ()
    for version in attention.source_build(PACKAGE, "2").archives:
        files = asked_for(case, version)
        if (
            files
            and other_cuda(case, version) is None
            and all(sure(one) and not differences(one, case) for one in files)
        ):
            return (f"{case.pip} --no-build-isolation {PACKAGE}=={version}",)
    return ()
