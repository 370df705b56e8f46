"""The compiled extensions of attention packages: there or not, what GPU code they hold, and whether they will load.

Nothing is run: the files of the extension, of torch and of the CUDA libraries are read as the loader reads them.
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major, numbers
from attn_doctor.machine.binaries.elf import NotReadable, gnu_hash
from attn_doctor.machine.binaries.loader import Library, Loader, closure
from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.probe import Edit, Probe
from attn_doctor.machine.target import Distribution, Target, distributions

# what torch's libraries and the CUDA runtime must define; the rest belongs to Python and the C++ library
OF_TORCH = rb"_Z(?:T[VITSC]|GV)?N?[rVK]*[RO]?(?:2at|3c10|5torch|6caffe2)|THP"
OF_CUDA = rb"_*cuda[A-Z]"
TORCH_LIBRARIES = ("libtorch", "libc10")
SYMBOLS_KEPT = 4
# versions without a number: what first understood it
NAMED_VERSIONS = {"GLIBC_ABI_DT_RELR": ("GLIBC", "2.36")}


class Place(msgspec.Struct, frozen=True):
    """Where a package keeps its extension; judged only where `beside` stands in the same folder of packages."""

    package: str
    beside: str
    folder: str
    prefixes: tuple[str, ...]
    source: str
    major: int | None = None
    optional: bool = False


class Interface(msgspec.Struct, frozen=True):
    """How the functions of a library begin."""

    library: str
    prefixes: tuple[str, ...]
    source: str


class Table(msgspec.Struct, frozen=True):
    """The table `extensions`."""

    as_of: str
    rows: tuple[Place, ...]
    torch_roots: tuple[str, ...]
    interfaces: tuple[Interface, ...]


class Extension(msgspec.Struct, frozen=True):
    """One compiled file of a package; `path` is None where the package is there without it."""

    path: str | None
    looked_for: str = ""
    unreadable: str | None = None
    cubins: dict[str, int] = {}  # how many of its parts hold code for an architecture
    ptx: dict[str, int] = {}
    needed: dict[str, str | None] = {}  # libraries, and the file the loader takes; None: it finds none
    missing_symbols: tuple[str, ...] = ()  # the first ones
    demangled: tuple[str, ...] = ()  # the same in words; as they are where nothing can say
    missing_count: int = 0
    cxx11abi: bool | None = None  # what its own use of std::string says
    versions: dict[str, str] = {}  # the highest it needs: {'GLIBC': '2.32', 'GLIBCXX': '3.4.30'}

    @property
    def has_gpu_code(self) -> bool:
        return bool(self.cubins or self.ptx)

    @property
    def missing_libraries(self) -> tuple[str, ...]:
        return tuple(name for name, path in self.needed.items() if path is None)


class Foreign(msgspec.Struct, frozen=True):
    """A library from outside the environment that lacks what torch's own libraries ask of it."""

    name: str
    path: str
    asked_by: str
    symbol: str
    instead: str | None = None  # the folder of torch's own copy


class TorchLibraries(msgspec.Struct, frozen=True):
    """What torch's own libraries need and do not get: name and who asks for it."""

    folder: str
    missing: dict[str, str] = {}
    foreign: tuple[Foreign, ...] = ()


class Offered(msgspec.Struct, frozen=True):
    """The C++ library that the process loads, and the newest versions it offers."""

    path: str
    versions: dict[str, str]


class Extensions(msgspec.Struct, frozen=True):
    """By package; a package whose files are not where they are expected is not listed."""

    packages: dict[str, tuple[Extension, ...]] = {}
    torch: TorchLibraries | None = None
    libstdcxx: Offered | None = None


def highest(names: Iterator[str]) -> dict[str, str]:
    """{'GLIBC': '2.14', 'GLIBCXX': '3.4.21'} from 'GLIBC_2.2.5', 'GLIBC_2.14', 'GLIBCXX_3.4.21'."""
    found: dict[str, list[str]] = {}
    for name in names:
        family, _, number = name.partition("_")
        family, number = NAMED_VERSIONS.get(name, (family, number))
        if family in ("GLIBC", "GLIBCXX", "CXXABI") and number[:1].isdigit():
            found.setdefault(family, []).append(number)
    return {family: max(found[family], key=numbers) for family in sorted(found)}


