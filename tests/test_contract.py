"""What users, scripts and CI jobs rely on: JSON keys, exit codes and names of `check`, `facts`, `simulate`, `rule`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

import attn_doctor
import imagined
from attn_doctor.judgement.rule import rules
from imagined import backend, call, checked, codes, facts, judged, kernel, kernels, status
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T4, A100, L4, H100 = "gpu=Tesla T4", "gpu=NVIDIA A100-SXM4-80GB", "gpu=NVIDIA L4", "gpu=NVIDIA H100 80GB HBM3"
B200, RTX5090, V100 = "gpu=NVIDIA B200", "gpu=NVIDIA GeForce RTX 5090", "gpu=Tesla V100-SXM2-16GB"
HEALTHY = (A100, "torch=2.8.0")
WARNED = (A100, "torch=2.8.0", "nvcc=11.8")  # AD214
FAILED = (V100, "driver=580.95.05", "torch=2.13.0")  # AD103
FLASH_ATTN = "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE"

BACKENDS = [
    "eager",
    "flash_attention_1",
    "flash_attention_2",
    "flash_attention_3",
    "flash_attention_4",
    "flex_attention",
    "sage_attention",
    "sdpa",
    "triton",
    "xformers",
]
ALIASES = {
    "manual": "eager",
    "math": "eager",
    "fa1": "flash_attention_1",
    "fa2": "flash_attention_2",
    "flash_attn_2": "flash_attention_2",
    "flash-attn": "flash_attention_2",
    "fa3": "flash_attention_3",
    "fa4": "flash_attention_4",
}
CAN = ("ready", "installable")
CANNOT = ("blocked", "unsupported")


def refused(called: imagined.Called) -> bool:
    """Exit 2, a sentence on standard error, nothing on standard output, no traceback."""
    assert "Traceback" not in called.err, called
    return called.code == 2 and called.out == "" and called.err.strip() != ""


# --- the documents


def test_the_report_has_the_keys_of_the_contract() -> None:
    report = judged(*FAILED)
    assert (report["schema"], report["version"]) == ("attn-doctor/report/1", attn_doctor.__version__)
    assert report.keys() >= {"facts", "findings", "backends", "recommendation"}
    assert report["recommendation"].keys() >= {"use_now", "best", "why", "next_step"}
    assert report["findings"]
    for finding in report["findings"]:
        assert finding.keys() >= {"code", "severity", "title", "detail", "evidence", "fix", "docs"}
        assert finding["severity"] in ("error", "warning", "info")
        assert len(finding["code"]) == 5
        assert finding["code"].startswith("AD")
        assert finding["code"][2:].isdigit()
        assert all(isinstance(finding[key], list) for key in ("evidence", "fix"))
        assert finding["evidence"]
    for one in report["backends"]:
        assert one.keys() >= {"name", "status", "reasons", "version"}
        assert one["status"] in ("ready", "installable", "blocked", "unsupported")
    assert sorted(one["name"] for one in report["backends"]) == BACKENDS
    assert report["facts"] == json.loads(facts(*FAILED))


def test_the_facts_have_schema_and_version() -> None:
    for document in (json.loads(facts(*HEALTHY)), call("facts").json(), call("simulate").json()):
        assert (document["schema"], document["version"]) == ("attn-doctor/facts/1", attn_doctor.__version__)
        assert document.keys() >= {"schema", "version", "readings"}


def test_backends_inside_torch_have_its_version_and_packages_their_own() -> None:
    report = judged(*HEALTHY, FLASH_ATTN)
    assert backend(report, "sdpa")["version"] == "2.8.0"
    assert backend(report, "flash_attention_2")["version"].startswith("2.8.3")
    assert backend(report, "xformers")["version"] is None


def test_documents_validate_against_the_published_schemas() -> None:
    folder = os.path.join(os.path.dirname(attn_doctor.__file__), "schemas")
    documents = {"facts": json.loads(facts(*HEALTHY)), "report": judged(*FAILED)}
    names = os.listdir(folder)
    for kind, document in documents.items():
        (name,) = [name for name in names if kind in name and name.endswith(".json")]
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            schema = json.load(file)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(document)


def test_facts_come_back_as_they_went_out() -> None:
    live = call("facts")
    assert live.code == 0
    assert call("facts", "--facts", "-", stdin=live.raw).raw == live.raw
    imagined_ones = facts(*WARNED)
    assert call("facts", "--facts", "-", stdin=imagined_ones).raw == imagined_ones
    assert call("simulate", *WARNED).raw == imagined_ones


def test_same_machine_same_bytes() -> None:
    assert call("simulate", *HEALTHY).raw == call("simulate", *HEALTHY).raw
    assert checked(*HEALTHY, options=("--format", "json")).raw == checked(*HEALTHY, options=("--format", "json")).raw
    assert checked(*HEALTHY).raw == checked(*HEALTHY).raw


# --- exit codes


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("keys", "options", "code"),
    [
        (HEALTHY, (), 0),
        (HEALTHY, ("--fail-on", "warning"), 0),
        (HEALTHY, ("--require", "sdpa"), 0),
        (HEALTHY, ("--require", "sdpa", "--require", "eager"), 0),
        (HEALTHY, ("--require", "flash_attention_2"), 1),
        (HEALTHY, ("--require", "sdpa", "--require", "fa2"), 1),
        (HEALTHY, ("--require", "fa2", "--fail-on", "never"), 1),
        ((*HEALTHY, FLASH_ATTN), ("--require", "fa2"), 0),
        (WARNED, (), 0),
        (WARNED, ("--fail-on", "error"), 0),
        (WARNED, ("--fail-on", "warning"), 1),
        (WARNED, ("--fail-on", "never"), 0),
        (WARNED, ("--fail-on", "warning", "--ignore", "AD214"), 0),
        (WARNED, ("--fail-on", "warning", "--ignore", "AD103"), 1),
        (FAILED, (), 1),
        (FAILED, ("--fail-on", "warning"), 1),
        (FAILED, ("--fail-on", "never"), 0),
        (FAILED, ("--ignore", "AD103"), 0),
        (FAILED, ("--ignore", "AD214"), 1),
        (FAILED, ("--ignore", "AD103", "--require", "sdpa"), 1),
        (HEALTHY, ("--need", "dtype=fp8", "--require", "sdpa"), 1),
    ],
)
def test_exit_0_and_1(keys: tuple[str, ...], options: tuple[str, ...], code: int, form: str) -> None:
    called = checked(*keys, options=(*options, "--format", form))
    assert (called.code, called.err) == (code, "")


def test_an_ignored_finding_still_shows_and_is_marked() -> None:
    as_json = checked(*FAILED, options=("--ignore", "AD103", "--format", "json"))
    (finding,) = [one for one in as_json.json()["findings"] if one["code"] == "AD103"]
    assert finding["severity"] == "error"
    assert finding["ignored"] is True
    assert all(one["ignored"] is False for one in judged(*FAILED)["findings"])
    as_text = checked(*FAILED, options=("--ignore", "AD103"))
    (line,) = [line for line in as_text.out.splitlines() if "AD103" in line]
    assert "ignored" in line
    assert "ignored" not in checked(*FAILED).out


def unknown(name: str, reason: str) -> bytes:
    document = json.loads(facts(*HEALTHY))
    document["readings"][name] = {"status": "unknown", "reason": reason}
    return json.dumps(document).encode()


@pytest.mark.parametrize("name", ["torch", "gpus", "driver", "python", "system"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_exit_3_where_a_probe_it_needs_failed(name: str, form: str) -> None:
    called = call("check", "--facts", "-", "--format", form, stdin=unknown(name, "it timed out after 10 s"))
    assert called.code == 3
    assert "it timed out after 10 s" in called.out


def test_a_probe_it_does_not_need_costs_no_verdict() -> None:
    called = call("check", "--facts", "-", "--format", "json", stdin=unknown("ninja", "refused"))
    assert called.code == 0
    assert status(called.json(), "sdpa") == "ready"


@pytest.mark.parametrize("name", sorted(json.loads(facts())["readings"]))
def test_any_unknown_reading_leaves_a_report(name: str) -> None:
    called = call("check", "--facts", "-", "--format", "json", stdin=unknown(name, "refused"))
    assert called.code in (0, 3)
    assert imagined.inconsistencies(called.json()) == []
    assert call("check", "--facts", "-", stdin=unknown(name, "refused")).code == called.code
    document = json.loads(facts(*HEALTHY))
    del document["readings"][name]
    without = call("check", "--facts", "-", "--format", "json", stdin=json.dumps(document))
    assert without.code == called.code, "a reading that is not there is an unknown one"


def test_exit_3_and_no_traceback_where_attn_doctor_itself_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> str:
        raise ZeroDivisionError("this is a test")

    monkeypatch.setattr("attn_doctor.reporters.json.render", broken)
    called = checked(*HEALTHY, options=("--format", "json"))
    assert called.code == 3
    assert called.out == ""
    assert "this is a test" in called.err
    assert "Traceback" not in called.err


def test_exit_130_where_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("attn_doctor.reporters.json.render", interrupted)
    called = checked(*HEALTHY, options=("--format", "json"))
    assert (called.code, called.out) == (130, "")
    assert "Traceback" not in called.err


# --- exit 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--no-such-flag"),
        ("check", "--json"),
        ("check", "stray"),
        ("check", "--format"),
        ("check", "--format", "yaml"),
        ("check", "--format", ""),
        ("check", "--format", "_machine"),
        ("check", "--format", "../json"),
        ("check", "--fail-on", "info"),
        ("check", "--fail-on", "ERROR!"),
        ("check", "--require", "flash"),
        ("check", "--require", ""),
        ("check", "--require", "flash_attention_5"),
        ("check", "--need", "speed"),
        ("check", "--need", ""),
        ("check", "--need", "="),
        ("check", "--need", "dtype"),
        ("check", "--need", "dtype="),
        ("check", "--need", "dtype=int8"),
        ("check", "--need", "head_dim"),
        ("check", "--need", "head_dim=0"),
        ("check", "--need", "head_dim=-64"),
        ("check", "--need", "head_dim=64.5"),
        ("check", "--need", "head_dim=²"),
        ("check", "--need", "causal=maybe"),
        ("check", "--what-if", "torch"),
        ("check", "--what-if", "colour=blue"),
        ("check", "--what-if", "driver=newest"),
        ("check", "--venv", "/no/such/folder"),
        ("check", "--python", "/no/such/python"),
        ("check", "--facts", "/no/such/file.json"),
        ("check", "--facts", "/"),
        ("check", "--facts", "\0"),
        ("check", "--facts", "-", "--venv", "."),
        ("facts", "--format", "text"),
        ("facts", "--need", "causal"),
        ("simulate", "gpu"),
        ("simulate", "gpu="),
        ("simulate", "=L4"),
        ("simulate", "gpus=2"),
        ("simulate", "os=solaris"),
        ("simulate", "arch=riscv64"),
        ("simulate", "libc=2.35"),
        ("simulate", "python=three"),
        ("simulate", "torch=newest"),
        ("simulate", "torch_cuda=12.8"),
        ("simulate", "cxx11abi=maybe", "torch=2.8.0"),
        ("simulate", "gpu=NVIDIA L4", "gpu_count=-1"),
        ("simulate", "gpu=NVIDIA L4", "gpu_count=many"),
        ("simulate", "gpu=NVIDIA L4", "cc=eight"),
        ("simulate", "gpu=NVIDIA L4", "vram=24"),
        ("simulate", "gcc=new"),
        ("simulate", "ninja=yes"),
        ("simulate", "ram=lots"),
        ("simulate", "cores=0"),
        ("simulate", "disk=-1GiB"),
        ("simulate", "wsl=1"),
        ("simulate", "pkg.=1.0"),
        ("simulate", "pkg.flash-attn=none such"),
        ("simulate", "--format", "text"),
        ("simulate", "gpu=No Such Card 9000"),
        ("rule",),
        ("rule", "AD000"),
        ("rule", "nonsense"),
        ("no-such-command",),
    ],
    ids=" ".join,
)
def test_exit_2_where_the_call_is_wrong(arguments: tuple[str, ...]) -> None:
    called = call(*arguments, stdin=facts(*HEALTHY))
    assert refused(called), called


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("colour=blue", ["colour"]),
        ("driver=newest", ["driver", "newest"]),
        ("ram=lots", ["ram", "lots"]),
        ("ninja=yes", ["ninja", "yes", "true"]),
        ("os=solaris", ["os", "solaris", "linux"]),
    ],
)
@pytest.mark.parametrize("command", ["simulate", "check"])
def test_a_key_or_value_that_cannot_be_read_is_named(command: str, assignment: str, said: list[str]) -> None:
    arguments = (assignment,) if command == "simulate" else ("--facts", "-", "--what-if", assignment)
    called = call(command, *arguments, stdin=facts())
    assert refused(called), called
    assert all(word in called.err for word in said), called.err


def deep(depth: int) -> bytes:
    return b'{"schema":"attn-doctor/facts/1","version":"0","readings":{"torch":' + b"[" * depth + b"]" * depth + b"}}"


def changed(edit: Callable[[Any], Any]) -> bytes:
    document = json.loads(facts(*HEALTHY))
    return json.dumps(edit(document) or document).encode()


def put(*path: str | int, value: Any) -> bytes:
    def edit(document: Any) -> None:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return changed(edit)


MALFORMED = {
    "empty": b"",
    "blank": b"  \n",
    "prose": b"no GPU here",
    "binary": bytes(range(256)),
    "not UTF-8": b'{"schema": "\xff\xfe"}',
    "zero bytes": b"\0" * 64,
    "truncated": facts(*HEALTHY)[:700],
    "two documents": facts() + facts(),
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "an empty object": b"{}",
    "deep nesting": deep(100_000),
    "deeper nesting": deep(2_000_000),
    "a report": b'{"schema": "attn-doctor/report/1", "version": "0.1.0", "readings": {}}',
    "another schema": put("schema", value="attn-doctor/facts/2"),
    "no schema": changed(lambda document: {key: document[key] for key in document if key != "schema"}),
    "no readings": changed(lambda document: {key: document[key] for key in document if key != "readings"}),
    "readings are a list": put("readings", value=[]),
    "a version that is a number": put("version", value=1),
    "an unknown reading": put("readings", "weather", value={"status": "known", "value": "rain", "source": "x"}),
    "an unknown status": put("readings", "torch", "status", value="maybe"),
    "a value of a wrong type": put("readings", "torch", "value", value=[1, 2]),
    "a field of a wrong type": put("readings", "torch", "value", "version", value=28),
    "a null where text is needed": put("readings", "torch", "value", "version", value=None),
    "text for a number": put("readings", "memory", "value", "total_bytes", value="much"),
    "GPUs that are no list": put("readings", "gpus", "value", value={}),
    "no source": changed(lambda document: document["readings"]["torch"].pop("source") and None),
}


@pytest.mark.parametrize("command", ["check", "facts"])
@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_exit_2_where_the_facts_are_malformed(data: bytes, command: str, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_bytes(data)
    for called in (call(command, "--facts", "-", stdin=data), call(command, "--facts", str(file))):
        assert refused(called), called
        assert len(called.err) < 2_000, "the whole input is repeated"


ODD_VALUES = {
    "a version that is no version": put("readings", "torch", "value", "version", value="trunk"),
    "an empty version": put("readings", "torch", "value", "version", value=""),
    "a CUDA that is no version": put("readings", "torch", "value", "cuda", value="twelve"),
    "a driver that is no version": put("readings", "driver", "value", "version", value="Mesa"),
    "a capability that is none": put("readings", "gpus", "value", 0, "compute_capability", value="sm_80"),
    "an architecture that is none": put("readings", "torch", "value", "arch_list", value=["gfx942", "", "sm_"]),
    "a Python that is no version": put("readings", "python", "value", "version", value="three"),
    "a number beyond all numbers": put("readings", "memory", "value", "total_bytes", value=10**400),
    "negative memory": put("readings", "memory", "value", "total_bytes", value=-1),
    "an escape sequence for a name": put("readings", "gpus", "value", 0, "name", value="\x1b[31mGPU\x07\r\n"),
    "a lone surrogate": put("readings", "gpus", "value", 0, "name", value="\ud800"),
}


@pytest.mark.parametrize("data", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("form", ["text", "json"])
def test_odd_values_of_the_right_type_never_break_it(data: bytes, form: str) -> None:
    called = call("check", "--facts", "-", "--format", form, stdin=data)
    assert "Traceback" not in called.out + called.err
    assert "itself failed" not in called.err, called.err
    assert called.code in (0, 1, 2, 3)


def test_what_the_facts_say_cannot_write_to_the_terminal() -> None:
    called = call("check", "--facts", "-", stdin=ODD_VALUES["an escape sequence for a name"])
    assert not set("\x1b\x07\r") & set(called.out + called.err)


# --- names


@pytest.mark.parametrize("name", [*BACKENDS, *ALIASES])
def test_backends_are_known_by_the_names_people_write(name: str) -> None:
    for keys in (HEALTHY, (*HEALTHY, FLASH_ATTN), ()):
        by_name = checked(*keys, options=("--require", name))
        by_its_own = checked(*keys, options=("--require", ALIASES.get(name, name)))
        assert by_name.code == by_its_own.code
        ready = status(judged(*keys), ALIASES.get(name, name)) == "ready"
        assert by_name.code == (0 if ready else 1)


# --- standard output, files, colours


def test_output_holds_what_standard_output_would_have(tmp_path: Path) -> None:
    file = tmp_path / "out"
    for command, options in (
        ("check", ()),
        ("check", ("--format", "json")),
        ("check", ("-v",)),
        ("facts", ()),
    ):
        plain = call(command, "--facts", "-", *options, stdin=facts(*WARNED))
        written = call(command, "--facts", "-", *options, "--output", str(file), stdin=facts(*WARNED))
        assert (written.code, written.out, written.err) == (plain.code, "", "")
        assert file.read_bytes() == plain.raw
    assert call("simulate", *HEALTHY, "--output", str(file)).out == ""
    assert file.read_bytes() == facts(*HEALTHY)
    failed = checked(*FAILED, options=("--output", str(file)))
    assert failed.code == 1
    assert "AD103" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["no/such/folder/out", "."])
def test_output_that_cannot_be_written_is_exit_2(place: str, tmp_path: Path) -> None:
    assert refused(checked(*HEALTHY, options=("--output", str(tmp_path / place))))


def test_a_call_that_is_refused_leaves_the_output_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "out"
    file.write_text("kept")
    assert refused(checked(*HEALTHY, options=("--output", str(file), "--require", "nonsense")))
    assert refused(call("check", "--facts", "-", "--output", str(file), stdin=b"{"))
    assert file.read_text() == "kept"


def test_standard_output_carries_the_product_only(cli: Any) -> None:
    for command in (("facts",), ("check", "--format", "json"), ("simulate", *HEALTHY)):
        ran = cli(*command)
        assert ran.json()["schema"].startswith("attn-doctor/")
        assert ran.err == ""
        assert ran.out.endswith("}\n")


def test_the_process_answers_as_the_call_in_these_tests_does(cli: Any) -> None:
    # in the same folder: a finding points to the line of the project that asks for its package
    piped = cli("check", "--facts", "-", "--format", "json", input=facts(*FAILED), cwd=os.getcwd())
    here = checked(*FAILED, options=("--format", "json"))
    assert (piped.code, piped.out) == (here.code, here.out)
    bad = cli("check", "--facts", "-", input=b"{")
    assert (bad.code, bad.out) == (2, "")
    assert cli("check", "--no-such-flag").code == 2


def test_a_reader_that_goes_away_is_no_error(cli: Any, tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m attn_doctor rule --list | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=clean_environment(), cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.startswith(b"AD1")
    assert done.stderr == b""


def on_a_terminal(tmp_path: Path, **variables: str) -> bytes:
    """What a terminal would receive of a check."""
    pty = pytest.importorskip("pty")
    file = tmp_path / "facts.json"
    file.write_bytes(facts(*FAILED))
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "attn_doctor", "check", "--facts", str(file)]
    environment = clean_environment() | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | variables
    with subprocess.Popen(command, stdout=slave, stderr=subprocess.PIPE, env=environment, cwd=tmp_path) as process:
        os.close(slave)
        received = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            received += part
        assert process.wait(60) == 1
    os.close(master)
    return received


def test_colours_are_for_terminals_and_no_color_is_honoured(cli: Any, tmp_path: Path) -> None:
    assert b"\x1b[" in on_a_terminal(tmp_path)
    plain = on_a_terminal(tmp_path, NO_COLOR="1")
    assert b"\x1b" not in plain
    assert b"AD103" in plain
    assert b"\x1b" not in on_a_terminal(tmp_path, TERM="dumb")
    assert b"\x1b" not in cli("check", "--facts", "-", input=facts(*FAILED), env={"TERM": "xterm-256color"}).stdout


def test_a_terminal_without_unicode_gets_ascii(cli: Any) -> None:
    ran = cli("check", "--facts", "-", input=facts(*FAILED), env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert ran.code == 1
    assert ran.stdout.isascii()
    assert "?" not in ran.out


# --- rule


@pytest.mark.parametrize("code", sorted(rules()))
def test_every_code_is_explained(code: str) -> None:
    called = call("rule", code)
    assert (called.code, called.err) == (0, "")
    assert called.out.startswith(code)
    assert len(called.out.split()) > 20, "an explanation is more than its title"
    assert call("rule", code.lower()).out == called.out
    assert any(line.startswith(code) for line in call("rule", "--list").out.splitlines())


# --- what the model needs: shared knowledge about each backend, as its own source and wheels say it

FA3, FA4 = ("flash_attention_3", H100, "torch=2.9.1+cu130"), "flash_attention_4"
NEEDS = [
    # FlashAttention 3 has neither ALiBi nor dropout; fp8 forward; deterministic backward below 256
    (*FA3, (), CAN),
    (*FA3, ("alibi",), ("unsupported",)),
    (*FA3, ("dropout",), ("unsupported",)),
    (*FA3, ("sliding_window",), CAN),
    (*FA3, ("gqa",), CAN),
    (*FA3, ("softcap",), CAN),
    (*FA3, ("paged_kv",), CAN),
    (*FA3, ("causal", "backward"), CAN),
    (*FA3, ("dtype=fp8",), CAN),
    (*FA3, ("dtype=fp8", "backward"), ("unsupported",)),
    (*FA3, ("dtype=fp32",), ("unsupported",)),
    (*FA3, ("head_dim=256",), CAN),
    (*FA3, ("head_dim=257",), ("unsupported",)),
    (*FA3, ("deterministic", "backward", "head_dim=128"), CAN),
    (*FA3, ("deterministic", "backward", "head_dim=256"), ("unsupported",)),
    # FlashAttention 2
    ("flash_attention_2", A100, "torch=2.8.0", ("causal", "dropout", "backward", "gqa"), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("alibi",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("sliding_window",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("paged_kv",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("deterministic",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("softcap",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("softcap", "dropout"), ("unsupported",)),
    ("flash_attention_2", A100, "torch=2.8.0", ("mask",), ("unsupported",)),
    ("flash_attention_2", A100, "torch=2.8.0", ("dtype=fp16",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("dtype=bf16",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("dtype=fp32",), ("unsupported",)),
    ("flash_attention_2", A100, "torch=2.8.0", ("dtype=fp8",), ("unsupported",)),
    ("flash_attention_2", A100, "torch=2.8.0", ("head_dim=256",), CAN),
    ("flash_attention_2", A100, "torch=2.8.0", ("head_dim=257",), ("unsupported",)),
    # FlashAttention 4: forward from 8.x, backward from 9.x; fp8 forward on 10.x; not deterministic on 12.x
    (FA4, A100, "torch=2.8.0", (), CAN),
    (FA4, A100, "torch=2.8.0", ("backward",), ("unsupported",)),
    (FA4, H100, "torch=2.9.1", ("backward",), CAN),
    (FA4, RTX5090, "torch=2.9.1", ("backward",), CAN),
    (FA4, H100, "torch=2.9.1", ("dropout",), ("unsupported",)),
    (FA4, H100, "torch=2.9.1", ("alibi",), ("unsupported",)),
    (FA4, H100, "torch=2.9.1", ("softcap",), CAN),
    (FA4, H100, "torch=2.9.1", ("dtype=fp8",), ("unsupported",)),
    (FA4, B200, "torch=2.9.1", ("dtype=fp8",), CAN),
    (FA4, B200, "torch=2.9.1", ("dtype=fp8", "backward"), ("unsupported",)),
    (FA4, RTX5090, "torch=2.9.1", ("dtype=fp8",), ("unsupported",)),
    (FA4, B200, "torch=2.9.1", ("dtype=fp32",), ("unsupported",)),
    (FA4, H100, "torch=2.9.1", ("deterministic",), CAN),
    (FA4, RTX5090, "torch=2.9.1", ("deterministic",), ("unsupported",)),
    (FA4, H100, "torch=2.9.1", ("head_dim=256",), CAN),
    (FA4, H100, "torch=2.9.1", ("head_dim=264",), ("unsupported",)),
    (FA4, B200, "torch=2.9.1", ("head_dim=128",), CAN),
    (FA4, B200, "torch=2.9.1", ("head_dim=256",), CAN),
    (FA4, B200, "torch=2.9.1", ("head_dim=160",), ("unsupported",)),
    # FlashAttention 1: fp16 on Turing, bf16 from 8.0, up to 128, beyond 64 backward on A100 and H100 only
    ("flash_attention_1", T4, "torch=2.5.1", ("dtype=fp16",), CAN),
    ("flash_attention_1", T4, "torch=2.5.1", ("dtype=bf16",), ("unsupported",)),
    ("flash_attention_1", A100, "torch=2.5.1", ("dtype=bf16",), CAN),
    ("flash_attention_1", T4, "torch=2.5.1", ("head_dim=128",), CAN),
    ("flash_attention_1", T4, "torch=2.5.1", ("head_dim=136",), ("unsupported",)),
    ("flash_attention_1", T4, "torch=2.5.1", ("head_dim=128", "backward"), ("unsupported",)),
    ("flash_attention_1", A100, "torch=2.5.1", ("head_dim=128", "backward"), CAN),
    # SageAttention is for inference
    ("sage_attention", L4, "torch=2.8.0", (), CAN),
    ("sage_attention", L4, "torch=2.8.0", ("backward",), ("unsupported",)),
    # sdpa always has its math kernel
    ("sdpa", A100, "torch=2.8.0", ("mask", "dtype=fp32", "head_dim=512", "backward"), ("ready",)),
    ("sdpa", A100, "torch=2.8.0", ("causal", "dropout", "backward", "gqa"), ("ready",)),
    ("sdpa", T4, "torch=2.8.0", ("dtype=bf16",), ("ready",)),
    ("sdpa", A100, "torch=2.4.1", ("gqa",), ("blocked", "installable")),  # enable_gqa came with 2.5
    ("sdpa", A100, "torch=2.8.0", ("dtype=fp8",), CANNOT),
    ("eager", A100, "torch=2.8.0", ("mask", "alibi", "softcap", "dropout", "backward"), ("ready",)),
]


@pytest.mark.parametrize(
    ("name", "gpu", "torch", "needs", "allowed"), NEEDS, ids=["-".join([row[0], row[1][4:], *row[3]]) for row in NEEDS]
)
def test_need(name: str, gpu: str, torch: str, needs: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    one = backend(judged(gpu, torch, need=needs), name)
    assert one["status"] in allowed, one["reasons"]
    if "unsupported" in allowed:
        said = " ".join(one["reasons"]).lower().replace("_", " ")
        lacking = [need.partition("=")[2] or need for need in needs]
        said = said.replace("forward only", "no backward").replace("inference only", "no backward")
        assert any(word.replace("_", " ") in said for word in lacking), f"of {lacking} is said: {said}"


@pytest.mark.parametrize(
    ("version", "need", "since"),
    [("2.3.6", "alibi", "2.4"), ("2.5.9", "softcap", "2.6"), ("2.2.0", "sliding_window", "2.3")],
)
def test_what_a_newer_version_has_is_blocked_and_says_so(version: str, need: str, since: str) -> None:
    one = backend(judged(A100, "torch=2.3.1", f"pkg.flash-attn={version}", need=(need,)), "flash_attention_2")
    assert one["status"] == "blocked", one
    assert since in " ".join(one["reasons"])


@pytest.mark.parametrize(
    ("gpu", "torch", "needs", "expected"),
    [
        (A100, "2.8.0", (), "flash"),
        (A100, "2.8.0", ("dtype=fp16",), "flash"),
        (A100, "2.8.0", ("dtype=bf16", "causal", "backward"), "flash"),
        (A100, "2.8.0", ("dtype=fp32",), "mem_efficient"),
        (A100, "2.8.0", ("mask",), "mem_efficient"),
        (A100, "2.8.0", ("head_dim=256",), "flash"),
        (A100, "2.8.0", ("head_dim=264",), "mem_efficient"),
        (A100, "2.8.0", ("gqa",), "flash"),
        (A100, "2.1.2", ("head_dim=128", "backward"), "flash"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.1.2", ("head_dim=128", "backward"), "mem_efficient"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.8.0", ("head_dim=224", "backward"), "mem_efficient"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.8.0", ("head_dim=192", "backward"), "flash"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.8.0", ("head_dim=256", "backward"), "flash"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.8.0", ("head_dim=256", "backward", "dropout"), "mem_efficient"),
        ("gpu=NVIDIA GeForce RTX 3090", "2.8.0", ("head_dim=224",), "flash"),
        (A100, "2.8.0", ("head_dim=224", "backward"), "flash"),
        (RTX5090, "2.13.0", ("head_dim=224", "backward"), "mem_efficient"),
        (T4, "2.8.0", (), "mem_efficient"),
        (T4, "2.8.0", ("dtype=fp16",), "mem_efficient"),
        (T4, "2.8.0", ("dtype=fp32",), "mem_efficient"),
        (T4, "2.8.0", ("dtype=bf16",), "math"),
        (T4, "2.1.2", ("dtype=fp16",), "flash"),
        (T4, "2.2.2", ("dtype=fp16",), "mem_efficient"),
        (V100, "2.8.0", ("dtype=bf16",), "math"),
        (H100, "2.8.0", (), "flash"),
        (H100, "2.13.0", ("dtype=bf16", "head_dim=128"), "cudnn"),
        (H100, "2.13.0", ("dtype=fp32",), "mem_efficient"),
        (H100, "2.13.0", ("head_dim=256",), "flash"),
        (B200, "2.13.0", ("dtype=bf16",), "cudnn"),
        (RTX5090, "2.13.0", ("dtype=bf16",), "flash"),
        (RTX5090, "2.13.0", ("dtype=fp32",), "mem_efficient"),
    ],
)
def test_the_kernel_that_sdpa_really_runs(gpu: str, torch: str, needs: tuple[str, ...], expected: str) -> None:
    driver = ("driver=580.95.05",) if gpu == V100 else ()
    report = judged(gpu, *driver, f"torch={torch}", need=needs)
    assert codes(report, "error") == []
    assert kernel(report) == expected


def test_cudnn_is_refused_where_it_must_be_deterministic() -> None:
    assert kernel(judged(H100, "torch=2.13.0", need=("deterministic",))) != "cudnn"


@pytest.mark.parametrize("torch", ["2.6.0+cu124", "2.8.0+cu128", "2.13.0+cu126"])
def test_no_flash_kernel_is_promised_on_windows(torch: str) -> None:
    report = judged("os=windows", L4, f"torch={torch}", need=("dtype=bf16",))
    assert "flash" not in kernels(report).values(), "depends on the build: only torch itself can say"


def test_flex_attention_came_with_2_5() -> None:
    assert status(judged(A100, "torch=2.4.1"), "flex_attention") in ("installable", "blocked")
    assert status(judged(A100, "torch=2.5.1"), "flex_attention") == "ready"
