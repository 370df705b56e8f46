"""What may stand next on a command line: found from the commands' own options, so that a new one needs nothing here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from attn_doctor.cli import COMMANDS, build_app

if TYPE_CHECKING:
    from typer.core import TyperCommand

FILES, FOLDERS, WORDS = "files", "folders", "words"
SHORTEST_LIST = 2
# 'text, json or sh', 'bash, zsh, fish or powershell'; what stands before a colon says what they are for
LISTED = re.compile(
    r"(?:[^:,]*: )?(?P<values>WORD(?:, WORD)* or WORD)(?:[.;]|$| \()".replace("WORD", r"[\w-]+(?:\.[\w-]+)*")
)
# what bash takes apart although it is one word for us
BASH_BREAKS = "=:"
BASH_SAFE = re.compile(r"([^\w@%+=:,./~-])")


class Candidate(msgspec.Struct, frozen=True):
    """One word, whole, and what is said of it. One that ends in = or a dot goes on: scripts put no space behind it."""

    value: str
    help: str = ""


class Typed(msgspec.Struct, frozen=True):
    """The word under the cursor: without its quotes, the quote it stands in, and what of it bash has set apart."""

    text: str
    quote: str = ""
    apart: int = 0


def answer(shell: str, words: Sequence[str]) -> str:
    """For a shell's script: what kind of answer, then one candidate a line, a tab before what is said of it."""
    if shell == "bash":
        before, current = split(words[0] if words else "")
        before = before[1:]  # the command itself
    else:
        before = [*words[:-1]]  # these shells have taken the line apart themselves
        current = split(words[-1] if words else "", at_spaces=False)[1]
    kind, found = candidates(before, current.text)
    lines = [kind]
    for one in found:
        if shell == "bash":
            lines.append(_for_bash(one.value, current))
        else:
            lines.append(f"{one.value}\t{one.help}" if one.help else one.value)
    return "\n".join(lines) + "\n"


def _for_bash(value: str, current: Typed) -> str:
    rest = value[current.apart :]
    if current.quote:
        return rest.replace(current.quote, f"\\{current.quote}" if current.quote == '"' else "'\\''")
    return BASH_SAFE.sub(r"\\\1", rest)


def split(line: str, at_spaces: bool = True) -> tuple[list[str], Typed]:
    """The words before the cursor and the one under it, as a POSIX shell takes a line apart; quotes may be open."""
    words: list[str] = []
    text, quote, apart, inside = "", "", 0, False
    position = 0
    while position < len(line):
        char = line[position]
        if quote:
            if char == quote:
                quote = ""
            elif char == "\\" and quote == '"' and line[position + 1 : position + 2] in ("\\", '"', "$", "`"):
                position += 1
                text += line[position]
            else:
                text += char
        elif char in "'\"":
            quote, inside = char, True
        elif char == "\\":
            position += 1
            text += line[position : position + 1]
            inside = True
        elif at_spaces and char.isspace():
            if text or inside:
                words.append(text)
            text, apart, inside = "", 0, False
        else:
            text += char
            apart = len(text) if char in BASH_BREAKS else apart
        position += 1
    return words, Typed(text, quote, apart)


def candidates(before: Sequence[str], current: str) -> tuple[str, list[Candidate]]:
    """The kind of answer, and the words that begin with what is typed. `before`: without the command itself."""
    name = next((word for word in before if not word.startswith("-")), None)
    if name is None:
        named = [Candidate(command, summary) for command, summary in COMMANDS.items()]
        given = [Candidate("--help", "Show the help and exit."), Candidate("--version", "Print the version.")]
        return WORDS, _beginning(given if current.startswith("-") else named, current)
    if name not in COMMANDS:
        return WORDS, []
    kind, found = _of_command(_command(name), [*before[before.index(name) + 1 :]], current)
    return kind, _beginning(found, current)


def _beginning(found: Iterable[Candidate], current: str) -> list[Candidate]:
    return [one for one in found if one.value.startswith(current)]


