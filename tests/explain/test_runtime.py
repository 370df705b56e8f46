"""Fixes of the runtime and driver stages: each fits the machine that the log comes from."""

from __future__ import annotations

from explain.words import diagnosed, fixes

NO_KERNEL = "RuntimeError: CUDA error: no kernel image is available for execution on the device"


def test_a_cpu_build_is_replaced_by_a_build_for_the_gpu() -> None:
    text = "AssertionError: Torch not compiled with CUDA enabled"
    said = fixes(text, "torch=2.6.0+cpu", "gpu=NVIDIA GeForce RTX 4090", "driver=560.35.03")
    assert "torch==2.6.0+cu" in said
    assert "--index-url https://download.pytorch.org/whl/cu" in said


def test_an_old_driver_gets_a_torch_that_it_runs() -> None:
    text = "The NVIDIA driver on your system is too old (found version 12020)."
    machine = ("torch=2.9.1+cu130", "gpu=NVIDIA L4", "driver=535.104.05")
    said = fixes(text, *machine)
    assert "+cu12" in said
    assert "+cu13" not in said
    assert "580" in diagnosed(text, *machine).causes[0].explanation


def test_a_new_gpu_gets_a_torch_with_its_code() -> None:
    text = (
        "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation."
    )
    assert "cu128" in fixes(text, "torch=2.6.0+cu124", "gpu=NVIDIA GeForce RTX 5090", "driver=575.57.08")


def test_an_old_gpu_gets_a_torch_that_still_has_its_code() -> None:
    text = "Found GPU0 Tesla P100-PCIE-16GB which is of compute capability (CC) 6.0."
    cause = diagnosed(text, "torch=2.9.1+cu130", "driver=580.65.06").causes[0]
    assert "cu126" in "\n".join(cause.fix)
    assert "dropped" in cause.explanation


def test_an_extension_without_code_is_compiled_for_the_gpu() -> None:
    frame = '  File "flash_attn/flash_attn_interface.py", in _flash_attn_forward'
    said = fixes(f"NVIDIA GeForce RTX 5090, torch==2.8.0+cu128\n{frame}\n{NO_KERNEL}")
    assert "FLASH_ATTN_CUDA_ARCHS=120" in said
    assert "pip install torch" not in said


def test_inside_wsl_no_linux_driver_is_proposed() -> None:
    said = fixes("/usr/lib/wsl/lib\nOSError: libcuda.so: cannot open shared object file: No such file or directory")
    assert "/usr/lib/wsl/lib" in said
    assert "apt install nvidia" not in said


def test_inside_a_container_no_driver_is_installed() -> None:
    said = fixes("root@0123456789ab:/work# python run.py\nRuntimeError: Found no NVIDIA driver on your system.")
    assert "--gpus all" in said
    assert "ubuntu-drivers" not in said


def test_the_cause_stands_before_what_follows_from_it() -> None:
    said = diagnosed(
        "Failed to initialize NVML: Driver/library version mismatch\nRuntimeError: No CUDA GPUs are available"
    )
    assert [cause.category for cause in said.causes] == ["nvml-driver-library-mismatch"]


def test_a_slip_of_the_pen_is_corrected() -> None:
    text = (
        'ValueError: Specified `attn_implementation="flash_attn_2"` is not supported. The only possible arguments are'
    )
    assert 'attn_implementation="flash_attention_2"' in fixes(text)


def test_on_windows_no_command_of_a_unix_shell_is_proposed() -> None:
    said = fixes("C:\\ComfyUI\\python_embeded\\Lib\\site-packages\\triton\nFailed to find C compiler.")
    assert "triton-windows" in said
    assert "apt" not in said
