#!/usr/bin/env bash
# shellcheck disable=SC2034
# Failed source builds. Needs $WORK/t214 (a venv with torch 2.14.1+cu130, ninja, wheel, packaging, psutil, einops), $WORK/src (unpacked sdists),
# $WORK/cuda-11.8 (nvcc 11.8 of Debian 12), CUDA 13.0 in /usr/local/cuda-13.0, gcc 11, 12 and clang 19 of Debian 12, $WORK/gcc-9 (g++ 9 of Debian 11).
. "$(dirname "$0")/record.sh"
rm -rf "$WORK/project"; cp -r "$RECIPES/ext" "$WORK/project"; cd "$WORK/project" || exit 1
TORCH="torch 2.14.1+cu130, Python 3.11.7"
NVCC13="nvcc 13.0.88, gcc 12.2.0"
NVCC11="nvcc 11.8.89, gcc 12.2.0"
python3.11 -m venv .venv
# shellcheck disable=SC2016
ACTIVATE='export PATH=../t214/bin:/usr/local/cuda-13.0/bin:/usr/bin:/bin CUDA_HOME=/usr/local/cuda-13.0 TORCH_CUDA_ARCH_LIST=9.0 MAX_JOBS=2; rm -rf build;'
OLD_CUDA="${ACTIVATE/CUDA_HOME=\/usr\/local\/cuda-13.0/CUDA_HOME=$WORK\/cuda-11.8}"
OLD_CUDA="${OLD_CUDA/\/usr\/local\/cuda-13.0\/bin/$WORK\/cuda-11.8\/bin}"
NO_CUDA='export PATH=../t214/bin:/usr/bin:/bin:$WORK; unset CUDA_HOME CUDA_PATH; rm -rf build;'

# No build tools, no toolkit
record build-deps-missing pip-no-torch-no-isolation "pip 23.2.1, flash-attn 2.8.3" "ModuleNotFoundError" \
  ".venv/bin/pip install --no-deps --no-build-isolation flash-attn==2.8.3"
record build-deps-missing uv-no-setuptools "uv 0.13.9, Python 3.11.7, flash-attn 2.5.8" "setuptools" \
  "uv venv -q --clear u; VIRTUAL_ENV=u uv pip install --no-deps --no-build-isolation flash-attn==2.5.8"
record build-deps-missing pip-no-wheel "pip 23.2.1, setuptools 65.5.0" "invalid command 'bdist_wheel'" \
  ".venv/bin/pip install -q packaging; .venv/bin/python -c 'import setuptools' && .venv/bin/python setup_plain.py bdist_wheel"
record build-deps-missing setup-no-psutil "flash-attn 2.8.3, $TORCH" "No module named 'psutil'" \
  "$NO_CUDA mkdir -p hide/psutil; echo 'raise ModuleNotFoundError(\"No module named '\\''psutil'\\''\", name=\"psutil\")' > hide/psutil/__init__.py; cd ../src/flash_attn-2.8.3 && PYTHONPATH=$WORK/project/hide FLASH_ATTENTION_FORCE_BUILD=TRUE CUDA_HOME=/usr/local/cuda-13.0 ../../t214/bin/python setup.py bdist_wheel"
RUNNER=$RECIPES/without_cuda.sh
record nvcc-missing-cuda-home own-extension "$TORCH" "CUDA_HOME environment variable is not set" "$NO_CUDA ../t214/bin/python setup.py build_ext --inplace"
record nvcc-missing-cuda-home flash-attn-pip "pip 23.2.1, flash-attn 2.8.3, $TORCH" "nvcc was not found" \
  "$NO_CUDA ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3"
record nvcc-missing-cuda-home flash-attn-2.5.8-setup "flash-attn 2.5.8, $TORCH" "nvcc was not found" \
  "$NO_CUDA cd ../src/flash_attn-2.5.8 && ../../t214/bin/python setup.py install"
record nvcc-missing-cuda-home mamba-uv "uv 0.13.9, mamba-ssm 1.2.0.post1, $TORCH" "nvcc was not found" \
  "$NO_CUDA VIRTUAL_ENV=../t214 $WORK/uv pip install --no-cache --no-deps --no-build-isolation mamba-ssm==1.2.0.post1"
