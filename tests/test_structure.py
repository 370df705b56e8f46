"""How the package is built: which way imports point, who reads and writes, what every rule and every table row has."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

import attn_doctor
import imagined
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.rule import rules

PACKAGE = Path(attn_doctor.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = {file: file.relative_to(PACKAGE).as_posix() for file in FILES}

# what a room may import of the others; the rooms at the bottom and the files beside them serve everyone
ROOMS = {
    "knowledge": set(),
    "machine": {"knowledge"},
    "wheels": {"knowledge"},
    "judgement": {"knowledge", "machine", "wheels"},
    "schemas": set(),
    "plan": {"knowledge", "machine", "wheels", "judgement"},
    "reporters": {"knowledge", "machine", "wheels", "judgement", "plan", "explain", "execute", "measure"},
    "execute": {"knowledge", "machine", "wheels", "judgement", "plan"},
    "explain": {"knowledge", "machine", "wheels", "judgement", "plan"},
    "measure": {"knowledge", "machine"},
    "policy": {"knowledge", "machine", "wheels", "judgement"},
    "snippets": {"knowledge", "machine", "judgement"},
    "issues": {"knowledge", "machine", "judgement"},
    "notebook": {"judgement", "reporters", "execute"},
    "here": {"knowledge", "machine", "wheels", "judgement"},
    "library": {"knowledge", "machine", "wheels", "judgement", "notebook", "policy"},
    "cli": {"knowledge", "machine", "wheels", "judgement", "plan", "reporters", "execute", "explain", "measure"}
    | {"policy", "schemas", "snippets", "issues"},
}
SHARED = {"errors", "discovery", "__init__"}
PURE = ("judgement/", "plan/", "explain/", "reporters/", "wheels/", "knowledge/", "snippets/", "issues/")
# who in those rooms may touch files all the same, and why
READS = {
    "knowledge/tables.py": {"os", "open"},  # the tables of the package
    "wheels/embedded.py": {"os", "open"},  # the catalogue of the package
    "wheels/refreshed.py": {"os", "open"},  # its refreshed copy
    # `wheels refresh` is there to ask, and to keep what it was told
    "wheels/refresh/fetch.py": {"os", "http", "socket", "ssl", "time", "urllib", "threading"},
    "wheels/refresh/github.py": {"os"},  # the address and the token
    "wheels/refresh/indexes.py": {"os"},  # the address of the PyTorch index
    "wheels/refresh/settings.py": {"os", "sys", "open", "shutil", "subprocess", "urllib"},  # of pip and uv
    "wheels/refresh/simple_page.py": {"urllib"},  # takes URLs apart
    "wheels/refresh/store.py": {"os", "open", "tempfile", "time"},  # its cache
    "reporters/__init__.py": {"os"},  # lists the formats
    "reporters/_machine.py": {"os"},  # the working folder and the home folder, to shorten paths
    "reporters/sarif.py": {"urllib"},  # writes paths as URIs
    "reporters/_plots.py": {"io"},  # matplotlib draws into memory
    "reporters/text.py": {"os", "sys", "io"},  # whether there is a terminal, and NO_COLOR; rich writes into a string
}
# the door for probes is the host; what they read of their own process, and why
ASKS = {
    "machine/probes/_nvidia.py": {"os", "sys"},  # the command of the NVML child
    "machine/probes/deep.py": {"os"},  # where the script for the target's Python lies
}
DOORS = {"os", "sys", "subprocess", "socket", "pathlib", "shutil", "tempfile", "urllib", "http", "ssl", "ctypes", "io"}
DOORS |= {"glob", "platform", "requests", "importlib.resources", "threading", "multiprocessing", "asyncio", "time"}
CALLS = {"open", "print", "input", "eval", "exec", "__import__"}


def room(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def type_checking_only(module: ast.Module) -> set[int]:
    """Lines of imports that only the type checker reads."""
    lines: set[int] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            lines |= {inner.lineno for inner in ast.walk(node) if isinstance(inner, (ast.Import, ast.ImportFrom))}
    return lines


def imports(file: Path, types_too: bool = True) -> set[str]:
    """Modules that a file imports, by their full names."""
    module = tree(file)
    passed = set() if types_too else type_checking_only(module)
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import) and node.lineno not in passed:
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.lineno not in passed:
            assert node.level == 0, f"{file}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def calls(file: Path) -> set[str]:
    """Names of the functions that a file calls by their plain names."""
    return {
        node.func.id for node in ast.walk(tree(file)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


@pytest.mark.parametrize("file", FILES, ids=NAMES.values())
def test_imports_point_one_way(file: Path) -> None:
    here = room(NAMES[file])
    if here in SHARED | {"__main__"}:
        return
    assert here in ROOMS, f"a new room: say here what {here} may import"
    own = {name.split(".")[1] for name in imports(file) if name.startswith("attn_doctor.")}
    own = {name for name in own if name != "__version__"}
    assert own - SHARED - {here} <= ROOMS[here]


@pytest.mark.parametrize("file", [file for file in FILES if NAMES[file].startswith(PURE)], ids=lambda file: NAMES[file])
def test_who_judges_and_reports_neither_reads_nor_writes(file: Path) -> None:
    name = NAMES[file]
    allowed = READS.get(name, set())
    opened = {one for one in imports(file, types_too=False) if one in DOORS or one.partition(".")[0] in DOORS}
    opened = {one.partition(".")[0] for one in opened}
    assert (opened | (calls(file) & CALLS)) - allowed == set()


def test_the_list_of_exceptions_is_no_longer_than_needed() -> None:
    for name, allowed in READS.items():
        file = PACKAGE / name
        assert file.exists(), name
        used = {one.partition(".")[0] for one in imports(file, types_too=False)} | calls(file)
        assert allowed <= used, f"{name} does not use {allowed - used}"


def test_only_the_command_line_and_children_print() -> None:
    printing = {NAMES[file] for file in FILES if "print" in calls(file)}
    assert {
        name for name in printing if not name.startswith(("cli/", "machine/children/", "measure/children/"))
    } == set()


def test_probes_ask_the_host_and_nobody_else() -> None:
    for file in FILES:
        if NAMES[file].startswith("machine/probes/"):
            opened = {one.partition(".")[0] for one in imports(file, types_too=False)} & DOORS
            assert opened <= ASKS.get(NAMES[file], set()), NAMES[file]
            assert calls(file) & CALLS == set(), NAMES[file]


RULE_FILES = [file for file in FILES if re.fullmatch(r"judgement/rules/[a-z]\w*\.py", NAMES[file])]
BACKEND_FILES = [file for file in FILES if re.fullmatch(r"judgement/backends/[a-z]\w*\.py", NAMES[file])]


@pytest.mark.parametrize("file", RULE_FILES, ids=lambda file: file.stem)
def test_every_rule_explains_itself(file: Path) -> None:
    heading, _, body = (ast.get_docstring(tree(file)) or "").partition("\n")
    code, name = heading.split()
    assert re.fullmatch(r"AD\d{3}", code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert name.replace("-", "_").startswith(file.stem), "the file has the name of the rule, or its beginning"
    assert len(body.split()) >= 15
    rule = rules()[code]
    assert (rule.code, rule.name) == (code, name)
    assert rule.title
    assert rule.title[-1] not in ".!"
    assert rule.severity in ("error", "warning", "info")


def test_codes_and_names_are_unique() -> None:
    assert len(RULE_FILES) == len(rules())
    written = re.findall(r'Rule\(\s*"(AD\d{3})"', "".join(file.read_text(encoding="utf-8") for file in RULE_FILES))
    assert Counter(written).most_common(1)[0][1] == 1
    assert sorted(written) == sorted(rules())
    assert Counter(rule.name for rule in rules().values()).most_common(1)[0][1] == 1


def test_every_code_named_anywhere_is_a_rule() -> None:
    for file in FILES:
        assert set(re.findall(r"\bAD\d{3}\b", file.read_text(encoding="utf-8"))) <= set(rules()), NAMES[file]


def test_every_backend_of_the_contract_is_one_file() -> None:
    contract = {"eager", "sdpa", "xformers", "flex_attention", "triton", "sage_attention"}
    contract |= {f"flash_attention_{number}" for number in (1, 2, 3, 4)}
    assert set(backends()) == contract
    assert sorted(file.stem for file in BACKEND_FILES) == sorted(contract)
    for backend in backends().values():
        assert backend.doc.partition("\n")[0].strip() == backend.name
        assert len(backend.doc.split()) >= 15


MACHINES = sorted((Path(__file__).parent / "machines").glob("*.json"))


def test_everything_that_any_machine_yields_is_in_the_list() -> None:
    listed = {line.split()[0] for line in imagined.call("rule", "--list").out.splitlines()}
    assert listed == set(rules())
    found: set[str] = set()
    for file in MACHINES:
        found |= set(imagined.codes(imagined.judged(*json.loads(file.read_text(encoding="utf-8"))["simulate"])))
    assert found
    assert found <= listed


# --- tables


def tables() -> list[Path]:
    return sorted([*(PACKAGE / "knowledge").glob("*.json"), *(PACKAGE / "wheels" / "catalogue").glob("*.json")])


def rows_of(value: Any, path: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every list of objects in a document, flattened."""
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += rows_of(inner, f"{path}/{key}")
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        found += [(f"{path}/{number}", one) for number, one in enumerate(value)]
    return found


