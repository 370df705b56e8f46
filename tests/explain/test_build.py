"""Fixes of the build stage: each fits the machine that the log comes from."""

from __future__ import annotations

from attn_doctor.explain.diagnose import ranked
from attn_doctor.explain.reading import from_text
from explain.words import diagnosed, fixes

PIP = "  Getting requirements to build wheel ... error\n  error: subprocess-exited-with-error\n"
SETUP = '        File "<string>", line 22, in <module>\n'

# what is known of a machine on which such logs come about
MACHINE = (
    "gpu=NVIDIA L4",
    "torch=2.8.0+cu128",
    "driver=575.57.08",
    "ram=64GiB",
    "cores=16",
    "python=3.11",
    "nvcc=12.8",
)


def test_a_wheel_that_fits_comes_before_any_build() -> None:
    text = f"{PIP}pip install flash-attn==2.8.3\n{SETUP}      ModuleNotFoundError: No module named 'torch'"
    assert diagnosed(text, *MACHINE).causes[0].fix[0].startswith("attn-doctor install flash_attention_2")


def test_the_toolkit_named_is_of_torchs_cuda() -> None:
    text = "The detected CUDA version (11.8) mismatches the version that was used to compile\nPyTorch (12.8)."
    assert "12.8" in fixes(text, "gpu=NVIDIA L4", "torch=2.8.0+cu128", "python=3.14", "nvcc=11.8")


def test_jobs_go_by_the_memory_of_the_machine() -> None:
    text = "Building wheel for flash-attn\nnvcc error   : 'cicc' died due to signal 9 (Kill signal)"
    small, large = fixes(text, *MACHINE, "ram=16GiB"), fixes(text, *MACHINE, "ram=128GiB")
    assert 1 <= jobs(small) < jobs(large) <= 16


def jobs(text: str) -> int:
    return int(text.partition("MAX_JOBS=")[2].partition(" ")[0])


def test_nvcc_learns_which_cuda_first_knew_the_gpu() -> None:
    found = diagnosed("nvcc fatal   : Unsupported gpu architecture 'compute_120'").causes[0]
    assert "CUDA 12.8 is the first" in found.explanation
    assert "12.8" in "\n".join(found.fix)


def test_the_compiler_named_is_the_newest_that_nvcc_takes() -> None:
    text = "#error -- unsupported GNU version! gcc versions later than 12 are not supported!"
    assert "CXX=g++-12" in fixes(text)


def test_windows_gets_no_lines_for_a_posix_shell() -> None:
    text = "C:\\x\\setup.py\nValueError: Unknown CUDA arch (sm_86) or GPU not supported"
    assert "$env:TORCH_CUDA_ARCH_LIST = '8.6'" in fixes(text)


def test_a_leading_colon_is_taken_off() -> None:
    text = "FileNotFoundError: [Errno 2] No such file or directory: ':/usr/local/cuda-11.8/bin/nvcc'"
    assert "export CUDA_HOME=/usr/local/cuda-11.8 " in fixes(text)


def test_what_follows_from_a_cause_is_no_cause_beside_it() -> None:
    text = (
        "Guessing wheel URL:  https://github.com/x.whl\nPrecompiled wheel not found. Building from source...\n"
        "UserWarning: Attempted to use ninja as the BuildExtension backend but we could not find ninja.\n"
        "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root."
    )
    assert [one.cause.category for one in ranked(from_text(text))] == ["nvcc-missing-cuda-home"]
