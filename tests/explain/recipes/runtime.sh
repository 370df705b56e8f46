#!/usr/bin/env bash
# Faults that show when the code runs, and logs that are no fault. Needs what build.sh and imports.sh need.
. "$(dirname "$0")/record.sh"
export HF_HUB_OFFLINE=1
rm -rf "$WORK/project"; cp -r "$RECIPES/ext" "$WORK/project"; cd "$WORK/project" || exit 1
CPU="torch 2.13.0+cpu, Python 3.11.7"
CUDA="torch 2.14.1+cu130, Python 3.11.7"
TF="transformers 5.24.0, $CPU"
TF4="transformers 4.46.3, $CPU"
SDPA='import torch; from torch.nn.attention import sdpa_kernel, SDPBackend as B; F = torch.nn.functional.scaled_dot_product_attention'
printf 'import torch\n\ndevice = "cuda"\nmodel = torch.nn.MultiheadAttention(64, 4).to(device)\n' >train.py

record cpu-only-torch to-cuda "$CPU" "Torch not compiled with CUDA enabled" "../t213/bin/python train.py"
record cpu-only-torch ipython-cell "ipython 9, $CPU" "Torch not compiled with CUDA enabled" "script -qec '../t213/bin/ipython --no-banner --colors=Linux train.py' /dev/null"
record cpu-only-torch windows-powershell-utf16 "$CPU, the output as PowerShell's > writes it" "Torch not compiled with CUDA enabled" "../t213/bin/python train.py" \
  "sed 's/\$/\\r/' | python3 -c 'import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode().encode(\"utf-16\"))'"
record cpu-only-torch load-checkpoint "$CPU" "Attempting to deserialize object on a CUDA device" \
  "../t213/bin/python -c 'import torch; torch.serialization.default_restore_location(torch.UntypedStorage(4), \"cuda:0\")'"
record no-gpu-visible to-cuda "$CUDA, no driver" "Found no NVIDIA driver on your system" "../t214/bin/python train.py"
record no-gpu-visible nvidia-smi "bash 5.2, no driver" "nvidia-smi: command not found" "nvidia-smi; ../t214/bin/python -c 'import torch; print(torch.__version__, torch.cuda.is_available(), torch.cuda.device_count())'"
record no-gpu-visible xformers-cuda "xformers 0.0.35, $CUDA, no driver" "Found no NVIDIA driver" "../t214/bin/python -c 'import torch; torch.nn.functional.scaled_dot_product_attention(*[torch.randn(1, 2, 8, 64, device=\"cuda\") for _ in range(3)])'"
record sdpa-no-available-kernel cpu-flash-head-dims "$CPU" "No available kernel" "../t213/bin/python -c '$SDPA; q = torch.randn(1, 2, 8, 16); v = torch.randn(1, 2, 8, 12)
with sdpa_kernel(B.FLASH_ATTENTION): F(q, q, v)'"
record sdpa-no-available-kernel cpu-efficient-only "$CPU" "No viable backend for scaled_dot_product_attention" "../t213/bin/python -c '$SDPA; q = torch.randn(1, 2, 8, 16)
with sdpa_kernel(B.EFFICIENT_ATTENTION): F(q, q, q)'"
../t214/bin/pip install -q --no-deps ../wh/xformers-0.0.35*.whl >/dev/null 2>&1
record xformers-no-operator cpu-tensors "xformers 0.0.35, $CUDA" "No operator found for" "../t214/bin/python -c 'import torch, xformers.ops as x; q = torch.randn(1, 8, 2, 16); x.memory_efficient_attention(q, q, q)'"
../t214/bin/pip uninstall -q -y xformers >/dev/null 2>&1
record triton-compile-env no-c-compiler "triton of $CUDA, no gcc on the path" "Failed to find C compiler" \
  "PATH=../t214/bin ../t214/bin/python -c 'from triton.runtime.build import _build; _build(\"launcher\", \"launcher.c\", \".\", [], [], [], [])'"
record triton-compile-env no-python-h "triton of $CUDA, gcc 12.2.0, a Python without headers" "Python.h: No such file or directory" \
  "printf '#include <Python.h>\nint f;\n' > launcher.c; ../t214/bin/python -c 'from triton.runtime import build; import sysconfig; build.sysconfig.get_paths = lambda **k: {\"include\": \"/usr/include/python3.99\"}; build._build(\"launcher\", \"launcher.c\", \".\", [], [], [], [])'"
