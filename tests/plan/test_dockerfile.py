"""Judging a Dockerfile: the parser against BuildKit's own, every rule, and healthy files that yield nothing."""

from __future__ import annotations

import re

import dockerfile as buildkit  # BuildKit's own parser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attn_doctor.errors import BadInput
from attn_doctor.judgement.view import Machine
from attn_doctor.machine import whatif
from attn_doctor.plan.dockerfile import Judgement, judge
from attn_doctor.plan.dockerfile.base import image
from attn_doctor.plan.dockerfile.parse import parse
from attn_doctor.plan.dockerfile.pip import installation
from attn_doctor.plan.dockerfile.shell import commands

ROOMY = "ram=256GiB"  # of jobs that are too many for the memory a file of its own speaks
NO_GPU = Machine(whatif.simulate([ROOMY]))
RTX3090 = Machine(whatif.simulate(["gpu=NVIDIA GeForce RTX 3090", ROOMY]))
PYTORCH = "https://download.pytorch.org/whl/"
RELEASES = "https://github.com/Dao-AILab/flash-attention/releases/download/"
WHEEL_28 = f"{RELEASES}v2.8.3.post1/flash_attn-2.8.3.post1%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"


def machine(*keys: str) -> Machine:
    return Machine(whatif.simulate([ROOMY, *keys]))


def judged(*lines: str, on: Machine = NO_GPU) -> Judgement:
    return judge("\n".join(lines) + "\n", on)


def found(*lines: str, on: Machine = NO_GPU) -> list[tuple[str, int]]:
    """Of the distribution's own pip on Ubuntu 24.04 a test of its own speaks."""
    every = [(one.rule, one.line) for one in judged(*lines, on=on).findings]
    return [pair for pair in every if pair[0] != "externally-managed"]


def said(*lines: str, on: Machine = NO_GPU) -> str:
    return " ".join(one.text for one in judged(*lines, on=on).findings)


# the parser

SAMPLES = {
    "continued": "FROM a\nRUN one \\\n  two \\\n\n  # a comment\n  three\nCMD x\n",
    "comment at once": "# hello\n\n  # indented\nFROM a\n",
    "lower case": "from a as b\nrun x\ncopy --from=b --chown=1:1 /x /y\n",
    "flags": "FROM --platform=linux/arm64 a\nRUN --mount=type=cache,target=/x --network=none pip install y\n",
    "json": 'FROM a\nRUN ["pip", "install", "x y"]\nCMD ["a"]\nENTRYPOINT [ "b", "c" ]\n',
    "not json": "FROM a\nRUN [ -f x ] && y\n",
    "heredoc": "FROM a\nRUN <<EOF\npip install x\n# no comment here\nEOF\nUSER b\n",
    "heredoc of a program": "FROM a\nRUN python3 <<'EOF' && echo done\nprint(1)\nEOF\nUSER b\n",
    "two heredocs": "FROM a\nCOPY <<one <<two /x/\n1\none\n2\ntwo\nUSER b\n",
    "heredoc with tabs": "FROM a\nRUN <<-EOF\n\tx\n\tEOF\nUSER b\n",
    "a shift is no heredoc": "FROM a\nRUN echo $((1<<2))\nUSER b\n",
    "a here-string is none": "FROM a\nRUN cat <<< word\nUSER b\n",
    "escape directive": "# escape=`\nFROM a\nRUN one `\n two\nRUN c:\\\nUSER b\n",
    "syntax directive": "# syntax=docker/dockerfile:1\n# escape=\\\nFROM a\n",
    "too late for a directive": "# hello\n# escape=`\nFROM a\nRUN x \\\n y\n",
    "spaces after the backslash": "FROM a\nRUN x \\  \n y\nUSER b\n",
    "windows lines": "FROM a\r\nRUN x \\\r\n y\r\nUSER b\r\n",
    "no newline at the end": "FROM a\nRUN x",
    "arg before": "ARG V=1\nFROM a:$V\nARG V\nENV A=1 B=2\nENV C d e\n",
    "everything": 'FROM a\nLABEL x=y\nEXPOSE 1\nVOLUME /x\nSTOPSIGNAL 9\nSHELL ["sh"]\nONBUILD RUN x\n',
    "an empty continued line": "FROM a\nRUN x && \\\n\n\n y\nUSER b\n",
    "a comment that continues nothing": "FROM a\nRUN x && \\\n# y \\\n z\nUSER b\n",
}


def ours(text: str) -> list[tuple[str, int, bool, int]]:
    return [(one.name, one.line, one.words is not None, len(one.heredocs)) for one in parse(text, "x")]


def theirs(text: str) -> list[tuple[str, int, bool, int]]:
    return [(one.cmd.upper(), one.start_line, one.json, len(one.heredocs)) for one in buildkit.parse_string(text)]


