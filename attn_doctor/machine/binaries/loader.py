"""The dynamic loader as a process of the target would meet it: which file it takes for each library that is needed.

The order is that of ld.so(8): what is loaded already, by its name; DT_RPATH of the library, of those that brought it in
and of the program; LD_LIBRARY_PATH; DT_RUNPATH; the cache of ldconfig; the default folders.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

from attn_doctor.machine.binaries.elf import Elf, NotReadable
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.target import Target

CACHE = "/etc/ld.so.cache"
DEFAULT_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
# parts of the C library and of the compiler: there wherever a program runs, and judged by their versions
SYSTEM = ("ld-linux", "libc.", "libm.", "libpthread.", "libdl.", "librt.", "libutil.", "libgcc_s.", "libanl.")

_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = struct.Struct("<20sII20x")
_CACHE_ENTRY = struct.Struct("<iIIIQ")
_CACHE_KIND = {"x86_64": 0x0300, "aarch64": 0x0A00}  # glibc sysdeps/generic/ldconfig.h
_MAX_CACHE = 100_000
_MAX_LIBRARIES = 500


class Library:
    """A library of the process; `elf` is None where the file is none. `needed` has None for what was not found."""

    def __init__(self, path: str, elf: Elf | None, rpath: tuple[str, ...]) -> None:
        self.path = path
        self.elf = elf
        self.rpath = rpath
        self.needed: dict[str, Library | None] = {}

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class Loader:
    """What a process has loaded, and where it finds more."""

    def __init__(self, host: Host, target: Target) -> None:
        self.host = host
        self.target = target
        self.loaded: dict[str, Library] = {}

    def load(self, path: str) -> Library:
        """Bring a file and all that it needs. Raises NotReadable where the file is no library for this machine."""
        data = self.host.open_binary(path)
        if data is None:
            raise NotReadable("there is no such file")
        elf = Elf(data)
        if elf.machine != self.host.system()[1]:
            raise NotReadable(f"it is made for {elf.machine}")
        library = Library(path, elf, _resolved(elf.rpath, path))
        self._enter(library, library.name)
        self._bring_needs(library)
        return library

    def _enter(self, library: Library, asked: str) -> None:
        self.loaded.setdefault(asked, library)
        if library.elf and (soname := library.elf.soname):
            self.loaded.setdefault(soname, library)

    def _bring_needs(self, first: Library) -> None:
        waiting = [first]
        for library in waiting:
            elf = library.elf
            for name in elf.needed if elf and len(waiting) < _MAX_LIBRARIES else ():
                if name.startswith(SYSTEM):
                    continue
                if name not in self.loaded:
                    found = self._bring(name, library)
                    if found is None:
                        library.needed[name] = None
                        continue
                    self._enter(found, name)
                    waiting.append(found)
                library.needed[name] = self.loaded[name]

    def _bring(self, name: str, wanted_by: Library) -> Library | None:
        path = self.find(name, wanted_by)
        if path is None:
            return None
        try:
            elf = Elf(self.host.open_binary(path) or b"")
            rpath = (*_resolved(elf.rpath, path), *wanted_by.rpath)
            _ = elf.needed, elf.soname
        except (NotReadable, CannotLook):
            return Library(path, None, ())
        return Library(path, elf, rpath)

    def find(self, name: str, wanted_by: Library) -> str | None:
        """The file that the loader takes for a name."""
        if "/" in name:
            return name if self.host.is_file(name) else None
        for folder in self._folders(wanted_by):
            path = join(folder, name)
            if self.host.is_file(path):
                return path
        cached = find_in_cache(self._cache, self.host.system()[1], name)
        if cached and self.host.is_file(cached):
            return cached
        places = (*DEFAULT_FOLDERS, *self._wheel_folders())
        return next((path for folder in places if self.host.is_file(path := join(folder, name))), None)

    def _folders(self, library: Library) -> Iterator[str]:
        runpath = _resolved(library.elf.runpath, library.path) if library.elf else ()
        if not runpath:
            yield from library.rpath
            yield from self._program_rpath
        yield from self._library_path
        yield from runpath

    @cached_property
    def _library_path(self) -> tuple[str, ...]:
        value = self.host.env("LD_LIBRARY_PATH") or ""
        return tuple(folder for folder in value.replace(";", ":").split(":") if folder)

    @cached_property
    def _program_rpath(self) -> tuple[str, ...]:
        """DT_RPATH of the interpreter: how conda's finds the libraries of its environment."""
        path = self.host.real_path(self.target.python)
        try:
            return _resolved(Elf(self.host.open_binary(path) or b"").rpath, path)
        except (NotReadable, CannotLook):
            return ()

    def _wheel_folders(self) -> Iterator[str]:
        """Where torch itself looks for CUDA libraries that the loader did not find: nvidia/*/lib of every folder."""
        for site in self.target.site_packages:
            for package in self.host.list_dir(join(site, "nvidia")):
                yield join(site, "nvidia", package, "lib")

    def own_folder(self, name: str) -> str | None:
        """The folder of the environment's own copy of a CUDA library."""
        return next((folder for folder in self._wheel_folders() if self.host.is_file(join(folder, name))), None)

    @cached_property
    def _cache(self) -> bytes:
        try:
            return bytes(self.host.open_binary(CACHE) or b"")
        except CannotLook:
            return b""


def find_in_cache(data: bytes, arch: str, name: str) -> str | None:
    """The file that an ld.so.cache names for a library; None where it has none, or is not understood."""
    start = data.find(_CACHE_MAGIC)  # an older format may stand before it
    if start < 0 or start + _CACHE_HEADER.size > len(data):
        return None
    _, count, _ = _CACHE_HEADER.unpack_from(data, start)
    wanted = name.encode() + b"\0"
    for number in range(min(count, _MAX_CACHE)):
        place = start + _CACHE_HEADER.size + number * _CACHE_ENTRY.size
        if place + _CACHE_ENTRY.size > len(data):
            return None
        kind, key, value, _, _ = _CACHE_ENTRY.unpack_from(data, place)
        if kind & 0xFF00 == _CACHE_KIND.get(arch) and data.startswith(wanted, start + key):
            return data[start + value : max(data.find(b"\0", start + value), 0)].decode("utf-8", "replace") or None
    return None


def _resolved(folders: tuple[str, ...], path: str) -> tuple[str, ...]:
    origin = path.rpartition("/")[0] or "/"
    return tuple(folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in folders)


def closure(library: Library) -> list[Library]:
    """A library and all that it brings in, in the order of the loader's search for symbols."""
    found = [library]
    seen = {id(library)}
    for one in found:
        for need in one.needed.values():
            if need is not None and id(need) not in seen:
                seen.add(id(need))
                found.append(need)
    return found
