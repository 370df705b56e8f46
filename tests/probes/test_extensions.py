"""Extensions made by the real compiler, beside a torch in miniature; the real loader has the last word."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.binaries.loader import find_in_cache
from attn_doctor.machine.host import LiveHost, RecordedHost, RecordingHost
from attn_doctor.machine.probes.extensions import PROBE, Extension, Extensions, highest, importable, string_abi
from attn_doctor.machine.target import locate
from compiled import CUDART, ERROR, FakeVenv, build, needs_compiler
from support import VENV, Described, ask, value

FITS = "namespace at { void add(int); }\nint use() { at::add(2); return 1; }\n"
OTHER_MINOR = (
    "namespace c10 { namespace cuda { void SetDevice(int); } }\nint use() { c10::cuda::SetDevice(0); return 1; }\n"
)
SET_DEVICE = "_ZN3c104cuda9SetDeviceEi"
OLD_ABI = "-D_GLIBCXX_USE_CXX11_ABI=0"

pytestmark = needs_compiler


@pytest.fixture
def venv(tmp_path: Path) -> FakeVenv:
    return FakeVenv(tmp_path)


def extension(venv: FakeVenv, host: Any = None) -> Extension:
    found: Extensions = value(venv.facts(host)).packages["flash-attn"]
    return found[0]


def test_one_that_fits_is_read_and_loads(venv: FakeVenv) -> None:
    path = venv.flash_attn(FITS)
    found = extension(venv)
    assert venv.loads(path) is None
    assert found.path == str(path)
    assert found.unreadable is None
    assert found.missing_libraries == ()
    assert found.missing_count == 0
    assert found.needed["libc10.so"] == str(venv.lib / "libc10.so")
    assert not found.has_gpu_code


def test_built_for_another_release_of_torch(venv: FakeVenv) -> None:
    path = venv.flash_attn(OTHER_MINOR)
    found = extension(venv)
    said = venv.loads(path)
    assert said is not None
    assert f"undefined symbol: {SET_DEVICE}" in said
    assert found.missing_symbols == (SET_DEVICE,)


def test_built_for_the_old_abi(venv: FakeVenv) -> None:
    path = venv.flash_attn(ERROR, OLD_ABI)
    found = extension(venv)
    said = venv.loads(path)
    assert said is not None
    assert "undefined symbol: _ZN3c105ErrorC1ENS_14SourceLocationESs" in said
    assert found.missing_symbols == ("_ZN3c105ErrorC1ENS_14SourceLocationESs",)
    assert found.cxx11abi is False


def test_built_for_the_new_abi(venv: FakeVenv) -> None:
    path = venv.flash_attn(ERROR)
    assert venv.loads(path) is None
    assert extension(venv).cxx11abi is True
    assert extension(venv).missing_count == 0


def test_linked_to_another_cuda(venv: FakeVenv, tmp_path: Path) -> None:
    other = build(tmp_path / "other" / "libcudart.so.11.0", CUDART)
    path = venv.flash_attn(FITS, str(other))
    found = extension(venv)
    said = venv.loads(path)
    assert said is not None
    assert "libcudart.so.11.0: cannot open shared object file" in said
    assert found.missing_libraries == ("libcudart.so.11.0",)


def test_a_library_is_found_where_the_variable_says(
    venv: FakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = build(tmp_path / "other" / "libcudart.so.13", CUDART)
    path = venv.flash_attn(FITS, str(other))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(other.parent))
    assert venv.loads(path, {"LD_LIBRARY_PATH": str(other.parent)}) is None
    assert extension(venv).needed["libcudart.so.13"] == str(other)


@pytest.mark.parametrize("tag", ["--disable-new-dtags", "--enable-new-dtags"])
def test_a_library_is_found_beside_the_extension(venv: FakeVenv, tmp_path: Path, tag: str) -> None:
    other = build(venv.site / "flash_attn.libs" / "libcudart.so.13", CUDART)
    path = venv.flash_attn(FITS, str(other), f"-Wl,{tag},-rpath,$ORIGIN/flash_attn.libs")
    assert venv.loads(path) is None
    assert extension(venv).missing_libraries == ()


@pytest.mark.parametrize(
    ("tag", "first"), [("--disable-new-dtags", "flash_attn.libs"), ("--enable-new-dtags", "other")]
)
def test_rpath_goes_before_the_variable_and_runpath_behind(
    venv: FakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str, first: str
) -> None:
    build(venv.site / "flash_attn.libs" / "libcudart.so.13", CUDART)
    other = build(tmp_path / "other" / "libcudart.so.13", CUDART)
    venv.flash_attn(FITS, str(other), f"-Wl,{tag},-rpath,$ORIGIN/flash_attn.libs")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(other.parent))
    taken = extension(venv).needed["libcudart.so.13"]
    assert taken is not None
    assert Path(taken).parent.name == first


def test_torch_without_cuda(tmp_path: Path) -> None:
    venv = FakeVenv(tmp_path, cuda=None)
    cuda = build(tmp_path / "other" / "libtorch_cuda.so", "int x;")
    path = venv.flash_attn(FITS, str(cuda))
    said = venv.loads(path)
    assert said is not None
    assert "libtorch_cuda.so: cannot open" in said
    assert extension(venv).missing_libraries == ("libtorch_cuda.so",)


def test_a_c_library_from_the_future(venv: FakeVenv, tmp_path: Path) -> None:
    path = newer(venv, tmp_path, "libc.so.6", "GLIBC_2.99")
    said = venv.loads(path)
    assert said is not None
    assert "version `GLIBC_2.99' not found" in said
    assert extension(venv).versions["GLIBC"] == "2.99"


def test_a_cxx_library_from_the_future(venv: FakeVenv, tmp_path: Path) -> None:
    path = newer(venv, tmp_path, "libstdc++.so.6", "GLIBCXX_3.4.99")
    said = venv.loads(path)
    assert said is not None
    assert "version `GLIBCXX_3.4.99' not found" in said
    reading = value(venv.facts())
    assert reading.packages["flash-attn"][0].versions["GLIBCXX"] == "3.4.99"
    assert reading.libstdcxx.versions["GLIBCXX"].startswith("3.4.")
    assert reading.libstdcxx.versions["GLIBCXX"] != "3.4.99"


def newer(venv: FakeVenv, folder: Path, name: str, version: str) -> Path:
    """An extension linked to a stub of a system library that offers a version no system has."""
    script = folder / "versions"
    script.write_text(f"{version} {{ global: future; }};\n")
    stub = build(folder / "stub" / name, 'extern "C" int future() { return 1; }', f"-Wl,--version-script={script}")
    return venv.flash_attn('extern "C" int future();\nint use() { return future(); }\n', str(stub))


def test_a_package_without_its_extension(venv: FakeVenv) -> None:
    venv.flash_attn(None)
    found = extension(venv)
    assert found.path is None
    assert found.looked_for.endswith("flash_attn_2_cuda*.so")


def test_an_extension_for_another_python(venv: FakeVenv) -> None:
    path = venv.flash_attn(FITS)
    path.rename(venv.site / "flash_attn_2_cuda.cpython-38-x86_64-linux-gnu.so")
    found = extension(venv)
    assert found.path is None
    assert "another Python: flash_attn_2_cuda.cpython-38" in str(found.unreadable)


@pytest.mark.parametrize(("content", "reason"), [(b"", "not an ELF"), (b"\x7fELF", "cut short"), (b"x" * 99, "not an")])
def test_a_damaged_extension(venv: FakeVenv, content: bytes, reason: str) -> None:
    path = venv.flash_attn(FITS)
    path.write_bytes(content)
    assert venv.loads(path) is not None
    assert reason in str(extension(venv).unreadable)


def test_half_an_extension(venv: FakeVenv) -> None:
    path = venv.flash_attn(FITS)
    path.write_bytes(path.read_bytes()[:9000])
    assert venv.loads(path) is not None  # a signal on some systems, not an error
    assert "cut short" in str(extension(venv).unreadable)


def test_a_file_that_may_not_be_read(venv: FakeVenv) -> None:
    path = venv.flash_attn(FITS)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "permission denied" in str(extension(venv).unreadable)


def test_where_the_package_itself_is_elsewhere_nothing_is_said(venv: FakeVenv) -> None:
    venv.distribution("flash_attn", "2.8.3")  # an editable install leaves only this in site-packages
    assert value(venv.facts()).packages == {}


def test_a_library_of_torch_is_gone(venv: FakeVenv) -> None:
    (venv.cudart / "libcudart.so.12").unlink()
    said = venv_error(venv)
    assert "libcudart.so.12: cannot open" in said
    assert value(venv.facts()).torch.missing == {"libcudart.so.12": "libtorch_python.so"}


def test_a_library_of_torch_in_another_folder_of_nvidia_is_found(venv: FakeVenv) -> None:
    """What torch preloads by itself when the loader does not find it."""
    venv.cudart.parent.rename(venv.site / "nvidia" / "cu12")
    assert value(venv.facts()).torch.missing == {}


def test_another_library_comes_first(venv: FakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libcusparse has a RUNPATH: LD_LIBRARY_PATH goes before it, with an nvJitLink that is too old."""
    own = build(venv.site / "nvidia" / "nvjitlink" / "lib" / "libnvJitLink.so.12", NEW_JIT)
    old = build(tmp_path / "cuda-12.1" / "libnvJitLink.so.12", OLD_JIT)
    sparse = venv.site / "nvidia" / "cusparse" / "lib" / "libcusparse.so.12"
    runpath = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/../../nvjitlink/lib"
    asks = 'extern "C" int __nvJitLinkComplete_12_4();\nint use() { return __nvJitLinkComplete_12_4(); }\n'
    build(sparse, asks, str(own), runpath)
    rpath = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../../nvidia/cusparse/lib"
    build(venv.lib / "libtorch_python.so", "int use() { return 0; }", "-Wl,--no-as-needed", str(sparse), rpath)
    assert value(venv.facts()).torch.foreign == ()
    monkeypatch.setenv("LD_LIBRARY_PATH", str(old.parent))
    (foreign,) = value(venv.facts()).torch.foreign
    assert (foreign.name, foreign.path) == ("libnvJitLink.so.12", str(old))
    assert (foreign.asked_by, foreign.symbol) == ("libcusparse.so.12", "__nvJitLinkComplete_12_4")
    assert foreign.instead == str(own.parent)
    said = venv_error(venv, {"LD_LIBRARY_PATH": str(old.parent), "LD_BIND_NOW": "1"})
    assert "undefined symbol: __nvJitLinkComplete_12_4" in said