@pytest.mark.parametrize("text", SAMPLES.values(), ids=SAMPLES)
def test_the_parser_reads_as_buildkit_does(text: str) -> None:
    assert ours(text) == theirs(text)
    for one, other in zip(parse(text, "x"), buildkit.parse_string(text), strict=True):
        if one.name in ("RUN", "CMD", "USER", "ENTRYPOINT") and one.words is None:
            assert one.text.split() == " ".join(other.value).split()
        if one.words is not None:
            assert one.words == other.value
        assert [body.split() for body in one.heredocs] == [doc.content.split() for doc in other.heredocs]
        assert len(one.flags) == len(other.flags)


LINES = st.sampled_from(
    [
        "RUN a b",
        "RUN a \\",
        " c \\",
        "# x",
        "# x \\",
        "",
        "USER d",
        "copy e f",
        "ENV G=h",
        "  RUN i",
        'RUN ["j"]',
        "k \\ ",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINES, max_size=8))
def test_whatever_stands_in_it_the_parser_agrees_or_both_refuse(lines: list[str]) -> None:
    text = "\n".join(["FROM a", *lines, "USER z"]) + "\n"
    try:
        expected = theirs(text)
        words = {command[0] for command in expected}
    except buildkit.GoParseError:
        with pytest.raises(BadInput):
            ours(text)
        return
    if words <= {"FROM", "RUN", "USER", "COPY", "ENV"}:
        assert ours(text) == expected
    else:
        with pytest.raises(BadInput):
            ours(text)


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_any_text_is_judged_or_refused(text: str) -> None:
    try:
        judge(f"FROM ubuntu:24.04\nRUN {text}\n", RTX3090)
    except BadInput as error:
        assert "Dockerfile" in error.message or "heredoc" in error.message or "FROM" in error.message  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no instruction"),
        ("# only a comment\n", "no instruction"),
        ("RUN x\n", "RUN stands before the first FROM"),
        ("FROM a\nHELLO world\n", "no instruction 'HELLO'"),
        ("import torch\n", "no instruction 'import'"),
        ("FROM a\nRUN <<EOF\nx\n", "the heredoc EOF has no end"),
        ("ARG A=1\n", "no instruction"),
        ("\x00\x01", "no instruction"),
    ],
)
def test_what_is_no_dockerfile(text: str, problem: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, "x")
    assert problem in caught.value.message


def test_commands_of_a_shell() -> None:
    text = """A=1 pip install "x==$V" 'y>=2' && (cd z; sudo apt-get install -y c) || if [ -f d ]; then e; fi # pip f
    pip install torch>=2 2>&1 | tee log; echo "a && b" """
    assert [one.words for one in commands(text, {"V": "3"})] == [
        ("pip", "install", "x==3", "y>=2"),
        ("cd", "z"),
        ("apt-get", "install", "-y", "c"),
        ("[", "-f", "d", "]"),
        ("e",),
        ("fi",),
        ("pip", "install", "torch"),
        ("tee", "log"),
        ("echo", "a && b"),
    ]
    assert next(commands(text, {})).env == {"A": "1"}


@pytest.mark.parametrize(
    ("line", "name", "specifier"),
    [
        ("pip install torch==2.8.0", "torch", "==2.8.0"),
        ("pip3.11 install 'torch[x]~=2.8.0'", "torch", "~=2.8.0"),
        ("python3 -m pip --no-cache-dir install -q torch", "torch", ""),
        ("uv pip install --system torch<3", "torch", ""),
        ("uv pip install --system 'torch<3'", "torch", "<3"),
        ("/opt/venv/bin/pip install --index-url https://x torch", "torch", ""),
        ("conda run -n base pip install flash_attn==2.8.3", "flash-attn", "==2.8.3"),
        ("pip wheel -w /w flash-attn==2.8.3", "flash-attn", "==2.8.3"),
        (f"pip install {WHEEL_28}", "flash-attn", ""),
        (f"pip install 'flash-attn @ {WHEEL_28}#sha256=00'", "flash-attn", ""),
        ("pip install git+https://github.com/Dao-AILab/flash-attention@v2.8.3", "flash-attn", ""),
        ("pip install ./wheels/flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl", "flash-attn", ""),
    ],
)
def test_what_pip_is_asked_for(line: str, name: str, specifier: str) -> None:
    got = installation(next(commands(line, {})), {})
    assert got is not None
    assert [(one.name, one.specifier) for one in got.requirements] == [(name, specifier)]


@pytest.mark.parametrize(
    "line", ["pip download torch", "pip uninstall -y torch", "uv sync", "npm install torch", "pipx install torch"]
)
def test_what_installs_nothing(line: str) -> None:
    assert installation(next(commands(line, {})), {}) is None


