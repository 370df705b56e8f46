"""Reports as people and programs see them, whole, held against tests/golden. `make golden` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import parse
from attn_doctor.machine.whatif import simulate
from attn_doctor.reporters import reporter

GOLDEN = Path(__file__).parents[1] / "golden"
LAPTOP = (
    "gpu=NVIDIA GeForce RTX 3050", "vram=4GiB", "driver=555.99", "nvcc=12.5", "torch=2.7.1+cu118", "python=3.11",
)  # fmt: skip
MACHINES = {
    "laptop": (LAPTOP, ()),
    "laptop-training": (LAPTOP, ("backward", "dtype=bf16", "head_dim=64")),
    "new-card-old-torch": (("gpu=NVIDIA GeForce RTX 5090", "torch=2.5.1+cu124"), ()),
    "idle-gpu": (("gpu=NVIDIA GeForce RTX 4090", "torch=2.13.0+cpu", "nvcc=13.0"), ()),
    "eight-a100": (("gpu=NVIDIA A100-SXM4-80GB", "gpu_count=8", "torch=2.8.0+cu128", "pkg.flash-attn=2.8.3"), ()),
    "two-generations": (("gpu=NVIDIA A100-SXM4-80GB", "gpu=Tesla T4", "torch=2.8.0+cu128"), ()),
    "cpu-only": (("torch=2.13.0+cpu",), ()),
    "mac": (("os=macos", "arch=aarch64", "gpu=Apple M2", "torch=2.9.0"), ()),
}
# how the file of a format ends; for programs, two machines stand for all: one with an error, one with a warning
ENDINGS = {"text": "txt", "json": "json", "markdown": "md", "html": "html", "sarif": "sarif", "junit": "xml"}
ENDINGS |= {"github": "github", "gitlab": "gitlab"}
SHOWN = ("new-card-old-torch", "laptop")
CASES = [(name, form) for name in MACHINES for form in ENDINGS if form in ("text", "json") or name in SHOWN]


@pytest.mark.parametrize(("name", "form"), CASES)
def test_a_report_is_as_it_was_read_last(name: str, form: str, request: pytest.FixtureRequest) -> None:
    keys, needs = MACHINES[name]
    report = check(simulate(keys), parse(needs), required=("sdpa",))
    said = reporter(form)(report, verbose=False, elapsed_s=None, plain=True)
    file = GOLDEN / f"{name}.{ENDINGS[form]}"
    if request.config.getoption("--golden"):
        file.write_text(said, encoding="utf-8")
    assert said == file.read_text(encoding="utf-8"), "make golden, and read the difference"


@pytest.mark.parametrize("name", MACHINES)
def test_verbose_says_more_and_takes_nothing_back(name: str) -> None:
    keys, needs = MACHINES[name]
    report = check(simulate(keys), parse(needs))
    brief, whole = (
        reporter("text")(report, verbose=verbose, elapsed_s=None, plain=True).split() for verbose in (False, True)
    )
    assert len(whole) > len(brief)
    assert set(brief) <= set(whole)
