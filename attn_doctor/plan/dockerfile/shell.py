"""The simple commands of a shell text, each with the words that a program would get."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

# words that stand before a command and do not change which one it is
BEFORE = frozenset({
    *("!", "&&", "(", "do", "else", "elif", "env", "exec", "if", "nice", "sudo", "then", "time", "while", "until", "{"),
})  # fmt: skip
ASSIGNMENT = r"(?a)[A-Za-z_][A-Za-z0-9_]*=.*"
TOKEN = re.compile(
    r"""(?x)
    (?P<space>[ \t]+)
    | (?P<comment>(?<!\S)\#[^\n]*)
    | (?P<end>\n|;;|;|&&|\|\||\||&(?!>))
    | (?P<redirect>\d*(?:>>|>&|&>|<<<|<>|>|<)\d*-?)
    | (?P<single>'[^']*'?)
    | (?P<double>"(?:\\.|[^"\\])*"?)
    | (?P<escaped>\\.)
    | (?P<output>\$\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))
    | (?P<plain>(?:(?!\$\()[^\s'"\\;&|<>])+)
    | (?P<other>.)
    """,
    re.DOTALL,
)
VARIABLE = re.compile(
    r"\\\$|\$\{(?P<braced>\w+)(?::?(?P<how>[-+])(?P<word>[^}]*))?\}|\$(?P<plain>[A-Za-z_]\w*)", re.ASCII
)
MOST_PUT_IN = 1 << 13  # characters, for one text: `A=$A$A` line after line doubles for ever


class Command(msgspec.Struct, frozen=True):
    """One simple command: its words without quotes, the assignments before it, where it starts in the text."""

    words: tuple[str, ...]
    env: dict[str, str]
    offset: int


def commands(text: str, known: Mapping[str, str]) -> Iterator[Command]:
    """Every simple command, variables that are known put in; the shell's own logic is not followed."""
    words: list[str] = []
    word: str | None = None
    start = 0
    skip = False
    put = _put_in(known)
    for found in TOKEN.finditer(text + "\n"):
        kind, value = found.lastgroup, found[0]
        if kind in ("space", "comment", "end", "redirect"):
            if word is not None and not skip:
                words.append(word)
            skip = kind == "redirect" or (skip and word is None and kind == "space")
            word = None
            if kind == "end":
                yield from _command(words, start)
                words, skip = [], False
        else:
            if not words and word is None:
                start = found.start()
            word = (word or "") + _plain(str(kind), value, put)


def substituted(text: str, known: Mapping[str, str]) -> str:
    """The text with every variable that is known put in; others stay as they are written."""
    return VARIABLE.sub(_put_in(known), text)


def _put_in(known: Mapping[str, str]) -> Callable[[re.Match[str]], str]:
    """Puts values in until they are too long together; what finds no room stays as it is written."""
    room = MOST_PUT_IN

    def put(found: re.Match[str]) -> str:
        nonlocal room
        value = _value(found, known)
        if len(value) > room:
            return found[0]
        room -= len(value)
        return value

    return put


def _value(found: re.Match[str], known: Mapping[str, str]) -> str:
    name = found["braced"] or found["plain"]
    if name is None:
        return found[0]
    value = known.get(name)
    if found["how"] == "-":
        return value or found["word"]
    if found["how"] == "+":
        return found["word"] if value else ""
    return found[0] if value is None else value


def _plain(kind: str, value: str, put: Callable[[re.Match[str]], str]) -> str:
    if kind == "single":
        return value.strip("'")
    if kind == "double":
        return VARIABLE.sub(put, value[1:].removesuffix('"')).replace('\\"', '"')
    if kind == "escaped":
        return value[1:]
    return VARIABLE.sub(put, value)


def _command(words: list[str], offset: int) -> Iterator[Command]:
    env: dict[str, str] = {}
    left = [word.lstrip("(") if place == 0 else word for place, word in enumerate(words)]
    while left and (left[0] in BEFORE or not left[0] or re.fullmatch(ASSIGNMENT, left[0], re.DOTALL)):
        name, is_set, value = left.pop(0).partition("=")
        if is_set:
            env[name] = value
    if left and left[-1].endswith(")") and "(" not in left[-1]:
        left[-1] = left[-1].rstrip(")")
    if any(left):
        yield Command(tuple(word for word in left if word), env, offset)