def _command(name: str) -> TyperCommand:
    import typer.main

    group: Any = typer.main.get_command(build_app([name]))
    command: TyperCommand = group.commands[name]
    return command


def _of_command(command: TyperCommand, before: list[str], current: str) -> tuple[str, list[Candidate]]:
    parameters: list[Any] = [one for one in command.params if not getattr(one, "hidden", False)]
    named = {opt: one for one in parameters if one.param_type_name == "option" for opt in one.opts}
    waiting, positional, given = _read(before, named)
    if "--" in before:
        return FILES, []
    if waiting is not None:
        return _values(command.name or "", waiting, current, before)
    option, sign, value = current.partition("=")
    if sign and option in named and _takes_value(named[option]):
        kind, found = _values(command.name or "", named[option], value, before)
        return kind, [Candidate(f"{option}={one.value}", one.help) for one in found]
    arguments = [one for one in parameters if one.param_type_name == "argument"]
    if current.startswith("-") or (not arguments and not current):
        left = {id(one): one for one in named.values() if one.multiple or not given & set(one.opts)}
        offered = [Candidate(max(one.opts, key=len), _first(one.help)) for one in left.values()]
        return WORDS, [*offered, Candidate("--help", "Show this message and exit.")]
    if not arguments:
        return WORDS, []
    expected = arguments[min(positional, len(arguments) - 1)]
    if positional >= len(arguments) and expected.nargs != -1:
        return WORDS, []
    return _values(command.name or "", expected, current, before)


def _read(before: Sequence[str], named: dict[str, Any]) -> tuple[Any, int, set[str]]:
    """The option that waits for its value, how many arguments stand there, and which options are given."""
    waiting, positional, given = None, 0, set()
    for word in before:
        if waiting is not None:
            waiting = None
        elif word.startswith("-"):
            option, sign, _ = word.partition("=")
            given.add(option)
            waiting = named[option] if not sign and option in named and _takes_value(named[option]) else None
        else:
            positional += 1
    return waiting, positional, given


def _takes_value(parameter: Any) -> bool:
    return not parameter.is_flag and not parameter.count


def _first(text: str | None) -> str:
    """The first sentence of a help text, on one line."""
    return " ".join((text or "").split("  [")[0].split())


def _values(command: str, parameter: Any, current: str, before: Sequence[str]) -> tuple[str, list[Candidate]]:
    """What a parameter takes, by the name its help gives to the value."""
    metavar = (parameter.metavar or parameter.name or "").strip("[]. ").removesuffix(" ...")
    names = {part.strip("[]. ").upper() for part in re.split(r"[| ]", metavar)}
    if "DIR" in names:
        return FOLDERS, []
    if names & {"FILE", "PATH", "LOG", "FILE:FUNCTION"}:
        return FILES, []
    if metavar in LISTS:
        return WORDS, _listed(LISTS[metavar](command), current)
    if metavar in KEYED:
        return WORDS, _keyed(KEYED[metavar](), current)
    for name in names & set(SOURCES):
        already = set(before) if parameter.param_type_name == "argument" or parameter.multiple else set()
        return WORDS, [one for one in SOURCES[name](command) if one.value not in already]
    found = LISTED.match(_first(parameter.help))
    listed = re.split(r", | or ", found["values"]) if found else []
    return WORDS, [Candidate(value) for value in listed if len(listed) >= SHORTEST_LIST]


def _keyed(keys: Iterator[tuple[Candidate, Sequence[str]]], current: str) -> list[Candidate]:
    """Keys, or the values of the one that is typed."""
    key, sign, _ = current.partition("=")
    listed = [*keys]
    if not sign:
        return [one for one, _ in listed]
    return [Candidate(f"{key}={value}") for one, values in listed for value in values if one.value == f"{key}="]


