#!/usr/bin/env bash
# Sources that do not compile, memory and disk limits, permissions, file systems. Needs root and what build.sh needs.
. "$(dirname "$0")/record.sh"
rm -rf "$WORK/project"; cp -r "$RECIPES/ext" "$WORK/project"; cd "$WORK/project" || exit 1
TORCH="torch 2.14.1+cu130, Python 3.11.7"
GCC="gcc 12.2.0"
INC=../t214/lib/python3.11/site-packages/torch/include
ACTIVATE="export PATH=$WORK/t214/bin:/usr/local/cuda-13.0/bin:/usr/bin:/bin CUDA_HOME=/usr/local/cuda-13.0 TORCH_CUDA_ARCH_LIST=9.0; rm -rf build;"

record cxx-standard-mismatch-torch own-extension-c++17 "$TORCH, ninja, $GCC" "C++20" \
  "$ACTIVATE sed 's/\"attn_kernel.cu\"\]/&, extra_compile_args=[\"-std=c++17\"]/' setup.py > setup17.py; ../t214/bin/python setup17.py build_ext --inplace"
record cxx-standard-mismatch-torch flash-attn-2.8.3 "pip 23.2.1, flash-attn 2.8.3, nvcc 13.0.88, $TORCH" "C++20 or later compatible compiler is required" \
  "$ACTIVATE FLASH_ATTENTION_FORCE_BUILD=TRUE MAX_JOBS=1 ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3"
record cxx-standard-mismatch-torch gcc-french "$TORCH, gcc 12.2.0 in French" "C++20" \
  "$ACTIVATE export LC_ALL=fr_FR.UTF-8 LANGUAGE=fr; c++ -std=c++17 -fPIC -c attn.cpp -o attn.o -I$INC -I$INC/torch/csrc/api/include -I$INCLUDE 2>&1 | head -60"
printf '#include <torch/extension.h>\n#include <THC/THC.h>\n\nextern THCState* state;\n' >thc.cpp
printf '#include <torch/all.h>\n\nvoid check(torch::Tensor q) {\n  AT_CHECK(q.type().is_cuda(), "q must be a CUDA tensor");\n  float* p = q.data<float>();\n  (void)p;\n}\n' >old_api.cpp
record source-incompatible-torch-api thc-header "$TORCH, $GCC" "THC/THC.h: No such file or directory" \
  "sed 's/attn.cpp\", \"attn_kernel.cu/thc.cpp/; s/CUDAExtension/CppExtension/' setup.py > setup_thc.py; $ACTIVATE ../t214/bin/python setup_thc.py build_ext --inplace"
record source-incompatible-torch-api at-check "$TORCH, $GCC" "AT_CHECK" "c++ -std=c++20 -c old_api.cpp -I$INC -I$INC/torch/csrc/api/include"
record source-incompatible-torch-api thc-header-german "$TORCH, gcc 12.2.0 in German" "THC/THC.h: Datei oder Verzeichnis nicht gefunden" \
  "export LC_ALL=de_DE.UTF-8 LANGUAGE=de; printf '#include <THC/THC.h>\n' > thc2.cpp; c++ -std=c++20 -c thc2.cpp -I$INC"
record cuda-headers-incomplete gcc-chinese "gcc 12.2.0 in Chinese" "cuda_runtime.h" \
  "export LC_ALL=zh_CN.UTF-8 LANGUAGE=zh_CN; printf '#include <cuda_runtime.h>\n' > rt.cpp; c++ -c rt.cpp"
record cutlass-submodule-missing flash-attn-2.8.3-assert "flash-attn 2.8.3 without csrc/cutlass, $TORCH" "csrc/cutlass is missing" \
  "$ACTIVATE cp -r ../src/flash_attn-2.8.3 fa && rm -rf fa/csrc/cutlass && cd fa && FLASH_ATTENTION_FORCE_BUILD=TRUE ../../t214/bin/python setup.py install"
record cutlass-submodule-missing flash-attn-2.5.8-compile "flash-attn 2.5.8 with an empty csrc/cutlass, nvcc 13.0.88, $TORCH" "cutlass/numeric_types.h: No such file or directory" \
  "$ACTIVATE cp -r ../src/flash_attn-2.5.8 fa2 && rm -rf fa2/build fa2/csrc/cutlass && mkdir fa2/csrc/cutlass && cd fa2 && sed -i 's/c++17/c++20/' setup.py && CPATH=$WORK/t214/lib/python3.11/site-packages/nvidia/cu13/include MAX_JOBS=1 FLASH_ATTENTION_FORCE_BUILD=TRUE ../../t214/bin/pip install --no-deps --no-build-isolation ."
