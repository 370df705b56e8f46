"""Whatever lies on the machine: one clear sentence or an Unknown reading, the exit code of the contract, in time.

Every case is a real tree, a real file or a real stream, and a process of its own with at most 1 GiB of memory.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support import Ran

    Run = Callable[..., Ran]

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and special files of Linux")

MEMORY_KIB = 1 << 20
WITHIN_S = 12.0
MIB = 1 << 20
# a Linux without these takes the permissions of files seriously, even for root
WITHOUT_ROOT = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
SCHEMA = b'{"schema":"attn-doctor/facts/1","version":"0","readings":'
TORCH_VERSION = "__version__ = '2.8.0+cu128'\ndebug = False\ncuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n"


def shell(text: str, memory_kib: int | str) -> tuple[str, ...]:
    """A shell that limits its memory and then does what the text says; `"$@"` is attn-doctor."""
    return ("/bin/sh", "-c", f"ulimit -v {memory_kib}; {text}", "sh")


@pytest.fixture
def run(cli: Run) -> Run:
    """attn-doctor with limits. It must end in time, without a traceback, and its own faults are faults."""

    def limited(*arguments: object, by: str = 'exec "$@"', memory_kib: int | str = MEMORY_KIB, **how: Any) -> Ran:
        started = time.monotonic()
        ran = cli(*arguments, under=shell(by, memory_kib), **how)
        assert time.monotonic() - started < WITHIN_S, "it took too long"
        for said in ("Traceback", "itself failed", "the probe failed", "the rule failed", "Exception ignored"):
            assert said not in ran.out + ran.err, ran
        assert len(ran.err) < 2_000, "the input is repeated"
        assert all(char.isprintable() or char == "\n" for char in ran.err), ran
        return ran

    return limited


@pytest.fixture
def run_without_root(run: Run) -> Run:
    """The same as somebody to whom permissions mean something."""
    if os.geteuid():
        return run
    probe = 'd=$(mktemp -d); chmod 0 "$d"; ls "$d" 2>/dev/null; code=$?; rmdir "$d"; test $code != 0'
    if not shutil.which("setpriv") or subprocess.run([*WITHOUT_ROOT, "sh", "-c", probe], check=False).returncode:
        pytest.skip("root reads everything here")
    return lambda *arguments, **how: run(*arguments, by=f'exec {" ".join(WITHOUT_ROOT)} "$@"', **how)


def refused(ran: Ran, *words: str) -> None:
    """Exit 2, nothing on standard output, a sentence that holds the words."""
    assert (ran.code, ran.out) == (2, ""), ran
    assert ran.err.startswith("attn-doctor:"), ran
    said = " ".join(ran.err.split()).lower()
    assert all(word.lower() in said for word in words), ran


def readings(ran: Ran, code: int = 0) -> Any:
    assert (ran.code, ran.err) == (code, ""), ran
    return ran.json()["facts"]["readings"]


CHECK = ("check", "--format", "json", "--fail-on", "never")


class Tree:
    """A virtual environment with a CUDA torch and FlashAttention, as plain files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "lib" / "python3.12" / "site-packages"
        self.torch = self.site / "torch"
        self.version = self.torch / "version.py"
        self.torch_info = self.site / "torch-2.8.0+cu128.dist-info"
        self.flash_info = self.site / "flash_attn-2.8.3.dist-info"
        self.extension = self.site / "flash_attn_2_cuda.cpython-312-x86_64-linux-gnu.so"
        for each in (folder / "bin", self.torch, self.torch_info, self.flash_info, self.site / "flash_attn"):
            each.mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)
        self.config = folder / "pyvenv.cfg"
        self.config.write_text("home = /usr/bin\nversion = 3.12.3\n")
        self.version.write_text(TORCH_VERSION)
        for info, name in ((self.torch_info, "torch"), (self.flash_info, "flash_attn")):
            (info / "METADATA").write_text(f"Name: {name}\nRequires-Python: >=3.9\n\n")
            (info / "INSTALLER").write_text("pip\n")
        self.extension.write_bytes(b"")


