"""Every key of --what-if and simulate: what it changes, what it refuses, and that order decides nothing."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.errors import UsageError
from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent, Known
from attn_doctor.machine.gather import decode, encode
from attn_doctor.machine.probe import probes
from attn_doctor.machine.probes.memory import GIB
from attn_doctor.machine.whatif import apply, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from support import Ran

    Cli = Callable[..., Ran]

# the contract's list
KEYS = {
    *("arch", "built.", "cc", "container", "cores", "cxx11abi", "disk", "driver", "gcc", "gpu", "gpu_count", "libc"),
    *("ninja", "nvcc", "os", "pkg.", "python", "ram", "torch", "torch_cuda", "vram", "wsl"),
}
MACHINE = ("gpu=NVIDIA A100-SXM4-80GB", "torch=2.8.0", "nvcc=12.9", "pkg.flash-attn=2.8.3")


def read(assignments: Sequence[str], path: str) -> Any:
    """'gpus.0.name' of the simulated machine; None for an Absent reading."""
    return look(simulate(assignments), path)


def look(facts: Any, path: str) -> Any:
    name, *rest = path.split(".")
    reading = facts.readings[name]
    if isinstance(reading, Absent):
        return None
    assert isinstance(reading, Known), reading
    found = reading.value
    for part in rest:
        if isinstance(found, dict):
            found = found[part]
        elif isinstance(found, tuple):
            found = found[int(part)]
        else:
            found = getattr(found, part)
    return found


def test_the_keys_are_those_of_the_contract() -> None:
    assert set(whatif.keys()) == KEYS


GOOD = [
    (["os=windows"], "system.os", "windows"),
    (["os=macos"], "system.os", "macos"),
    (["arch=aarch64"], "system.arch", "aarch64"),
    (["arch=arm64"], "system.arch", "aarch64"),
    (["wsl=true"], "system.wsl", True),
    (["wsl=false"], "system.wsl", False),
    (["container=true"], "system.container", "docker"),
    (["container=false"], "system.container", None),
    (["libc=glibc-2.28"], "libc.version", "2.28"),
    (["libc=musl-1.2"], "libc.family", "musl"),
    (["python=3.11"], "python.version", "3.11"),
    (["python=3.11.9"], "python.version", "3.11.9"),
    (["python=3.13t"], "python.free_threaded", True),
    (["python=3.13t"], "python.version", "3.13"),
    (["python=3.13"], "python.free_threaded", False),
    (["torch=2.7.1+cu118"], "torch.cuda", "11.8"),
    (["torch=2.7.1+cu118"], "torch.version", "2.7.1+cu118"),
    (["torch=2.13.0+cpu"], "torch.cpu_only", True),
    (["torch=2.9.1+rocm6.4"], "torch.rocm", "6.4"),
    (["torch=2.8.0a0+34c6371d24.nv25.08"], "torch.version", "2.8.0a0+34c6371d24.nv25.08"),
    (["torch=2.10.0.dev20251104+cu130"], "torch.cuda", "13.0"),
    (["torch=none"], "torch", None),
    (["torch=2.8.0"], "torch.cuda", "12.8"),
    (["torch=2.8.0", "os=macos", "arch=arm64"], "torch.cuda", None),
    (["torch=2.8.0a0+34c6371d24.nv25.08", "torch_cuda=13.0"], "torch.cuda", "13.0"),
    (["torch=2.8.0", "torch_cuda=none"], "torch.cuda", None),
    (["torch=2.5.1+cu124"], "torch.cxx11abi", False),
    (["torch=2.5.1+cu124", "cxx11abi=true"], "torch.cxx11abi", True),
    (["torch=2.8.0", "cxx11abi=false"], "torch.cxx11abi", False),
    (["gpu=NVIDIA GeForce RTX 3050"], "gpus.0.compute_capability", "8.6"),
    (["gpu=RTX 4090"], "gpus.0.compute_capability", "8.9"),
    (["gpu=AMD Instinct MI300X"], "gpus.0.vendor", "amd"),
    (["gpu=Apple M3 Max"], "gpus.0.vendor", "apple"),
    (["gpu=none"], "gpus", None),
    (["gpu=NVIDIA L4", "gpu_count=8"], "gpus.7.name", "NVIDIA L4"),
    (["gpu=NVIDIA L4", "gpu_count=1"], "gpus.0.index", 0),
    (["gpu=NVIDIA L4", "cc=9.9"], "gpus.0.compute_capability", "9.9"),
    (["gpu=NVIDIA L4", "vram=4GiB"], "gpus.0.memory_bytes", 4 * GIB),
    (["gpu=NVIDIA Z900 of the future", "cc=15.0"], "gpus.0.compute_capability", "15.0"),
    (["driver=555.99"], "driver.version", "555.99"),
    (["driver=550.144.03"], "driver.version", "550.144.03"),
    (["driver=none", "gpu=NVIDIA L4"], "driver", None),
    (["nvcc=12.5"], "toolkits.version", "12.5"),
    (["nvcc=none"], "toolkits", None),
    (["gcc=13.2"], "compiler.version", "13.2"),
    (["gcc=none"], "compiler", None),
    (["ninja=true"], "ninja.path", "ninja"),
    (["ninja=false"], "ninja", None),
    (["ram=16GiB"], "memory.total_bytes", 16 * GIB),
    (["ram=16GiB"], "memory.available_bytes", 16 * GIB),
    (["ram=16GB"], "memory.total_bytes", 16 * 10**9),
    (["cores=128"], "cpu.cores", 128),
    (["disk=100GiB"], "disk.places.0.free_bytes", 100 * GIB),
    (["disk=512MiB"], "disk.places.0.free_bytes", 512 << 20),
    (["pkg.flash-attn=2.8.3"], "packages.flash-attn.version", "2.8.3"),
    (["pkg.flash_attn=2.8.3"], "packages.flash-attn.version", "2.8.3"),
    (["pkg.flash-attn=2.8.3+cu12torch2.7cxx11abiTRUE"], "packages.flash-attn.build", "cu12torch2.7cxx11abiTRUE"),
    (["pkg.flash-attn=2.8.3"], "packages.flash-attn.build", None),
    (
        ["pkg.flash-attn=2.8.3", "built.flash-attn=cu12torch2.7cxx11abiTRUE"],
        "packages.flash-attn.build",
        "cu12torch2.7cxx11abiTRUE",
    ),
    (["pkg.flash-attn=2.8.3", "pkg.flash-attn=none"], "packages", {}),
]


@pytest.mark.parametrize(
    ("assignments", "path", "expected"), GOOD, ids=[" ".join(row[0]) + " " + row[1] for row in GOOD]
)
def test_a_good_value(assignments: list[str], path: str, expected: object) -> None:
    assert read(assignments, path) == expected


def test_every_key_has_a_good_value_here() -> None:
    named = {word.partition("=")[0] for row in GOOD for word in row[0]}
    assert {name.partition(".")[0] + "." if "." in name else name for name in named} == KEYS


GPU, TORCH, PKG = ["gpu=NVIDIA L4"], ["torch=2.8.0"], ["pkg.flash-attn=2.8.3"]
BAD = [
    ([], "os", ["beos", "Linux", "linux2", "none"]),
    ([], "arch", ["i386", "x86", "none"]),
    ([], "libc", ["glibc", "glibc-", "glibc-x", "glibc-2.x", "uclibc-1.0", "2.35", "none"]),
    ([], "python", ["2.7", "3", "3.x", "3.11tt", "cp311", "3.11.", "three", "none"]),
    ([], "torch", ["2", "latest", "2.7.1+", "2.7.1 cu118", "2.7.1+cu118;x", "v2.7.1", "../2.7"]),
    (TORCH, "torch_cuda", ["x", "cu130", "13.", "13.0x", "-13.0", "thirteen"]),
    ([], "torch_cuda", ["13.0"]),
    (TORCH, "cxx11abi", ["1", "yes", "TRUE", "none"]),
    ([], "cxx11abi", ["true"]),
    ([], "gpu", ["toaster", "4090 GB of toast", "0"]),
    (GPU, "gpu_count", ["0", "-1", "1.5", "many", "1025", "99999999999999999999"]),
    ([], "gpu_count", ["8"]),
    (["gpu=none"], "gpu_count", ["8"]),
    (GPU, "cc", ["86", "sm_86", "8", "8.60", "-8.6", "x", "none"]),
    ([], "cc", ["8.6"]),
    (["gpu=AMD Instinct MI300X"], "cc", ["9.4"]),
    (GPU, "vram", ["4", "-4GiB", "4XB", "lots", "nan", "inf", "1e400", "4 GiB or so"]),
    ([], "vram", ["4GiB"]),
    ([], "driver", ["latest", "5", "555.", "555.x", "v555.99", "-1"]),
    ([], "nvcc", ["x", "12.", "v12.5", "12.5.1.2", "-12"]),
    ([], "gcc", ["x", "12.", "gcc12", "-12"]),
    ([], "ninja", ["1", "yes", "none"]),
    ([], "ram", ["0GiB", "16", "-16GiB", "lots", "nanGiB", "16 bits"]),
    ([], "cores", ["0", "-1", "8.5", "eight", "99999999999"]),
    ([], "disk", ["100", "-1GiB", "lots", "inf"]),
    ([], "wsl", ["1", "2", "yes"]),
    ([], "container", ["docker", "1"]),
    ([], "pkg.flash-attn", ["latest", "v2.8.3", "2.8.3 beta", "-1"]),
    ([], "pkg.", ["2.8.3"]),
    ([], "pkg.a b", ["2.8.3"]),
    (PKG, "built.flash-attn", ["../x", "a b", "cu12;"]),
    ([], "built.flash-attn", ["cu12torch2.7cxx11abiTRUE"]),
]


@pytest.mark.parametrize(
    ("before", "key", "value"),
    [
        pytest.param(before, key, value, id=f"{' '.join(before)} {key}={value}")
        for before, key, values in BAD
        for value in values
    ],
)
def test_a_bad_value_names_key_value_and_expectation(before: list[str], key: str, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        simulate([*before, f"{key}={value}"])
    assert refused.value.message.startswith(f"{key}={value}: expected ")
    assert len(refused.value.message) > len(f"{key}={value}: expected ") + 3
    assert refused.value.exit_code == 2


def test_every_key_has_a_bad_value_here() -> None:
    named = {key for _, key, _ in BAD}
    assert {name.partition(".")[0] + "." if "." in name else name for name in named} == KEYS


@pytest.mark.parametrize("command", [("simulate",), ("facts", "--what-if"), ("check", "--what-if")])
@pytest.mark.parametrize(("word", "says"), [("cores=eight", "cores=eight: expected"), ("gpus=2", "no key 'gpus'")])
def test_on_the_command_line_it_is_exit_2_and_no_traceback(
    cli: Cli, command: tuple[str, ...], word: str, says: str
) -> None:
    ran = cli(*command, word)
    assert (ran.code, ran.out) == (2, ""), ran
    assert says in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("pythn=3.11", "python"),
        ("gpu_cuont=2", "gpu_count"),
        ("GPU=NVIDIA L4", "gpu"),
        ("vrma=4GiB", "vram"),
        ("tourch=2.8.0", "torch"),
        ("cxx_11_abi=true", "cxx11abi"),
        ("gpu.count=2", "gpu_count"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(word: str, nearest: str) -> None:
    with pytest.raises(UsageError) as refused:
        simulate([word])
    assert repr(word.partition("=")[0]) in refused.value.message
    assert refused.value.hint is not None
    assert f"Did you mean {nearest}?" in refused.value.hint


def test_an_unknown_key_like_no_other_is_answered_with_the_list() -> None:
    with pytest.raises(UsageError) as refused:
        simulate(["zzzzzzzz=1"])
    assert refused.value.hint is not None
    assert "Did you mean" not in refused.value.hint
    assert "torch_cuda" in refused.value.hint
    assert "pkg.NAME" in refused.value.hint


@pytest.mark.parametrize("word", ["", "=", "gpu", "gpu=", "=NVIDIA L4", " = "])
def test_what_is_no_assignment_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        simulate([word])


def test_a_gpu_name_that_is_nearly_one_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="NVIDIA A10"):
        simulate(["gpu=A10O"])


# --- what changes, and what does not


def test_nothing_changes_nothing() -> None:
    facts = simulate(MACHINE)
    assert apply(facts, []) is facts


@pytest.mark.parametrize(
    ("assignment", "changed"),
    [
        ("os=windows", {"system"}),
        ("wsl=true", {"system"}),
        ("libc=musl-1.2", {"libc"}),
        ("python=3.10", {"python"}),
        ("torch=2.9.0+cpu", {"torch"}),
        ("torch=none", {"torch"}),
        ("cxx11abi=false", {"torch"}),
        ("gpu=none", {"gpus"}),
        ("gpu_count=8", {"gpus"}),
        ("vram=4GiB", {"gpus"}),
        ("driver=none", {"driver"}),
        ("nvcc=13.0", {"toolkits"}),
        ("gcc=14.1", {"compiler"}),
        ("ninja=false", {"ninja"}),
        ("ram=8GiB", {"memory"}),
        ("cores=2", {"cpu"}),
        ("disk=1GiB", {"disk"}),
        ("pkg.xformers=0.0.33", {"packages"}),
        ("built.flash-attn=cu12torch2.8cxx11abiTRUE", {"packages"}),
    ],
)
def test_one_key_changes_one_reading(assignment: str, changed: set[str]) -> None:
    before = simulate(MACHINE)
    after = apply(before, [assignment])
    assert {name for name in before.readings if before.readings[name] != after.readings[name]} == changed
    assert list(after.readings) == list(before.readings)


def test_what_is_changed_names_its_source() -> None:
    reading = apply(simulate(MACHINE), ["driver=555.99"]).readings["driver"]
    assert isinstance(reading, Known)
    assert reading.source == "what-if"


def test_another_cuda_for_a_torch_changes_nothing_else_of_it() -> None:
    before = simulate(["torch=2.8.0", "cxx11abi=false"])
    after = apply(before, ["torch_cuda=12.6"])
    assert look(after, "torch.cuda") == "12.6"
    assert look(after, "torch.cxx11abi") is False


# --- the GPUs


def names(assignments: Sequence[str]) -> list[str]:
    return [gpu.name for gpu in simulate(assignments).readings["gpus"].value]


def test_gpu_again_and_again() -> None:
    facts = simulate(["gpu=Tesla T4", "gpu=NVIDIA L4", "gpu=Tesla T4"])
    assert [(gpu.index, gpu.compute_capability) for gpu in look(facts, "gpus")] == [(0, "7.5"), (1, "8.9"), (2, "7.5")]


def test_count_memory_and_capability_speak_of_the_gpu_before_them() -> None:
    facts = simulate(
        ["gpu=Tesla T4", "gpu_count=2", "vram=8GiB", "gpu=NVIDIA L4", "vram=12GiB", "gpu_count=3", "cc=9.0"]
    )
    found = [(gpu.index, gpu.compute_capability, gpu.memory_bytes) for gpu in look(facts, "gpus")]
    assert found == [
        (0, "7.5", 8 * GIB),
        (1, "7.5", 8 * GIB),
        (2, "9.0", 12 * GIB),
        (3, "9.0", 12 * GIB),
        (4, "9.0", 12 * GIB),
    ]


def test_a_gpu_takes_the_place_of_those_that_were_probed() -> None:
    eight = simulate(["gpu=NVIDIA L4", "gpu_count=8"])
    assert [gpu.name for gpu in look(apply(eight, ["gpu=Tesla T4"]), "gpus")] == ["Tesla T4"]


def test_fewer_of_the_gpus_that_were_probed() -> None:
    eight = simulate(["gpu=NVIDIA L4", "gpu_count=8"])
    assert len(look(apply(eight, ["gpu_count=4"]), "gpus")) == 4
    assert {gpu.memory_bytes for gpu in look(apply(eight, ["vram=4GiB"]), "gpus")} == {4 * GIB}


def test_a_gpu_brings_the_newest_driver_in_simulate_only() -> None:
    assert read(["gpu=NVIDIA L4"], "driver.cuda") is not None
    without = simulate(["gpu=NVIDIA L4", "driver=none"])
    assert look(without, "driver") is None
    assert look(apply(without, ["gpu=NVIDIA L4"]), "driver") is None
    assert read(["gpu=AMD Instinct MI300X"], "driver") is None
    assert read(["gpu=none"], "driver") is None


def test_a_driver_of_a_wish_stands_wherever_it_is_named() -> None:
    for order in itertools.permutations(["gpu=NVIDIA L4", "driver=535.183.01"]):
        assert read(order, "driver.version") == "535.183.01"


def test_a_driver_speaks_its_cuda() -> None:
    assert read(["driver=550.144.03"], "driver.cuda") == "12.4"
    assert read(["driver=535.183.01"], "driver.cuda") == "12.2"


# --- order


@pytest.mark.parametrize(
    "words",
    [
        ["os=windows", "torch=2.8.0", "gpu=NVIDIA L4"],
        ["os=windows", "gcc=12.2"],
        ["os=macos", "libc=musl-1.2"],
        ["os=windows", "ninja=false", "wsl=true", "container=true"],
        ["arch=aarch64", "torch=2.9.0", "python=3.13t"],
        ["torch=2.8.0", "torch_cuda=12.6", "cxx11abi=false"],
        ["torch=2.8.0", "pkg.triton=none"],
        ["torch=2.8.0", "pkg.triton=3.1.0"],
        ["pkg.flash-attn=2.8.3", "built.flash-attn=cu12torch2.7cxx11abiTRUE", "torch=2.7.1"],
        ["driver=none", "gpu=NVIDIA L4", "os=windows"],
        ["ram=16GiB", "disk=1GiB", "cores=2", "nvcc=12.5"],
    ],
    ids=" ".join,
)
def test_order_decides_nothing(words: list[str]) -> None:
    documents = {encode(simulate(order)) for order in itertools.permutations(words)}
    assert len(documents) == 1


# --- simulate


def test_what_simulate_starts_from() -> None:
    facts = simulate([])
    assert {name: look(facts, name) for name in ("driver", "gpus", "toolkits", "torch")} == dict.fromkeys(
        ("driver", "gpus", "toolkits", "torch")
    )
    told = {
        "system.os": "linux",
        "system.arch": "x86_64",
        "system.wsl": False,
        "system.container": None,
        "libc.family": "glibc",
        "libc.version": "2.35",
        "python.version": "3.12",
        "cpu.cores": 8,
        "memory.total_bytes": 32 * GIB,
        "disk.places.0.free_bytes": 100 * GIB,
        "compiler.family": "gcc",
        "compiler.version": "12.2",
        "ninja.path": "ninja",
        "packages": {},
        "environment": {},
    }
    assert {path: look(facts, path) for path in told} == told
    assert set(facts.readings) == set(probes())


def test_torchs_triton_comes_with_it() -> None:
    assert read(["torch=2.8.0"], "packages.triton.version") == "3.4.0"
    assert read(["torch=2.8.0+cpu"], "packages") == {}
    assert read(["torch=2.8.0", "os=windows"], "packages") == {}


def test_another_system_has_no_glibc_and_no_gcc() -> None:
    for system in ("windows", "macos"):
        facts = simulate([f"os={system}"])
        assert (look(facts, "libc"), look(facts, "compiler")) == (None, None)


@pytest.mark.parametrize(
    "words",
    [
        [],
        [*MACHINE],
        ["gpu=Tesla T4", "gpu=NVIDIA L4", "gpu_count=2", "torch=2.13.0+cpu", "python=3.13t", "os=windows"],
        ["gpu=NVIDIA Z900", "cc=15.0", "pkg.a-b.c=1.0", "driver=none"],
    ],
    ids=["nothing", "a machine", "two kinds", "odd"],
)
def test_simulated_facts_are_facts_to_the_byte(cli: Cli, words: list[str]) -> None:
    made = cli("simulate", *words)
    assert (made.code, made.err) == (0, ""), made
    assert encode(decode(made.stdout, "-")) == made.stdout
    again = cli("facts", "--facts", "-", input=made.stdout)
    assert again.stdout == made.stdout
    # and a what-if on them is the machine simulated with it
    assert cli("check", "--facts", "-", "--fail-on", "never", input=made.stdout).code == 0


def test_simulate_is_the_same_in_every_process(cli: Cli) -> None:
    made = {cli("simulate", *MACHINE, env={"PYTHONHASHSEED": seed}).stdout for seed in ("0", "1", "2")}
    assert made == {encode(simulate(MACHINE))}


def test_simulate_writes_to_a_file(cli: Cli, tmp_path: Any) -> None:
    file = tmp_path / "facts.json"
    assert cli("simulate", *MACHINE, "--output", file).out == ""
    assert file.read_bytes() == encode(simulate(MACHINE))


def test_a_what_if_goes_on_top_of_facts(cli: Cli) -> None:
    made = cli("simulate", *MACHINE)
    changed = cli("facts", "--facts", "-", "--what-if", "driver=535.183.01", "--what-if", "ram=8GiB", input=made.stdout)
    assert changed.json()["readings"]["driver"]["value"]["version"] == "535.183.01"
    assert changed.json()["readings"]["memory"]["value"]["total_bytes"] == 8 * GIB


def test_simulate_asks_the_machine_nothing() -> None:
    """No process is started and no file of /proc or /sys is opened."""
    code = (
        "import sys\n"
        "seen = []\n"
        "def hook(event, arguments):\n"
        "    if event in ('subprocess.Popen', 'os.exec', 'os.posix_spawn', 'socket.connect'):\n"
        "        seen.append((event, str(arguments[0])))\n"
        "    if event == 'open' and str(arguments[0]).startswith(('/proc/', '/sys/', '/etc/os-release')):\n"
        "        seen.append((event, str(arguments[0])))\n"
        "sys.addaudithook(hook)\n"
        "from attn_doctor.machine.whatif import simulate\n"
        "simulate(['gpu=NVIDIA L4', 'torch=2.8.0', 'nvcc=12.8'])\n"
        "print(seen)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
