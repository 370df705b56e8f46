"""A container as text: a short header, the line to run, the Dockerfile; and the judgement of a Dockerfile."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attn_doctor.plan.container import Container
    from attn_doctor.plan.dockerfile import Judgement

WIDTH = 80


def text(container: Container) -> str:
    """The header, then the Dockerfile; where there is none, what is in the way."""
    return _harmless(_lines(container))


def dockerfile(container: Container) -> str:
    """The Dockerfile alone, so that `> Dockerfile` works."""
    return container.dockerfile or ""


def run(container: Container) -> str:
    """The run line alone."""
    return _harmless([shlex.join(container.run)] if container.run else [])


def obstacles(container: Container) -> str:
    """What is in the way, where the Dockerfile or the run line alone was asked for."""
    return _harmless(_refused(container))


def judgement(found: Judgement) -> str:
    """One finding after the other, in the order of the file."""
    return _harmless(_judged(found))


def document(value: Container | Judgement) -> str:
    """Indented JSON, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"


def _harmless(lines: Iterable[str]) -> str:
    """Names of GPUs and files come from outside: none of them steers the terminal."""
    shown = (line for text in lines for line in text.split("\n"))
    return "".join("".join(char if char.isprintable() else "?" for char in line).rstrip() + "\n" for line in shown)


def _folded(label: str, said: str) -> Iterator[str]:
    folded = wrap(said, WIDTH - len(label), break_long_words=False, break_on_hyphens=False) or [""]
    yield label + folded[0]
    yield from (" " * len(label) + line for line in folded[1:])


def _lines(container: Container) -> Iterator[str]:
    if container.dockerfile is None:
        yield from _refused(container)
        return
    yield f"{container.backend} in a container"
    yield ""
    yield from _folded("  image    ", container.image or "")
    if container.build_image:
        yield from _folded("  compiles ", f"{container.build_image}, in a stage of its own")
    yield from _folded("  inside   ", _inside(container))
    yield from _folded("  driver   ", (container.driver or "").removeprefix("driver "))
    for reason in container.why:
        yield from _folded("  why      ", reason)
    for warning in container.warnings:
        yield from _folded("  note     ", warning)
    if container.needs:
        yield ""
        yield "Not seen here, and needed:"
        for needed in container.needs:
            yield from _folded("  ", needed)
        yield from (f"  {command}" for command in container.prepare)
    yield ""
    yield "Whether a container gets the GPU:"
    yield f"  {shlex.join(container.test)}"
    yield "Build it, and try it:"
    yield f"  {shlex.join(container.write)} > Dockerfile"
    yield f"  {shlex.join(container.build)}"
    yield f"  {shlex.join(container.run)}"
    yield ""
    yield from container.dockerfile.splitlines()


def _inside(container: Container) -> str:
    package = f", {container.package} {container.package_version}" if container.package else ""
    return f"Python {container.python}, glibc {container.glibc}, torch {container.torch}{package}"


def _refused(container: Container) -> Iterator[str]:
    yield f"No container can bring {container.backend} to this machine:"
    for obstacle in container.obstacles:
        yield from _folded("  ", f"{obstacle}.")
    for warning in container.warnings:
        yield from _folded("  note: ", f"{warning}.")


def _judged(found: Judgement) -> Iterator[str]:
    for one in found.findings:
        yield from _folded(f"line {one.line}: ", one.text)
        for fix in one.fix:
            yield f"  {fix}"
    if found.findings:
        count = len(found.findings)
        yield ""
        yield f"{count} {'thing' if count == 1 else 'things'} to mend."
    else:
        yield "Nothing is wrong with it, as far as attn-doctor can tell without building it."