NEW_JIT = 'extern "C" int __nvJitLinkComplete_12_4() { return 0; }'
OLD_JIT = 'extern "C" int __nvJitLinkAddData_12_1() { return 0; }'


def venv_error(venv: FakeVenv, env: dict[str, str] | None = None) -> str:
    """What the loader says of torch itself."""
    import subprocess

    script = "import ctypes, sys\ntry:\n    ctypes.CDLL(sys.argv[1])\nexcept OSError as error:\n    print(error)\n"
    command = [sys.executable, "-I", "-c", script, str(venv.lib / "libtorch_python.so")]
    return subprocess.run(command, capture_output=True, text=True, env=env or {}, check=True).stdout


def test_a_recording_reads_like_the_machine(venv: FakeVenv) -> None:
    venv.flash_attn(OTHER_MINOR)
    recording = RecordingHost(LiveHost())
    target = locate(LiveHost(), venv=str(venv.root))
    answer = PROBE.read(recording, target)  # type: ignore[arg-type]
    assert PROBE.read(RecordedHost(recording.answers), target) == answer  # type: ignore[arg-type]


def test_elsewhere_than_on_linux_nothing_is_read() -> None:
    windows = Described({}, system=("windows", "x86_64", "10"))
    assert type(ask(PROBE, windows)).__name__ == "Absent"


