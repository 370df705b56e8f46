from __future__ import annotations

import pytest

from attn_doctor.machine.facts import Absent, Unknown
from attn_doctor.machine.host import CannotLook
from attn_doctor.machine.probes.torch import (
    PROBE,
    TorchDist,
    parse_abi,
    parse_requires_python,
    parse_variant,
    parse_version_py,
)
from support import REFUSED, SITE, Described, ask, value

OLD = """__version__ = '1.12.1+cu113'
debug = False
cuda = '11.3'
git_version = '664058fa83f1d8eede5d66418abff6e20bd76ca8'
hip = None
"""


def version_py(version: str, cuda: str | None, hip: str | None = None, xpu: str | None = None) -> str:
    """As tools/generate_torch_version.py writes it."""
    return f"""from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'rocm', 'xpu']
__version__ = {version!r}
debug = False
cuda: Optional[str] = {cuda!r}
git_version = 'cf30153c4c131c8164ee7798e5022d810682e2cb'
hip: Optional[str] = {hip!r}
rocm: Optional[str] = None
xpu: Optional[str] = {xpu!r}
"""


@pytest.mark.parametrize(
    ("text", "version", "cuda", "hip"),
    [
        pytest.param(OLD, "1.12.1+cu113", "11.3", None, id="before annotations"),
        pytest.param(version_py("2.7.1+cu118", "11.8"), "2.7.1+cu118", "11.8", None, id="cu118"),
        pytest.param(version_py("2.13.0+cu130", "13.0"), "2.13.0+cu130", "13.0", None, id="PyPI"),
        pytest.param(version_py("2.13.0+cpu", None), "2.13.0+cpu", None, None, id="cpu"),
        pytest.param(
            version_py("2.9.1+rocm6.4", None, "6.4.43484-123eb5128"),
            "2.9.1+rocm6.4",
            None,
            "6.4.43484-123eb5128",
            id="rocm",
        ),
        pytest.param('__version__ = "2.0"\ncuda = "12.1"\n', "2.0", "12.1", None, id="double quotes"),
    ],
)
def test_parse_version_py(text: str, version: str, cuda: str | None, hip: str | None) -> None:
    found = parse_version_py(text)
    assert (found["__version__"], found["cuda"], found.get("hip")) == (version, cuda, hip)


@pytest.mark.parametrize("text", ["", "garbage", "__version__ = get_version()\n", "# __version__ = '2.0'\n"])
def test_parse_version_py_without_a_version(text: str) -> None:
    assert parse_version_py(text).get("__version__") is None


@pytest.mark.parametrize(
    ("text", "abi"),
    [
        ('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=0")\n', False),
        ('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=1")\n', True),
        ('  set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI=")\n', None),
        ("", None),
    ],
)
def test_parse_abi(text: str, abi: bool | None) -> None:
    assert parse_abi(text) is abi


def test_parse_requires_python() -> None:
    header = "Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\nRequires-Python: >=3.10\nLicense: BSD-3-Clause\n"
    assert parse_requires_python(header + "\nRequires-Python: nothing, this is the description\n") == ">=3.10"
    assert parse_requires_python("Name: torch\n\nRequires-Python: >=3.10\n") is None
    assert parse_requires_python("") is None


@pytest.mark.parametrize(
    ("version", "variant"),
    [
        ("2.7.1+cu118", ("cuda", "11.8")),
        ("2.13.0+cu130", ("cuda", "13.0")),
        ("2.9.1+rocm6.4", ("rocm", "6.4")),
        ("2.13.0+cpu", ("cpu", None)),
        ("2.9.0+xpu", ("xpu", None)),
        ("2.13.0", None),
    ],
)
def test_parse_variant(version: str, variant: tuple[str, str | None] | None) -> None:
    assert parse_variant(version) == variant


@pytest.mark.parametrize(
    ("version", "released"),
    [
        ("2.13.0+cu130", True),
        ("2.13.0", True),
        ("2.9.1+rocm6.4", True),
        ("2.10.0.dev20251104+cu130", False),
        ("2.9.0rc3+cu128", False),
        ("2.8.0a0+34c6371d24.nv25.08", False),
        ("2.6.0a0+gitabc1234", False),
    ],
)
def test_released(version: str, released: bool) -> None:
    assert TorchDist(version).released is released


TORCH = f"{SITE}/torch"


def installed(version: str, text: str | Exception, distribution: str | None = None) -> Described:
    metadata = f"{SITE}/torch-{distribution or version}.dist-info/METADATA"
    return Described({f"{TORCH}/version.py": text, metadata: "Name: torch\nRequires-Python: >=3.10\n\n"})


def test_none() -> None:
    assert ask(PROBE, Described()) == Absent((SITE,))


