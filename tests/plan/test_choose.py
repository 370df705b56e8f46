"""The way that is chosen, on the machines that people ask about, and what holds on every machine."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.judgement import need as needs
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.check import check
from attn_doctor.machine import whatif
from attn_doctor.plan import choose
from attn_doctor.plan.request import Request
from plan.cases import A100, LAPTOP, MACHINES, commands, kinds, other, plan

if TYPE_CHECKING:
    from attn_doctor.judgement.need import Need
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts
    from attn_doctor.plan.plan import Plan


def test_an_official_wheel() -> None:
    one = plan("flash_attention_2", *A100, "python=3.12")
    assert (one.method, one.package, one.possible) == ("wheel", "flash-attn", True)
    assert one.wheel
    assert one.wheel.source == "fa-official"
    assert "torch2.8cxx11abiTRUE-cp312" in one.wheel.filename
    assert kinds(one) == ["install", "fetch", "install", "verify"]
    assert all("--no-deps" in command for command in commands(one)[:-1])
    assert one.blocked_by == ()


def test_the_machine_of_seeds_000() -> None:
    """cu118: only a community file fits; upstream's fits a torch for CUDA 12 of the very same release."""
    one = plan("flash_attention_2", *LAPTOP, "nvcc=12.5")
    assert one.wheel
    assert one.wheel.trust == "community"
    moved = next(way for way in one.alternatives if way.package == "flash-attn" and "torch" in way.title)
    assert moved.wheel
    assert moved.wheel.source == "fa-official"
    torch = next(change for change in moved.changes if change.package == "torch")
    assert (torch.before, torch.after) == ("2.7.1+cu118", "2.7.1+cu126")
    upstream = plan("flash_attention_2", *LAPTOP, "nvcc=12.5", trust="upstream")
    assert upstream.wheel == moved.wheel


def test_torch_moves_with_its_companions() -> None:
    one = plan(
        "flash_attention_2", *LAPTOP, "pkg.torchvision=0.22.1+cu118", "pkg.torchaudio=2.7.1+cu118", trust="upstream"
    )
    moved = {change.package: change.after for change in one.changes}
    assert (moved["torchvision"], moved["torchaudio"]) == ("0.22.1", "2.7.1")
    (command,) = [command for command in commands(one) if "torch==" in command]
    assert "torch==2.7.1+cu126 torchvision==0.22.1+cu126 torchaudio==2.7.1+cu126" in command
    assert "--constraint" in command
    assert command.endswith("--index-url https://download.pytorch.org/whl/cu126")


def test_a_compiled_package_comes_anew_with_another_torch() -> None:
    one = plan("flash_attention_2", *LAPTOP, "pkg.xformers=0.0.31.post1", trust="upstream")
    moved = {change.package: change.after for change in one.changes}
    assert moved["torch"] == "2.7.1+cu126"
    assert moved["xformers"] == "0.0.31.post1"


@pytest.mark.parametrize("bound", ["pkg.vllm=0.11.0", "pkg.sglang=0.5.5"])
def test_torch_does_not_go_back_under_a_package_that_demands_its_own(bound: str) -> None:
    """torch 2.15 has no flash-attn wheel: without vLLM an older torch is a way, with it none is."""
    free = plan("flash_attention_2", "gpu=NVIDIA A100-SXM4-40GB", "torch=2.15.0+cu132", "python=3.12")
    assert free.possible
    assert any("goes back" in warning for warning in free.warnings)
    held = plan("flash_attention_2", "gpu=NVIDIA A100-SXM4-40GB", "torch=2.15.0+cu132", "python=3.12", bound)
    assert not held.possible
    assert all(change.package != "torch" for change in held.changes)


def test_a_torch_that_an_installed_package_refuses_is_no_way() -> None:
    """transformers 5.23 takes torch from 2.6 on (M7): a move below it is never planned."""
    one = plan("flash_attention_1", *LAPTOP, "pkg.transformers=5.23.0")
    assert not any(change.package == "torch" and str(change.after) < "2.6" for change in one.changes)
    assert not one.possible


def test_nothing_to_do() -> None:
    one = plan("flash_attention_2", *A100, "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE")
    assert (one.method, one.steps, one.possible) == ("none", (), True)
    assert plan("sdpa", *A100).method == "none"


def test_another_version_of_what_is_ready() -> None:
    one = plan("flash_attention_2", *A100, "pkg.flash-attn=2.8.3+cu12torch2.8cxx11abiTRUE", version="2.8.3.post1")
    assert (one.method, one.version) == ("wheel", "2.8.3.post1")
    assert any("--force-reinstall" in command for command in commands(one))


def test_without_a_name_what_check_recommends() -> None:
    assert plan(None, *A100).backend == "flash_attention_2"
    assert plan(None, "torch=2.8.0+cpu").backend == "sdpa"


@pytest.mark.parametrize(
    ("backend", "keys"),
    [
        ("flash_attention_2", ("gpu=Tesla T4", "torch=2.8.0+cu128")),
        ("flash_attention_3", ("gpu=NVIDIA GeForce RTX 5090", "torch=2.8.0+cu128")),
        ("flash_attention_2", ("os=macos", "arch=aarch64", "torch=2.8.0")),
        ("xformers", ("torch=2.8.0+cpu",)),
    ],
)
def test_what_the_hardware_cannot_run_has_no_way(backend: str, keys: tuple[str, ...]) -> None:
    one = plan(backend, *keys)
    assert (one.method, one.possible, one.steps) == ("none", False, ())
    assert one.obstacles
    assert all(way.method == "none" for way in one.alternatives), "what remains is to stay"


