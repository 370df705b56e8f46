"""What may stand next: from the commands' own options, so that each command and option is there."""

from __future__ import annotations

import pytest

import imagined
from attn_doctor.cli import COMMANDS
from attn_doctor.cli._candidates import split
from attn_doctor.judgement.backend import backends
from attn_doctor.judgement.rule import rules
from attn_doctor.machine.whatif import keys
from attn_doctor.measure.shapes import presets


def offered(*words: str, shell: str = "zsh") -> list[str]:
    """The kind of answer, then the words; for bash, `words` is the line."""
    called = imagined.call("completion", shell, "--next", "--", *words)
    assert called.code == 0, called
    return [line.partition("\t")[0] for line in called.out.splitlines()]


def test_every_command_is_offered_first() -> None:
    assert offered("") == ["words", *COMMANDS]
    assert offered("sim") == ["words", "simulate"]
    assert offered("--v") == ["words", "--version"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command(command: str) -> None:
    shown = imagined.call(command, "--help").out
    listed = {line.split()[0] for line in shown.splitlines() if line.startswith("  --")}
    found = set(offered(command, "-"))
    assert listed <= found, listed - found
    assert {word for word in found if word.startswith("--")} - listed <= {"--verbose", "--help"}


@pytest.mark.parametrize(("shell", "said"), [("", "$SHELL is empty"), ("/bin/tcsh", "tcsh of $SHELL is not one of")])
def test_a_shell_that_is_not_known_from_the_environment(monkeypatch: pytest.MonkeyPatch, shell: str, said: str) -> None:
    monkeypatch.setenv("SHELL", shell)
    called = imagined.call("completion")
    assert (called.code, said in called.err, "Shells: bash" in called.err) == (2, True, True)


def test_values() -> None:
    assert set(offered("install", "")) == {"words", *backends()}
    assert set(offered("check", "--require", "")) == {"words", *backends()}
    assert set(offered("check", "--ignore", "AD")) == {"words", *rules()}
    assert set(offered("rule", "ad")) == {"words"}, "codes are written in capitals"
    assert {word.rstrip("=") for word in offered("check", "--what-if", "")} == {"words", *keys()}
    assert offered("simulate", "os=w") == ["words", "os=windows"]
    assert offered("check", "--what-if", "gpu=NVIDIA L40") == ["words", "gpu=NVIDIA L40", "gpu=NVIDIA L40S"]
    assert offered("check", "--need", "dt") == ["words", "dtype="]
    assert offered("check", "--need", "dtype=b") == ["words", "dtype=bf16"]
    assert offered("check", "--need=caus") == ["words", "--need=causal"]
    assert {"text", "json"} < set(offered("check", "--format", ""))
    assert offered("install", "--method", "wh") == ["words", "wheel"]
    assert offered("snippet", "vl") == ["words", "vllm"]
    assert "--venv" not in offered("check", "--venv", "x", "--v")
    assert "--need" in offered("check", "--need", "causal", "--n"), "repeatable"


def test_presets_and_the_kernels_of_sdpa() -> None:
    assert offered("bench", "--preset", "") == ["words", *presets(), "model"]
    assert offered("bench", "--preset=qu") == ["words", "--preset=quick"]
    for command in ("bench", "verify"):
        found = offered(command, "")[1:]
        assert {"sdpa", "sdpa.flash", "sdpa.efficient", "sdpa.cudnn", "sdpa.math", "flash_attention_2"} <= set(found)
        assert "flash_attention_1" not in found, "it has no attention that can be called"
        assert offered(command, "sdpa.f") == ["words", "sdpa.flash"]
        assert "sdpa.flash" not in offered(command, "sdpa.flash", "sdpa.")
    assert "sdpa.flash" not in offered("install", "sdpa")


def test_lists_with_commas() -> None:
    assert set(offered("resolve", "--chain", "")) == {"words", *backends()}
    one = "flash_attention_2,"
    assert offered("resolve", "--chain", f"{one}s") == ["words", f"{one}sage_attention", f"{one}sdpa"]
    assert offered("resolve", f"--chain={one}sd") == ["words", f"--chain={one}sdpa"]
    assert offered("resolve", "--chain", f"{one} sd") == ["words", f"{one} sdpa"]
    assert not [word for word in offered("resolve", "--chain", one) if word.count("flash_attention_2") > 1]


def test_files_and_folders_are_the_shells_own() -> None:
    assert offered("check", "--venv", "") == ["folders"]
    assert offered("check", "--facts", "") == ["files"]
    assert offered("explain", "") == ["files"]
    assert offered("explain", "--", "pip", "install", "") == ["files"]
    assert offered("nonsense", "") == ["words"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("attn-doctor che", ["check"]),
        ("attn-doctor check --what-if os=w", ["windows"]),
        ("attn-doctor check --what-if gpu=NVIDIA\\ L40", ["NVIDIA\\ L40", "NVIDIA\\ L40S"]),
        ("attn-doctor resolve --chain fa2,sd", ["fa2,sdpa"]),
        ("attn-doctor resolve --chain=fa2,sd", ["fa2,sdpa"]),
        ('attn-doctor check --what-if gpu="NVIDIA L40', ["NVIDIA L40", "NVIDIA L40S"]),
        ("attn-doctor check --what-if 'gpu=NVIDIA L40", ["gpu=NVIDIA L40", "gpu=NVIDIA L40S"]),
    ],
)
def test_bash_is_told_what_it_has_not_set_apart(line: str, expected: list[str]) -> None:
    assert offered(line, shell="bash") == ["words", *expected]


@pytest.mark.parametrize("line", ["", "'", '"', "\\", "a 'b", 'x="y z', "--", "\t \\", 'a"b"\\'])
def test_any_line_can_be_taken_apart(line: str) -> None:
    words, typed = split(line)
    assert all(isinstance(word, str) for word in [*words, typed.text])
    assert 0 <= typed.apart <= len(typed.text)
    offered(line, shell="bash")


def test_scripts_and_refusals() -> None:
    for shell in ("bash", "zsh", "fish", "powershell", "pwsh"):
        script = imagined.call("completion", shell).out
        assert "attn-doctor completion" in script.splitlines()[1] + script.splitlines()[2]
    refused = imagined.call("completion", "bsh")
    assert (refused.code, refused.out) == (2, "")
    assert "Did you mean bash?" in refused.err
    assert imagined.call("completion", "bash", "check").code == 2
