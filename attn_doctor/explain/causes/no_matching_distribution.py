"""The index holds no such version: it was never published there, or stands in another index.

Shows as pip's "No matching distribution found", uv's "there is no version of", poetry's, pdm's and conda's words. Not
for it: a Python without wheels (python-version-unsupported), ARM (aarch64-no-wheel), an index that was not reached
(tls-proxy-download).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _index, _mending
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import torch_builds
from attn_doctor.knowledge.versions import local, public

CATEGORY = _index.NO_VERSION
NOWHERE = (
    Sign("Could not find a version that satisfies", None, PROOF, "pip/_internal/resolution/resolvelib/factory.py"),
    Sign("No matching distribution found for", None, PROOF, "pip/_internal/resolution/resolvelib/factory.py"),
    Sign("there is no version of ", None, PROOF, "uv-resolver/src/pubgrub/report.rs"),
    Sign("there are no versions of ", None, PROOF, "uv-resolver/src/pubgrub/report.rs"),
    Sign("is available and you require", None, SIGN, "uv-resolver/src/pubgrub/report.rs: only X<2 is available"),
    Sign("has no usable wheels", None, PROOF, "uv-resolver/src/pubgrub/report.rs: --no-build"),
    Sign("no wheels with a matching", None, PROOF, "uv-resolver/src/pubgrub/report.rs"),
    Sign("`-compatible wheels", None, PROOF, "uv-resolver/src/pubgrub/report.rs: has no `MARKER`-compatible wheels"),
    Sign("a source distribution or wheel for the current platform", None, PROOF, "uv-resolver/src/lock"),
    Sign("Wheels are available for `", None, PROOF, "uv-resolver: hint"),
    Sign("only has wheels", None, PROOF, "uv-resolver: hint"),
    Sign("Unable to find installation candidates for", None, PROOF, "poetry: chooser"),
    Sign("which doesn't match any versions", None, PROOF, "poetry: solver"),
    Sign("Could not find a matching version of package", None, PROOF, "poetry add"),
    Sign("Unable to find candidates for", None, PROOF, "pdm: CandidateNotFound"),
    Sign("PackagesNotFoundError", None, PROOF, "conda/exceptions.py"),
    Sign("not available from current channels", None, PROOF, "conda/exceptions.py"),
    Sign("PackagesNotFoundInChannelsError", None, PROOF, "conda/exceptions.py"),
    Sign("No candidates were found for", None, PROOF, "rattler: pixi"),
    Sign("ResolvePackageNotFound", None, PROOF, "conda/exceptions.py"),
)
CONFLICT = (
    Sign("ResolutionImpossible", None, SIGN, "pip/_internal/resolution/resolvelib/factory.py"),
    Sign("have conflicting dependencies", None, SIGN, "pip/_internal/resolution/resolvelib/factory.py"),
)
CONDA = ("UnsatisfiableError", "PackagesNotFound", "ResolvePackageNotFound", "nothing provides")
ELSEWHERE = (
    Sign("was not found in the package registry", None, PROOF, "uv-resolver"),
    Sign("was not found in the provided package locations", None, PROOF, "uv-resolver"),
    Sign("nothing provides", r"nothing provides (?:requested )?(?!__)", SIGN, "libmamba"),
    Sign("LibMambaUnsatisfiableError", None, SIGN, "conda-libmamba-solver"),
    Sign("Could not solve for environment specs", None, SIGN, "micromamba, mamba 2"),
    Sign("UnsatisfiableError", None, SIGN, "conda/exceptions.py"),
    *CONFLICT,
    Sign("version solving failed", None, HINT, "poetry: solver"),
    Sign("your requirements are unsatisfiable", None, HINT, "uv-resolver"),
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in ELSEWHERE:
        return match.strength
    return match.strength if _index.verdict(match.line.text, log) == CATEGORY else None


def _wanted(match: Match, log: Log) -> tuple[str, str | None]:
    """Of the line, else of the one above it: uv wraps its sentences."""
    name, version = _index.wanted(match.line.text)
    other, pin = _index.wanted(log.around(match.line, 1, 0)[0].text)
    return (name or other, version or (pin if name in ("", other) else None))


def _demands(log: Log) -> list[str]:
    """'xformers 0.0.34 depends on torch==2.10.0': what pip lists as the conflict."""
    pairs = log.find("The conflict is caused by", None)
    start = next((log.position(line) for line, _ in pairs), None)
    lines = [] if start is None else [line.text.strip() for line in log.lines[start + 1 : start + 1 + DEMANDS]]
    return [text for text in lines if " depends on " in text or " requested " in text]


DEMANDS = 4


def explain(match: Match, case: Case) -> str:
    name, version = _wanted(match, case.log)
    if match.sign in CONFLICT and (demands := _demands(case.log)):
        return f"These demands do not go together: {'; '.join(demands)}. One of them has to move."
    if name == "torch" and version and local(version):
        return (
            f"{version} is a build of PyTorch's own index: the package index carries one build of each release, "
            "without a local part, and it is the only place that was asked (or the index of another CUDA was)."
        )
    what = f"{name} {version or ''}".strip() if name else "version of it"
    if match.sign in ELSEWHERE and not name:
        return "The versions that are asked for do not go together: each demands another of a package they share."
    return (
        f"The index that was asked has no {what} that can be installed here: no such release, or no file for this "
        "system."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    name, version = _wanted(match, case.log)
    if case.log.has(*CONDA):
        yield from _conda(case)
        return
    if name == "torch" and version:
        yield from _torch(version, case)
    elif name.replace("_", "-") in _mending.CATALOGUED:
        if case.plan is not None:
            yield f"attn-doctor install {case.plan.backend}   ({case.plan.title})"
        yield (
            f"attn-doctor wheels {name.replace('_', '-')}   (what is published, and where: prebuilt files are on "
            "GitHub)"
        )
    elif name == "triton" and case.windows:
        yield "pip install triton-windows   (Triton itself has no files for Windows)"
    if match.sign in ELSEWHERE:
        yield "ask for the package alone, without the other pins, and see which versions the resolver picks"
    if name:
        yield f"pip index versions {name}   (what this index has for this Python and system)"


def _conda(case: Case) -> Iterator[str]:
    """Which channel has it, for what."""
    log = case.log
    lacks = log.matches(r"nothing provides (?:requested )?(?P<name>[a-z][\w.-]{1,60})")
    listed = log.matches(r"(?m)^ +- (?P<name>[a-z][\w.-]{1,60})")
    found = lacks or listed
    name = found["name"] if found else "PACKAGE"
    yield f"conda search -c pytorch -c nvidia -c conda-forge {name}   (which channel has it; then that -c too)"
    if case.package in _mending.CATALOGUED:
        yield f"attn-doctor wheels {case.package}   (prebuilt files for pip, in the activated environment)"


def _torch(version: str, case: Case) -> Iterator[str]:
    """Where that build is, if anywhere; else the nearest that is published."""
    os = "windows" if case.windows else "linux"
    wanted = [build for build in torch_builds.builds(os, "x86_64") if build.torch == public(version)]
    asked = local(version)
    exact = next((build for build in wanted if asked is None or build.variant == asked), None)
    if exact is not None:
        yield f"{_mending.pip(case)} torch=={version} --index-url {exact.index_url}"
        return
    if wanted:
        have = ", ".join(build.variant for build in wanted)
        yield (
            f"{_mending.pip(case)} torch=={public(version)} --index-url {wanted[0].index_url}   (published for: {have})"
        )
    yield from _mending.torch_for(case)


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="The index has no version that can be installed",
    signs=(*NOWHERE, *ELSEWHERE),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
