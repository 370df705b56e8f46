from __future__ import annotations

import msgspec
import pytest

from attn_doctor.machine.facts import Absent
from attn_doctor.machine.host import Failed
from attn_doctor.machine.probes.toolkits import (
    PROBE,
    Toolkit,
    Toolkits,
    parse_cuda_h,
    parse_release,
    parse_version_json,
)
from support import SITE, VENV, Described, ask, said, value

VERSION_JSON = """{
   "cuda" : {
      "name" : "CUDA SDK",
      "version" : "13.0.1"
   },
   "cuda_cccl" : {
      "name" : "CUDA C++ Core Compute Libraries",
      "version" : "13.0.85"
   },
   "cuda_nvcc" : {
      "name" : "CUDA NVCC",
      "version" : "13.0.88"
   }
}
"""
NVCC = """nvcc: NVIDIA (R) Cuda compiler driver
Copyright (c) 2005-2025 NVIDIA Corporation
Built on Wed_Aug_20_01:58:59_PM_PDT_2025
Cuda compilation tools, release 13.0, V13.0.88
Build cuda_13.0.r13.0/compiler.36424714_0
"""
CUDA_H = """#ifndef __cuda_cuda_h__
#define __cuda_cuda_h__
#include <stdlib.h>
/**
 * CUDA API version number
 */
#define CUDA_VERSION 12040
"""
WRAPPER = '#!/bin/sh\nexec /usr/local/cuda-13.0/bin/nvcc "$@"\n'


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (VERSION_JSON, "13.0"),
        ('{"cuda":{"name":"CUDA SDK","version":"12.10.2"}}', "12.10"),
        ('{"cuda_nvcc":{"version":"13.0.88"}}', None),
        ('{"cuda":{"name":"CUDA SDK"},"cuda_cudart":{"version":"12.4.99"}}', None),
        ("{", None),
        ("", None),
    ],
)
def test_parse_version_json(text: str, version: str | None) -> None:
    assert parse_version_json(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (CUDA_H, "12.4"),
        ("#define CUDA_VERSION 13000\n", "13.0"),
        ("#define CUDA_VERSION 12100", "12.10"),
        ("#define CUDA_VERSION_NEXT 1\n", None),
        ("", None),
    ],
)
def test_parse_cuda_h(text: str, version: str | None) -> None:
    assert parse_cuda_h(text) == version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (NVCC, "13.0"),
        ("Cuda compilation tools, release 11.8, V11.8.89\n", "11.8"),
        ("nvcc fatal   : No input files specified; use option --help for more information\n", None),
        ("", None),
    ],
)
def test_parse_release(text: str, version: str | None) -> None:
    assert parse_release(text) == version


def toolkit(root: str, version: str) -> dict[str, str | Exception]:
    return {
        f"{root}/version.json": VERSION_JSON.replace("13.0.1", f"{version}.1"),
        f"{root}/include/cuda_runtime.h": "",
        f"{root}/lib64/libcudart.so.13": "",
        f"{root}/bin/nvcc": "\x7fELF",
    }


CUDA_13 = toolkit("/usr/local/cuda-13.0", "13.0")
CUDA_12 = toolkit("/usr/local/cuda-12.4", "12.4")
NVCC_13, NVCC_12 = "/usr/local/cuda-13.0/bin/nvcc", "/usr/local/cuda-12.4/bin/nvcc"
LINK = {"/usr/local/cuda": "/usr/local/cuda-13.0"}
PATH = {"PATH": "/usr/local/bin:/usr/bin"}


def test_none() -> None:
    assert isinstance(ask(PROBE, Described(env=PATH)), Absent)


def test_a_folder_without_nvcc_is_no_toolkit() -> None:
    """The runtime package of a container image: libraries, and nothing that compiles."""
    runtime = {"/usr/local/cuda-13.0/lib64/libcudart.so.13": "", "/usr/local/cuda-13.0/version.json": VERSION_JSON}
    assert isinstance(ask(PROBE, Described(runtime, links=LINK, env=PATH)), Absent)


