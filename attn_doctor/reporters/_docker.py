"""A container as text: a short header, the line to run, the Dockerfile; and the judgement of a Dockerfile."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attn_doctor.reporters._lines import as_json, hanging, printed

if TYPE_CHECKING:
    from attn_doctor.plan.container import Container
    from attn_doctor.plan.dockerfile import Judgement


def text(container: Container) -> str:
    """The header, then the Dockerfile; where there is none, what is in the way."""
    return printed(_lines(container))


def dockerfile(container: Container) -> str:
    """The Dockerfile alone, so that `> Dockerfile` works."""
    return container.dockerfile or ""


def run(container: Container) -> str:
    """The run line alone."""
    return printed([shlex.join(container.run)] if container.run else [])


def obstacles(container: Container) -> str:
    """What is in the way, where the Dockerfile or the run line alone was asked for."""
    return printed(_refused(container))


def judgement(found: Judgement) -> str:
    """One finding after the other, in the order of the file."""
    return printed(_judged(found))


def document(value: Container | Judgement) -> str:
    """Indented JSON, ending in a newline."""
    return as_json(value)


def _lines(container: Container) -> Iterator[str]:
    if container.dockerfile is None:
        yield from _refused(container)
        return
    yield f"{container.backend} in a container"
    yield ""
    yield from hanging("  image    ", container.image or "")
    if container.build_image:
        yield from hanging("  compiles ", f"{container.build_image}, in a stage of its own")
    yield from hanging("  inside   ", _inside(container))
    yield from hanging("  driver   ", (container.driver or "").removeprefix("driver "))
    for reason in container.why:
        yield from hanging("  why      ", reason)
    for warning in container.warnings:
        yield from hanging("  note     ", warning)
    if container.needs:
        yield ""
        yield "Not seen here, and needed:"
        for needed in container.needs:
            yield from hanging("  ", needed)
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
        yield from hanging("  ", f"{obstacle}.")
    for warning in container.warnings:
        yield from hanging("  note: ", f"{warning}.")


def _judged(found: Judgement) -> Iterator[str]:
    for one in found.findings:
        yield from hanging(f"line {one.line}: ", one.text)
        for fix in one.fix:
            yield f"  {fix}"
    if found.findings:
        count = len(found.findings)
        yield ""
        yield f"{count} {'thing' if count == 1 else 'things'} to mend."
    else:
        yield "Nothing is wrong with it, as far as attn-doctor can tell without building it."