record cuda-headers-incomplete flash-attn-2.5.8-cusparse "flash-attn 2.5.8, a toolkit of nvcc 13.0.88 and the runtime only, $TORCH" "cusparse.h: No such file or directory" \
  "$ACTIVATE cp -r ../src/flash_attn-2.5.8 fa3 && rm -rf fa3/build && cd fa3 && sed -i 's/c++17/c++20/' setup.py && MAX_JOBS=1 FLASH_ATTENTION_FORCE_BUILD=TRUE ../../t214/bin/pip install --no-deps --no-build-isolation ."
record cutlass-submodule-missing nvcc-cute-header "flash-attn 2.8.3 without csrc/cutlass, nvcc 13.0.88" "cute/tensor.hpp: No such file or directory" \
  "$ACTIVATE printf '#include \"utils.h\"\n' > one.cu; nvcc -std=c++20 -I../src/flash_attn-2.8.3/csrc/flash_attn/src -c one.cu -o one.o"

# Memory
for g in cc nvcc; do mkdir -p /sys/fs/cgroup/memory/small_$g; done
echo 200M >/sys/fs/cgroup/memory/small_cc/memory.limit_in_bytes
echo 60M >/sys/fs/cgroup/memory/small_nvcc/memory.limit_in_bytes
IN_CC='echo $$ > /sys/fs/cgroup/memory/small_cc/cgroup.procs;'
IN_NVCC='echo $$ > /sys/fs/cgroup/memory/small_nvcc/cgroup.procs;'
printf '#include <torch/all.h>\nint f() { return 0; }\n' >big.cpp
record build-oom-killed cgroup-cc1plus "$GCC, $TORCH, a memory cgroup of 200 MB" "Killed signal terminated program cc1plus" \
  "$IN_CC c++ -std=c++20 -c big.cpp -I$INC -I$INC/torch/csrc/api/include"
record build-oom-killed ulimit-cc1plus "$GCC, $TORCH, ulimit -v" "virtual memory exhausted" \
  "ulimit -v 400000; c++ -std=c++20 -c big.cpp -I$INC -I$INC/torch/csrc/api/include"
record build-oom-killed ulimit-cc1plus-allocating "$GCC, ulimit -v" "out of memory allocating" \
  "head -c 120000000 /dev/zero | tr '\\0' ' ' > wide.cpp; ulimit -v 150000; c++ -c wide.cpp"
record build-oom-killed cgroup-ninja-flash-attn "ninja, $GCC, $TORCH, a memory cgroup of 200 MB" "Killed" \
  "printf 'rule cxx\n  command = c++ -std=c++20 -c \$in -o \$out -I$INC -I$INC/torch/csrc/api/include\nbuild a.o: cxx big.cpp\nbuild b.o: cxx big.cpp\n' > build.ninja; $IN_CC ninja -v"
record build-oom-killed cgroup-nvcc "nvcc 13.0.88, a memory cgroup of 60 MB" "Killed" \
  "$ACTIVATE $IN_NVCC nvcc -gencode arch=compute_90,code=sm_90 -c attn_kernel.cu -o attn_kernel.o"
record build-oom-killed cgroup-pip-killed "pip 23.2.1, a memory cgroup of 60 MB" "Killed" \
  "python3.11 -m venv v; bash -c 'echo \$\$ > /sys/fs/cgroup/memory/small_nvcc/cgroup.procs; v/bin/pip install --no-cache-dir --no-deps ../wh/nvidia_cudnn_cu12-9.1.0.70-py3-none-manylinux2014_x86_64.whl; exit \$?'"
record build-oom-killed kernel-log "Linux 6.18, cgroup v1" "out of memory: Killed process" "dmesg | grep -E 'out of memory: Killed process' | tail -3"

# Disk
mkdir -p "$WORK/small"; mount -t tmpfs -o size=30m none "$WORK/small"; python3.11 -m venv --without-pip "$WORK/small/venv"
record disk-full pip-no-space "pip 23.2.1, a file system of 30 MB" "No space left on device" \
  "../t213/bin/pip --python ../small/venv/bin/python install --no-deps numpy"
record disk-full uv-no-space "uv 0.13.9, a file system of 30 MB" "No space left on device" \
  "VIRTUAL_ENV=../small/venv uv pip install --no-deps numpy pandas"
record disk-full gcc-tmp "$GCC, TMPDIR of 30 MB" "No space left on device" \
  "dd if=/dev/zero of=../small/fill bs=1M count=40 2>/dev/null; TMPDIR=$WORK/small c++ -std=c++20 -c big.cpp -I$INC -I$INC/torch/csrc/api/include"
record disk-full git-clone "git 2.39.5, a full file system" "No space left on device" "git clone file://$WORK/repo ../small/flash-attention"
umount "$WORK/small"