def test_one_toolkit_through_its_link() -> None:
    found = value(ask(PROBE, Described(CUDA_13, executables={NVCC_13}, links=LINK, env=PATH)))
    seen_by = ("/usr/local/cuda", "/usr/local/cuda-13.0")
    one = Toolkit("/usr/local/cuda-13.0", "13.0", seen_by)
    assert found == Toolkits((one,), "/usr/local/cuda-13.0", "/usr/local/cuda")
    assert found.build == one
    assert found.version == "13.0"


def test_nvcc_on_path_and_cuda_home_unset() -> None:
    """F3: found, and no word of an absent toolkit."""
    env = {"PATH": "/usr/local/cuda-13.0/bin:/usr/bin"}
    found = value(ask(PROBE, Described(CUDA_13, executables={NVCC_13}, env=env)))
    assert (found.version, found.build_by) == ("13.0", "nvcc on PATH")
    assert found.build is not None


def test_a_wrapper_on_path_is_no_second_toolkit() -> None:
    """F44. And torch's builder takes the folder above the wrapper, which is no toolkit: that is kept."""
    machine = Described(
        CUDA_13 | {"/usr/local/bin/nvcc": WRAPPER},
        executables={NVCC_13, "/usr/local/bin/nvcc"},
        links=LINK,
        env=PATH,
    )
    found = value(ask(PROBE, machine))
    (only,) = found.found
    assert (only.root, only.version) == ("/usr/local/cuda-13.0", "13.0")
    assert only.seen_by == ("PATH", "/usr/local/cuda", "/usr/local/cuda-13.0")
    assert (found.build_root, found.build_by, found.build) == ("/usr/local", "nvcc on PATH", None)


@pytest.mark.parametrize(
    "script",
    [
        '#!/bin/bash\n# a comment\nexport X=1\nexec "/usr/local/cuda-13.0/bin/nvcc" "$@"\n',
        "#!/bin/sh\nexec /usr/local/cuda/bin/nvcc $*\n",
        "#!/bin/sh\nccache /usr/local/cuda-13.0/bin/nvcc",
    ],
    ids=["quoted", "through the link", "ccache, no newline"],
)
def test_other_wrappers(script: str) -> None:
    executables = {NVCC_13, "/usr/local/bin/nvcc"}
    machine = Described(CUDA_13 | {"/usr/local/bin/nvcc": script}, executables=executables, links=LINK, env=PATH)
    assert [one.root for one in value(ask(PROBE, machine)).found] == ["/usr/local/cuda-13.0"]


def test_wrappers_that_call_each_other_end() -> None:
    scripts = {"/usr/local/bin/nvcc": "#!/bin/sh\n/usr/bin/nvcc\n", "/usr/bin/nvcc": "#!/bin/sh\n/usr/local/bin/nvcc\n"}
    commands = {f"{root}/bin/nvcc --version": Failed("no answer") for root in ("/usr", "/usr/local")}
    machine = Described(scripts, executables={*scripts}, env=PATH, commands=commands)
    assert len(value(ask(PROBE, machine)).found) <= 2


@pytest.mark.parametrize(
    ("env", "root", "by"),
    [
        ({}, "/usr/local/cuda-13.0", "/usr/local/cuda"),
        ({"PATH": "/usr/local/cuda-12.4/bin"}, "/usr/local/cuda-12.4", "nvcc on PATH"),
        ({"PATH": "/usr/local/cuda-12.4/bin", "CUDA_HOME": "/usr/local/cuda"}, "/usr/local/cuda-13.0", "CUDA_HOME"),
        ({"CUDA_PATH": "/usr/local/cuda-12.4"}, "/usr/local/cuda-12.4", "CUDA_PATH"),
        (
            {"CUDA_PATH": "/usr/local/cuda-12.4", "CUDA_HOME": "/usr/local/cuda-13.0"},
            "/usr/local/cuda-13.0",
            "CUDA_HOME",
        ),
        ({"CUDA_HOME": ""}, "/usr/local/cuda-13.0", "/usr/local/cuda"),
    ],
)
def test_several_and_which_a_build_takes(env: dict[str, str], root: str, by: str) -> None:
    executables = {NVCC_13, NVCC_12}
    found = value(ask(PROBE, Described(CUDA_13 | CUDA_12, executables=executables, links=LINK, env=env)))
    assert {one.root: one.version for one in found.found} == {
        "/usr/local/cuda-13.0": "13.0",
        "/usr/local/cuda-12.4": "12.4",
    }
    assert (found.build_root, found.build_by) == (root, by)
    assert found.build is not None
    assert found.build.root == root


