"""How a log ends: well, badly, or in the middle; and what only follows from something earlier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attn_doctor.explain.cause import Cause
from attn_doctor.explain.diagnosis import Verdict
from attn_doctor.explain.log import Line, Log

# what says that something went wrong, whatever it was
BAD = (
    r"(?i)\b(?:fatal )?error\b ?[:!-]|^error\b|\bfatal *:|\b(?:failed|failure)\b|^Traceback \(most recent call last\)"
    r"|^\w*(?:Error|Exception)\b(?::|$)|\bKilled\b|command not found|core dumped|Segmentation fault|non-zero"
    r"|\bERR!|: \*\*\* |exit (?:code|status):? ?[1-9]|cannot open shared object|\bnot (?:a )?supported\b"
)
GOOD = (
    r"Successfully (?:installed|built) |^Installed \d{1,7} packages? in|^ \+ [\w.-]+==|Finished processing dependencies"
    r"|^Built [\w.-]+|Requirement already satisfied|No broken requirements found|\[100%\] Built target"
    r"|Audited \d{1,7} packages?|^Successfully |flash_attn (?:is )?(?:installed|works)|\bAll \d{1,7} tests? passed"
    r"|\b\d{1,7} passed"
)
# what installers, build tools and launchers say last, whatever went wrong before
FOLLOWING = (
    *("ninja: build stopped", "subprocess-exited-with-error", "metadata-generation-failed", "Failed building wheel"),
    *("Failed to build installable wheels", "Failed to build", "returned non-zero exit status", "exit status 1"),
    *("Error compiling objects for extension", "error: command ", "legacy-install-failure", "Could not build wheels"),
    *("note: This error originates", "failed to solve", "did not complete successfully", "make: ***", "make[1]: ***"),
    *("Process completed with exit code", "ERROR: Failed", "urllib.error.HTTPError", "Error: Process completed"),
    *("Running setup.py clean", "hint: This usually indicates a problem with the package", "CalledProcessError"),
)
# what belongs to this field at all
FIELD = (
    r"(?i)torch|cuda|nvcc|nvidia|\bpip3?\b|\buv\b|poetry|conda|setuptools|ninja|flash.?att|xformers|triton|sageatt|wheel"
    r"|\bgcc\b|g\+\+|cmake|cl\.exe|site-packages|\bpython3?\b|docker|transformers|\.so\b|attn|rocm|\bhip\b|\bgpu\b"
)


def verdict(log: Log, found: Sequence[Cause]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and what to show next where there is no cause in the log."""
    if found:
        if not found[0].changes_nothing:
            return "failure", ()
        return ("healthy" if found[0].category == "healthy" else "unrelated"), ()
    if not log.text.strip():
        return "unknown", (
            "the log is empty: run the command again with its output kept: COMMAND 2>&1 | tee build.log",
        )
    if not log.matches(f"(?m){BAD}"):
        return ("healthy", ()) if log.matches(f"(?m){GOOD}") else ("unknown", more(log))
    return ("unknown", more(log)) if log.matches(FIELD) else ("unrelated", ())


def cut(log: Log) -> bool:
    """Whether the log starts in the middle of a traceback or of an installer's report."""
    first = next((line.text for line in log.lines if line.text.strip()), "")
    return first.startswith(("  File ", "    ")) or log.has("[...]") or log.lines[:1] == ()


def consequences(log: Log, line: Line) -> Iterator[Line]:
    """What is said after a line, and only because of it."""
    for later in log.lines[log.position(line) + 1 :]:
        if any(said in later.text for said in FOLLOWING):
            yield later


def more(log: Log) -> tuple[str, ...]:
    """How to get the lines in which the cause lies."""
    said = ["the cause lies above what is shown: the first line with `error:` is worth more than the last"]
    if log.has("ninja", "nvcc", "cpp_extension", "Building wheel", "building '", "setup.py"):
        said.append("one job at a time keeps the lines in order: MAX_JOBS=1 pip install -v ... 2>&1 | tee build.log")
    elif log.has("uv ", "builds-v0", "├─▶"):
        said.append("uv pip install -v ... 2>&1 | tee install.log")
    elif log.has("pip", "Collecting", "Installing"):
        said.append("pip install -v ... 2>&1 | tee install.log")
    elif log.has("RuntimeError: CUDA error"):
        said.append("CUDA_LAUNCH_BLOCKING=1 shows the line that really failed")
    else:
        said.append("run it again with everything kept: COMMAND 2>&1 | tee run.log, then attn-doctor explain run.log")
    return tuple(said)
