"""A wheel that an earlier build left, installed for real: it is not fetched, and its digest is looked at first."""

from __future__ import annotations

import json
import sysconfig
import zipfile
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

import compiled
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge import attention
from attn_doctor.machine import gather
from attn_doctor.plan.plan import Build
from attn_doctor.plan.ways import _compile
from execute import workshop as made_here

if TYPE_CHECKING:
    from pathlib import Path

    from execute.workshop import Market, Workshop

VERSION = attention.source_build("flash-attn", "2").version
FILE = f"flash_attn-{VERSION}-{made_here.TAG}-{made_here.TAG}-linux_x86_64.whl"
CALL = ("install", "flash_attention_2", "--method", "source")
EXTENSION = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "flash_attn_2_cuda", 0, -1, 0};
extern "C" PyMODINIT_FUNC PyInit_flash_attn_2_cuda(void) { return PyModule_Create(&module); }
"""
SAID = "the wheel that was built here on 2026-11-28"

pytestmark = compiled.needs_compiler


@pytest.fixture
def built(workshop: Workshop, shop: Market) -> Path:
    """The folder in which a build for this very environment would have left its wheel."""
    shop.add(made_here.make_wheel(workshop.folder, "einops-0.8.1-py3-none-any.whl", {"einops.py": ""}))
    machine = Machine(gather.decode(workshop.call("facts").stdout, "facts"))
    build = Build(max_jobs=1, nvcc_threads=1, cuda_archs=("80",), env={}, peak_memory_gib=1.0, minutes=(1, 2))
    name = _compile.wheel_name(machine, "flash-attn", VERSION, build)
    folder = workshop.home / "cache/attn-doctor/files/built" / name
    folder.mkdir(parents=True)
    wheel = made_here.make_wheel(folder, FILE, {"flash_attn/__init__.py": f"__version__ = '{VERSION}'\n"})
    include = f"-I{sysconfig.get_path('include')}"
    extension = compiled.build(workshop.folder / "flash_attn_2_cuda.so", EXTENSION, include)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.write(extension, extension.name)
    note = {"schema": "attn-doctor/built/1", "fits": name, "filename": FILE, "at": "2026-11-28T09:00:00Z"}
    note["sha256"] = sha256(wheel.read_bytes()).hexdigest()
    (folder / "built.json").write_text(json.dumps(note), encoding="utf-8")
    return folder


def test_shown_installed_and_put_back(workshop: Workshop, shop: Market, built: Path) -> None:
    before = workshop.fingerprint()
    shown = workshop.call(*CALL, "--dry-run")
    assert shown.code == 0, shown
    assert f"way        {SAID}" in shown.out
    assert FILE in shown.out
    shop.asked.clear()
    ran = workshop.call(*CALL, "--yes")
    assert ran.code == 0, ran
    assert f"done and verified: flash-attn {VERSION}" in ran.err
    assert {path.split("/")[2].partition("-")[0] for path in shop.asked} == {"einops"}, (
        "what it needs, and nothing else"
    )
    assert (workshop.site / "flash_attn/__init__.py").exists()
    assert workshop.call("rollback", "--yes").code == 0
    assert workshop.fingerprint() == before
    assert (built / "built.json").exists()


def test_one_that_is_damaged_is_not_installed_and_not_offered_again(workshop: Workshop, built: Path) -> None:
    (built / FILE).write_bytes((built / FILE).read_bytes() + b"x")
    before = workshop.fingerprint()
    ran = workshop.call(*CALL, "--yes")
    assert ran.code == 1, ran
    assert "check its sha256" in ran.err
    assert workshop.fingerprint() == before
    assert SAID not in workshop.call(*CALL, "--dry-run").out


def test_one_that_does_not_load_is_put_back_and_not_offered_again(workshop: Workshop, built: Path) -> None:
    broken = made_here.make_wheel(workshop.folder, FILE, {"elsewhere.py": ""}, version="1.0.9")
    (built / FILE).write_bytes(broken.read_bytes())
    note = json.loads((built / "built.json").read_text(encoding="utf-8"))
    note["sha256"] = sha256(broken.read_bytes()).hexdigest()
    (built / "built.json").write_text(json.dumps(note), encoding="utf-8")
    before = workshop.fingerprint()
    ran = workshop.call(*CALL, "--yes")
    assert ran.code == 1, ran
    assert workshop.fingerprint() == before
    assert SAID not in workshop.call(*CALL, "--dry-run").out
