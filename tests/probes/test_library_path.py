from __future__ import annotations

import pytest

from attn_doctor.machine.facts import Absent
from attn_doctor.machine.probes.library_path import PROBE, Library, parse_version
from support import REFUSED, SITE, Described, ask, value

CUDA = "/usr/local/cuda/lib64"


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/local/cuda/lib64/libcudnn.so.9.1.0", "9.1.0"),
        ("/usr/local/cuda/lib64/libnvJitLink.so.12.4.127", "12.4.127"),
        ("/usr/lib/libcudnn.so.9", None),
        ("/usr/lib/libcudnn.so", None),
        ("/usr/lib.so.1.2/libcudnn", None),
    ],
)
def test_parse_version(path: str, version: str | None) -> None:
    assert parse_version(path) == version


def test_unset_or_empty() -> None:
    assert isinstance(ask(PROBE, Described()), Absent)
    assert isinstance(ask(PROBE, Described(env={"LD_LIBRARY_PATH": ""})), Absent)


def test_a_library_that_stands_before_that_of_torch() -> None:
    machine = Described(
        {f"{CUDA}/libcudnn.so.9.1.0": "", f"{SITE}/nvidia_cudnn_cu12-9.10.2.21.dist-info/": ""},
        links={f"{CUDA}/libcudnn.so.9": f"{CUDA}/libcudnn.so.9.1.0"},
        env={"LD_LIBRARY_PATH": f"/none:{CUDA}"},
    )
    assert value(ask(PROBE, machine)) == (Library("libcudnn.so.9", CUDA, "9.1.0", "9.10.2.21"),)


def test_the_first_folder_wins_and_others_may_be_closed() -> None:
    files = {"/a/libcudnn.so.9": "", "/b/libcudnn.so.9": "", "/b/libnvJitLink.so.12": "", "/c/": REFUSED}
    found = value(ask(PROBE, Described(files, env={"LD_LIBRARY_PATH": "/c:/a::relative:/b"})))
    assert [(one.folder, one.name) for one in found] == [("/a", "libcudnn.so.9"), ("/b", "libnvJitLink.so.12")]


def test_torchs_own_folder_is_no_stranger() -> None:
    own = f"{SITE}/nvidia/cudnn/lib"
    machine = Described({f"{own}/libcudnn.so.9": ""}, env={"LD_LIBRARY_PATH": own})
    assert value(ask(PROBE, machine)) == ()


def test_other_libraries_do_not_matter() -> None:
    machine = Described({"/a/libfoo.so.1": "", "/a/libcudnn.so": ""}, env={"LD_LIBRARY_PATH": "/a"})
    assert value(ask(PROBE, machine)) == ()