def test_what_an_image_holds() -> None:
    devel = image("registry.example:5000/nvidia/cuda:12.8.1-cudnn-devel-ubuntu22.04@sha256:00")
    assert (devel.cuda, devel.has_nvcc, devel.python, devel.glibc) == ("12.8.1", True, "3.10", "2.35")
    assert image("nvidia/cuda:13.0.2-base-ubuntu24.04").has_nvcc is False
    torch = image("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime")
    assert (torch.torch, torch.cuda, torch.has_nvcc) == ("2.5.1", "12.4", False)
    assert image("python:3.11-slim-bookworm").python == "3.11"
    assert image("ubuntu:noble").python == "3.12"
    assert image("mycompany/base:1").has_nvcc is None
    assert image("nvidia/cuda:newest").has_nvcc is None


# healthy files

HEALTHY = {
    "a wheel by its URL on a base image": f"""
FROM nvidia/cuda:12.8.1-base-ubuntu24.04
RUN apt-get update && apt-get install -y python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128
RUN pip install --no-deps {WHEEL_28} einops
""",
    "compiled on devel of the same CUDA": f"""
# syntax=docker/dockerfile:1
ARG CUDA=12.8.1
FROM nvidia/cuda:${{CUDA}}-devel-ubuntu22.04 AS build
ARG MAX_JOBS=4
ENV FLASH_ATTN_CUDA_ARCHS=80
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip ninja-build
RUN pip install "torch==2.8.0" --index-url {PYTORCH}cu128 && pip install packaging ninja wheel
RUN pip wheel --no-build-isolation --no-deps flash-attn==2.8.3.post2 -w /wheels
FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04
COPY --from=build /wheels /wheels
RUN apt-get update && apt-get install -y python3-pip
RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128 && pip install --no-deps /wheels/*.whl
""",
    "the devel image of PyTorch": """
FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-devel
ENV MAX_JOBS=4
RUN pip install ninja packaging && pip install flash-attn==2.7.4.post1 --no-build-isolation
""",
    "the set-up finds the published file": f"""
FROM nvidia/cuda:12.4.1-devel-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip git
RUN pip install torch==2.5.1 --index-url {PYTORCH}cu124
RUN pip install packaging wheel ninja psutil
RUN pip install flash-attn==2.8.3 --no-build-isolation
""",
    "uv and an own Python": f"""
FROM nvidia/cuda:12.8.1-cudnn-runtime-ubuntu22.04
COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/uv
RUN uv venv --python 3.12 /app/.venv
ENV VIRTUAL_ENV=/app/.venv PATH=/app/.venv/bin:$PATH
RUN uv pip install torch==2.8.0 --torch-backend=cu128
RUN uv pip install --no-deps "flash-attn @ {WHEEL_28}"
""",
    "no attention package at all": """
FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
CMD ["python", "main.py"]
""",
    "a vendor's container": """
FROM nvcr.example/nvidia/pytorch:25.12-py3
RUN pip install transformers accelerate
""",
    "a heredoc": f"""
FROM nvidia/cuda:12.8.1-base-ubuntu24.04
RUN <<EOF
apt-get update
apt-get install -y python3-venv
python3 -m venv /opt/venv
/opt/venv/bin/pip install torch==2.8.0 torchvision==0.23.0 --index-url {PYTORCH}cu128
/opt/venv/bin/pip install xformers==0.0.32.post2 --index-url {PYTORCH}cu128
EOF
""",
    "a toolkit from the distribution": f"""
FROM ubuntu:22.04
RUN apt-get update && apt-get install -y python3-pip cuda-toolkit-12-8
RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128
RUN MAX_JOBS=2 pip install flash-attn==2.8.3.post2 --no-build-isolation
""",
    "lower case, and all torch at once": f"""
from nvidia/cuda:12.6.3-base-ubuntu22.04
run apt-get update && apt-get install -y python3-pip
run pip install torch==2.7.1 torchvision torchaudio --index-url {PYTORCH}cu126
""",
    "held by a constraint": f"""
FROM nvidia/cuda:12.8.1-base-ubuntu22.04
RUN apt-get update && apt-get install -y python3-pip
RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128 && pip freeze > /c.txt
RUN pip install -c /c.txt xformers torchvision
""",
    "an index of one's own may hold wheels": """
FROM nvidia/cuda:12.8.1-base-ubuntu22.04
RUN pip install torch==2.8.0 && pip install flash-attn --extra-index-url https://wheels.example/simple
""",
}


