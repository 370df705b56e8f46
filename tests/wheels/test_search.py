"""The search: what fits, and of what does not the nearest files with exactly what keeps them from fitting."""

from __future__ import annotations

import re

import msgspec
import pytest

from attn_doctor.knowledge.attention import demands
from attn_doctor.wheels import catalogue
from attn_doctor.wheels.catalogue import Single, Wheel, wheels
from attn_doctor.wheels.resolve import Key, fitting
from attn_doctor.wheels.search import ASPECTS, Filters, misses, nearest, search

KEY = Key(
    os="linux",
    arch="x86_64",
    libc="glibc-2.35",
    python="3.12",
    torch="2.8.0+cu128",
    torch_cuda="12.8",
    torch_release=True,
    cxx11abi=True,
    capabilities=("8.6",),
)


def but(key: Key = KEY, **changes: object) -> Key:
    return msgspec.structs.replace(key, **changes)


TORCH_26 = but(torch="2.6.0+cu124", torch_cuda="12.4", cxx11abi=False)
RTX5090_TORCH_26 = but(TORCH_26, capabilities=("12.0",))
TORCH_29_CU130 = but(torch="2.9.1+cu130", torch_cuda="13.0")
TORCH_214 = but(torch="2.14.0+cu130", torch_cuda="13.0")
WINDOWS = but(os="windows", libc=None, cxx11abi=False)
MAC = but(os="macos", arch="aarch64", libc=None, torch="2.8.0", torch_cuda=None, capabilities=())
KEYS = {
    "plain": KEY,
    "old-abi": TORCH_26,
    "new-card-old-torch": RTX5090_TORCH_26,
    "turing": but(capabilities=("7.5",)),
    "two-cards": but(TORCH_26, capabilities=("8.6", "12.0")),
    "python-3.14": but(python="3.14"),
    "python-3.13t": but(python="3.13t"),
    "torch-2.14": TORCH_214,
    "cu130": but(TORCH_29_CU130, python="3.11", libc="glibc-2.31"),
    "cu118": but(torch="2.7.1+cu118", torch_cuda="11.8", python="3.13"),
    "old-glibc": but(libc="glibc-2.17"),
    "musl": but(libc="musl-1.2"),
    "arm": but(arch="aarch64"),
    "windows": but(WINDOWS, python="3.14"),
    "mac": MAC,
    "no-torch": but(torch=None, torch_cuda=None, torch_release=False, cxx11abi=None),
    "cpu-torch": but(torch="2.9.1+cpu", torch_cuda=None),
    "nightly": but(torch="2.9.0.dev20250901+cu128", torch_release=False),
    "hopper-old-python": but(TORCH_29_CU130, python="3.9", capabilities=("9.0",)),
}
every_key = pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)


def told(package: str, key: Key, first: int = 99) -> list[tuple[str, ...]]:
    return [tuple(one.text for one in miss.differs) for miss in misses(package, key)[:first]]


# a second opinion on what differs, from the rows alone


