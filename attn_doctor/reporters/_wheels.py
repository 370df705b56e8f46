"""A search of the catalogue as text: the best file, then the next ones in one line each, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import as_json, hanging, printed
from attn_doctor.wheels.catalogue import source_row

if TYPE_CHECKING:
    from attn_doctor.judgement.wheel_search import Answer, Query
    from attn_doctor.wheels.catalogue import Wheel

SHOWN = 6  # files, and misses, where the call gives no limit


def text(answer: Answer, limit: int | None) -> str:
    """One screen; file names, URLs and commands are whole."""
    return printed(_lines(answer, limit or SHOWN))


def document(answer: Answer) -> str:
    """Indented JSON, ending in a newline; validates against schemas/wheels.json."""
    return as_json(answer)


def _lines(answer: Answer, limit: int) -> Iterator[str]:
    if answer.query is None:
        yield from hanging("", f"{answer.backend} needs no wheel of its own: it comes with torch.")
        return
    yield from hanging(f"{answer.package}  ", _looked_for(answer.query))
    yield ""
    if answer.fitting:
        yield from _best(answer.fitting[0])
        yield from _others(answer, limit)
    else:
        yield from _none(answer, limit)
    yield ""
    for note in answer.notes:
        yield from hanging("", note)
    if answer.notes:
        yield ""
    if answer.next_steps:
        yield "Install it:" if len(answer.next_steps) == 1 else "The shortest way to one that runs:"
        yield from (f"  {step}" for step in answer.next_steps)
        yield ""
    old = ": newer files are likely; look at the sources too" if answer.stale else ""
    yield from hanging("", f"The catalogue is of {answer.as_of}{old}.")


def _looked_for(query: Query) -> str:
    said: list[tuple[str, str]] = [
        ("torch", f"torch {query.torch}" if query.torch else "no torch"),
        ("cuda", f"CUDA {query.torch_cuda}" if query.torch_cuda else "no CUDA" if query.torch else ""),
        ("abi", {True: "new C++ ABI", False: "old C++ ABI", None: ""}[query.cxx11abi] if query.os != "windows" else ""),
        ("python", f"Python {query.python}"),
        ("platform", f"{query.os} {query.arch}"),
        ("libc", (query.libc or "").replace("-", " ")),
        ("gpu", f"GPU {', '.join(query.capabilities)}" if query.capabilities else ""),
        ("version", f"version {query.version}" if query.version else ""),
        ("source", f"from {' or '.join(query.sources)}" if query.sources else ""),
        ("trust", "upstream only" if query.trust == "upstream" else ""),
        ("pre_release", "" if query.pre_releases else "no pre-releases"),
    ]
    return " · ".join(words for aspect, words in said if words and aspect in query.compared) or "everything"


def _best(wheel: Wheel) -> Iterator[str]:
    yield wheel.filename
    yield from hanging("  version  ", f"{wheel.version}, of {wheel.as_of}")
    yield from hanging("  trust    ", wheel.trust)
    yield from hanging("  source   ", source(wheel.source))
    yield from hanging("  built    ", built_for(wheel))
    yield f"  sha256   {wheel.sha256 or 'not known'}"
    yield f"  URL      {wheel.url or f'through the package index: {wheel.package}=={wheel.version}'}"
    for caution in cautions(wheel):
        yield from hanging("  note     ", caution)


def source(name: str) -> str:
    """A source by its name, where it is, and how far to trust it."""
    row = source_row(name)
    where = f", {row.repo}" if row.repo and row.repo != name else ""
    return f"{name}{where}" + (f": {row.trust}" if row.trust and row.trust != row.level else "")


def built_for(wheel: Wheel) -> str:
    """What the file says of itself, beyond its name."""
    if wheel.platform == "any":
        return "pure Python: for any torch and CUDA that its own needs allow"
    floor = wheel.torch is not None and wheel.torch.startswith(">=")
    torch = f"torch {wheel.torch.removeprefix('>=')}" if wheel.torch else None
    code = wheel.gpu_code or ()
    said = [
        f"{torch}{' and later' if floor else ''}" if torch else "",
        f"CUDA {wheel.cuda.removeprefix('cu')[:2]}" if wheel.cuda else "",
        {True: "new C++ ABI", False: "old C++ ABI", None: ""}[wheel.cxx11abi],
        f"glibc {wheel.needs_glibc} and later" if wheel.needs_glibc else "",
        f"GPU code {' '.join(code)}" if code else "",
    ]
    return ", ".join(part for part in said if part)


def cautions(wheel: Wheel) -> Iterator[str]:
    """What may be wrong with the file."""
    if wheel.label_lies:
        yield "its name says the old C++ ABI; the file has the new one"
    if wheel.confidence == "low":
        yield "it may not exist: its name follows from a build whose files were never seen"
    elif wheel.evidence != "listed":
        yield "its name follows from the tagged build matrix; the file itself was not seen in a listing"
    if wheel.built_with_torch and ".dev" in wheel.built_with_torch:
        yield f"built with torch {wheel.built_with_torch}, before that torch was released"
    if wheel.gpu_code is None and wheel.gpu_limit:
        yield f"which GPU code is inside was not published; at most {' '.join(wheel.gpu_limit)}"


def _others(answer: Answer, limit: int) -> Iterator[str]:
    others = answer.fitting[1:limit]
    if others:
        yield ""
        yield "Next:"
    yield from (f"  {wheel.trust:<9}  {wheel.filename}  {wheel.source}" for wheel in others)
    left = answer.found - 1 - len(others)
    if left > 0:
        yield f"  and {left} more: --limit {answer.found}"


def _none(answer: Answer, limit: int) -> Iterator[str]:
    yield "None fits. The nearest, and what differs:" if answer.misses else "None fits."
    for miss in answer.misses[:limit]:
        yield f"  {miss.wheel.filename}"
        for one in miss.differs:
            yield from hanging("    ", one.text)
