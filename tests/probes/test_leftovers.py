from __future__ import annotations

import msgspec

from attn_doctor.machine.probes.leftovers import PROBE
from support import REFUSED, SITE, VENV, Described, ask, value

HOME = {"HOME": "/home/ada"}
USER = "/home/ada/.local/lib/python3.12/site-packages"
SYSTEM = msgspec.structs.replace(
    VENV, kind="system", prefix="/usr", site_packages=("/usr/lib/python3/dist-packages",), base=None
)


def test_what_pip_left_half_removed() -> None:
    machine = Described({f"{SITE}/{name}": "" for name in ("~orch/", "~riton-3.5.0.dist-info/", "torchvision/", "~")})
    assert value(ask(PROBE, machine)).half_removed == (f"{SITE}/~", f"{SITE}/~orch", f"{SITE}/~riton-3.5.0.dist-info")


def test_nothing_left() -> None:
    assert value(ask(PROBE, Described({f"{SITE}/torch/version.py": ""}, env=HOME))).half_removed == ()


def test_every_torch_the_interpreter_can_find_in_its_order() -> None:
    machine = Described(
        {f"{path}/torch/version.py": "" for path in ("/src", USER, SITE)}, env=HOME | {"PYTHONPATH": "/src::/none"}
    )
    assert value(ask(PROBE, machine)).torch_copies == ("/src/torch", f"{SITE}/torch")


def test_the_user_site_counts_outside_virtual_environments() -> None:
    machine = Described({f"{USER}/torch/version.py": ""}, env=HOME)
    assert value(ask(PROBE, machine, SYSTEM)).torch_copies == (f"{USER}/torch",)
    assert value(ask(PROBE, machine)).torch_copies == ()
    shared = msgspec.structs.replace(VENV, system_site=True)
    assert value(ask(PROBE, machine, shared)).torch_copies == (f"{USER}/torch",)


def test_the_same_folder_twice_is_one_copy() -> None:
    machine = Described({f"{SITE}/torch/version.py": ""}, env=HOME | {"PYTHONPATH": SITE})
    assert value(ask(PROBE, machine)).torch_copies == (f"{SITE}/torch",)


def test_a_folder_that_may_not_be_listed_is_unknown_and_no_clean_bill() -> None:
    import pytest

    from attn_doctor.machine.host import CannotLook

    with pytest.raises(CannotLook):
        ask(PROBE, Described({SITE + "/": REFUSED}))
