"""setup.py guessed the name of a release file, did not get it, and goes on to compile.

flash-attn, mamba-ssm and causal-conv1d do so. What then fails in the compile is the cause to mend first, and the
traceback of urllib below a failed compile is only the exception that was being handled. A certificate or a proxy that
stands in the way is tls-proxy-download.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds, _commands
from attn_doctor.explain.log import Log

NETWORK = ("CERTIFICATE_VERIFY_FAILED", "SSL:", "ssl.SSL", "Tunnel connection failed", "ProxyError", "SSLError")


def weigh(match: Match, log: Log) -> Strength | None:
    if log.has("Raw wheel path"):
        return None  # the file was there
    if "urlopen error" in match.sign.literal and log.near(match.line, *NETWORK, before=20, after=4):
        return None
    if any(words in match.line.text for words in NETWORK):
        return None
    if "Precompiled" not in match.sign.literal and log.near(match.line, "ninja: build stopped", before=80):
        return HINT  # the exception that was being handled when the compile failed
    about_the_wheel = ("wheel_url", "urlretrieve(", "Guessing wheel URL", "Precompiled wheel")
    if "Precompiled" not in match.sign.literal and not log.has(*about_the_wheel):
        return HINT if "404" in match.sign.literal and log.has("flash", "mamba", "causal") else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    offline = "urlopen error" in match.sign.literal or case.log.has("<urlopen error")
    why = "the release page could not be reached" if offline else "no release file has that name"
    return (
        f"The package's setup.py looks for a wheel for exactly this torch, CUDA, Python and system, and {why}. It then "
        "compiles from source, which takes a CUDA toolkit, memory and time."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    yield from _builds.instead_of_building(case)
    if case.plan is None:
        yield _builds.or_search(case)
    yield from _commands.toolkit(case, _commands.wanted_cuda(case) if case.plan is None else None)
    yield "Renaming a wheel of another torch or Python does not help: what is inside stays what it is."


CAUSE = Cause(
    category="prebuilt-wheel-not-found-source-fallback",
    stage="build",
    title="No published wheel fits, so the package is compiled",
    signs=(
        Sign("Precompiled wheel not found", None, SIGN, "flash-attn, mamba-ssm, causal-conv1d setup.py"),
        Sign("urllib.request.urlretrieve(wheel_url", None, SIGN, "the same, in a traceback"),
        Sign("HTTP Error 404", None, SIGN, "urllib"),
        Sign("<urlopen error", r"Errno -?\d+|timed out|getaddrinfo|Connection refused|unreachable", SIGN, "urllib"),
        Sign("Guessing wheel URL", None, HINT, "flash-attn setup.py"),
        Sign("Building from source...", None, SIGN, "flash-attn setup.py"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