record nvcc-missing-cuda-home github-actions-timestamps "flash-attn 2.8.3, $TORCH" "nvcc was not found" \
  "$NO_CUDA ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3" \
  "awk '{printf \"2026-11-25T13:%02d:%02d.%07dZ %s\\n\", 20, 10 + NR / 9, NR * 123457 % 10000000, \$0}'"
record nvcc-missing-cuda-home cmake-no-cuda-compiler "cmake 3.25.1" "Failed to find nvcc" \
  "$NO_CUDA mkdir -p cm; printf 'cmake_minimum_required(VERSION 3.18)\nproject(attn LANGUAGES CXX CUDA)\n' > cm/CMakeLists.txt; cmake -S cm -B cm/build"
record nvcc-missing-cuda-home cpp-extension-load "$TORCH, ninja" "CUDA_HOME environment variable is not set" \
  "$NO_CUDA ../t214/bin/python -c 'from torch.utils.cpp_extension import load; load(\"attn\", [\"attn.cpp\", \"attn_kernel.cu\"])'"
record nvcc-missing-cuda-home shell-nvcc-not-found "bash 5.2" "nvcc: command not found" "$NO_CUDA nvcc --version; ls -d /usr/local/cuda*"
unset RUNNER
record tls-proxy-download causal-conv1d-release-wheel "pip 23.2.1, causal-conv1d 1.4.0, $TORCH" "urlopen error" \
  "$ACTIVATE ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir causal-conv1d==1.4.0"
record cuda-home-malformed leading-colon "$TORCH" ":/usr/local/cuda-13.0/bin/nvcc" \
  "$NO_CUDA export CUDA_HOME=:/usr/local/cuda-13.0 TORCH_CUDA_ARCH_LIST=9.0; ../t214/bin/python setup.py build_ext --inplace"
record cuda-home-malformed nonexistent-flash-attn "flash-attn 2.8.3, $TORCH" "No such file or directory: '/usr/local/cuda-12.4/bin/nvcc'" \
  "$NO_CUDA export CUDA_HOME=/usr/local/cuda-12.4; ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3"
record cuda-home-malformed points-at-bin "$TORCH" "/usr/local/cuda-13.0/bin/bin/nvcc" \
  "$NO_CUDA export CUDA_HOME=/usr/local/cuda-13.0/bin TORCH_CUDA_ARCH_LIST=9.0; ../t214/bin/python setup.py build_ext --inplace"

# Toolkit against torch, architecture and compiler
record cuda-toolkit-torch-mismatch own-extension "nvcc 11.8.89, $TORCH" "mismatches the version that was used to compile" \
  "$OLD_CUDA ../t214/bin/python setup.py build_ext --inplace"
record cuda-toolkit-torch-mismatch flash-attn-pip "pip 23.2.1, flash-attn 2.8.3, nvcc 11.8.89, $TORCH" "mismatches the version that was used to compile" \
  "$OLD_CUDA FLASH_ATTENTION_FORCE_BUILD=TRUE ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3"
record cuda-toolkit-torch-mismatch mamba-uv "uv 0.13.9, mamba-ssm 1.2.0.post1, nvcc 11.8.89, $TORCH" "mismatches the version" \
  "$OLD_CUDA MAMBA_FORCE_BUILD=TRUE VIRTUAL_ENV=../t214 $WORK/uv pip install --no-cache --no-deps --no-build-isolation mamba-ssm==1.2.0.post1"
record cuda-toolkit-too-old flash-attn-3 "flash-attn 2.8.3 hopper, nvcc 11.8.89, $TORCH" "only supported on CUDA 12.3 and above" \
  "$OLD_CUDA cd ../src/flash_attn-2.8.3/hopper && ../../../t214/bin/python setup.py install"
record cuda-toolkit-too-old nvcc-11-no-c++20 "$NVCC11" "Value 'c++20' is not defined for option 'std'" \
  "$OLD_CUDA nvcc -std=c++20 -c attn_kernel.cu -o attn_kernel.o"
