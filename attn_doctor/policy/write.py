"""The first policy of a project, from what is here today, and its place in the project's files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from textwrap import wrap

import msgspec

from attn_doctor.errors import BadInput, BadPolicy, UsageError
from attn_doctor.judgement.report import Report
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.versions import major, major_minor, public
from attn_doctor.policy import find, judge, lock, settings, toml
from attn_doctor.policy.call import Call
from attn_doctor.policy.keys import SCHEMA
from attn_doctor.policy.places import headers
from attn_doctor.policy.read import read

OWN: tuple[str, ...] = ("tool", find.TABLE)
# packages whose version a project relies on, where they are installed
RELIED_ON = ("flash-attn", "flash-attn-3", "flash-attn-4", "sageattention", "transformers", "xformers")
WIDTH = 78  # behind a mark of two


class Draft(msgspec.Struct, frozen=True):
    """What a first policy says."""

    require: tuple[str, ...]
    ready: tuple[str, ...]
    need: tuple[str, ...]
    gpus: tuple[str, ...]
    versions: dict[str, str]
    target: tuple[str, str] | None = None
    lock: str | None = None
    beside: str | None = None  # a lock that is there, and under which a GPU of the list would not be served


def draft(report: Report, need: Sequence[str], folder: str, target: tuple[str, str] | None = None) -> Draft:
    """What holds here today: the recommended backend, the GPUs, the versions as minima."""
    use_now = report.recommendation.use_now
    machine = Machine(report.facts)
    first = Draft(
        require=(use_now,) if use_now else (),
        ready=tuple(one.name for one in report.backends if one.status == "ready"),
        need=tuple(need),
        gpus=tuple(dict.fromkeys(gpu.name for gpu in machine.gpus if _is_listable(gpu.name))),
        versions=dict(_versions(machine)),
        target=_inside(folder, target),
    )
    first = msgspec.structs.replace(first, gpus=_met(first, report, folder))
    here = next((name for name in (*lock.LOCKS[:3],) if os.path.isfile(os.path.join(folder, name))), None)
    if here is None or not first.gpus:
        return msgspec.structs.replace(first, beside=here)
    locked = msgspec.structs.replace(first, lock=here)
    return locked if _met(locked, report, folder) == first.gpus else msgspec.structs.replace(first, beside=here)


def _inside(folder: str, target: tuple[str, str] | None) -> tuple[str, str] | None:
    """A target that was named, by its path in the project; one elsewhere is nothing to the project's other machines."""
    if target is None:
        return None
    try:
        path = os.path.relpath(os.path.abspath(os.path.expanduser(target[1])), folder)
    except ValueError:  # another drive
        return None
    return None if path.startswith(os.pardir) else (target[0], path.replace(os.sep, "/"))


def _is_listable(name: str) -> bool:
    """Whether it can be imagined by its name alone, and is no GPU that torch has without a package of its own."""
    from attn_doctor.machine import whatif

    try:
        whatif.simulate([f"gpu={name}"])
    except UsageError:
        return False
    return not name.startswith("Apple")


def _versions(machine: Machine) -> Iterator[tuple[str, str]]:
    if machine.torch:
        yield "torch", _at_least(machine.torch.version, major_minor(machine.torch.version))
    if machine.driver and major(machine.driver.version):
        yield "driver", f">={major(machine.driver.version)}"
    for name in RELIED_ON:
        if name in machine.packages:
            version = machine.packages[name].version
            yield name, _at_least(version, major_minor(version))


def _at_least(version: str, short: str) -> str:
    """'>=2.8'; the whole version where that would not hold: a pre-release comes before its release."""
    wanted = f">={short}"
    return wanted if judge.allowed(wanted, version) else f">={public(version)}"


def _met(one: Draft, report: Report, folder: str) -> tuple[str, ...]:
    """The GPUs of the draft on which it would be kept."""
    try:
        found = find.Found(
            os.path.join(folder, find.OWN_FILE), find.OWN_FILE, text(one, own_file=True).encode(), in_pyproject=False
        )
        policy = read(found)
        if policy is None or not one.gpus:
            return ()
        judged = judge.held_to(report, settings.merge(Call(), policy)).policy
    except BadInput:  # a lock that cannot be read
        return ()
    met = {gpu.gpu for gpu in judged.gpus if gpu.met} if judged else set()
    return tuple(name for name in one.gpus if name in met)


# --- its text


