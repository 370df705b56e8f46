"""F30 to F36 and bad input, as `attn-doctor wheels` answers: wrong files that published tools hand out."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest

from attn_doctor.wheels import catalogue
from imagined import Called, call, facts

L4, T4, A100 = "gpu=NVIDIA L4", "gpu=Tesla T4", "gpu=NVIDIA A100-SXM4-80GB"


def asked(*keys: str, name: str = "fa2", options: tuple[str, ...] = ()) -> Called:
    return call("wheels", name, "--facts", "-", *options, stdin=facts(*keys))


def answer(*keys: str, name: str = "fa2", options: tuple[str, ...] = ()) -> Any:
    return asked(*keys, name=name, options=("--format", "json", *options)).json()


def offered(document: Any) -> list[str]:
    return [wheel["filename"] for wheel in document["fitting"]]


@pytest.mark.parametrize("patch", ["2.8.0+cu126", "2.8.0+cu128", "2.8.0+cu129", "2.7.1+cu128"])
def test_f30_new_torch_gets_the_file_with_the_new_cxx_abi(patch: str) -> None:
    document = answer(A100, f"torch={patch}")
    assert "cxx11abiTRUE" in offered(document)[0]
    assert all(wheel["cxx11abi"] is True for wheel in document["fitting"])


def test_f30_a_label_that_lies_is_not_believed() -> None:
    old = answer(A100, "torch=2.6.0+cu124")
    assert all(wheel["cxx11abi"] is False for wheel in old["fitting"])
    assert not any(
        name.startswith(("flash_attn-2.8.0+cu12torch", "flash_attn-2.8.3+cu12torch")) for name in offered(old)
    )
    lying = answer(A100, "torch=2.6.0+cu124", options=("--version", "2.8.3", "--source", "fa-official"))
    assert lying["fitting"] == []
    said = {one["text"] for miss in lying["misses"] for one in miss["differs"]}
    assert "new C++ ABI, whatever its name says; torch has the old one" in said
    assert answer(A100, "torch=2.6.0+cu126")["fitting"][0]["label_lies"] is False


def test_f31_torch_of_another_cuda_major_gets_none_of_the_first() -> None:
    for torch, major in (("2.9.1+cu130", "13"), ("2.9.1+cu128", "12"), ("2.10.0+cu130", "13"), ("2.7.1+cu118", "11")):
        document = answer(A100, f"torch={torch}", options=("--limit", "200"))
        assert {wheel["cuda"][2:4] for wheel in document["fitting"]} <= {major}, torch
    # no cu13 file for cp313 from upstream: a cu12 one is no substitute
    assert answer(A100, "torch=2.9.1+cu130", "python=3.13", options=("--trust", "upstream"))["fitting"] == []


@pytest.mark.parametrize("nvcc", ["12.8", "13.0", "11.8"])
@pytest.mark.parametrize("name", ["fa2", "fa3", "xformers"])
def test_f32_nvcc_beside_a_cpu_torch_is_no_reason_for_a_cuda_file(nvcc: str, name: str) -> None:
    called = asked(A100, "torch=2.8.0+cpu", f"nvcc={nvcc}", name=name, options=("--format", "json"))
    document = called.json()
    assert (called.code, document["fitting"]) == (1, [])
    assert document["query"]["torch_cuda"] is None
    first = document["misses"][0]["differs"]
    assert any("torch 2.8.0+cpu has no CUDA" in one["text"] for one in first)


@pytest.mark.parametrize(
    ("torch", "python", "version"),
    [("2.9.1+cu128", "3.11", "2.8.3"), ("2.9.1+cu128", "3.13", "2.8.3"), ("2.11.0+cu130", "3.12", "2.8.3.post1")],
)
def test_f33_what_the_pattern_would_guess_is_not_offered(torch: str, python: str, version: str) -> None:
    options = ("--version", version, "--source", "fa-official")
    document = answer(A100, f"torch={torch}", f"python={python}", options=options)
    assert document["fitting"] == []
    published = {wheel.url for wheel in catalogue.wheels("flash-attn")}
    assert {miss["wheel"]["url"] for miss in document["misses"]} <= published
    urls = re.findall(r"https://github\.com/\S+", json.dumps(document["next_steps"]).rstrip('"]'))
    assert {url.rstrip('",') for url in urls} <= published


@pytest.mark.parametrize("python", ["3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t"])
def test_f34_the_tags_decide(python: str) -> None:
    document = answer(A100, "torch=2.9.1+cu130", f"python={python}", options=("--limit", "200"))
    tag = f"cp{python.replace('.', '')}"
    assert {wheel["abi_tag"] for wheel in document["fitting"]} <= {tag}
    assert bool(document["fitting"]) is (python != "3.9")


def test_f35_without_network_the_embedded_catalogue_answers_with_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for options in ((), ("--offline",)):
        called = asked(A100, "torch=2.8.0+cu128", options=options)
        assert called.code == 0
        assert called.out.rstrip().splitlines()[-1].startswith(f"The catalogue is of {catalogue.as_of()}")
        assert "Traceback" not in called.out + called.err


@pytest.mark.parametrize("version", ["2.8.3.post1", "2.8.3", "2.7.4.post1", "2.5.8", "2.3.2", "2.0.6"])
def test_f36_every_release_is_found_not_only_the_latest_ten(version: str) -> None:
    document = call("wheels", "fa2", "--all", "--version", version, "--format", "json").json()
    assert document["found"] > 20
    assert {wheel["version"] for wheel in document["fitting"]} == {version}


def test_f36_the_newest_release_goes_first() -> None:
    versions = [wheel["version"] for wheel in answer(A100, "torch=2.8.0+cu128", options=("--limit", "99"))["fitting"]]
    assert versions[0] == max(versions, key=catalogue.version_key) == "2.8.3.post1"


# --- bad input


@pytest.mark.parametrize("version", ["2.9.0", "2.8.3.post9", "99", "0.0.1", "2.8.3b1"])
def test_a_version_that_never_existed(version: str) -> None:
    called = asked(A100, "torch=2.8.0+cu128", options=("--version", version))
    words = " ".join(called.out.split())
    assert called.code == 1
    listed = {wheel.version for wheel in catalogue.wheels("flash-attn") if wheel.trust == "upstream"}
    newest = max(listed, key=catalogue.version_key)
    assert f"The catalogue has no file of flash-attn {version}; the newest it has is {newest}." in words
    assert "None fits" in words
    assert "Traceback" not in called.err
    assert "pip install" not in words.partition("The shortest way")[0]
    assert call("wheels", "--all", "--version", version).code == 1


def test_a_version_of_the_other_series() -> None:
    called = call("wheels", "flash_attention_1", "--all", "--version", "2.8.3")
    assert called.code == 1
    assert "The catalogue has no file of flash-attn 2.8.3; the newest it has is 1.0.9." in " ".join(called.out.split())


@pytest.mark.parametrize("torch", ["9.9.0", "2.99.1+cu130", "1.0.0"])
def test_a_torch_that_never_existed(torch: str) -> None:
    called = asked(A100, "torch=2.8.0+cu128", options=("--torch", torch))
    assert called.code == 1
    assert f"{torch} is asked for" in " ".join(called.out.split())
    assert called.err == ""


@pytest.mark.parametrize(("name", "said"), [("fa4", "not made for 7.5"), ("fa3", "7.5"), ("fa2", "not made for 7.5")])
def test_a_backend_that_the_gpu_cannot_run(name: str, said: str) -> None:
    called = asked(T4, "torch=2.9.1+cu130", name=name)
    assert called.code == 1
    assert said in " ".join(called.out.split())
    assert called.err == ""


def test_a_gpu_that_does_not_exist_yet() -> None:
    called = call("wheels", "fa2", "--all", "--cc", "99.0")
    assert called.code == 1
    assert "no code for 99.0" in called.out


@pytest.mark.parametrize(
    ("stdin", "said"),
    [(b"", "facts"), (b"{}", "facts"), (b"\xff\xfe", "facts"), (b'{"schema": "attn-doctor/facts/9"}', "facts")],
)
def test_facts_that_are_none(stdin: bytes, said: str) -> None:
    called = call("wheels", "--facts", "-", stdin=stdin)
    assert (called.code, called.out) == (2, "")
    assert said in called.err
    assert "Traceback" not in called.err


@pytest.mark.parametrize("value", ["", " ", "2.8.3; rm -rf", "2.8.3\n", "-1", "\u0662.8.3", "1" * 400])
def test_versions_that_cannot_be_read(value: str) -> None:
    called = call("wheels", "--all", f"--version={value}")
    assert (called.code, called.out) == (2, "")
    assert "expected a version such as 2.8.3" in " ".join(called.err.split())