@pytest.mark.parametrize("text", HEALTHY.values(), ids=HEALTHY)
@pytest.mark.parametrize("on", [NO_GPU, RTX3090], ids=["no GPU", "RTX 3090"])
def test_a_healthy_file_yields_nothing(text: str, on: Machine) -> None:
    assert judge(text.lstrip("\n"), on).findings == ()


# F18 and its kin


def test_f18_a_runtime_base_of_128_and_torch_of_cu130() -> None:
    lines = (
        "FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04",
        "RUN apt-get update && apt-get install -y python3-pip",
        f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130",
        "RUN pip install flash-attn --no-build-isolation",
    )
    assert found(*lines) == [("no-nvcc", 4)]
    assert "nvcc 12.8 against torch's 13.0 is another major" in said(*lines)
    whose, wheel, otherwise, devel = judged(*lines).findings[0].fix
    assert whose.startswith("# built by ")
    assert re.fullmatch(r'pip install --no-deps "flash-attn @ https://\S+cu130torch2\.9-cp310-cp310-\S+\.whl"', wheel)
    assert otherwise.startswith("# or compile it")
    assert devel == "FROM nvidia/cuda:13.0.2-devel-ubuntu22.04"


def test_f18_the_usual_advice_still_fails() -> None:
    lines = (
        "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04",
        f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130 \\",
        "  && MAX_JOBS=4 pip install flash-attn --no-build-isolation",
    )
    assert found(*lines) == [("toolkit-major", 3)]
    assert "nvcc 12.8" in said(*lines)
    assert "CUDA 13.0 (line 2)" in said(*lines)
    mended = [lines[0].replace("12.8.1", "13.0.2"), *lines[1:]]
    assert found(*mended) == []
    other_torch = [lines[0], *(line.replace("cu130", "cu128") for line in lines[1:])]
    assert found(*other_torch) == []


@pytest.mark.parametrize(
    ("install", "cuda"),
    [
        (f"pip install torch==2.9.1 --index-url {PYTORCH}cu130", "13.0"),
        (f"pip install torch==2.9.1 --extra-index-url {PYTORCH}cu130", "13.0"),
        ("pip install torch==2.9.1+cu130 -f https://x", "13.0"),
        ("uv pip install torch==2.9.1 --torch-backend cu130", "13.0"),
        ("pip install torch==2.11.0", "13.0"),
        (f"PIP_INDEX_URL={PYTORCH}cu130 pip install torch==2.9.1", "13.0"),
        (f"pip install {PYTORCH}cu130/torch-2.9.1%2Bcu130-cp310-cp310-manylinux_2_28_x86_64.whl", "13.0"),
    ],
)
def test_the_cuda_of_torch_by_every_way_to_say_it(install: str, cuda: str) -> None:
    lines = (
        "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04",
        f"RUN {install}",
        "RUN MAX_JOBS=4 pip install flash-attn==2.8.3.post2 --no-build-isolation",
    )
    assert found(*lines) == [("toolkit-major", 3)]
    assert cuda in said(*lines)


def test_the_toolkit_by_every_way_to_get_it() -> None:
    torch = f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128"
    build = "RUN MAX_JOBS=4 pip install flash-attn==2.8.3.post2 --no-build-isolation"
    assert found("FROM ubuntu:22.04", torch, build) == [("no-nvcc", 3)]
    assert found("FROM ubuntu:22.04", "RUN apt-get install -y cuda-nvcc-13-0", torch, build) == [("toolkit-major", 4)]
    assert found("FROM ubuntu:22.04", "RUN sh cuda_13.0.2_580.95.05_linux.run --silent --toolkit", torch, build) == [
        ("toolkit-major", 4)
    ]
    copied = "COPY --from=nvidia/cuda:12.8.1-devel-ubuntu22.04 /usr/local/cuda /usr/local/cuda"
    assert found("FROM ubuntu:22.04", copied, torch, build) == []
    assert found("FROM ubuntu:22.04", "RUN conda install -y cuda-nvcc=12.8", torch, build) == []
    stages = ("FROM nvidia/cuda:13.0.2-devel-ubuntu22.04 AS Tools", "FROM ubuntu:22.04")
    copied = "COPY --from=tools /usr/local/cuda /usr/local/cuda"
    assert found(*stages, copied, torch, build) == [("toolkit-major", 5)]


# the other rules

DEVEL = "FROM nvidia/cuda:12.8.1-devel-ubuntu22.04"
TORCH_28 = f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128"