# Permissions
chmod 755 "$WORK" "$WORK/project"
AS_NOBODY='setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent'
record permission-denied pip-uninstall-root-venv "pip 23.0.1, Python 3.11.2 of Debian 12" "Permission denied" \
  "/usr/bin/python3 -m venv sys; sys/bin/pip install -q einops==0.7.0; $AS_NOBODY sys/bin/pip install --no-user --no-deps einops==0.8.0"
record permission-denied uv-root-venv "uv 0.13.9" "Permission denied" \
  "$AS_NOBODY UV_CACHE_DIR=/tmp/uv-nobody VIRTUAL_ENV=$WORK/project/sys $WORK/uv pip install --no-deps packaging"
record permission-denied build-folder "setuptools 66.1.1, Python 3.11.2" "Permission denied" \
  "sys/bin/pip install -q setuptools wheel; $AS_NOBODY sys/bin/python setup_plain.py bdist_wheel"
record permission-denied git-clone-opt "git 2.39.5" "Permission denied" "$AS_NOBODY git clone file://$WORK/repo /srv/flash-attention"

# Git
mkdir -p repo; (cd repo && git init -q -b main . && printf '[submodule "csrc/cutlass"]\n\tpath = csrc/cutlass\n\turl = https://github.invalid/NVIDIA/cutlass.git\n' >.gitmodules && git add . && git -c user.email=a@example.org -c user.name=a commit -qm one && git update-index --add --cacheinfo 160000,751eb9a8859ac36bfc77551e9e8a957c31a5a8ee,csrc/cutlass && git -c user.email=a@example.org -c user.name=a commit -qm two)
chown -R 65534:65534 repo
record git-source-problem dubious-ownership "git 2.39.5" "detected dubious ownership" "cd repo && git submodule update --init csrc/cutlass"
chown -R 0:0 repo
record git-source-problem submodule-clone-failed "git 2.39.5" "Failed to clone 'csrc/cutlass'" "git clone --recursive file://$WORK/project/repo clone"
record git-source-problem pip-git-unreachable "pip 23.2.1, git 2.39.5" "git clone" "../t213/bin/pip install 'git+https://github.com/Dao-AILab/flash-attention.git@v2.8.3'"
record git-source-problem pip-no-git "pip 23.2.1" "Cannot find command 'git'" "PATH=$WORK/t213/bin ../t213/bin/pip install 'git+https://github.com/Dao-AILab/flash-attention.git@v2.8.3'"
record git-source-problem uv-git-unreachable "uv 0.13.9, git 2.39.5" "git" "VIRTUAL_ENV=../t213 uv pip install 'git+https://github.com/Dao-AILab/flash-attention.git@v2.8.3'"
record git-source-problem pip-submodule "pip 23.2.1, git 2.39.5" "git submodule update" "../t213/bin/pip install git+file://$WORK/project/repo"

# File systems
mkdir -p "$WORK/noexec" "$WORK/ro"; mount -t tmpfs -o size=200m,noexec none "$WORK/noexec"; mount -t tmpfs -o size=20m none "$WORK/ro"
python3.11 -m venv --without-pip "$WORK/ro/venv"; mount -o remount,ro "$WORK/ro"
record tmp-or-cache-filesystem read-only-venv "pip 23.2.1, a read-only file system" "Read-only file system" "../t213/bin/pip --python ../ro/venv/bin/python install --no-deps einops==0.8.0"
record tmp-or-cache-filesystem uv-read-only-venv "uv 0.13.9, a read-only file system" "Read-only file system" "VIRTUAL_ENV=../ro/venv uv pip install --no-deps einops==0.8.0"
record tmp-or-cache-filesystem noexec-inductor "torch 2.13.0+cpu, a noexec TMPDIR" "failed to map segment from shared object" \
  "TMPDIR=$WORK/noexec TORCHINDUCTOR_CACHE_DIR=$WORK/noexec/inductor ../t213/bin/python -c 'import torch; f = torch.compile(lambda x: torch.softmax(x @ x, 0)); print(f(torch.ones(4, 4)))'"
record tmp-or-cache-filesystem cross-device-rename "Python 3.11.7, the rename of flash-attn 2.8.3's setup.py" "Invalid cross-device link" \
  "cp ../wh/xformers-0.0.35-py39-none-manylinux_2_28_x86_64.whl flash_attn-2.8.3.whl; printf 'import os\n\nwheel_filename, wheel_path = \"flash_attn-2.8.3.whl\", \"$WORK/noexec/flash_attn-2.8.3.whl\"\nprint(\"Raw wheel path\", wheel_path)\nos.rename(wheel_filename, wheel_path)\n' > move.py; python3.11 move.py"
umount "$WORK/noexec" "$WORK/ro"