def test_an_environment_without_anything_has_nothing() -> None:
    assert value(ask(PROBE, Described({}))) == Extensions()


@pytest.mark.parametrize(
    ("name", "version", "taken"),
    [
        ("flash_attn_2_cuda.cpython-312-x86_64-linux-gnu.so", "3.12.3", True),
        ("flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so", "3.12.3", False),
        ("flash_attn_2_cuda.cpython-312t-x86_64-linux-gnu.so", "3.12.3", False),
        ("_C.abi3.so", "3.12.3", True),
        ("_C.so", "3.12.3", True),
    ],
)
def test_which_file_a_python_takes(name: str, version: str, taken: bool) -> None:
    import msgspec

    assert importable(name, msgspec.structs.replace(VENV, version=version)) is taken


def test_the_highest_version_of_each_family() -> None:
    names = ["GLIBC_2.9", "GLIBC_2.14", "GLIBC_PRIVATE", "GLIBCXX_3.4.9", "GLIBCXX_3.4.21", "CXXABI_TM_1", "GCC_3.0"]
    assert highest(iter(names)) == {"GLIBC": "2.14", "GLIBCXX": "3.4.21"}
    assert highest(iter(["GLIBC_2.14", "GLIBC_ABI_DT_RELR"])) == {"GLIBC": "2.36"}


def test_the_abi_shows_in_the_names() -> None:
    assert string_abi((b"_ZN3c105ErrorC2ENS_14SourceLocationESs",)) is False
    assert string_abi((b"_ZN3c106detail14torchCheckFailEPKcS2_jRKSs",)) is False
    assert string_abi((b"_ZN3c105ErrorC2ENS_14SourceLocationENSt7__cxx1112basic_stringIcEE",)) is True
    assert string_abi((b"_ZN3c104cuda9SetDeviceEi",)) is None


def test_the_cache_of_this_system_names_the_c_library() -> None:
    host = LiveHost()
    data = bytes(host.open_binary("/etc/ld.so.cache") or b"")
    if not data:
        pytest.skip("no cache on this system")
    path = find_in_cache(data, host.system()[1], "libc.so.6")
    assert path is not None
    assert os.path.exists(path)
    for length in range(0, len(data), 97):
        find_in_cache(data[:length], host.system()[1], "libc.so.6")
    assert find_in_cache(data, host.system()[1], "libnothing.so.1") is None
