"""Credentials of the user's index settings stand in no log, no journal and no output."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attn_doctor.execute import redact

if TYPE_CHECKING:
    from execute.workshop import Workshop


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Looking in indexes: https://ada:hunter22@host.example/simple", "Looking in indexes: https://****@host.example/simple"),
        ("https://only-a-token@host/simple/", "https://****@host/simple/"),
        ("GET /x.whl?X-Amz-Signature=abc123&y=1", "GET /x.whl?X-Amz-Signature=****&y=1"),
        ("/simple?token=abcdef more", "/simple?token=**** more"),
        ("Authorization: Basic YWRhOmh1bnRlcjIy", "Authorization: Basic ****"),
        ("mail ada@host.example, flash-attn @ https://host/x.whl", "mail ada@host.example, flash-attn @ https://host/x.whl"),
        ("nothing here", "nothing here"),
    ],
)  # fmt: skip
def test_what_is_hidden(text: str, wanted: str) -> None:
    assert redact.hidden_text(text) == wanted


def test_a_secret_in_two_pieces() -> None:
    stream = redact.Redacted((b"hunter22",))
    pieces = [b"the password is hun", b"ter22, the index http", b"s://ada:hun", b"ter22@host/\nnext", b" line"]
    said = b"".join([*(stream.feed(piece) for piece in pieces), stream.rest()])
    assert said == b"the password is ****, the index https://****@host/\nnext line"


def test_where_secrets_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://bob:of%2Fpip@h/simple\n")
    (tmp_path / ".netrc").write_text("machine h login ada password of-netrc\n")
    (tmp_path / "uv.toml").write_text('[[index]]\nurl = "https://token-of-uv@h/simple"\n')
    environment = {
        "HOME": str(tmp_path),
        "PIP_EXTRA_INDEX_URL": "https://h/ https://eve:of-extra@h/simple",
        "UV_INDEX_MINE_PASSWORD": "of-a-variable",
        "HF_TOKEN": "of-the-hub",
        "PATH": "/usr/bin",
    }
    found = redact.secrets(environment)
    assert {b"of%2Fpip", b"of/pip", b"of-netrc", b"token-of-uv", b"of-extra", b"of-a-variable", b"of-the-hub"} <= {
        *found
    }
    assert b"/usr/bin" not in found


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_planted_secrets_come_nowhere(open_workshop, kind: str) -> None:
    """pip and uv name their index where they fail; a wheel's own tool may print anything."""
    workshop: Workshop = open_workshop(kind)
    secret = {
        "user": "user-of-secrets",
        "password": "password-of-secrets",
        "token": "token-of-secrets",
        "conf": "conf-of-secrets",
    }
    address = workshop.shop.base.replace("http://", f"http://{secret['user']}:{secret['password']}@") + "/simple/"
    other = workshop.shop.base.replace("http://", f"http://{secret['token']}@") + "/none/"
    conf = workshop.folder / "pip.conf"
    conf.write_text(f"[install]\nfind-links = http://someone:{secret['conf']}@127.0.0.1:9/\n")
    variables = {
        "PIP_INDEX_URL": address,
        "UV_DEFAULT_INDEX": address,
        "PIP_EXTRA_INDEX_URL": other,
        "UV_INDEX": other,
        "PIP_CONFIG_FILE": str(conf),
        "PIP_VERBOSE": "3",
    }
    noisy = "import os, sys\nsys.stderr.write(repr(dict(os.environ)))\nraise SystemExit(1)\n"
    workshop.shop.files.clear()
    ran = workshop.install("-v", env=variables)
    assert ran.code == 1, ran
    (workshop.site / "sitecustomize.py").write_text(noisy)
    again = workshop.install("-v", env=variables)
    said = [ran.out + ran.err, again.out + again.err, workshop.call("history", "--format", "json", env=variables).out]
    said += [path.read_text(errors="replace") for path in workshop.state.rglob("*") if path.is_file()]
    assert any("triton==3.4.0" in text for text in said)
    for name, value in secret.items():
        assert not any(value in text for text in said), name
    shutil.rmtree(workshop.state)
    assert os.path.exists(workshop.target)
