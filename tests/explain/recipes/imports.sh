#!/usr/bin/env bash
# Binaries that do not fit. Needs $WORK/t213 (torch 2.13.0+cpu), $WORK/t214 (torch 2.14.1+cu130, torchvision 0.29.1), $WORK/tf4 (transformers 4.46.3 over t213),
# $WORK/old (numpy 2.2.6 over pandas 2.0.3, matplotlib 3.7.5), $WORK/wh (wheels) and $WORK/root-bullseye, $WORK/root-forky (debootstrap).
. "$(dirname "$0")/record.sh"
rm -rf "$WORK/project"; cp -r "$RECIPES/ext" "$WORK/project"; cd "$WORK/project" || exit 1
CPU="torch 2.13.0+cpu, Python 3.11.7"
CUDA="torch 2.14.1+cu130, Python 3.11.7"
with() { ../"$1"/bin/pip install -q --disable-pip-version-check --no-deps "${@:2}" >/dev/null 2>&1; }
without() { ../"$1"/bin/pip uninstall -q -y "${@:2}" >/dev/null 2>&1; }

with t213 ../wh/torchaudio-2.5.1*.whl ../wh/torchtext*.whl ../wh/torchvision-0.20*.whl
ALSO="abi-undefined-symbol-torch-version cpu-only-torch" record torchvision-mismatch torchaudio-2.5.1-cpu "torchaudio 2.5.1, $CPU" "libtorch_cuda.so: cannot open shared object file" "../t213/bin/python -c 'import torchaudio'"
ALSO=abi-undefined-symbol-torch-version record cxx11-abi-mismatch torchtext-0.18 "torchtext 0.18.0 (torch 2.3, cxx11abi FALSE), $CPU" "RKSs" "../t213/bin/python -c 'import torchtext'"
record torchvision-mismatch torchvision-0.20.1-cpu "torchvision 0.20.1, $CPU" "operator torchvision::nms does not exist" "../t213/bin/python -c 'import torchvision'"
record torchvision-mismatch ipython-colour "ipython 9, torchvision 0.20.1, $CPU" "torchvision::nms" "script -qec \"../t213/bin/ipython --no-banner --colors=Linux -c 'import torchvision'\" /dev/null"
record torchvision-mismatch pip-check "pip 23.2.1, torchvision 0.20.1, $CPU" "torchvision 0.20.1 has requirement torch==2.5.1" "../t213/bin/pip check"
without t213 torchaudio torchtext torchvision

with t214 ../wh/torchaudio-2.5.1*.whl
ALSO="abi-undefined-symbol-torch-version libcudart-missing-major-mismatch" record torchvision-mismatch torchaudio-2.5.1-cuda "torchaudio 2.5.1, $CUDA" "Could not load this library" "../t214/bin/python -c 'import torchaudio'"
without t214 torchaudio
with t214 ../wh/vllm_flash_attn*.whl
record libcudart-missing-major-mismatch vllm-flash-attn-cu12 "vllm-flash-attn 2.6.2 (CUDA 12), $CUDA" "libcudart.so.12: cannot open shared object file" "../t214/bin/python -c 'import vllm_flash_attn'"
record libcudart-missing-major-mismatch ldd "vllm-flash-attn 2.6.2 (CUDA 12), glibc 2.36" "libcudart.so.12 => not found" \
  "LD_LIBRARY_PATH=../t214/lib/python3.11/site-packages/torch/lib ldd ../t214/lib/python3.11/site-packages/vllm_flash_attn_2_cuda*.so"
mkdir -p cu12; (cd cu12 && unzip -qo "$WORK"/wh/nvidia_cuda_runtime_cu12*.whl)
record abi-undefined-symbol-torch-version vllm-flash-attn "vllm-flash-attn 2.6.2 (torch 2.4), $CUDA" "undefined symbol" \
  "LD_LIBRARY_PATH=$WORK/project/cu12/nvidia/cuda_runtime/lib ../t214/bin/python -c 'import vllm_flash_attn'"
without t214 vllm_flash_attn
with t214 ../wh/xformers-0.0.28*.whl
record xformers-torch-mismatch xformers-0.0.28 "xformers 0.0.28.post3 (torch 2.5.1+cu121), $CUDA" "xFormers can't load C++/CUDA extensions" "../t214/bin/python -c 'import xformers.ops'"
record xformers-torch-mismatch xformers-info "xformers 0.0.28.post3 (torch 2.5.1+cu121), $CUDA" "can't load C++/CUDA extensions" "../t214/bin/python -m xformers.info"
record xformers-torch-mismatch more-details "xformers 0.0.28.post3, $CUDA" "(you have 2.14.1+cu130)" "XFORMERS_MORE_DETAILS=1 ../t214/bin/python -c 'import xformers.ops'"
record xformers-torch-mismatch pip-conflict "pip 23.2.1, xformers 0.0.28.post3, $CUDA" "has requirement torch==2.5.1, but you have torch 2.14.1" "../t214/bin/pip check"
without t214 xformers; with t213 ../wh/xformers-0.0.28*.whl
record xformers-torch-mismatch cpu-torch "xformers 0.0.28.post3 (torch 2.5.1+cu121), $CPU" "you have 2.13.0+cpu" "../t213/bin/python -c 'import torch, xformers.ops as x; q = torch.randn(1, 8, 2, 16); x.memory_efficient_attention(q, q, q)'"
without t213 xformers