@pytest.mark.parametrize("file", tables(), ids=lambda file: file.stem)
def test_every_row_says_where_it_comes_from(file: Path) -> None:
    document = json.loads(file.read_text(encoding="utf-8"))
    # a table without rows is one row
    rows = rows_of(document) or ([("", document)] if file.stem != "sources" else [])
    without = [path for path, row in rows if not str(row.get("source") or row.get("source_id") or "").strip()]
    assert without == []


@pytest.mark.parametrize("file", sorted((PACKAGE / "knowledge").glob("*.json")), ids=lambda file: file.stem)
def test_every_table_says_when_it_was_true(file: Path) -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", json.loads(file.read_text(encoding="utf-8"))["as_of"])


def test_the_catalogue_says_when_it_was_true_and_knows_its_sources() -> None:
    folder = PACKAGE / "wheels" / "catalogue"
    sources = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", sources["as_of"])
    named: set[str] = set()
    for file in folder.glob("*.json"):
        named |= {shape["source"] for shape in json.loads(file.read_text(encoding="utf-8")).get("shapes", ())}
    assert named
    described = sources["sources"]
    nowhere = {name for name in named if not any(fnmatch(name, pattern) for pattern in described)}
    assert nowhere == set(), "sources of wheels that are described nowhere"


# what commands and catalogue rows point to; packages come from the index that the user's own pip or uv is set up with
HOSTS = {"github.com", "huggingface.co", "download.pytorch.org", "json-schema.org"}
HOSTS |= {"api.github.com"}  # releases, for `wheels refresh`
HOSTS |= {"developer.download.nvidia.com"}  # runfiles and package repositories of CUDA
HOSTS |= {"nvidia.com"}  # no host: how containers name the devices, nvidia.com/gpu
HOSTS |= {"docs.oasis-open.org"}  # the schema that a SARIF document names
HOSTS |= {"nvcr.io", "docker.io", "hf.co"}  # containers, and what docker and the Hub print
HOST = re.compile(r"(?<![\w@.])(?:[a-z0-9-]+\.)+(?:org|com|io|net|dev|co|cloud|ai|cn)(?![\w(])")


