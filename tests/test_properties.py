"""Laws that hold on every machine, tried on machines drawn at random."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imagined
from attn_doctor.judgement.check import exit_code
from attn_doctor.judgement.need import DTYPES, FEATURES
from attn_doctor.machine import gather, whatif
from attn_doctor.reporters import reporter
from imagined import quick

NVIDIA = [
    "GeForce GTX 1080",
    "Tesla K80",
    "Tesla P100-PCIE-16GB",
    "Tesla V100-SXM2-16GB",
    "Tesla T4",
    "NVIDIA TITAN RTX",
    "NVIDIA A100-SXM4-80GB",
    "NVIDIA GeForce RTX 3050",
    "NVIDIA GeForce RTX 3090",
    "Orin",
    "NVIDIA L4",
    "NVIDIA GeForce RTX 4090",
    "NVIDIA H100 80GB HBM3",
    "NVIDIA B200",
    "NVIDIA Thor",
    "NVIDIA GeForce RTX 5090",
    "NVIDIA GB10",
]
OTHERS = ["AMD Instinct MI300X", "AMD Radeon RX 7900 XTX", "Apple M3"]
TORCHES = [
    *("none", "1.13.1", "2.0.1", "2.1.2", "2.2.2", "2.3.1", "2.4.1", "2.5.1", "2.6.0", "2.7.1", "2.8.0", "2.9.1"),
    *("2.10.0", "2.11.0", "2.12.1", "2.13.0", "2.14.1", "2.15.0", "2.4.1+cu121", "2.5.1+cu124", "2.6.0+cu126"),
    *("2.7.1+cu118", "2.7.1+cu128", "2.8.0+cpu", "2.8.0+cu129", "2.9.1+cu130", "2.13.0+cu126", "2.14.0+cu132"),
    *("2.9.1+rocm6.4", "2.8.0a0+34c6371d24.nv25.08", "2.16.0.dev20261101+cu132", "99.0.0", "0.4.1"),
]
DRIVERS = [
    *("none", "390.157", "450.80.02", "470.256.02", "525.60.13", "535.183.01", "550.144.03", "555.99", "570.26"),
    *("575.57.08", "580.65.06", "580.95.05", "595.71.05", "610.43.02", "615.71.09", "700.1", "999.10"),
]
PACKAGES = [
    *("pkg.flash-attn=2.8.3", "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE", "pkg.flash-attn=2.3.6"),
    *("pkg.flash-attn=1.0.9", "pkg.flash-attn=none", "pkg.flash-attn-3=3.0.0", "pkg.flash-attn-4=4.0.0b36"),
    *("pkg.xformers=0.0.35", "pkg.xformers=0.0.32.post2", "pkg.triton=3.4.0", "pkg.triton=none"),
    *("pkg.sageattention=1.0.6", "pkg.sageattention=2.2.0", "pkg.transformers=5.23.0", "pkg.vllm=0.33.0"),
    *("pkg.kernels=0.17.2", "pkg.nonsense=1!2.0rc1+a.b", "built.flash-attn=cu13torch2.9cxx11abiTRUE"),
]
REST = {
    "os": ["linux", "windows", "macos"],
    "arch": ["x86_64", "aarch64"],
    "libc": ["glibc-2.17", "glibc-2.31", "glibc-2.39", "musl-1.2"],
    "python": ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.15"],
    "nvcc": ["none", "11.4", "11.8", "12.1", "12.8", "12.10", "13.0", "13.5", "14.0"],
    "gcc": ["none", "4.8", "9.4", "11.4", "12.2", "14.2", "17.1"],
    "ninja": ["true", "false"],
    "ram": ["1GiB", "8GiB", "64GiB", "2TiB"],
    "cores": ["1", "8", "256"],
    "disk": ["1GiB", "10GiB", "1TiB"],
    "wsl": ["true", "false"],
    "container": ["true", "false"],
    "cxx11abi": ["true", "false"],
}
NEEDS = [
    *(f"dtype={dtype}" for dtype in DTYPES),
    *("head_dim=64", "head_dim=128", "head_dim=160", "head_dim=256", "head_dim=512"),
    *FEATURES,
]
ORDER = ("ready", "installable", "blocked", "unsupported")
many = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
few = settings(many, max_examples=60)


@st.composite
def gpus(draw: st.DrawFn, names: list[str]) -> list[str]:
    keys = [f"gpu={draw(st.sampled_from(names))}"]
    keys += [f"gpu_count={draw(st.integers(1, 8))}"] if draw(st.booleans()) else []
    keys += [f"vram={draw(st.sampled_from(['4GiB', '24GiB', '80GiB']))}"] if draw(st.booleans()) else []
    return keys


@st.composite
def machines(draw: st.DrawFn, names: list[str] | None = None, drivers: bool = True) -> tuple[str, ...]:
    """Keys of `simulate`, any of them together with any other."""
    chosen = NVIDIA + OTHERS if names is None else names
    keys: list[str] = []
    for _ in range(draw(st.integers(0 if names is None else 1, 2))):
        keys += draw(gpus(chosen))
    torch = draw(st.sampled_from(TORCHES))
    keys.append(f"torch={torch}")
    if drivers and draw(st.booleans()):
        keys.append(f"driver={draw(st.sampled_from(DRIVERS))}")
    for key in draw(st.sets(st.sampled_from(sorted(REST)), max_size=4)):
        if key != "cxx11abi" or torch != "none":
            keys.append(f"{key}={draw(st.sampled_from(REST[key]))}")
    keys += draw(st.lists(st.sampled_from(PACKAGES[:-1]), max_size=2, unique_by=lambda item: item.partition("=")[0]))
    return tuple(keys)


needs = st.lists(st.sampled_from(NEEDS), max_size=3, unique_by=lambda item: item.partition("=")[0])


def statuses(report: Any) -> dict[str, str]:
    return {one["name"]: one["status"] for one in report["backends"]}


def worse(before: Any, after: Any) -> dict[str, tuple[str, str]]:
    """Backends whose status fell."""
    old, new = statuses(before), statuses(after)
    return {name: (old[name], new[name]) for name in old if ORDER.index(new[name]) > ORDER.index(old[name])}


@many
@given(machines())
def test_facts_survive_their_json(keys: tuple[str, ...]) -> None:
    facts = whatif.simulate(keys)
    data = gather.encode(facts)
    assert gather.decode(data, "x") == facts
    assert gather.encode(gather.decode(data, "x")) == data
    assert imagined.call("simulate", *keys).raw == data


@many
@given(machines(), needs)
def test_any_machine_is_judged_and_the_report_is_consistent(keys: tuple[str, ...], needed: list[str]) -> None:
    report, document = quick(whatif.simulate(keys), *needed)
    assert imagined.inconsistencies(document) == []
    assert exit_code(report, "error") in (0, 1)
    assert exit_code(report, "never") == 0
    assert document["skipped"] == []
    for verbose in (False, True):
        text = reporter("text")(report, verbose=verbose, elapsed_s=None, plain=True)
        assert imagined.too_wide(text) == []


@few
@given(machines(), needs)
def test_the_command_ends_with_0_or_1_in_every_format(keys: tuple[str, ...], needed: list[str]) -> None:
    wanted = tuple(part for item in needed for part in ("--need", item))
    found = {form: imagined.checked(*keys, options=("--format", form, *wanted)) for form in ("text", "json")}
    assert {called.err for called in found.values()} == {""}
    assert len({called.code for called in found.values()}) == 1
    assert found["text"].code in (0, 1)


@many
@given(machines(NVIDIA, drivers=False), st.lists(st.sampled_from(DRIVERS[1:]), min_size=2, max_size=2, unique=True))
def test_a_newer_driver_never_blocks_more(keys: tuple[str, ...], drivers: list[str]) -> None:
    older, newer = sorted(drivers, key=DRIVERS.index)
    _, first = quick(whatif.simulate([*keys, f"driver={older}"]))
    _, second = quick(whatif.simulate([*keys, f"driver={newer}"]))
    on_cpu = "on the CPU" in imagined.words(first) and "on the CPU" not in imagined.words(second)
    if not on_cpu:  # what ran on the CPU beside a GPU out of reach is judged on the GPU once the driver serves it
        assert worse(first, second) == {}
    assert "AD101" not in imagined.codes(second) or "AD101" in imagined.codes(first)


@few
@given(machines(), needs)
def test_a_what_if_of_what_is_there_already_changes_nothing(keys: tuple[str, ...], needed: list[str]) -> None:
    facts = whatif.simulate(keys)
    assert whatif.apply(facts, []) == facts
    given_keys = {item.partition("=")[0] for item in keys}
    again = {"ninja": "true", "python": "3.12", "cores": "8", "ram": "32GiB", "disk": "100GiB", "gcc": "12.2"}
    if "os" in given_keys:
        del again["gcc"]  # elsewhere the plain machine has another compiler, or none
    same = [f"{key}={value}" for key, value in again.items() if key not in given_keys]
    _, before = quick(facts, *needed)
    _, after = quick(whatif.apply(facts, same), *needed)
    assert statuses(after) == statuses(before)
    assert after["recommendation"] == before["recommendation"]
    assert imagined.codes(after) == imagined.codes(before)


@few
@given(machines(), st.sampled_from(["torch=2.8.0", "driver=580.95.05", "nvcc=12.8", "gpu=NVIDIA L4", "ram=64GiB"]))
def test_a_what_if_says_what_a_simulation_says(keys: tuple[str, ...], change: str) -> None:
    key = change.partition("=")[0]
    if any(item.partition("=")[0] in (key, "gpu_count", "vram", "cxx11abi", "driver") for item in keys):
        return
    _, imagined_so = quick(whatif.simulate([*keys, change]))
    _, changed_so = quick(whatif.apply(whatif.simulate(keys), [change]))
    if key == "gpu":
        return  # naming a GPU brings a driver in a simulation only
    assert statuses(imagined_so) == statuses(changed_so)
    assert imagined.codes(imagined_so) == imagined.codes(changed_so)


@many
@given(st.sampled_from(NVIDIA), st.sampled_from(TORCHES), st.sampled_from(DRIVERS[4:]), st.integers(2, 8))
def test_a_second_gpu_of_the_same_kind_changes_no_status(name: str, torch: str, driver: str, count: int) -> None:
    keys = (f"gpu={name}", f"torch={torch}", f"driver={driver}")
    _, one = quick(whatif.simulate(keys))
    _, several = quick(whatif.simulate([*keys, f"gpu_count={count}"]))
    _, named_twice = quick(whatif.simulate([f"gpu={name}", *keys]))
    assert statuses(one) == statuses(several) == statuses(named_twice)
    assert imagined.codes(one) == imagined.codes(several) == imagined.codes(named_twice)
    assert one["recommendation"]["use_now"] == several["recommendation"]["use_now"]


@many
@given(machines(NVIDIA), st.sampled_from(NVIDIA))
def test_another_gpu_never_makes_a_status_better(keys: tuple[str, ...], name: str) -> None:
    if any(item.startswith(("os=macos", "driver=none")) for item in keys):
        return
    driver = () if any(item.startswith("driver=") for item in keys) else ("driver=580.95.05",)
    _, before = quick(whatif.simulate([*keys, *driver]))
    _, after = quick(whatif.simulate([*keys, f"gpu={name}", *driver]))
    assert worse(after, before) == {}


@many
@given(machines(), st.sampled_from(NEEDS))
def test_a_need_never_makes_a_status_better(keys: tuple[str, ...], need: str) -> None:
    facts = whatif.simulate(keys)
    assert worse(quick(facts, need)[1], quick(facts)[1]) == {}


@many
@given(machines(NVIDIA))
def test_what_is_advised_works(keys: tuple[str, ...]) -> None:
    report, document = quick(whatif.simulate(keys))
    fixes = [fix for one in document["findings"] if one["severity"] == "error" for fix in one["fix"]]
    others = [key for key in keys if not key.startswith(("torch=", "cxx11abi="))]
    for torch in dict.fromkeys(filter(None, map(imagined.torch_of, fixes))):
        mended, after = quick(whatif.simulate([*others, f"torch={torch}"]))
        assert not {"AD101", "AD103", "AD104"} & set(imagined.codes(after, "error")), (torch, imagined.codes(after))
        assert exit_code(mended, "error") <= exit_code(report, "error")


PROMISE = re.compile(r"torch (\d[\w.]*\+\w+) (?:has|runs)\b(?! no)|(?:install|with) torch (\d[\w.]*\+\w+)")


@pytest.mark.parametrize("torch", ["none", "2.8.0+cpu", "2.5.1+cu124"])
def test_a_torch_named_in_a_reason_keeps_what_it_promises(torch: str) -> None:
    broken = {}
    kept = 0
    for name in NVIDIA:
        keys = (f"gpu={name}", "driver=580.95.05")
        _, before = quick(whatif.simulate([*keys, f"torch={torch}"]))
        for one in (one for one in before["backends"] if one["status"] == "installable"):
            for promised in map("".join, PROMISE.findall(" ".join(one["reasons"]))):
                _, after = quick(whatif.simulate([*keys, f"torch={promised}"]))
                then = imagined.backend(after, one["name"])
                again = re.search(r"(?:with|needs) torch \d[\w.+]*", " ".join(then["reasons"]))
                if then["status"] not in ("ready", "installable") or again:
                    broken[name, one["name"]] = (promised, then["status"], then["reasons"])
                kept += 1
    assert not broken, "\n".join(f"{key}: {value}" for key, value in broken.items())
    assert kept, "no reason names a torch any more: this test has become blind"


@pytest.mark.parametrize("keys", [("libc=musl-1.2",), ("libc=musl-1.2", "gpu=NVIDIA L4")])
def test_no_torch_is_advised_where_none_can_be_installed(keys: tuple[str, ...]) -> None:
    _, report = quick(whatif.simulate(keys))
    commands = [fix for one in report["findings"] for fix in one["fix"]] + [report["recommendation"]["next_step"] or ""]
    assert not any(re.search(r"install\b.*\btorch", command) for command in commands), commands


text = st.text(max_size=40)


@settings(many, max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([*sorted(whatif.keys()), "pkg.x", "built.x", "nonsense", ""]), text), max_size=3)
)
def test_no_assignment_breaks_it(pairs: list[tuple[str, str]]) -> None:
    # an argument of a process cannot hold a zero byte, and one that starts with a dash is an option
    arguments = [f"{key}={value}".replace("\0", "") for key, value in pairs if key]
    called = imagined.call("simulate", *arguments)
    assert called.code in (0, 2), called.err
    assert (called.out == "") is (called.code == 2)
    assert (called.err == "") is (called.code == 0)
    if called.code == 0:
        assert imagined.call("check", "--facts", "-", stdin=called.raw).code in (0, 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(many, max_examples=200)
@given(st.data())
def test_facts_with_one_place_changed_never_break_it(data: st.DataObject) -> None:
    document = json.loads(imagined.facts("gpu=NVIDIA L4", "torch=2.8.0", "nvcc=12.8", "pkg.flash-attn=2.8.3"))
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.integers(0, 4)) == 0:
            break
        place = place[key]
    place[key] = data.draw(json_values)
    called = imagined.call("check", "--facts", "-", stdin=json.dumps(document))
    assert "itself failed" not in called.err, called.err
    assert called.code in (0, 1, 2, 3)
    assert (called.code == 2) is (called.out == "")


@settings(many, max_examples=200)
@given(st.binary(max_size=200))
def test_bytes_that_are_no_facts_are_refused(data: bytes) -> None:
    called = imagined.call("check", "--facts", "-", stdin=data)
    assert (called.code, called.out) == (2, "")