def test_a_cuda_home_that_is_not_there_is_what_a_build_takes_all_the_same() -> None:
    machine = Described(CUDA_13, executables={NVCC_13}, links=LINK, env={"CUDA_HOME": "/opt/gone"})
    found = value(ask(PROBE, machine))
    assert (found.build_root, found.build_by, found.build) == ("/opt/gone", "CUDA_HOME", None)
    assert found.version == "13.0"


def test_the_nvcc_of_the_target_counts() -> None:
    wheel, conda = f"{SITE}/nvidia/cu13", "/venv"
    files = {f"{wheel}/include/cuda.h": "#define CUDA_VERSION 13000\n", f"{conda}/version.json": VERSION_JSON}
    executables = {f"{wheel}/bin/nvcc", f"{conda}/bin/nvcc"}
    found = value(ask(PROBE, Described(files, executables=executables)))
    assert {(one.root, one.version) for one in found.found} == {(wheel, "13.0"), (conda, "13.0")}
    assert found.build_root is None


def test_nvcc_is_run_only_where_no_file_says_the_version() -> None:
    silent = Described(executables={NVCC_13}, commands={f"{NVCC_13} --version": said(NVCC)})
    assert value(ask(PROBE, silent)).version == "13.0"
    header = Described({"/usr/local/cuda-13.0/include/cuda.h": "#define CUDA_VERSION 13000"}, executables={NVCC_13})
    assert value(ask(PROBE, header)).version == "13.0"
    assert header.started == []


@pytest.mark.parametrize("answer", [said("nvcc fatal"), Failed("no answer within 10 s")])
def test_one_that_does_not_say_its_version_is_still_there(answer: object) -> None:
    machine = Described(executables={NVCC_13}, commands={f"{NVCC_13} --version": answer})
    (only,) = value(ask(PROBE, machine)).found
    assert (only.root, only.version) == ("/usr/local/cuda-13.0", None)


def test_without_headers_or_runtime_it_says_so() -> None:
    bare = {"/usr/local/cuda-13.0/version.json": VERSION_JSON}
    (only,) = value(ask(PROBE, Described(bare, executables={NVCC_13}))).found
    assert (only.headers, only.runtime) == (False, False)


def test_the_toolkit_of_debian_has_its_headers_in_usr_include() -> None:
    root = "/usr/lib/nvidia-cuda-toolkit"
    files = {
        "/usr/bin/nvcc": '#!/bin/sh\nexec /usr/lib/nvidia-cuda-toolkit/bin/nvcc "$@"\n',
        "/usr/include/cuda_runtime.h": "",
        "/usr/lib/aarch64-linux-gnu/libcudart.so": "",
    }
    release = said("Cuda compilation tools, release 11.8, V11.8.89\n")
    machine = Described(
        files,
        executables={"/usr/bin/nvcc", f"{root}/bin/nvcc"},
        env=PATH,
        commands={f"{root}/bin/nvcc --version": release},
    )
    (only,) = value(ask(PROBE, machine)).found
    assert only == Toolkit(root, "11.8", ("PATH", root, "/usr"), headers=True, runtime=True)


def test_windows() -> None:
    system = ("windows", "x86_64", "10")
    root = "C:/Program Files/NVIDIA GPU Computing Toolkit/CUDA/v13.0"
    files = {f"{root}/bin/nvcc.exe": "", f"{root}/version.json": VERSION_JSON}
    target = msgspec.structs.replace(VENV, prefix="C:/venv", site_packages=("C:/venv/Lib/site-packages",))
    assert value(ask(PROBE, Described(files, system=system, env={"CUDA_PATH": root}), target)).version == "13.0"
    assert isinstance(ask(PROBE, Described(files, system=system), target), Absent)
    assert isinstance(ask(PROBE, Described(system=system, env={"CUDA_PATH": root}), target), Absent)
