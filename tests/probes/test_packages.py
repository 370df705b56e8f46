from __future__ import annotations

import json

import msgspec
import pytest

from attn_doctor.machine.facts import Known
from attn_doctor.machine.gather import Facts, encode
from attn_doctor.machine.probes.packages import (
    PROBE,
    Package,
    build_of_file,
    parse_direct_url,
    parse_requires,
    parse_wheel_tags,
)
from support import REFUSED, SITE, VENV, Described, ask, value

WHEEL = """Wheel-Version: 1.0
Generator: setuptools (78.1.0)
Root-Is-Purelib: false
Tag: cp312-cp312-linux_x86_64

"""
FILE = "flash_attn-2.8.3%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
RELEASE = f"https://example.org/releases/download/v2.8.3/{FILE}"
BUILD = "cu12torch2.8cxx11abiTRUE"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (RELEASE, RELEASE),
        ("https://ada:t0k3n@example.org/a.whl", "https://example.org/a.whl"),
        ("https://t0k3n@example.org/a.whl", "https://example.org/a.whl"),
        ("https://ada:p@ss@example.org/a.whl", "https://example.org/a.whl"),
        ("git+https://t0k3n@example.org/flash-attention.git", "git+https://example.org/flash-attention.git"),
        ("https://example.org/@scope/a@v1.whl", "https://example.org/@scope/a@v1.whl"),
        ("https://example.org/a.whl?X-Amz-Signature=t0k3n", "https://example.org/a.whl"),
        ("https://example.org/a.whl#sha256=00", "https://example.org/a.whl"),
        ("file:///home/ada/my@home/a.whl", "file:///home/ada/my@home/a.whl"),
        ("git@example.org:ada/flash.git", "git@example.org:ada/flash.git"),
    ],
)
def test_parse_direct_url(url: str, expected: str) -> None:
    found = parse_direct_url(json.dumps({"url": url, "archive_info": {"hashes": {"sha256": "00"}}}))
    assert found == expected
    assert "t0k3n" not in expected


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 3}', '{"url": null}', "null"])
def test_parse_direct_url_without_one(text: str) -> None:
    assert parse_direct_url(text) is None


@pytest.mark.parametrize(
    ("url", "build"),
    [
        (RELEASE, BUILD),
        (RELEASE.replace("%2B", "%2b"), BUILD),
        (RELEASE.replace("%2B", "+"), BUILD),
        ("https://example.org/flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl", None),
        ("git+https://example.org/flash-attention.git", None),
        ("https://example.org/flash_attn-2.8.3+cu12.tar.gz", None),
        ("", None),
    ],
)
def test_build_of_file(url: str, build: str | None) -> None:
    assert build_of_file(url) == build


def test_parse_wheel_tags() -> None:
    assert parse_wheel_tags(WHEEL) == ("cp312-cp312-linux_x86_64",)
    two = WHEEL.replace("Tag: cp312-cp312-linux_x86_64", "Tag: py2-none-any\nTag: py3-none-any")
    assert parse_wheel_tags(two) == ("py2-none-any", "py3-none-any")
    assert parse_wheel_tags("") == ()


def folder(name: str, **files: str | Exception) -> dict[str, str | Exception]:
    return {f"{SITE}/{name}.dist-info/{file.replace('__', '.')}": text for file, text in files.items()}


def test_none() -> None:
    assert value(ask(PROBE, Described())) == {}


def test_the_build_stands_in_the_version() -> None:
    machine = Described(folder(f"flash_attn-2.8.3+{BUILD}", WHEEL=WHEEL))
    assert value(ask(PROBE, machine)) == {
        "flash-attn": Package(f"2.8.3+{BUILD}", BUILD, ("cp312-cp312-linux_x86_64",), None, SITE)
    }


def test_the_build_stands_in_the_address_it_came_from() -> None:
    url = RELEASE.replace("https://", "https://ada:t0k3n@")
    machine = Described(folder("flash_attn-2.8.3", WHEEL=WHEEL, direct_url__json=json.dumps({"url": url})))
    found = value(ask(PROBE, machine))["flash-attn"]
    assert (found.version, found.build, found.origin) == ("2.8.3", BUILD, RELEASE)
    document = encode(Facts(readings={"packages": Known({"flash-attn": found}, source="")}))
    assert b"t0k3n" not in document
    assert b"ada" not in document


