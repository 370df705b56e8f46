"""`attn-doctor wheels`: by this machine, by filters, in text and in JSON."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

import attn_doctor
import imagined
from attn_doctor import schemas
from attn_doctor.cli import wheels as command
from attn_doctor.judgement import wheel_query
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.freshness import is_stale
from attn_doctor.machine import whatif
from attn_doctor.wheels import catalogue
from imagined import Called, call, facts, too_wide
from test_startup import NETWORK, NEVER, modules_of

if TYPE_CHECKING:
    from pathlib import Path

L4, T4, H100 = "gpu=NVIDIA L4", "gpu=Tesla T4", "gpu=NVIDIA H100 80GB HBM3"
RTX5090 = "gpu=NVIDIA GeForce RTX 5090"
TORCH_28 = (L4, "torch=2.8.0+cu128")
TORCH_26 = (L4, "torch=2.6.0+cu124")
DESK = (RTX5090, "torch=2.6.0+cu124")
UPSTREAM_28 = "flash_attn-2.8.3.post1+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
UPSTREAM_26 = "flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl"


def asked(*keys: str, options: tuple[str, ...] = ()) -> Called:
    """`attn-doctor simulate KEYS | attn-doctor wheels --facts - OPTIONS`."""
    return call("wheels", "--facts", "-", *options, stdin=facts(*keys))


def found(*keys: str, options: tuple[str, ...] = ()) -> Any:
    called = asked(*keys, options=("--format", "json", *options))
    answer = called.json()
    assert called.code == (0 if answer["fitting"] or answer["package"] is None else 1), called
    return answer


def everywhere(*options: str) -> Any:
    return call("wheels", "--all", "--format", "json", *options).json()


def best(answer: Any) -> str:
    return answer["fitting"][0]["filename"]


# what is right, by hand


def test_the_plain_case() -> None:
    called = asked(*TORCH_28)
    assert called.code == 0
    lines = called.out.splitlines()
    assert lines[3] == UPSTREAM_28
    assert "  trust    upstream" in lines
    assert "  version  2.8.3.post1, of 2026-08-15" in lines
    assert any(line.startswith("  source   fa-official, Dao-AILab/flash-attention") for line in lines)
    url = next(line for line in lines if line.startswith("  URL"))
    assert url.endswith("/v2.8.3.post1/" + UPSTREAM_28.replace("+", "%2B"))
    assert f"The catalogue is of {catalogue.as_of()}." in called.out
    assert called.err == ""


def test_torch_26_with_the_old_abi() -> None:
    assert best(found(*TORCH_26)) == UPSTREAM_26


def test_no_upstream_file_for_python_314() -> None:
    keys = (L4, "torch=2.9.1+cu130", "python=3.14")
    assert found(*keys)["fitting"][0]["trust"] == "community"
    answer = found(*keys, options=("--trust", "upstream"))
    assert answer["misses"][0]["differs"] == [{"what": "trust", "text": "a community build"}]


def test_torch_214_has_none_on_312_and_a_community_file_on_313() -> None:
    assert found(L4, "torch=2.14.0+cu130")["fitting"] == []
    (wheel,) = found(L4, "torch=2.14.0+cu130", "python=3.13")["fitting"]
    assert (wheel["trust"], wheel["source"]) == ("community", "mjun0812")


def test_an_rtx_5090_is_shown_the_way() -> None:
    called = asked(*DESK)
    assert called.code == 1
    assert "None fits. The nearest, and what differs:" in called.out
    assert "    for torch 2.7; 2.6.0+cu124 is installed" in called.out.splitlines()
    answer = found(*DESK)
    torch, wheel = answer["next_steps"]
    assert torch.endswith("torch==2.7.1+cu128 --index-url https://download.pytorch.org/whl/cu128")
    assert "--no-deps" in wheel
    assert "cu12torch2.7cxx11abiTRUE" in wheel
    after = found(RTX5090, "torch=2.7.1+cu128")
    assert after["fitting"][0]["url"].replace("+", "%2B") in wheel


def test_a_t4_has_no_file_of_fa2_and_one_of_fa1() -> None:
    keys = (T4, "torch=2.5.1+cu124", "python=3.11")
    answer = found(*keys)
    assert answer["fitting"] == []
    assert {one["what"] for miss in answer["misses"] for one in miss["differs"]} == {"gpu"}
    assert answer["next_steps"] == []
    assert found(*keys, options=("--version", "1.0.9"))["package"] == "flash-attn"
    first = call("wheels", "fa1", "--facts", "-", "--format", "json", stdin=facts(*keys)).json()
    assert first["fitting"][0]["version"] == "1.0.9"


def test_a_backend_that_the_gpu_cannot_run_has_no_file() -> None:
    called = call("wheels", "fa4", "--facts", "-", stdin=facts(T4, "torch=2.8.0+cu128"))
    assert called.code == 1
    assert "flash-attn-4 4.x is not made for 7.5" in called.out
    assert call("wheels", "fa4", "--facts", "-", stdin=facts(*TORCH_28)).code == 0


def test_every_gpu_counts() -> None:
    one = found(L4, "torch=2.6.0+cu124")
    both = found(L4, RTX5090, "torch=2.6.0+cu124")
    assert one["fitting"]
    assert both["fitting"] == []
    assert both["query"]["capabilities"] == ["8.9", "12.0"]


@pytest.mark.parametrize(
    ("keys", "said", "torch"),
    [
        ((L4, "torch=2.9.1+cu130", "driver=535.183.01"), "driver 535.183.01", "2.9.1+cu128"),
        ((RTX5090, "torch=2.6.0+cu126"), "no code for this GPU", "2.7.1+cu128"),
    ],
)
def test_a_file_that_fits_a_torch_that_does_not_run_here(keys: tuple[str, ...], said: str, torch: str) -> None:
    answer = found(*keys)
    assert answer["fitting"]
    (note,) = answer["notes"]
    assert note.startswith("It would not run here as things are: ")
    assert said in note
    assert f"torch=={torch}" in answer["next_steps"][0]
    after = found(keys[0], f"torch={torch}", *keys[2:])
    assert after["notes"] == []
    (step,) = after["next_steps"]
    assert step.split()[-2] in answer["next_steps"][1]


def test_what_is_installed_says_nothing_of_the_file() -> None:
    keys = (RTX5090, "torch=2.8.0+cu128", "pkg.flash-attn=2.6.3")
    assert "2.6.3 has no code" in " ".join(imagined.backend(imagined.judged(*keys), "flash_attention_2")["reasons"])
    answer = found(*keys)
    assert best(answer) == UPSTREAM_28
    assert answer["notes"] == []


def test_a_machine_without_a_gpu_is_told() -> None:
    answer = found("torch=2.8.0+cu128")
    assert best(answer) == UPSTREAM_28
    assert answer["notes"] == ["It would not run here as things are: this machine has no GPU."]


def test_windows_and_musl() -> None:
    assert best(found("os=windows", *TORCH_28)).endswith("-win_amd64.whl")
    called = asked("libc=musl-1.2", *TORCH_28)
    assert called.code == 1
    assert "for glibc; this system has musl 1.2" in called.out


def test_a_pre_release_says_so() -> None:
    keys = (H100, "torch=2.9.1+cu128")
    called = call("wheels", "fa4", "--facts", "-", stdin=facts(*keys))
    assert called.code == 0
    assert "4.0.0b36 is a pre-release" in called.out
    without = call("wheels", "fa4", "--no-pre", "--facts", "-", stdin=facts(*keys))
    assert without.code == 1
    assert "    a pre-release" in without.out.splitlines()


def test_a_vendors_torch_is_not_to_be_swapped() -> None:
    answer = found("gpu=NVIDIA L4", "torch=2.8.0a0+34c6371d24.nv25.08", "torch_cuda=13.0")
    assert answer["fitting"] == []
    assert answer["next_steps"] == []
    assert "no release of PyTorch's own" in answer["misses"][0]["differs"][0]["text"]


def test_what_installs_the_file_leaves_torch_alone() -> None:
    (step,) = found(*TORCH_28)["next_steps"]
    assert "--no-deps" in step
    assert UPSTREAM_28.replace("+", "%2B") in step
    (pure,) = call("wheels", "fa4", "--format", "json", "--facts", "-", stdin=facts(*TORCH_28)).json()["next_steps"]
    assert pure.endswith("torch==2.8.0+cu128")


# names


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("flash_attention_2", "flash-attn"),
        ("fa2", "flash-attn"),
        ("flash_attn_2", "flash-attn"),
        ("flash-attn", "flash-attn"),
        ("Flash_Attn", "flash-attn"),
        ("fa3", "flash-attn-3"),
        ("flash_attn_3", "flash-attn-3"),
        ("flash-attn-4", "flash-attn-4"),
        ("xformers", "xformers"),
        ("sage_attention", "sageattention"),
        ("sageattention", "sageattention"),
        ("flashinfer-python", "flashinfer-python"),
        ("flashinfer", "flashinfer-python"),
        ("FlashInfer", "flashinfer-python"),
        ("sage", "sageattention"),
        ("flash-attention", "flash-attn"),
        ("SpargeAttn", "spas-sage-attn"),
    ],
)
def test_backends_aliases_and_packages(name: str, package: str) -> None:
    assert everywhere(name, "--limit", "1")["package"] == package
    assert everywhere("--limit", "1")["package"] == "flash-attn"


@pytest.mark.parametrize("name", ["sdpa", "eager", "math", "manual", "flex_attention", "triton"])
def test_what_needs_no_wheel(name: str) -> None:
    called = call("wheels", name)
    assert called.code == 0
    assert called.out.endswith("needs no wheel of its own: it comes with torch.\n")
    answer = call("wheels", name, "--format", "json").json()
    assert (answer["package"], answer["query"], answer["fitting"]) == (None, None, [])


# filters


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--torch", "2.6", "--python-version", "3.12"), UPSTREAM_26),
        (("--torch", "2.6", "--cuda", "12", "--python-version", "3.12"), UPSTREAM_26),
        (("--torch", "2.6.0+cu124"), UPSTREAM_26),
        (("--torch", "2.6", "--cuda", "12.6"), UPSTREAM_28.replace("torch2.8", "torch2.6")),
        (("--torch", "2.6", "--abi", "true"), UPSTREAM_28.replace("torch2.8", "torch2.6")),
        (("--torch", "2.8.0"), UPSTREAM_28),
        (("--python-version", "3.11"), UPSTREAM_28.replace("cp312", "cp311")),
        (("--python-version", "3.11.9"), UPSTREAM_28.replace("cp312", "cp311")),
        (
            ("--torch", "2.9", "--cuda", "cu130"),
            "flash_attn-2.8.3+cu13torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
        ),
        (("--version", "2.8.3"), UPSTREAM_28.replace(".post1", "")),
        (("--cc", "12.0"), UPSTREAM_28),
    ],
)
def test_a_filter_takes_the_place_of_what_the_machine_says(options: tuple[str, ...], expected: str) -> None:
    assert best(found(*TORCH_28, options=options)) == expected


@pytest.mark.parametrize(
    ("python", "meant"),
    [("3.11", "3.11"), ("cp311", "3.11"), ("3.11.9", "3.11"), ("3.13t", "3.13t"), ("py310", "3.10")],
)
def test_a_version_for_python_is_taken_for_one(python: str, meant: str) -> None:
    """The issue's own wording: `attn-doctor wheels --python 3.12`."""
    by_path = found(*TORCH_28, options=("--python", python))
    assert by_path == found(*TORCH_28, options=("--python-version", meant))
    assert everywhere("--python", python, "--limit", "1")["query"]["python"] == meant


