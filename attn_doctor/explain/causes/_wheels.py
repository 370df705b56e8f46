"""The tags of the wheel a line is about, against what the log says of the machine."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from attn_doctor.explain.log import Log, compiled

# the tail of a file name is found from its end: it stands before '.whl'
TAIL = r"-(?P<python>[a-z]{2}\d[\w.]{0,40})-(?P<abi>\w[\w.]{0,40})-(?P<platform>[a-z]\w[\w.]{0,200})\.whl"
# lines that refuse a wheel: its tags are what the machine is not
REFUSALS = (
    "is not a supported wheel on this platform",
    "is not a supported wheel for this platform",
    "dependency is incompatible with the current platform",
    "binary distribution is incompatible with the current platform",
    "does not include a compatible wheel for the current platform",
    "cannot be installed in the current environment",
    "not compatible with this Python",
    "is not compatible with the current Python",
)


class Tags(msgspec.Struct, frozen=True):
    """'cp312', 'cp312', 'linux_x86_64'."""

    python: str
    abi: str
    platform: str

    @property
    def os(self) -> str | None:
        """'linux', 'windows', 'macos'; None for any."""
        for start, name in (("win", "windows"), ("macosx", "macos")):
            if self.platform.startswith(start):
                return name
        return "linux" if "linux" in self.platform else None

    @property
    def arch(self) -> str | None:
        """'x86_64', 'aarch64'; None for any, or where the tag holds several."""
        if re.search(r"aarch64|arm64", self.platform):
            return "aarch64"
        return "x86_64" if re.search(r"x86_64|amd64", self.platform) else None

    @property
    def version(self) -> str | None:
        """'3.12' of cp312, '3.13t' of a free-threaded one; None for a wheel that any Python takes."""
        found = re.fullmatch(r"cp(\d)(\d{1,2})", self.python)
        if found is None or self.abi in ("none", "abi3"):
            return None
        return f"{found[1]}.{found[2]}{'t' if self.abi.endswith('t') else ''}"


def tags(text: str) -> Tags | None:
    """Of the last wheel that a line names."""
    found = next(reversed(list(compiled(TAIL).finditer(text[:4096]))), None)
    return Tags(found["python"], found["abi"], found["platform"]) if found else None


def never_fits(text: str) -> bool:
    """Whether the refused wheel has tags that no installer looks for: py311-cp311, Python code for a compiled ABI."""
    named = tags(text)
    return named is not None and re.fullmatch(r"py\d+", named.python) is not None and named.abi.startswith("cp")


@lru_cache(maxsize=1)
def python_of(log: Log) -> str | None:
    """The interpreter that the log shows, by anything but the names of wheels."""
    found = None
    for literal, pattern in PYTHONS:
        for line, match in log.find(literal, pattern):
            if match and not any(refusal in line.text for refusal in REFUSALS):
                found = match[1] if "." in match[1] else f"3.{match[1][1:]}"
        if found:
            return found
    return found


PYTHONS = (
    ("you're using CPython", r"you're using CPython (3\.\d{1,2})"),
    ("You're using CPython", r"You're using CPython (3\.\d{1,2})"),
    ("python_version", r"'python_version': '(3\.\d{1,2})'"),
    ("ython 3.", r"\b[Pp]ython (3\.\d{1,2})\b(?:\.\d+)?(?! or | and )"),
    ("ython=3.", r"\b[Pp]ython=(3\.\d{1,2})\b"),
    ("/python3.", r"/python(3\.\d{1,2})\b"),
    ("ython3", r"[\\/][Pp]ython(3\d{1,2})[\\/]"),
    ("Using Python 3.", r"Using Python (3\.\d{1,2})"),
)


@lru_cache(maxsize=1)
def system_of(log: Log) -> tuple[str | None, str | None]:
    """Operating system and architecture, by lines that do not refuse a wheel."""
    text = "\n".join(_without_wheels(line.text) for line in log.lines)
    os = next((name for pattern, name in SYSTEMS if re.search(pattern, text)), None)
    arch = next((name for pattern, name in ARCHES if re.search(pattern, text)), None)
    return os, arch


def _without_wheels(text: str) -> str:
    """A line without the names of wheels: they say what somebody wanted, and not where."""
    return re.sub(r"[\w.+%-]{1,250}\.whl", "", text[:4096]) if ".whl" in text else text


SYSTEMS = (
    (r"[A-Za-z]:\\\w|win32|\bWindows\b|PS [A-Z]:", "windows"),
    (r"/Users/\w|\bDarwin\b|\bmacOS\b|\bMac(?:Book| OS)|Apple M\d", "macos"),
    (r"(?<!\w)/(?:home|usr|root|opt|mnt|workspace|content)/|\bLinux\b|\b[Uu]buntu\b|\bDebian\b|\bWSL", "linux"),
)
ON_ARM = (
    r"(?i)\baarch64\b|(?:e\.g\., |\bon Linux \()`(?:many|musl)linux\w{1,12}_aarch64`|\barm64\b|\bGH200\b|\bGB10\b"
    r"|\bGrace\b|\bJetson\b|DGX Spark|\bM[1-4] (?:Pro|Max|Mac)"
)
ARCHES = ((ON_ARM, "aarch64"), (r"(?i)\bx86_64\b|\bamd64\b", "x86_64"))


def verdict(text: str, log: Log) -> str | None:
    """'python' or 'platform': which tag of the refused wheel differs; None where the log says neither."""
    if "you're on" in text or log.has("you're on ", "You're on "):
        return "platform"
    if "you're using" in text or log.has("you're using ", "You're using "):
        return "python"
    named = tags(text)
    if named is None:
        return None
    os, arch = system_of(log)
    if (named.os and os and named.os != os) or (named.arch and arch and named.arch != arch):
        return "platform"
    python = python_of(log)
    if named.version and python:
        return "platform" if named.version == python else "python"
    if named.version is None and named.platform != "any":
        return "platform"
    return None
