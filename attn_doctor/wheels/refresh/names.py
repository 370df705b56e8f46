"""File names to rows: one grammar for each way of naming. A name that does not follow it is not understood.

Nothing is guessed: where the name is silent on torch, a row of `refresh.json` or the file's own metadata says it.
"""

from __future__ import annotations

import re

from attn_doctor.wheels.refresh.asked import FamilyRow, Grammar, LabelRow, asked
from attn_doctor.wheels.refresh.listing import Published
from attn_doctor.wheels.refresh.shelves import SPLIT_BY_TORCH, Row
from attn_doctor.wheels.tokens import in_range

LONGEST = 250
_NAME = re.compile(
    r"(?P<package>[A-Za-z][A-Za-z0-9_.]*)-(?P<version>\d+(?:\.\d+)+(?:(?:a|b|rc)\d+)?(?:\.post\d+)?)"
    r"(?:\+(?P<local>[A-Za-z0-9.]+))?(?:-\d+)?"
    r"-(?P<py>(?:cp3\d{1,2}|py3\d{0,2}))-(?P<abi>cp3\d{1,2}t?|abi3|none)"
    r"-(?P<plat>any|win_amd64|win_arm64|(?:(?:many)?linux[0-9_]*_(?:x86_64|aarch64)\.?)+)\.whl",
    re.ASCII,
)
_CUDA = r"cu(?P<cuda>[12]\d{1,3})"
_TORCH = r"torch(?P<torch>\d\.\d{1,2}(?:\.\d{1,2})?)"
_LOCALS: dict[Grammar, str] = {
    # +cu12torch2.8cxx11abiTRUE; one host writes cx11abi
    "labelled": _CUDA + _TORCH + r"cxx?11abi(?P<label>true|false)",
    # +cu128torch2.8, +cu128torch2.10gite2743ab
    "silent": _CUDA + _TORCH + r"(?:git[0-9a-f]{6,40})?",
    # +20251110.cu128torch280cxx11abitrue.c8abdd
    "dated": r"\d{8}\." + _CUDA + r"torch(?P<digits>\d{3,4})cxx11abi(?P<label>true|false)\.[0-9a-f]{5,40}",
    # +cu128torch2.8.0.post2, +cu130torch2.9.0andhigher.post4
    "floored": _CUDA + _TORCH + r"(?P<floor>andhigher)?(?:\.post\d+)?",
    # nothing, or the CUDA version of the directory
    "directory": r"(?:" + _CUDA + r")?",
    "plain": r"",
}


def understood(family: FamilyRow, published: Published, tag: str | None) -> Row | None:
    """The row of a file that a source lists; None where its name is not understood."""
    match = _NAME.fullmatch(published.filename) if len(published.filename) <= LONGEST else None
    if match is None:
        return None
    package = re.sub(r"[-_.]+", "-", match["package"]).lower()
    local = re.fullmatch(_LOCALS[family.grammar], match["local"] or "", re.IGNORECASE | re.ASCII)
    if package not in family.packages or local is None:
        return None
    said = local.groupdict()
    cuda = _cuda(family.grammar, said, tag)
    torch = _torch(family, package, said, match["abi"], published)
    if match["plat"] != "any" and torch is None:
        return None
    if package == SPLIT_BY_TORCH and (torch is None or torch.startswith(">=")):
        return None
    row = Row(
        package=package,
        version=match["version"],
        filename=published.filename,
        py=match["py"],
        abi=match["abi"],
        plat=match["plat"],
        cxx11abi=_label(said.get("label"), match["plat"]),
        source=family.source_id,
        evidence="listed",
        conf="high",
        cuda=cuda,
        torch=torch,
        tag=tag,
        sha256=published.sha256,
        size_bytes=published.size_bytes,
        requires_python=published.requires_python,
    )
    return row if _is_consistent(row, said, tag) else None


def real_abi(row: Row) -> bool | None:
    """What a file really has whose label lies; None where the label is right, or none is known to lie."""
    if row.cxx11abi is None or row.torch is None:
        return None
    for rule in asked().labels:
        if _applies(rule, row, row.torch.removeprefix(">=")):
            return rule.cxx11abi_real
    return None


def _applies(rule: LabelRow, row: Row, torch: str) -> bool:
    return (
        rule.package == row.package
        and rule.label == row.cxx11abi
        and rule.source_id in (None, row.source)
        and in_range(row.version, rule.since, rule.before)
        and in_range(torch, rule.torch_since, rule.torch_before)
    )


def _cuda(grammar: Grammar, said: dict[str, str | None], tag: str | None) -> str | None:
    if grammar == "directory":
        return tag
    return f"cu{said['cuda']}" if said.get("cuda") else None


def _torch(
    family: FamilyRow, package: str, said: dict[str, str | None], abi_tag: str, published: Published
) -> str | None:
    if digits := said.get("digits"):  # 280: 2.8.0, 2100: 2.10.0
        return f"{digits[0]}.{digits[1:-1]}.{digits[-1]}"
    if torch := said.get("torch"):
        return f">={torch}" if said.get("floor") else torch
    for row in asked().torch:
        if (row.package, row.source_id, row.abi_tag) == (package, family.source_id, abi_tag):
            return row.torch
    return published.torch


def _label(said: str | None, platform: str) -> bool | None:
    """On Windows the label means nothing."""
    return said.lower() == "true" if said and "linux" in platform else None


def _is_consistent(row: Row, said: dict[str, str | None], tag: str | None) -> bool:
    """A name that contradicts its directory, or says it is compiled and for any platform, is not believed."""
    contradicts = row.cuda == tag and said.get("cuda") is not None and f"cu{said['cuda']}" != tag
    return not contradicts and not row.plat.endswith(".") and (row.plat != "any" or row.abi == "none")