@pytest.mark.parametrize(
    ("version", "cuda", "hip", "rocm", "abi"),
    [
        pytest.param("2.7.1+cu118", "11.8", None, None, True, id="cu118"),
        pytest.param("2.5.1+cu124", "12.4", None, None, False, id="cu124, old ABI"),
        pytest.param("2.13.0+cu130", "13.0", None, None, True, id="PyPI cu130"),
        pytest.param("2.13.0+cpu", None, None, None, True, id="cpu"),
        pytest.param("2.9.1+rocm6.4", None, "6.4.43484-123eb5128", "6.4", True, id="rocm"),
    ],
)
def test_read(version: str, cuda: str | None, hip: str | None, rocm: str | None, abi: bool) -> None:
    reading = ask(PROBE, installed(version, version_py(version, cuda, hip)))
    found = value(reading)
    assert (found.version, found.cuda, found.rocm, found.cxx11abi) == (version, cuda, rocm, abi)
    assert (found.requires_python, found.location) == (">=3.10", TORCH)
    assert found.cpu_only is (cuda is None and rocm is None)
    assert (found.arch_list is not None) is (cuda is not None)
    assert reading.source == f"{TORCH}/version.py"


def test_the_version_of_pypi_lacks_the_build_in_its_folder_name_only() -> None:
    machine = installed("2.13.0+cu130", version_py("2.13.0+cu130", "13.0"), distribution="2.13.0")
    assert value(ask(PROBE, machine)).version == "2.13.0+cu130"
    assert value(ask(PROBE, machine)).requires_python == ">=3.10"


@pytest.mark.parametrize(
    ("version", "cuda"), [("2.10.0.dev20251104+cu130", "13.0"), ("2.8.0a0+34c6371d24.nv25.08", "13.0")]
)
def test_nightly_and_vendor_builds_say_their_cuda_and_promise_nothing_else(version: str, cuda: str) -> None:
    found = value(ask(PROBE, installed(version, version_py(version, cuda))))
    assert (found.version, found.cuda, found.released) == (version, cuda, False)


def test_what_the_files_of_this_torch_say_of_its_abi_stands_before_the_table() -> None:
    machine = installed("2.5.1+cu124", version_py("2.5.1+cu124", "12.4"))
    machine.files[f"{TORCH}/share/cmake/Torch/TorchConfig.cmake"] = '"-D_GLIBCXX_USE_CXX11_ABI=1"'
    assert value(ask(PROBE, machine)).cxx11abi is True


def test_xpu() -> None:
    found = value(ask(PROBE, installed("2.9.0+xpu", version_py("2.9.0+xpu", None, xpu="20250202"))))
    assert (found.cuda, found.xpu, found.cpu_only) == (None, "20250202", False)


@pytest.mark.parametrize("text", ["", "garbage\x00", "__version__ = 'unknown'\n"])
def test_garbage_is_unknown(text: str) -> None:
    machine = Described({f"{TORCH}/version.py": text})
    reading = ask(PROBE, machine)
    assert isinstance(reading, Unknown)
    assert f"{TORCH}/version.py" in reading.reason


def test_metadata_does_not_speak_for_an_empty_version_file() -> None:
    """Importing such a torch fails, and of its CUDA nothing is known."""
    assert isinstance(ask(PROBE, installed("2.13.0", "")), Unknown)


def test_metadata_that_cannot_be_read_hides_no_torch() -> None:
    machine = installed("2.13.0+cu130", version_py("2.13.0+cu130", "13.0"))
    for name in ("METADATA", "INSTALLER"):
        machine.files[f"{SITE}/torch-2.13.0+cu130.dist-info/{name}"] = REFUSED
    machine.files[f"{TORCH}/share/cmake/Torch/TorchConfig.cmake"] = REFUSED
    found = value(ask(PROBE, machine))
    assert (found.version, found.requires_python, found.installer) == ("2.13.0+cu130", None, None)


def test_a_folder_that_refuses_to_be_looked_into_is_not_absent() -> None:
    with pytest.raises(CannotLook):
        ask(PROBE, Described({f"{TORCH}/": REFUSED, f"{TORCH}/lib/x.so": ""}))


def test_a_file_we_may_not_read_is_a_refusal() -> None:
    with pytest.raises(CannotLook):
        ask(PROBE, installed("2.13.0", REFUSED))


def test_the_first_site_wins() -> None:
    import msgspec

    from support import VENV

    both = msgspec.structs.replace(VENV, site_packages=(SITE, "/usr/lib/python3/dist-packages"))
    files = {
        f"{TORCH}/version.py": version_py("2.13.0+cpu", None),
        "/usr/lib/python3/dist-packages/torch/version.py": version_py("1.13.0", None),
    }
    assert value(ask(PROBE, Described(files), both)).version == "2.13.0+cpu"
