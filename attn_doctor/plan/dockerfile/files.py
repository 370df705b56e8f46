"""Published files that a Dockerfile names, against what is in the image; and the file that would fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import major_minor
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import Installation, decoded, last_part, normalise
from attn_doctor.plan.dockerfile.stages import Event, Stage
from attn_doctor.plan.dockerfile.torches import Torch, torch_cuda, torch_version
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel
from attn_doctor.wheels.resolve import Key, fitting
from attn_doctor.wheels.search import COMPARISONS, Aspect, Filters

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

PACKAGES = ("flash-attn", "flash-attn-3", "xformers", "sageattention")
WHEEL = r"(?a)(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-]+)-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
BUILT = r"(?ai)\+?(?:cu(?P<cuda>\d{2,3}))?(?:torch(?P<torch>\d+\.\d+(?:\.\d+)?))?(?:cxx11abi(?P<abi>TRUE|FALSE))?"


def wheels(event: Event, inst: Installation, machine: Machine) -> Iterator[Finding]:
    """Published files that are named by URL or path, against what is in the image."""
    torch = torch_of(event, inst)
    for one in inst.requirements:
        wheel = published(one.url) if one.url and (one.file or "").endswith(".whl") else None
        if wheel is None or wheel.package not in PACKAGES:
            continue
        differs = list(_differences(wheel, event, inst, machine))
        if differs:
            said = f"{wheel.filename} does not fit: {'; '.join(differs)}."
            yield Finding("wheel-does-not-fit", event.line, said, fitting_file(event.stage, torch, inst, wheel.package))


def _differences(wheel: Wheel, event: Event, inst: Installation, machine: Machine) -> Iterator[str]:
    stage = event.stage
    torch = torch_of(event, inst)
    python = inst.python or stage.python
    compare: list[Aspect] = ["platform"]
    compare += ["python"] if python else []
    compare += ["libc"] if stage.glibc else []
    compare += ["gpu"] if machine.nvidia else []
    compare += ["torch"] if torch and torch.version and wheel.torch else []
    compare += ["cuda"] if torch and torch.cuda is not None and wheel.cuda else []
    have = torch or Torch(None, None, event.line)
    filters = Filters(package=wheel.package, key=_key(stage, have, python or "", machine.capabilities))
    texts = [text for aspect in compare if (text := COMPARISONS[aspect][1](wheel, filters))]
    if not texts and {"torch", "cuda"} <= set(compare) and filters.key.cxx11abi is not None:
        abi = COMPARISONS["abi"][1](wheel, filters)
        texts = [abi] if abi else []
    yield from texts


def published(url: str) -> Wheel | None:
    """The file of the catalogue, else what its name says; None for a name of another kind."""
    filename = last_part(url)
    found = re.fullmatch(WHEEL, filename)
    if found is None:
        return None
    package = normalise(found["name"])
    built = next((match for match in re.finditer(BUILT, found["version"].partition("+")[2]) if match[0]), None)
    torch = built["torch"] if built else None
    listed = catalogue.wheels(package, major_minor(torch) if torch else None)
    same = [wheel for wheel in listed if wheel.filename == filename]
    # an index may carry several builds under one name: then only the address tells which it is
    here = [wheel for wheel in same if wheel.url and decoded(wheel.url) == decoded(url.partition("#")[0])]
    if here or len({(wheel.cuda, wheel.torch) for wheel in same}) == 1:
        return (here or same)[0]
    return _by_its_name(filename, package, found, built)


def _by_its_name(filename: str, package: str, found: re.Match[str], built: re.Match[str] | None) -> Wheel:
    return Wheel(
        package=package,
        version=found["version"].partition("+")[0],
        filename=filename,
        python_tag=found["python"],
        abi_tag=found["abi"],
        platform=found["platform"],
        cuda=f"cu{built['cuda']}" if built and built["cuda"] else None,
        torch=built["torch"] if built else None,
        cxx11abi=built["abi"].upper() == "TRUE" if built and built["abi"] else None,
        source="",
        tag=None,
        trust="community",
        url=None,
        sha256=None,
        evidence="",
        confidence=None,
        needs_glibc=None,
        gpu_code=None,
        as_of="",
    )


def fitting_file(stage: Stage, torch: Torch | None, inst: Installation, package: str) -> tuple[str, ...]:
    """The published file that fits what is there, where enough of that is known."""
    python = inst.python or stage.python
    if not (torch and torch.version and torch.cuda and python):
        return ()
    found = [wheel for wheel in fitting(package, _key(stage, torch, python, ())) if wheel.url]
    return (f'pip install --no-deps "{package} @ {(found[0].url or "").replace("+", "%2B")}"',) if found else ()


def torch_of(event: Event, inst: Installation) -> Torch | None:
    """The torch that a package is installed beside: the one that is there, else that of the same command."""
    wanted = inst.wanted("torch")
    if event.stage.torch or wanted is None:
        return event.stage.torch
    return Torch(torch_version(wanted), torch_cuda(inst, event.stage.arch), event.line)


def _key(stage: Stage, torch: Torch, python: str, gpus: tuple[str, ...]) -> Key:
    return Key(
        os="linux",
        arch=stage.arch,
        libc=f"glibc-{stage.glibc}" if stage.glibc else None,
        python=python,
        torch=torch.version,
        torch_cuda=torch.cuda or None,
        torch_release=True,
        cxx11abi=torch_builds.cxx11abi(torch.version, torch.cuda, "linux", stage.arch) if torch.version else None,
        capabilities=gpus,
    )