def string_abi(symbols: tuple[bytes, ...]) -> bool | None:
    """The C++ ABI that symbols of torch speak of: std::__cxx11::basic_string, or Ss, the old std::string."""
    if any(b"7__cxx11" in name for name in symbols):
        return True
    return False if any(re.search(rb"[EKRP]Ss|Ss$", name) for name in symbols) else None


def read(host: Host, target: Target) -> Reading[Extensions]:
    system = host.system()[0]
    if system != "linux":
        return Absent((f"not read on {system}",))
    loader = Loader(host, target)
    torch = _torch(loader)
    installed = distributions(host, target)
    rows = [row for row in load("extensions", Table).rows if _applies(host, row, installed.get(row.package))]
    packages: dict[str, tuple[Extension, ...]] = {}
    for row in rows:
        found = _of_package(loader, row, installed[row.package])
        if found:
            packages[row.package] = (*packages.get(row.package, ()), *found)
    return Known(Extensions(packages, torch, _libstdcxx(loader)), source=", ".join(target.site_packages))


def _applies(host: Host, row: Place, found: Distribution | None) -> bool:
    if found is None or row.major not in (None, major(found.version)):
        return False
    beside = join(found.site, row.beside)
    return host.is_dir(beside) or host.is_file(beside)


def _of_package(loader: Loader, row: Place, found: Distribution) -> tuple[Extension, ...]:
    folder = join(found.site, row.folder) if row.folder else found.site
    files = [name for name in loader.host.list_dir(folder) if name.startswith(row.prefixes) and name.endswith(".so")]
    fitting = [name for name in files if importable(name, loader.target)]
    if fitting:
        return tuple(_extension(loader, join(folder, name)) for name in fitting)
    if row.optional:
        return ()
    wanted = " or ".join(join(folder, f"{prefix}*.so") for prefix in row.prefixes)
    other = f"it is made for another Python: {', '.join(files)}" if files else None
    return (Extension(None, wanted, unreadable=other),)


def importable(name: str, target: Target) -> bool:
    """Whether this Python takes a file of that name: _C.so, _C.abi3.so, x.cpython-311-x86_64-linux-gnu.so."""
    tag = re.search(r"\.cpython-(\d+t?)", name)
    if tag is None:
        return not (target.free_threaded and ".abi3." in name)
    wanted = "".join(target.version.split(".")[:2]) + ("t" if target.free_threaded else "")
    return tag[1] == wanted


def _extension(loader: Loader, path: str) -> Extension:
    try:
        library = loader.load(path)
        return _described(loader.host, library)
    except (NotReadable, CannotLook) as error:
        return Extension(path, unreadable=str(error))


def _described(host: Host, library: Library) -> Extension:
    elf = library.elf
    if elf is None:
        return Extension(library.path, unreadable="not an ELF file")
    from attn_doctor.machine.binaries import fatbin  # only where there is an extension

    code = fatbin.read_once(host, library.path, elf)
    symbols = elf.undefined.strong
    of_torch, of_cuda = (tuple(filter(re.compile(whose).match, symbols)) for whose in (OF_TORCH, OF_CUDA))
    scope = closure(library)
    missing = _missing(scope, of_torch, of_cuda)
    kept = tuple(name.decode("ascii", "replace") for name in missing[:SYMBOLS_KEPT])
    return Extension(
        library.path,
        cubins=code.cubins if code else {},
        ptx=code.ptx if code else {},
        needed=_needed(scope),
        missing_symbols=kept,
        demangled=tuple(host.demangle(name) or name for name in kept),
        missing_count=len(missing),
        cxx11abi=string_abi(of_torch),
        versions=highest(name for names in elf.required_versions.values() for name in names),
    )


def _needed(scope: list[Library]) -> dict[str, str | None]:
    """What the first asks for itself, and what is not found for the libraries behind it."""
    own = {name: found.path if found else None for name, found in scope[0].needed.items()}
    behind = {name: None for one in scope for name, found in one.needed.items() if found is None}
    return dict(sorted({**behind, **own}.items()))