def test_build_isolation() -> None:
    assert found(DEVEL, TORCH_28, "ARG MAX_JOBS=4", "RUN pip install flash-attn==2.8.3.post2") == [
        ("build-isolation", 4)
    ]
    allowed = ("ENV PIP_NO_BUILD_ISOLATION=0", "ARG MAX_JOBS=4", "RUN pip install flash-attn==2.8.3.post2")
    assert found(DEVEL, TORCH_28, *allowed) == []
    uv = "RUN MAX_JOBS=4 uv pip install --no-build-isolation-package flash-attn flash-attn==2.8.3.post2"
    assert found(DEVEL, TORCH_28, uv) == []


def test_torch_comes_too_late() -> None:
    line = f"RUN MAX_JOBS=4 pip install torch==2.8.0 flash-attn==2.8.3.post2 --index-url {PYTORCH}cu128"
    assert found(DEVEL, f"{line} --no-build-isolation") == [("torch-not-there-yet", 2)]


def test_no_max_jobs() -> None:
    build = "RUN pip install flash-attn==2.8.3.post2 --no-build-isolation"
    assert found(DEVEL, TORCH_28, build) == [("no-max-jobs", 3)]
    assert found(DEVEL, TORCH_28, "ENV MAX_JOBS=", build) == [("no-max-jobs", 4)]
    assert found(DEVEL, "ENV MAX_JOBS=2", TORCH_28, build) == []
    assert found(DEVEL, "ENV MAX_JOBS 2", TORCH_28, build) == []
    # upstream has a file of 2.8.3 for this torch and Python: nothing is compiled
    assert found(DEVEL, TORCH_28, build.replace(".post2", "")) == []
    forced = "ENV FLASH_ATTENTION_FORCE_BUILD=TRUE"
    assert found(DEVEL, forced, TORCH_28, build.replace(".post2", "")) == [("no-max-jobs", 4)]


def test_it_does_not_compile_against_that_torch() -> None:
    torch = f"RUN pip install torch==2.14.0 --index-url {PYTORCH}cu126"
    build = "RUN MAX_JOBS=4 pip install flash-attn==2.8.3.post2 --no-build-isolation"
    assert found(DEVEL, torch, build) == [("source-against-torch", 3)]
    assert "C++20" in said(DEVEL, torch, build)


def test_a_torch_without_cuda() -> None:
    torch = f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cpu"
    assert found(DEVEL, torch, "RUN MAX_JOBS=4 pip install flash-attn --no-build-isolation") == [
        ("torch-without-cuda", 3)
    ]


def test_a_file_of_another_cuda_is_fetched() -> None:
    base = "FROM nvidia/cuda:13.0.2-devel-ubuntu24.04"  # upstream's 2.8.3 for CUDA 12 is there for Python 3.12 alone
    torch = f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130"
    build = "RUN pip install flash-attn==2.8.3 --no-build-isolation"
    assert found(base, torch, build) == [("fetched-for-another-cuda", 3)]
    assert "cu13torch2.9" in judged(base, torch, build).findings[-1].fix[0]
    # from this release on set-up asks for the CUDA major that torch has
    later = build.replace("2.8.3", "2.8.3.post1")
    assert "fetched-for-another-cuda" not in [name for name, _ in found(base, torch, later)]


@pytest.mark.parametrize(
    ("package", "bad"),
    [
        ("nvidia-driver-550", True),
        ("cuda-drivers", True),
        ("cuda", True),
        ("cuda-12-8", True),
        ("libnvidia-compute-570:amd64", True),
        ("nvidia-utils-570", True),
        ("nvidia-driver-550=550.144.03-0ubuntu1", True),
        ("cuda-toolkit-12-8", False),
        ("cuda-nvcc-12-8", False),
        ("cuda-libraries-dev-12-8", False),
        ("nvidia-container-toolkit", False),
        ("libcudnn9-cuda-12", False),
    ],
)
def test_a_driver_in_the_image(package: str, bad: bool) -> None:
    rules = [rule for rule, _ in found("FROM ubuntu:24.04", f"RUN apt-get update && apt-get install -y {package}")]
    assert rules == (["driver-in-image"] if bad else [])


def test_a_driver_from_a_runfile() -> None:
    assert found("FROM ubuntu:24.04", "RUN sh NVIDIA-Linux-x86_64-550.144.03.run -s") == [("driver-in-image", 2)]
    assert found("FROM ubuntu:24.04", "RUN curl -O https://x/NVIDIA-Linux-x86_64-550.run") == []


def test_torch_without_a_version() -> None:
    assert found("FROM ubuntu:22.04", "RUN pip install torch") == [("torch-not-pinned", 2)]
    assert found("FROM ubuntu:22.04", f"RUN pip install torch --index-url {PYTORCH}cu128") == [("torch-not-pinned", 2)]
    assert found("FROM ubuntu:22.04", "RUN pip install torch>=2.8") == [("torch-not-pinned", 2)]  # a redirection
    assert found("FROM ubuntu:22.04", "RUN pip install 'torch>=2.8,<2.9'") == []
    assert found("FROM ubuntu:22.04", "RUN pip install torch==${V}") == []
    assert found("FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", "RUN pip install torch") == []


