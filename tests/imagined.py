"""Machines made with `simulate`, and the command line called inside this process."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from attn_doctor.cli import main
from attn_doctor.judgement import need as needs
from attn_doctor.judgement.check import check
from attn_doctor.machine import gather, whatif
from attn_doctor.reporters import reporter

SEEN = ("error", "warning")
COMMAND = re.compile(r"\b(pip3?|uv|conda|docker|sudo|apt|apt-get|attn-doctor|export|python3?|set|unset|nvcc)\s+\S")
URL = re.compile(r"https?://\S")


class Called:
    """What a command answered."""

    def __init__(self, code: int, out: bytes, err: str) -> None:
        self.code = code
        self.raw = out
        self.out = out.decode()
        self.err = err

    def json(self) -> Any:
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class _Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


def call(*arguments: str, stdin: str | bytes = b"") -> Called:
    """`attn-doctor ARGUMENTS`, in this process."""
    data = stdin.encode() if isinstance(stdin, str) else stdin
    out = io.BytesIO()
    err = io.StringIO()
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = _Stdin(data), io.TextIOWrapper(out, "utf-8", newline="\n"), err  # type: ignore[assignment]
    try:
        main([*arguments])
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        said = out.getvalue()
        sys.stdin, sys.stdout, sys.stderr = kept
    assert isinstance(code, int), f"the exit code is {code!r}"
    return Called(code, said, err.getvalue())


def facts(*keys: str) -> bytes:
    """The facts of that machine, as `simulate` prints them."""
    return gather.encode(whatif.simulate([*keys]))


def checked(*keys: str, options: tuple[str, ...] = ()) -> Called:
    """`attn-doctor simulate KEYS | attn-doctor check --facts - OPTIONS`."""
    return call("check", "--facts", "-", *options, stdin=facts(*keys))


def judged(*keys: str, need: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Any:
    """The JSON report of that machine."""
    wanted = [part for item in need for part in ("--need", item)]
    called = checked(*keys, options=("--format", "json", *wanted, *options))
    assert called.code in (0, 1), called
    return called.json()


def quick(facts_of_it: gather.Facts, *need: str) -> Any:
    """The same without a command line: the report and its JSON."""
    report = check(facts_of_it, needs.parse(need))
    return report, json.loads(reporter("json")(report, verbose=False, elapsed_s=None, plain=True))


def backend(report: Any, name: str) -> Any:
    found = [one for one in report["backends"] if one["name"] == name]
    assert len(found) == 1, f"{name} stands {len(found)} times in {[one['name'] for one in report['backends']]}"
    return found[0]


def status(report: Any, name: str) -> str:
    return backend(report, name)["status"]


def codes(report: Any, *severities: str) -> list[str]:
    """Codes of the findings, by default of all severities."""
    return sorted({one["code"] for one in report["findings"] if not severities or one["severity"] in severities})


def kernels(report: Any) -> dict[str, str]:
    """The kernel that sdpa chooses, by GPU."""
    return {one["gpu"]: one["kernel"] for one in backend(report, "sdpa")["kernels"] if one["chosen"]}


def kernel(report: Any) -> str:
    """The one kernel that sdpa chooses on every GPU."""
    chosen = set(kernels(report).values())
    assert len(chosen) == 1, chosen
    return chosen.pop()


def words(report: Any) -> str:
    """All the prose of a report in one string, without its facts."""
    told = [report["findings"], report["backends"], report["recommendation"]]
    return json.dumps(told, ensure_ascii=False)


def inconsistencies(report: Any) -> list[str]:
    """Where the report contradicts itself; empty where it does not (one verdict, computed once)."""
    chosen = [one["gpu"] for one in backend(report, "sdpa").get("kernels", ()) if one["chosen"]]
    unusable = [one for one in backend(report, "sdpa").get("kernels", ()) if one["chosen"] and not one["usable"]]
    found = [*_about_the_advice(report), *_about_the_backends(report)]
    found += [f"two kernels chosen on one GPU: {chosen}"] if len(chosen) != len(set(chosen)) else []
    found += [f"chosen and not usable: {unusable}"] if unusable else []
    return found


def _about_the_advice(report: Any) -> Iterator[str]:
    statuses = {one["name"]: one["status"] for one in report["backends"]}
    advice = report["recommendation"]
    use_now, best, step = advice["use_now"], advice["best"], advice["next_step"]
    ready = {name for name, is_ in statuses.items() if is_ == "ready"}
    if use_now is None and ready:
        yield f"nothing to use now, and ready are {sorted(ready)}"
    if use_now is not None and use_now not in ready:
        yield f"use now {use_now}, which is {statuses.get(use_now)}"
    if best is not None and statuses.get(best) not in ("ready", "installable"):
        yield f"best is {best}, which is {statuses.get(best)}"
    if best is None and use_now is not None:
        yield "something to use now and nothing best"
    if statuses.get(best) == "installable" and not step:
        yield f"best is {best}, not yet there, and no next step"


def _about_the_backends(report: Any) -> Iterator[str]:
    order = ("ready", "installable", "blocked", "unsupported")
    for one in report["backends"]:
        if one["status"] != "ready" and not any(reason.strip() for reason in one["reasons"]):
            yield f"{one['name']} is {one['status']} without a reason"
        here = [gpu["status"] for gpu in one.get("gpus", ())]
        if here and max(here, key=order.index) != one["status"]:
            yield f"{one['name']} is {one['status']}, on its GPUs {here}"


def too_wide(text: str) -> list[str]:
    """Lines beyond 80 columns that are neither a command nor a URL."""
    long = [line for line in text.splitlines() if len(line) > 80]
    return [line for line in long if not URL.search(line) and not COMMAND.search(line)]


def torch_of(command: str) -> str | None:
    """'2.8.0+cu128' from a command that installs it; '2.8.0' where it names no index of torch's own."""
    version = re.search(r"torch==([0-9][\w.]*)(\+\w+)?", command)
    variant = re.search(r"/whl/((?:cu|rocm|cpu)[\w.]*)", command)
    if version is None:
        return None
    return version[1] + (version[2] or (f"+{variant[1]}" if variant else ""))


def advised_torches(report: Any) -> list[str]:
    """Every torch that a fix or the next step would install."""
    commands = [command for one in report["findings"] for command in one["fix"]]
    if report["recommendation"]["next_step"]:
        commands.append(report["recommendation"]["next_step"])
    found = [torch_of(command) for command in commands]
    return list(dict.fromkeys(torch for torch in found if torch))
