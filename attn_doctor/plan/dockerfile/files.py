"""Published files that a Dockerfile names, against what is in the image; and the file that would fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from attn_doctor.judgement import wheel_choice
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import major_minor
from attn_doctor.plan.dockerfile.case import Case
from attn_doctor.plan.dockerfile.finding import Finding
from attn_doctor.plan.dockerfile.pip import decoded, last_part, normalise
from attn_doctor.plan.dockerfile.torch_line import runs
from attn_doctor.plan.dockerfile.torches import Torch
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Wheel
from attn_doctor.wheels.resolve import Key
from attn_doctor.wheels.search import COMPARISONS, Aspect, Filters

PACKAGES = ("flash-attn", "flash-attn-3", "xformers", "sageattention")
WHEEL = r"(?a)(?P<name>[A-Za-z0-9_.]+)-(?P<version>[^-]+)-(?P<python>[^-]+)-(?P<abi>[^-]+)-(?P<platform>[^-]+)\.whl"
BUILT = r"(?ai)\+?(?:cu(?P<cuda>\d{2,3}))?(?:torch(?P<torch>\d+\.\d+(?:\.\d+)?))?(?:cxx11abi(?P<abi>TRUE|FALSE))?"


def wheels(case: Case) -> Iterator[Finding]:
    """Published files that are named by URL or path, against what is in the image."""
    for one in case.inst.requirements:
        wheel = published(one.url) if one.url and (one.file or "").endswith(".whl") else None
        if wheel is None or wheel.package not in PACKAGES:
            continue
        differs = differences(wheel, case)
        if differs:
            said = f"{wheel.filename} does not fit: {'; '.join(differs)}."
            yield Finding("wheel-does-not-fit", case.line, said, fitting_file(case, wheel.package, wheel.version))


def differences(wheel: Wheel, case: Case) -> tuple[str, ...]:
    """What keeps a file from loading, as far as enough is known; the C++ ABI only where nothing else does."""
    torch = case.torch
    compare: list[Aspect] = ["platform"]
    compare += ["python"] if case.python else []
    compare += ["libc"] if case.stage.glibc else []
    compare += ["gpu"] if case.machine.nvidia else []
    compare += ["torch"] if torch and torch.version and wheel.torch else []
    compare += ["cuda"] if torch and torch.cuda is not None and wheel.cuda else []
    filters = Filters(package=wheel.package, key=_key(case, torch or Torch(None, None, case.line)))
    texts = [text for aspect in compare if (text := COMPARISONS[aspect][1](wheel, filters))]
    if not texts and {"torch", "cuda"} <= set(compare) and filters.key.cxx11abi is not None:
        abi = COMPARISONS["abi"][1](wheel, filters)
        texts = [abi] if abi else []
    return tuple(texts)


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


def fitting_file(case: Case, package: str, version: str | None = None) -> tuple[str, ...]:
    """The published file that fits, where enough is known; of equally trusted ones that of the version asked for."""
    torch = case.mended
    found = fitting_wheels(case, torch, package) if torch else ()
    if torch is None or not found or not runs(torch, case):
        return ()
    best = _of_version(found, version)
    whose = (f"# built by {best.source}, not by the authors of {package}",) if best.trust != "upstream" else ()
    url = (best.url or "").replace("+", "%2B")
    return (*whose, f'{case.pip} --no-deps "{package} @ {url}"')


def _of_version(ranked: Sequence[Wheel], version: str | None) -> Wheel:
    first = ranked[0]
    return next((one for one in ranked if one.version == version and one.trust == first.trust and sure(one)), first)


def sure(wheel: Wheel) -> bool:
    """Whether it certainly exists, and was built against a torch that was released."""
    return wheel.confidence != "low" and ".dev" not in (wheel.built_with_torch or "")


def fitting_wheels(case: Case, torch: Torch, package: str) -> tuple[Wheel, ...]:
    """Every published file that fits that torch here, best first."""
    if not (torch.version and torch.cuda and case.python):
        return ()
    return tuple(wheel for wheel in wheel_choice.fitting(case.machine, package, _key(case, torch)) if wheel.url)


def _key(case: Case, torch: Torch) -> Key:
    stage = case.stage
    return Key(
        os="linux",
        arch=stage.arch,
        libc=f"glibc-{stage.glibc}" if stage.glibc else None,
        python=case.python or "",
        torch=torch.version,
        torch_cuda=torch.cuda or None,
        torch_release=True,
        cxx11abi=torch_builds.cxx11abi(torch.version, torch.cuda, "linux", stage.arch) if torch.version else None,
        capabilities=case.machine.capabilities,
    )
