"""`attn-doctor docker`: the Dockerfile and the run line of this machine, and the judgement of another Dockerfile."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

import attn_doctor
from attn_doctor.plan import container
from imagined import Called, call, facts, too_wide
from test_startup import NETWORK, NEVER, modules_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support import Ran

L4, B200 = "gpu=NVIDIA L4", "gpu=NVIDIA B200"
TORCH_28 = (L4, "torch=2.8.0")
F18 = """FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip
RUN pip install torch==2.9.1 --index-url https://download.pytorch.org/whl/cu130
RUN pip install flash-attn --no-build-isolation
"""
HEALTHY = """FROM nvidia/cuda:12.8.1-base-ubuntu22.04
RUN pip install torch==2.8.0 --index-url https://download.pytorch.org/whl/cu128
"""


def asked(*keys: str, options: tuple[str, ...] = ()) -> Called:
    """`attn-doctor simulate KEYS | attn-doctor docker --facts - OPTIONS`."""
    return call("docker", "--facts", "-", *options, stdin=facts(*keys))


def checked(text: str | bytes, tmp_path: Path, *options: str, keys: tuple[str, ...] = ()) -> Called:
    """A file of this text, judged for that machine."""
    file = tmp_path / "Dockerfile"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return call("docker", "--check", str(file), "--facts", "-", *options, stdin=facts(*keys))


# the container


def test_the_screen() -> None:
    called = asked(*TORCH_28)
    assert called.code == 0
    assert called.err == ""
    lines = called.out.splitlines()
    assert lines[0] == "flash_attention_2 in a container"
    assert "  image    nvidia/cuda:12.8.1-base-ubuntu24.04" in lines
    assert "  docker run --rm --gpus all attn-doctor-flash-attention-2" in lines
    assert "FROM nvidia/cuda:12.8.1-base-ubuntu24.04" in lines
    assert called.out.index("docker run") < called.out.index("# syntax=docker/dockerfile:1")
    assert "driver   615.71.09 runs CUDA 12.8" in called.out


def test_the_dockerfile_alone() -> None:
    alone = asked(*TORCH_28, options=("--dockerfile",))
    assert alone.code == 0
    assert alone.out.startswith("# syntax=docker/dockerfile:1\n")
    assert asked(*TORCH_28).out.endswith(alone.out)
    assert alone.out == asked(*TORCH_28, options=("--format", "json")).json()["dockerfile"]


def test_the_run_line_alone() -> None:
    alone = asked(*TORCH_28, options=("--run", "--image", "team/attention:1"))
    assert alone.out == "docker run --rm --gpus all team/attention:1\n"
    document = asked(*TORCH_28, options=("--format", "json", "--image", "team/attention:1")).json()
    assert shlex.split(alone.out) == document["run"]


def test_the_document() -> None:
    document = asked(*TORCH_28, options=("--format", "json")).json()
    assert (document["schema"], document["version"]) == ("attn-doctor/docker/1", attn_doctor.__version__)
    assert document.keys() >= {"image", "why", "dockerfile", "run", "build", "warnings", "obstacles", "needs"}
    assert document["obstacles"] == []
    assert isinstance(document["run"], list)
    assert document["wheel"]["filename"].endswith("cp312-cp312-linux_x86_64.whl")


@pytest.mark.parametrize("name", ["fa1", "fa2", "flash-attn", "fa3", "fa4", "xformers", "sdpa", "math", "triton"])
def test_every_backend_by_the_names_people_write(name: str) -> None:
    called = asked("gpu=NVIDIA H100 80GB HBM3", "torch=2.8.0", options=(name, "--dockerfile"))
    assert called.code == 0
    assert called.out.count("\nFROM ") == 1


def test_with_another_torch() -> None:
    called = asked(*TORCH_28, options=("--torch", "2.9.1+cu130", "--dockerfile"))
    assert '"torch==2.9.1+cu130"' in called.out
    assert called.code == 0


def test_the_line_that_writes_it_asks_for_the_same() -> None:
    options = ("xformers", "--torch", "2.9.1", "--image", "team/x:1")
    written = next(line for line in asked(*TORCH_28, options=options).out.splitlines() if "> Dockerfile" in line)
    assert written.strip() == "attn-doctor docker xformers --torch 2.9.1 --image team/x:1 --dockerfile > Dockerfile"
    again = shlex.split(written)[2:-2]
    assert asked(*TORCH_28, options=tuple(again)).out in asked(*TORCH_28, options=options).out
    assert "fits torch 2.15 and these GPUs" in " ".join(asked(*TORCH_28, options=("--torch", "2.15")).out.split())


def test_what_cannot_be_printed_leaves_standard_output_empty() -> None:
    for option in ("--dockerfile", "--run"):
        called = asked("gpu=Tesla T4", options=(option,))
        assert (called.code, called.out) == (1, "")
        assert "needs capability 8.0" in called.err
    called = asked("gpu=Tesla T4")
    assert called.code == 1
    assert "needs capability 8.0" in called.out
    document = asked("gpu=Tesla T4", options=("--format", "json"))
    assert document.code == 1
    assert document.json()["obstacles"]
    assert document.json()["dockerfile"] is None


def test_no_gpu_and_no_driver() -> None:
    assert asked().code == 1
    assert "this machine has no GPU." in asked().out
    assert "440.33.01 is older than 450.80.02" in " ".join(asked(L4, "driver=440.33.01").out.split())


def test_a_file_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    called = asked(*TORCH_28, options=("--dockerfile", "--output", str(file)))
    assert (called.code, called.out) == (0, "")
    assert file.read_text(encoding="utf-8") == asked(*TORCH_28, options=("--dockerfile",)).out


@pytest.mark.parametrize(
    "keys",
    [
        TORCH_28,
        (),
        ("gpu=Tesla T4",),
        (B200, "torch=2.13.0+cu129", "ram=64GiB"),
        (L4, "driver=550.144.03", "torch=2.6.0+cu124", "wsl=true"),
        ("gpu=Tesla T4", "gpu=NVIDIA GeForce RTX 4090"),
        (L4, "os=windows", "torch=2.8.0+cu128", "container=true"),
        (L4, "torch=2.15.0"),
    ],
)
@pytest.mark.parametrize("name", ["fa2", "xformers", "sage_attention", "eager"])
def test_eighty_columns(name: str, keys: tuple[str, ...]) -> None:
    called = asked(*keys, options=(name,))
    assert called.code in (0, 1)
    header = called.out.partition("# syntax=")[0]
    assert [line for line in too_wide(header) if ".whl" not in line] == []
    assert not any(line != line.rstrip() for line in called.out.splitlines())
    assert "\n\n\n" not in called.out


def test_facts_cannot_steer_the_terminal_nor_the_dockerfile() -> None:
    document = json.loads(facts(*TORCH_28))
    document["readings"]["gpus"]["value"][0]["name"] = "L4\x1b[2J\nRUN rm -rf /"
    called = call("docker", "--facts", "-", stdin=json.dumps(document))
    assert "\x1b" not in called.out + called.err
    alone = call("docker", "--dockerfile", "--facts", "-", stdin=json.dumps(document))
    assert alone.code in (0, 2)
    assert "\nRUN rm" not in alone.out
    assert "\x1b" not in alone.out


# the judgement


def test_f18(tmp_path: Path) -> None:
    called = checked(F18, tmp_path)
    assert called.code == 1
    said = " ".join(called.out.split())
    assert said.startswith("line 4: flash-attn is compiled here")
    assert "nvcc 12.8 against torch's 13.0 is another major" in said
    assert "  FROM nvidia/cuda:13.0.2-devel-ubuntu22.04" in called.out.splitlines()
    assert called.out.endswith("1 thing to mend.\n")
    assert too_wide(called.out) == []


def test_a_healthy_one(tmp_path: Path) -> None:
    called = checked(HEALTHY, tmp_path, keys=TORCH_28)
    assert called.code == 0
    assert called.out.startswith("Nothing is wrong with it")


def test_what_is_printed_is_healthy(tmp_path: Path) -> None:
    for options in ((), ("xformers",), ("fa4",), ("--torch", "2.9.1")):
        printed = asked(*TORCH_28, options=(*options, "--dockerfile")).out
        assert checked(printed, tmp_path, keys=TORCH_28).code == 0


def test_the_machine_counts(tmp_path: Path) -> None:
    old = checked(HEALTHY.replace("12.8.1", "13.0.2"), tmp_path, keys=(L4, "driver=550.144.03"))
    assert old.code == 1
    assert "needs driver 580; here it is 550.144.03" in " ".join(old.out.split())


def test_the_judgement_as_json(tmp_path: Path) -> None:
    called = checked(F18, tmp_path, "--format", "json")
    document = called.json()
    assert called.code == 1
    assert document["schema"] == "attn-doctor/dockerfile/1"
    assert document["file"].endswith("Dockerfile")
    assert [(one["rule"], one["line"]) for one in document["findings"]] == [("no-nvcc", 4)]
    assert checked(HEALTHY, tmp_path, "--format", "json").json()["findings"] == []


def test_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_bytes(facts(*TORCH_28))
    called = call("docker", "--check", "-", "--facts", str(tmp_path / "facts.json"), stdin=F18)
    assert called.code == 1
    assert "line 4" in called.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "this is no Dockerfile"),
        (b"\xff\xfe\x00F", "not UTF-8 at byte 0"),
        (b"RUN x\n", "RUN stands before the first FROM"),
        (b"FROM a\nRUN <<EOF\n", "the heredoc EOF has no end"),
        (b"import torch\n", "there is no instruction 'import'"),
        (b"FROM a\n" + b"#" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_what_is_unreadable(content: bytes, said: str, tmp_path: Path) -> None:
    called = checked(content, tmp_path)
    assert (called.code, called.out) == (2, "")
    assert said in " ".join(called.err.split())


def test_a_byte_order_mark_is_none_of_its_text(tmp_path: Path) -> None:
    assert checked(b"\xef\xbb\xbf" + HEALTHY.encode(), tmp_path).code == 0


def test_the_file_cannot_steer_the_terminal(tmp_path: Path) -> None:
    called = checked("FROM nvidia/cuda:12.8.1-base-ubuntu22.04\x1b[2J\nRUN pip install flash-attn\n", tmp_path)
    assert called.code in (1, 2)
    assert "\x1b" not in called.out + called.err


# bad calls


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("nonsense",), "there is no backend 'nonsense'"),
        (("--torch", "two"), "--torch two: expected a version"),
        (("--image", "Not A Name"), "--image Not A Name: expected a name"),
        (("--image", "x" * 300), "expected a name"),
        (("--format", "html"), "--format html: expected text or json"),
        (("--run", "--dockerfile"), "give one"),
        (("--run", "--format", "json"), "it goes without --run"),
        (("--check", "/nowhere/Dockerfile"), "cannot read /nowhere/Dockerfile"),
        (("--check", "/"), "cannot read /"),
        (("--check", "x", "fa2"), "--check judges a file"),
        (("--check", "x", "--run"), "--check judges a file"),
        (("--check", "-", "--facts", "-"), "cannot both read standard input"),
        (("--python", "/nowhere/python"), "there is no interpreter"),
    ],
)
def test_bad_calls(options: tuple[str, ...], said: str) -> None:
    called = call("docker", *options)
    assert called.code == 2, called
    assert called.out == ""
    assert said in " ".join(called.err.split())
    assert "Traceback" not in called.err


def test_no_network_and_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_bytes(facts(*TORCH_28))
    imported = modules_of(tmp_path, "docker", "--facts", "facts.json", "--offline")
    assert "attn_doctor.plan.container" in imported
    assert imported & (NEVER | NETWORK) == set()


def test_this_machine(cli: Callable[..., Ran]) -> None:
    """Whatever it is: an image or a reason, and never a traceback."""
    ran = cli("docker", "--format", "json")
    assert ran.code in (0, 1), ran
    document = ran.json()
    assert (document["dockerfile"] is None) == bool(document["obstacles"])
    assert document["backend"] == container.DEFAULT
