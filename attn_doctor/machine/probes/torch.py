"""torch as it is installed: version, CUDA or ROCm build, C++ ABI, architectures; read from files, never imported."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import local, numbers, public
from attn_doctor.machine.facts import Absent, Known, Reading, Unknown
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Edit, Probe, WhatIf
from attn_doctor.machine.probes.packages import Package
from attn_doctor.machine.probes.system import System
from attn_doctor.machine.target import Distribution, Target, distributions

METADATA = ("METADATA", "PKG-INFO")
STATED = ("__version__", "cuda", "hip", "rocm", "xpu", "git_version")
CMAKE = "share/cmake/Torch/TorchConfig.cmake"
LIBRARY = "lib/libtorch_cuda.so"
LONGEST_NAME = 40  # of an installer


class TorchDist(msgspec.Struct, frozen=True):
    """An installed torch. `cuda` and `rocm` are both None for a CPU (or Apple) build."""

    version: str
    cuda: str | None = None
    rocm: str | None = None
    xpu: str | None = None
    cxx11abi: bool | None = None  # None: not established
    arch_list: tuple[str, ...] | None = None  # GPU code it carries, as sm_80 or compute_90; None: not established
    arch_source: str | None = None
    requires_python: str | None = None
    location: str | None = None
    installer: str | None = None  # pip, uv, conda, as its metadata says
    missing: tuple[str, ...] = ()  # recorded files without which it cannot be imported
    records: tuple[str, ...] = ()  # the names of the metadata folders beside it

    @property
    def released(self) -> bool:
        """False for nightlies, source builds and vendor containers: no prebuilt extension fits those."""
        known_local = (local(self.version) or "cpu").startswith(("cu", "cpu", "rocm", "xpu"))
        return known_local and not re.search(r"a\d|b\d|rc\d|\.?dev", public(self.version))

    @property
    def cpu_only(self) -> bool:
        """No GPU runtime of any maker inside."""
        return self.cuda is None and self.rocm is None and self.xpu is None


def parse_version_py(text: str) -> dict[str, str | None]:
    """The assignments of torch/version.py: __version__, cuda, hip, xpu, git_version; None where it says None."""
    pattern = r"^(\w+)\s*(?::[^=\n]*)?=\s*(?:(['\"])([^'\"\n]*)\2|None)[ \t\r]*(?:#.*)?$"
    return {match[1]: match[3] for match in re.finditer(pattern, text, re.MULTILINE) if match[1] in STATED}


def parse_abi(text: str) -> bool | None:
    """The C++ ABI that TorchConfig.cmake passes on to extensions."""
    match = re.search(r"_GLIBCXX_USE_CXX11_ABI=([01])", text)
    return match[1] == "1" if match else None


def parse_requires_python(metadata: str) -> str | None:
    """Requires-Python of a METADATA file's header."""
    header = metadata.partition("\n\n")[0]
    return next(
        (line.partition(":")[2].strip() for line in header.splitlines() if line.startswith("Requires-Python:")), None
    )


def described(version: str, cuda: str | None, system: System, **fields: object) -> TorchDist:
    """A torch with what the tables know of that build."""
    arches = torch_builds.arch_list(version, cuda, system.os, system.arch) if cuda else None
    base = TorchDist(
        version,
        cuda,
        cxx11abi=torch_builds.cxx11abi(version, cuda, system.os, system.arch),
        arch_list=arches[0] if arches else None,
        arch_source=arches[1] if arches else None,
    )
    return msgspec.structs.replace(base, **{name: value for name, value in fields.items() if value is not None})


