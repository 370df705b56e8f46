"""What the pages and the published schemas say is what the tool does."""

from __future__ import annotations

import copy
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from attn_doctor import schemas
from attn_doctor.machine.probe import probes

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")],
    key=str,
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
MAKE = re.compile(r"(?:^    |`|^\$ )make ([a-z-]+)", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CPU_ONLY = ["torch=2.13.0+cpu"]
MACHINES = {
    "plain": [],
    "cpu": CPU_ONLY,
    "laptop": ["gpu=NVIDIA GeForce RTX 3050", "vram=4GiB", "driver=555.99", "torch=2.7.1+cu118", "nvcc=12.5"],
    "new-card-old-torch": ["gpu=NVIDIA GeForce RTX 5090", "torch=2.5.1+cu124"],
    "old-driver": ["gpu=NVIDIA L4", "driver=470.57.02", "torch=2.13.0+cu130"],
    "no-driver": ["gpu=NVIDIA GeForce RTX 4090", "driver=none", "torch=2.8.0"],
    "eight": ["gpu=NVIDIA A100-SXM4-80GB", "gpu_count=8", "torch=2.6.0"],
    "mixed": ["gpu=NVIDIA H100 80GB HBM3", "gpu=Tesla T4", "torch=2.8.0"],
    "installed": ["gpu=NVIDIA L4", "torch=2.7.1+cu126", "pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"],
    "wrong-build": ["gpu=NVIDIA L4", "torch=2.8.0", "pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"],
    "windows": ["os=windows", "gpu=NVIDIA GeForce RTX 4090", "torch=2.8.0+cu128"],
    "mac": ["os=macos", "arch=aarch64", "gpu=Apple M3 Max", "torch=2.8.0"],
    "amd": ["gpu=AMD Instinct MI300X", "torch=2.9.1+rocm6.4"],
    "arm": ["arch=aarch64", "gpu=NVIDIA GH200 480GB", "torch=2.9.0+cu128", "python=3.13t"],
    "container": ["container=true", "gpu=NVIDIA L4", "torch=2.8.0a0+34c6371d24.nv25.08", "torch_cuda=13.0"],
    "musl": ["libc=musl-1.2", "gcc=none", "ninja=false", "gpu=NVIDIA L4", "torch=2.8.0"],
}


def attn_doctor(*arguments: str, given: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "attn_doctor", *arguments],
        input=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(schemas.load(name))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts/generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


posix = pytest.mark.skipif(sys.platform == "win32", reason="the examples are lines of a POSIX shell")


# generated pages


@posix
def test_every_generated_file_is_up_to_date(generator: ModuleType) -> None:
    whole = generator.generated()
    assert generator.out_of_date(whole) == [], "bring them up to date: make docs"


@posix
@pytest.mark.parametrize("path", [page.relative_to(ROOT).as_posix() for page in PAGES])
def test_every_example_is_real_output(generator: ModuleType, path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    if "<!-- example:" in text or "<!-- help:" in text:
        assert generator.fill(text) == text, "bring it up to date: make docs"


def test_the_readme_shows_the_help_and_examples() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("<!-- help:begin -->") == 1
    assert len(re.findall(r"<!-- example:[\w-]+:begin -->", text)) >= 4


def test_check_mode_names_what_is_out_of_date(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "generated", lambda: {"docs/rules/AD000.md": "# nothing writes this\n"})
    monkeypatch.setattr(generator, "filled", lambda whole: {})
    monkeypatch.setattr(generator, "OWNED", ())
    assert generator.main(["--check"]) == 1
    assert "out of date: docs/rules/AD000.md" in capsys.readouterr().out
    assert not (ROOT / "docs/rules/AD000.md").exists()


def test_a_page_that_nothing_generates_is_out_of_date(generator: ModuleType) -> None:
    pages = generator.rule_pages()
    del pages["docs/rules/AD101.md"]
    assert "docs/rules/AD101.md" in generator.left_over(pages | generator.backend_pages())


# schemas


@pytest.mark.parametrize("name", ["facts", "report"])
def test_a_schema_is_itself_valid(name: str) -> None:
    schema = schemas.load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"].startswith("urn:attn-doctor:")


@pytest.mark.parametrize("name", ["facts", "report"])
def test_every_reference_of_a_schema_resolves(name: str) -> None:
    text = json.dumps(schemas.load(name))
    referred = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', text))
    assert referred == set(schemas.load(name)["$defs"])


def test_the_schema_of_facts_has_a_property_for_every_probe() -> None:
    assert set(schemas.load("facts")["properties"]["readings"]["properties"]) == set(probes())


def test_facts_of_this_machine_validate() -> None:
    validator("facts").validate(json.loads(attn_doctor("facts")))


def test_the_report_of_this_machine_validates() -> None:
    validator("report").validate(json.loads(attn_doctor("check", "--format", "json")))


@pytest.fixture(scope="module", params=MACHINES)
def documents(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts and report of one simulated machine."""
    facts = attn_doctor("simulate", *MACHINES[request.param])
    report = attn_doctor("check", "--facts", "-", "--format", "json", "--need", "dtype=bf16", given=facts)
    return json.loads(facts), json.loads(report)


def test_documents_of_simulated_machines_validate(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    facts, report = documents
    validator("facts").validate(facts)
    validator("report").validate(report)


def test_the_facts_inside_a_report_are_a_valid_document(documents: tuple[dict[str, Any], dict[str, Any]]) -> None:
    _, report = documents
    validator("facts").validate(report["facts"])


@pytest.fixture(scope="module")
def laptop() -> tuple[dict[str, Any], dict[str, Any]]:
    facts = attn_doctor("simulate", *MACHINES["laptop"])
    return json.loads(facts), json.loads(attn_doctor("check", "--facts", "-", "--format", "json", given=facts))


DELETED = object()


def broken(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy in which one field has another value, or is gone."""
    copied = copy.deepcopy(document)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    place: Any = copied
    for step in way:
        place = place[step]
    if value is DELETED:
        del place[last]
    else:
        place[last] = value
    return copied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "attn-doctor/facts/2"),
        ("schema", DELETED),
        ("version", 1),
        ("version", DELETED),
        ("readings", DELETED),
        ("readings", []),
        ("readings/cpu/status", "perhaps"),
        ("readings/cpu/status", DELETED),
        ("readings/cpu/value/cores", "8"),
        ("readings/cpu/value", DELETED),
        ("readings/driver/value/version", None),
        ("readings/gpus/value/0/name", DELETED),
        ("readings/gpus/value/0/memory_bytes", "4 GiB"),
        ("readings/torch/value/arch_list", "sm_80"),
        ("readings/packages/value/triton", "3.3.1"),
        ("readings/no_such_probe", {"status": "unknown", "reason": "nobody asked"}),
    ],
)
def test_broken_facts_do_not_validate(
    laptop: tuple[dict[str, Any], dict[str, Any]], tmp_path: Path, path: str, value: object
) -> None:
    document = broken(laptop[0], path, value)
    assert not validator("facts").is_valid(document)
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "attn_doctor", "check", "--facts", str(file)], capture_output=True, check=False
    )
    assert done.returncode == 2, "what the schema refuses, --facts refuses too"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("readings/cpu", DELETED),
        ("readings/gpus/value/0/fault", DELETED),
        ("readings/cpu/value/threads", 16),
        ("written_by", "somebody"),
    ],
)
def test_what_the_codec_accepts_validates(
    laptop: tuple[dict[str, Any], dict[str, Any]], path: str, value: object
) -> None:
    document = broken(laptop[0], path, value)
    validator("facts").validate(document)
    attn_doctor("check", "--facts", "-", given=json.dumps(document))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema", "attn-doctor/report/2"),
        ("findings", DELETED),
        ("findings/0/severity", "fatal"),
        ("findings/0/fix", "a string"),
        ("findings/0/ignored", DELETED),
        ("backends/0/status", "maybe"),
        ("backends/0/version", 2),
        ("backends/0/gpus/0/indices/0", "0"),
        ("recommendation/use_now", DELETED),
        ("recommendation/why", None),
        ("facts/readings/cpu/value/cores", "8"),
        ("facts/readings/cpu", DELETED),
        ("needs", []),
    ],
)
def test_a_broken_report_does_not_validate(
    laptop: tuple[dict[str, Any], dict[str, Any]], path: str, value: object
) -> None:
    assert not validator("report").is_valid(broken(laptop[1], path, value))


# links and commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_relative_link_resolves(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        aim = (page.parent / file).resolve() if file else page
        assert aim.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in headings(aim), f"{page.name} links to {target}"


def headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
        ahead += [
            (page.parent / link.partition("#")[0]).resolve() for link in links if not re.match(r"[a-z]+:|#", link)
        ]
    assert [page for page in PAGES if page not in seen] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(MAKE.findall(page.read_text(encoding="utf-8")))
    assert named <= targets
    if page.name in ("README.md", "CONTRIBUTING.md") and page.parent == ROOT:
        assert named, "the pattern finds none: it has aged"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_only_commands_that_exist_are_named(page: Path) -> None:
    from attn_doctor.cli import COMMANDS

    named = set(re.findall(r"attn-doctor ([a-z]+)\b(?! itself)", command_text(page.read_text(encoding="utf-8"))))
    assert named <= set(COMMANDS), named - set(COMMANDS)


def command_text(text: str) -> str:
    """What stands in code: fences, indented lines, back-quotes."""
    quoted = re.findall(r"`[^`\n]+`", FENCE.sub("", text))
    indented = re.findall(r"^    .*$|^\$ .*$", text, re.MULTILINE)
    return "\n".join(quoted + indented)
