"""The word by which a framework calls a backend, and how it is told: attn_implementation="sdpa" and its like."""

from __future__ import annotations

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.knowledge import frameworks
from attn_doctor.knowledge.frameworks import Framework
from attn_doctor.knowledge.spelling import bare, did_you_mean

# frameworks as people write them; hyphens, dots, underscores and capitals do not matter
ALIASES = {
    "hf": "transformers",
    "huggingface": "transformers",
    "trt-llm": "tensorrt-llm",
    "trtllm": "tensorrt-llm",
    "llama-cpp-python": "llama.cpp",
}
EVER = "0"  # `since` of a row that speaks of every release


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """One backend in the words of one framework. `word` is None where the framework has none, and `reason` says so."""

    framework: str
    version: str | None  # of the framework; None: the newest of the table is meant
    backend: str
    word: str | None
    setting: str | None  # the whole setting: attn_implementation="sdpa"
    by_itself: str | None  # what it selects when it is not told
    verify: str | None  # where the resolved choice can be read afterwards
    note: str | None
    reason: str | None = None
    source: str
    as_of: str


def framework(name: str) -> str:
    """The framework of that name or alias, as its distribution is called. Raises UsageError with the nearest name."""
    known = {bare(one): one for one in (*frameworks.names(), *ALIASES)}
    found = known.get(bare(name))
    if found is not None:
        return ALIASES.get(found, found)
    instead = did_you_mean(bare(name), known)
    raise UsageError(f"there is no framework {name!r}", f"{instead}Frameworks: {', '.join(frameworks.names())}.")


def row(name: str, version: str | None = None) -> Framework:
    """What that release takes; without a version the newest. Raises UsageError for one older than the table."""
    distribution = framework(name)
    rows = frameworks.releases(distribution)
    found = frameworks.framework(distribution, version) if version else rows[0]
    if found is None:
        oldest = rows[-1].since
        raise UsageError(
            f"{distribution} {version} is older than what attn-doctor knows of it",
            f"The table begins with {distribution} {oldest}.",
        )
    return found


def named(row: Framework, version: str | None, behind: str = "") -> str:
    """'transformers 5.23.0'; without a version the release from which the row holds, where it says one."""
    if version is None and row.since == EVER:
        return row.distribution
    return f"{row.distribution} {version or f'{row.since}{behind}'}"


def word(name: str, backend: str, version: str | None = None) -> Word:
    """What the framework calls a backend. Raises UsageError for a framework, or a release, that is not known."""
    found = row(name, version)
    said = found.words.get(backend)
    release = named(found, version, " and later")
    return Word(
        framework=found.distribution,
        version=version,
        backend=backend,
        word=said,
        setting=found.setting.replace("{word}", said) if said and found.setting else None,
        by_itself=found.default,
        verify=found.verify,
        note=found.note,
        reason=None if said else f"{release} has no name for {backend}",
        source=found.source,
        as_of=frameworks.as_of(),
    )


def words(name: str, version: str | None = None) -> dict[str, Word]:
    """Every backend that the framework has a name for."""
    return {backend: word(name, backend, version) for backend in row(name, version).words}
