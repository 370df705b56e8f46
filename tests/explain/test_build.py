"""Causes of the build stage, by the wordings of the programs that print them."""

from __future__ import annotations

import pytest

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import causes
from attn_doctor.explain.diagnose import diagnose, ranked
from attn_doctor.explain.log import Log
from attn_doctor.explain.reading import from_text
from attn_doctor.machine import whatif

PIP = "  Getting requirements to build wheel ... error\n  error: subprocess-exited-with-error\n"
SETUP = '        File "<string>", line 22, in <module>\n'
NINJA = "[1/73] /usr/local/cuda/bin/nvcc -c csrc/flash_attn/src/a.cu -o a.o\nFAILED: a.o\n"
HEADER = "/tmp/x/csrc/a.cpp:3:10: "

# category, log. Sources: what each program prints, read in its source or its catalogue of messages.
WORDINGS: tuple[tuple[str, str], ...] = (
    # Python, in the frames of pip's isolated environment
    ("torch-missing-build-isolation", f"{PIP}{SETUP}      ModuleNotFoundError: No module named 'torch'"),
    ("torch-missing-build-isolation", '  File "/tmp/pip-build-env-1/overlay/x.py"\nImportError: No module named torch'),
    (
        "torch-missing-build-isolation",
        (
            "  Preparing metadata (setup.py) ... error\n  \u00d7 python setup.py egg_info did not run successfully.\n"
            '        File "<pip-setuptools-caller>", line 34, in <module>\n'
            '        File "/tmp/pip-install-1/flash-attn_2/setup.py", line 19, in <module>\n'
            "      ModuleNotFoundError: No module named 'torch'"
        ),
    ),
    ("torch-missing-build-isolation", "ModuleNotFoundError: No module named 'torch'"),
    (
        "torch-missing-build-isolation",
        (
            f"{PIP}Exception: Building cuda extension requires PyTorch (>=1.13.0) being installed, please install "
            "PyTorch "
            "first: No module named 'torch'"
        ),
    ),
    # uv: crates/uv-build-frontend/src/error.rs, 0.1 to 0.9
    (
        "uv-build-isolation",
        (
            "  \u00d7 Failed to build `flash-attn==2.8.3`\n  ├─▶ The build backend returned an error\n"
            "  ╰─▶ Call to `setuptools.build_meta:__legacy__.build_wheel` failed (exit status: 1)\n\n      [stderr]\n"
            "      ModuleNotFoundError: No module named 'torch'"
        ),
    ),
    (
        "uv-build-isolation",
        (
            "hint: This error likely indicates that `flash-attn@2.7.4` depends on `torch`, but doesn't declare "
            "it as a build "
            "dependency."
        ),
    ),
    (
        "uv-build-isolation",
        (
            "  Caused by: This error likely indicates that flash-attn==2.6.1 depends on torch, but doesn't "
            "declare it as a "
            "build dependency."
        ),
    ),
    (
        "uv-build-isolation",
        (
            "error: Failed to download and build `flash-attn==2.5.8`\n  Caused by: Build backend failed to determine "
            "metadata through `prepare_metadata_for_build_wheel` with exit code: 1"
        ),
    ),
    (
        "uv-build-isolation",
        "$ uv sync\nTraceback (most recent call last):\nModuleNotFoundError: No module named 'torch'",
    ),
    # poetry/utils/isolated_build.py, poetry/installation/executor.py; pdm/builders/base.py
    (
        "poetry-pdm-pep517",
        (
            "  - Installing flash-attn (2.5.8): Failed\n\n  ChefBuildError\n\n  Backend subprocess exited when "
            "trying to "
            "invoke get_requires_for_build_wheel\n\n  ModuleNotFoundError: No module named 'torch'"
        ),
    ),
    (
        "poetry-pdm-pep517",
        "PEP517 build of a dependency failed\n\nBackend subprocess exited when trying to invoke build_wheel",
    ),
    (
        "poetry-pdm-pep517",
        (
            "Note: This error originates from the build backend, and is likely not a problem with poetry but with "
            "flash-attn (2.5.8) not supporting PEP 517 builds."
        ),
    ),
    (
        "poetry-pdm-pep517",
        (
            "pdm.exceptions.BuildError: Build backend raised error: Module 'torch' is missing, please make sure "
            "it is "
            "specified in the 'build-system.requires' section."
        ),
    ),
    ("poetry-pdm-pep517", "$ poetry add flash-attn\nModuleNotFoundError: No module named 'torch'"),
    # Python; distutils; pip; CMake; sh
    (
        "build-deps-missing",
        f"pip install --no-build-isolation x\n{SETUP}ModuleNotFoundError: No module named 'packaging'",
    ),
    ("build-deps-missing", "error: invalid command 'bdist_wheel'"),
    ("build-deps-missing", "pip install flash-attn --no-build-isolation\nPreparing metadata\nNo module named 'torch'"),
    (
        "build-deps-missing",
        "pip._vendor.pyproject_hooks._impl.BackendUnavailable: Cannot import 'setuptools.build_meta'",
    ),
    (
        "build-deps-missing",
        "ERROR: Can not execute `setup.py` since setuptools is not available in the build environment.",
    ),
    ("build-deps-missing", "RuntimeError: Ninja is required to load C++ extensions (pip install ninja to get it)"),
    (
        "build-deps-missing",
        "ImportError: cannot import name 'packaging' from 'pkg_resources' (/x/pkg_resources/__init__.py)",
    ),
    (
        "build-deps-missing",
        "building 'x' extension\nunable to execute 'x86_64-linux-gnu-gcc': No such file or directory",
    ),
    ("build-deps-missing", f"{NINJA}/bin/sh: 1: c++: not found"),
    (
        "build-deps-missing",
        "subprocess.CalledProcessError: Command '['which', 'g++']' returned non-zero exit status 1.",
    ),
    ("build-deps-missing", f"{NINJA}a.cpp:1:10: fatal error: Python.h: No such file or directory"),
    (
        "build-deps-missing",
        (
            "hint: This error likely indicates that `flash-attn@2.8.3` depends on `psutil`, but doesn't declare "
            "it as a "
            "build dependency."
        ),
    ),
    # torch/utils/cpp_extension.py; setup.py of flash-attn, vllm, sageattention, apex; CMake; shells
    (
        "nvcc-missing-cuda-home",
        "OSError: CUDA_HOME environment variable is not set. Please set it to your CUDA install root.",
    ),
    ("nvcc-missing-cuda-home", "NameError: name 'bare_metal_version' is not defined"),
    ("nvcc-missing-cuda-home", "RuntimeError: Cannot find CUDA_HOME. CUDA must be available to build the package."),
    (
        "nvcc-missing-cuda-home",
        (
            'raw_output = subprocess.check_output([cuda_dir + "/bin/nvcc", "-V"])\n'
            "TypeError: unsupported operand type(s) for +: 'NoneType' and 'str'"
        ),
    ),
    ("nvcc-missing-cuda-home", "FileNotFoundError: [Errno 2] No such file or directory: 'nvcc'"),
    ("nvcc-missing-cuda-home", "bash: nvcc: command not found"),
    ("nvcc-missing-cuda-home", "bash: nvcc: Befehl nicht gefunden"),
    ("nvcc-missing-cuda-home", "bash: nvcc : commande introuvable"),
    ("nvcc-missing-cuda-home", "bash: nvcc：未找到命令"),  # noqa: RUF001
    ("nvcc-missing-cuda-home", "'nvcc' is not recognized as an internal or external command,"),
    (
        "nvcc-missing-cuda-home",
        (
            "nvcc : The term 'nvcc' is not recognized as the name of a cmdlet, function, script file, or operable "
            "program."
        ),
    ),
    (
        "nvcc-missing-cuda-home",
        "Command 'nvcc' not found, but can be installed with:\nsudo apt install nvidia-cuda-toolkit",
    ),
    (
        "nvcc-missing-cuda-home",
        "RuntimeError: Could not find nvcc and default cuda_home='/usr/local/cuda' doesn't exist",
    ),
    ("nvcc-missing-cuda-home", "  No CMAKE_CUDA_COMPILER could be found."),
    (
        "nvcc-missing-cuda-home",
        "op_builder.builder.MissingCUDAException: CUDA_HOME does not exist, unable to compile CUDA op(s)",
    ),
    (
        "nvcc-missing-cuda-home",
        (
            "RuntimeError: CUDA was not found on the system, please set the CUDA_HOME or the CUDA_PATHenvironment "
            "variable"
        ),
    ),
    # Python: subprocess; torch 2.6 and later; sh; CMake
    ("cuda-home-malformed", "FileNotFoundError: [Errno 2] No such file or directory: ':/usr/local/cuda-11.8/bin/nvcc'"),
    ("cuda-home-malformed", "NotADirectoryError: [Errno 20] Not a directory: '/usr/local/cuda/bin/nvcc/bin/nvcc'"),
    ("cuda-home-malformed", f"{NINJA}/bin/sh: 1: /usr/local/cuda-12.1/bin/nvcc: not found"),
    (
        "cuda-home-malformed",
        "FileNotFoundError: nvcc not found at '/usr/bin/bin/nvcc'. Ensure CUDA path '/usr/bin' is correct.",
    ),
    (
        "cuda-home-malformed",
        (
            'raw_output = subprocess.check_output([cuda_dir + "/bin/nvcc", "-V"], universal_newlines=True)\n'
            "FileNotFoundError: [WinError 2] Das System kann die angegebene Datei nicht finden"
        ),
    ),
    # gcc (and its translations), clang, MSVC, EDG; GNU ld, lld, link
    ("cuda-headers-incomplete", f"{HEADER}fatal error: cusparse.h: No such file or directory"),
    (
        "cuda-headers-incomplete",
        f"{HEADER}schwerwiegender Fehler: cuda_runtime.h: Datei oder Verzeichnis nicht gefunden",
    ),
    ("cuda-headers-incomplete", f"{HEADER}erreur fatale : cublas_v2.h : Aucun fichier ou dossier de ce type"),
    ("cuda-headers-incomplete", f"{HEADER}致命错误：cuda_runtime_api.h：没有那个文件或目录"),  # noqa: RUF001
    ("cuda-headers-incomplete", f"{HEADER}fatal error: 'nv/target' file not found"),
    (
        "cuda-headers-incomplete",
        "a.cu(3): fatal error C1083: Cannot open include file: 'cusolverDn.h': No such file or directory",
    ),
    ("cuda-headers-incomplete", 'a.cu(3): catastrophic error: cannot open source file "nvToolsExt.h"'),
    ("cuda-headers-incomplete", "/usr/bin/ld: cannot find -lcudart: No such file or directory"),
    ("cuda-headers-incomplete", "/usr/bin/ld: -lcublas kann nicht gefunden werden"),
    ("cuda-headers-incomplete", "LINK : fatal error LNK1181: cannot open input file 'cudart.lib'"),
    ("cuda-headers-incomplete", "sh: 1: cicc: not found"),
    # setup.py; nvcc; CMake
    ("cuda-toolkit-too-old", "RuntimeError: FlashAttention is only supported on CUDA 11.6 and above.  Note: make sure"),
    ("cuda-toolkit-too-old", "RuntimeError: causal_conv1d is only supported on CUDA 11.6 and above."),
    ("cuda-toolkit-too-old", "RuntimeError: CUDA 12.4 or higher is required for compute capability 8.9."),
    ("cuda-toolkit-too-old", "nvcc fatal   : Unknown option '--generate-dependencies-with-compile'"),
    ("cuda-toolkit-too-old", "nvcc fatal   : Value 'c++17' is not defined for option 'std'"),
    ("cuda-toolkit-too-old", f"{HEADER}fatal error: cuda_fp8.h: No such file or directory"),
    ("cuda-toolkit-too-old", "RuntimeError: Transformer Engine requires CUDA 12.1 or newer"),
    # torch/utils/cpp_extension.py, apex, DeepSpeed
    (
        "cuda-toolkit-torch-mismatch",
        "The detected CUDA version (12.1) mismatches the version that was used to compile\nPyTorch (11.8).",
    ),
    (
        "cuda-toolkit-torch-mismatch",
        (
            "RuntimeError: ('The detected CUDA version (%s) mismatches the version that was used to "
            "compilePyTorch (%s). "
            "Please make sure to use the same CUDA versions.', '13.1', '12.8')"
        ),
    ),
    (
        "cuda-toolkit-torch-mismatch",
        (
            "RuntimeError: Cuda extensions are being compiled with a version of Cuda that does not match the "
            "version used to "
            "compile Pytorch binaries.  Pytorch binaries were compiled with Cuda 11.7."
        ),
    ),
    (
        "cuda-toolkit-torch-mismatch",
        (
            "CUDAMismatchException: >- DeepSpeed Op Builder: Installed CUDA version 11.5 does not match the "
            "version torch was "
            "compiled with 12.1"
        ),
    ),
    # nvcc, ptxas, clang
    ("nvcc-arch-unsupported", "nvcc fatal   : Unsupported gpu architecture 'compute_120'"),
    ("nvcc-arch-unsupported", "nvcc fatal   : Value 'sm_86' is not defined for option 'gpu-architecture'"),
    ("nvcc-arch-unsupported", f"{NINJA}ptxas fatal   : Value 'sm_90a' is not defined for option 'gpu-name'"),
    ("nvcc-arch-unsupported", "clang: error: unsupported CUDA gpu architecture: sm_120"),
    # torch, sageattention, xformers, CMake
    ("arch-list-invalid", "ValueError: Unknown CUDA arch (12.1) or GPU not supported"),
    ("arch-list-invalid", "    arch_list[-1] += '+PTX'\nIndexError: list index out of range"),
    (
        "arch-list-invalid",
        "RuntimeError: No target compute capabilities. Set TORCH_CUDA_ARCH_LIST or build on a machine",
    ),
    ("arch-list-invalid", "AssertionError: Invalid sm version: native"),
    ("arch-list-invalid", "  Unknown CUDA Architecture Name 12.0a in CUDA_SELECT_NVCC_ARCH_FLAGS"),
    # setup.py of sageattention, flashinfer
    ("gpu-arch-unknown-to-package", "RuntimeError: Unsupported compute capability: 12.1"),
    ("gpu-arch-unknown-to-package", "RuntimeError: GPUs with compute capability below 8.0 are not supported."),
    (
        "gpu-arch-unknown-to-package",
        'NVCC_FLAGS += ["-gencode", f"arch=compute_{num}"]\nNameError: name \'num\' is not defined',
    ),
    ("gpu-arch-unknown-to-package", "RuntimeError: No supported CUDA architectures found for major versions [9]."),
    # crt/host_config.h; torch; nvcc on newer headers; MSVC
    ("host-compiler-too-new", "#error -- unsupported GNU version! gcc versions later than 12 are not supported!"),
    (
        "host-compiler-too-new",
        "error: -- unsupported clang version! clang version must be less than 16 and greater than 3.2",
    ),
    (
        "host-compiler-too-new",
        (
            "fatal error C1189: #error:  -- unsupported Microsoft Visual Studio version! Only the versions "
            "between 2017 and "
            "2022 (inclusive) are supported!"
        ),
    ),
    (
        "host-compiler-too-new",
        (
            "RuntimeError: The current installed version of g++ (13.2.0) is greater than the maximum required "
            "version by CUDA "
            "11.8. Please make sure to use an adequate version of g++ (>=6.0.0, <12.0)."
        ),
    ),
    (
        "host-compiler-too-new",
        "/usr/include/c++/11/bits/std_function.h:435:145: error: parameter packs not expanded with '...'",
    ),
    (
        "host-compiler-too-new",
        (
            "/usr/lib/gcc/x86_64-linux-gnu/13/include/amxtileintrin.h(42): error: identifier "
            '"__builtin_ia32_ldtilecfg" is undefined'
        ),
    ),
    (
        "host-compiler-too-new",
        (
            'yvals_core.h(931): error: static assertion failed with "error STL1002: Unexpected compiler '
            'version, expected CUDA 12.4 or newer."'
        ),
    ),
    # torch, c10/util/C++17.h, gcc, nvcc
    (
        "host-compiler-too-old",
        '#error "You\'re trying to build PyTorch with a too old version of GCC. We need GCC 9 or later."',
    ),
    ("host-compiler-too-old", "g++: error: unrecognized command line option '-std=c++20'"),
    ("host-compiler-too-old", "c++: error: unrecognized command-line option ‘-std=c++17’"),  # noqa: RUF001
    (
        "host-compiler-too-old",
        (
            "RuntimeError: The current installed version of g++ (4.8.5) is less than the minimum required version by "
            "CUDA 12.1"
        ),
    ),
    ("host-compiler-too-old", f"{HEADER}fatal error: concepts: No such file or directory"),
    ("host-compiler-too-old", "nvcc warning : The -std=c++17 flag is not supported with the configured host compiler."),
    # nvcc, gcc
    (
        "glibc-cuda-header-conflict",
        (
            "/usr/include/bits/mathcalls.h(206): error: exception specification is incompatible with that of "
            "previous "
            'function "rsqrt" (declared at line 629 of crt/math_functions.h)'
        ),
    ),
    (
        "glibc-cuda-header-conflict",
        (
            "mathcalls.h:79:1: error: declaration of 'double sinpi(double) noexcept (true)' has a different "
            "exception specifier"
        ),
    ),
    ("glibc-cuda-header-conflict", 'previous function "cospif" ... exception specification is incompatible'),
    ("glibc-cuda-header-conflict", '/usr/include/bits/floatn.h(61): error: identifier "__float128" is undefined'),
    # ATen/ATen.h, torch/all.h, c10; gcc and MSVC
    (
        "cxx-standard-mismatch-torch",
        "ATen.h:5:2: error: #error C++20 or later compatible compiler is required to use ATen.",
    ),
    (
        "cxx-standard-mismatch-torch",
        "all.h:4:2: erreur: #error C++17 or later compatible compiler is required to use PyTorch.",
    ),
    ("cxx-standard-mismatch-torch", "#error You need C++17 to compile PyTorch"),
    (
        "cxx-standard-mismatch-torch",
        "ATen.h(4): fatal error C1189: #error:  C++17 or later compatible compiler is required to use ATen.",
    ),
    # gcc, nvcc, clang
    ("source-incompatible-torch-api", f"{HEADER}fatal error: THC/THC.h: No such file or directory"),
    (
        "source-incompatible-torch-api",
        f"{HEADER}fatal error: THC/THCAtomics.cuh: Datei oder Verzeichnis nicht gefunden",
    ),
    ("source-incompatible-torch-api", 'a.cu(20): error: identifier "AT_CHECK" is undefined'),
    (
        "source-incompatible-torch-api",
        (
            'a.cu(3): error: no suitable conversion function from "const at::DeprecatedTypeProperties" to '
            '"c10::ScalarType" exists'
        ),
    ),
    ("source-incompatible-torch-api", 'a.cu(9): error: namespace "at::cuda" has no member "getCurrentHIPStream"'),
    ("source-incompatible-torch-api", 'a.cu(9): error: class "cudaDeviceProp" has no member "clockRate"'),
    ("source-incompatible-torch-api", "a.cpp:3:5: error: no member named 'optional' in namespace 'c10'"),
    # setup.py; gcc, MSVC, EDG; CMake
    (
        "cutlass-submodule-missing",
        "AssertionError: csrc/cutlass is missing, please use source distribution or git clone",
    ),
    ("cutlass-submodule-missing", f"{HEADER}fatal error: cute/tensor.hpp: No such file or directory"),
    ("cutlass-submodule-missing", 'a.h(8): catastrophic error: cannot open source file "cutlass/numeric_types.h"'),
    (
        "cutlass-submodule-missing",
        (
            "RuntimeError: CUTLASS submodule not found at third_party/cutlass. Did you forget to run `git "
            "submodule update "
            "--init --recursive` ?"
        ),
    ),
    # torch; sh; ninja's own script
    (
        "ninja-missing-slow-build",
        (
            "UserWarning: Attempted to use ninja as the BuildExtension backend but we could not find ninja.. "
            "Falling back to "
            "using the slow distutils backend."
        ),
    ),
    ("ninja-missing-slow-build", "bash: ninja: command not found"),
    (
        "ninja-missing-slow-build",
        "  File \"/home/u/.local/bin/ninja\", line 5\nModuleNotFoundError: No module named 'ninja'",
    ),
    ("ninja-missing-slow-build", "FileNotFoundError: [Errno 2] No such file or directory: 'ninja'"),
    # pip, uv, ninja, CI
    ("build-hang-or-very-slow", "Collecting flash-attn\n  Building wheel for flash-attn (setup.py) ... -"),
    ("build-hang-or-very-slow", "  Building wheel for flash-attn (pyproject.toml): still running..."),
    ("build-hang-or-very-slow", "Resolved 30 packages in 1ms\n   Building flash-attn==2.8.3"),
    (
        "build-hang-or-very-slow",
        (
            "Building wheel for flash-attn (setup.py): still running...\nThe job running on runner GitHub "
            "Actions 2 has "
            "exceeded the maximum execution time of 360 minutes."
        ),
    ),
    # gcc, nvcc, MSVC, Linux, docker
    ("build-oom-killed", "c++: fatal error: Killed signal terminated program cc1plus"),
    ("build-oom-killed", "gcc: internal compiler error: Killed (program cc1plus)"),
    ("build-oom-killed", "nvcc error   : 'cicc' died due to signal 9 (Kill signal)"),
    ("build-oom-killed", "Out of memory: Killed process 18234 (cicc) total-vm:9123456kB, anon-rss:7012344kB"),
    ("build-oom-killed", "cc1plus: out of memory allocating 65536 bytes after a total of 1234567 bytes"),
    ("build-oom-killed", "a.cu : fatal error C1060: compiler is out of heap space"),
    ("build-oom-killed", "virtual memory exhausted: Cannot allocate memory"),
    ("build-oom-killed", f"{NINJA}Killed\nninja: build stopped: subcommand failed."),
    (
        "build-oom-killed",
        'ERROR: process "/bin/sh -c pip install flash-attn" did not complete successfully: exit code: 137',
    ),
    ("build-oom-killed", "c++: fatal error: 已杀死 signal terminated program cc1plus"),
    # a failed compile, on such a machine
    ("build-compile-error-jetson", f"Jetson AGX Orin, JetPack 6\n{NINJA}1 error detected in the compilation of a.cu"),
    (
        "build-compile-error-jetson",
        f"nvcr.io/nvidia/l4t-pytorch:r36.2\n{NINJA}ninja: build stopped: subcommand failed.",
    ),
    ("build-compile-error-jetson", f"Linux tegra-ubuntu 5.15.148-tegra aarch64\n{NINJA}compilation terminated."),
    ("build-compile-error-jetson", f"dustynv/pytorch:r36\n{NINJA}RuntimeError: Error compiling objects for extension"),
    # setuptools, torch, nvcc, link, CMake
    (
        "windows-msvc-build",
        'error: Microsoft Visual C++ 14.0 or greater is required. Get it with "Microsoft C++ Build Tools"',
    ),
    ("windows-msvc-build", "error: Unable to find vcvarsall.bat"),
    ("windows-msvc-build", "nvcc fatal   : Cannot find compiler 'cl.exe' in PATH"),
    ("windows-msvc-build", "subprocess.CalledProcessError: Command '['where', 'cl']' returned non-zero exit status 1."),
    (
        "windows-msvc-build",
        "UserWarning: It seems that the VC environment is activated but DISTUTILS_USE_SDK is not set.",
    ),
    ("windows-msvc-build", "LINK : fatal error LNK1104: cannot open file 'python310.lib'"),
    ("windows-msvc-build", "a.obj : error LNK2001: unresolved external symbol __imp_PyX"),
    ("windows-msvc-build", "std.cuh(9): error C2872: 'std': ambiguous symbol"),
    # git, pip, Windows, ninja, CMake
    ("windows-long-path", "error: unable to create file csrc/a.cpp: Filename too long"),
    ("windows-long-path", "FileNotFoundError: [WinError 206] The filename or extension is too long"),
    ("windows-long-path", "FileNotFoundError: [WinError 206] 文件名或扩展名太长。: 'C:\\\\x'"),
    (
        "windows-long-path",
        "HINT: This error might have occurred since this system does not have Windows Long Path support enabled.",
    ),
    ("windows-long-path", "ninja: error: Stat(C:/x): Filename longer than 260 characters"),
    # setup.py of flash-attn, mamba-ssm, causal-conv1d
    (
        "prebuilt-wheel-not-found-source-fallback",
        "Guessing wheel URL:  https://github.com/x.whl\nPrecompiled wheel not found. Building from source...",
    ),
    (
        "prebuilt-wheel-not-found-source-fallback",
        (
            "    urllib.request.urlretrieve(wheel_url, wheel_filename)\nurllib.error.HTTPError: HTTP Error 404: Not "
            "Found"
        ),
    ),
    (
        "prebuilt-wheel-not-found-source-fallback",
        "Guessing wheel URL:  https://github.com/Dao-AILab/x.whl\nurllib.error.HTTPError: HTTP Error 404: Not Found",
    ),
    ("prebuilt-wheel-not-found-source-fallback", "Precompiled wheel not found. Building from source..."),
    # the lines of other causes, from a Mac
    ("macos-no-cuda", 'File "/Users/u/x/setup.py"\nOSError: CUDA_HOME environment variable is not set. Please set it'),
    ("macos-no-cuda", "(base) u@MacBook-Pro ~ % nvcc -V\nzsh: command not found: nvcc"),
    (
        "macos-no-cuda",
        "Guessing wheel URL:  https://github.com/x/flash_attn-2.5.8+cu122torch2.2-cp311-cp311-macosx_14.0_x86_64.whl",
    ),
    ("macos-no-cuda", "/opt/homebrew/lib/python3.11/x.py\nAssertionError: Torch not compiled with CUDA enabled"),
    # hipcc, setup.py, HIP; the lines of other causes, from a machine with AMD GPUs
    ("rocm-not-cuda", "1 error generated when compiling for gfx1100."),
    ("rocm-not-cuda", "AssertionError: One of GPU archs of ['gfx1030'] is invalid or not supported by Flash-Attention"),
    ("rocm-not-cuda", "torch 2.4.1+rocm6.1\nOSError: CUDA_HOME environment variable is not set."),
    ("rocm-not-cuda", "a.hip:3:10: fatal error: 'hip/hip_runtime.h' file not found"),
    ("rocm-not-cuda", "RuntimeError: No HIP GPUs are available"),
    ("rocm-not-cuda", "RuntimeError: mamba_ssm is only supported on ROCm 6.0 and above."),
    # git, pip, uv, setuptools-scm
    ("git-source-problem", "fatal: detected dubious ownership in repository at '/workspace/flash-attention'"),
    ("git-source-problem", "ERROR: Cannot find command 'git' - do you have 'git' installed and in your PATH?"),
    (
        "git-source-problem",
        (
            "fatal: clone of 'https://github.com/NVIDIA/cutlass.git' into submodule path '/x/csrc/cutlass' failed\n"
            "Failed to clone 'csrc/cutlass' a second time, aborting"
        ),
    ),
    ("git-source-problem", "error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly\nfatal: early EOF"),
    ("git-source-problem", "fatal: could not read Username for 'https://github.com': terminal prompts disabled"),
    ("git-source-problem", "LookupError: setuptools-scm was unable to detect version for /x."),
    ("git-source-problem", "error: pathspec 'v9.9' did not match any file(s) known to git"),
    # torch/utils/cpp_extension.py and setup.py of packages that copied its check; nvcc; git; ninja 1.12
    (
        "nvcc-missing-cuda-home",
        '  File "setup.py", line 162, in <module>\n    raise_if_cuda_home_none("mamba_ssm")\nNameError: cut off',
    ),
    (
        "windows-msvc-build",
        (
            "nvcc fatal   : nvcc cannot find a supported version of Microsoft Visual Studio. Only the versions between "
            "2017 and 2019 (inclusive) are supported!"
        ),
    ),
    (
        "git-source-problem",
        "fatal: unable to access 'https://github.com/x/y.git/': GnuTLS recv error (-54): Error in the pull function.",
    ),
    (
        "git-source-problem",
        "fatal: Unable to checkout '4dbb88d7f5b2' in submodule path 'csrc/composable_kernel'",
    ),
    ("build-oom-killed", "[2/73] nvcc -c csrc/flash_attn/src/a.cu\nFAILED: [code=137] /x/build/a.o"),
    (
        "arch-list-invalid",
        "  Running command git clone https://github.com/thu-ml/SageAttention\nRuntimeError: No GPUs found",
    ),
)

