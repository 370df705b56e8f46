"""attn_doctor.resolve(), as a training script calls it: real processes, real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

import attn_doctor
from attn_doctor import here
from attn_doctor.errors import NoBackend, UsageError
from attn_doctor.judgement import view
from attn_doctor.machine import asked, gather, quick
from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.probes import driver, gpus
from nvml_library import COMPILER, build, config
from support import REFUSED, Described, clean_environment, value

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = Path(attn_doctor.__file__).parent.parent
SLOW = {"torch", "typer", "click", "rich", "psutil", "packaging", "pynvml", "numpy", "pydantic"}
# what only words a fix, a report or the answer of a framework
FOR_WORDS = {f"attn_doctor.judgement.{name}" for name in ("binaries", "commands", "report", "torch_choice", "words")}
FOR_WORDS |= {"attn_doctor.knowledge.hub_kernels", "attn_doctor.wheels.catalogue"}
ALL = "print(json.dumps([answer, sorted(sys.modules)]))"
SHOW = "print(json.dumps([answer, sorted({name.partition('.')[0] for name in sys.modules})]))"
ASK = f"import json, sys, attn_doctor\nanswer = attn_doctor.resolve('flash_attention_2')\n{SHOW}"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of an environment with a torch of two files, that must not be imported."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True, timeout=60)
    place_torch(tmp_path, "2.8.0+cpu")
    return tmp_path / "venv/bin/python"


def site(tmp_path: Path) -> Path:
    return next((tmp_path / "venv").glob("lib/python3*/site-packages"))


def place_torch(tmp_path: Path, version: str, cuda: str | None = None) -> None:
    for old in site(tmp_path).glob("torch*"):
        shutil.rmtree(old)
    torch, metadata = site(tmp_path) / "torch", site(tmp_path) / f"torch-{version}.dist-info"
    torch.mkdir()
    metadata.mkdir()
    (torch / "__init__.py").write_text("raise SystemExit('torch was imported')\n")
    (torch / "version.py").write_text(f"__version__ = '{version}'\ncuda = {cuda!r}\nhip = None\n")
    (metadata / "METADATA").write_text(f"Name: torch\nVersion: {version}\n")


def run(python: Path, code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The code in a new process of that interpreter, which imports attn-doctor from here."""
    script = python.parents[2] / "train.py"
    script.write_text(code)
    own = [str(OURS), os.path.dirname(os.path.dirname(msgspec.__file__))]
    environment = clean_environment() | {"PYTHONPATH": os.pathsep.join(own), "PYTHONDONTWRITEBYTECODE": "1"} | env
    return subprocess.run(
        [python, script], env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=python.parent
    )


def answered(python: Path, code: str = ASK, **env: str) -> tuple[str, set[str]]:
    done = run(python, code, **env)
    assert done.returncode == 0, done.stderr
    answer, modules = json.loads(done.stdout.splitlines()[-1])
    return answer, set(modules)


