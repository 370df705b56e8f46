"""Which package index is asked: what pip and uv themselves are told, and what files say of the torch they need."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from attn_doctor.wheels.refresh import github, indexes, settings
from attn_doctor.wheels.refresh.fetch import Answer, NotFetched, shown, without_credentials
from attn_doctor.wheels.refresh.github import following
from attn_doctor.wheels.refresh.indexes import required_torch
from attn_doctor.wheels.refresh.listing import Published
from attn_doctor.wheels.refresh.simple_page import Link

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "https://index.example.org/simple"
OTHER = "https://other.example.org/simple"


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is configured: neither in variables nor in files."""
    for name in [*os.environ]:
        if name.startswith(("PIP_", "UV_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "config"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    (tmp_path / "project" / "below").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "below")


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_a_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, INDEX)
    assert settings.package_index() == INDEX


def test_uv_may_give_it_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"ours={INDEX}")
    assert settings.package_index() == INDEX


def test_the_configuration_of_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the real pip reads it."""
    file = tmp_path / "pip.conf"
    file.write_text(f"[global]\nindex-url = {OTHER}\n[install]\nindex-url = {INDEX}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    assert settings.package_index() == INDEX
    file.write_text("[global]\nno-index = true\n")
    with pytest.raises(NotFetched, match="no package index"):
        settings.package_index()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.toml", f'[[index]]\nurl = "{OTHER}"\n[[index]]\nname = "x"\nurl = "{INDEX}"\ndefault = true\n'),
        ("uv.toml", f'index-url = "{INDEX}"\n'),
        ("uv.toml", f'[pip]\nindex-url = "{INDEX}"\n'),
        ("pyproject.toml", f'[tool.uv]\nindex = [{{ url = "{INDEX}", default = true }}]\n'),
        ("../uv.toml", f'index-url = "{INDEX}"\n'),
        ("../../config/uv/uv.toml", f'index-url = "{INDEX}"\n'),
    ],
)
def test_the_configuration_of_uv(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "project" / "below" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert settings.package_index() == INDEX


@pytest.mark.parametrize(
    "text", ["", "index-url = 5", "index-url = ", "\xff", '[[index]]\nurl = "x"', "index = 3", "[pip"]
)
def test_what_uv_could_not_use_either(text: str, tmp_path: Path) -> None:
    (tmp_path / "project" / "uv.toml").write_text(text, encoding="latin-1")
    assert settings.configured_in_uv() is None


def test_where_nothing_is_configured_pip_says_its_default() -> None:
    """The real pip: its help names an index, and that is the one that it would ask."""
    found = settings.package_index()
    assert found.startswith("https://")
    assert found == settings.default_in_help(settings._said([sys.executable, "-m", "pip"], "install", "--help"))


def test_there_is_no_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotFetched, match="set PIP_INDEX_URL"):
        settings.package_index()


def test_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "home" / ".netrc"
    netrc.write_text("machine index.example.org login some@one password s3/t\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("PIP_INDEX_URL", INDEX)
    assert settings.package_index() == "https://some%40one:s3%2Ft@index.example.org/simple"
    netrc.write_text("machine\x00 nonsense {")
    assert settings.package_index() == INDEX


def test_credentials_are_taken_out_of_urls() -> None:
    url, headers = without_credentials("https://a:b@host:81/x?y#z")
    assert (url, headers) == ("https://host:81/x?y", {"Authorization": "Basic YTpi"})
    assert without_credentials("https://host/x") == ("https://host/x", {})
    assert shown("https://a:b@host:81/x?token=1#z") == "https://host:81/x"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("torch==2.10.0", "2.10.0"),
        ("torch (==2.0.1)", "2.0.1"),
        ("torch>=2.10", ">=2.10"),
        ("torch", None),
        ("torch>=2.1,<2.5", None),
        ("torch==2.10.0; extra == 'x'", None),
        ("torch==2.10.0+cu128", None),
        ("torchvision==0.2", None),
        ("torch-x==2.10.0", None),
    ],
)
def test_the_torch_that_metadata_asks_for(line: str, wanted: str | None) -> None:
    text = f"Metadata-Version: 2.1\r\nRequires-Dist: numpy\r\nRequires-Dist: {line}\r\n\r\nRequires-Dist: no\r\n"
    assert required_torch(text) == wanted
    assert required_torch(text + f"Requires-Dist: {line}\n") is None


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ('<https://a/x?page=2>; rel="next", <https://a/x?page=9>; rel="last"', "https://a/x?page=2"),
        ('<https://a/x?page=1>; rel="prev", <https://a/x?page=3>; rel=next', "https://a/x?page=3"),
        ('<https://a/x?page=9>; rel="last"', None),
        ("", None),
        (None, None),
        ("nonsense; rel=next", None),
        ("<>; rel=next", None),
    ],
)
def test_the_next_page(link: str | None, wanted: str | None) -> None:
    assert following(link) == wanted


@pytest.mark.parametrize("tag", ["v1/../../..", "v1//x", "../x", "/x", "x/", "v1/..", "v 1", "v1\\x", ""])
def test_a_tag_that_leads_elsewhere_is_no_tag(tag: str) -> None:
    assert github.TAG.fullmatch(tag) is None


@pytest.mark.parametrize("tag", ["v2.8.3", "v2.8.3.post1", "fa4-v4.0.0.beta27", "builds/2026-11", "v0.0.8+x_1"])
def test_a_tag(tag: str) -> None:
    assert github.TAG.fullmatch(tag)


class Asked:
    """A fetcher that says what it was asked with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []

    def get(self, url: str, headers: dict[str, str], *_: object, **__: object) -> Answer:
        self.calls.append((url, dict(headers)))
        return Answer(url, 200, {}, b"Requires-Dist: torch==2.10.0\n")


@pytest.mark.parametrize(
    ("page", "file", "asked", "credentials"),
    [
        ("https://me:secret@index.example.org/simple/x/", "https://index.example.org/files/x.whl", True, True),
        ("https://me:secret@index.example.org/simple/x/", "https://files.example.org/x.whl", True, False),
        ("https://me:secret@index.example.org/simple/x/", "http://files.example.org/x.whl", False, False),
        ("https://me:secret@index.example.org/simple/x/", "https://index.example.org:8443/x.whl", True, False),
        ("http://127.0.0.1:8000/simple/x/", "http://127.0.0.1:8001/x.whl", True, False),
    ],
)
def test_credentials_go_to_the_index_itself_and_nothing_gets_less_secure(
    page: str, file: str, asked: bool, credentials: bool
) -> None:
    fetcher = Asked()
    published = Published("xformers-0.0.99-cp39-abi3-manylinux_2_28_x86_64.whl")
    metadata = indexes._Metadata(fetcher, {}, None)  # type: ignore[arg-type]
    found = metadata.with_torch(Link(published, file, metadata=True), page)
    assert [url for url, _ in fetcher.calls] == ([f"{file}.metadata"] if asked else [])
    assert all(("Authorization" in headers) is credentials for _, headers in fetcher.calls)
    assert found.torch == ("2.10.0" if asked else None)
