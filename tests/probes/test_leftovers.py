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


def test_copies_say_their_versions_where_there_are_several() -> None:
    files = {
        "/src/torch/version.py": "__version__ = '2.9.0a0+git1'\n",
        f"{SITE}/torch/version.py": "__version__ = '2.8.0+cu128'\n",
    }
    found = value(ask(PROBE, Described(files, env={"PYTHONPATH": "/src"})))
    assert found.torch_versions == ("2.9.0a0+git1", "2.8.0+cu128")
    alone = value(ask(PROBE, Described({f"{SITE}/torch/version.py": "__version__ = '2.8.0'\n"})))
    assert alone.torch_versions == ()


def test_one_torch_by_two_names_is_one_copy() -> None:
    machine = Described({f"{SITE}/torch/version.py": ""}, links={"/link": SITE}, env={"PYTHONPATH": "/link"})
    assert len(value(ask(PROBE, machine)).torch_copies) == 1


def test_the_user_site_can_be_left_out() -> None:
    machine = Described({f"{USER}/torch/version.py": ""}, env=HOME | {"PYTHONNOUSERSITE": "1"})
    assert value(ask(PROBE, machine, SYSTEM)).torch_copies == ()


def test_an_environment_that_shares_has_its_own_before_those_of_the_user() -> None:
    machine = Described({f"{path}/torch/version.py": "" for path in (SITE, USER)}, env=HOME)
    shared = msgspec.structs.replace(VENV, system_site=True)
    assert value(ask(PROBE, machine, shared)).torch_copies == (f"{SITE}/torch", f"{USER}/torch")


def test_two_that_claim_to_be_the_same_compiled_package() -> None:
    files = {
        f"{SITE}/flash_attn-2.8.3.dist-info/": "",
        f"{SITE}/flash_attn-2.7.4-py3.12-linux-x86_64.egg/": "",
        f"{SITE}/xformers-0.0.33.dist-info/": "",
        f"{SITE}/requests-2.31.0.dist-info/": "",
        f"{SITE}/requests-2.32.0.dist-info/": "",
    }
    found = value(ask(PROBE, Described(files)))
    rivals = (f"{SITE}/flash_attn-2.7.4-py3.12-linux-x86_64.egg", f"{SITE}/flash_attn-2.8.3.dist-info")
    assert (found.rivals, found.eggs_first) == (rivals, False)
    pth = "import sys; sys.__plen = len(sys.path)\n./flash_attn-2.7.4.egg\nimport sys; p=getattr(sys,'__egginsert',0)\n"
    assert value(ask(PROBE, Described(files | {f"{SITE}/easy-install.pth": pth}))).eggs_first
