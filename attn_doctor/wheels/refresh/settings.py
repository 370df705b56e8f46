"""Which package index the user's own pip or uv is set up with. Nothing here names one."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any
from urllib.parse import quote, urlunsplit

from attn_doctor.wheels.refresh.fetch import NotFetched, split

PIP_VARIABLE = "PIP_INDEX_URL"
UV_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
TIMEOUT_S = 60.0
TOML_LIMIT_BYTES = 1 << 20
SECTIONS = (":env:", "install", "global")  # as pip itself ranks them


def package_index() -> str:
    """The URL, credentials and all. Raises NotFetched."""
    for name in (PIP_VARIABLE, *UV_VARIABLES):
        if value := os.environ.get(name, "").strip():
            return _address(value)
    pip = _pip()
    configured = configured_in_pip(_said(pip, "config", "list")) if pip else {}
    if configured.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        raise NotFetched("pip is told to use no package index (no-index)")
    found = configured.get("index-url") or configured_in_uv() or (_default(pip) if pip else None)
    if found is None:
        raise NotFetched(f"no package index is configured, and there is no pip to ask; set {PIP_VARIABLE}")
    return _address(found)


def configured_in_pip(listed: str) -> dict[str, str]:
    """`pip config list`: the options, each from the section that counts."""
    found: dict[str, str] = {}
    for section in reversed(SECTIONS):
        for line in listed.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                found[name.removeprefix(f"{section}.")] = _unquoted(value)
    return found


def configured_in_uv() -> str | None:
    """The default index of the nearest uv.toml or pyproject.toml, else of the user's or the system's uv.toml."""
    for path, table in _uv_files():
        if (settings := _toml(path, table)) is not None and (index := uv_index(settings)):
            return index
    return None


def uv_index(settings: dict[str, Any]) -> str | None:
    """The index that takes the place of uv's own default."""
    indexes = settings.get("index")
    for row in indexes if isinstance(indexes, list) else ():
        if isinstance(row, dict) and row.get("default") is True and isinstance(row.get("url"), str):
            return str(row["url"])
    pip = settings.get("pip")
    for table in (settings, pip if isinstance(pip, dict) else {}):
        if isinstance(table.get("index-url"), str):
            return str(table["index-url"])
    return None


def default_in_help(text: str) -> str | None:
    """The default index, from the help of `pip install`."""
    match = re.search(r"--index-url.*?\(default:?\s+(https?://[^\s)]+)\)", text, re.DOTALL)
    return match[1] if match else None


def _address(value: str) -> str:
    """One URL; pip takes the first word of several."""
    first = value.split(maxsplit=1)[0]
    first = re.sub(r"^[\w-]+=(?=https?://)", "", first)  # uv: NAME=URL
    return _with_netrc(first if "://" in first else f"https://{first}")


def _with_netrc(url: str) -> str:
    """The credentials of a private index may stand in ~/.netrc, where pip and uv look too."""
    import netrc

    parts = split(url)
    try:
        known = None if "@" in parts.netloc else netrc.netrc().hosts.get(parts.hostname or "")
    except (OSError, netrc.NetrcParseError, UnicodeError):
        return url
    if known is None:
        return url
    user, _, password = known
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password or '', safe='')}@{parts.netloc}"))


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (ValueError, SyntaxError):
        return value


def _pip() -> list[str] | None:
    """The pip of the interpreter that runs attn-doctor, else the one on the PATH."""
    own = [sys.executable, "-m", "pip"]
    if sys.executable and _said(own, "--version"):
        return own
    found = shutil.which("pip") or shutil.which("pip3")
    return [found] if found else None


def _default(pip: list[str]) -> str | None:
    return default_in_help(_said(pip, "install", "--help"))


def _said(pip: list[str], *arguments: str) -> str:
    """What pip prints; nothing where it fails."""
    environment = os.environ | {"COLUMNS": "1000", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONIOENCODING": "utf-8"}
    try:
        done = subprocess.run(
            [*pip, *arguments],
            env=environment,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _uv_files() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Where uv looks, nearest first, and which table of the file is uv's."""
    if given := os.environ.get("UV_CONFIG_FILE"):
        yield given, ()
        return
    folder = os.getcwd()
    while True:
        yield os.path.join(folder, "uv.toml"), ()
        yield os.path.join(folder, "pyproject.toml"), ("tool", "uv")
        if os.path.dirname(folder) == folder:
            break
        folder = os.path.dirname(folder)
    home = os.environ.get("HOME", "")
    for base in (os.environ.get("XDG_CONFIG_HOME") or (home and os.path.join(home, ".config")), "/etc"):
        if base:
            yield os.path.join(base, "uv", "uv.toml"), ()


def _toml(path: str, table: tuple[str, ...]) -> dict[str, Any] | None:
    try:
        with open(path, "rb") as file:
            text = file.read(TOML_LIMIT_BYTES).decode()
        found: Any = _loads(text)
    except (OSError, ValueError, RecursionError, ImportError):
        return None
    for name in table:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else None


def _loads(text: str) -> Any:
    """Python 3.10 has no reader of its own, but pip brings one."""
    return import_module("tomllib" if sys.version_info >= (3, 11) else "pip._vendor.tomli").loads(text)