def text(one: Draft, *, own_file: bool) -> str:
    """With a comment on every key; `own_file`: for attn-doctor.toml, else as a table of pyproject.toml."""
    prefix = "" if own_file else f"tool.{find.TABLE}."
    lines = [] if own_file else [f"[tool.{find.TABLE}]"]
    for part in (*_keys(one), _tables(one, prefix)):
        lines += [*part, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _keys(one: Draft) -> Iterator[list[str]]:
    yield [
        *_said("What this project demands of the machines it runs on; attn-doctor check holds them to it."),
        f"schema = {SCHEMA}",
    ]
    key, path = one.target or ("venv", ".venv")
    yield [
        *_said("The environment that is examined, from this folder."),
        f"{'' if one.target else '# '}target = {{ {key} = {_string(path)} }}",
    ]
    ready = f" Ready here: {', '.join(one.ready)}." if one.ready else ""
    yield [*_said(f"Backends that must be ready.{ready}"), _list("require", one.require, ("sdpa",))]
    yield [
        *_said("What the model needs of its attention."),
        _list("need", one.need, ("dtype=bf16", "head_dim=128", "causal")),
    ]
    yield [*_said("The severity that makes the exit code 1: error, warning or never."), 'fail-on = "error"']
    yield [
        *_said("GPUs that it must run on; each is judged without having it."),
        _list("gpus", one.gpus, ("T4", "A100", "RTX 5090")),
    ]
    named = _string(one.lock or one.beside or "uv.lock")
    yield [
        *_said("The lock whose packages are judged on these GPUs, in place of the installed ones."),
        f"{'' if one.lock else '# '}lock = {named}",
    ]
    yield [
        *_said("Whose prebuilt wheels may be installed; attn-doctor wheels names the sources."),
        _list("wheel-sources", (), ("fa-official",)),
    ]


def _tables(one: Draft, prefix: str) -> list[str]:
    mark = "" if one.versions else "# "
    versions = one.versions or {"torch": ">=2.6,<2.15"}
    return [
        *_said("Versions that are allowed, of what is there."),
        f"{mark}[{prefix}versions]",
        *(f"{mark}{name} = {_string(allowed)}" for name, allowed in versions.items()),
        "",
        *_said("A finding that may stay for now, with the reason."),
        f"# [[{prefix}ignore]]",
        '# code = "AD214"',
        '# reason = "the toolkit belongs to another project"',
        "# until = 2027-01-31",
    ]


def _said(sentence: str) -> list[str]:
    return [f"# {line}" for line in wrap(sentence, WIDTH)]


def _list(key: str, values: Sequence[str], example: Sequence[str]) -> str:
    """The key with its values; commented out, with an example, where there are none."""
    return f"{'' if values else '# '}{key} = [{', '.join(map(_string, values or example))}]"


def _string(value: str) -> str:
    """As TOML writes it; JSON writes the same, but for one character."""
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


# --- its place


def place(folder: str | None = None) -> tuple[str, bytes | None]:
    """The project's pyproject.toml and its bytes; where there is none the path of an attn-doctor.toml, and None.

    Raises BadInput for one that cannot be read.
    """
    folders = find.project(folder)
    if not folders:
        raise BadInput("the working folder is gone", "Change to one that is there.")
    for here in folders:
        path = os.path.join(here, find.PYPROJECT)
        if os.path.exists(path):
            return path, find.named(path).data
    return os.path.join(folders[0], find.OWN_FILE), None


def existing(path: str, data: bytes | None) -> str | None:
    """Where a policy stands already: 'pyproject.toml:14'. Raises BadPolicy for a file that is no TOML."""
    own = os.path.join(os.path.dirname(path), find.OWN_FILE)
    if os.path.exists(own):
        return f"{find.shown(own)}:1"
    if data is None or not find.mentions(data):
        return None
    content, document = toml.parse(data, find.shown(path))
    if find.TABLE not in document.get("tool", {}):
        return None
    at = next((at for at, table in headers(content) if table[:2] == OWN), 0)
    return f"{find.shown(path)}:{content.count(chr(10), 0, at) + 1}"


def placed(data: bytes, name: str, table: str) -> bytes:
    """The file with the table in place of one it had, or at its end; every other byte stays. Raises BadPolicy."""
    content, before = toml.parse(data, name)
    mark = data[:3] if data.startswith(b"\xef\xbb\xbf") else b""
    crlf = "\r\n" in content
    own = table.replace("\n", "\r\n") if crlf else table
    end = "\r\n" if crlf else "\n"
    spans = [*_own_spans(content)]
    if spans:
        start = spans[0][0]
        kept = "".join(content[left:right] for left, right in _between(spans, start, len(content)))
        whole = content[:start] + own + (end if kept.strip() else "") + kept.lstrip("\r\n")
    else:
        gap = "" if not content else end if content.endswith("\n") else end * 2
        whole = content + gap + own
    made = mark + whole.encode()
    _check(made, name, before)
    return made


def _own_spans(content: str) -> Iterator[tuple[int, int]]:
    """From each of our headers to the next other one; comments right above that are its own."""
    found = [*headers(content), (len(content), ())]
    for (start, table), (end, following) in pairwise(found):
        if table[:2] == OWN:
            yield start, end if following[:2] == OWN or not following else _above(content, start, end)


def _above(content: str, start: int, end: int) -> int:
    """Where the comments begin that stand right above a header."""
    while (line := content.rfind("\n", 0, end - 1) + 1) > start and content[line:end].lstrip().startswith("#"):
        end = line
    return end


def _between(spans: Sequence[tuple[int, int]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """What of start to end lies in none of the spans."""
    for left, right in spans:
        yield start, left
        start = right
    yield start, end


def _check(made: bytes, name: str, before: dict[str, object]) -> None:
    """Nothing else may have changed: whatever the file was like, it is read before it is written."""
    try:
        _, after = toml.parse(made, name)
    except BadPolicy as error:
        raise BadPolicy(
            f"{name} has a form that nothing can be added to", "Write the table by hand: --dry-run prints it."
        ) from error
    if _others(before) != _others(after):
        raise BadPolicy(
            f"{name} holds its policy in a form that cannot be replaced",
            "Change it by hand: --dry-run prints a new one.",
        )


def _others(document: dict[str, object]) -> dict[str, object]:
    tools = document.get("tool")
    kept = {name: value for name, value in tools.items() if name != find.TABLE} if isinstance(tools, dict) else {}
    return {**document, "tool": kept}


def write(path: str, data: bytes) -> None:
    """Whole or not at all. Raises BadInput."""
    real = os.path.realpath(path)
    beside = f"{real}.attn-doctor"
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            os.chmod(beside, os.stat(real).st_mode & 0o7777)
        os.replace(beside, real)
    except OSError as error:
        with suppress(OSError):
            os.unlink(beside)
        raise BadInput(f"cannot write {find.shown(path)}: {error.strerror}") from error