# An extension of our own, with the old std::string
printf '#include <torch/extension.h>\n\ntorch::Tensor scale(torch::Tensor q, double s) { TORCH_CHECK(q.dim() == 4, "q must be (b, h, s, d), got ", q.sizes()); return q * s; }\n\nPYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("scale", &scale); }\n' >attn_abi.cpp
sed 's/CUDAExtension/CppExtension/; s/"attn.cpp", "attn_kernel.cu"\]/"attn_abi.cpp"], extra_compile_args=["-D_GLIBCXX_USE_CXX11_ABI=0"]/; s/"attn_kernels"/"attn_abi0"/' setup.py >setup0.py
(PATH="$WORK/t213/bin:/usr/bin:/bin" ../t213/bin/python setup0.py build_ext --inplace) >setup0.txt 2>&1
record cxx11-abi-mismatch extension-abi0 "gcc 12.2.0 -D_GLIBCXX_USE_CXX11_ABI=0, $CPU" "undefined symbol" "../t213/bin/python -c 'import torch, attn_abi0'"

# glibc and libstdc++ of other releases
mkdir -p "$WORK/root-forky/src" "$WORK/root-bullseye/src"
printf '#include <iostream>\nextern "C" int f() { std::cout << "f\\n"; return 0; }\n' >"$WORK/root-forky/src/ext.cpp"
chroot "$WORK/root-forky" g++-14 -shared -fPIC -o /src/flash_attn_2_cuda.so /src/ext.cpp; cp "$WORK/root-forky/src/flash_attn_2_cuda.so" fa2.so
printf '#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\nint f(char* s) { return (int)fmod(strtol(s, 0, 10), 3.5); }\n' >"$WORK/root-forky/src/ext.c"
chroot "$WORK/root-forky" gcc-14 -shared -fPIC -o /src/flash_attn_interface.so /src/ext.c -lm; cp "$WORK/root-forky/src/flash_attn_interface.so" fa3.so
record libstdcxx-too-old gcc14-on-debian12 "built by g++ 14.4 on Debian testing, loaded on Debian 12" "GLIBCXX_3.4.32' not found" "python3.11 -c 'import ctypes; ctypes.CDLL(\"./fa2.so\")'"
record glibc-too-old testing-on-debian12 "built on Debian testing (glibc 2.43), loaded on Debian 12 (2.36)" "GLIBC_2.38' not found" "python3.11 -c 'import ctypes; ctypes.CDLL(\"./fa3.so\")'"
record glibc-too-old program-of-testing "g++ 15 of Debian testing on Debian 12" "GLIBC_2.38' not found" "../root-forky/usr/bin/x86_64-linux-gnu-g++-14 --version"
gcc -shared -fPIC -o "$WORK/root-bullseye/src/attn.so" -x c - <<'C'
#include <pthread.h>
#include <dlfcn.h>
int f(void) { pthread_t t; dlopen("x", 1); return pthread_create(&t, 0, 0, 0); }
C
record glibc-too-old debian12-on-debian11 "built on Debian 12 (glibc 2.36), Python 3.9.2 on Debian 11 (2.31)" "GLIBC_2.34' not found" "chroot $WORK/root-bullseye python3 -c 'import ctypes; ctypes.CDLL(\"/src/attn.so\")'"
printf '#include <string>\n#include <sstream>\nextern "C" int f() { std::ostringstream s; s << 1; std::string t(s.view()); t.reserve(100); return t.size(); }\n' | g++ -std=c++20 -shared -fPIC -x c++ -o "$WORK/root-bullseye/src/attn_cxx.so" -
record libstdcxx-too-old gcc12-on-debian11 "built by g++ 12.2 on Debian 12, loaded on Debian 11" "GLIBCXX_3.4.29' not found" "chroot $WORK/root-bullseye python3 -c 'import ctypes; ctypes.CDLL(\"/src/attn_cxx.so\")'"

record numpy2-abi pandas "pandas 2.0.3, numpy 2.2.6, Python 3.11.7" "numpy.dtype size changed" "../old/bin/python -c 'import pandas'"
record numpy2-abi matplotlib "matplotlib 3.7.5, numpy 2.2.6, Python 3.11.7" "compiled using NumPy 1.x cannot be run in" "../old/bin/python -c 'import matplotlib.pyplot'"

