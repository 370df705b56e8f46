"""Write `attn_doctor/wheels/catalogue/`: from what `wheels refresh` found, or from raw lists of published wheels.

    attn-doctor wheels refresh && python scripts/build_catalogue.py --refreshed
    python scripts/build_catalogue.py SOURCE_DIR --as-of 2026-11-21
    python scripts/build_catalogue.py SOURCE_DIR --check

SOURCE_DIR holds one `.jsonl` per host or package, one wheel a line, and a `sources.json`. The code that makes rows of
names and shelves of rows is that of the package, `attn_doctor/wheels/refresh/`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402

from attn_doctor.errors import AttnDoctorError  # noqa: E402
from attn_doctor.wheels import catalogue, embedded, refreshed  # noqa: E402
from attn_doctor.wheels.refresh.shelves import Row, rows_of, shelved  # noqa: E402

Raw = dict[str, Any]

FOLDER = Path(catalogue.FOLDER)
LIMIT_BYTES = 700_000
UPSTREAM = ("fa-official", "pytorch-index", "pypi")
TEMPLATES = {
    "<PyTorch wheel index>/{tag}/{filename}": "https://download.pytorch.org/whl/{tag}/{qfile}",
    "https://huggingface.co/<owner>/<repo>/resolve/{tag}/{qfile}": (
        "https://huggingface.co/{owner}/{repo}/resolve/{tag}/{qfile}"
    ),
    "row carries url": None,
}
# lists of variants, not of files: kept row by row
PLAIN = {
    "conda_forge_flash_attn": "conda-forge",
    "hf_kernel_variants": "hf-kernels",
    "xformers_index_variants": "xformers-index",
}
HAND_WRITTEN = {"build_facts.json", "refresh.json"}


def main() -> None:
    """Build, or check with --check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_dir", type=Path, nargs="?")
    parser.add_argument("--as-of", help="the day the raw lists were put together (YYYY-MM-DD)")
    parser.add_argument("--check", action="store_true", help="prove that every raw row comes back; write nothing")
    parser.add_argument("--refreshed", action="store_true", help="from the copy that `wheels refresh` has written")
    arguments = parser.parse_args()
    if arguments.refreshed:
        sys.exit(build_from_copy())
    if arguments.source_dir is None:
        parser.error("SOURCE_DIR or --refreshed is needed")
    if arguments.check:
        sys.exit(check(arguments.source_dir))
    if arguments.as_of is None:
        parser.error("--as-of is needed to build")
    build(arguments.source_dir, arguments.as_of)


def build(source_dir: Path, as_of: str) -> None:
    """Write every file of the catalogue; those written by hand stay."""
    lists = {raw: _read_jsonl(source_dir / f"{raw}.jsonl") for raw in PLAIN}
    shelves = shelved(wheel_rows(source_dir), small=True)
    sources = _sources_text(source_dir, as_of)
    for old in FOLDER.glob("*.json"):
        if old.name not in HAND_WRITTEN:
            old.unlink()
    _write("sources", sources)
    for raw, stem in PLAIN.items():
        _write(stem, '{"rows": [\n' + ",\n".join(_compact(row) for row in lists[raw]) + "\n]}\n")
    for stem, data in shelves.items():
        (FOLDER / f"{stem}.json").write_bytes(data)


def build_from_copy() -> int:
    """The refreshed copy becomes the embedded catalogue: its wheels, its day, and the day of each source."""
    try:
        copy = refreshed.find()
        stems = copy.shelves if copy else ()
        rows = [row for stem in stems for row in rows_of(catalogue.shelf_of_copy(stem))]
    except (AttnDoctorError, refreshed.Damaged) as error:
        print(f"the refreshed copy cannot be used: {error}")
        return 1
    if copy is None:
        print("there is no refreshed copy; run `attn-doctor wheels refresh`")
        return 1
    # the sizes alone would take a seventh of what the package may carry
    shelves = shelved((msgspec.structs.replace(row, size_bytes=None) for row in rows), small=True)
    kept = [path for path in FOLDER.glob("*.json") if path.stem in catalogue.NOT_SHELVES]
    size = sum(map(len, shelves.values())) + sum(path.stat().st_size for path in kept)
    if size >= LIMIT_BYTES:
        print(f"{size} bytes are more than the package may carry ({LIMIT_BYTES}); nothing was written")
        return 1
    for old in FOLDER.glob("*.json"):
        if old not in kept:
            old.unlink()
    for stem, data in shelves.items():
        (FOLDER / f"{stem}.json").write_bytes(data)
    document = json.loads((FOLDER / "sources.json").read_text())
    for name, source in document["sources"].items():  # who was not read again stays as old as it was
        source["snapshot"] = copy.snapshots.get(name) or source.get("snapshot") or document["as_of"]
    _write("sources", _sources_document(document["sources"], copy.as_of))
    print(f"{len(rows)} rows, {size} bytes, of {copy.as_of}")
    return 0


