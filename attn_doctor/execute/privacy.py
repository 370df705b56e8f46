"""What says who and where stays out of what is shown and sent around: home folder, user, host and credentials.

Two forms. Facts keep absolute paths, since rules read them again elsewhere: the home folder becomes HOME_OF_NOBODY.
What people read and paste becomes `~`, or `$HOME` inside a word, so that a command still runs where it was made.
Facts are cleaned first, and what was cleaned once is cleaned the same way again.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from attn_doctor.execute import redact

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.machine.gather import Facts

T = TypeVar("T")
HOME_OF_NOBODY = "/home/user"
USER, HOST = "$USER", "$HOSTNAME"  # in what people read: a POSIX shell fills them in
NOBODY, NOWHERE = "user", "host"  # in facts
# Accounts and hosts that many machines share: they say nothing, and stand in paths by other right as well.
GENERIC = frozenset({
    *("root", "user", "users", "home", "admin", "administrator", "nobody", "default", "guest", "public", "shared"),
    *("ubuntu", "debian", "centos", "fedora", "rocky", "ec2-user", "opc", "azureuser", "cloud-user", "core", "vagrant"),
    *("runner", "runneradmin", "jenkins", "gitlab-runner", "circleci", "buildkite-agent", "ci", "build", "builder"),
    *("vscode", "jovyan", "mambauser", "docker", "container", "app", "worker", "node", "host", "gpu", "localhost"),
    *("localdomain", "local", "python", "python3", "conda", "pip", "uv", "venv", "env", "site-packages", "torch"),
    *("cuda", "nvidia", "triton", "linux", "linuxbrew", "windows", "macos", "work", "workspace", "data", "src"),
    *("dev", "test", "tmp", "var", "usr", "opt", "mnt", "srv", "lib", "lib64", "bin", "etc", "proc", "sys", "run"),
})  # fmt: skip
OF_THE_SYSTEM = frozenset({"usr", "bin", "sbin", "lib", "lib64", "etc", "proc", "sys", "dev", "run", "boot", "nix"})
SHORTEST_NAME = 2
SHORTEST_HOST = 3
# folders of people in paths of a machine that is not this one
HOMES = re.compile(r"(?:/home|/Users|(?<![A-Za-z])[A-Za-z]:[\\/]+Users)[\\/]+(?P<user>[^\s\\/:;,'\"]+)")
# fields that hold commands; fields whose words are a list of ours and say nothing of anyone
PIECE = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|[^'"]+|['"]""", re.DOTALL)
IN_A_PATH = re.compile(r"[\\/@=]")
COMMANDS = frozenset({"fix", "next_step", "next_steps", "snippet"})
CLOSED = frozenset({"schema", "version", "code", "severity", "confidence", "status", "name", "kernel", "docs"})


class Who(msgspec.Struct, frozen=True):
    """What must not be said. Longest first in each."""

    homes: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    secrets: tuple[bytes, ...] = ()


