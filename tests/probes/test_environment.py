from __future__ import annotations

from attn_doctor.machine.probes.environment import PROBE
from support import Described, ask, value


def test_watched_variables_and_no_other() -> None:
    env = {
        "TORCH_CUDA_ARCH_LIST": "8.0;9.0+PTX",
        "CUDA_VISIBLE_DEVICES": "",
        "HF_TOKEN": "secret",
        "PATH": "/bin",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    # empty is not unset: it hides every GPU
    assert value(ask(PROBE, Described(env=env))) == {"CUDA_VISIBLE_DEVICES": "", "TORCH_CUDA_ARCH_LIST": "8.0;9.0+PTX"}


def test_none_set() -> None:
    assert value(ask(PROBE, Described())) == {}


def test_the_order_is_that_of_the_names() -> None:
    env = {"MAX_JOBS": "4", "CXX": "g++", "CC": "gcc"}
    assert list(value(ask(PROBE, Described(env=env)))) == ["CC", "CXX", "MAX_JOBS"]
