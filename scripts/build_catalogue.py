"""Write `attn_doctor/wheels/catalogue/` from the raw lists of published wheels, or check it against them.

    python scripts/build_catalogue.py SOURCE_DIR --as-of 2026-11-21
    python scripts/build_catalogue.py SOURCE_DIR --check

SOURCE_DIR holds one `.jsonl` per host or package, one wheel a line, and a `sources.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402

from attn_doctor.knowledge.versions import major_minor  # noqa: E402
from attn_doctor.wheels import catalogue  # noqa: E402

Row = dict[str, Any]

FOLDER = Path(catalogue.FOLDER)
SPLIT_BY_TORCH = "flash-attn"
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
SHAPE_FIELDS = catalogue.Shape.__struct_fields__
SHARED = ("package", "version", "cuda", "torch", "cxx11abi", "plat", *SHAPE_FIELDS, "url")
GROUP_FIELDS = ("filename", "py", "abi", "tag", "sha256")
HAND_WRITTEN = {"build_facts.json"}


def main() -> None:
    """Build, or check with --check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source_dir", type=Path)
    parser.add_argument("--as-of", help="the day the raw lists were put together (YYYY-MM-DD)")
    parser.add_argument("--check", action="store_true", help="prove that every raw row comes back; write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(check(arguments.source_dir))
    if arguments.as_of is None:
        parser.error("--as-of is needed to build")
    build(arguments.source_dir, arguments.as_of)


def build(source_dir: Path, as_of: str) -> None:
    """Write every file of the catalogue; those written by hand stay."""
    for old in FOLDER.glob("*.json"):
        if old.name not in HAND_WRITTEN:
            old.unlink()
    _write("sources", _sources_text(source_dir, as_of))
    for raw, stem in PLAIN.items():
        rows = _read_jsonl(source_dir / f"{raw}.jsonl")
        _write(stem, '{"rows": [\n' + ",\n".join(_compact(row) for row in rows) + "\n]}\n")
    shelves: dict[str, list[Row]] = defaultdict(list)
    for row in wheel_rows(source_dir):
        shelves[_stem(row)].append(row)
    for stem, rows in sorted(shelves.items()):
        _write(stem, _shelf_text(rows))


def check(source_dir: Path) -> int:
    """Compare the raw rows with what the catalogue gives back, field by field and as wheels."""
    wanted = {_compact(row) for row in wheel_rows(source_dir)}
    stems = [path.stem for path in FOLDER.glob("*.json") if path.stem not in catalogue.NOT_SHELVES]
    found = [_compact(row) for stem in stems for row in _raw_rows(stem)]
    problems = [f"lost: {row}" for row in sorted(wanted - set(found))]
    problems += [f"made up: {row}" for row in sorted(set(found) - wanted)]
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
        name = (row["package"], row["filename"], row["source"], row.get("tag"), row["evidence"], row.get("conf"))
        wanted[(*name, row.get("sha256"), row.get("url"))] = row.get("cxx11abi_real", row["cxx11abi"])
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
    seen: set[str] = set()
    for path in sorted(source_dir.glob("*.jsonl")):
        if path.stem in PLAIN:
            continue
        for row in map(corrected, _read_jsonl(path)):
            if (text := _compact(row)) not in seen:  # one raw list repeats rows of another
                seen.add(text)
                yield row


def corrected(row: Row) -> Row:
    """Mistakes of the raw lists; each is a fact about the file name."""
    if row["package"] == "sageattn3" and row["torch"] == "271":  # 'torch271' in the name is 2.7.1
        return {**row, "torch": "2.7.1"}
    return row


def _read_jsonl(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=isinstance(value, dict))


def _write(stem: str, text: str) -> None:
    (FOLDER / f"{stem}.json").write_text(text)


def _stem(row: Row) -> str:
    if row["package"] == SPLIT_BY_TORCH:
        return f"{row['package']}{catalogue.BY_TORCH}{major_minor(row['torch'])}"
    return str(row["package"])


def _sources_text(source_dir: Path, as_of: str) -> str:
    raw: dict[str, Any] = json.loads((source_dir / "sources.json").read_text())
    raw.pop("_comment", None)
    sources = {}
    for name, source in raw.items():
        template = source.get("url_template")
        level = "upstream" if name in UPSTREAM else "community"
        sources[name] = {**source, "url_template": TEMPLATES.get(template, template), "level": level}
    lines = ",\n".join(f'  "{name}": {json.dumps(source)}' for name, source in sources.items())
    return f'{{\n "as_of": "{as_of}",\n "sources": {{\n{lines}\n }}\n}}\n'


def _shelf_text(rows: list[Row]) -> str:
    shapes: dict[str, int] = {}
    groups = []
    for shape, group in _groups(rows):
        position = shapes.setdefault(_compact(shape), len(shapes))
        groups.append(_group_text(position, group))
    columns = list(catalogue.Group.__struct_fields__)
    return (
        f'{{"package": "{rows[0]["package"]}",\n"columns": {json.dumps(columns)},\n"shapes": [\n'
        + ",\n".join(shapes)
        + '\n],\n"groups": [\n'
        + ",\n".join(groups)
        + "\n]}\n"
    )


def _groups(rows: Iterable[Row]) -> Iterator[tuple[Row, Row]]:
    """Rows that share all but Python and tag, as (shape, group); the tags are merged where the files are the same."""
    unknown = {key for row in rows for key in row} - {*SHARED, *GROUP_FIELDS}
    if unknown:
        message = f"fields the catalogue does not keep: {sorted(unknown)}"
        raise SystemExit(message)
    builds: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        key = [_head(row), row.get("tag"), *(row.get(name, "absent") for name in SHARED)]
        builds[_compact(key)].append(row)
    merged: dict[str, tuple[Row, list[Row], list[str | None]]] = {}
    for build_rows in builds.values():
        ordered = sorted(build_rows, key=lambda row: (len(row["py"]), row["py"], row["abi"]))
        same = _compact([{**row, "tag": None} for row in ordered])
        merged.setdefault(same, (ordered[0], ordered, []))[2].append(ordered[0].get("tag"))
    for first, ordered, tags in merged.values():
        shape = {name: first[name] for name in SHAPE_FIELDS if name in first}
        yield shape, {**first, "rows": ordered, "tags": tags}


def _head(row: Row) -> str:
    tail = f"-{row['py']}-{row['abi']}-{row['plat']}.whl"
    name = str(row["filename"])
    if not name.endswith(tail):
        message = f"{name} does not end in its own tags {tail}"
        raise SystemExit(message)
    return name.removesuffix(tail)


def _group_text(shape: int, group: Row) -> str:
    rows: list[Row] = group["rows"]
    pythons = [f"{row['py']}-{row['abi']}" for row in rows]
    values: list[Any] = [_head(group), *(group.get(name) for name in ("version", "cuda", "torch", "cxx11abi", "plat"))]
    values += [shape, group["tags"], pythons]
    hashes = [row.get("sha256") for row in rows]
    url = group.get("url")
    if any(hashes) or url:
        values.append(hashes if any(hashes) else None)
    if url:
        values.append(url)
    return _compact(values)


def _raw_rows(stem: str) -> Iterator[Row]:
    """The raw rows of one shelf, put together again."""
    shelf = msgspec.json.decode((FOLDER / f"{stem}.json").read_bytes(), type=catalogue.Shelf)
    for group in shelf.groups:
        shape = shelf.shapes[group.shape]
        for index, python in enumerate(group.pythons):
            python_tag, _, abi_tag = python.partition("-")
            optional = {
                **{name: getattr(shape, name) for name in SHAPE_FIELDS},
                "cuda": group.cuda,
                "torch": group.torch,
                "url": group.url,
                "sha256": group.sha256[index] if group.sha256 else None,
            }
            for tag in group.tags:
                yield {
                    **{name: value for name, value in {**optional, "tag": tag}.items() if value is not None},
                    "package": shelf.package,
                    "version": group.version,
                    "filename": f"{group.head}-{python}-{group.platform}.whl",
                    "py": python_tag,
                    "abi": abi_tag,
                    "plat": group.platform,
                    "cxx11abi": group.cxx11abi,
                }


if __name__ == "__main__":
    main()