record triton-compile-env no-lcuda "triton of $CUDA, gcc 12.2.0, no driver" "cannot find -lcuda" \
  "printf '#include <Python.h>\nint f;\n' > launcher.c; ../t214/bin/python -c 'from triton.runtime.build import _build; _build(\"launcher\", \"launcher.c\", \".\", [], [], [\"cuda\"], [])'"
record triton-compile-env inductor-no-cxx "torch.compile of $CPU, no g++ on the path" "No working C++ compiler found" "PATH=../t213/bin ../t213/bin/python -c 'import torch; torch.compile(lambda x: torch.softmax(x @ x, 0))(torch.ones(4, 4))'"
record wsl-libcuda-not-found triton-libcuda "triton of $CUDA, no driver" "libcuda.so cannot found" "../t214/bin/python -c 'from triton.backends.nvidia.driver import CudaDriver; CudaDriver()'"
ALSO="no-gpu-visible cpu-only-torch" record triton-broken-build no-active-driver "triton of $CUDA, no driver" "0 active drivers" "../t214/bin/python -c 'from triton.runtime import driver; driver.active.get_current_device()'"
record triton-broken-build sageattention-no-triton "sageattention 1.0.6, $CPU" "No module named 'triton'" "../t213/bin/python -c 'import sys; sys.path.insert(0, \"../src/sageattention-1.0.6\"); from sageattention import sageattn'"

record transformers-fa2-package-missing llama-5.24 "$TF" "the package for FlashAttention2 doesn't seem to be installed" "../t213/bin/python tiny.py flash_attention_2"
record transformers-fa2-package-missing llama-4.46 "$TF4" "flash_attn seems to be not installed" "../tf4/bin/python tiny.py flash_attention_2"
record transformers-fa2-package-missing fa3-5.24 "$TF" "the package for FlashAttention3 doesn't seem to be installed" "../t213/bin/python tiny.py flash_attention_3"
record attn-implementation-bad-value dashes-5.24 "$TF" "is not supported. The only possible arguments are" "../t213/bin/python tiny.py flash-attention-2"
record attn-implementation-bad-value flash-4.46 "$TF4" "The only possible arguments are" "../tf4/bin/python tiny.py flash_attn"
record model-lacks-fa2-support t5-5.24 "$TF" "T5Model does not support Flash Attention 2 yet" "../t213/bin/python lacks.py T5 flash_attention_2"
record model-lacks-fa2-support mpt-sdpa-5.24 "$TF" "does not support an attention implementation through torch.nn.functional.scaled_dot_product_attention" "../t213/bin/python lacks.py Mpt sdpa"
record model-lacks-fa2-support t5-4.46 "$TF4" "does not support Flash Attention 2.0 yet" "../tf4/bin/python lacks.py T5 flash_attention_2"
record transformers-fa-api-mismatch removed-name-5.24 "$TF" "cannot import name" "../t213/bin/python -c 'from transformers.utils import is_flash_attn_greater_or_equal_2_10, is_flash_attn_available'"
mkdir -p fa204/flash_attn fa204/flash_attn-2.0.4.dist-info; touch fa204/flash_attn/__init__.py; printf 'Metadata-Version: 2.1\nName: flash-attn\nVersion: 2.0.4\n' >fa204/flash_attn-2.0.4.dist-info/METADATA
record transformers-fa-api-mismatch flash-attn-2.0.4 "transformers 4.46.3, $CUDA, the metadata of flash-attn 2.0.4" "flash_attn package version to be greater or equal than 2.1.0" "PYTHONPATH=fa204:$(printf "../%s/lib/python3.11/site-packages:" tf4 t214 t213) ../t214/bin/python tiny.py flash_attention_2"
record transformers-fa-api-mismatch unpad-input "$TF4, an empty flash_attn 2.0.4" "cannot import name" "PYTHONPATH=fa204 ../tf4/bin/python -c 'from flash_attn import flash_attn_func, flash_attn_varlen_func'"
mkdir -p hub/build/torch25-cxx11-cu121-x86_64-linux/flash_attn; touch hub/build/torch25-cxx11-cu121-x86_64-linux/flash_attn/__init__.py
record hub-kernel-no-build-variant local-folder "kernels 0.17.2, $CPU" "variant" "../t213/bin/python -c 'from pathlib import Path; from kernels import get_local_kernel; get_local_kernel(Path(\"hub\"))'"

