"""Every category by its wordings and look-alikes: it is named, its neighbours are not, its fix harms nobody."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from attn_doctor.explain.cause import causes
from attn_doctor.explain.diagnose import ranked
from attn_doctor.explain.log import Log
from attn_doctor.explain.reading import from_text
from explain.words import diagnosed, wordings

HARMLESS = {"not-an-install-failure": "unrelated", "healthy": "healthy"}
MACHINE = ("gpu=NVIDIA L4", "torch=2.8.0+cu128", "driver=575.57.08", "ram=64GiB", "python=3.12", "nvcc=12.8")
# what no fix may ever propose; to refute it, a sentence says that it does not help
HARMFUL = (
    r"pip install [^\n]*--break-system-packages|sudo pip3? |ln -s\w* [^\n]*libcudart|\bmv [^\n]*\.whl|\bNone\b(?![:)])"
)
# what stands below every failure
GENERIC = (
    "ninja: build stopped: subcommand failed.",
    "error: subprocess-exited-with-error",
    "error: metadata-generation-failed",
    "error: command '/usr/bin/gcc' failed with exit code 1",
    "subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1.",
    "RuntimeError: Error compiling objects for extension",
)
BY, NOT = wordings("by"), wordings("not")


@pytest.mark.parametrize(("category", "text"), BY)
def test_each_wording_is_known(category: str, text: str) -> None:
    said = diagnosed(text)
    assert [cause.category for cause in said.causes][:1] == [category]
    assert said.verdict == HARMLESS.get(category, "failure")


@pytest.mark.parametrize(("category", "text"), NOT)
def test_a_look_alike_is_not_taken_for_it(category: str, text: str) -> None:
    said = diagnosed(text)
    assert category not in [cause.category for cause in said.causes[:1] if cause.confidence != "possible"]
    assert category not in HARMLESS or said.verdict in ("failure", "unknown")


@pytest.mark.parametrize(("category", "text"), BY)
def test_there_is_something_to_do_and_it_harms_nobody(category: str, text: str) -> None:
    for what_if in ((), MACHINE, (*MACHINE, "os=windows")):
        first = diagnosed(text, *what_if).causes[0]
        assert 20 < len(first.explanation) < 600
        assert not re.search(HARMFUL, "\n".join(first.fix))
        if category in HARMLESS:
            assert not [fix for fix in first.fix if "install " in fix]
        else:
            assert 1 <= len(first.fix) <= 5


def test_every_category_has_wordings_of_four_kinds_and_a_look_alike() -> None:
    counted, beside = Counter(category for category, _ in BY), {category for category, _ in NOT}
    assert set(counted) == set(causes())
    assert [category for category, count in counted.items() if count < 4] == []
    assert set(causes()) - beside == set()


@pytest.mark.parametrize("category", sorted(causes()))
def test_what_a_cause_brings_about_is_a_cause(category: str) -> None:
    assert set(causes()[category].leads_to) <= set(causes()) - {category}


@pytest.mark.parametrize("text", GENERIC)
def test_what_stands_below_every_failure_is_no_sign(text: str) -> None:
    assert [one for one in ranked(from_text(text)) if one.cause.stage == "build"] == []


def test_an_empty_log_has_no_cause() -> None:
    assert ranked(Log(())) == []