@pytest.mark.parametrize(
    ("name", "options", "code", "said"),
    [
        ("fa2", ("--need", "causal"), 0, ""),
        ("fa2", ("--need", "mask"), 1, "flash_attention_2 has no mask of one's own"),
        ("fa2", ("--require", "sdpa"), 0, ""),
        ("fa2", ("--require", "fa2"), 1, "flash_attention_2 is installable"),
        ("sdpa", ("--require", "xformers"), 1, "xformers is installable"),
        ("fa2", ("--fail-on", "error"), 0, ""),
        ("fa2", ("--fail-on", "never", "--ignore", "AD101"), 0, ""),
    ],
)
def test_what_the_exit_code_may_hang_on_besides(name: str, options: tuple[str, ...], code: int, said: str) -> None:
    called = call("wheels", name, *options, "--facts", "-", stdin=facts(*TORCH_28))
    assert called.code == code
    assert said in " ".join(called.err.split())
    assert bool(called.err) is (code == 1)
    assert called.out == call("wheels", name, "--facts", "-", stdin=facts(*TORCH_28)).out, "the files are the same"


def test_a_finding_that_fails_a_search() -> None:
    keys = (*TORCH_28, "pkg.torchvision=0.20.0")
    assert asked(*keys).code == 0
    assert asked(*keys, options=("--fail-on", "error")).code == 1