# Builds that say something before they fail, or do not fail
ACTIVATE="export PATH=$WORK/t214/bin:/usr/local/cuda-13.0/bin:/usr/bin:/bin CUDA_HOME=/usr/local/cuda-13.0 TORCH_CUDA_ARCH_LIST=9.0; rm -rf build;"
record ninja-missing-slow-build setuptools-fallback "$CUDA, nvcc 13.0.88, no ninja" "we could not find ninja" \
  "mkdir -p nb; for t in gcc g++ cc c++ as ld which ar cat rm env; do ln -sf \$(command -v \$t) nb/; done; export PATH=$WORK/project/nb:/usr/local/cuda-13.0/bin CUDA_HOME=/usr/local/cuda-13.0 TORCH_CUDA_ARCH_LIST=9.0; ../t214/bin/python setup.py build_ext --inplace"
ALSO=ninja-missing-slow-build record build-deps-missing load-needs-ninja "$CUDA" "Ninja is required to load C++ extensions" "PATH=$WORK/project/nb ../t214/bin/python -c 'from torch.utils.cpp_extension import load; load(\"attn\", [\"attn.cpp\"])'"
LIMIT=25 record prebuilt-wheel-not-found-source-fallback flash-attn-offline "pip 23.2.1, flash-attn 2.8.3, $CUDA, stopped after 25 s" "Precompiled wheel not found. Building from source" \
  "$ACTIVATE cd ../src/flash_attn-2.8.3 && rm -rf build && ../../t214/bin/python setup.py bdist_wheel"
record healthy extension-with-warnings "$CUDA, nvcc 13.0.88, gcc 12.2.0" "copying build/lib" "$ACTIVATE sed -i 's/return q \\* s;/int unused = 1; return q * s;/' attn.cpp; ../t214/bin/python setup.py build_ext --inplace"
record healthy pip-install "pip 23.2.1" "Successfully installed" "python3.11 -m venv v; v/bin/pip install einops==0.8.0 packaging psutil ninja"
record healthy pip-check "pip 23.2.1, $CPU" "No broken requirements found" "v/bin/pip check"
record healthy uv-venv-install "uv 0.13.9" "einops==0.8.0" "VIRTUAL_ENV=v uv pip install --reinstall einops==0.8.0 numpy"
record healthy pip-sdist-build "pip 23.2.1" "Successfully installed" "v/bin/pip install --no-binary :all: --no-cache-dir docopt==0.6.2"
record healthy torch-collect-env "$CPU" "PyTorch version: 2.13.0+cpu" "../t213/bin/python -m torch.utils.collect_env" "sed -n '1,40p'"
record healthy pip-terminal "pip 23.2.1, a terminal" "Successfully installed" "script -qec 'v/bin/pip install --force-reinstall --no-deps pandas==2.3.3' /dev/null"

# Not an installation fault
printf 'import time\nfor step in range(300):\n    print(f"step {step:4d}  loss {6.9 - step / 90:.4f}  lr 3.0e-04  2.1 it/s")\nimport torch\ntorch.randn(4, 8, 4096, 64) @ torch.randn(4, 8, 128, 4096)\n' >oom.py
record not-an-install-failure training-shape-error "$CPU" "must match the size of tensor" \
  "../t213/bin/python -c 'import torch; [print(f\"step {i} loss {7 - i / 50:.3f}\") for i in range(200)]; torch.ones(4, 64) + torch.ones(4, 32)'"
record not-an-install-failure cpu-allocation "$CPU" "DefaultCPUAllocator: can't allocate memory" "../t213/bin/python -c 'import torch; torch.empty(10**15)'"
record not-an-install-failure user-code-key-error "Python 3.11.7" "KeyError: 'flash_attn'" "python3.11 -c 'config = {}; print(\"loading flash_attn config\"); config[\"flash_attn\"]'"
printf 'def test_scale():\n    assert 2 * 3 == 5\n\n\ndef test_ok():\n    pass\n' >test_scale.py
record not-an-install-failure pytest-failure "pytest 9.2.0" "1 failed, 1 passed" "python3.11 -m venv pt; pt/bin/pip install -q pytest >/dev/null 2>&1; pt/bin/python -m pytest -p no:cacheprovider test_scale.py"
record not-an-install-failure npm-404 "npm 11" "npm error" "cd /tmp && npm install --loglevel=error this-package-does-not-exist-zq1"
record not-an-install-failure apt-simulated-install "apt 2.6.1" "newly installed" "apt-get install -s -q hello"
record not-an-install-failure git-log-and-make "make 4.3" "Error 1" "printf 'all:\n\techo compiling; false\n' > Makefile; make"
record not-an-install-failure nan-loss "$CPU" "nan" "../t213/bin/python -c 'import torch; x = torch.tensor([1.0, 0.0]); [print(f\"step {i} loss {(x.log() * 0).sum():.3f}\") for i in range(50)]'"
