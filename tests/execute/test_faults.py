"""A small sample of scripts/fault_injection.py: kills and Ctrl-C at random moments, and before acts of a rollback."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from execute import faults
from execute import workshop as made_here
from execute.workshop import running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from execute.workshop import Workshop


@pytest.fixture
def small(environments: Callable[[str], Path], shop: made_here.Market, library: Path, tmp_path: Path) -> Workshop:
    """An environment of uv: the smallest, and installed into the quickest."""
    target = made_here.copied(environments("uv"), tmp_path / "env")
    shop.add(made_here.triton(tmp_path))
    return made_here.Workshop(tmp_path, target, shop, library)


def test_killed_at_any_moment_and_put_back_by_the_next_call(small: Workshop) -> None:
    fresh, before, chance = faults.Moment(small, "fresh"), small.fingerprint(), Random(3)
    install, rollback = small.command("install", "triton", "--yes"), small.command("rollback", "--yes")
    for number in range(8):
        fresh.again()
        faults.hit(small, install, chance.uniform(0.1, 1.2), "kill")
        if number % 2:
            faults.hit(small, rollback, chance.uniform(0.05, 0.2), "kill")
        ended = faults.put_back(small, before, was_hit=True)
        assert ended.equal, ended
        assert ended.code == 0 or "nothing to put back" in " ".join(ended.said.split()), ended


def test_before_each_act_of_a_rollback(small: Workshop) -> None:
    before = small.fingerprint()
    assert small.install().code == 0
    done = faults.Moment(small, "done")
    for number in range(100):
        done.again()
        if not faults.before_act(small, number, "rollback", "--yes"):
            break
        ended = faults.put_back(small, before, was_hit=True)
        assert ended.equal, (number, ended)
        assert ended.code == 0 or small.history()[0]["state"] == "rolled back", (number, ended)
    assert number > 3
    assert small.fingerprint() == before


def test_ctrl_c_puts_back_by_itself_and_leaves_nothing_running(small: Workshop) -> None:
    fresh, before, chance = faults.Moment(small, "fresh"), small.fingerprint(), Random(5)
    for _ in range(4):
        fresh.again()
        hit = faults.hit(small, small.command("install", "triton", "--yes"), chance.uniform(0.4, 1.0), "interrupt")
        assert running(str(small.state)) == []
        states = {one["state"] for one in small.history()}
        assert states <= {"put back", "done"}
        assert not hit or "done" in states or small.fingerprint() == before


def test_a_full_disk(small: Workshop) -> None:
    before = small.fingerprint()
    home = small.home / "state"
    for pages in (2, 8):
        with faults.small_disk(home, pages * 4096) as done:
            if not done:
                pytest.skip("nothing can be mounted here")
            assert small.install().code in (0, 1)
            ended = faults.put_back(small, before, was_hit=True)
            assert ended.equal, ended