def test_staying_on_sdpa_is_a_way() -> None:
    stay = other(plan("flash_attention_2", *A100), "none")
    assert (stay.backend, stay.possible, stay.steps) == ("sdpa", True, ())


def test_a_driver_that_is_not_loaded_is_in_the_way() -> None:
    one = plan("flash_attention_2", *A100, "driver=none")
    assert not one.possible
    assert "AD102" in one.blocked_by
    assert one.steps, "what would be done once it is loaded is printed all the same"


def test_a_method_that_is_asked_for() -> None:
    assert plan("flash_attention_2", *A100, "nvcc=12.8", "ram=64GiB", method="source").method == "source"
    assert plan("flash_attention_2", *A100, method="wheel").method == "wheel"
    refused = plan("flash_attention_2", *A100, "torch=2.15.0+cu132", "nvcc=13.2", method="source")
    assert not refused.possible


def test_a_version_that_never_existed() -> None:
    one = plan("flash_attention_2", *A100, version="9.9.9")
    assert not one.possible
    assert any("9.9.9" in obstacle for obstacle in one.obstacles)


def test_no_pre_release_where_none_is_wanted() -> None:
    assert plan("flash_attention_4", *A100).version == "4.0.0b36"
    assert not plan("flash_attention_4", *A100, pre=False).possible


def test_a_triton_for_windows_comes_by_name() -> None:
    one = plan("triton", "os=windows", "gpu=NVIDIA GeForce RTX 4070", "torch=2.8.0+cu128")
    assert (one.package, one.version) == ("triton-windows", "3.4.0")


@cache
def judged(name: str) -> tuple[Facts, Need, Report]:
    """A machine, what is needed on it, and the verdict: what is found out of it once serves several tests."""
    machine = MACHINES[name]
    facts, need = whatif.simulate(machine["simulate"]), needs.parse(machine.get("need", []))
    return facts, need, check(facts, need)


@cache
def plans(name: str) -> dict[str, Plan]:
    """The plan for each backend on that machine."""
    facts, need, _ = judged(name)
    return {backend: choose.plan(facts, backend, Request(), need) for backend in backends()}


@pytest.mark.parametrize("name", MACHINES)
def test_status_and_plan_agree_on_every_machine(name: str) -> None:
    """installable: a plan that can be carried out; blocked and unsupported: none; ready: nothing to do."""
    statuses = {verdict.name: verdict for verdict in judged(name)[2].backends}
    wrong: dict[str, Any] = {}
    for backend, one in plans(name).items():
        status = statuses[backend].status
        agrees = one.possible == (status in ("ready", "installable")) and (status == "ready") == (
            one.method == "none" and one.possible
        )
        if not agrees or (not one.possible and not one.obstacles):
            wrong[backend] = (status, statuses[backend].reasons, one.method, one.possible, one.obstacles)
    assert not wrong


@pytest.mark.parametrize("name", MACHINES)
def test_a_plan_that_is_carried_out_leaves_the_backend_ready_and_no_new_error(name: str) -> None:
    facts, need, before = judged(name)
    errors = {finding.code for finding in before.findings if finding.severity == "error"}
    for backend, one in plans(name).items():
        if not one.steps or not one.possible:
            continue
        after = check(whatif.apply(facts, [*choose.assignments(one)]), need)
        assert next(verdict for verdict in after.backends if verdict.name == backend).status == "ready"
        added = {finding.code for finding in after.findings if finding.severity == "error"} - errors
        said = {"AD323"} if any("cannot be imported" in warning for warning in one.warnings) else set()
        assert not added - HELPERS - said, (backend, added)


# FlashAttention 4's own demands come in with it, and are not among what a plan can name
HELPERS = {"AD315"}


@pytest.mark.parametrize("name", MACHINES)
def test_no_step_can_move_torch_by_accident(name: str) -> None:
    """Every installation is without dependencies, or under a constraint, or of torch itself into an empty place."""
    facts, need, _ = judged(name)
    without = needs.parse([])
    for backend, one in plans(name).items():
        for step in (one if need == without else choose.plan(facts, backend, Request(), without)).steps:
            if step.kind in ("install", "build") and step.id not in ("torch", "pip"):
                assert {"--no-deps", "--constraint", "--freeze-installed"} & set(step.command), step


@pytest.mark.parametrize("method", ["auto", "wheel", "source"])
def test_the_head_alone_is_the_head_of_all(method: str) -> None:
    for name in sorted(MACHINES)[::12]:
        facts = whatif.simulate(MACHINES[name]["simulate"])
        for backend in ("flash_attention_2", "xformers", "sdpa"):
            request, need = Request(method=method), needs.parse([])
            whole, first = choose.plan(facts, backend, request, need), choose.head(facts, backend, request, need)
            assert (first is not None) == whole.possible, (name, backend)
            if first is not None:
                assert (first.title, first.steps, first.changes) == (whole.title, whole.steps, whole.changes)