def test_torch_that_the_driver_does_not_run() -> None:
    on = machine("gpu=NVIDIA L4", "driver=550.144.03")
    lines = ("FROM ubuntu:24.04", f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130")
    assert found(*lines, on=on) == [("driver-too-old-for-torch", 2)]
    assert "needs driver 580; this machine has 550.144.03" in said(*lines, on=on)
    assert found(*lines, on=machine("gpu=NVIDIA L4", "driver=580.65.06")) == []
    assert found(*lines) == []


def test_torch_without_code_for_the_gpu() -> None:
    lines = ("FROM ubuntu:24.04", f"RUN pip install torch==2.6.0 --index-url {PYTORCH}cu124")
    assert found(*lines, on=machine("gpu=NVIDIA GeForce RTX 5090")) == [("no-code-in-torch", 2)]
    assert found(*lines, on=machine("gpu=NVIDIA L4")) == []


def test_an_image_that_the_driver_does_not_run() -> None:
    lines = ("ARG T=13.0.2-base-ubuntu24.04", "FROM nvidia/cuda:$T", "USER x")
    assert found(*lines, on=machine("gpu=NVIDIA L4", "driver=550.144.03")) == [("driver-too-old-for-image", 2)]
    assert found(*lines, on=machine("gpu=NVIDIA L4", "driver=580.65.06")) == []
    # what only compiles runs on no GPU
    staged = ("FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS b", "FROM ubuntu:24.04", "COPY --from=b /x /x")
    assert found(*staged, on=machine("gpu=NVIDIA L4", "driver=550.144.03")) == []


def test_an_image_that_asks_for_more_than_the_driver_offers() -> None:
    base = "FROM nvidia/cuda:12.8.1-base-ubuntu24.04"
    geforce = ("gpu=NVIDIA GeForce RTX 3090", "driver=550.144.03")
    assert found(base, on=machine(*geforce)) == [("driver-refused-by-image", 1)]
    assert "NVIDIA_REQUIRE_CUDA" in said(base, on=machine(*geforce))
    # of other brands the image's own list decides, which is not known here
    assert found(base, on=machine("gpu=NVIDIA L4", "driver=550.144.03")) == []
    assert found("FROM nvidia/cuda:12.4.1-base-ubuntu22.04", on=machine(*geforce)) == []


def test_a_wheel_that_does_not_fit() -> None:
    base = "FROM nvidia/cuda:12.8.1-base-ubuntu24.04"
    assert found(base, TORCH_28, f"RUN pip install --no-deps {WHEEL_28}") == []
    python = ("FROM nvidia/cuda:12.8.1-base-ubuntu22.04", TORCH_28, f"RUN pip install --no-deps {WHEEL_28}")
    assert found(*python) == [("wheel-does-not-fit", 3)]
    assert "for cp312; this is Python 3.10" in said(*python)
    assert "cp310" in judged(*python).findings[0].fix[0]
    torch = (base, TORCH_28.replace("2.8.0", "2.7.1"), f"RUN pip install --no-deps {WHEEL_28}")
    assert "for torch 2.8; 2.7.1 is installed" in said(*torch)
    windows = WHEEL_28.replace("linux_x86_64", "win_amd64")
    assert "for windows" in said(base, TORCH_28, f"RUN pip install {windows}")


def test_a_cu12_wheel_beside_a_cuda_13_torch() -> None:
    lines = (
        "FROM nvidia/cuda:13.0.2-base-ubuntu24.04",
        f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130",
        f"RUN pip install {RELEASES}v2.8.3/flash_attn-2.8.3%2Bcu12torch2.9cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    )
    assert found(*lines) == [("wheel-does-not-fit", 3)]
    assert "for CUDA 12; torch is CUDA 13.0" in said(*lines)
    assert "cu13torch2.9" in judged(*lines).findings[-1].fix[0]


def test_a_wheel_of_nobodys_catalogue_is_judged_by_its_name() -> None:
    name = "flash_attn-9.9.9+cu128torch2.7cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
    lines = ("FROM nvidia/cuda:12.8.1-base-ubuntu24.04", TORCH_28, f"RUN pip install /wheels/{name}")
    assert "for torch 2.7; 2.8.0 is installed" in said(*lines)
    silent = "flash_attn-9.9.9-cp312-cp312-linux_x86_64.whl"
    assert found(*lines[:2], f"RUN pip install /wheels/{silent}") == []


def test_a_later_package_moves_torch() -> None:
    base = "FROM nvidia/cuda:12.8.1-base-ubuntu22.04"
    assert found(base, TORCH_28, "RUN pip install torchvision") == [("torch-moved", 3)]
    assert "replaces torch 2.8.0 of line 2" in said(base, TORCH_28, "RUN pip install vllm")
    for fine in ("torchvision==0.23.0", "--no-deps torchvision", "transformers", "torch==2.8.0+cu128 torchvision"):
        rules = [rule for rule, _ in found(base, TORCH_28, f"RUN pip install {fine}")]
        assert "torch-moved" not in rules, fine
    newest = f"RUN pip install torch==2.14.0 --index-url {PYTORCH}cu126"
    assert found(base, newest, "RUN pip install torchvision") == []


NOBLE = "FROM nvidia/cuda:12.8.1-base-ubuntu24.04"


def test_the_distribution_keeps_pip_out() -> None:
    lines = (NOBLE, TORCH_28, "RUN python3 -m pip install einops")
    assert [(one.rule, one.line) for one in judged(*lines).findings] == [("externally-managed", 2)]
    assert judged(*lines).findings[0].fix[0] == "RUN python3 -m venv /opt/venv"
    older = (NOBLE.replace("24.04", "22.04"), TORCH_28)
    assert judged(*older).findings == ()


@pytest.mark.parametrize(
    "before",
    [
        "ENV PATH=/opt/venv/bin:$PATH",
        "ENV VIRTUAL_ENV=/opt/venv",
        "ENV PIP_BREAK_SYSTEM_PACKAGES=1",
        "RUN rm /usr/lib/python3.12/EXTERNALLY-MANAGED",
        "RUN pip config set global.break-system-packages true",
        "RUN apt-get install -y python3.11",
        "RUN uv venv --python 3.11",
    ],
)
def test_what_lets_pip_in(before: str) -> None:
    assert judged(NOBLE, before, "RUN pip install einops").findings == ()


@pytest.mark.parametrize(
    "line",
    [
        "RUN /opt/venv/bin/pip install einops",
        "RUN pip install --break-system-packages einops",
        "RUN pip install --target /x einops",
        "RUN pip wheel einops",
        "RUN . /opt/venv/bin/activate && pip install einops",
        "RUN export PATH=/opt/venv/bin:$PATH; pip install einops",
        "RUN uv pip install einops",
    ],
)
def test_ways_past_the_distribution(line: str) -> None:
    assert judged(NOBLE, line).findings == ()


def test_companions_of_another_torch() -> None:
    line = f"RUN pip install torch==2.8.0 torchvision==0.19.0 --index-url {PYTORCH}cu128"
    assert found("FROM ubuntu:22.04", line) == [("companion-of-another-torch", 2)]
    assert "that of torch 2.8.0 is 0.23.0" in said("FROM ubuntu:22.04", line)
    assert found("FROM ubuntu:22.04", line.replace("0.19.0", "0.23.0")) == []
    assert found("FROM ubuntu:22.04", line.replace("==0.19.0", "")) == []


def test_pip_wheel_installs_nothing() -> None:
    other = f"RUN pip wheel torch==2.9.1 --index-url {PYTORCH}cu130"
    build = "RUN MAX_JOBS=4 pip install flash-attn==2.8.3.post2 --no-build-isolation"
    assert found(DEVEL, TORCH_28, other, build) == []
    assert found(DEVEL, TORCH_28, other.replace("wheel", "install"), build) == [("toolkit-major", 4)]


def test_what_is_exported_counts() -> None:
    build = "pip install flash-attn==2.8.3.post2 --no-build-isolation"
    assert found(DEVEL, TORCH_28, f"RUN export MAX_JOBS=4 && {build}") == []
    assert found(DEVEL, TORCH_28, f"RUN MAX_JOBS=4 && {build}") == [("no-max-jobs", 3)]


def test_a_torch_that_this_machine_runs_is_named() -> None:
    on = machine("gpu=NVIDIA GeForce RTX 5090", "driver=570.124.06")
    lines = (DEVEL, f"RUN pip install torch==2.6.0 --index-url {PYTORCH}cu124")
    (one,) = judged(*lines, on=on).findings
    assert one.rule == "no-code-in-torch"
    assert re.fullmatch(r"pip install torch==2\.\d+\.\d+ --index-url \S+/cu12[89]", one.fix[0])
    assert judged(*lines).findings == ()


def test_a_version_that_demands_another_torch() -> None:
    base = "FROM nvidia/cuda:12.8.1-base-ubuntu22.04"
    assert found(base, TORCH_28, "RUN pip install xformers==0.0.28") == [("torch-moved", 3)]
    assert "demands torch==2.4.1" in said(base, TORCH_28, "RUN pip install xformers==0.0.28")
    assert found(base, TORCH_28, "RUN pip install xformers==0.0.32.post2") == []
    assert found(base, TORCH_28, "RUN pip install --no-deps xformers==0.0.28") == []
    assert found(base, TORCH_28, "RUN pip install torchvision==0.19.0") == [("companion-of-another-torch", 3)]
    assert found(base, TORCH_28, "RUN pip install torchvision==0.23.0") == []


def test_the_torch_of_the_base_has_no_code_for_the_gpu() -> None:
    base = "FROM pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"
    on = machine("gpu=NVIDIA GeForce RTX 5090")
    assert found(base, "USER x", on=on) == [("no-code-in-torch", 1)]
    assert found(base, on=machine("gpu=NVIDIA L4")) == []
    replaced = f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128"
    assert found(base, replaced, on=on) == []


def test_torch_is_replaced_under_a_compiled_package() -> None:
    lines = (
        "FROM nvidia/cuda:12.8.1-base-ubuntu24.04",
        TORCH_28,
        f"RUN pip install --no-deps {WHEEL_28}",
        f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu128",
    )
    assert found(*lines) == [("torch-replaced", 4)]
    assert "flash-attn of line 3" in said(*lines)
    assert found(*lines[:3], f"RUN pip install torch==2.8.0 --index-url {PYTORCH}cu128") == []


def test_torch_comes_with_a_stage() -> None:
    staged = (
        "FROM nvidia/cuda:13.0.2-devel-ubuntu24.04 AS build",
        f"RUN pip install torch==2.9.1 --index-url {PYTORCH}cu130",
        "FROM nvidia/cuda:13.0.2-base-ubuntu24.04",
        "COPY --from=build /opt/venv /opt/venv",
        f"RUN pip install --no-deps {WHEEL_28}",
    )
    assert found(*staged) == [("wheel-does-not-fit", 5)]
    inherited = ("FROM build AS last", staged[-1])
    assert found(*staged[:2], *inherited) == [("wheel-does-not-fit", 4)]


def test_the_line_is_that_of_the_command() -> None:
    lines = (
        "FROM nvidia/cuda:12.8.1-runtime-ubuntu22.04",
        "RUN set -eux; \\",
        f"    pip install torch==2.8.0 --index-url {PYTORCH}cu128; \\",
        "    # a remark",
        "",
        "    pip install \\",
        "      --no-build-isolation flash-attn",
        "RUN <<EOF",
        "apt-get update",
        "apt-get install -y cuda-drivers",
        "EOF",
        'RUN ["bash", "-c", "pip install flash-attn"]',
    )
    assert found(*lines) == [("no-nvcc", 6), ("driver-in-image", 10), ("build-isolation", 12), ("no-nvcc", 12)]


def test_variables_are_put_in() -> None:
    lines = (
        "ARG BASE=nvidia/cuda:12.8.1-devel-ubuntu22.04",
        "FROM $BASE",
        "ARG TORCH=2.9.1",
        "ENV CU=cu130",
        f"RUN pip install torch==${{TORCH}} --index-url {PYTORCH}$CU",
        "RUN MAX_JOBS=4 pip install flash-attn==${FA:-2.8.3.post2} --no-build-isolation",
    )
    assert found(*lines) == [("toolkit-major", 6)]


def test_the_order_is_that_of_the_file_and_nothing_is_said_twice() -> None:
    lines = (
        "FROM nvidia/cuda:13.0.2-runtime-ubuntu24.04",
        "RUN apt-get install -y nvidia-driver-550",
        "RUN pip install torch",
        "RUN pip install flash-attn",
    )
    rules = found(*lines, on=machine("gpu=NVIDIA L4", "driver=550.144.03"))
    assert rules == [
        ("driver-too-old-for-image", 1),
        ("driver-in-image", 2),
        ("torch-not-pinned", 3),
        ("driver-too-old-for-torch", 3),
        ("build-isolation", 4),
        ("no-nvcc", 4),
    ]


def test_a_runfile_inside_a_line_for_a_shell() -> None:
    assert found("FROM ubuntu:22.04", 'RUN sh -c "./cuda_12.4.0_550.54.14_linux.run --silent --toolkit"') == []
    assert found("FROM ubuntu:22.04", 'RUN bash -lc "echo cuda_x.run"') == []


def test_blanks_and_variables_without_end_are_judged_at_once() -> None:
    """Not a matter of speed: each of these took minutes or all memory."""
    blanks = " " * 20_000
    judged("FROM ubuntu:22.04", f'RUN pip install "torch{blanks}x{blanks}"')
    judged("FROM ubuntu:22.04", "ENV A=aaaa", *["ENV A=$A$A"] * 60, "RUN pip install torch==$A")