def _listed(names: Iterable[Candidate], current: str) -> list[Candidate]:
    """The next name of a list such as sdpa,eager: whole words, so with what stands before it."""
    before, comma, last = current.rpartition(",")
    begins = before + comma + last[: len(last) - len(last.lstrip())]
    already = {one.strip() for one in before.split(",")}
    return [Candidate(begins + one.value, one.help) for one in names if one.value not in already]


def _backends(command: str) -> Iterator[Candidate]:
    from attn_doctor.judgement.backend import backends
    from attn_doctor.judgement.names import PACKAGES

    if command in MEASURING:
        yield from _measured()
        return
    yield from (Candidate(one.name, one.title) for one in backends().values())
    if command == "wheels":
        yield from (Candidate(name) for name in sorted(set(PACKAGES.values())))
        yield Candidate("refresh", "read the release listings again")


def _measured() -> Iterator[Candidate]:
    """What `verify` and `bench` can call: backends, and each kernel of sdpa by itself."""
    from attn_doctor.judgement.backend import backends
    from attn_doctor.measure.verify import CALLED, KERNELS

    yield from (Candidate(one.name, one.title) for one in backends().values() if one.name in CALLED)
    yield from (Candidate(f"sdpa.{kernel}", "one kernel of sdpa") for kernel in KERNELS["cuda"])


def _presets(_command: str) -> Iterator[Candidate]:
    from attn_doctor.cli._bench import TRAINING
    from attn_doctor.measure.shapes import presets

    yield from map(Candidate, presets())
    yield Candidate(TRAINING, "a training step")


def _codes(_command: str) -> Iterator[Candidate]:
    from attn_doctor.judgement.rule import rules

    yield from (Candidate(rule.code, rule.title) for rule in rules().values())


def _shells(_command: str) -> Iterator[Candidate]:
    from attn_doctor.cli.completion import SHELLS

    yield from map(Candidate, SHELLS)


def _frameworks(command: str) -> Iterator[Candidate]:
    if command == "snippet":
        from attn_doctor.snippets._snippet import makers

        yield from map(Candidate, makers())
        return
    from attn_doctor.knowledge.frameworks import names

    yield from map(Candidate, names())


def _projects(_command: str) -> Iterator[Candidate]:
    from attn_doctor.issues._project import projects

    yield from map(Candidate, projects())


def _what_ifs() -> Iterator[tuple[Candidate, Sequence[str]]]:
    from attn_doctor.machine.whatif import keys

    for name, key in keys().items():
        values: Sequence[str] = ()
        if name == "gpu":
            from attn_doctor.knowledge.gpus import Gpus
            from attn_doctor.knowledge.tables import load

            values = tuple(dict.fromkeys(row.name for row in load("gpus", Gpus).rows))
        elif found := LISTED.match(key.expected):
            values = re.split(r", | or ", found["values"])
        yield Candidate(name if name.endswith(".") else f"{name}=", key.expected), values


def _needs() -> Iterator[tuple[Candidate, Sequence[str]]]:
    from attn_doctor.judgement.need import DTYPES, FEATURES

    yield Candidate("dtype=", " or ".join(DTYPES)), DTYPES
    yield Candidate("head_dim=", "such as 128"), ("64", "80", "96", "128", "192", "256")
    yield from ((Candidate(name, text), ()) for name, text in FEATURES.items())


MEASURING = ("bench", "verify")
# values that are lists of names, with commas between
LISTS: dict[str, Callable[[str], Iterator[Candidate]]] = {"A,B,C": _backends}
KEYED: dict[str, Callable[[], Iterator[tuple[Candidate, Sequence[str]]]]] = {
    "KEY=VALUE": _what_ifs,
    "KEY[=VALUE": _needs,  # KEY[=VALUE], without the bracket at its end
}
SOURCES: dict[str, Callable[[str], Iterator[Candidate]]] = {
    "BACKEND": _backends,
    "CODE": _codes,
    "FRAMEWORK": _frameworks,
    "PRESET": _presets,
    "PROJECT": _projects,
    "SHELL": _shells,
}