@pytest.mark.parametrize(
    ("cuda", "meant", "abi"), [("12", "12.4", False), ("12.6", "12.6", True), ("11", "11.8", False)]
)
def test_a_cuda_major_means_the_build_of_the_package_index(cuda: str, meant: str, abi: bool) -> None:
    query = found(L4, "torch=2.9.1+cu130", options=("--torch", "2.6", "--cuda", cuda))["query"]
    assert (query["torch"], query["torch_cuda"], query["cxx11abi"]) == ("2.6", meant, abi)


def test_a_torch_minor_means_any_patch_of_it() -> None:
    called = call("wheels", "xformers", "--torch", "2.7", "--format", "json", "--facts", "-", stdin=facts(*TORCH_28))
    assert {wheel["torch"] for wheel in called.json()["fitting"]} == {"2.7.0", "2.7.1"}
    called = call("wheels", "xformers", "--torch", "2.7.0", "--format", "json", "--facts", "-", stdin=facts(*TORCH_28))
    assert {wheel["torch"] for wheel in called.json()["fitting"]} == {"2.7.0"}


def test_filters_that_find_nothing_say_what_was_asked_for() -> None:
    answer = found(*TORCH_28, options=("--torch", "2.14"))
    assert answer["misses"][0]["differs"][0]["text"] == "for torch 2.13; 2.14 is asked for"
    assert answer["query"]["torch_cuda"] == "13.0"  # what the package index carries for it
    assert answer["next_steps"] == []
    assert (
        found(*TORCH_28, options=("--cc", "7.5"))["misses"][0]["differs"][0]["text"]
        == "flash-attn 2.x is not made for 7.5"
    )