def test_no_other_host_is_named_and_no_package_registry() -> None:
    text = {".py", ".json", ".md", ".txt", ".toml", ".cfg", ""}
    for file in sorted(PACKAGE.rglob("*")):
        if file.is_file() and file.suffix in text:
            named = set(HOST.findall(file.read_text(encoding="utf-8")))
            assert named <= HOSTS, f"{file.relative_to(PACKAGE)}: {named - HOSTS}"
    assert HOST.findall("index-url https://index.example.org/simple") == ["index.example.org"]


def test_every_machine_of_the_tests_says_what_it_is() -> None:
    for file in MACHINES:
        assert re.fullmatch(r"(linux|windows|macos|wsl)-[a-z0-9.+]+-[a-z0-9.+]+-[a-z0-9.+-]+", file.stem), file.stem
        machine = json.loads(file.read_text(encoding="utf-8"))
        keys = {item.partition("=")[0]: item.partition("=")[2] for item in machine["simulate"]}
        system = file.stem.partition("-")[0]
        assert keys.get("os", "linux") == ("linux" if system == "wsl" else system)
        assert (keys.get("wsl") == "true") is (system == "wsl")
        torch = keys.get("torch", "none")
        assert file.stem.split("-")[2].startswith(torch.partition("+")[0]), file.stem
