"""Coverage-guided fuzzing of everything that reads what others wrote; needs atheris. `scripts/fuzz.py --help`.

Every parser gets arbitrary bytes. It may answer, or refuse with the exception that its caller handles; anything else
(another exception, more than the time or the memory that libFuzzer allows) stops the run and keeps the input.

    python scripts/fuzz.py -max_total_time=3600 -timeout=5 -rss_limit_mb=512 corpus/
"""

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["attn_doctor"]):
    from attn_doctor.errors import AttnDoctorError
    from attn_doctor.judgement import need
    from attn_doctor.judgement.backends._package import parse_build
    from attn_doctor.judgement.check import check
    from attn_doctor.knowledge import capability, cuda, gpus, torch_builds, versions
    from attn_doctor.machine import gather, target, whatif
    from attn_doctor.machine.binaries import fatbin
    from attn_doctor.machine.binaries.elf import Elf, NotReadable
    from attn_doctor.machine.host import Completed
    from attn_doctor.machine.probes import (
        _nvidia,
        compiler,
        cpu,
        deep,
        driver,
        libc,
        memory,
        packages,
        system,
        toolkits,
        torch,
    )
    from attn_doctor.machine.probes import gpus as gpu_probe
    from attn_doctor.reporters import reporter
    from attn_doctor.wheels import resolve


def of_text(text: str) -> None:
    """Every parser of text, on the same text."""
    words = text.split("\n")
    cpu.parse_quota(words[0], words[-1])
    compiler.parse_version(text)
    deep.parse(Completed(0, text, text), "torch")
    driver.parse_proc_version(text)
    gpu_probe.parse_information(text)
    gpu_probe.parse_kfd(text)
    libc.parse_confstr(text)
    libc.parse_musl(text)
    memory.parse_meminfo(text)
    memory.cgroup_folders(text)
    packages.parse_direct_url(text)
    packages.parse_wheel_tags(text)
    packages.build_of_file(text)
    system.parse_os_release(text)
    target.normalise(text)
    toolkits.parse_cuda_h(text)
    toolkits.parse_release(text)
    toolkits.parse_version_json(text)
    torch.parse_abi(text)
    torch.parse_requires_python(text)
    torch.parse_version_py(text)
    torch.parse_variant(text)
    _nvidia.parse_nvml(_nvidia.MARKER + text)
    _nvidia.parse_smi(text)


def of_names(text: str) -> None:
    """Versions, products, architectures: every look-up of a table."""
    versions.numbers(text)
    capability.parse(text)
    parse_build(text)
    gpus.find(text)
    gpus.find_pci(text)
    gpus.vendor_of(text)
    cuda.driver_floor(text, "linux")
    cuda.cuda_of_driver(text, "windows")
    cuda.nvcc_archs(text)
    torch_builds.default_cuda(text, "linux", "x86_64")
    torch_builds.arch_list(text, text, "linux", "x86_64")
    torch_builds.cxx11abi(text, text, "linux", "x86_64")
    torch_builds.pins(text)
    key = resolve.Key(
        "linux", "x86_64", "glibc-2.35", text, text, text, torch_release=True, cxx11abi=None, capabilities=()
    )
    resolve.fitting("flash-attn", key)


def of_facts(data: bytes) -> None:
    """A document for `--facts`, through to the printed report."""
    report = check(gather.decode(data, "fuzz"), need.Need())
    for name in ("text", "json"):
        reporter(name)(report, verbose=True, elapsed_s=None, plain=True)


def of_call(text: str) -> None:
    """The arguments of simulate, --what-if and --need."""
    lines = text.split("\n")
    need.parse(lines[:2])
    whatif.simulate(lines)


def of_binary(data: bytes) -> None:
    """A shared library: every question that is asked of one, each by itself."""
    elf = Elf(data)
    for name in (
        "sections",
        "needed",
        "soname",
        "rpath",
        "runpath",
        "undefined",
        "required_versions",
        "defined_versions",
    ):
        with suppress(NotReadable):
            getattr(elf, name)
    for ask in (lambda: elf.defines("cudaMalloc"), lambda: fatbin.read(elf)):
        with suppress(NotReadable):
            ask()


def one(data: bytes) -> None:
    """One input: its first byte chooses who reads the rest."""
    if not data:
        return
    rest = data[1:]
    text = rest.decode("utf-8", "replace")
    try:
        match data[0] % 5:
            case 0:
                of_text(text)
            case 1:
                of_names(text)
            case 2:
                of_facts(rest)
            case 3:
                of_call(text)
            case _:
                of_binary(rest)
    except (AttnDoctorError, NotReadable):
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
