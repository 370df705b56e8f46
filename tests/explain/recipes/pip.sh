#!/usr/bin/env bash
# Package installers: isolation, tags, hashes, permissions, networks. Needs $WORK/t213 (a venv with torch 2.13.0 for the CPU, numpy, ninja),
# $WORK/base (a venv with poetry, pdm and a new pip), $WORK/sd (source archives) and uv on the path.
. "$(dirname "$0")/record.sh"
PY=python3.11
OLD="pip 23.2.1, Python 3.11.7"
NEW="pip 26.3, Python 3.11.7"
fresh() { rm -rf "$WORK/project"; mkdir -p "$WORK/project"; cd "$WORK/project" || exit 1; $PY -m venv .venv; }
newpip() { .venv/bin/python -m pip install -q --disable-pip-version-check -U pip >/dev/null 2>&1; }

fresh
record torch-missing-build-isolation pip23-flash-attn-2.5.8 "$OLD, flash-attn 2.5.8 sdist" "ModuleNotFoundError: No module named 'torch'" \
  ".venv/bin/pip install --no-deps flash-attn==2.5.8"
newpip
record torch-missing-build-isolation pip26-flash-attn-2.8.3 "$NEW, flash-attn 2.8.3 sdist" "ModuleNotFoundError: No module named 'torch'" \
  ".venv/bin/pip install flash-attn==2.8.3 --no-cache-dir"
record torch-missing-build-isolation pip26-xformers-terminal "$NEW, xformers 0.0.28.post3 sdist" "No module named 'torch'" \
  "script -qec '.venv/bin/pip install --no-deps --no-binary xformers xformers==0.0.28.post3' /dev/null"
record torch-missing-build-isolation pip26-mamba-ssm-verbose "$NEW, mamba-ssm 1.2.0.post1 sdist" "No module named 'torch'" \
  ".venv/bin/pip install -v --no-deps mamba-ssm==1.2.0.post1"
record torch-missing-build-isolation docker-prefix-causal-conv1d "$NEW, causal-conv1d 1.4.0 sdist" "No module named 'torch'" \
  ".venv/bin/pip install --no-deps causal-conv1d==1.4.0" "awk '{printf \"#12 %.3f %s\\n\", 4.1 + NR * 0.013, \$0}'"
record torch-missing-build-isolation requirements-file "$NEW, flash-attn 2.5.8 sdist" "No module named 'torch'" \
  "printf 'numpy\nflash-attn==2.5.8\n' > requirements.txt; .venv/bin/pip install -r requirements.txt"

record uv-build-isolation uv-pip-flash-attn "uv 0.13.9, flash-attn 2.5.8 sdist" "No module named 'torch'" \
  "uv pip install --no-deps flash-attn==2.5.8"
printf '[project]\nname = "train"\nversion = "0.1"\nrequires-python = ">=3.11,<3.12"\ndependencies = ["flash-attn==2.8.3"]\n' > pyproject.toml
record uv-build-isolation uv-sync-flash-attn "uv 0.13.9, flash-attn 2.8.3 sdist" "No module named 'torch'" "uv sync --no-cache"
printf '[project]\nname = "train"\nversion = "0.1"\nrequires-python = ">=3.11,<3.12"\ndependencies = []\n' > pyproject.toml
record uv-build-isolation uv-add-flash-attn "uv 0.13.9, flash-attn 2.5.8 sdist" "No module named 'torch'" "uv add flash-attn==2.5.8"
record uv-build-isolation uv-add-terminal "uv 0.13.9, causal-conv1d 1.4.0 sdist" "No module named 'torch'" \
  "script -qec 'uv add causal-conv1d==1.4.0' /dev/null"

mkdir attn_kernels
cat >attn_kernels/setup.py <<'PY'
from setuptools import setup
from torch.utils.cpp_extension import BuildExtension, CppExtension

setup(
    name="attn-kernels",
    version="0.3",
    ext_modules=[CppExtension("attn_kernels", ["attn.cpp"])],
    cmdclass={"build_ext": BuildExtension},
)
PY
record poetry-pdm-pep517 pdm-add-own-extension "pdm 2.29.4" "No module named 'torch'" "../pdmenv/bin/pdm add --no-self ./attn_kernels"
record poetry-pdm-pep517 pdm-add-flash-attn "pdm 2.29.4, flash-attn 2.5.8 sdist" "No module named 'torch'" \
  "../pdmenv/bin/pdm add --no-self flash-attn==2.5.8"
printf '[tool.poetry]\nname = "train"\nversion = "0.1"\ndescription = ""\nauthors = []\npackage-mode = false\n\n[tool.poetry.dependencies]\npython = "~3.11"\n' >pyproject.toml
record poetry-pdm-pep517 poetry-add-own-extension "poetry 1.8.5" "No module named 'torch'" \
  "../poe18/bin/poetry add --no-interaction ./attn_kernels"
record poetry-pdm-pep517 poetry-add-terminal "poetry 1.8.5" "No module named 'torch'" \
  "script -qec '../poe18/bin/poetry add --no-interaction ./attn_kernels' /dev/null"