def read(host: Host, target: Target) -> Reading[TorchDist]:
    sites = [site for site in target.site_packages if host.is_file(join(site, "torch/version.py"))]
    installed = distributions(host, target).get("torch")
    if not sites and installed and (lost := missing(host, installed, join(installed.site, "torch"))):
        return _from_record(host, installed, lost)
    if not sites:
        _look_into_torch(host, target)
        return Absent(target.site_packages)
    folder = join(sites[0], "torch")
    text = host.read_text(join(folder, "version.py")) or ""
    stated = parse_version_py(text)
    version = stated.get("__version__")  # without one torch cannot be imported, whatever its metadata says
    if not version or not numbers(version):
        return Unknown(f"no version in {join(folder, 'version.py')}: {text[:80]!r}")
    os, arch, _ = host.system()
    installer = _installer(host, installed)
    rocm = stated.get("hip")
    found = described(
        version,
        stated.get("cuda"),
        System(os, arch),
        rocm=".".join(rocm.split(".")[:2]) if rocm else None,
        xpu=stated.get("xpu"),
        cxx11abi=parse_abi(_text(host, join(folder, CMAKE))),
        requires_python=_requires_python(host, installed),
        location=folder,
        installer=installer or None,
        records=_records(host, sites[0]),
        missing=missing(host, installed, folder) if installed else (),
    )
    if installer == "conda":
        # its builds choose their own architectures, and always the new ABI (conda-forge's compilers)
        found = msgspec.structs.replace(found, arch_list=None, arch_source=None, cxx11abi=os == "linux" or None)
    if found.cuda and found.arch_list is None and os == "linux":
        arches, path = read_arches(host, join(folder, LIBRARY), join(target.prefix, LIBRARY))
        found = msgspec.structs.replace(found, arch_list=arches, arch_source=path)
    return Known(found, source=join(folder, "version.py"))


# without these torch is not imported; they stand in the RECORD of every wheel from 1.13 to 2.15
ESSENTIAL = ("torch/__init__.py", "torch/version.py", "torch/nn/__init__.py")
EXTENSION = "torch/_C."


def missing(host: Host, installed: Distribution, folder: str) -> tuple[str, ...]:
    """Essential files that the installation recorded and that are gone. Silent where there is no record to go by."""
    lost = [name for name in ESSENTIAL if not host.is_file(join(folder, name.removeprefix("torch/")))]
    if not any(name.startswith("_C.") for name in host.list_dir(folder)):
        lost.append(EXTENSION)
    record = _text(host, join(installed.metadata, "RECORD")) if lost else ""
    recorded = [name for name in lost if record.startswith(name) or f"\n{name}" in record]
    return tuple("the compiled torch/_C" if name == EXTENSION else name for name in recorded)


def _from_record(host: Host, installed: Distribution, lost: tuple[str, ...]) -> Reading[TorchDist]:
    """A torch whose version.py is among what is gone: its metadata still says which it was."""
    os, arch, _ = host.system()
    variant = parse_variant(installed.version)
    cuda = variant[1] if variant and variant[0] == "cuda" else None
    if variant is None:
        cuda = torch_builds.default_cuda(installed.version, os, arch)
    location = join(installed.site, "torch")
    found = described(installed.version, cuda, System(os, arch), location=location, missing=lost)
    return Known(found, source=installed.metadata)


def read_arches(host: Host, *places: str) -> tuple[tuple[str, ...] | None, str | None]:
    """The architectures that a torch of no table was built for, from its own GPU code, and the file that holds it."""
    from attn_doctor.machine.binaries import fatbin
    from attn_doctor.machine.binaries.elf import Elf, NotReadable

    path = next((place for place in places if host.is_file(place)), None)
    try:
        data = host.open_binary(path) if path else None
        code = fatbin.read_once(host, path, Elf(data)) if path and data else None
    except (NotReadable, CannotLook):
        return None, None
    return (fatbin.supported(code), path) if code else (None, None)


def _look_into_torch(host: Host, target: Target) -> None:
    """Raise CannotLook where a torch is listed whose folder refuses to be looked into: it is not absent then."""
    for site in target.site_packages:
        if "torch" in host.list_dir(site):
            host.list_dir(join(site, "torch"))


def _text(host: Host, path: str) -> str:
    """What only adds to the picture: one unreadable file must not hide that torch is there."""
    try:
        return host.read_text(path) or ""
    except CannotLook:
        return ""


def _installer(host: Host, installed: Distribution | None) -> str:
    return _text(host, join(installed.metadata, "INSTALLER")).strip()[:LONGEST_NAME] if installed else ""


def _records(host: Host, site: str) -> tuple[str, ...]:
    """The metadata folders of torch in this site; of several only those that hold metadata count."""
    found = [
        entry
        for entry in host.list_dir(site)
        if entry.startswith("torch-") and entry[6:7].isdigit() and entry.endswith((".dist-info", ".egg-info"))
    ]
    if len(found) > 1:
        found = [entry for entry in found if any(host.is_file(join(site, entry, name)) for name in METADATA)]
    return tuple(found)


def _requires_python(host: Host, installed: Distribution | None) -> str | None:
    return parse_requires_python(_text(host, join(installed.metadata, "METADATA"))) if installed else None