def test_another_platform() -> None:
    windows = found(*TORCH_28, options=("--platform", "win_amd64", "--torch", "2.8", "--cuda", "12.8"))
    assert best(windows).endswith("-cp312-cp312-win_amd64.whl")
    old = found(*TORCH_28, options=("--platform", "manylinux_2_28_x86_64"))
    assert old["query"]["libc"] == "glibc-2.28"
    assert best(old).endswith("manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl")
    assert found(*TORCH_28, options=("--platform", "linux_x86_64"))["query"]["libc"] == "glibc-2.35"
    assert found(*TORCH_28, options=("--platform", "musllinux_1_2_x86_64"))["fitting"] == []
    assert found(*TORCH_28, options=("--platform", "macosx_14_0_arm64"))["fitting"] == []


def test_free_threaded_python() -> None:
    answer = found(L4, "torch=2.9.1+cu130", options=("--python-version", "3.13t"))
    assert {wheel["abi_tag"] for wheel in answer["fitting"]} == {"cp313t"}


def test_sources_and_limit() -> None:
    only = found(*TORCH_28, options=("--source", "mjun0812"))
    assert {wheel["source"] for wheel in only["fitting"]} == {"mjun0812"}
    two = found(*TORCH_28, options=("--source", "mjun0812", "--source", "fa-official"))
    assert {wheel["source"] for wheel in two["fitting"]} == {"mjun0812", "fa-official"}
    short = found(*TORCH_28, options=("--limit", "2"))
    assert len(short["fitting"]) == 2
    assert short["found"] == found(*TORCH_28)["found"] > 2
    shown = asked(*TORCH_28, options=("--limit", "2")).out
    assert shown.count(".whl  fa-official") == 1
    assert f"  and {short['found'] - 2} more: --limit {short['found']}" in shown


def test_all_asks_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def probed(*_: object, **__: object) -> None:
        raise AssertionError("the machine was asked")

    monkeypatch.setattr("attn_doctor.cli.options.gather_facts", probed)
    answer = everywhere("--torch", "2.6", "--python-version", "3.12", "--trust", "upstream")
    assert {wheel["cxx11abi"] for wheel in answer["fitting"]} == {True, False}
    assert answer["query"]["compared"] == ["version", "source", "trust", "pre_release", "torch", "python"]
    assert answer["next_steps"] == []
    assert everywhere()["found"] > 6000
    assert "the machine was asked" in call("wheels").err


def test_all_with_less_asked_finds_more() -> None:
    options: tuple[str, ...] = ()
    before = everywhere()["found"]
    for more in (("--torch", "2.9"), ("--cuda", "12"), ("--python-version", "3.12"), ("--platform", "linux_x86_64")):
        options += more
        now = everywhere(*options)["found"]
        assert 0 < now < before, more
        before = now