@pytest.fixture(autouse=True)
def _leave_nothing(tmp_path: Path) -> Iterator[None]:
    """What is kept of a test run would be half a gigabyte."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "venv")


def test_the_tree_that_these_tests_break_is_sound(run: Run, tree: Tree) -> None:
    tree.extension.unlink()
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["python"]["value"]["version"] == "3.12.3"
    assert found["torch"]["value"]["cuda"] == "12.8"
    assert found["torch"]["value"]["installer"] == "pip"
    assert set(found["packages"]["value"]) == {"torch", "flash-attn"}


# --- facts


def valid(**changed: Any) -> bytes:
    document = {"schema": "attn-doctor/facts/1", "version": "0", "readings": {}} | changed
    return json.dumps(document).encode()


FACTS = {
    "100 MB of garbage": lambda: os.urandom(MIB) * 100,
    "100 MB of JSON that is no facts": lambda: b"[" + b'"facts",' * (100 * MIB // 8) + b"0]",
    "30 MB of JSON that is no facts": lambda: b"[" + b"[]," * (10 * MIB) + b"0]",
    "30 MB of readings": lambda: SCHEMA + b"{" + b'"torch":{"status":"absent","looked_in":[]},' * 700_000 + b'"x":1}}',
    "deep nesting": lambda: b"[" * 100_000 + b"]" * 100_000,
    "deep nesting where facts are": lambda: SCHEMA + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    "another version of the schema": lambda: valid(schema="attn-doctor/facts/2"),
    "another document": lambda: valid(schema="attn-doctor/report/1"),
    "wrong types everywhere": lambda: b'{"schema":[],"version":{},"readings":0}',
    "readings of wrong types": lambda: valid(readings={"torch": {"status": "known", "value": {"version": {}}}}),
    "a reading that is a number": lambda: valid(readings={"gpus": 8}),
    "NaN": lambda: SCHEMA + b'{"cpu":NaN}}',
    "a NaN for cores": lambda: SCHEMA + b'{"cpu":{"status":"known","value":{"cores":NaN},"source":""}}}',
    "infinity": lambda: SCHEMA + b'{"cpu":{"status":"known","value":{"cores":1e999},"source":""}}}',
    "a huge integer": lambda: (
        SCHEMA + b'{"cpu":{"status":"known","value":{"cores":' + b"9" * 1_000_000 + b'},"source":""}}}'
    ),
    "invalid UTF-8": lambda: valid().replace(b'"0"', b'"\xc3\x28"'),
    "invalid UTF-8 in a reading": lambda: SCHEMA + b'{"torch":{"status":"unknown","reason":"\xff"}}}',
    "NUL bytes": lambda: valid().replace(b"0", b"\0"),
    "all NUL": lambda: b"\0" * 4096,
    "UTF-16": lambda: valid().decode().encode("utf-16"),
    "an escape sequence in the schema": lambda: valid(schema="\x1b]0;title\x07\x1b[31m"),
    "an escape sequence in a name": lambda: valid(readings={"\x1b[31m\r\nred": {}}),
    "a name of 1 MB": lambda: valid(readings={"x" * MIB: {}}),
    "a schema of 1 MB": lambda: valid(schema="x" * MIB),
    "a lone surrogate": lambda: valid(readings={"\ud800": {}}),
}


@pytest.mark.parametrize("make", FACTS.values(), ids=FACTS)
def test_facts_that_are_none(run: Run, tmp_path: Path, make: Callable[[], bytes]) -> None:
    file = tmp_path / "facts.json"
    file.write_bytes(make())
    refused(run("check", "--facts", file), str(file)[:20])


@pytest.mark.parametrize("make", [FACTS["100 MB of garbage"], FACTS["deep nesting"]], ids=["garbage", "nesting"])
def test_facts_that_are_none_on_standard_input(run: Run, make: Callable[[], bytes]) -> None:
    refused(run("check", "--facts", "-", by='cat | "$@"', input=make()), "standard input")


def test_a_key_that_comes_twice_is_read_once(run: Run) -> None:
    twice = SCHEMA + b'{"torch":{"status":"absent","looked_in":["a"]},"torch":{"status":"unknown","reason":"b"}}}'
    found = readings(run(*CHECK, "--facts", "-", input=twice), 3)
    assert found["torch"] == {"status": "unknown", "reason": "b"}


def test_a_byte_order_mark_is_no_fault_of_the_facts(run: Run) -> None:
    """PowerShell writes one in front of what is redirected."""
    plain = run("simulate", "torch=2.8.0").stdout
    assert run("facts", "--facts", "-", input=b"\xef\xbb\xbf" + plain).stdout == plain


def test_an_endless_stream_of_facts(run: Run) -> None:
    refused(run("check", "--facts", "-", by='yes | "$@"'), "standard input", "larger than")
    refused(run("check", "--facts", "/dev/zero"), "/dev/zero", "larger than")
    refused(run("check", "--facts", "/dev/null"), "/dev/null", "empty")


def test_facts_from_a_folder_a_loop_and_a_broken_link(run: Run, tmp_path: Path) -> None:
    refused(run("check", "--facts", tmp_path), "directory")
    (tmp_path / "loop").symlink_to("loop")
    refused(run("check", "--facts", tmp_path / "loop"), "symbolic links")
    (tmp_path / "broken").symlink_to("gone")
    refused(run("check", "--facts", tmp_path / "broken"), "No such file")
    refused(run("check", "--facts", "x" * 5_000), "name too long")


def test_facts_that_must_not_be_read(run_without_root: Run, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_bytes(valid())
    file.chmod(0)
    refused(run_without_root("check", "--facts", file), "Permission denied")


def test_a_fifo_is_waited_for_as_long_as_a_probe(run: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    refused(run("check", "--facts", fifo, env={"ATTN_DOCTOR_PROBE_TIMEOUT": "0.5"}), "nobody writes")


def test_facts_through_a_fifo_and_a_slow_pipe(run: Run, tmp_path: Path) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "facts.json"
    assert run("simulate", "torch=2.8.0", "--output", file).code == 0
    os.mkfifo(fifo)
    slow = f"(sleep 0.2; exec 3>'{fifo}'; head -c 100 '{file}' >&3; sleep 1.2; tail -c +101 '{file}' >&3) &"
    ran = run("facts", "--facts", fifo, by=f'{slow} exec "$@"', env={"ATTN_DOCTOR_PROBE_TIMEOUT": "1"})
    assert (ran.code, ran.stdout) == (0, file.read_bytes()), ran


# --- pyvenv.cfg


def cfg(text: str) -> Callable[[Tree], None]:
    return lambda tree: tree.config.write_bytes(text.encode(errors="surrogateescape"))


CONFIGS: dict[str, tuple[Callable[[Tree], None], str]] = {
    "home is gone": (cfg("home = /no/such\nversion = 3.12.3\ninclude-system-site-packages = true\n"), "3.12.3"),
    "home is a file": (cfg("home = /etc/passwd\nversion = 3.12.3\ninclude-system-site-packages = true\n"), "3.12.3"),
    "home is not UTF-8": (cfg("home = /\udcff\nversion = 3.12.3\n"), "3.12.3"),
    "version is a word": (cfg("home = /usr/bin\nversion = banana\n"), "3.12"),
    "version is unicode digits": (cfg("home = /usr/bin\nversion = \u0663.\u0661\u0662.\u0663\n"), "3.12"),
    "version is huge": (cfg("home = /usr/bin\nversion = " + "9" * 10_000 + ".1\n"), "3.12"),
    "version of 1 MB": (cfg("home = /usr/bin\nversion = " + "3." * (MIB // 2) + "\n"), "3.12"),
    "version is an escape sequence": (cfg("home = /usr/bin\nversion = \x1b[31m3.12\x07\n"), "3.12"),
    "version is a list": (cfg("home = /usr/bin\nversion_info = [3, 12, 3]\n"), "3.12"),
    "version is empty": (cfg("home = /usr/bin\nversion =\n"), "3.12"),
    "version of Python 2": (cfg("home = /usr/bin\nversion = 2.7.18\n"), "3.12"),
    "empty": (cfg(""), "3.12"),
    "binary": (lambda tree: tree.config.write_bytes(bytes(range(256)) * 64), "3.12"),
    "10 MB of nothing": (lambda tree: tree.config.write_bytes(b"\0" * 10 * MIB), "3.12"),
    "10 MB of settings": (lambda tree: tree.config.write_bytes(b"a=1\nb\xff=2\n" * MIB), "3.12"),
    "10 MB of one line": (lambda tree: tree.config.write_bytes(b"=" * 10 * MIB), "3.12"),
}


@pytest.mark.parametrize(("write", "version"), CONFIGS.values(), ids=CONFIGS)
def test_a_pyvenv_cfg_that_lies(run: Run, tree: Tree, write: Callable[[Tree], None], version: str) -> None:
    write(tree)
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["python"]["value"]["version"] == version
    assert found["torch"]["value"]["version"] == "2.8.0+cu128"


def test_a_pyvenv_cfg_of_another_python(run: Run, tree: Tree) -> None:
    """The packages are those of the folder that is there."""
    tree.config.write_text("home = /usr/bin\nversion = 3.9.1\n")
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["packages"]["value"]["torch"]["location"] == str(tree.site)


def test_neither_a_version_nor_a_library(run: Run, tree: Tree) -> None:
    shutil.rmtree(tree.folder / "lib")
    tree.config.write_text("version = banana\n")
    refused(run(*CHECK, "--venv", tree.folder), "does not say which Python")


def test_a_pyvenv_cfg_that_is_no_file(run: Run, tree: Tree) -> None:
    tree.config.unlink()
    tree.config.symlink_to("pyvenv.cfg")
    refused(run(*CHECK, "--venv", tree.folder), "pyvenv.cfg", "symbolic links")
    tree.config.unlink()
    os.mkfifo(tree.config)
    refused(run(*CHECK, "--venv", tree.folder), "pyvenv.cfg", "not a regular file")
    tree.config.unlink()
    tree.config.mkdir()
    (tree.folder / "bin" / "python").unlink()
    refused(run(*CHECK, "--venv", tree.folder), "not a Python environment")


def test_a_pyvenv_cfg_that_must_not_be_read(run_without_root: Run, tree: Tree) -> None:
    tree.config.chmod(0)
    refused(run_without_root(*CHECK, "--venv", tree.folder), "pyvenv.cfg", "permission denied")
    refused(run_without_root(*CHECK, env={"VIRTUAL_ENV": str(tree.folder)}), "pyvenv.cfg", "permission denied")


# --- site-packages


def test_names_of_every_kind_in_site_packages(run: Run, tree: Tree) -> None:
    for number in range(4_900):
        (tree.site / f"-{number}-.{number:x}.dist-info").touch()
    odd = [
        b"a\nb-1.0.dist-info",
        b"\x1b[31mred-1.0.dist-info",
        b"caf\xe9-1.0.dist-info",
        b"\xff.egg-info",
        b".dist-info",
    ]
    odd += [
        b"-.dist-info",
        b"-1.dist-info",
        b"numpy-.dist-info",
        b"numpy.dist-info",
        b"..egg-info",
        b" ",
        b"\n",
        b"\xff",
    ]
    odd += [
        "\u202egnp.dist-info".encode(),
        b"x" * 255,
        b"xformers-0.0.32\n\x1b[2J.dist-info",
        b"triton-\r\n3.dist-info",
    ]
    for name in odd:
        Path(os.fsdecode(os.fsencode(tree.site) + b"/" + name)).mkdir()
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["torch"]["value"]["version"] == "2.8.0+cu128"
    assert {"torch", "flash-attn"} <= set(found["packages"]["value"])
    text = run("check", "--fail-on", "never", "-v", "--venv", tree.folder)
    assert text.code == 0
    assert all(char.isprintable() or char == "\n" for char in text.out)


@pytest.mark.parametrize("name", [b"~\xffrch", b"torch-\xff.dist-info"], ids=ascii)
def test_a_name_that_no_json_can_hold_is_an_unknown_reading(run: Run, tree: Tree, name: bytes) -> None:
    shutil.rmtree(tree.torch_info)
    Path(os.fsdecode(os.fsencode(tree.site) + b"/" + name)).mkdir()
    ran = run(*CHECK, "--venv", tree.folder)
    found = ran.json()["facts"]["readings"]
    assert ran.code == (3 if found["torch"]["status"] == "unknown" else 0)
    reasons = [found[each]["reason"] for each in ("leftovers", "packages", "torch") if "reason" in found[each]]
    assert reasons
    assert all(reason.startswith("not UTF-8: ") and "udcff" in reason for reason in reasons)


def a_file(info: Path) -> None:
    shutil.rmtree(info)
    info.write_bytes(b"\xff")


def a_link(to: str) -> Callable[[Path], None]:
    def make(info: Path) -> None:
        shutil.rmtree(info)
        info.symlink_to(to)

    return make


def metadata_is(kind: str) -> Callable[[Path], None]:
    def make(info: Path) -> None:
        for name in ("METADATA", "INSTALLER", "WHEEL", "direct_url.json"):
            (info / name).unlink(missing_ok=True)
            if kind == "a FIFO":
                os.mkfifo(info / name)
            elif kind == "a folder":
                (info / name).mkdir()
            elif kind != "gone":
                (info / name).symlink_to(name if kind == "a loop" else kind)

    return make


INFOS: dict[str, Callable[[Path], None]] = {
    "a file": a_file,
    "a dangling link": a_link("gone"),
    "a device": a_link("/dev/zero"),
    "a link to everything": a_link("/"),
    **{
        f"each of its files {kind}": metadata_is(kind)
        for kind in ("gone", "a FIFO", "a folder", "a loop", "/gone", "/dev/zero")
    },
}


@pytest.mark.parametrize("make", INFOS.values(), ids=INFOS)
def test_metadata_folders_that_hold_none(run: Run, tree: Tree, make: Callable[[Path], None]) -> None:
    for info in (tree.torch_info, tree.flash_info):
        make(info)
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert (found["torch"]["value"]["cuda"], found["torch"]["value"]["requires_python"]) == ("12.8", None)
    assert found["packages"]["value"]["flash-attn"]["version"] == "2.8.3"


def test_a_metadata_folder_that_is_a_loop(run: Run, tree: Tree) -> None:
    a_link("flash_attn-2.8.3.dist-info")(tree.flash_info)
    assert readings(run(*CHECK, "--venv", tree.folder))["packages"]["value"]["flash-attn"]["version"] == "2.8.3"


TEXTS: dict[str, bytes | tuple[bytes, int]] = {
    "a list": b'[{"url": 1}]',
    "no url": b'{"url": null, "dir_info": {}}',
    "an escape sequence": b'{"url": "file:///\\u001b[31m/\\u0000\\r\\n"}',
    "a lone surrogate": b'{"url": "https://example.org/\\ud800"}',
    "odd urls": b'{"url": "://@:@/?#%"}',
    "deep": b'{"url":"x","y":' + b"[" * 500_000,
    "deep url": b'{"url":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "binary": bytes(range(256)) * 999,
    "empty": b"",
    "100 MB": (b"Requires-Python: >=3", 5 * MIB),
    "8 MB of demands": (b"Requires-Dist: torch (", MIB // 3),
    "8 MB of other demands": (b"Requires-Dist: torch[((\nTag:\n", MIB // 4),
}


def data_of(given: bytes | tuple[bytes, int]) -> bytes:
    """What is large is made when it is written."""
    return given if isinstance(given, bytes) else given[0] * given[1]


@pytest.mark.parametrize("data", TEXTS.values(), ids=TEXTS)
def test_metadata_with_anything_in_it(run: Run, tree: Tree, data: bytes | tuple[bytes, int]) -> None:
    file = tree.site / "easy-install.pth"
    file.write_bytes(data_of(data))
    for info in (tree.torch_info, tree.flash_info):
        for name in ("METADATA", "INSTALLER", "WHEEL", "direct_url.json"):
            (info / name).unlink(missing_ok=True)
            (info / name).hardlink_to(file)
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert (found["torch"]["value"]["version"], found["torch"]["value"]["cuda"]) == ("2.8.0+cu128", "12.8")
    assert found["packages"]["value"]["flash-attn"]["version"] == "2.8.3"


@pytest.mark.parametrize(
    "version", ["\u00b2.8", "9" * 200, "2.8.3\n4", "1!2.8", "\x1b[31m", "v2", "2..8", "+cu12", "2.8+"]
)
def test_versions_of_packages_that_are_none(run: Run, tree: Tree, version: str) -> None:
    tree.flash_info.rename(tree.site / f"flash_attn-{version}.dist-info")
    for name in (
        "torchvision",
        "torchaudio",
        "triton",
        "xformers",
        "transformers",
        "numpy",
        "sageattention",
        "kernels",
    ):
        (tree.site / f"{name}-{version}.dist-info").mkdir()
    ran = run(*CHECK, "-v", "--venv", tree.folder)
    assert readings(ran)["packages"]["value"]["torch"]["version"] == "2.8.0+cu128"
    assert run("check", "-v", "--fail-on", "never", "--venv", tree.folder).code == 0


# --- torch/version.py

VERSIONS: dict[str, bytes | tuple[bytes, int]] = {
    "empty": b"",
    "binary": bytes(range(256)) * 64,
    "50 MB of nothing": (b"\0", 50 * MIB),
    "50 MB of one line": (b"__version__ = '2", 3 * MIB),
    "50 MB of assignments": (b"cuda : a\n", 6 * MIB),
    "a bomb": b"__version__ = " + b"(" * 100_000 + b"'2.8.0'" + b")" * 100_000,
    "another bomb": b"__version__ = '2.8.0' * 10 ** 12",
    "a class": b"class Version:\n    __version__ = '2.8.0'\n",
    "None": b"__version__ = None\ncuda = None\n",
    "a number": b"__version__ = 2.8\n",
    "a word": b"__version__ = 'trunk'\n",
    "unicode digits": "__version__ = '\u0662.\u0668.\u0660'\n".encode(),
    "superscripts": "__version__ = '\u00b2.8'\n".encode(),
    "a huge number": b"__version__ = '" + b"2" * 5_000 + b".8'\n",
    "not ended": b"__version__ = '2.8.0\n",
    "UTF-16": "__version__ = '2.8.0'\n".encode("utf-16"),
}


@pytest.mark.parametrize("data", VERSIONS.values(), ids=VERSIONS)
def test_a_version_py_that_states_no_version(run: Run, tree: Tree, data: bytes | tuple[bytes, int]) -> None:
    tree.version.write_bytes(data_of(data))
    shutil.rmtree(tree.torch_info)
    found = readings(run(*CHECK, "--venv", tree.folder), 3)
    assert found["torch"]["status"] == "unknown"
    assert str(tree.version) in found["torch"]["reason"]
    assert len(found["torch"]["reason"]) < 600


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\0" * 99, b"cuda = '12.8'\n"], ids=["empty", "binary", "no version"])
def test_metadata_does_not_speak_for_a_version_py_that_states_none(run: Run, tree: Tree, data: bytes) -> None:
    """Its name says 2.8.0+cu128; whether that is what lies there, nobody knows."""
    tree.version.write_bytes(data)
    found = readings(run(*CHECK, "--venv", tree.folder), 3)
    assert (found["torch"]["status"], found["packages"]["value"]["torch"]["version"]) == ("unknown", "2.8.0+cu128")


ODD_BUILDS = {
    "an escape sequence": "__version__ = '2.8.0+\x1b[31m\x07'\ncuda = '\x1b[2J'\n",
    "a CUDA that is none": "__version__ = '2.8.0'\ncuda = 'twelve'\n",
    "an empty CUDA": "__version__ = '2.8.0'\ncuda = ''\nhip = ''\n",
    "a huge CUDA": "__version__ = '2.8.0'\ncuda = '" + "9" * 5_000 + ".1'\n",
    "unicode digits": "__version__ = '2.8.0'\ncuda = '\u0661\u0662.\u0668'\nhip = '\u00b2.\u00b3'\n",
    "every runtime at once": "__version__ = '2.8.0'\ncuda = '12.8'\nhip = '6.4'\nxpu = '2025'\n",
    "a version without end": "__version__ = '2.8" + ".0" * 20_000 + "'\ncuda = '12.8'\n",
    "twice": "__version__ = '2.8.0'\n__version__ = '1.0'\ncuda = None\ncuda = '12.8'\n",
}


@pytest.mark.parametrize("text", ODD_BUILDS.values(), ids=ODD_BUILDS)
def test_a_version_py_of_an_odd_build(run: Run, tree: Tree, text: str) -> None:
    tree.version.write_text(text)
    shutil.rmtree(tree.torch_info)
    assert readings(run(*CHECK, "--venv", tree.folder))["torch"]["status"] == "known"
    shown = run("check", "-v", "--fail-on", "never", "--venv", tree.folder)
    assert shown.code == 0
    assert all(char.isprintable() or char == "\n" for char in shown.out)


@pytest.mark.parametrize("kind", ["a folder", "a FIFO", "a loop", "a device"])
def test_a_version_py_that_is_no_file(run: Run, tree: Tree, kind: str) -> None:
    tree.version.unlink()
    match kind:
        case "a folder":
            tree.version.mkdir()
        case "a FIFO":
            os.mkfifo(tree.version)
        case "a loop":
            tree.version.symlink_to("version.py")
        case "a device":
            tree.version.symlink_to("/dev/zero")
    assert readings(run(*CHECK, "--venv", tree.folder))["torch"]["status"] == "absent"


# --- what must not be read


@pytest.mark.parametrize("place", ["version.py", "torch", "site-packages", "names only", "lib"])
def test_a_torch_that_cannot_be_looked_at_is_not_absent(run_without_root: Run, tree: Tree, place: str) -> None:
    places = {"version.py": tree.version, "torch": tree.torch, "lib": tree.site.parent.parent}
    locked = places.get(place, tree.site)
    locked.chmod(0o444 if place == "names only" else 0)
    try:
        ran = run_without_root(*CHECK, "--venv", tree.folder)
        if place == "lib":
            refused(ran, str(locked), "permission denied")
            return
        found = readings(ran, 3)
    finally:
        locked.chmod(0o755)
    assert found["torch"]["status"] == "unknown"
    assert "permission denied" in found["torch"]["reason"]


def test_metadata_that_must_not_be_read_hides_nothing(run_without_root: Run, tree: Tree) -> None:
    for locked in (tree.torch_info, tree.flash_info, tree.extension):
        locked.chmod(0)
    try:
        found = readings(run_without_root(*CHECK, "--venv", tree.folder))
    finally:
        for locked in (tree.torch_info, tree.flash_info):
            locked.chmod(0o755)
    assert found["torch"]["value"]["cuda"] == "12.8"
    assert found["packages"]["value"]["flash-attn"]["version"] == "2.8.3"
    assert "permission denied" in found["extensions"]["value"]["packages"]["flash-attn"][0]["unreadable"]


# --- the interpreter


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_interpreters_that_are_no_programs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for name in ("broken", "loop", "folder", "fifo"):
        refused(run(*CHECK, "--python", tmp_path / name), "there is no interpreter at")
    (tmp_path / "not-executable").write_text("print(1)")
    refused(run(*CHECK, "--python", tmp_path / "not-executable"), "permission denied")
    for name, data in (("empty", b""), ("text", b"hello"), ("cut", Path("/bin/sh").read_bytes()[:100])):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
        refused(run(*CHECK, "--python", tmp_path / name), "does not answer")
    refused(run(*CHECK, "--python", "/dev/zero"), "there is no interpreter at")


SCRIPTS = {
    "prints nothing": "exit 0",
    "prints garbage": "echo Python 3.12",
    "prints an escape sequence": "printf '\\033[31mred\\007\\n' >&2; exit 1",
    "prints bytes": "head -c 9999 /dev/urandom; head -c 9999 /dev/urandom >&2; exit 1",
    "prints another list": "echo '[1,2,3,4,5,6]'",
    "prints deep nesting": "yes '[' | head -n 200000",
    "prints without end": "exec yes",
    "complains without end": "exec yes >&2",
    "says 200 MB on one line and fails": "head -c 200000000 /dev/zero >&2; exit 1",
    "kills itself": "kill -9 $$",
    "hangs": "exec sleep 5",
    "hangs in a child": "sleep 5; echo",
    "leaves somebody behind": "sleep 5 & exit 1",
}


@pytest.mark.parametrize("text", SCRIPTS.values(), ids=SCRIPTS)
def test_interpreters_that_answer_anything(run: Run, tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    shim = script(tmp_path / "python", text)
    refused(run(*CHECK, "--python", shim, env={"ATTN_DOCTOR_PROBE_TIMEOUT": "1"}), "does not answer")
    assert time.monotonic() - started < 4.5, "it waited longer than it was told"


@pytest.mark.parametrize(
    "answer",
    [
        ["/no/such", "/no/such", "3.12.3", False, [], "cpython"],
        ["", "", "", False, [""], ""],
        ["/\x1b[31m", "/", "banana", True, ["/\n", "relative"], "\x07"],
        ["/dev/zero", "/dev/zero", "9" * 5_000, False, ["/dev/zero", "/etc/passwd"], "cpython"],
    ],
    ids=["gone", "empty", "escapes", "devices"],
)
def test_interpreters_that_lie(run: Run, tmp_path: Path, answer: list[Any]) -> None:
    shim = script(tmp_path / "python", f"cat <<'END'\n{json.dumps(answer)}\nEND")
    ran = run(*CHECK, "--python", shim)
    if answer[2] == "3.12.3":
        assert readings(ran)["torch"]["status"] == "absent"
    else:
        refused(ran, "does not answer as a Python 3 would")


def test_an_interpreter_of_an_environment_that_is_no_program(run: Run, tree: Tree) -> None:
    """The files say it all: a venv whose Python was uninstalled is still read."""
    (tree.folder / "bin" / "python").unlink()
    (tree.folder / "bin" / "python").symlink_to("/no/such/python")
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["torch"]["value"]["version"] == "2.8.0+cu128"


# --- commands on PATH

SAYS = {
    "nonsense": "echo 'a, b, c, d'; echo 'release x.y'; echo 'g++ (((('",
    "nothing": "exit 0",
    "an error": "echo 'something is broken' >&2; exit 1",
    "control characters": "printf '\\033[31mg++ \\000\\007 (\\n, release 9.\\r\\n'",
    "bytes": "head -c 99999 /dev/urandom",
    "200 MB": "head -c 200000000 /dev/zero",
    "numbers": "printf 'g++ release '; head -c 900000 /dev/zero | tr '\\000' 7",
    "brackets": "printf 'g++ '; head -c 900000 /dev/zero | tr '\\000' '('",
    "commas": "head -c 900000 /dev/zero | tr '\\000' ','",
    "a signal": "kill -9 $$",
}
HANGS = {"hangs": "exec sleep 6", "hangs in a child": "sleep 6; echo", "no end": "exec yes"}


def on_path(folder: Path, *names: str, text: str) -> dict[str, str]:
    for name in names:
        script(folder / name, text)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "ATTN_DOCTOR_PROBE_TIMEOUT": "1"}


@pytest.mark.parametrize("text", SAYS.values(), ids=SAYS)
def test_commands_that_say_anything(run: Run, tmp_path: Path, text: str) -> None:
    env = on_path(tmp_path / "cuda" / "bin", "nvidia-smi", "g++", "nvcc", "uv", "ninja", text=text)
    ran = run(*CHECK, env=env)
    assert ran.err == ""
    found = ran.json()["facts"]["readings"]
    assert found["compiler"]["status"] == "unknown", found["compiler"]
    assert len(found["compiler"]["reason"]) < 600
    (toolkit,) = [one for one in found["toolkits"]["value"]["found"] if one["root"] == str(tmp_path / "cuda")]
    assert toolkit["version"] is None
    assert found["tools"]["value"]["found"]["uv"] == str(tmp_path / "cuda" / "bin" / "uv")
    assert ran.code == (3 if "unknown" in (found["gpus"]["status"], found["driver"]["status"]) else 0)


def no_driver() -> bool:
    return not os.path.exists("/proc/driver/nvidia") and not shutil.which("nvidia-smi")


@pytest.mark.skipif(not no_driver(), reason="a driver answers before nvidia-smi does")
@pytest.mark.parametrize(("text", "unknown"), [(SAYS["nonsense"], True), (SAYS["an error"], False)])
def test_an_nvidia_smi_that_fails_says_there_is_no_driver_and_one_that_raves_says_nothing(
    run: Run, tmp_path: Path, text: str, unknown: bool
) -> None:
    ran = run(*CHECK, env=on_path(tmp_path, "nvidia-smi", text=text))
    found = readings(ran, 3 if unknown else 0)
    for name in ("driver", "gpus"):
        assert found[name]["status"] == ("unknown" if unknown else "absent")
        assert not unknown or "nvidia-smi" in found[name]["reason"]


@pytest.mark.skipif(not no_driver(), reason="a driver answers before nvidia-smi does")
@pytest.mark.parametrize("text", HANGS.values(), ids=HANGS)
def test_commands_that_never_end(run: Run, tmp_path: Path, text: str) -> None:
    ran = run(*CHECK, env=on_path(tmp_path / "bin", "nvidia-smi", "g++", "nvcc", text=text))
    found = readings(ran, 3)
    for name in ("driver", "gpus", "compiler"):
        assert found[name]["status"] == "unknown", name
        assert any(word in found[name]["reason"] for word in ("no answer within 1 s", "more than")), found[name]


# --- extensions


def sparse(path: Path) -> None:
    os.truncate(path, 4 << 30)


def sparse_elf(path: Path) -> None:
    head = bytearray(Path("/bin/sh").read_bytes()[:64])
    head[16] = 3  # a shared library
    path.write_bytes(head)
    sparse(path)


EXTENSIONS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
    "cut": lambda path: path.write_bytes(Path("/bin/sh").read_bytes()[:3_000]),
    "only a head": lambda path: path.write_bytes(Path("/bin/sh").read_bytes()[:64]),
    "4 GB of nothing": sparse,
    "4 GB behind a head": sparse_elf,
    "a FIFO": lambda path: (path.unlink(), os.mkfifo(path)),
    "a device": lambda path: (path.unlink(), path.symlink_to("/dev/zero")),
    "a terminal": lambda path: (path.unlink(), path.symlink_to("/dev/tty")),
    "a loop": lambda path: (path.unlink(), path.symlink_to(path.name)),
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("gone")),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize(
    ("make", "memory_kib"),
    [*((make, MEMORY_KIB) for make in EXTENSIONS.values()), (sparse, "unlimited"), (sparse_elf, "unlimited")],
    ids=[*EXTENSIONS, "4 GB of nothing and room for it", "4 GB behind a head and room for it"],
)
def test_extensions_that_are_no_libraries(
    run: Run, tree: Tree, make: Callable[[Path], object], memory_kib: int | str
) -> None:
    make(tree.extension)
    found = readings(run(*CHECK, "--venv", tree.folder, memory_kib=memory_kib))["extensions"]
    (one,) = found["value"]["packages"]["flash-attn"]
    assert one["unreadable"], one
    assert (one["cubins"], one["missing_symbols"]) == ({}, [])


@pytest.mark.parametrize("make", EXTENSIONS.values(), ids=EXTENSIONS)
def test_libraries_of_torch_that_are_none(run: Run, tree: Tree, make: Callable[[Path], object]) -> None:
    (tree.torch / "lib").mkdir()
    tree.version.write_text(TORCH_VERSION.replace("2.8.0+cu128", "2.8.0a0+git1234"))
    shutil.rmtree(tree.torch_info)
    for name in ("libtorch_cuda.so", "libtorch_cpu.so", "libtorch_python.so", "libtorch_global_deps.so"):
        (tree.torch / "lib" / name).touch()
        make(tree.torch / "lib" / name)
    found = readings(run(*CHECK, "--venv", tree.folder))
    assert found["torch"]["value"]["arch_list"] is None
    assert found["extensions"]["status"] == "known"


# --- variables


ODD_VALUES = {
    "empty": "",
    "empty elements": ":::",
    "a new line": "/a\n/b:\n",
    "not UTF-8": "/caf\udce9:/\udcff",
    "an escape sequence": "/\x1b[31m:\x07",
    "100 kB": "/" + "x" * 100_000,
    "many elements": ":".join(["/a"] * 30_000),
    "many slashes": "/" * 100_000,
    "a file": "/etc/passwd",
    "a device": "/dev/zero:/dev/tty",
    "relative": "a:.:..:~",
    "a URL": "https://user:secret@example.org/x",
    "a NUL of JSON": "\\u0000",
}
ANY = (
    "LD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_PATH",
    "PYTHONPATH",
    "CXX",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "CUDA_VISIBLE_DEVICES",
)
ANY += ("CONDA_PREFIX", "TORCH_CUDA_ARCH_LIST", "MAX_JOBS", "ATTN_DOCTOR_PROBE_TIMEOUT", "PYTHONUSERBASE", "COLUMNS")


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_variables_of_any_value(run: Run, tree: Tree, value: str) -> None:
    ran = run(*CHECK, "--venv", tree.folder, env=dict.fromkeys(ANY, value))
    found = readings(ran)
    assert found["torch"]["value"]["version"] == "2.8.0+cu128"
    for name, reading in found.items():
        assert reading["status"] != "unknown" or name in (
            "built_wheels",
            "compiler",
            "disk",
            "environment",
            "toolkits",
        ), (
            name,
            reading,
        )
    assert "secret" not in json.dumps(found["environment"])
    text = run("check", "-v", "--fail-on", "never", "--venv", tree.folder, env=dict.fromkeys(ANY, value))
    assert (text.code, text.err) == (0, "")
    assert all(char.isprintable() or char == "\n" for char in text.out)


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_a_path_of_any_value(run: Run, tree: Tree, value: str) -> None:
    found = readings(run(*CHECK, "--venv", tree.folder, by='export PATH="$ODD"; exec "$@"', env={"ODD": value}))
    assert found["compiler"]["status"] in ("absent", "unknown")


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_a_virtual_env_of_any_value(run: Run, value: str) -> None:
    ran = run(*CHECK, env={"VIRTUAL_ENV": value})
    if value:
        refused(ran, "$VIRTUAL_ENV")
        return
    assert readings(ran)["python"]["value"]["own"] is True


@pytest.mark.parametrize("home", [None, "", "/no/such", "relative", "/etc/passwd", "/caf\udce9", "\n"])
def test_a_home_of_any_value(run: Run, tree: Tree, home: str | None) -> None:
    found = readings(run(*CHECK, "--venv", tree.folder, env={"HOME": home}))
    assert found["torch"]["status"] == "known"
    assert run("check", "--venv", "~/x", env={"HOME": home}).code == 2


@pytest.mark.parametrize("columns", ["", "0", "-5", "1", "abc", "99999999999999999999", "\u00b2"])
@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("simulate",), ("check", "--nonsense")])
def test_columns_of_any_value(run: Run, columns: str, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments, env={"COLUMNS": columns, "LINES": columns})
    assert ran.code == (2 if "--nonsense" in arguments else 0)
    assert len(ran.out) < 100_000


# --- where it starts, and its streams


def test_a_working_folder_that_is_gone(run: Run, tmp_path: Path, tree: Tree) -> None:
    for number, arguments in enumerate((CHECK, (*CHECK, "--venv", tree.folder), ("simulate",))):
        gone = tmp_path / f"gone{number}"
        gone.mkdir()
        ran = run(*arguments, by=f'cd "{gone}"; rmdir "{gone}"; exec "$@"')
        assert (ran.code, ran.err) == (0, ""), ran
    gone.mkdir()
    refused(run(*CHECK, "--venv", "venv", by=f'cd "{gone}"; rmdir "{gone}"; exec "$@"'), "working folder")


OUTPUTS = [("simulate",), ("check",), ("rule", "--list"), ("--help",), ("--version",)]


@pytest.mark.parametrize("unbuffered", [None, "1"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
@pytest.mark.parametrize(("to", "reason"), [(">/dev/full", "no space left"), ("</dev/null >&0", "bad file")])
def test_a_standard_output_that_takes_nothing(
    run: Run, arguments: tuple[str, ...], to: str, reason: str, unbuffered: str | None
) -> None:
    ran = run(*arguments, by=f'exec "$@" {to}', env={"PYTHONUNBUFFERED": unbuffered})
    refused(ran, "cannot write standard output", reason)


def test_a_standard_output_that_is_closed(run: Run, tmp_path: Path) -> None:
    for arguments in OUTPUTS[:3]:
        refused(run(*arguments, by='exec "$@" >&-'), "cannot write standard output", "closed")
    for arguments in OUTPUTS[3:]:
        assert run(*arguments, by='exec "$@" >&-').err == ""
    assert run("simulate", "--output", tmp_path / "file", by='exec "$@" >&-').code == 0
    assert json.loads((tmp_path / "file").read_bytes())["schema"] == "attn-doctor/facts/1"


def test_a_standard_input_that_is_closed(run: Run, tree: Tree) -> None:
    refused(run("check", "--facts", "-", by='exec "$@" <&-'), "standard input", "closed")
    assert readings(run(*CHECK, "--venv", tree.folder, by='exec "$@" <&-'))["torch"]["status"] == "known"
    refused(run("check", "--facts", "-", by='exec "$@" 0>/dev/null'), "cannot read", "standard input")


@pytest.mark.parametrize("to", ["2>&-", "2>/dev/full"])
def test_a_standard_error_that_takes_nothing(run: Run, to: str) -> None:
    ran = run("check", "--venv", "/no/such", by=f'exec "$@" {to}')
    assert (ran.code, ran.out, ran.err) == (2, "", "")
    assert run(*CHECK, by=f'exec "$@" {to}').code == 0


def test_all_streams_closed(run: Run, tree: Tree) -> None:
    assert run(*CHECK, "--venv", tree.folder, by='exec "$@" <&- >&- 2>&-').code == 2


def test_an_output_that_cannot_be_written(run: Run, run_without_root: Run, tmp_path: Path) -> None:
    for place, reason in (
        ("/dev/full", "no space left"),
        (tmp_path, "directory"),
        (tmp_path / "a" / "b", "no such file"),
    ):
        refused(run("simulate", "--output", place), "cannot write", reason)
    (tmp_path / "loop").symlink_to("loop")
    refused(run("simulate", "--output", tmp_path / "loop"), "symbolic links")
    refused(run("simulate", "--output", "x" * 5_000), "too long")
    refused(run("simulate", "--output", ""), "cannot write")
    tmp_path.chmod(0o555)
    try:
        refused(run_without_root("simulate", "--output", tmp_path / "file"), "permission denied")
    finally:
        tmp_path.chmod(0o755)


@pytest.mark.parametrize("locale", ["C", "POSIX", "nonsense", "\udcff"])
def test_a_locale_without_letters(run: Run, tmp_path: Path, locale: str) -> None:
    env = {"LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    plain, odd = Tree(tmp_path / "plain"), Tree(tmp_path / "\u00dcbung \u74b0\u5883")
    assert readings(run(*CHECK, "--venv", plain.folder, env=env))["torch"]["value"]["version"] == "2.8.0+cu128"
    # Python was told to take the name of the folder for bytes: it cannot stand in JSON, and that is said
    assert "UTF-8" in readings(run(*CHECK, "--venv", odd.folder, env=env), 3)["torch"]["reason"]
    text = run("check", "--fail-on", "never", "--venv", odd.folder, env=env)
    assert (text.code, text.err) == (3, "")
    refused(run("check", "--venv", tmp_path / "\u00e9", env=env), "no folder")
    refused(run("check", "--facts", tmp_path / "\u00e9", env=env), "No such file")
