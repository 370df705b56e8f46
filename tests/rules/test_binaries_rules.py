"""AD401 to AD408: they fire, keep silent on the nearest healthy machine, and say what, against what, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from attn_doctor.judgement import binaries
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.check import check
from attn_doctor.judgement.report import Finding
from attn_doctor.judgement.rule import judge, rules
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import gather, whatif
from attn_doctor.machine.facts import Absent, Known, Unknown
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.probes.extensions import Extension, Extensions, Foreign, Offered, TorchLibraries
from compiled import ERROR, FakeVenv, needs_compiler

CODES = [f"AD40{number}" for number in range(1, 9)]
BASE = ("gpu=NVIDIA GeForce RTX 4090", "torch=2.8.0", "pkg.flash-attn=2.8.3", "pkg.einops=0.8.1")
SITE = "/venv/lib/python3.12/site-packages"
LIB = f"{SITE}/torch/lib"
GOOD = Extension(
    f"{SITE}/flash_attn_2_cuda.cpython-312-x86_64-linux-gnu.so",
    cubins={"80": 72, "90": 72, "100": 72, "120": 72},
    needed={"libc10.so": f"{LIB}/libc10.so", "libcudart.so.12": f"{SITE}/nvidia/cuda_runtime/lib/libcudart.so.12"},
    cxx11abi=True,
    versions={"CXXABI": "1.3.13", "GLIBC": "2.32", "GLIBCXX": "3.4.29"},
)
STDCXX = Offered("/lib/x86_64-linux-gnu/libstdc++.so.6", {"CXXABI": "1.3.13", "GLIBCXX": "3.4.30"})
OLD_ERROR = "_ZN3c105ErrorC2ENS_14SourceLocationESs"


def machine(*keys: str, package: str = "flash-attn", torch: TorchLibraries | None = None, **changes: Any) -> Facts:
    """A healthy machine with flash-attn, its extension changed in these fields, then the keys applied."""
    facts = whatif.simulate([*BASE])
    file = msgspec.structs.replace(GOOD, **changes)
    stdcxx = STDCXX
    seen = Extensions({package: (file,)}, torch or TorchLibraries(LIB), stdcxx)
    readings = dict(facts.readings) | {"extensions": Known(seen, source=SITE)}
    return whatif.apply(Facts(readings=readings), keys)


def found(facts: Facts, code: str) -> Finding | None:
    answer = judge(rules()[code], Machine(facts))
    assert answer is None or isinstance(answer, Finding), answer
    return answer


def fires(facts: Facts, code: str) -> Finding:
    answer = found(facts, code)
    assert answer is not None
    assert set(raised(facts)) == {code}, "one fault, one finding"
    return answer


def raised(facts: Facts) -> list[str]:
    return [code for code in CODES if found(facts, code)]


def status(facts: Facts, name: str = "flash_attention_2") -> str:
    report = check(facts, needs.parse(()))
    return next(verdict.status for verdict in report.backends if verdict.name == name)


def test_a_healthy_extension_raises_nothing() -> None:
    assert raised(machine()) == []
    assert status(machine()) == "ready"


def test_where_nothing_was_read_nothing_is_said() -> None:
    for reading in (Absent(("not read on windows",)), Known(Extensions(), source=SITE)):
        facts = machine()
        assert raised(Facts(readings=facts.readings | {"extensions": reading})) == []
    unread = Facts(readings=machine().readings | {"extensions": Unknown("not in the recorded facts")})
    assert status(unread) == "ready"


def test_a_package_without_its_extension() -> None:
    facts = machine(path=None, looked_for=f"{SITE}/flash_attn_2_cuda*.so")
    finding = fires(facts, "AD401")
    assert "flash-attn 2.8.3 is installed without its compiled extension" in finding.detail
    assert f"{SITE}/flash_attn_2_cuda*.so" in finding.detail
    assert finding.fix[0].startswith(("pip install --force-reinstall --no-deps https://", "uv pip install"))
    assert status(facts) == "installable"


def test_a_damaged_extension() -> None:
    finding = fires(machine(unreadable="cut short: a segment ends outside the file"), "AD401")
    assert "cut short" in finding.detail


def test_on_amd_flash_attn_may_do_without() -> None:
    facts = machine("torch=2.8.0+rocm6.4", path=None, looked_for="x")
    readings = facts.readings | {"extensions": machine(path=None, looked_for="x").readings["extensions"]}
    assert found(Facts(readings=readings), "AD401") is None


def test_the_old_abi_under_a_torch_of_the_new() -> None:
    facts = machine(missing_symbols=(OLD_ERROR,), missing_count=9, cxx11abi=False)
    finding = fires(facts, "AD402")
    assert "c10::Error::Error(c10::SourceLocation, std::string)" in finding.detail
    assert OLD_ERROR in finding.detail
    assert "and 8 more" in finding.detail
    assert "built for the old C++ ABI, and this torch has the new one" in finding.detail
    assert "install --force-reinstall" in finding.fix[0]
    assert status(facts) == "installable"


def test_the_new_abi_under_a_torch_of_the_old() -> None:
    symbol = "_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
    facts = machine(missing_symbols=(symbol,), missing_count=1, cxx11abi=True)
    torch = facts.readings["torch"]
    old = Known(msgspec.structs.replace(torch.value, cxx11abi=False), torch.source)
    finding = found(Facts(readings=facts.readings | {"torch": old}), "AD402")
    assert finding is not None
    assert "built for the new C++ ABI, and this torch has the old one" in finding.detail


def test_another_release_of_torch() -> None:
    finding = fires(machine(missing_symbols=("_ZN3c104cuda9SetDeviceEi",), missing_count=1), "AD402")
    assert "c10::cuda::SetDevice(int) (_ZN3c104cuda9SetDeviceEi), which torch 2.8.0 does not define" in finding.detail
    assert "built for another release of torch" in finding.detail


def test_a_symbol_that_no_table_knows_is_named_as_it_is() -> None:
    finding = fires(machine(missing_symbols=("_ZN2at4fftw6twentyEv",), missing_count=1), "AD402")
    assert "asks for _ZN2at4fftw6twentyEv, which" in finding.detail


def test_a_cuda_extension_under_a_cpu_torch() -> None:
    facts = machine(needed={"libtorch_cuda.so": None, "libc10_cuda.so": None})
    torch = facts.readings["torch"]
    cpu = Known(msgspec.structs.replace(torch.value, cuda=None, version="2.8.0+cpu"), torch.source)
    finding = found(Facts(readings=facts.readings | {"torch": cpu}), "AD402")
    assert finding is not None
    assert "needs libtorch_cuda.so, and torch 2.8.0+cpu is a build without CUDA" in finding.detail


def test_another_cuda_that_is_nowhere() -> None:
    facts = machine(needed={"libcudart.so.13": None}, missing_symbols=(OLD_ERROR,), missing_count=1)
    finding = fires(facts, "AD403")
    assert finding.severity == "error"
    assert "needs libcudart.so.13; torch 2.8.0 brings CUDA 12.8, and the loader finds none" in finding.detail
    assert "cu12torch2.8" in finding.fix[0]


def test_another_cuda_that_the_system_has() -> None:
    finding = fires(machine(needed={"libcudart.so.13": "/usr/local/cuda/lib64/libcudart.so.13"}), "AD403")
    assert finding.severity == "warning"
    assert "two CUDA runtimes meet (/usr/local/cuda/lib64/libcudart.so.13)" in finding.detail


def test_the_library_of_the_driver_is_no_matter_of_cuda_versions() -> None:
    assert raised(machine(needed={"libcuda.so.1": None})) == []


def test_no_code_for_the_gpu() -> None:
    finding = fires(machine(cubins={"90a": 180}), "AD404")
    assert finding.severity == "error"
    assert "NVIDIA GeForce RTX 4090 needs sm_89; flash-attn 2.8.3 has sm_90a" in finding.detail
    assert status(machine(cubins={"90a": 180})) != "ready"


def test_code_that_another_gpu_here_can_use_is_a_warning() -> None:
    facts = machine("gpu=NVIDIA H100 80GB HBM3", "gpu=Tesla T4")
    assert "AD404" in raised(facts)
    finding = found(facts, "AD404")
    assert finding is not None
    assert finding.severity == "warning"
    assert "Tesla T4 needs sm_75" in finding.detail


def test_ptx_serves_a_newer_gpu() -> None:
    assert raised(machine("gpu=NVIDIA GeForce RTX 5090", cubins={"80": 18}, ptx={"80": 18})) == []
    assert raised(machine("gpu=NVIDIA GeForce RTX 5090", cubins={"80": 18, "120": 1})) == ["AD404"]


def test_the_files_of_a_package_serve_together() -> None:
    facts = whatif.simulate([*BASE])
    files = tuple(
        Extension(f"{SITE}/sageattention/_qattn_sm{arch}.so", cubins={arch: 1}) for arch in ("80", "89", "90a")
    )
    seen = Known(Extensions({"sageattention": files}), source=SITE)
    with_it = whatif.apply(Facts(readings=facts.readings | {"extensions": seen}), [])
    assert raised(with_it) == []


def test_a_c_library_that_is_too_old() -> None:
    facts = machine("libc=glibc-2.31")
    finding = fires(facts, "AD405")
    assert "needs GLIBC_2.32; this system has glibc 2.31" in finding.detail
    assert status(facts) != "ready"
    assert raised(machine("libc=glibc-2.32")) == []


def test_musl_is_no_glibc() -> None:
    assert "AD405" in raised(machine("libc=musl-1.2"))


def test_a_cxx_library_that_is_too_old() -> None:
    finding = fires(machine(versions={"GLIBCXX": "3.4.32"}), "AD406")
    assert "needs GLIBCXX_3.4.32; /lib/x86_64-linux-gnu/libstdc++.so.6 ends at" in finding.detail
    assert finding.fix == ()


def test_the_numbers_of_versions_are_numbers() -> None:
    assert binaries.too_new_for({"GLIBCXX": "3.4.9"}, {"GLIBCXX": "3.4.30"}) == ()
    assert binaries.too_new_for({"GLIBC": "2.4"}, {"GLIBC": "2.31"}) == ()


def test_torch_lacks_a_library() -> None:
    torch = TorchLibraries(LIB, missing={"libcudnn.so.9": "libtorch_cuda.so"})
    finding = fires(machine(torch=torch), "AD407")
    assert "torch 2.8.0 cannot be imported: libtorch_cuda.so needs libcudnn.so.9" in finding.detail
    assert "install --force-reinstall torch==2.8.0+cu128" in finding.fix[0]


def test_torch_without_the_library_of_a_driver_is_not_broken() -> None:
    assert raised(machine(torch=TorchLibraries(LIB, missing={"libcuda.so.1": "libtorch_cuda.so"}))) == []


def test_torch_gets_another_library() -> None:
    path = "/usr/local/cuda-12.1/lib64/libnvJitLink.so.12"
    foreign = Foreign("libnvJitLink.so.12", path, "libcusparse.so.12", "__nvJitLinkComplete_12_4", f"{SITE}/nvidia/x")
    finding = fires(machine(torch=TorchLibraries(LIB, foreign=(foreign,))), "AD407")
    assert finding.title == "torch gets another library than its own"
    assert f"and gets {path}, which lacks it" in finding.detail
    assert finding.fix == (f"export LD_LIBRARY_PATH={SITE}/nvidia/x",)


def test_a_name_that_speaks_of_another_torch() -> None:
    facts = whatif.simulate([*BASE[:2], "pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"])
    finding = found(facts, "AD408")
    assert finding is not None
    assert (finding.severity, finding.confidence) == ("error", "likely")
    assert "built for torch 2.7; torch 2.8.0 is installed" in finding.detail


def test_a_name_is_silent_beside_a_proof() -> None:
    facts = machine("built.flash-attn=cu12torch2.7cxx11abiTRUE")
    proved = machine(missing_symbols=(OLD_ERROR,), missing_count=1).readings["extensions"]
    assert raised(Facts(readings=facts.readings | {"extensions": proved})) == ["AD402"]


XFORMERS = ("torch=2.9.1", "pkg.xformers=0.0.32.post2")  # made for torch 2.8.0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"missing_symbols": (OLD_ERROR,), "missing_count": 1}, "AD402"),
        ({"needed": {"libtorch_cuda.so": None}}, "AD402"),
        ({"needed": {"libcudart.so.13": None}}, "AD403"),
    ],
)
def test_the_pin_of_xformers_is_silent_beside_a_proof(changes: dict[str, Any], code: str) -> None:
    proved = machine(package="xformers", **changes).readings["extensions"]
    facts = whatif.simulate([BASE[0], *XFORMERS])
    codes = {
        one.code for one in check(Facts(readings=facts.readings | {"extensions": proved}), needs.parse(())).findings
    }
    assert codes & {"AD306", "AD402", "AD403"} == {code}


@pytest.mark.parametrize("changes", [{}, {"path": None}, {"unreadable": "cut short"}, {"versions": {"GLIBC": "2.99"}}])
def test_the_pin_of_xformers_is_said_where_its_files_prove_nothing_of_it(changes: dict[str, Any]) -> None:
    seen = machine(package="xformers", **changes).readings["extensions"]
    facts = whatif.simulate([BASE[0], *XFORMERS])
    assert found(Facts(readings=facts.readings | {"extensions": seen}), "AD306") is not None
    assert found(facts, "AD306") is not None


@pytest.mark.parametrize("key", ["torch=2.7.1", "torch_cuda=13.0", "pkg.flash-attn=2.8.2", "python=3.13"])
def test_what_is_imagined_is_not_proved_by_files(key: str) -> None:
    facts = machine(key, missing_symbols=(OLD_ERROR,), missing_count=1)
    assert "AD402" not in raised(facts)


def test_a_what_if_of_something_else_keeps_the_proof() -> None:
    assert raised(machine("ram=64GiB", missing_symbols=(OLD_ERROR,), missing_count=1)) == ["AD402"]


def test_facts_survive_their_json() -> None:
    facts = machine(missing_symbols=(OLD_ERROR,), missing_count=1)
    assert gather.decode(gather.encode(facts), "facts").readings["extensions"] == facts.readings["extensions"]


@needs_compiler
def test_from_the_file_to_the_finding(tmp_path: Path) -> None:
    venv = FakeVenv(tmp_path)
    venv.flash_attn(ERROR, "-D_GLIBCXX_USE_CXX11_ABI=0")
    facts = machine()
    finding = found(Facts(readings=facts.readings | {"extensions": venv.facts()}), "AD402")
    assert finding is not None
    assert "built for the old C++ ABI" in finding.detail