def of_this_process(target: str = "") -> Who:
    """By the variables and the account of whoever calls; the pip settings of `target` may hold secrets."""
    account = _account()
    homes = {*account[1:], *(os.environ.get(name, "") for name in ("HOME", "USERPROFILE"))}
    homes |= {os.path.realpath(home) for home in homes if home}
    users = {account[0], *(os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER"))}
    users |= {re.split(r"[\\/]", home.rstrip("\\/"))[-1] for home in homes}
    names = {os.environ.get(name, "") for name in ("HOSTNAME", "COMPUTERNAME", "SLURMD_NODENAME")}
    if hasattr(os, "uname"):
        names.add(os.uname().nodename)
    return who(homes, users, names, redact.secrets(os.environ, target))


def _account() -> tuple[str, ...]:
    """Name and home folder by the system's own list."""
    with suppress(ImportError, KeyError, OSError):
        import pwd

        entry = pwd.getpwuid(os.getuid())  # type: ignore[attr-defined,unused-ignore]
        return entry.pw_name, entry.pw_dir
    return ("",)


def of_facts(facts: Facts) -> Who:
    """By the facts alone, which may come from another machine: the folders of people in their paths."""
    found = [*HOMES.finditer(msgspec.json.encode(facts.readings).decode().replace("\\\\", "\\"))]
    return who((one[0] for one in found), (one["user"] for one in found), (), ())


def who(homes: Iterable[str], users: Iterable[str], hosts: Iterable[str], secrets: Iterable[bytes]) -> Who:
    """Without what says nothing: the root folder, accounts and hosts that many machines share."""
    folders = {home.rstrip("\\/") for home in homes}
    short = {one for name in hosts for one in (name, name.partition(".")[0])}
    return Who(
        homes=_longest(home for home in folders if os.path.isabs(home) or re.match(r"[A-Za-z]:[\\/]", home)),
        users=_longest(name for name in users if len(name) >= SHORTEST_NAME and name.lower() not in GENERIC),
        hosts=_longest(name for name in short if len(name) >= SHORTEST_HOST and name.lower() not in GENERIC),
        secrets=tuple(secrets),
    )


def _longest(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names), key=lambda name: (-len(name), name)))


def both(one: Who, other: Who) -> Who:
    """What either of them must not say."""
    parts = {name: _longest((*getattr(one, name), *getattr(other, name))) for name in ("homes", "users", "hosts")}
    return Who(**parts, secrets=(*one.secrets, *other.secrets))


def cleaned_facts(facts: Facts, of: Who) -> Facts:
    """The same facts of nobody in particular; valid for `--facts` as before."""
    private = tuple(home for home in of.homes if _says_who(home, of))
    return _walk(facts, lambda text, _: _text(text, of, private, HOME_OF_NOBODY, (NOBODY, NOWHERE)))


def _says_who(home: str, of: Who) -> bool:
    """Not so /root, /home/ubuntu and folders of the system; of /srv/home what stands before the last part may."""
    parts = [part for part in re.split(r"[\\/]+", home.lower()) if part]
    if parts[-1] not in GENERIC or any(_named(name).search(home) for name in of.users):
        return True
    return len(parts) > 1 and parts[0] not in OF_THE_SYSTEM and not HOMES.fullmatch(home)


def cleaned(report: Report, of: Who) -> Report:
    """The report as it is shown, in every format."""
    facts = cleaned_facts(report.facts, of)
    return msgspec.structs.replace(_walk(report, _told(of), skip="facts"), facts=facts)


def told(document: T, of: Who) -> T:
    """Any other document that people read and paste."""
    return _walk(document, _told(of))


def _told(of: Who) -> Callable[[str, str], str]:
    return lambda text, field: command(text, of) if field in COMMANDS else said(text, of)


def said(text: str, of: Who) -> str:
    """A sentence or a path, as people read it."""
    return _text(text, of, (*of.homes, HOME_OF_NOBODY), "~", (USER, HOST))


def _text(text: str, of: Who, homes: Iterable[str], home: str, names: tuple[str, str]) -> str:
    text = redact.hidden_text(text, of.secrets)
    for one in homes:
        text = _folder(one).sub(lambda _: home, text)
    return _without_names(text, of, names)


def _without_names(text: str, of: Who, stand_in: tuple[str, str]) -> str:
    """Names go where they stand in a path, an address or a setting: in prose, a name may be a word like any other."""
    for names, instead in ((of.users, stand_in[0]), (of.hosts, stand_in[1])):
        for name in names:
            if name.lower() in text.lower():
                text = instead if text.lower() == name.lower() else _without(name, instead, text)
    return text