def test_it_asks_the_interpreter_that_runs_and_imports_nothing_slow(python: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    answer, modules = answered(python, VIRTUAL_ENV=str(tmp_path / "other"), CONDA_PREFIX=str(tmp_path / "other"))
    assert answer == "sdpa"
    assert modules & SLOW == set()
    assert "msgspec" in modules


def test_the_first_answer_imports_nothing_that_only_words_a_fix(python: Path) -> None:
    answer, modules = answered(python, ASK.replace(SHOW, ALL))
    assert answer == "sdpa"
    assert "attn_doctor.judgement.resolution" in modules
    assert modules & FOR_WORDS == set()


def test_the_next_process_answers_without_probing(python: Path) -> None:
    answered(python)
    answer, modules = answered(python)
    assert answer == "sdpa"
    assert modules & (SLOW | {"msgspec", "subprocess", "typing"}) == set()
    assert "msgspec" in answered(python, ATTN_DOCTOR_NO_CACHE="1")[1]


def test_an_entry_of_the_path_that_is_no_text_is_passed_over(python: Path) -> None:
    code = f"import pathlib, sys\nsys.path.insert(0, pathlib.Path('/nowhere'))\nsys.path.append(None)\n{ASK}"
    assert answered(python, code)[0] == "sdpa"
    assert "msgspec" not in answered(python, code)[1]


def test_what_changes_in_the_environment_is_seen(python: Path, tmp_path: Path) -> None:
    assert answered(python)[0] == "sdpa"
    place_torch(tmp_path, "1.13.1+cpu")
    assert answered(python)[0] == "eager"
    shutil.rmtree(site(tmp_path) / "torch")
    gone = run(python, ASK)
    assert gone.returncode == 1
    assert "NoBackend: " in gone.stderr
    assert "torch is not installed" in gone.stderr
    place_torch(tmp_path, "2.8.0+cpu")
    assert answered(python)[0] == "sdpa"


def test_what_a_run_writes_beside_its_script_changes_nothing(python: Path, tmp_path: Path) -> None:
    answered(python)
    (tmp_path / "checkpoint.pt").write_text("weights")
    assert "msgspec" not in answered(python)[1]
    (tmp_path / "flash_attn-2.8.3.dist-info").mkdir()
    assert "msgspec" in answered(python)[1], "a package that is installed there is looked at"


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: '{"schema": "attn-doctor/asked/1"}',
        lambda text: text.replace("asked/1", "asked/2"),
        lambda text: text.replace('"word"', '"work"'),
    ],
)
def test_a_damaged_memory_is_none(python: Path, empty_cache: str, damage: Callable[[str], str]) -> None:
    folder = Path(empty_cache) / "attn-doctor/resolved"
    shutil.rmtree(folder, ignore_errors=True)
    answered(python)
    (kept,) = folder.iterdir()
    kept.write_text(damage(kept.read_text()))
    answer, modules = answered(python)
    assert answer == "sdpa"
    assert "msgspec" in modules


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
def test_the_memory_of_another_user_is_not_believed(python: Path, empty_cache: str) -> None:
    folder = Path(empty_cache) / "attn-doctor/resolved"
    shutil.rmtree(folder, ignore_errors=True)
    answered(python)
    (kept,) = folder.iterdir()
    os.chown(kept, 65534, 65534)
    assert "msgspec" in answered(python)[1]


def test_no_value_of_a_variable_is_written_down(python: Path, empty_cache: str) -> None:
    folder = Path(empty_cache) / "attn-doctor/resolved"
    shutil.rmtree(folder, ignore_errors=True)
    answered(python, PIP_CONSTRAINT="https://user:secret@example.org/c.txt", CUDA_HOME="/opt/secret")
    assert "secret" not in "".join(file.read_text() for file in folder.iterdir())
    assert "msgspec" in answered(python, CUDA_HOME="/opt/another")[1], "a variable that was asked for counts"


SIXTEEN = """
import json, logging, sys, threading
import attn_doctor
said = []
class Keep(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
logging.getLogger("attn_doctor").addHandler(Keep())
start = threading.Barrier(16)
answers = []
def ask():
    start.wait()
    answers.append(attn_doctor.resolve("fa2", framework="transformers"))
threads = [threading.Thread(target=ask) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
answer = [answers, said]
print(json.dumps([answer, []]))
"""


def test_sixteen_threads_find_out_once_and_log_once(python: Path) -> None:
    for env in ({"ATTN_DOCTOR_NO_CACHE": "1"}, {}):
        (answers, said), _ = answered(python, SIXTEEN, **env)  # type: ignore[misc]
        assert answers == ["sdpa"] * 16
        assert said == ["flash_attention_2 does not run here: this machine has no GPU"]


FORKED = """
import json, os, sys, threading
from attn_doctor import here
held, done = threading.Event(), threading.Event()
def hold():
    with here._lock:
        held.set()
        done.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, here.resolve("sdpa").encode())
    os._exit(0)
os.wait()
done.set()
answer = os.read(read, 99).decode()
print(json.dumps([answer, []]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_does_not_wait_for_a_thread_it_has_not(python: Path) -> None:
    assert answered(python, FORKED)[0] == "sdpa"


def test_the_same_in_this_process() -> None:
    """The tests' own environment has no torch: nothing runs, and that is said."""
    with pytest.raises(NoBackend, match="torch is not installed") as raised:
        attn_doctor.resolve()
    assert len(raised.value.reasons) == 3
    assert raised.value.exit_code == 1
    answer = attn_doctor.resolution(framework="transformers")
    assert (answer.backend, answer.framework) == (None, "transformers")
    assert attn_doctor.resolution(framework="transformers") is answer