def dotted(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def really_differs(wheel: Wheel, key: Key) -> set[str]:
    """Plain questions, one after the other, that share no code with the resolver."""
    found: set[str] = set()
    pure = wheel.platform == "any"
    only_linux = wheel.package == "flash-attn-4"
    musl = (key.libc or "").startswith("musl")
    windows_tag = {"x86_64": "win_amd64", "aarch64": "win_arm64"}[key.arch]
    tags = wheel.platform.split(".")
    linux_tag = any("linux" in tag and tag.endswith(key.arch) for tag in tags)
    if only_linux and key.os != "linux":
        found.add("platform")
    if not pure and not (linux_tag if key.os == "linux" else wheel.platform == windows_tag and key.os == "windows"):
        found.add("platform")
    if musl and (not pure or only_linux):
        found.add("libc")
    if key.os == "linux" and not musl and wheel.needs_glibc and key.libc:
        found |= {"libc"} if dotted(wheel.needs_glibc) > dotted(key.libc) else set()
    if not runs_on(wheel, key.python):
        found.add("python")
    if not pure:
        found |= torch_differs(wheel, key)
    code = wheel.gpu_code if wheel.gpu_code is not None else wheel.gpu_limit
    if code is not None and not all(any(serves(one, on) for one in code) for on in key.capabilities):
        found.add("gpu")
    return found


def runs_on(wheel: Wheel, python: str) -> bool:
    have = dotted(python)
    digits = re.sub(r"\D", "", wheel.python_tag)
    tag = (int(digits[0]), int(digits[1:] or 0))
    for operator, bound in re.findall(r"(>=|<)([\d.]+)", wheel.requires_python or ""):
        if (have < dotted(bound)) if operator == ">=" else (have >= dotted(bound)):
            return False
    if wheel.abi_tag == "none":
        return have >= tag
    if wheel.abi_tag == "abi3":
        return have >= tag and "t" not in python
    return have == tag and wheel.abi_tag.endswith("t") == python.endswith("t")


def torch_differs(wheel: Wheel, key: Key) -> set[str]:
    have = dotted((key.torch or "").partition("+")[0])
    wanted = dotted(wheel.torch or "")
    minor = wanted[:2] == have[:2] if not (wheel.torch or "").startswith(">=") else have[:2] >= wanted[:2]
    patch = not (wheel.package == "xformers" and len(wanted) > 2 and not (wheel.torch or "").startswith(">="))
    found = set() if key.torch_release and minor and (patch or wanted == have) else {"torch"}
    if wheel.torch is None and key.torch_release:
        found = set()
    if key.torch is not None and (wheel.cuda or "cu0")[2:4] != (key.torch_cuda or "none")[:2]:
        found.add("cuda")
    if not found and key.os != "windows" and wheel.cxx11abi not in (None, key.cxx11abi):
        found.add("abi")
    return found


def serves(code: str, on: str) -> bool:
    digits = code[3:].rstrip("a")
    major, minor = int(digits[:-1]), int(digits[-1])
    there = dotted(on)
    return there == (major, minor) if code.endswith("a") else there[0] == major and there[1] >= minor


@every_key
@pytest.mark.parametrize("package", catalogue.packages())
def test_every_miss_differs_in_exactly_what_it_says_and_nothing_is_nearer(package: str, key: Key) -> None:
    differing = [(frozenset(really_differs(wheel, key)), wheel) for wheel in wheels(package)]
    differing = [(what, wheel) for what, wheel in differing if package != "flash-attn" or wheel.version[0] == "2"]
    unfit = [(what, wheel) for what, wheel in differing if what]
    found = misses(package, key)
    assert bool(found) == bool(unfit)
    by_name = {(wheel.filename, wheel.source, wheel.tag, wheel.cuda): what for what, wheel in unfit}
    for miss in found:
        wheel = miss.wheel
        said = [one.what for one in miss.differs]
        assert len(said) == len(set(said))
        assert set(said) == by_name[wheel.filename, wheel.source, wheel.tag, wheel.cuda], wheel.filename
    fewest = min((len(what) for what, _ in unfit), default=0)
    assert {len(miss.differs) for miss in found} == ({fewest} if unfit else set())
    kinds = {frozenset(one.what for one in miss.differs) for miss in found}
    assert kinds == {what for what, _ in unfit if len(what) == fewest}
    fit = {wheel.filename for what, wheel in differing if not what}
    assert fit == {wheel.filename for wheel in search(Filters(package=package, key=key))}


@every_key
@pytest.mark.parametrize("package", catalogue.packages())
def test_a_file_that_fits_is_no_miss_and_both_are_published(package: str, key: Key) -> None:
    published = {(wheel.filename, wheel.url) for wheel in wheels(package)}
    fit = fitting(package, key)
    missed = [miss.wheel for miss in misses(package, key)]
    assert set(search(Filters(package=package, key=key))) == set(fit)
    assert not set(fit) & set(missed)
    assert {(wheel.filename, wheel.url) for wheel in (*fit, *missed)} <= published


@every_key
def test_each_way_to_differ_is_said_once_and_in_words(key: Key) -> None:
    said = told("flash-attn", key)
    assert said
    assert len(said) == len(set(said))
    for text in (text for texts in said for text in texts):
        assert re.fullmatch(r"[ -~]{8,90}", text), text
        assert "rename" not in text
        assert not text.endswith(".")


# known truths


def test_torch_28_cu128_has_the_newest_upstream_release() -> None:
    best = search(Filters(package="flash-attn", key=KEY))[0]
    assert best.filename == "flash_attn-2.8.3.post1+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"


def test_torch_26_cu124_has_the_last_release_with_the_old_abi() -> None:
    best = search(Filters(package="flash-attn", key=TORCH_26))[0]
    assert (best.version, best.trust, best.cxx11abi) == ("2.7.4.post1", "upstream", False)


def test_python_314_is_what_upstream_lacks() -> None:
    key = but(TORCH_29_CU130, python="3.14")
    assert {wheel.trust for wheel in search(Filters(package="flash-attn", key=key))} == {"community"}
    upstream = Filters(package="flash-attn", key=key, trust="upstream")
    assert search(upstream) == ()
    found = nearest(upstream)
    assert found[0].differs[0].text == "a community build"
    (python,) = [miss for miss in found if miss.wheel.trust == "upstream"]
    assert python.wheel.filename == "flash_attn-2.8.3+cu13torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    assert [one.text for one in python.differs] == ["for cp312; this is Python 3.14"]


def test_torch_214_has_one_community_file_for_another_python() -> None:
    assert search(Filters(package="flash-attn", key=TORCH_214)) == ()
    assert told("flash-attn", TORCH_214, 2) == [
        ("for torch 2.13; 2.14.0+cu130 is installed",),
        ("for cp313; this is Python 3.12",),
    ]
    found = search(Filters(package="flash-attn", key=but(TORCH_214, python="3.13")))
    assert [(wheel.trust, wheel.cuda, wheel.torch) for wheel in found] == [("community", "cu132", "2.14")]


def test_an_rtx_5090_with_torch_26_is_one_torch_away() -> None:
    assert told("flash-attn", RTX5090_TORCH_26, 3) == [
        ("for torch 2.7; 2.6.0+cu124 is installed",),
        ("new C++ ABI, whatever its name says; torch has the old one",),
        ("no code for 12.0",),
    ]
    liar = misses("flash-attn", RTX5090_TORCH_26)[1].wheel
    assert "cxx11abiFALSE" in liar.filename
    assert liar.cxx11abi is True


def test_every_card_has_to_find_code() -> None:
    (code,) = [text for texts in told("flash-attn", KEYS["two-cards"]) for text in texts if "code" in text]
    assert code == "no code for 12.0"


def test_turing_finds_no_code_in_any_file() -> None:
    assert told("flash-attn", but(capabilities=("7.5",))) == [("no code for 7.5",)]
    assert search(Filters(package="flash-attn", key=but(capabilities=("7.5",)))) == ()
    key = but(torch="2.5.1+cu124", torch_cuda="12.4", cxx11abi=False, python="3.11", capabilities=("7.5",))
    assert {wheel.version for wheel in search(Filters(package="flash-attn", key=key, series="1"))} == {"1.0.9"}


@pytest.mark.parametrize(("capability", "fit"), [("7.5", False), ("8.0", True), ("9.0", True)])
def test_what_a_backend_demands_counts_where_a_file_says_nothing_of_its_code(capability: str, fit: bool) -> None:
    filters = Filters(package="flash-attn-4", key=but(capabilities=(capability,)), demands=demands("flash_attention_4"))
    assert bool(search(filters)) is fit
    said = {one.text for miss in nearest(filters) for one in miss.differs}
    assert said == (set() if fit else {"flash-attn-4 4.x is not made for 7.5"})


def test_demands_follow_the_series_of_the_file() -> None:
    filters = Filters(
        package="sageattention", key=but(WINDOWS, capabilities=("7.5",)), demands=demands("sage_attention")
    )
    assert search(msgspec.structs.replace(filters, demands=None))
    assert search(filters) == ()
    assert nearest(filters)[0].differs[0].text == "sageattention 2.x is not made for 7.5"


def test_musl_has_no_compiled_file() -> None:
    assert told("flash-attn", but(libc="musl-1.2")) == [("for glibc; this system has musl 1.2",)]
    assert told("flash-attn-4", but(libc="musl-1.2")) == [("not for musl",)]


def test_an_old_glibc_is_named_with_what_is_needed() -> None:
    assert ("needs glibc 2.32; this system has 2.17",) in told("flash-attn", but(libc="glibc-2.17"))


def test_windows() -> None:
    best = search(Filters(package="flash-attn", key=WINDOWS))[0]
    assert best.filename.endswith("-cp312-cp312-win_amd64.whl")
    assert best.trust == "community"
    linux = Filters(package="flash-attn", key=WINDOWS, trust="upstream")
    assert ("for linux",) in [tuple(one.text for one in miss.differs) for miss in nearest(linux)]
    assert ("for windows",) in told("flash-attn", RTX5090_TORCH_26)


def test_another_architecture_is_named() -> None:
    assert ("for linux x86_64",) in told("flash-attn", but(arch="aarch64"))


def test_the_cuda_major() -> None:
    key = but(TORCH_29_CU130, python="3.10", libc="glibc-2.17")
    assert told("xformers", but(TORCH_214, torch="2.8.0+cu130"))[0] == ("for torch 2.9.0; 2.8.0+cu130 is installed",)
    assert ("for CUDA 12; torch is CUDA 13.0",) in told("xformers", but(TORCH_214, torch="2.8.0+cu130"))
    assert all(one.what != "cuda" for miss in misses("flash-attn", key) for one in miss.differs)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("no-torch", "for torch 2.13; no torch is installed"),
        ("cpu-torch", "for CUDA 13; torch 2.9.1+cpu has no CUDA"),
        ("nightly", "for torch 2.9; 2.9.0.dev20250901+cu128 is no release of PyTorch's own"),
    ],
)
def test_a_torch_that_no_file_fits_is_itself_the_difference(name: str, text: str) -> None:
    assert (text,) in told("flash-attn", KEYS[name])