# CUDA libraries beside torch: a hard-linked copy of t214 takes the damage.
rm -rf "$WORK/t214c"; cp -rl "$WORK/t214" "$WORK/t214c"
NV=../t214c/lib/python3.11/site-packages/nvidia
mv $NV/cudnn $NV/cudnn.away
record cuda-libs-missing no-cudnn "$CUDA" "libcudnn.so.9: cannot open shared object file" "../t214c/bin/python -c 'import torch'"
mv $NV/cudnn.away $NV/cudnn; mv $NV/cusparselt $NV/cusparselt.away
record cuda-libs-missing no-cusparselt "$CUDA" "libcusparseLt.so.0: cannot open shared object file" "../t214c/bin/python -c 'import torch'"
mv $NV/cusparselt.away $NV/cusparselt; mv $NV/nccl $NV/nccl.away
record cuda-libs-missing no-nccl "$CUDA" "libnccl.so.2: cannot open shared object file" "../t214c/bin/python -c 'import torch'"
mv $NV/nccl.away $NV/nccl
../t214c/bin/python -m pip install -q --no-deps ../wh/nvidia_nccl_cu12*.whl >/dev/null 2>&1
record nccl-symbol-mismatch nccl-cu12-over-cu13 "nvidia-nccl-cu12 2.18.1 over nvidia-nccl-cu13 2.30.7, $CUDA" "undefined symbol: nccl" "../t214c/bin/python -c 'import torch'"
../t214c/bin/python -m pip install -q --force-reinstall --no-deps nvidia-nccl-cu13==2.30.7 >/dev/null 2>&1
../t214c/bin/python -m pip install -q --no-deps ../wh/nvidia_cudnn_cu12*.whl >/dev/null 2>&1
record cudnn-version-mismatch cudnn-cu12-over-cu13 "nvidia-cudnn-cu12 9.1.0.70 over nvidia-cudnn-cu13 9.24.0.43, $CUDA" "cuDNN version incompatibility" "../t214c/bin/python -c 'import torch; print(torch.backends.cudnn.version())'"
mkdir -p nvj; (cd nvj && "$WORK/t214/bin/pip" download -q --no-deps --only-binary :all: -d . nvidia-nvjitlink-cu12==12.1.105 nvidia-cusparse-cu12==12.3.1.170 >/dev/null 2>&1; for w in ./*.whl; do unzip -qo "$w"; done; rm ./*.whl)
record cuda-libs-conflict-ld-library-path nvjitlink "nvidia-nvjitlink-cu12 12.1.105 before nvidia-cusparse-cu12 12.3.1.170" "undefined symbol: __nvJitLink" \
  "LD_LIBRARY_PATH=$WORK/project/nvj/nvidia/nvjitlink/lib python3.11 -c 'import ctypes; ctypes.CDLL(\"nvj/nvidia/cusparse/lib/libcusparse.so.12\")'"

# flash-attn without its binaries
record fa-extension-missing skip-cuda-build "flash-attn 2.8.3 built with FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE, $CUDA" "No module named 'flash_attn_2_cuda'" \
  "FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE ../t214/bin/pip install --no-deps --no-build-isolation --no-cache-dir flash-attn==2.8.3 > /dev/null 2>&1; ../t214/bin/python -c 'from flash_attn import flash_attn_func'"
cp fa2.so ../t214/lib/python3.11/site-packages/flash_attn_2_cuda.so
record libstdcxx-too-old flash-attn-import "flash-attn 2.8.3 beside a binary of g++ 14.4, $CUDA, Debian 12" "GLIBCXX_3.4.32' not found" "../t214/bin/python -c 'from flash_attn import flash_attn_func'"
gcc -shared -fPIC -I$INCLUDE stub.c -o ../t214/lib/python3.11/site-packages/flash_attn_2_cuda.so
record fa-extension-missing layer-norm "flash-attn 2.8.3, $CUDA" "No module named 'dropout_layer_norm'" "../t214/bin/python -c 'from flash_attn.ops.layer_norm import dropout_add_layer_norm'"
record fa-extension-missing fused-dense "flash-attn 2.8.3, $CUDA" "No module named 'fused_dense_lib'" "../t214/bin/python -c 'from flash_attn.ops.fused_dense import FusedDense'"
record fa3-import-abi flash-attn-interface "flash-attn 2.8.3 where FA3 is asked for, $CUDA" "No module named 'flash_attn_interface'" "../t214/bin/python -c 'from flash_attn_interface import flash_attn_func'"
rm ../t214/lib/python3.11/site-packages/flash_attn_2_cuda.so
without t214 flash-attn
with t214 ../wh/flash_attn_4*.whl
record fa4-cute-dsl-mismatch no-cutlass-dsl "flash-attn-4 4.0.0b36, $CUDA" "No module named 'cutlass'" "../t214/bin/python -c 'import flash_attn.cute'"
without t214 flash-attn-4

# Last, as it spoils the copy: a dependency that takes torch away. TORCH_WHEELS is a folder with the wheel of torch 2.13.0+cpu.
if [[ -n ${TORCH_WHEELS:-} ]]; then
  mkdir -p bench && printf '[project]\nname = "attn-bench"\nversion = "0.2"\ndependencies = ["torch<2.14"]\n' >bench/pyproject.toml
  record torch-swapped-by-dependency bench-pins-old-torch "pip 23.2.1, $CUDA, torchvision 0.29.1" "requires torch>=2.14.0, but you have torch 2.13.0+cpu" \
    "../t214c/bin/python -m pip install --no-cache-dir --find-links \"$TORCH_WHEELS\" ./bench; ../t214c/bin/python -c 'import torchvision'"
fi
