"""GPU products: what a name or a PCI device id says about the chip, from gpus.json.

A fallback for machines that cannot be asked and for what-if questions; a reading of the device
itself always wins. Names are never matched by prefix alone: "RTX 3050" is 8.6, "RTX 3050 A
Laptop GPU" is 8.9.
"""

from functools import cache

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import digits

GIB = 1024**3


class Source(msgspec.Struct, frozen=True):
    """Where a row comes from and how firmly it stands."""

    text: str
    confidence: str
    as_of: str


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One product as the table holds it; a name may have several rows, the most common first."""

    name: str
    source: str
    vendor: str = "nvidia"
    cc: str | None = None
    arch: str | None = None
    gfx: str | None = None
    pci: str = ""
    gib: int | None = None
    gib_source: str | None = None
    ambiguous_with: tuple[str, ...] = ()


class Gpus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """gpus.json."""

    as_of: str
    sources: dict[str, Source]
    aliases: dict[str, str]
    vendor_words: dict[str, str]
    ignored_words: frozenset[str]
    spellings: dict[str, str]
    rows: tuple[Row, ...]


class Product(msgspec.Struct, frozen=True):
    """A GPU product; None where the table does not know or its rows disagree."""

    name: str
    vendor: str  # nvidia, amd, apple, intel
    compute_capability: str | None
    memory_bytes: int | None
    architecture: str | None
    gfx: str | None
    source: str


class Index(msgspec.Struct, frozen=True):
    """The rows by full name, by name without vendor words, and by PCI device id."""

    full: dict[str, list[Row]]
    short: dict[str, list[Row]]
    pci: dict[str, list[Row]]


def find(name: str) -> Product | None:
    """The product of that name, as nvidia-smi, lspci or a person writes it."""
    text, slice_gib = _without_mig(_bracketed(" ".join(name.split())))
    vendor = _vendor_by_word(name)
    product = (
        _exact(text, vendor)
        or _family(_short_key(text), vendor)
        or _respelled(_short_key(text), vendor)
        or _sized(text, vendor)
    )
    if product is None or slice_gib is None:
        return product
    return msgspec.structs.replace(product, memory_bytes=slice_gib * GIB)


def find_pci(device_id: str) -> Product | None:
    """The NVIDIA product with that PCI device id ("2507", "0x2507", "10de:2507")."""
    bare = device_id.strip().upper().rpartition(":")[2].removeprefix("0X")
    rows = _index().pci.get(bare)
    if not rows:
        return None
    sizes = {row.gib for row in rows}
    product = _product(rows[0], rows[0].name)
    return product if len(sizes) == 1 else msgspec.structs.replace(product, memory_bytes=None)


def nearest(name: str) -> tuple[str, ...]:
    """Up to three product names that look like `name`, for an error message."""
    from difflib import get_close_matches  # 20 ms and only on the way to an error

    short = _index().short
    keys = get_close_matches(_short_key(_bracketed(name)), short, n=3)
    return tuple(short[key][0].name for key in keys)


def vendor_of(name: str) -> str | None:
    """The vendor as the name itself says it, whether or not the product is in the table."""
    by_word = _vendor_by_word(name)
    if by_word is not None:
        return by_word
    product = find(name)
    return product.vendor if product else None


def _table() -> Gpus:
    table: Gpus = load("gpus", Gpus)
    return table


@cache
def _index() -> Index:
    index = Index({}, {}, {})
    for row in _table().rows:
        index.full.setdefault(_full_key(row.name), []).append(row)
        index.short.setdefault(_short_key(row.name), []).append(row)
        for device_id in row.pci.split():
            index.pci.setdefault(device_id, []).append(row)
    return index


def _exact(text: str, vendor: str | None) -> Product | None:
    """By full name, then a data alias, then without vendor words; rows that disagree say less."""
    index, key = _index(), _short_key(text)
    if rows := index.full.get(_full_key(text)):
        return _agreed(rows, text)
    if canonical := _table().aliases.get(key):
        rows = index.full[_full_key(canonical)]
        return _agreed(rows, canonical) if vendor in (None, rows[0].vendor) else None
    rows = [row for row in index.short.get(key, ()) if vendor in (None, row.vendor)]
    if len({row.vendor for row in rows}) != 1:  # "M4" is a Tesla and an Apple chip
        return None
    return _agreed(rows, text)


def _agreed(rows: list[Row], name: str) -> Product:
    first = _product(rows[0], name)
    if len({row.cc for row in rows}) == 1 and not any(row.ambiguous_with for row in rows):
        return first
    return msgspec.structs.replace(first, compute_capability=None, memory_bytes=None, architecture=None)


def _family(key: str, vendor: str | None) -> Product | None:
    """A short name such as "RTX 4090 Laptop", if all products whose words start with it agree."""
    if not any(letter.isdigit() for letter in key):
        return None
    rows = [
        row
        for known, known_rows in _index().short.items()
        if _starts_with(known, key) or _starts_with(known.removeprefix("quadro "), key)
        for row in known_rows
        if vendor in (None, row.vendor)
    ]
    if len({(row.vendor, row.cc, row.gfx) for row in rows}) != 1:
        return None
    if any(row.ambiguous_with for row in rows):
        return None
    shortest = min(rows, key=lambda row: len(row.name))
    product = _product(shortest, shortest.name)
    if len({row.gib for row in rows}) == 1:
        return product
    return msgspec.structs.replace(product, memory_bytes=None)


def _starts_with(known: str, key: str) -> bool:
    return known == key or known.startswith(f"{key} ")


def _respelled(key: str, vendor: str | None) -> Product | None:
    """Laptop parts under their other names: "RTX 4070 Mobile" is "RTX 4070 Laptop GPU"."""
    for ending, official in _table().spellings.items():
        if key.endswith(f" {ending}"):
            rows = _index().short.get(f"{key.removesuffix(ending)}{official}", [])
            if rows and vendor in (None, rows[0].vendor):
                return _agreed(rows, rows[0].name)
    return None


def _sized(text: str, vendor: str | None) -> Product | None:
    """A size after the name, as people write it: "RTX 4060 Ti 16GB"."""
    name, _, last = _full_key(text).rpartition(" ")
    size = last.removesuffix("gb")
    if not name or size == last or not digits(size):
        return None
    product = _exact(name, vendor) or _family(_short_key(name), vendor)
    if product is None or product.memory_bytes == int(size) * GIB:
        return product
    if "gb" in product.name.casefold():  # the name found says another size
        return None
    canonical = _index().short[_short_key(product.name)][0].name
    return msgspec.structs.replace(product, name=canonical, memory_bytes=int(size) * GIB)


def _product(row: Row, name: str) -> Product:
    sources = _table().sources
    source = sources[row.source].text
    if row.gib_source is not None and row.gib_source != row.source:
        source = f"{source}; memory: {sources[row.gib_source].text}"
    return Product(
        name=name,
        vendor=row.vendor,
        compute_capability=row.cc,
        memory_bytes=None if row.gib is None else row.gib * GIB,
        architecture=row.arch,
        gfx=row.gfx,
        source=source,
    )


def _vendor_by_word(name: str) -> str | None:
    words = _table().vendor_words
    for mark in "[](),/":
        name = name.replace(mark, " ")
    return next((words[word] for word in _full_key(name).split() if word in words), None)


def _bracketed(text: str) -> str:
    """What lspci puts in the last brackets: "GA106 [GeForce RTX 3050] (rev a1)"."""
    start, end = text.rfind("["), text.rfind("]")
    return text[start + 1 : end] if 0 <= start < end else text


def _without_mig(text: str) -> tuple[str, int | None]:
    """The name without a suffix such as "MIG 1g.10gb", and the GiB of that slice."""
    at = text.casefold().find(" mig ")
    if at < 0:
        return text, None
    size = text[at:].casefold().rpartition(".")[2].partition("gb")[0]
    return text[:at], int(size) if digits(size) else None


def _full_key(text: str) -> str:
    """Case, marks, hyphens and spaces evened out: "rtx4090" and "RTX 4090", "80 GB" and "80GB"."""
    text = text.casefold().replace("(r)", "").replace("(tm)", "")
    text = text.replace("-", " ").replace("_", " ").replace("®", "").replace("™", "")
    words: list[str] = []
    for word in text.split():
        if word == "gb" and words and words[-1].isdigit():
            words[-1] += word
        elif word[:3] in ("rtx", "gtx") and word[3:4].isdigit():
            words += (word[:3], word[3:])
        else:
            words.append(word)
    return " ".join(words)


def _short_key(text: str) -> str:
    """The key without vendor words, and without what lspci adds after " / "."""
    ignored = _table().ignored_words
    key = _full_key(text).partition(" / ")[0]
    return " ".join(word for word in key.split() if word not in ignored)