def test_an_abi_that_nobody_knows_is_said_to_be_unknown() -> None:
    key = but(torch="2.5.1+cu124", torch_cuda="12.4", cxx11abi=None)
    assert ("old C++ ABI; that of torch is not known",) in told("flash-attn", key)


def test_free_threading() -> None:
    assert ("for cp313; this is Python 3.13t",) in told("flash-attn", but(python="3.13t"))
    assert ("for cp39 and later, not free-threaded; this is Python 3.13t",) in told(
        "flash-attn-3", but(TORCH_29_CU130, python="3.13t", capabilities=("9.0",))
    )
    assert ("for cp314t, free-threaded; this is Python 3.15",) in told("flash-attn", but(TORCH_29_CU130, python="3.15"))


def test_the_first_of_each_kind_comes_before_the_second_of_any() -> None:
    kinds = [tuple(one.what for one in miss.differs) for miss in misses("flash-attn", RTX5090_TORCH_26)]
    different = len(set(kinds))
    assert different > 2
    assert len(set(kinds[:different])) == different
    assert len(kinds) > different


def test_a_moved_torch_goes_up_before_it_goes_down() -> None:
    torches = [miss.wheel.torch for miss in misses("flash-attn", KEYS["cu118"]) if miss.differs[0].what == "torch"]
    newer = [torch for torch in torches if torch and dotted(torch) > (2, 7)]
    assert torches[: len(newer)] == newer
    assert torches[len(newer) :] == sorted(torches[len(newer) :], key=lambda torch: dotted(torch or ""), reverse=True)