def _missing(scope: list[Library], of_torch: tuple[bytes, ...], of_cuda: tuple[bytes, ...]) -> list[bytes]:
    """The symbols that no library defines; none is called missing while a library is that could define it."""
    lost = [name for one in scope for name, found in one.needed.items() if found is None or found.elf is None]
    bound = any(one.name.startswith(TORCH_LIBRARIES) for one in scope)
    judged: list[bytes] = []
    if bound and not any(name.startswith(TORCH_LIBRARIES) for name in lost):
        judged += of_torch
    if not lost and any(one.name.startswith("libcudart.") for one in scope):
        judged += of_cuda
    return _nowhere(judged, sorted(scope[1:], key=lambda one: not one.name.startswith(TORCH_LIBRARIES)))


def _nowhere(names: list[bytes], scope: list[Library]) -> list[bytes]:
    rest = [(name, gnu_hash(name)) for name in names]
    for one in scope:
        if rest and one.elf:
            defined = one.elf.defined_among(rest)
            rest = [pair for pair in rest if pair[0] not in defined]
    return sorted(name for name, _ in rest)


def _torch(loader: Loader) -> TorchLibraries | None:
    """Load torch's libraries, as importing torch does before any extension is."""
    folders = (join(site, "torch/lib") for site in loader.target.site_packages)
    folder = next((folder for folder in folders if loader.host.is_dir(folder)), None)
    if folder is None:
        return None
    for name in load("extensions", Table).torch_roots:
        # conda-forge keeps torch's libraries in the lib folder of the environment
        paths = (join(folder, name), join(loader.target.prefix, "lib", name))
        path = next((path for path in paths if loader.host.is_file(path)), None)
        if path and name not in loader.loaded:
            with suppress(NotReadable, CannotLook):  # what cannot be read is missing where it is needed
                loader.load(path)
    libraries = list({id(one): one for one in loader.loaded.values()}.values())
    missing = {name: one.name for one in libraries for name, found in one.needed.items() if found is None}
    return TorchLibraries(folder, dict(sorted(missing.items())), tuple(_foreign(loader, libraries)))


def _foreign(loader: Loader, libraries: list[Library]) -> Iterator[Foreign]:
    """Libraries from elsewhere that came first, and lack a function that torch's own copy has."""
    target = loader.target
    homes = (target.prefix.rstrip("/") + "/", *(site.rstrip("/") + "/" for site in target.site_packages))
    for one in libraries:
        for name, found in one.needed.items():
            wanted = () if found is None or found.path.startswith(homes) else _interface(name)
            if not wanted or found is None or found.elf is None or one.elf is None:
                continue
            asked = [symbol for symbol in one.elf.undefined.strong if symbol.startswith(wanted)]
            if lacking := _nowhere(asked, closure(found)):
                yield Foreign(
                    name, found.path, one.name, lacking[0].decode("ascii", "replace"), loader.own_folder(name)
                )


def _interface(name: str) -> tuple[bytes, ...]:
    rows = load("extensions", Table).interfaces
    found = next((row.prefixes for row in rows if name.startswith(row.library + ".so")), ())
    return tuple(prefix.encode() for prefix in found)


def _libstdcxx(loader: Loader) -> Offered | None:
    """The C++ library of the process: torch's need has brought it in, unless there is no torch."""
    library = loader.loaded.get("libstdc++.so.6")
    if library is None or library.elf is None:
        return None
    try:
        return Offered(library.path, highest(iter(library.elf.defined_versions)))
    except NotReadable:
        return None


def forget(edit: Edit, key: str) -> None:
    """What is imagined is no longer what the files prove: drop what the changed thing decides."""
    reading = edit.readings.get("extensions")
    if not isinstance(reading, Known):
        return
    found: Extensions = reading.value
    packages = found.packages
    if key.startswith(("pkg.", "built.")):
        packages = {name: files for name, files in packages.items() if name != key.partition(".")[2]}
        edit.readings["extensions"] = Known(msgspec.structs.replace(found, packages=packages), reading.source)
    elif key in ("torch", "torch_cuda", "cxx11abi", "python", "os", "arch"):
        # a compiled file that is not there stays away, whatever torch is imagined
        gone = {name: tuple(file for file in files if file.path is None) for name, files in packages.items()}
        kept = Extensions(packages={name: files for name, files in gone.items() if files})
        edit.readings["extensions"] = Known(kept, source="what-if")


PROBE = Probe("extensions", Extensions, read, plain=Extensions())