def test_a_version_without_files_is_named() -> None:
    called = asked(*TORCH_28, options=("--version", "2.8.3.post2"))
    assert called.code == 1
    assert "no file of flash-attn 2.8.3.post2; the newest it has is" in called.out
    assert "2.8.3.post1" in called.out
    assert "is 2.8.3.post1, not 2.8.3.post2" in called.out
    other = asked(*TORCH_28, options=("--version", "2.7.3"))
    assert "the newest it has" not in other.out


def test_f36_the_whole_list_is_searched() -> None:
    oldest = everywhere("--version", "2.0.6")
    assert oldest["found"] > 50
    newest = everywhere("--version", "2.8.3.post1")
    assert newest["found"] > 40


def test_f33_every_url_is_of_a_published_file() -> None:
    published = {(wheel.filename, wheel.url) for wheel in catalogue.wheels("flash-attn")}
    for keys in (TORCH_28, TORCH_26, DESK, (L4, "torch=2.9.1+cu130", "python=3.13")):
        answer = found(*keys)
        named = [*answer["fitting"], *(miss["wheel"] for miss in answer["misses"])]
        assert named
        assert {(wheel["filename"], wheel["url"]) for wheel in named} <= published
        urls = re.findall(r"https://github\.com/\S+", " ".join(answer["next_steps"]))
        assert urls
        assert set(urls) <= {url for _, url in published}


def test_f35_there_is_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    assert asked(*TORCH_28).code == 0
    assert asked(*DESK, options=("--offline",)).code == 1
    (tmp_path / "facts.json").write_bytes(facts(*DESK))
    imported = modules_of(tmp_path, "wheels", "--facts", "facts.json")
    assert "attn_doctor.wheels.search" in imported
    assert imported & (NEVER | NETWORK) == set()


# bad calls


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nonsense",), "there is no backend or package 'nonsense'"),
        (("--torch", "two"), "--torch two: expected a version"),
        (("--torch", "2"), "--torch 2: expected"),
        (("--cuda", "newest"), "--cuda newest: expected"),
        (("--cuda", "12.8.1"), "--cuda 12.8.1: expected"),
        (("--python-version", "cp312"), "--python-version cp312: expected"),
        (("--platform", "linux"), "--platform linux: expected a tag"),
        (("--platform", "linux_x86_64\n"), "--platform linux_x86_64"),
        (("--abi", "maybe"), "--abi maybe: expected true"),
        (("--cc", "8"), "--cc 8: expected"),
        (("--cc", "\u0668.6"), "expected a compute capability"),
        (("--version", "newest"), "--version newest: expected"),
        (("--source", "fa-oficial"), "there is no such source of flash-attn"),
        (("--trust", "nobody"), "--trust nobody: expected upstream or community"),
        (("--limit", "0"), "--limit 0: expected"),
        (("--limit", "many"), "many"),
        (("--format", "html"), "--format html: expected text or json"),
        (("--all", "--what-if", "python=3.12"), "--all asks no machine"),
        (("--python", "/nowhere/python"), "there is no interpreter"),
        (("--python", "2.7"), "there is no interpreter"),
        (("--python", "3.12", "--python-version", "3.11"), "both name a version: give one"),
        (("--all", "--require", "fa2"), "--all asks no machine"),
        (("--need", "speed"), "there is no need 'speed'"),
        (("--fail-on", "info"), "--fail-on info: expected"),
        (("--ignore", "AD999"), "--ignore AD999: there is no such finding"),
        (("--require", "nonsense"), "there is no backend 'nonsense'"),
        (("refresh", "--need", "causal"), "wheels refresh takes"),
        (("--output", "/nowhere/wheels.txt", "--all"), "cannot write"),
    ],
)
def test_bad_calls(options: tuple[str, ...], said: str) -> None:
    called = call("wheels", *options)
    assert called.code == 2, called
    assert called.out == ""
    assert said in " ".join(called.err.split())
    assert "Traceback" not in called.err


def test_a_misspelt_source_is_named() -> None:
    assert "Did you mean fa-official?" in call("wheels", "--source", "fa-oficial").err


