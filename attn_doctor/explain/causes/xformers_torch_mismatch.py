"""xFormers' compiled part was built for another torch, CUDA or Python than the ones installed.

Shows as its banner "xFormers can't load C++/CUDA extensions. xFormers was built for: ... (you have ...)", as an
undefined symbol of xformers/_C.so. Not for it: "(you have 2.1.2+cpu)", where torch itself is the wrong build
(cpu-only-torch), a differing patch of Python alone, an operator that fits no input (xformers-no-operator).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import torch_builds

CATEGORY = "xformers-torch-mismatch"
BUILT = r"PyTorch (?P<built>\d[\w.+]*) with CUDA (?P<cuda>\w+) \(you have (?P<have>\d[\w.+]*)\)"
PYTHONS = r"Python +(?P<built>3\.\d+)[\w.]* \(you have (?P<have>3\.\d+)"


def banner(log: Log) -> re.Match[str] | None:
    """The line of the banner that compares the torches."""
    return log.matches(BUILT)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in _loader.UNDEFINED:
        return _loader.speaks_for(CATEGORY, match, log)
    if match.sign.literal == "wasn't build with CUDA support":
        return None if log.matches(r"device=cpu\b") else SIGN
    if match.sign.literal not in ("can't load C++/CUDA extensions", " with CUDA ", "xFormers was built for"):
        return match.strength
    found = banner(log)
    if found is None:
        return match.strength
    if "+cpu" in found["have"] and _release(found["built"]) == _release(found["have"]):
        return None  # only torch's own build is wrong
    pythons = log.matches(PYTHONS)
    same_python = pythons is None or pythons["built"] == pythons["have"]
    return SIGN if found["built"] == found["have"] and same_python else match.strength


def _release(torch: str) -> str:
    return torch.partition("+")[0]


def explain(_match: Match, case: Case) -> str:
    found = banner(case.log)
    if found is None:
        return (
            f"xFormers' compiled part does not load beside {_mending.torch(case)}: each is compiled against one torch "
            "release."
        )
    if found["built"] == found["have"]:
        return (
            "xFormers was built for this torch, and its compiled part does not load all the same: a library it needs "
            "is not found."
        )
    return (
        f"This xFormers was compiled for torch {found['built']}, and torch {found['have']} is installed. Without its "
        "compiled part memory_efficient_attention finds no operator. Differing patches of Python in the banner do not "
        "matter."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    found = banner(case.log)
    have = found["have"] if found else case.said.get("torch")
    yield from _by_table(case, have) if have else ()
    if not have:
        yield from _mending.anew(case, "xformers")
    yield "pip uninstall -y xformers   (torch's own attention, sdpa, does what it did in most programs)"
    yield "pip install -U xformers by itself replaces torch: it demands the release it was built for"


def _by_table(case: Case, have: str) -> Iterator[str]:
    """The xFormers that belongs to that torch, from the index of its CUDA."""
    pins = torch_builds.pins(have)
    variant = have.partition("+")[2]
    index = f" --index-url {torch_builds.INDEX}{variant}" if variant.startswith("cu") else ""
    if pins is not None and pins.xformers:
        yield f"{_mending.pip(case)} --no-deps xformers=={pins.xformers[-1]}{index}   (belongs to torch {pins.torch})"
    else:
        yield from _mending.anew(case, "xformers")


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="xFormers was built for another torch",
    signs=(
        Sign(
            "wasn't build with CUDA support", None, SIGN, "xformers/ops/fmha/common.py: its compiled part is not there"
        ),
        Sign("can't load C++/CUDA extensions", None, PROOF, "xformers/_cpp_lib.py"),
        Sign("xFormers was built for", None, PROOF, "xformers/_cpp_lib.py"),
        Sign(" with CUDA ", BUILT, PROOF, "xformers/_cpp_lib.py"),
        Sign("to use all xFormers features", None, SIGN, "xformers/_cpp_lib.py: installed without a compiled part"),
        Sign("Requires Flash-Attention version", r"(?:but got|,<=)", SIGN, "xformers/ops/fmha/flash.py"),
        Sign("xformers ", r"xformers \S+ has requirement torch", SIGN, "pip check"),
        Sign("No module named 'xformers.", r"xformers\.(?:_C|ops\.fmha\._C)", SIGN, "Python"),
        Sign("xformers", r"module 'xformers' has no attribute '(?:ops|__version__)'", HINT, "Python"),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("xformers-no-operator",),
)
