"""A flash-attn that comes beside an xFormers: one that it takes where there is one, else said; and what mends it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import imagined

XFORMERS = ("gpu=NVIDIA L4", "torch=2.8.0+cu128", "python=3.11", "pkg.xformers=0.0.32.post2")
BUILT = "cu12torch2.8cxx11abiTRUE"


def plan(command: str, *options: str, keys: tuple[str, ...]) -> Any:
    called = imagined.call(
        command, *options, "--dry-run", "--facts", "-", "--format", "json", stdin=imagined.facts(*keys)
    )
    return json.loads(called.out)


def said(one: Any) -> bool:
    return any("xformers" in warning and "cannot be imported" in warning for warning in one["warnings"])


def test_one_that_it_takes_comes_first_and_why() -> None:
    one = plan("install", "fa2", keys=XFORMERS)
    assert one["version"] == "2.7.3"
    assert any("2.7.1" in why and "2.8.2" in why for why in one["why"])
    assert not said(one)


def test_where_upstreams_are_all_refused_nobody_says_that_there_are_none() -> None:
    keys = tuple(key.replace("python=3.11", "python=3.13") for key in XFORMERS)
    one = plan("install", "fa2", keys=keys)
    assert one["wheel"]["trust"] == "community"
    assert any("no file of upstream's serves here" in warning for warning in one["warnings"])
    reasons = imagined.backend(imagined.judged(*keys), "flash_attention_2")["reasons"]
    assert any("none that the installed xformers takes" in reason for reason in reasons)
    without = imagined.backend(imagined.judged(*keys[:3]), "flash_attention_2")["reasons"]
    assert not any("xformers" in reason for reason in without)


@pytest.mark.parametrize("keys", [XFORMERS[:3], (*XFORMERS[:3], "pkg.xformers=0.0.33.post2")])
def test_without_it_or_with_one_that_takes_it_the_newest_comes(keys: tuple[str, ...]) -> None:
    one = plan("install", "fa2", keys=keys)
    assert one["version"].startswith("2.8.3")
    assert not said(one)


@pytest.mark.parametrize("options", [("fa2", "--version", "2.8.3"), ("fa4",)])
def test_what_it_does_not_take_is_said_before(options: tuple[str, ...]) -> None:
    assert said(plan("install", *options, keys=XFORMERS))


def test_no_xformers_comes_beside_a_flash_attn_that_it_refuses() -> None:
    keys = (*XFORMERS[:3], f"pkg.flash-attn=2.8.3+{BUILT}")
    report = imagined.judged(*keys)
    assert "2.8.3 lies beside it" in imagined.backend(report, "xformers")["reasons"][0]
    assert plan("install", "xformers", keys=keys)["version"] != "0.0.32.post2"  # another torch, or none
    assert imagined.status(imagined.judged(*keys, f"pkg.flash-attn=2.7.3+{BUILT}"), "xformers") == "installable"


def test_repair_brings_one_that_it_takes_and_touches_nothing_else() -> None:
    one = plan("repair", keys=(*XFORMERS, f"pkg.flash-attn=2.8.3+{BUILT}"))
    assert [change["package"] for change in one["changes"]] == ["flash-attn"]
    assert one["changes"][0]["after"].startswith("2.7.3")
    after = imagined.judged(*XFORMERS, f"pkg.flash-attn=2.7.3+{BUILT}")
    assert "AD323" not in imagined.codes(after)
    assert imagined.status(after, "xformers") == "ready"


def test_the_search_for_wheels_puts_what_it_takes_first() -> None:
    called = imagined.call("wheels", "fa2", "--facts", "-", "--format", "json", stdin=imagined.facts(*XFORMERS))
    answer = json.loads(called.out)
    assert answer["fitting"][0]["version"] == "2.7.3"
    assert "2.7.3" in answer["next_steps"][0]
    assert {one["version"] for one in answer["fitting"]} >= {"2.8.3"}  # nothing is left out