# category that it must not be, log
LOOK_ALIKES: tuple[tuple[str, str], ...] = (
    (
        "torch-missing-build-isolation",
        "  File \"train.py\", line 1, in <module>\n    import torch\nNo module named 'torch'",
    ),
    ("torch-missing-build-isolation", "/usr/bin/python3: No module named torch"),
    (
        "uv-build-isolation",
        "  \u00d7 Failed to build `x==1`\n  ├─▶ The build backend returned an error\nerror: command 'cl' failed",
    ),
    ("poetry-pdm-pep517", f"{PIP}requires poetry-core\nModuleNotFoundError: No module named 'torch'"),
    (
        "build-deps-missing",
        "  File \"app.py\", line 2, in <module>\n    x()\n  y\nz\nModuleNotFoundError: No module named 'psutil'",
    ),
    ("build-deps-missing", "triton/runtime/build.py\nfatal error: Python.h: No such file or directory"),
    (
        "nvcc-missing-cuda-home",
        "nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 12.4, V12.4.131",
    ),
    (
        "nvcc-missing-cuda-home",
        "UserWarning: x was requested, but nvcc was not found.\nSuccessfully installed flash-attn-2.8.3",
    ),
    ("cuda-home-malformed", "FileNotFoundError: [WinError 2] The system cannot find the file specified"),
    ("cuda-headers-incomplete", "g++ -shared a.o -L/usr/local/cuda/lib64 -lcudart -o x.so"),
    ("cuda-headers-incomplete", "triton/x\n/tmp/tmpa/main.c:1:10: fatal error: cuda.h: No such file or directory"),
    ("cuda-toolkit-too-old", "CUDA driver version is insufficient for CUDA runtime version"),
    (
        "cuda-toolkit-torch-mismatch",
        (
            "UserWarning: The detected CUDA version (12.4) has a minor version mismatch with the version that "
            "was used to "
            "compile PyTorch (12.1). Most likely this shouldn't be a problem."
        ),
    ),
    (
        "nvcc-arch-unsupported",
        (
            "nvcc warning : Support for offline compilation for architectures prior to '<compute/sm/lto>_75' will be "
            "removed"
        ),
    ),
    (
        "nvcc-arch-unsupported",
        "triton/compiler.py\nptxas fatal   : Value 'sm_121a' is not defined for option 'gpu-name'",
    ),
    ("arch-list-invalid", "    x = rows[9]\nIndexError: list index out of range"),
    ("gpu-arch-unknown-to-package", "the current GPU has compute capability 7.5 and this is not supported at run time"),
    ("host-compiler-too-new", '/usr/include/c++/12/bits/a.h(3): error: static assertion failed with "no"'),
    ("host-compiler-too-old", "c.h:8:2: warning: x only available with ‘-std=c++20’ or ‘-std=gnu++20’"),  # noqa: RUF001
    ("glibc-cuda-header-conflict", "error: exception specification of overriding function is more lax"),
    ("cxx-standard-mismatch-torch", "g++ -std=c++17 -c a.cpp -o a.o"),
    ("source-incompatible-torch-api", 'a.cu(3): error: class "Mine" has no member "x"'),
    ("cutlass-submodule-missing", "error: pathspec 'csrc/cutlass' did not match any file(s) known to git"),
    ("cutlass-submodule-missing", "fatal: not a git repository (or any of the parent directories): .git"),
    ("git-source-problem", "fatal: not a git repository (or any of the parent directories): .git"),
    ("git-source-problem", "error: pathspec 'csrc/cutlass' did not match any file(s) known to git"),
    ("git-source-problem", "fatal: unable to access 'https://github.com/x/': server certificate verification failed."),
    ("ninja-missing-slow-build", "ninja: build stopped: subcommand failed."),
    (
        "build-hang-or-very-slow",
        "  Building wheel for flash-attn (setup.py) ... done\nSuccessfully installed flash-attn-2.8.3",
    ),
    ("build-oom-killed", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"),
    ("build-oom-killed", "nvcc error   : 'cicc' died due to signal 11 (Invalid memory reference)"),
    ("build-compile-error-jetson", "sm_87 is in the list; integration tests\nerror: command failed"),
    ("windows-msvc-build", "error: command '/usr/bin/g++' failed with exit code 1"),
    ("windows-long-path", "OSError: [Errno 36] File name too long: 'a'"),
    (
        "prebuilt-wheel-not-found-source-fallback",
        "Guessing wheel URL:  https://github.com/x.whl\nRaw wheel path dist/x.whl\nSuccessfully installed flash-attn",
    ),
    ("macos-no-cuda", "/home/u/x.py\nOSError: CUDA_HOME environment variable is not set."),
    ("macos-no-cuda", "C:/Users/u/x.py\nOSError: CUDA_HOME environment variable is not set."),
    ("rocm-not-cuda", "torch 2.4.1+cu121\nOSError: CUDA_HOME environment variable is not set."),
    (
        "git-source-problem",
        (
            "fatal: clone of 'https://github.com/x/y' into submodule path '/b/cutlass' failed\n"
            "Failed to clone 'cutlass'. Retry scheduled\nSubmodule path 'cutlass': checked out 'a1b2'"
        ),
    ),
    ("build-oom-killed", "[2/73] nvcc -c csrc/flash_attn/src/a.cu\nFAILED: [code=1] /x/build/a.o"),
    ("arch-list-invalid", "RuntimeError: No GPUs found on this node, ray cannot place the actor"),
)
CATEGORIES = tuple(dict.fromkeys(category for category, _ in WORDINGS))
GENERIC = (
    "ninja: build stopped: subcommand failed.",
    "error: subprocess-exited-with-error",
    "error: metadata-generation-failed",
    "error: command '/usr/bin/gcc' failed with exit code 1",
    "subprocess.CalledProcessError: Command '['ninja', '-v']' returned non-zero exit status 1.",
    "RuntimeError: Error compiling objects for extension",
)


def first(text: str) -> str | None:
    found = ranked(from_text(text))
    return found[0].cause.category if found else None


@pytest.mark.parametrize(("category", "text"), WORDINGS, ids=[f"{row[0]}-{at}" for at, row in enumerate(WORDINGS)])
def test_a_wording_names_its_cause(category: str, text: str) -> None:
    assert first(text) == category


@pytest.mark.parametrize(
    ("category", "text"), LOOK_ALIKES, ids=[f"{row[0]}-{at}" for at, row in enumerate(LOOK_ALIKES)]
)
def test_a_look_alike_does_not(category: str, text: str) -> None:
    assert first(text) != category


@pytest.mark.parametrize("text", GENERIC)
def test_what_stands_below_every_failure_is_no_sign(text: str) -> None:
    assert first(text) not in CATEGORIES


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_has_wordings_and_a_look_alike(category: str) -> None:
    assert category in causes()
    assert sum(one == category for one, _ in WORDINGS) >= 4
    assert any(one == category for one, _ in LOOK_ALIKES)


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


def case(text: str, *machine: str) -> Case:
    facts = whatif.simulate(list(machine)) if machine else None
    return Case(from_text(text), lambda: facts)


@pytest.mark.parametrize(("category", "text"), WORDINGS, ids=[f"{row[0]}-{at}" for at, row in enumerate(WORDINGS)])
def test_words_and_fixes_come_with_and_without_a_machine(category: str, text: str) -> None:
    for one in (case(text), case(text, *MACHINE)):
        found = diagnose(one).causes[0]
        assert found.category == category
        assert 40 < len(found.explanation) < 500
        assert 1 <= len(found.fix) <= 4
        assert not any(bad in line for line in found.fix for bad in ("--break-system-packages", "sudo pip", "None"))


def fixes(text: str, *machine: str) -> str:
    return "\n".join(diagnose(case(text, *machine)).causes[0].fix)


def test_a_wheel_that_fits_comes_before_any_build() -> None:
    text = f"{PIP}pip install flash-attn==2.8.3\n{SETUP}      ModuleNotFoundError: No module named 'torch'"
    assert diagnose(case(text, *MACHINE)).causes[0].fix[0].startswith("attn-doctor install flash_attention_2")


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
    found = diagnose(case("nvcc fatal   : Unsupported gpu architecture 'compute_120'")).causes[0]
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


def test_an_empty_log_has_none_of_them() -> None:
    assert ranked(Log(())) == []
