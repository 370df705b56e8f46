"""What a snippet is, how frameworks are found, and what stands above every snippet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

import msgspec

from attn_doctor import __version__
from attn_doctor.discovery import discover
from attn_doctor.errors import UsageError
from attn_doctor.judgement import hint, resolution, words
from attn_doctor.knowledge import frameworks
from attn_doctor.knowledge.snippets import details
from attn_doctor.knowledge.spelling import bare, did_you_mean

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.report import Model
    from attn_doctor.judgement.resolution import Resolution
    from attn_doctor.judgement.view import Machine
    from attn_doctor.knowledge.frameworks import Framework
    from attn_doctor.knowledge.snippets import Details

SCHEMA = "attn-doctor/snippet/1"
WIDTH = 78
TORCH_DTYPES = {"fp16": "torch.float16", "bf16": "torch.bfloat16", "fp32": "torch.float32"}
Language = Literal["python", "sh", "yaml"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What a snippet is written from. `row`: the words of the release that is installed, else of the newest."""

    machine: Machine
    need: Need
    resolution: Resolution | None  # None: there is nothing of ours to choose from
    row: Framework
    details: Details | None
    version: str | None  # None: not installed

    @property
    def backend(self) -> str | None:
        """The one that runs here, of those the framework has a name for."""
        return self.resolution.backend if self.resolution else None

    @property
    def word(self) -> str | None:
        """The same in the words of the framework."""
        return self.row.words.get(self.backend) if self.backend else None

    @property
    def chain(self) -> tuple[str, ...]:
        """The word, and those to fall back on, in the words of the framework."""
        listed = self.resolution.chain if self.resolution else ()
        rest = listed[listed.index(self.backend) :] if self.backend else listed[-1:]
        return tuple(dict.fromkeys(self.row.words[one] for one in rest if one in self.row.words))

    @property
    def dtype(self) -> str | None:
        """The dtype to load in, as torch names it; None where the model's own is right."""
        if self.need.dtype in TORCH_DTYPES:
            return TORCH_DTYPES[self.need.dtype]
        if self.machine.device not in ("cuda", "rocm"):
            return None
        capabilities = self.machine.capabilities
        return TORCH_DTYPES["fp16" if capabilities and not hint.all_reach(capabilities, "bf16") else "bf16"]

    @property
    def device(self) -> str:
        """As torch names it."""
        return {"cuda": "cuda", "rocm": "cuda", "mps": "mps", "cpu": "cpu"}[self.machine.device]


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a framework's file writes: the code, and the check that it took effect, in one language.

    `backend`: what the code uses where that is not what the chain led to.
    """

    language: Language
    code: str
    check: str
    notes: tuple[str, ...] = ()
    backend: str | None = None


class Maker(msgspec.Struct, frozen=True, kw_only=True):
    """How one framework's snippet is made. `words`: the framework whose words it uses, where that is another.

    `chain`: the backends to try where the call names none; empty: it has kernels of its own alone, and no other.
    """

    framework: str
    make: Callable[[Case], Draft]
    words: str | None = None
    chain: tuple[str, ...] | None = None
    models: bool = False  # whether what a model supports decides besides


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """Lines to paste. `text` is all of it as one file: what is known as a comment, the code, the check."""

    schema: str = SCHEMA
    version: str = __version__
    framework: str
    framework_version: str | None  # None: not installed, the newest that is known is meant
    backend: str | None  # None: nothing of the chain runs here
    word: str | None
    language: Language
    code: str
    check: str
    notes: tuple[str, ...]
    text: str
    source: str
    as_of: str


@cache
def makers() -> dict[str, Maker]:
    """Every framework of this folder, by name, sorted."""
    found: list[Maker] = [module.MAKER for module in discover(__package__ or "")]
    return {one.framework: one for one in sorted(found, key=lambda one: one.framework)}


def maker(name: str) -> Maker:
    """The one of that name or alias. Raises UsageError with the list and the nearest."""
    aliases = {bare(alias): meant for alias, meant in words.ALIASES.items()}
    known = aliases | {bare(one): one for one in makers()}
    meant = known.get(bare(name))
    if meant is not None and meant in makers():
        return makers()[meant]
    listed = f"Frameworks: {', '.join(makers())}."
    if bare(name) in {bare(one) for one in frameworks.names()}:
        row = words.row(name)
        taken = f"What it uses here: attn-doctor resolve --for {row.distribution}. "
        raise UsageError(f"there is no snippet for {row.distribution}: {row.note}", f"{taken}{listed}")
    known |= {bare(one): one for one in frameworks.names()}
    raise UsageError(f"there is no framework {name!r}", f"{did_you_mean(bare(name), known)}{listed}")


def write(
    one: Maker, machine: Machine, need: Need, backend: str | None = None, model: Model | None = None
) -> tuple[Snippet, Resolution | None]:
    """The snippet for these facts, and how its backend was found. Raises UsageError for a release that is too old."""
    distribution = one.words or one.framework
    resolved: Resolution | None = None
    lacks = {of.backend for of in model.implementations if of.supported is False} if model else set()
    if one.chain != ():
        chain = [of for of in resolution.chain_of(backend, one.chain, distribution) if of not in lacks] or ["eager"]
        resolved = resolution.resolve(machine, chain, need, distribution)
    installed = machine.packages.get(distribution)
    version = installed.version if installed else None
    row = words.row(distribution, version)
    case = Case(
        machine=machine,
        need=need,
        resolution=resolved,
        row=row,
        details=_details(distribution, version),
        version=version,
    )
    draft = one.make(case)
    notes = (*_notes(case, draft.backend), *_of_model(model), *draft.notes)
    snippet = Snippet(
        framework=one.framework,
        framework_version=version,
        backend=draft.backend or case.backend,
        word=case.word,
        language=draft.language,
        code=draft.code,
        check=draft.check,
        notes=notes,
        text=_text(draft, notes),
        source=row.source,
        as_of=frameworks.as_of(),
    )
    return snippet, resolved


def _details(distribution: str, version: str | None) -> Details | None:
    try:
        return details(distribution, version)
    except IndexError:  # nothing beside its words is known of it
        return None


def _notes(case: Case, instead: str | None) -> Iterator[str]:
    """For what this is written; what is selected where nobody asks; what was passed over.

    `instead`: what the code uses where nothing of the chain runs.
    """
    row, machine = case.row, case.machine
    since = f" {row.since} and later" if row.since != "0" else ""
    name = f"{row.distribution} {case.version}" if case.version else f"{row.distribution}{since} (not installed here)"
    torch = f", torch {machine.torch.version}" if machine.torch else ""
    gpus = ", ".join(dict.fromkeys(gpu.name for gpu in machine.gpus)) or "no GPU"
    used = case.backend or (f"{instead} in its place" if instead else "nothing of the chain runs here")
    runs = f": {used}" if case.resolution else ""
    yield f"{name}{torch}, {gpus}{runs}"
    if row.default:
        never = f"; {row.note}" if row.note else ""
        yield f"Without a setting: {row.default}{never}."
    yield from (f"{reason}." for reason in (case.resolution.reasons if case.resolution else ()))


def _of_model(model: Model | None) -> Iterator[str]:
    if model is None:
        return
    taken = ", ".join(of.word for of in model.implementations if of.supported)
    yield f"{model.parts[0].architecture} supports {taken}."


def _text(draft: Draft, notes: Sequence[str]) -> str:
    above = [f"# {line}" for note in notes for line in wrap(note, WIDTH, break_on_hyphens=False)]
    return "\n".join([*above, draft.code.strip("\n"), "", "", draft.check.strip("\n")]) + "\n"
