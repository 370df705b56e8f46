"""What benchmarks come to: the ranking, what changed, what `check` makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from attn_doctor.cli import _bench
from attn_doctor.errors import BadInput
from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import parse
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Known
from attn_doctor.machine.probes.measured import Brought, Measured, Place
from attn_doctor.measure.benchmark import Benchmark, Conditions, Device, Timing
from attn_doctor.measure.compare import changes, differs, read
from attn_doctor.measure.conditions import doubts, parse_mhz
from attn_doctor.measure.kept import digest, joined
from attn_doctor.measure.largest import largest
from attn_doctor.measure.ranking import ranking, told
from attn_doctor.measure.run import held_against
from attn_doctor.measure.shapes import Shape
from attn_doctor.reporters import _benchmark

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = Shape(batch=4, length=2048, heads=16, kv_heads=16, head_dim=128, causal=True, dtype="bf16")
LONG = replace(SHAPE, batch=1, length=8192)
DATE = "2026-11-30T10:00:00Z"


def timing(subject: str, ms: float | None, shape: Shape = SHAPE, direction: str = "both", **more: Any) -> Timing:
    status = "measured" if ms else "no memory"
    spread = (ms or 0) * 0.01
    return Timing(
        subject=subject,
        shape=shape,
        direction=direction,
        status=more.pop("status", status),
        ms=ms,
        low_ms=ms and ms - spread,
        high_ms=ms and ms + spread,
        **more,
    )


def benchmark(*timings: Timing, **more: Any) -> Benchmark:
    whole: dict[str, Any] = {
        "date": DATE, "python": "/venv/bin/python", "torch": "2.8.0+cu128", "preset": "own", "seed": 1,
        "device": Device(kind="cuda", name="NVIDIA A100-SXM4-80GB"), "packages": {"flash-attn": "2.8.3"},
        "driver": "570.86.15",
    }  # fmt: skip
    return Benchmark(**{**whole, **more}, timings=timings)


# --- the ranking


def test_the_fastest_by_what_all_of_them_ran() -> None:
    rows = [
        *(timing("eager", 40.0), timing("sdpa", 10.0), timing("flash_attention_2", 8.0)),
        *(timing("eager", None, LONG), timing("sdpa", 10.0, LONG), timing("flash_attention_2", 30.0, LONG)),
    ]
    ranks = ranking(rows, "both")
    assert [rank.subject for rank in ranks] == ["flash_attention_2", "sdpa", "eager"]
    assert [rank.shapes for rank in ranks] == [1, 1, 1], "the long one did not fit for eager"
    without = ranking([row for row in rows if row.subject != "eager"], "both")
    assert [rank.subject for rank in without] == ["sdpa", "flash_attention_2"]
    assert without[1].times == pytest.approx((0.8 * 3) ** 0.5)


def test_kernels_by_themselves_are_no_backends() -> None:
    assert [rank.subject for rank in ranking([timing("sdpa.flash", 1.0), timing("sdpa", 2.0)], "both")] == ["sdpa"]


def test_training_says_more_than_inference() -> None:
    rows = [timing("sdpa", 1.0, direction="forward"), timing("sdpa", 3.0), timing("eager", 9.0)]
    assert told(rows)[0] == "both"
    assert told(rows[:1])[0] == "forward"
    assert told([]) == ("", ())


@pytest.mark.parametrize(
    ("subject", "dtype", "difference", "stays"),
    [
        ("flash_attention_2", "bf16", 0.01, True),
        ("flash_attention_2", "bf16", 0.2, False),
        ("flash_attention_2", "fp16", 0.01, False),
        ("sage_attention", "fp16", 0.2, True),
        ("xformers", "fp32", 1e-6, True),
        ("xformers", "fp32", 1e-3, False),
    ],
)
def test_a_result_that_is_wrong_is_not_ranked(subject: str, dtype: str, difference: float, stays: bool) -> None:
    rows = [timing("sdpa", 9.0), timing(subject, 1.0, replace(SHAPE, dtype=dtype), "forward", difference=difference)]
    rows.append(timing(subject, 1.0))
    ranks = [rank.subject for rank in ranking(rows, "both")]
    assert ranks == ([subject, "sdpa"] if stays else ["sdpa"]), "wrong in one direction, wrong in all"


# --- against an earlier one


def test_what_changed_beyond_noise() -> None:
    old = benchmark(timing("sdpa", 10.0), timing("eager", 40.0), timing("flash_attention_2", 8.0))
    new = benchmark(
        timing("sdpa", 12.0), timing("eager", 40.5), timing("flash_attention_2", 4.0), timing("xformers", 9.0)
    )
    found = {one.subject: (one.said, round(one.ratio, 2)) for one in changes(new, old)}
    assert found == {"sdpa": ("slower", 1.2), "eager": ("same", 1.01), "flash_attention_2": ("faster", 0.5)}


def test_a_wide_spread_is_no_change() -> None:
    wide = replace(timing("sdpa", 12.0), low_ms=8.0, high_ms=16.0)
    assert [one.said for one in changes(benchmark(wide), benchmark(timing("sdpa", 10.0)))] == ["same"]


def test_another_shape_is_not_compared() -> None:
    assert not list(changes(benchmark(timing("sdpa", 1.0, LONG)), benchmark(timing("sdpa", 10.0))))


def test_what_else_differs_is_said() -> None:
    new = benchmark(torch="2.9.0+cu128", driver="580.10", packages={})
    assert differs(new, benchmark()) == [
        *("driver 570.86.15 -> 580.10", "torch 2.8.0+cu128 -> 2.9.0+cu128", "flash-attn 2.8.3 -> none"),
    ]


def test_and_stands_above_the_changes() -> None:
    new = held_against(benchmark(timing("sdpa", 5.0), torch="2.9.0+cu128"), benchmark(timing("sdpa", 10.0)))
    lines = _benchmark.text(new).splitlines()
    assert "Against 2026-11-30: 1 changed beyond noise, 0 did not." in lines
    assert "What else changed: torch 2.8.0+cu128 -> 2.9.0+cu128." in lines


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(BadInput, match="no benchmark"):
        read(b"{}", "old.json")
    other = msgspec.json.encode(replace(benchmark(), schema="attn-doctor/benchmark/9"))
    with pytest.raises(BadInput, match="attn-doctor/benchmark/9"):
        read(other, "old.json")


# --- the text


def test_the_answer_comes_first_and_everything_fits() -> None:
    rows = [
        timing(name, ms, shape, way, tflops=612.4, peak_bytes=3 << 30, speedup=1234.5)
        for name, ms in (("eager", 12345.6), ("flash_attention_2", 123.4))
        for shape in (SHAPE, LONG)
        for way in ("forward", "backward", "both")
    ]
    text = _benchmark.text(benchmark(*rows, timing("xformers", None, reason="OutOfMemoryError: " + "CUDA " * 40)))
    assert text.splitlines()[2].startswith("Fastest here, forward and backward: flash_attention_2, 100.0 times as fast")
    assert max(map(len, text.splitlines())) <= 80
    assert "xformers, no memory: OutOfMemoryError" in text


def test_doubts() -> None:
    quiet = Conditions(load=0.1)
    assert doubts(quiet, quiet) == []
    assert "other processes" in doubts(Conditions(load=2.0), quiet)[0]
    assert "thermal" in doubts(quiet, Conditions(held_back=("thermal (driver)", "power cap")))[0]
    assert doubts(quiet, Conditions(held_back=("power cap",))) == [], "a GPU at work always reaches it"
    assert parse_mhz("processor: 0\ncpu MHz\t\t: 2000.0\ncpu MHz\t\t: 3000.0\n") == 2500.0
    assert parse_mhz("") is None


# --- the largest batch


@pytest.mark.parametrize("room", [0, 1, 2, 3, 7, 64, 65, 1000])
def test_the_largest_batch_exactly(room: int) -> None:
    asked = []

    def fits(shape: Shape) -> tuple[bool, str]:
        asked.append(shape.batch)
        return shape.batch <= room, "no memory"

    assert largest("sdpa", SHAPE, fits).batch == room
    assert len(asked) <= 2 * max(1, room).bit_length() + 2


@pytest.mark.parametrize("calls", [0, 1, 3])
def test_a_search_that_is_broken_off_gives_a_lower_bound(calls: int) -> None:
    asked = []

    def fits(shape: Shape) -> tuple[bool | None, str]:
        asked.append(shape.batch)
        return (True, "") if len(asked) <= calls else (None, "the budget was over")

    found = largest("sdpa", SHAPE, fits)
    assert found.batch == (2 ** (calls - 1) if calls else 0)
    assert found.stopped == f"the budget was over: {found.batch} is a lower bound"
    assert len(asked) == calls + 1


# --- what `check` makes of it

MACHINE = (
    "gpu=NVIDIA A100-SXM4-80GB",
    "driver=570.86.15",
    "torch=2.8.0+cu128",
    "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE",
)


def report(seen: Measured | None, *keys: str) -> Any:
    facts = whatif.simulate([*MACHINE, *keys])
    readings = {**facts.readings}
    if seen is not None:
        readings["measured"] = Known(seen, source="measured here")
    return check(replace(facts, readings=readings), parse([]))


def seen(*places: tuple[str, float], **more: Any) -> Measured:
    whole: dict[str, Any] = {
        "prefix": "/venv", "date": DATE, "torch": "2.8.0+cu128", "device": "NVIDIA A100-SXM4-80GB",
        "driver": "570.86.15",
        "packages": {"flash-attn": "2.8.3+cu12torch2.8cxx11abiTRUE", "triton": "3.4.0"},
        "direction": "both",         "dtype": "bf16",
    }  # fmt: skip
    listed = tuple(Place(backend=name, times=times, shapes=24) for name, times in places)
    return Measured(**{**whole, **more}, places=listed)


def test_foreseen_where_nothing_was_measured() -> None:
    assert report(None).recommendation.use_now == "flash_attention_2"


def test_measured_beats_foreseen() -> None:
    found = report(seen(("sdpa", 1.0), ("flash_attention_2", 1.4), ("eager", 9.0))).recommendation
    assert (found.use_now, found.best, found.next_step) == ("sdpa", "sdpa", None)
    assert found.why[0] == (
        "measured here on 2026-11-30: sdpa is 1.4 times as fast as flash_attention_2 "
        "(forward and backward, bf16, 24 shapes)"
    )


@pytest.mark.parametrize(
    "stale",
    [
        seen(("sdpa", 1.0), ("flash_attention_2", 1.4), torch="2.7.0+cu128"),
        seen(("sdpa", 1.0), ("flash_attention_2", 1.4), driver="580.10"),
        seen(("sdpa", 1.0), ("flash_attention_2", 1.4), device="NVIDIA H100 80GB HBM3"),
        seen(("sdpa", 1.0), ("flash_attention_2", 1.4), packages={}),
        seen(("sdpa", 1.0), ("flash_attention_2", 1.02)),
        seen(("sdpa", 1.0)),
        seen(("flash_attention_3", 1.0), ("sdpa", 2.0)),
        seen(("sdpa", 1.0), ("eager", 4.0)),
    ],
    ids=["torch", "driver", "device", "packages", "no clear lead", "alone", "not ready any more", "not measured"],
)
def test_but_not_what_was_measured_on_something_else(stale: Measured) -> None:
    found = report(stale).recommendation
    assert found.use_now == "flash_attention_2"
    assert not any("measured" in line for line in found.why)


def test_what_a_setting_brought_stands_in_its_hint() -> None:
    keys = ("pkg.flash-attn=none", "pkg.triton=3.4.0")
    plain = {hint.name: hint.text for hint in report(None, *keys).hints}
    assert {"tf32", "torch_compile", "gradient_checkpointing"} <= set(plain)
    brought = (
        Brought(setting="tf32", speedup=1.31, memory=1.0),
        Brought(setting="torch_compile", speedup=0.8, memory=1.0),
        Brought(setting="gradient_checkpointing", speedup=0.75, memory=0.4),
    )
    found = {
        hint.name: hint.text
        for hint in report(replace(seen(packages={"triton": "3.4.0"}), brought=brought), *keys).hints
    }
    assert found["tf32"].endswith("measured here on 2026-11-30: 1.31x faster, memory 1.00x")
    assert "torch_compile" not in found, "it helps only where it helps"
    assert found["gradient_checkpointing"].endswith("1.33x slower, memory 0.40x")


def test_what_is_kept_of_a_run() -> None:
    found = digest(benchmark(timing("sdpa", 10.0), timing("eager", 40.0)), "/venv")
    assert found is not None
    assert [(one.backend, one.times) for one in found.places] == [("sdpa", 1.0), ("eager", 4.0)]
    assert digest(benchmark(timing("sdpa", 10.0)), "/venv") is None, "one alone ranks nothing"
    later = replace(found, places=(), brought=(Brought(setting="tf32", speedup=1.2),))
    assert joined(later, found).places == found.places
    assert joined(replace(later, torch="3.0"), found).places == ()
    more = digest(benchmark(timing("sdpa", 10.0), timing("eager", 40.0), timing("xformers", 20.0)), "/venv")
    assert more is not None
    assert joined(found, more).places == more.places, "some of the backends say less than more of them"
    assert joined(more, found).places == more.places


@pytest.mark.parametrize(("judged", "kept"), [("NVIDIA A100-SXM4-80GB", True), ("cpu", False)])
def test_only_the_device_that_is_judged_is_kept(
    judged: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench --device cpu` beside a GPU leaves what is known of the GPU as it is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    _bench.keep(
        benchmark(timing("sdpa", 10.0), timing("eager", 40.0)), _bench.Judged(prefix=str(tmp_path), device=judged)
    )
    assert bool(list(tmp_path.rglob("*.json"))) is kept
