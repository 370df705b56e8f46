#!/usr/bin/env bash
# Other Pythons, other platforms, other Debian releases. Needs pyenv's Pythons 3.8 to 3.13 and $WORK/root-forky (Debian testing, g++ 14 and 16), root.
. "$(dirname "$0")/record.sh"
mkdir -p "$WORK/project2"; cd "$WORK/project2" || exit 1
for v in 3.8.18 3.13.0 3.9.18 3.7.16; do $PYTHONS/$v/bin/python -m venv "v$v"; done
ALSO=python-version-unsupported record no-matching-distribution pip-38-transformers "pip 23.0.1, Python 3.8.18" "No matching distribution found for transformers>=5" "v3.8.18/bin/pip install 'transformers>=5'"
record python-version-unsupported pip-38-wheel "pip 23.0.1, Python 3.8.18" "requires a different Python" \
  "v3.8.18/bin/pip install --no-deps ../wh/flash_attn_4-4.0.0b36-py3-none-any.whl"
record python-version-unsupported pip-313-numba "pip 24.2, Python 3.13.0" "Cannot install on Python version 3.13.0" "v3.13.0/bin/pip install --no-deps --no-binary numba numba==0.60.0"
record python-version-unsupported uv-requires-python "uv 0.13.9, Python 3.9.18" "does not satisfy Python>=3.11.0" "uv pip install --python v3.9.18/bin/python 'transformers>=5'"
ALSO=python-version-unsupported record no-matching-distribution pip-313-torch-2.4 "pip 24.2, Python 3.13.0" "No matching distribution found for torch==2.4.1" "v3.13.0/bin/pip install torch==2.4.1"
ALSO=python-version-unsupported record no-matching-distribution pip-37-torch "pip 22.0.4, Python 3.7.16" "No matching distribution found" "v3.7.16/bin/pip install torch==2.6.0"
ALSO="python-version-unsupported no-matching-distribution" record wheel-python-tag-mismatch uv-torch-no-cp313 "uv 0.13.9, Python 3.13.0" "cp313" "uv pip install --python v3.13.0/bin/python torch==2.4.1"
ALSO="no-matching-distribution wheel-platform-mismatch" record aarch64-no-wheel uv-xformers "uv 0.13.9 for aarch64 Linux, Python 3.9.18" "xformers" "uv pip install --python v3.13.0/bin/python --python-platform aarch64-unknown-linux-gnu --only-binary :all: --no-deps xformers==0.0.35"
ALSO="no-matching-distribution wheel-platform-mismatch" record aarch64-no-wheel pip-download-xformers "pip 24.2 for manylinux2014_aarch64" "No matching distribution found" \
  "v3.13.0/bin/pip download --no-deps --only-binary :all: --platform manylinux2014_aarch64 --python-version 311 xformers==0.0.32.post2"
ALSO="no-matching-distribution macos-no-cuda" record wheel-platform-mismatch uv-torch-old-macos "uv 0.13.9 for x86_64 macOS" "macos" "uv pip install --python v3.13.0/bin/python --python-platform x86_64-apple-darwin --only-binary :all: --no-deps torch==2.8.0"
record externally-managed-environment debian-testing-pip "pip and Python 3.14 of Debian testing" "externally-managed-environment" "chroot $WORK/root-forky python3 -m pip install flash-attn"

FORKY=$WORK/root-forky
mkdir -p "$FORKY/usr/local/cuda-13.0" "$FORKY/src"; cp "$RECIPES"/ext/* "$FORKY/src/"
mount --bind /usr/local/cuda-13.0 "$FORKY/usr/local/cuda-13.0"
record host-compiler-too-new nvcc13-gcc16 "nvcc 13.0.88, gcc 16.2.0 of Debian testing" "unsupported GNU version" \
  "chroot $FORKY /usr/local/cuda-13.0/bin/nvcc -std=c++20 -arch=sm_90 -c /src/attn_kernel.cu -o /src/attn_kernel.o"
record glibc-cuda-header-conflict nvcc13-glibc2.43 "nvcc 13.0.88, gcc 14.4.0, glibc 2.43 of Debian testing" "exception specification is incompatible" \
  "chroot $FORKY /usr/local/cuda-13.0/bin/nvcc -ccbin g++-14 -std=c++20 -arch=sm_90 -c /src/attn_kernel.cu -o /src/attn_kernel.o"
umount "$FORKY/usr/local/cuda-13.0"
mkdir -p "$FORKY/usr/local/cuda-11.8"; mount --bind "$WORK/cuda-11.8" "$FORKY/usr/local/cuda-11.8"
record host-compiler-too-new nvcc11-gcc14-unsupported-allowed "nvcc 11.8.89, gcc 14.4.0 with -allow-unsupported-compiler, glibc 2.43 of Debian testing" "user-defined literal operator not found" \
  "chroot $FORKY /usr/local/cuda-11.8/bin/nvcc -allow-unsupported-compiler -ccbin g++-14 -c /src/attn_kernel.cu -o /src/attn_kernel.o"
umount "$FORKY/usr/local/cuda-11.8"