record nvcc-arch-unsupported nvcc11-compute-120 "$NVCC11" "Unsupported gpu architecture 'compute_120'" \
  "$OLD_CUDA nvcc -gencode arch=compute_120,code=sm_120 -c attn_kernel.cu -o attn_kernel.o"
record nvcc-arch-unsupported nvcc13-compute-50-extension "$NVCC13, $TORCH" "Unsupported gpu architecture 'compute_50'" \
  "$ACTIVATE TORCH_CUDA_ARCH_LIST=5.0 ../t214/bin/python setup.py build_ext --inplace"
record nvcc-arch-unsupported cmake-compute-70 "cmake 3.25.1, $NVCC13" "Unsupported gpu architecture 'compute_70'" \
  "$ACTIVATE cmake -S cm -B cm/build3 -DCMAKE_CUDA_ARCHITECTURES=70"
record nvcc-arch-unsupported nvcc13-sm-70 "$NVCC13" "sm_70" "$ACTIVATE nvcc -arch=sm_70 -c attn_kernel.cu -o attn_kernel.o"
record arch-list-invalid word "$TORCH" "Unknown CUDA arch (banana)" "$ACTIVATE TORCH_CUDA_ARCH_LIST=banana ../t214/bin/python setup.py build_ext --inplace"
record arch-list-invalid unknown-number "$TORCH" "Unknown CUDA arch (13.7)" "$ACTIVATE TORCH_CUDA_ARCH_LIST='9.0;13.7' ../t214/bin/python setup.py build_ext --inplace"
record arch-list-invalid empty-no-gpu "$TORCH" "IndexError: list index out of range" "$ACTIVATE unset TORCH_CUDA_ARCH_LIST; ../t214/bin/python setup.py build_ext --inplace"
record host-compiler-too-new nvcc11-gcc12 "$NVCC11" "unsupported GNU version" "$OLD_CUDA nvcc -c attn_kernel.cu -o attn_kernel.o"
record host-compiler-too-new nvcc11-clang19 "nvcc 11.8.89, clang 19.1.7" "unsupported clang version" "$OLD_CUDA nvcc -ccbin clang++-19 -c attn_kernel.cu -o attn_kernel.o"
record host-compiler-too-new extension-nvcc11-gcc12 "$NVCC11, ninja" "unsupported GNU version" \
  "$OLD_CUDA printf 'rule nvcc\n  command = nvcc -c \$in -o \$out\nbuild attn_kernel.o: nvcc attn_kernel.cu\n' > build.ninja; ninja"
record host-compiler-too-old g++9-c++20-extension "g++ 9.3.0, $TORCH" "unrecognized command line option" \
  "$ACTIVATE export CXX=$WORK/gcc-9/bin/g++ CC=$WORK/gcc-9/bin/gcc; ../t214/bin/python setup.py build_ext --inplace"
record host-compiler-too-old nvcc13-g++9 "g++ 9.3.0, nvcc 13.0.88" "flag is not supported with the configured host compiler" \
  "$ACTIVATE nvcc -ccbin $WORK/gcc-9/bin/g++ -std=c++20 -c attn_kernel.cu -o attn_kernel.o"
record cuda-headers-incomplete no-cuda-runtime-h "nvcc 13.5.37 of the PyPI wheels without the runtime wheel, gcc 12.2.0" "cuda_runtime.h: No such file or directory" \
  "$ACTIVATE $WORK/nvcc-wheel/nvidia/cu13/bin/nvcc -c attn_kernel.cu -o attn_kernel.o"
record cuda-headers-incomplete no-cusparse-h "gcc 12.2.0, $TORCH" "cusparse.h: No such file or directory" \
  "$ACTIVATE printf '#include <ATen/cuda/CUDAContext.h>\n' > ctx.cpp; c++ -std=c++20 -c ctx.cpp -I../t214/lib/python3.11/site-packages/torch/include -I$WORK/cuda-small/include"
record cuda-headers-incomplete no-cudart-lib "gcc 12.2.0" "cannot find -lcudart" \
  "$ACTIVATE nvcc -Xcompiler -fPIC -c attn_kernel.cu -o attn_kernel.o && g++ -shared attn_kernel.o -L../cuda-small/lib64 -lcudart -o attn.so"
