"""A saved plan is made anew from its own request: what was changed in it, or about this machine, is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import imagined

A100 = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu128")
BUILT = ("gpu=NVIDIA A100-SXM4-40GB", "torch=2.8.0+cu126", "nvcc=12.6", "ram=64GiB", "cores=16", "disk=100GiB")


def install(*arguments: str, keys: tuple[str, ...] = A100) -> imagined.Called:
    return imagined.call("install", *arguments, "--dry-run", "--facts", "-", stdin=imagined.facts(*keys))


def planned(*arguments: str, keys: tuple[str, ...] = A100) -> Any:
    return install(*arguments, "--format", "json", keys=keys).json()


def carried_out(folder: Path, document: Any, keys: tuple[str, ...] = A100, name: str = "plan.json") -> imagined.Called:
    saved = folder / name
    saved.write_text(json.dumps(document), encoding="utf-8")
    return install("--plan", str(saved), "--format", "json", keys=keys)


def said(called: imagined.Called) -> str:
    assert (called.code, called.out) == (2, ""), called
    assert "Traceback" not in called.err
    assert "itself failed" not in called.err
    return " ".join(called.err.split())


ASKED = [
    ("fa2", "--need", "causal", "--need", "dtype=bf16"),
    ("fa2", "--version", "2.8.3"),
    ("fa2", "--source", "mjun0812"),
    ("fa2", "--trust", "upstream", "--no-pre"),
    ("fa2", "--method", "hub"),
    ("fa2", "--require", "sdpa", "--fail-on", "error", "--ignore", "AD105"),
    ("fa4",),
    ("sage",),
    ("sdpa",),
    (),
]


@pytest.mark.parametrize("arguments", ASKED, ids=" ".join)
def test_whatever_was_asked_for_comes_back(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    called = install(*arguments, "--format", "json")
    again = carried_out(tmp_path, called.json())
    assert again.json() == called.json()
    assert again.code == called.code


def test_a_build_with_a_limit_of_ones_own_comes_back(tmp_path: Path) -> None:
    document = planned("fa2", "--method", "source", "--max-jobs", "3", keys=BUILT)
    assert document["asked"]["max_jobs"] == document["build"]["max_jobs"] == 3
    assert carried_out(tmp_path, document, BUILT).json() == document


def at(document: Any, *path: Any) -> Any:
    for key in path:
        document = document[key]
    return document


CHANGED: list[tuple[tuple[Any, ...], Any]] = [
    (("steps", 0, "command"), ["rm", "-rf", "/"]),
    (("steps", 0, "undo"), "rm -rf /"),
    (("steps", 1, "env"), {"PIP_INDEX_URL": "https://index.example.org"}),
    (("steps", 1, "output"), "/etc/passwd"),
    (("steps", 0, "needs_root"), True),
    (("steps", 0, "title"), "another title"),
    (("wheel", "url"), "https://example.org/flash_attn.whl"),
    (("wheel", "sha256"), "0" * 64),
    (("version",), "2.8.2"),
    (("folder",), "/tmp/elsewhere"),
    (("changes", 0, "after"), "9.9"),
    (("target",), "another machine"),
    (("warnings",), []),
    (("asked", "version"), "2.8.2"),
    (("asked", "sources"), ["mjun0812"]),
    (("asked", "needs"), ["mask"]),
    (("alternatives", 0, "steps"), []),
]


@pytest.mark.parametrize(("path", "value"), CHANGED, ids=[".".join(map(str, path)) for path, _ in CHANGED])
def test_what_was_changed_is_named(tmp_path: Path, path: tuple[Any, ...], value: Any) -> None:
    document = planned("fa2")
    document["warnings"] = document["warnings"] or ["one that was never there"]
    at(document, *path[:-1])[path[-1]] = value
    text = said(carried_out(tmp_path, document))
    assert "plan.json is not carried out" in text
    if path[0] not in ("asked", "warnings"):
        named = path[0] + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path[1:])
        assert named in text, text


@pytest.mark.parametrize("change", ["added", "removed", "swapped"])
def test_steps_that_come_go_or_change_places(tmp_path: Path, change: str) -> None:
    document = planned("fa2")
    steps = document["steps"]
    document["steps"] = {
        "added": [*steps, {**steps[0], "command": ["true"]}],
        "removed": steps[:-1],
        "swapped": [steps[1], steps[0], *steps[2:]],
    }[change]
    assert "steps" in said(carried_out(tmp_path, document))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("backend", "nothing", "there is no backend 'nothing'"),
        ("asked", None, "does not say what was asked for"),
        ("asked", {"method": "magic"}, "--method magic"),
        ("asked", {"needs": ["speed"]}, "there is no need 'speed'"),
        ("asked", {"fail_on": "never ever"}, "--fail-on never ever"),
        ("asked", {"trust": "nobody"}, "--trust nobody"),
        ("asked", {"sources": ["nowhere"]}, "--source nowhere"),
        ("asked", {"max_jobs": "many"}, "this is no plan"),
    ],
)
def test_a_request_that_cannot_be_read(tmp_path: Path, key: str, value: Any, reason: str) -> None:
    assert reason in said(carried_out(tmp_path, planned("fa2") | {key: value}))


def test_who_made_it_is_told_where_the_rest_differs(tmp_path: Path) -> None:
    document = planned("fa2") | {"attn_doctor": "0.0.1", "catalogue": "2020-01-01"}
    assert carried_out(tmp_path, document).code == 0, "an older catalogue that gives the same is no difference"
    document["version"] = "2.8.2"
    assert "made by attn-doctor 0.0.1 with the catalogue of 2020-01-01" in said(carried_out(tmp_path, document))


# memory and disk move by themselves


@pytest.mark.parametrize("key", ["ram=96GiB", "disk=60GiB", "disk=500GiB"])
def test_more_room_makes_no_plan_stale(tmp_path: Path, key: str) -> None:
    document = planned("fa2", "--method", "source", keys=BUILT)
    assert carried_out(tmp_path, document, (*BUILT, key)).code == 0
    assert carried_out(tmp_path, planned("fa2"), (*A100, key)).code == 0


def test_less_memory_than_the_build_takes_is_told(tmp_path: Path) -> None:
    document = planned("fa2", "--method", "source", keys=BUILT)
    text = said(carried_out(tmp_path, document, (*BUILT, "ram=24GiB")))
    assert f"not {document['build']['max_jobs']}" in text
    assert "the memory that is free now allows MAX_JOBS=" in text
    assert "cannot be done as things are now" in said(carried_out(tmp_path, document, (*BUILT, "ram=2GiB")))


@pytest.mark.parametrize("jobs", [64, 1000])
def test_more_jobs_than_memory_allows_cannot_be_written_in(tmp_path: Path, jobs: int) -> None:
    text = json.dumps(planned("fa2", "--method", "source", keys=BUILT))
    before = json.loads(text)["build"]["max_jobs"]
    text = text.replace(f'"max_jobs": {before}', f'"max_jobs": {jobs}')
    text = text.replace(f'"MAX_JOBS": "{before}"', f'"MAX_JOBS": "{jobs}"')
    assert "allows MAX_JOBS=" in said(carried_out(tmp_path, json.loads(text), BUILT))
