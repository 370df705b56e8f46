"""What a pip, uv or apt command installs, from its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from attn_doctor.plan.dockerfile.shell import Command

# options that take the next word; any other option stands alone
VALUED = frozenset({
    *("-c", "--constraint", "-r", "--requirement", "-e", "--editable", "-i", "--index-url", "--extra-index-url"),
    *("-f", "--find-links", "-t", "--target", "-w", "--wheel-dir", "--prefix", "--root", "--python", "-p"),
    *("--index", "--default-index", "--torch-backend", "--platform", "--python-version", "--no-binary"),
    *("--only-binary", "--cache-dir", "--timeout", "--retries", "--trusted-host", "--index-strategy"),
    *("--no-build-isolation-package", "--config-settings", "--global-option", "--proxy", "--progress-bar"),
    *("--upgrade-strategy", "--implementation", "--abi", "--report", "--src", "--overrides", "--override"),
    "--prerelease",
    *("--build-constraint", "--link-mode", "--extra", "--resolution", "--upgrade-package", "-P", "--root-user-action"),
})  # fmt: skip
SHORT = {
    "-c": "--constraint", "-r": "--requirement", "-e": "--editable", "-i": "--index-url", "-f": "--find-links",
    "-U": "--upgrade", "-w": "--wheel-dir", "-t": "--target", "-p": "--python", "--default-index": "--index-url",
    "--index": "--extra-index-url",
}  # fmt: skip
# of a text whose blanks are single ones
NAME = r"(?ai)([a-z0-9][a-z0-9._-]*) ?(?:\[[^\]]*\])? ?(?:@ ?([^ ]+)|([<>=!~][^;]*))? ?(?:;.*)?"
PYTHON = r"(?a)(?:.*/)?python(?P<version>3(?:\.\d+)?)?"
PIP = r"(?a)(?:.*/)?pip(?P<version>3(?:\.\d+)?)?"
INSTALLS = ("install", "wheel")
APT_VALUED = ("-o", "-t", "-c", "--option", "--target-release")


class Requirement(msgspec.Struct, frozen=True):
    """One thing to install: by name, with a specifier, or by a URL or path."""

    name: str
    specifier: str = ""
    url: str | None = None

    @property
    def file(self) -> str | None:
        """The last part of the URL, as the file is called."""
        return last_part(self.url) if self.url else None

    @property
    def exact(self) -> str | None:
        """'2.8.3' of '==2.8.3'."""
        found = re.fullmatch(r"===?\s*([^,*]+)", self.specifier.strip())
        return found[1].strip() if found else None


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """One `pip install` or `pip wheel`. `python` is '3.11' where the command names it."""

    requirements: tuple[Requirement, ...]
    options: dict[str, tuple[str, ...]]
    env: dict[str, str]
    offset: int
    uv: bool = False
    wheel_only: bool = False
    """`pip wheel`: nothing is installed."""
    own_path: bool = False
    """The program is named by its path: it is not the one that PATH leads to."""
    python: str | None = None

    def has(self, *options: str) -> bool:
        """Whether any of these stands in the command."""
        return any(option in self.options for option in options)

    def wanted(self, name: str) -> Requirement | None:
        """The requirement of that name."""
        return next((one for one in self.requirements if one.name == name), None)


def installation(command: Command, environment: Mapping[str, str]) -> Installation | None:
    """What a command installs with pip or uv; None for any other command."""
    words = list(command.words)
    uv, python = False, None
    if words[:2] in (["conda", "run"], ["mamba", "run"], ["micromamba", "run"]):
        words = _after_environment(words)
    if words and re.fullmatch(r"(?:.*/)?uv", words[0]) and words[1:2] == ["pip"]:
        uv, words = True, words[2:]
    elif words and (found := re.fullmatch(PYTHON, words[0])) and words[1:3] == ["-m", "pip"]:
        python, words = _minor(found["version"]), words[3:]
    elif words and (found := re.fullmatch(PIP, words[0])):
        python, words = _minor(found["version"]), words[1:]
    else:
        return None
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in VALUED else words[1:]
    if not words or words[0] not in INSTALLS:
        return None
    options, rest = _options(words[1:])
    named = options.get("--python", ("",))[0]
    if uv and re.fullmatch(r"(?a)3\.\d+", named):
        python = named
    env = {**environment, **command.env}
    return Installation(
        requirements=tuple(_requirements(rest)),
        options=options,
        env=env,
        offset=command.offset,
        uv=uv,
        wheel_only=words[0] == "wheel",
        own_path="/" in command.words[0],
        python=python,
    )


def apt_packages(command: Command) -> tuple[str, ...]:
    """What apt, dnf or yum installs, without versions; empty for any other command."""
    words = command.words
    program = words[0].rpartition("/")[2] if words else ""
    if program not in ("apt", "apt-get", "aptitude", "dnf", "yum", "microdnf") or "install" not in words:
        return ()
    found: list[str] = []
    skip = False
    for word in words[words.index("install") + 1 :]:
        if skip or word.startswith("-"):
            skip = not skip and word in APT_VALUED
            continue
        found.append(word.partition("=")[0].partition(":")[0])
    return tuple(found)


def is_file(one: Requirement) -> bool:
    """Whether a finished wheel is named, by URL or path."""
    return one.url is not None and one.url.partition("#")[0].endswith(".whl")


def normalise(name: str) -> str:
    """'flash_attn' -> 'flash-attn'."""
    return re.sub(r"[-_.]+", "-", name).lower()


def decoded(url: str) -> str:
    """'%2B' is '+'."""
    return re.sub(r"(?a)%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), url)


def last_part(url: str) -> str:
    """The file that a URL or a path ends in, without query and fragment."""
    return decoded(re.split(r"[?#]", url, maxsplit=1)[0].rstrip("/").rpartition("/")[2])


def parse(text: str) -> Requirement | None:
    """'flash-attn==2.8.3', 'flash-attn @ URL', a URL, a path; None for what names nothing."""
    text = text.strip()
    if text.startswith(("git+", "https://", "http://", "file:")) or text.endswith((".whl", ".tar.gz", ".zip")):
        return Requirement(_name_of(text), url=text)
    found = re.fullmatch(NAME, " ".join(text.split()))
    return Requirement(normalise(found[1]), (found[3] or "").strip(), found[2]) if found else None


def _requirements(words: Sequence[str]) -> Iterator[Requirement]:
    # `pip install name @ url` in one word when quoted; a bare `@` belongs to its neighbours
    joined: list[str] = []
    for word in words:
        if joined and (word == "@" or joined[-1].endswith(" @")):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    for word in joined:
        if found := parse(word):
            yield found


def _options(words: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    options: dict[str, tuple[str, ...]] = {}
    rest: list[str] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        option, is_set, value = word.partition("=")
        if not is_set and option in VALUED and queue:
            value = queue.pop(0)
        name = SHORT.get(option, option)
        options[name] = (*options.get(name, ()), value)
    return options, rest


def _name_of(url: str) -> str:
    """The package that a URL or file brings, by its name: 'flash-attn' of '.../flash_attn-2.8.3-cp312-...whl'."""
    plain = url.removeprefix("git+").partition("#")[0]
    egg = re.search(r"[#&]egg=([A-Za-z0-9._-]+)", url)
    if egg:
        return normalise(egg[1])
    last = last_part(plain).partition("@")[0]
    name = last.removesuffix(".git") if url.startswith("git+") else last.partition("-")[0]
    return {"flash-attention": "flash-attn"}.get(normalise(name), normalise(name))


def _minor(version: str | None) -> str | None:
    return version if version and "." in version else None


def _after_environment(words: list[str]) -> list[str]:
    rest = words[2:]
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in ("-n", "--name", "-p", "--prefix") else rest[1:]
    return rest