# the document


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("fa2", TORCH_28),
        ("fa2", DESK),
        ("fa4", TORCH_28),
        ("xformers", (L4, "torch=2.9.1+cu130")),
        ("sdpa", TORCH_28),
        ("fa2", ()),
        ("fa2", ("os=macos", "arch=aarch64", "gpu=Apple M3 Max", "torch=2.8.0")),
        ("flashinfer-python", TORCH_28),
    ],
)
def test_the_document_validates(name: str, keys: tuple[str, ...]) -> None:
    document = call("wheels", name, "--format", "json", "--facts", "-", stdin=facts(*keys)).json()
    assert (document["schema"], document["version"]) == ("attn-doctor/wheels/1", attn_doctor.__version__)
    assert document.keys() >= {"as_of", "package", "query", "fitting", "misses"}
    assert document["as_of"] == catalogue.as_of()
    schema = Draft202012Validator(schemas.load("wheels"))
    Draft202012Validator.check_schema(schemas.load("wheels"))
    schema.validate(document)
    for broken in ({"schema": "attn-doctor/wheels/2"}, {"fitting": None}, {"misses": [{}]}, {"as_of": 1}):
        assert not schema.is_valid(document | broken), broken


def test_a_damaged_row_does_not_validate() -> None:
    schema = Draft202012Validator(schemas.load("wheels"))
    document = found(*TORCH_28, options=("--limit", "1"))
    schema.validate(document)
    for field in ("filename", "url", "sha256", "source", "trust"):
        without = json.loads(json.dumps(document))
        del without["fitting"][0][field]
        assert not schema.is_valid(without), field


def test_output_goes_into_a_file(tmp_path: Path) -> None:
    file = tmp_path / "wheels.json"
    called = asked(*TORCH_28, options=("--format", "json", "--output", str(file)))
    assert (called.code, called.out) == (0, "")
    assert best(json.loads(file.read_text(encoding="utf-8"))) == UPSTREAM_28


# the screen


@pytest.mark.parametrize(
    "name", ["fa1", "fa2", "fa3", "fa4", "xformers", "sage_attention", "flashinfer-cubin", "eager"]
)
@pytest.mark.parametrize("keys", [TORCH_28, DESK, ("os=windows", *TORCH_28), (), (T4, "torch=2.14.0", "python=3.14t")])
def test_eighty_columns(name: str, keys: tuple[str, ...]) -> None:
    called = call("wheels", name, "--facts", "-", stdin=facts(*keys))
    wide = [line for line in too_wide(called.out) if ".whl" not in line]
    assert wide == []
    assert not any(line != line.rstrip() for line in called.out.splitlines())
    assert "\n\n\n" not in called.out
    assert "refresh" not in called.out


def test_facts_cannot_steer_the_terminal() -> None:
    document = json.loads(facts(*TORCH_28))
    document["readings"]["torch"]["value"]["version"] = "2.14.0\x1b[2J"
    called = call("wheels", "--facts", "-", stdin=json.dumps(document))
    assert called.code in (1, 2)
    assert "\x1b" not in called.out + called.err


# the age of the catalogue


@pytest.mark.parametrize(
    ("today", "stale"),
    [("2026-11-21", False), ("2027-01-20", False), ("2027-01-21", True), ("2020-01-01", False), ("2030-01-01", True)],
)
def test_sixty_days(today: str, stale: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_stale("catalogue", "2026-11-21", today) is stale
    monkeypatch.setattr(catalogue, "as_of", lambda: "2026-11-21")
    monkeypatch.setattr(command, "today", lambda: today)
    called = asked(*TORCH_28)
    assert ("newer files are likely" in " ".join(called.out.split())) is stale
    assert found(*TORCH_28)["stale"] is stale


def test_the_day_is_a_day() -> None:
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", command.today())


# what a machine says


def test_a_machine_says_what_check_goes_by() -> None:
    machine = Machine(whatif.simulate([*DESK]))
    filters = wheel_query.make_filters("flash-attn", "2", None, wheel_query.Asked(), machine)
    assert (filters.key.torch, filters.key.torch_cuda, filters.key.cxx11abi) == ("2.6.0+cu124", "12.4", False)
    assert filters.key.capabilities == ("12.0",)
    assert filters.asked == frozenset()


@pytest.mark.parametrize("keys", [TORCH_28, TORCH_26, DESK, (H100, "torch=2.9.1+cu130"), (T4, "torch=2.8.0")])
def test_wheels_and_check_agree(keys: tuple[str, ...]) -> None:
    answer = found(*keys)
    reasons = imagined.backend(imagined.judged(*keys), "flash_attention_2")["reasons"]
    if answer["fitting"]:
        first = answer["fitting"][0]
        assert reasons[0] == f"{first['version']}, {first['trust']} wheel"
    elif answer["next_steps"]:
        torch = re.search(r"torch==([\d.]+)", answer["next_steps"][0])
        assert torch is not None
        assert any(f" with torch {torch[1]}" in reason for reason in reasons)
    else:
        assert not any("wheel" in reason for reason in reasons)