def _system(edit: Edit) -> System:
    reading = edit.readings.get("system")
    return reading.value if isinstance(reading, Known) else System("linux", "x86_64")


def parse_variant(version: str) -> tuple[str, str | None] | None:
    """('cuda', '11.8') from '2.7.1+cu118', ('rocm', '6.4') from '+rocm6.4', ('cpu', None); None without one."""
    build = local(version)
    if build is None:
        return None
    match = re.fullmatch(r"cu(\d+)(\d)(?:[._-].*)?", build)
    if match:
        return "cuda", f"{match[1]}.{match[2]}"
    if build.startswith("rocm") and build[4:5].isdigit():
        return "rocm", build[4:]
    if build.startswith("xpu"):
        return "xpu", None
    from attn_doctor.knowledge.vendor_torch import cuda_of  # only where nothing else says it

    vendor = cuda_of(version)
    return ("cuda", vendor) if vendor else ("cpu", None)


def _torch(edit: Edit, _key: str, value: str) -> None:
    if value == "none":
        edit.readings["torch"] = Absent(("what-if",))
        return
    if not re.fullmatch(r"\d+(\.\d+)+([a-z]+\d*|\.(post|dev)\d+)*(\+[a-z0-9]+([._-][a-z0-9]+)*)?", value):
        raise ValueError
    system = _system(edit)
    variant = parse_variant(value)
    cuda = rocm = xpu = None
    if variant is None:
        # one newer than the table is taken to carry what the newest of it carries
        newer = numbers(value) > numbers(torch_builds.newest())
        cuda = torch_builds.default_cuda(torch_builds.newest() if newer else value, system.os, system.arch)
    elif variant[0] == "cuda":
        cuda = variant[1]
    elif variant[0] == "rocm":
        rocm = variant[1]
    elif variant[0] == "xpu":
        xpu = "unknown"
    _store(edit, described(value, cuda, system, rocm=rocm, xpu=xpu))


def _store(edit: Edit, torch: TorchDist) -> None:
    edit.readings["torch"] = Known(torch, source="what-if")
    if (torch.cuda or torch.rocm) and _system(edit).os == "linux":
        _bring_triton(edit, torch.version, "pytorch-triton-rocm" if torch.rocm else "triton")


def _bring_triton(edit: Edit, version: str, name: str) -> None:
    """Torch's CUDA wheels for Linux demand their Triton: whoever installs one has it."""
    pins = torch_builds.pins(version)
    triton = (pins and pins.triton) or torch_builds.triton_of_minor(version)
    packages = edit.readings.get("packages")
    if triton and isinstance(packages, Known):
        listed = packages.value | {name: Package(triton)}
        edit.readings["packages"] = Known(dict(sorted(listed.items())), source="what-if")


def _existing(edit: Edit) -> TorchDist:
    reading = edit.readings.get("torch")
    if not isinstance(reading, Known):
        raise ValueError("a torch that it speaks of")  # noqa: TRY004 - a wrong call, not a wrong type
    return reading.value  # type: ignore[no-any-return]


def _torch_cuda(edit: Edit, _key: str, value: str) -> None:
    if value != "none" and not re.fullmatch(r"\d+\.\d+", value):
        raise ValueError
    old, system = _existing(edit), _system(edit)
    cuda = None if value == "none" else value
    # what was read or wished stays; what came from the table comes from it again
    shipped = torch_builds.cxx11abi(old.version, old.cuda, system.os, system.arch)
    abi = old.cxx11abi if old.cxx11abi != shipped else None
    kept = described(
        old.version, cuda, system, cxx11abi=abi, location=old.location, requires_python=old.requires_python
    )
    _store(edit, kept)


def _abi(edit: Edit, _key: str, value: str) -> None:
    if value not in ("true", "false"):
        raise ValueError
    changed = msgspec.structs.replace(_existing(edit), cxx11abi=value == "true")
    edit.readings["torch"] = Known(changed, source="what-if")


PROBE = Probe(
    "torch",
    TorchDist,
    read,
    what_if=(
        WhatIf("torch", "a version such as 2.7.1+cu118 or 2.13.0+cpu, or none", _torch, rank=2),
        WhatIf("torch_cuda", "a CUDA version such as 13.0, or none; it speaks of a torch", _torch_cuda, rank=3),
        WhatIf("cxx11abi", "true or false; it speaks of a torch", _abi, rank=4),
    ),
)
