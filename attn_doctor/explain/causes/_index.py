"""An index has no file that can be installed: which version, for which Python, on which processor."""

from __future__ import annotations

import re

from attn_doctor.explain.causes import _wheels
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import local, public

NO_VERSION = "no-matching-distribution"
PYTHON = "python-version-unsupported"
ARM = "aarch64-no-wheel"

ASKED = (
    r"(?:satisfies the requirement|distribution found for|no version of|versions of|candidates for|of package"
    r"|depends on(?! Python))"
)
SPOKEN_OF = r"(?:Because|Distribution)(?! (?:only|there|the|all|your)\b)"
REQUIREMENT = (
    r"(?P<name>[A-Za-z][\w.-]{0,60}\b)(?:\[[\w,]{1,40}\])?(?:\{[^}\n]{1,120}\})?"
    r"(?:\s?\(?(?P<sign>[=<>~!]=?)\s?(?P<version>[\w.+!]{1,40})|\s\((?P<bare>\d[\w.+!]{0,40})\))?"
)
OTHER_PYTHON = (
    *("matching Python ABI tag", "matching Python version tag", "matching Python implementation tag"),
    *(
        "with the following Python ABI tag",
        "with the following Python implementation tag",
        "with the following Python tag",
    ),
)
OTHER_SYSTEM = (
    *("matching platform tag", "on the following platform", "for the following platform"),
    "`-compatible wheels",  # of a marker; where it names a Python, see PYTHON_MARKER
)
PYTHON_MARKER = r"has no `(?:python|implementation)_\w+"


def verdict(text: str, log: Log) -> str:
    """Which of the three a line about a missing distribution stands for."""
    if any(word in text for word in OTHER_PYTHON) or log.has(*OTHER_PYTHON) or log.matches(PYTHON_MARKER):
        return PYTHON
    if on_arm(log):
        return ARM
    if any(word in text for word in OTHER_SYSTEM) or log.has(*OTHER_SYSTEM):
        return NO_VERSION
    return PYTHON if by_python(text, log) else NO_VERSION


def on_arm(log: Log) -> bool:
    """Whether the machine is ARM64 Linux."""
    os, arch = _wheels.system_of(log)
    return arch == "aarch64" and os != "macos" and not log.has("macosx_")


def wanted(text: str) -> tuple[str, str | None]:
    """('torch', '2.1.0+cu118'): the distribution that is asked for, and the one version where one is named."""
    for before in (ASKED, SPOKEN_OF):
        if found := re.search(f"{before} [`'\"]?{REQUIREMENT}", text):
            return found["name"].lower(), found["bare"] or (found["version"] if found["sign"] == "==" else None)
    return "", None


def offered(log: Log) -> tuple[str, ...] | None:
    """The versions that pip lists; empty where it says none; None where it lists nothing."""
    for _, match in log.find("(from versions: ", r"\(from versions: (?P<all>[^)]{1,8000})"):
        if match:
            listed = match["all"]
            return () if listed.strip() == "none" else tuple(part.strip() for part in listed.split(","))
    return None


def by_python(text: str, log: Log) -> bool:
    """Whether the version exists, and only for other Pythons."""
    name, version = wanted(text)
    if version and log.matches(
        rf"require a different python version: [^\n]{{0,4000}}\b{re.escape(version)} Requires-Python"
    ):
        return True
    if name not in ("torch", "torchvision", "torchaudio"):
        return False
    python = _wheels.python_of(log)
    if name == "torch" and python is not None and (served := pythons(version, variant_of(version, log))):
        if f"cp{python.replace('.', '')}" not in served:
            return True
        if version is not None:
            return False
    if version is None or local(version):
        return version is None and offered(log) in ((), None)
    listed = offered(log)
    return name == "torch" and listed is not None and version not in listed and exists(version)


def exists(version: str) -> bool:
    """Whether torch was released in that version."""
    return any(release.torch == public(version) for release in torch_builds.table().releases)


def variant_of(version: str | None, log: Log) -> str | None:
    """'cu121': of the version that is asked for, or of the index it is asked from."""
    if version and local(version):
        return local(version)
    found = log.matches(r"download\.pytorch\.org/whl/(?:nightly/|test/)?(?P<variant>cu\d{2,3}|cpu)")
    return found["variant"] if found else None


def pythons(version: str | None, variant: str | None) -> frozenset[str]:
    """The tags of every Python that a torch was published for; of that version and variant where they are named."""
    found = {
        tag
        for build in torch_builds.builds("linux", "x86_64")
        if (version is None or build.torch == public(version)) and variant in (None, build.variant)
        for tag in build.python_tags or ()
    }
    return frozenset(found)
