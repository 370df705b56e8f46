"""What a package demands, and which build a companion of torch is."""

from __future__ import annotations

import msgspec
import pytest

from attn_doctor.machine.probes import leftovers, torch
from attn_doctor.machine.probes.packages import PROBE, parse_requires, parse_version
from support import REFUSED, SITE, VENV, Described, ask, value

WATCHED = {"flash-attn", "numpy", "nvidia-cutlass-dsl", "torch", "triton"}
# of the wheels of torchvision 0.23.0, torch 2.14.1 and flash-attn-4 4.0.0b36
REAL = """Metadata-Version: 2.1
Name: some
Requires-Python: >=3.9
Requires-Dist: numpy
Requires-Dist: torch (==2.8.0)
Requires-Dist: pillow (!=8.3.*,>=5.3.0)
Requires-Dist: triton~=3.8.0; platform_system == "Linux" and python_version < "3.15"
Requires-Dist: nvidia-cutlass-dsl[cu13] >= 4.6.2, < 5
Requires-Dist: Flash_Attn>=2; extra == "flash"

Requires-Dist: torch==1.0 is what the description says
"""


def test_what_it_demands_of_what_is_watched() -> None:
    assert parse_requires(REAL, WATCHED) == {
        "numpy": "",
        "nvidia-cutlass-dsl": ">=4.6.2,<5",
        "torch": "==2.8.0",
        "triton": "~=3.8.0",
    }


def test_one_that_depends_on_the_platform_is_left_out() -> None:
    lines = 'Requires-Dist: torch==2.8.0; platform_machine == "x86_64"\nRequires-Dist: torch==2.7.0; os_name == "nt"\n'
    assert parse_requires(lines, WATCHED) == {}


@pytest.mark.parametrize("text", ["", "Requires-Dist:", "Requires-Dist: ;;;", "Requires-Dist: [torch]", "\x00\n\n"])
def test_what_is_no_metadata(text: str) -> None:
    assert parse_requires(text, WATCHED) == {}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("__version__ = '0.23.0+cu128'\ngit_version = 'x'\n", "0.23.0+cu128"),
        ('"""x"""\n__version__="2.8.0"', "2.8.0"),
        ("", None),
        ("__version__ =", None),
    ],
)
def test_the_version_of_a_version_py(text: str, version: str | None) -> None:
    assert parse_version(text) == version


def test_a_companion_says_its_build_in_its_version_py() -> None:
    machine = Described(
        {
            f"{SITE}/torchvision-0.23.0.dist-info/METADATA": "Requires-Dist: torch (==2.8.0)\n\n",
            f"{SITE}/torchvision/version.py": "__version__ = '0.23.0+cu128'\n",
            f"{SITE}/torchaudio-2.8.0+cu126.dist-info/METADATA": "Name: torchaudio\n\n",
            f"{SITE}/torchaudio/version.py": REFUSED,
        }
    )
    found = value(ask(PROBE, machine))
    assert (found["torchvision"].build, found["torchvision"].requires) == ("cu128", {"torch": "==2.8.0"})
    assert (found["torchaudio"].build, found["torchaudio"].requires) == ("cu126", {})


def test_metadata_that_may_not_be_read_demands_nothing_that_is_known() -> None:
    found = value(ask(PROBE, Described({f"{SITE}/xformers-0.0.35.dist-info/METADATA": REFUSED})))
    assert found["xformers"].requires is None


def test_the_records_of_torch() -> None:
    files = {
        f"{SITE}/torch/version.py": "__version__ = '2.8.0+cu128'\ncuda = '12.8'\n",
        f"{SITE}/torch-2.8.0.dist-info/METADATA": "Name: torch\n\n",
        f"{SITE}/torch-2.8.0.dist-info/INSTALLER": "uv\n",
        f"{SITE}/torch_scatter-2.1.2.dist-info/METADATA": "",
    }
    found = value(ask(torch.PROBE, Described(files)))
    assert (found.records, found.installer) == (("torch-2.8.0.dist-info",), "uv")
    empty = files | {f"{SITE}/torch-2.7.1.dist-info/": ""}
    assert value(ask(torch.PROBE, Described(empty))).records == ("torch-2.8.0.dist-info",)
    old = files | {f"{SITE}/torch-2.5.1-py3.12.egg-info/PKG-INFO": ""}
    assert value(ask(torch.PROBE, Described(old))).records == ("torch-2.5.1-py3.12.egg-info", "torch-2.8.0.dist-info")


def test_several_torches_say_their_versions() -> None:
    files = {"/src/torch/version.py": "__version__ = '2.6.0'\n", f"{SITE}/torch/version.py": REFUSED}
    found = value(ask(leftovers.PROBE, Described(files, env={"PYTHONPATH": "/src"})))
    assert (found.torch_copies, found.torch_versions) == (("/src/torch", f"{SITE}/torch"), ("2.6.0", None))


def test_a_link_is_no_second_torch() -> None:
    files = {f"{SITE}/torch/version.py": ""}
    machine = Described(files, links={"/link": SITE}, env={"PYTHONPATH": "/link"})
    assert value(ask(leftovers.PROBE, machine)).torch_copies == ("/link/torch",)


def test_windows_separates_with_semicolons() -> None:
    files = {f"{SITE}/torch/version.py": "", "C:/src/torch/version.py": ""}
    machine = Described(files, system=("windows", "x86_64", "10"), env={"PYTHONPATH": "C:/src;C:/none"})
    assert value(ask(leftovers.PROBE, machine)).torch_copies == ("C:/src/torch", f"{SITE}/torch")


def test_the_packages_of_the_user_are_seen_by_conda_too() -> None:
    user = "/home/ada/.local/lib/python3.12/site-packages"
    files = {f"{user}/torch/version.py": "", f"{SITE}/torch/version.py": ""}
    conda = msgspec.structs.replace(VENV, kind="conda")
    home = {"HOME": "/home/ada"}
    found = value(ask(leftovers.PROBE, Described(files, env=home), conda))
    assert found.torch_copies == (f"{user}/torch", f"{SITE}/torch")
    without = Described(files, env=home | {"PYTHONNOUSERSITE": "1"})
    assert value(ask(leftovers.PROBE, without, conda)).torch_copies == (f"{SITE}/torch",)


def test_rivals_are_of_compiled_packages_in_one_folder() -> None:
    files = {
        f"{SITE}/flash_attn-2.7.0-py3.12-linux-x86_64.egg/": "",
        f"{SITE}/flash_attn-2.8.3.dist-info/METADATA": "",
        f"{SITE}/requests-2.0.dist-info/METADATA": "",
        f"{SITE}/requests-2.1.dist-info/METADATA": "",
        f"{SITE}/easy-install.pth": "import sys; p=getattr(sys,'__egginsert',0)",
    }
    found = value(ask(leftovers.PROBE, Described(files)))
    assert found.rivals == (
        f"{SITE}/flash_attn-2.7.0-py3.12-linux-x86_64.egg",
        f"{SITE}/flash_attn-2.8.3.dist-info",
    )
    assert found.eggs_first