def test_nobody_says_the_build() -> None:
    found = value(ask(PROBE, Described(folder("flash_attn-2.8.3", WHEEL=WHEEL))))["flash-attn"]
    assert (found.build, found.origin) == (None, None)


def test_what_may_not_be_read_does_not_hide_the_package() -> None:
    machine = Described(folder("flash_attn-2.8.3", WHEEL=REFUSED, direct_url__json=REFUSED))
    assert value(ask(PROBE, machine))["flash-attn"] == Package("2.8.3", location=SITE)


def test_pure_packages_are_not_looked_into() -> None:
    machine = Described(folder("transformers-5.23.0", WHEEL=REFUSED))
    assert value(ask(PROBE, machine)) == {"transformers": Package("5.23.0", location=SITE)}


def test_names_in_every_spelling_and_only_those_that_matter() -> None:
    files = {
        f"{SITE}/Flash_Attn-2.7.4.dist-info/": "",
        f"{SITE}/sageattention-2.2.0-py3.12-linux-x86_64.egg-info": "",
        f"{SITE}/triton-3.5.0.dist-info/": "",
        f"{SITE}/requests-2.32.0.dist-info/": "",
        f"{SITE}/~riton-3.4.0.dist-info/": "",
        f"{SITE}/xformers.egg-info/": "",
        f"{SITE}/-1.0.dist-info/": "",
        f"{SITE}/xformers/": "",
    }
    found = value(ask(PROBE, Described(files)))
    assert {name: package.version for name, package in found.items()} == {
        "flash-attn": "2.7.4",
        "sageattention": "2.2.0",
        "triton": "3.5.0",
    }


def test_the_first_site_wins() -> None:
    shared = "/usr/lib/python3/dist-packages"
    files = {f"{SITE}/triton-3.5.0.dist-info/": "", f"{shared}/triton-2.0.0.dist-info/": ""}
    both = msgspec.structs.replace(VENV, site_packages=(SITE, shared))
    assert value(ask(PROBE, Described(files), both))["triton"].version == "3.5.0"
    assert value(ask(PROBE, Described(files), both))["triton"].location == SITE


METADATA = """Metadata-Version: 2.1
Name: xformers
Version: 0.0.33
Requires-Python: >=3.9
Requires-Dist: numpy
Requires-Dist: torch==2.9.0
Requires-Dist: triton (>=3.4,<4) ; platform_system == "Linux"
Requires-Dist: Flash_Attn[cuda] >= 2.7.1
Requires-Dist: requests>=2
Requires-Dist: pytest; extra == "dev"
Requires-Dist: einops; extra == "dev"

Requires-Dist: transformers==1.0 is said in the description only
"""
WATCHED = {"torch", "triton", "flash-attn", "numpy", "einops", "transformers"}


def test_parse_requires() -> None:
    assert parse_requires(METADATA, WATCHED) == {
        "flash-attn": ">=2.7.1",
        "numpy": "",
        "torch": "==2.9.0",
        "triton": ">=3.4,<4",
    }
    assert parse_requires("", WATCHED) == {}


def test_a_demand_that_differs_by_platform_is_not_read() -> None:
    text = (
        "Requires-Dist: torch==2.9.0; python_version >= '3.10'\nRequires-Dist: torch==2.5.0; python_version < '3.10'\n"
    )
    assert parse_requires(text, WATCHED) == {}


def test_what_a_compiled_package_demands() -> None:
    machine = Described(folder("xformers-0.0.33", METADATA=METADATA))
    assert value(ask(PROBE, machine))["xformers"].requires["torch"] == "==2.9.0"
    without = Described(folder("xformers-0.0.33", WHEEL=WHEEL))
    assert value(ask(PROBE, without))["xformers"].requires is None


def test_torchvision_says_its_build_in_its_own_version_file() -> None:
    files = folder("torchvision-0.23.0", WHEEL=WHEEL)
    text = "__version__ = '0.23.0+cu128'\ngit_version = 'abc'\n"
    machine = Described(files | {f"{SITE}/torchvision/version.py": text})
    assert value(ask(PROBE, machine))["torchvision"].build == "cu128"
    assert value(ask(PROBE, Described(files)))["torchvision"].build is None