def _without(name: str, instead: str, text: str) -> str:
    words = re.split(r"(\s+)", text)
    no_word = "." in name  # node1.cluster.example stands for itself wherever it is

    def written(found: re.Match[str]) -> str:
        runs_on = instead[0] == "$" and found.string[found.end() : found.end() + 1] == "_"
        return f"${{{instead[1:]}}}" if runs_on else instead

    return "".join(_named(name).sub(written, one) if no_word or IN_A_PATH.search(one) else one for one in words)


def _folder(home: str) -> re.Pattern[str]:
    """That folder at the start of a path, however its separators are written."""
    first, *rest = (re.escape(part) for part in re.split(r"[\\/]+", home))
    written = first + r"[\\/]" + r"[\\/]+".join(rest)
    return re.compile(rf"(?<![\w.~-]){written}(?![\w-]|\.\w)", re.IGNORECASE if ":" in home else 0)


def _named(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE)


def command(text: str, of: Who) -> str:
    """A command that still runs: `~` where a shell expands it, elsewhere a variable, outside of single quotes."""
    text = redact.hidden_text(text, of.secrets)
    for home in (*of.homes, HOME_OF_NOBODY):
        if _folder(home).search(text):
            text = "".join(_at_home(one, _folder(home), begins, ends) for one, begins, ends in _pieces(text))
    quoted = (_in_quotes(USER), _in_quotes(HOST))
    return "".join(_without_names(one, of, quoted if one[0] == "'" else (USER, HOST)) for one, _, _ in _pieces(text))


def _pieces(text: str) -> Iterator[tuple[str, bool, bool]]:
    """What is quoted and what is not, one after the other; whether a word begins with it, and ends with it."""
    for found in PIECE.finditer(text):
        before, after = text[found.start() - 1 : found.start()], text[found.end() : found.end() + 1]
        yield found[0], not before.strip(), not after.strip()


def _at_home(piece: str, home: re.Pattern[str], begins: bool, ends: bool) -> str:
    if piece[0] == "'":
        return _quoted_at_home(piece[1:-1], home, begins)
    if piece[0] != '"':
        word_ends = r"(?=[\\/\s]|$)" if ends else r"(?=[\\/\s])"
        first = rf"(?:(?<=\s){'|^' if begins else ''})"
        piece = re.sub(first + home.pattern + word_ends, "~", piece, flags=home.flags)
    return home.sub("$HOME", piece)


def _quoted_at_home(inside: str, home: re.Pattern[str], begins: bool) -> str:
    """A quoted word: what follows the home folder stays quoted, where it has to be."""
    start = home.match(inside)
    rest = inside[start.end() :] if start else ""
    if begins and rest[:1] in ("/", "\\") and rest.strip("/\\"):
        after = home.sub(_in_quotes("$HOME"), rest.lstrip("/\\"))
        return f"~/'{after}'" if shlex.quote(after) != after else f"~/{after}"
    return f"'{home.sub(_in_quotes('$HOME'), inside)}'"


def _in_quotes(variable: str) -> str:
    """A variable inside of a single-quoted word: the quotes end for it."""
    return f"'\"{variable}\"'"


def _walk(value: T, clean: Callable[[str, str], str], field: str = "", skip: str = "") -> T:
    """The same value with every text in it cleaned; closed words of ours are passed over."""
    return cast("T", _walked(value, clean, field, skip))


def _walked(value: Any, clean: Callable[[str, str], str], field: str, skip: str) -> Any:
    match value:
        case str():
            return value if field in CLOSED else clean(value, field)
        case msgspec.Struct():
            parts = {name: getattr(value, name) for name in value.__struct_fields__ if name != skip}
            walked = {name: _walked(part, clean, name, "") for name, part in parts.items()}
            changed = {name: part for name, part in walked.items() if part != parts[name]}
            return msgspec.structs.replace(value, **changed) if changed else value
        case dict():
            return {_walked(key, clean, "", ""): _walked(part, clean, field, "") for key, part in value.items()}
        case list() | tuple() | frozenset() | set():
            return type(value)(_walked(part, clean, field, "") for part in value)
    return value
