"""`attn-doctor issue`: what a form asks for is there, from files alone, and nothing private is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

import attn_doctor
import imagined
from attn_doctor.issues._project import projects
from attn_doctor.issues._text import fenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import Ran

SCHEMA = json.loads((Path(attn_doctor.__file__).parent / "schemas/issue.json").read_text(encoding="utf-8"))
MACHINE = ("gpu=NVIDIA L4", "gpu_count=2", "torch=2.8.0+cu128", "python=3.12", "nvcc=12.8", "pkg.transformers=4.57.6")
FLASH = "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE"


def issue(name: str, *keys: str, form: str = "text") -> imagined.Called:
    called = imagined.call("issue", name, "--facts", "-", "--format", form, stdin=imagined.facts(*keys))
    assert called.code == 0, called
    return called


@pytest.mark.parametrize("name", projects())
def test_every_project(name: str) -> None:
    document = issue(name, *MACHINE, FLASH, form="json").json()
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert document["body"].strip() == issue(name, *MACHINE, FLASH).out.strip()
    assert "2.8.0+cu128" in document["body"]
    assert "NVIDIA L4" in document["body"]
    assert "flash_attention_2" in document["body"], "what attn-doctor makes of it"
    assert document["source"]


def test_the_lines_of_pytorch() -> None:
    text = issue("pytorch", *MACHINE).out
    assert "PyTorch version: 2.8.0+cu128\n" in text
    assert "CUDA used to build PyTorch: 12.8\n" in text
    assert "GPU models and configuration:\nGPU 0: NVIDIA L4, compute capability 8.9, 24 GiB\nGPU 1: NVIDIA L4" in text
    assert "[pip3] transformers==4.57.6\n" in text


def test_what_transformers_asks_for_is_what_its_command_prints() -> None:
    # transformers/cli/system.py of 5.23.0
    asked = ["`transformers` version", "Platform", "Python version", "Huggingface_hub version", "Safetensors version"]
    asked += ["Accelerate version", "Accelerate config", "DeepSpeed version", "PyTorch version (accelerator?)"]
    asked += ["Using distributed or parallel set-up in script?", "Using GPU in script?", "GPU type"]
    lines = issue("transformers", *MACHINE).out.splitlines()
    assert [line[2:].partition(": ")[0] for line in lines if line.startswith("- ")] == asked
    assert "- PyTorch version (accelerator?): 2.8.0+cu128 (CUDA)" in lines


def test_flash_attention_names_the_build() -> None:
    lines = [line.strip() for line in issue("fa2", *MACHINE, FLASH).out.splitlines()]
    assert "built for: cu12torch2.8cxx11abiTRUE" in lines
    assert "C++11 ABI: TRUE" in lines
    assert "nvcc: 12.8" in lines


def test_names_of_projects() -> None:
    refused = imagined.call("issue", "pytroch")
    assert (refused.code, refused.out) == (2, "")
    assert "Did you mean pytorch?" in refused.err
    assert imagined.call("issue").code == 2


def test_no_line_of_a_block_ends_it() -> None:
    assert fenced(["a", "```", "b"]) == "````text\na\n```\nb\n````\n"


@pytest.mark.parametrize("name", projects())
def test_nothing_private(name: str, cli: Callable[..., Ran], tmp_path: Path) -> None:
    home = tmp_path / "home" / "verena.k"
    (home / "project").mkdir(parents=True)
    made = home / "project" / "venv"
    site = made / "lib/python3.12/site-packages"
    (site / "flash_attn-2.8.3.dist-info").mkdir(parents=True)
    (made / "bin").mkdir()
    (made / "bin/python").touch()
    (made / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.3\n")
    (site / "flash_attn-2.8.3.dist-info/METADATA").write_text("Name: flash-attn\nVersion: 2.8.3\n")
    (site / "flash_attn-2.8.3.dist-info/direct_url.json").write_text(
        json.dumps({"url": f"https://verena:hunter2-token@files.example.org{home}/flash_attn-2.8.3.whl"})
    )
    variables = {
        "HOME": str(home),
        "USER": "vk-of-lab",
        "HOSTNAME": "rechner-neun",
        "LD_LIBRARY_PATH": f"{home}/lib:/home/someone-else/lib",
        "PIP_INDEX_URL": "https://verena:s3cret-of-the-index@index.example.org/simple",
        "HF_TOKEN": "hf_planted0123456789",
        "CUDA_HOME": "/scratch/vk-of-lab/rechner-neun/cuda",
    }
    ran = cli("issue", name, "--venv", made, env=variables)
    assert ran.code == 0, ran.err
    for secret in ("verena", str(home), "hunter2", "s3cret", "hf_planted", "someone-else", "vk-of-lab", "rechner-neun"):
        assert secret not in ran.out, secret
    if name in ("flash-attention", "vllm"):  # they ask for it
        assert "/scratch/$USER/$HOSTNAME/cuda" in ran.out