@pytest.mark.parametrize(
    "wrong", [{"backend": "fa22"}, {"chain": ["egaer"]}, {"chain": []}, {"need": ["colour"]}, {"framework": "vlm"}]
)
def test_a_wrong_name_is_an_error_of_the_caller(wrong: dict[str, Any]) -> None:
    for call in (attn_doctor.resolve, attn_doctor.resolution):
        with pytest.raises(UsageError):
            call(**wrong)


def test_a_wrong_framework_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Where a chain is given nothing of it depends on the framework: it is looked at all the same, first."""
    for call in (attn_doctor.resolve, attn_doctor.resolution):
        with pytest.raises(UsageError, match="no framework 'bogus'"):
            call(chain=["eager"], framework="bogus")
    assert caplog.text == ""


def test_strict_raises_with_the_reason(python: Path) -> None:
    code = f"import json, sys, attn_doctor\nanswer = attn_doctor.resolve('fa2', strict=True)\n{SHOW}"
    done = run(python, code)
    assert done.returncode == 1
    assert "NoBackend: flash_attention_2 does not run here: this machine has no GPU" in done.stderr
    assert answered(python, code.replace("'fa2'", "'sdpa'"))[0] == "sdpa"


class Broken(Described):
    def is_dir(self, path: str) -> bool:
        raise RuntimeError("this is a fault of ours")


def test_a_fault_of_ours_costs_speed_and_not_the_run(caplog: pytest.LogCaptureFixture) -> None:
    found = here._resolution((None, None, (), "transformers"), Broken())
    assert (found.word, found.fell_back) == ("eager", True)
    assert "attn-doctor itself failed" in caplog.text


# --- what is remembered


def test_what_was_asked_is_seen_to_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOME_VARIABLE", "1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("one")
    (tmp_path / "link").symlink_to("folder")
    host = asked.Asking(LiveHost())

    def keep() -> None:
        host.__init__(LiveHost())  # type: ignore[misc]
        assert host.list_dir(str(tmp_path / "folder"))
        assert host.read_text(str(tmp_path / "folder/file"))
        assert not host.is_file(str(tmp_path / "absent"))
        assert host.real_path(str(tmp_path / "link"))
        assert host.env("SOME_VARIABLE")
        asked.keep(("question",), host, "answer")
        assert asked.find(("question",)) == "answer"

    changes: list[Callable[[], object]] = [
        lambda: (tmp_path / "folder/file").write_text("two"),
        (tmp_path / "folder/new").touch,
        (tmp_path / "absent").touch,
        lambda: ((tmp_path / "link").unlink(), (tmp_path / "link").symlink_to("elsewhere")),
        lambda: monkeypatch.setenv("SOME_VARIABLE", "2"),
        lambda: monkeypatch.setattr(sys, "path", [*sys.path, "/elsewhere"]),
    ]
    for number, change in enumerate(changes):
        keep()
        change()
        assert asked.find(("question",)) is None, number
        (tmp_path / "absent").unlink(missing_ok=True)
    keep()
    assert asked.find(("another question",)) is None


def test_what_a_child_said_does_not_outlive_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    host = asked.Asking(LiveHost())
    host.start("true", [sys.executable, "-c", ""])
    host.finish("true", 30)
    asked.keep(("question",), host, "answer")
    assert asked.find(("question",)) == "answer"
    (kept,) = (tmp_path / "attn-doctor/resolved").iterdir()
    document = json.loads(kept.read_text())
    for key, shift in (("until", -asked.OF_CHILDREN_S), ("since", 3600)):  # a day later; the clock set back
        kept.write_text(json.dumps(document | {key: document[key] + shift}))
        assert asked.find(("question",)) is None
    other = document["files"] | {asked.BOOT_ID: "another boot"}
    kept.write_text(json.dumps(document | {"files": other}))
    assert asked.find(("question",)) is None


def test_free_memory_is_never_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    host = asked.Asking(LiveHost())
    host.disk("/")
    asked.keep(("question",), host, "answer")
    assert asked.find(("question",)) is None


def test_no_more_is_kept_than_anybody_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for number in range(asked.MAX_FILES + 3):
        asked.keep((number,), asked.Asking(LiveHost()), number)
    assert len(os.listdir(tmp_path / "attn-doctor/resolved")) == asked.MAX_FILES
    assert asked.find((asked.MAX_FILES + 2,)) == asked.MAX_FILES + 2


# --- GPUs

NVML = "driver 550.144.03\nnvml 12.550.144.03\ncuda 12040\n"
L4 = 'device name="NVIDIA L4" cc=8.9 memory=24152899584 pci=0x27B810DE mig=0\n'


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which(COMPILER) is None or os.path.exists("/proc/driver/nvidia"),
    reason="needs Linux, a C compiler and no driver of the machine's own",
)
def test_a_driver_is_asked_once_in_a_day(python: Path, tmp_path: Path) -> None:
    place_torch(tmp_path, "2.8.0+cu128", cuda="12.8")
    library = build(tmp_path)
    code = ASK.replace("\nanswer", "\nimport logging\nlogging.basicConfig(stream=sys.stderr)\nanswer")
    first = run(python, code, **config(tmp_path, NVML + L4, library))
    assert json.loads(first.stdout)[0] == "sdpa", first.stderr
    assert "flash_attention_2 does not run here: flash-attn is not installed" in first.stderr, "there is a GPU"
    again = run(python, code, **config(tmp_path, "hang\n", library))
    assert json.loads(again.stdout)[0] == "sdpa"
    assert "msgspec" not in json.loads(again.stdout)[1]


def test_a_torch_that_has_initialised_cuda_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its list is what CUDA_VISIBLE_DEVICES has left: the variable must not take away from it once more."""
    card = SimpleNamespace(name="NVIDIA H200", major=9, minor=0, total_memory=150754820096)
    cuda = SimpleNamespace(
        is_initialized=lambda: True, device_count=lambda: 1, get_device_properties=lambda index: [card][index]
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(version=SimpleNamespace(cuda="12.8"), cuda=cuda))
    machine = Described({"/proc/driver/nvidia/version": VERSION}, env={"CUDA_VISIBLE_DEVICES": "5", "MAX_JOBS": "4"})
    readings = quick.gather(machine).readings
    assert [gpu.compute_capability for gpu in value(readings["gpus"])] == ["9.0"]
    assert value(readings["environment"]) == {"MAX_JOBS": "4"}
    assert view.Machine(gather.Facts(readings=readings)).capabilities == ("9.0",)
    asking = asked.Asking(machine)
    here._resolution((None, None, (), None), asking)
    assert asking.passing, "what this process alone knows is nothing for another"


VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.144.03  Mon Dec 30 17:44:08 UTC 2024\n"
A10 = {"/proc/driver/nvidia/gpus/0000:00:07.0/information": "Model: \t\t NVIDIA A10\nIRQ:   \t\t 31\n"}


def test_a_driver_that_lists_known_gpus_is_not_asked() -> None:
    machine = Described({"/proc/driver/nvidia/version": VERSION, "/dev/nvidia0": "", "/dev/nvidiactl": "", **A10})
    assert value(driver.from_files(machine)).version == "550.144.03"
    (gpu,) = value(gpus.from_files(machine))
    assert (gpu.name, gpu.compute_capability) == ("NVIDIA A10", "8.6")


@pytest.mark.parametrize(
    "files",
    [
        {"/dev/nvidia0": ""},  # no list
        {"/dev/nvidia0": "", "/dev/nvidia1": "", **A10},
        {**A10},  # a container without that GPU
        {"/dev/nvidia0": "", "/proc/driver/nvidia/gpus/0/information": "Model: NVIDIA Unheard-of 9000\n"},
        {"/dev/": REFUSED, **A10},
    ],
)
def test_where_files_do_not_tell_the_driver_has_to_be_asked(files: dict[str, Any]) -> None:
    assert gpus.from_files(Described(files)) is None


def test_no_driver_is_no_answer_from_files() -> None:
    assert driver.from_files(Described({})) is None
    assert driver.from_files(Described({"/proc/driver/nvidia/version": REFUSED})) is None


def test_every_table_that_was_read_is_seen_to_change() -> None:
    here._resolution((None, None, (), "transformers"), Described({}))
    read = {os.path.basename(path) for path in here._besides()}
    assert {"attention.json", "frameworks.json", "packages_watched.json"} <= read
    assert all(os.path.isfile(path) for path in here._besides() if path.endswith(".json"))