# filters

FILTERS: dict[str, dict[str, object]] = {
    "version": {"version": "2.8.3"},
    "no such version": {"version": "2.8.3.post2"},
    "source": {"sources": ("mjun0812",)},
    "two sources": {"sources": ("mjun0812", "fa-official")},
    "upstream": {"trust": "upstream"},
    "no pre": {"pre": False},
}


@pytest.mark.parametrize("change", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("package", ["flash-attn", "flash-attn-3", "flash-attn-4", "xformers"])
@every_key
def test_a_filter_never_adds_a_result(key: Key, package: str, change: dict[str, object]) -> None:
    filters = Filters(package=package, key=key)
    narrower = msgspec.structs.replace(filters, **change)
    assert set(search(narrower)) <= set(search(filters))
    assert not {miss.wheel for miss in nearest(narrower)} & set(search(narrower))


def test_comparing_one_thing_more_never_adds_a_result() -> None:
    compared: frozenset[str] = frozenset()
    before = set(search(Filters(package="flash-attn", key=TORCH_26, compared=compared)))
    for aspect in ASPECTS:
        compared |= {aspect}
        now = set(search(Filters(package="flash-attn", key=TORCH_26, compared=compared)))
        assert now <= before, aspect
        before = now
    assert before == set(fitting("flash-attn", TORCH_26))


def test_every_filter_takes_something_away() -> None:
    filters = Filters(package="flash-attn", key=KEY)
    for name, change in FILTERS.items():
        if name not in ("no pre", "two sources"):
            assert set(search(msgspec.structs.replace(filters, **change))) < set(search(filters)), name
    fa4 = Filters(package="flash-attn-4", key=KEY)
    assert search(fa4)
    assert search(msgspec.structs.replace(fa4, pre=False)) == ()
    assert nearest(msgspec.structs.replace(fa4, pre=False))[0].differs[0].text == "a pre-release"


def test_a_pre_release_comes_after_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    filters = Filters(package="flash-attn", key=KEY)
    final = next(wheel for wheel in search(filters) if wheel.trust == "community")
    pre = msgspec.structs.replace(
        search(filters)[0], version="2.9.0b1", filename=f"flash_attn-2.9.0b1-{final.platform}"
    )
    assert pre.trust == "upstream"
    monkeypatch.setattr("attn_doctor.wheels.search.builds", lambda *_, **__: map(Single, (pre, final)))
    assert search(filters) == (final, pre)
    monkeypatch.setattr("attn_doctor.wheels.search.builds", lambda *_, **__: map(Single, (pre,)))
    assert search(filters) == (pre,)


@pytest.mark.parametrize("package", ["flash-attn", "xformers", "sageattention", "flash-attn-3"])
@every_key
def test_who_looks_at_few_sees_the_first_of_them_all(package: str, key: Key) -> None:
    """Looking no further than needed changes no answer."""
    filters = Filters(package=package, key=key)
    every = nearest(filters)
    for enough in (1, 2, 3, 6):
        assert nearest(filters, enough) == every[:enough]


def test_what_was_asked_for_is_worded_as_asked_for() -> None:
    asked = Filters(package="flash-attn", key=TORCH_214, asked=frozenset({"torch", "python"}))
    said = [one.text for miss in nearest(asked) for one in miss.differs]
    assert said[:2] == ["for torch 2.13; 2.14.0+cu130 is asked for", "for cp313; 3.12 is asked for"]
    version = Filters(package="flash-attn", key=TORCH_29_CU130, version="2.8.3.post1")
    assert nearest(version)[0].differs[0].text == "is 2.8.3, not 2.8.3.post1"
    source = Filters(package="flash-attn", key=TORCH_214, sources=("kingbri1",))
    assert {one.what for miss in nearest(source) for one in miss.differs} >= {"source"}


def test_everything_is_searched() -> None:
    found = search(Filters(package="flash-attn", key=KEY, compared=frozenset()))
    assert {wheel.filename for wheel in found} == {
        wheel.filename for wheel in wheels("flash-attn") if wheel.version[0] == "2"
    }
    old = search(Filters(package="flash-attn", key=KEY, compared=frozenset({"version"}), version="2.0.6"))
    assert len(old) > 50  # F36: the oldest release is found as well as the newest
    assert {wheel.version for wheel in old} == {"2.0.6"}
