"""Packages in conda's format, a channel of them, and an environment that rattler, pixi's installer, makes from it.

Run by a Python that has py-rattler: `python conda_packages.py WORK PREFIX`, with a `NAME-VERSION` folder for each
package below WORK/packages. What lies in such a folder is what the package holds; `depends` stands beside it.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SUBDIR = "linux-64"
MADE = 1_700_000_000


def pack(folder: Path, depends: "list[str]", to: Path) -> None:
    """One package: its files, with the index, the list of paths and their digests that conda keeps in conda-meta."""
    name, _, version = folder.name.rpartition("-")
    with tarfile.open(to / f"{folder.name}-0.tar.bz2", "w:bz2", compresslevel=1) as archive:
        entries = [_add(archive, folder, path) for path in _every(folder)]
        own = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends}
        own |= {"subdir": SUBDIR, "arch": "x86_64", "platform": "linux", "timestamp": MADE * 1000}
        _write(archive, "info/index.json", json.dumps(own))
        _write(archive, "info/paths.json", json.dumps({"paths": entries, "paths_version": 1}))
        _write(archive, "info/files", "".join(f"{entry['_path']}\n" for entry in entries))
        _write(archive, "info/about.json", "{}")


def _every(folder: Path) -> "Iterator[Path]":
    for root, folders, names in os.walk(folder):
        links = [name for name in folders if Path(root, name).is_symlink()]
        yield from (Path(root, name) for name in (*names, *links))


def _add(archive: tarfile.TarFile, folder: Path, path: Path) -> "dict[str, Any]":
    name = path.relative_to(folder).as_posix()
    archive.add(path, name, recursive=False)
    data = b"" if path.is_symlink() else path.read_bytes()
    kind = "softlink" if path.is_symlink() else "hardlink"
    return {"_path": name, "path_type": kind, "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}


def _write(archive: tarfile.TarFile, name: str, text: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = len(text.encode()), MADE
    archive.addfile(entry, io.BytesIO(text.encode()))


async def main(work: Path, prefix: str, *wanted: str) -> None:
    """Pack, index, solve, install."""
    from rattler import Channel, install, solve  # type: ignore[import-not-found,unused-ignore]
    from rattler.index import index_fs  # type: ignore[import-not-found,unused-ignore]

    channel = work / "channel"
    for subdir in (SUBDIR, "noarch"):
        (channel / subdir).mkdir(parents=True, exist_ok=True)
    for folder in sorted((work / "packages").iterdir()):
        if folder.is_dir() and not (channel / SUBDIR / f"{folder.name}-0.tar.bz2").exists():
            pack(folder, json.loads(folder.with_name(f"{folder.name}.depends").read_text()), channel / SUBDIR)
    await index_fs(channel)
    records = await solve([Channel(channel.as_uri())], [*wanted], platforms=[SUBDIR, "noarch"], virtual_packages=[])
    await install(records, target_prefix=prefix, cache_dir=str(work / "pkgs"), show_progress=False)


if __name__ == "__main__":
    import asyncio

    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