def check(source_dir: Path) -> int:
    """Compare the raw rows with what the catalogue gives back, field by field and as wheels."""
    wanted = set(wheel_rows(source_dir))
    found = [row for _, shelf in catalogue.embedded_shelves() for row in rows_of(shelf)]
    problems = [f"lost: {row}" for row in sorted(wanted - set(found), key=str)]
    problems += [f"made up: {row}" for row in sorted(set(found) - wanted, key=str)]
    if len(found) != len(set(found)):
        problems.append(f"{len(found) - len(set(found))} rows twice")
    problems += _check_wheels(source_dir)
    for raw, stem in PLAIN.items():
        stored = json.loads((FOLDER / f"{stem}.json").read_text())["rows"]
        if stored != _read_jsonl(source_dir / f"{raw}.jsonl"):
            problems.append(f"{stem}.json differs from {raw}.jsonl")
    size = sum(path.stat().st_size for path in FOLDER.glob("*.json"))
    print("\n".join(problems[:40]))
    print(f"{len(wanted)} distinct wheel rows, {len(found)} in the catalogue, {len(problems)} problems, {size} bytes")
    return 1 if problems else 0


def _check_wheels(source_dir: Path) -> Iterator[str]:
    """The same through the door everybody uses: `catalogue.wheels`."""
    wanted: dict[tuple[Any, ...], bool | None] = {}
    for row in wheel_rows(source_dir):
        name = (row.package, row.filename, row.source, row.tag, row.evidence, row.conf)
        wanted[(*name, row.sha256, row.url)] = row.cxx11abi if row.cxx11abi_real is None else row.cxx11abi_real
    found: dict[tuple[Any, ...], bool | None] = {}
    for package in catalogue.packages():
        for wheel in catalogue.wheels(package):
            if package == "xformers" and wheel.source == "pytorch-index":
                continue  # comes from the list of index variants
            key = (package, wheel.filename, wheel.source, wheel.tag, wheel.evidence, wheel.confidence, wheel.sha256)
            url = wheel.url if wheel.source == "wildminder-list" else None
            found[(*key, url)] = wheel.cxx11abi
    for key in sorted(wanted.keys() ^ found.keys(), key=str):
        yield f"only {'raw' if key in wanted else 'catalogue'}: {key}"
    for key in wanted.keys() & found.keys():
        if wanted[key] is not None and wanted[key] != found[key]:
            yield f"C++ ABI differs: {key}"


def wheel_rows(source_dir: Path) -> Iterator[Row]:
    """Every distinct raw row that is a file, corrected."""
    paths = (path for path in sorted(source_dir.glob("*.jsonl")) if path.stem not in PLAIN)
    rows = (_row(corrected(raw)) for path in paths for raw in _read_jsonl(path))
    return iter(dict.fromkeys(rows))  # one raw list repeats rows of another


def _row(raw: Raw) -> Row:
    try:
        return msgspec.convert(raw, Row)
    except msgspec.ValidationError as error:
        raise SystemExit(f"{raw.get('filename')}: {error}") from error


def corrected(row: Raw) -> Raw:
    """Mistakes of the raw lists; each is a fact about the file name."""
    if row["package"] == "sageattn3" and row["torch"] == "271":  # 'torch271' in the name is 2.7.1
        return {**row, "torch": "2.7.1"}
    return row


def _read_jsonl(path: Path) -> list[Raw]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=isinstance(value, dict))


def _write(stem: str, text: str) -> None:
    (FOLDER / f"{stem}.json").write_text(text)


def _sources_text(source_dir: Path, as_of: str) -> str:
    raw: dict[str, Any] = json.loads((source_dir / "sources.json").read_text())
    raw.pop("_comment", None)
    sources = {}
    for name, source in raw.items():
        template = source.get("url_template")
        level = "upstream" if name in UPSTREAM else "community"
        sources[name] = {**source, "url_template": TEMPLATES.get(template, template), "level": level}
    return _sources_document(sources, as_of)


def _sources_document(sources: Raw, as_of: str) -> str:
    lines = ",\n".join(f'  "{name}": {json.dumps(source)}' for name, source in sources.items())
    return f'{{\n "format": {embedded.FORMAT},\n "as_of": "{as_of}",\n "sources": {{\n{lines}\n }}\n}}\n'


if __name__ == "__main__":
    main()
