"""A plan in the words of pip, uv, poetry, pixi and conda: what goes into a project's own files."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.view import Machine
from attn_doctor.plan import project
from attn_doctor.plan.plan import Build, Plan, Words
from attn_doctor.plan.project import Entry, Project

NEWEST = "newest"
# what triton's and torch's own plans bring by their version alone
BY_NAME = ("torch", "triton", "triton-windows")


def of(machine: Machine, one: Plan) -> tuple[Words, ...]:
    """Empty where a plan installs no package of its own, and where it leaves the environment alone."""
    if one.package is None or one.version is None or not one.steps or one.method not in ("wheel", "source"):
        return ()
    wanted = project.of(machine, one)
    if one.build is not None:
        return tuple(_by_build(one, one.build, wanted))
    if (one.wheel is None and one.package not in BY_NAME) or one.method == "source":
        return ()  # conda's own; what was built here and lies nowhere else
    return tuple(_by_file(wanted))


def _by_file(wanted: Project) -> Iterator[Words]:
    """A file under a direct URL, where the index has none, and torch with the index that it is from."""
    yield Words("pip", "requirements.txt", tuple(_pip(wanted)))
    yield Words("uv", "pyproject.toml", tuple(_uv(wanted)))
    yield Words("poetry", "pyproject.toml", tuple(_poetry(wanted)))
    yield Words("pixi", "pixi.toml", tuple(_pixi(wanted)))
    yield Words("conda", "environment.yml", tuple(_conda(wanted)))


def _by_build(one: Plan, build: Build, wanted: Project) -> Iterator[Words]:
    """Without build isolation: the build imports the torch of the environment."""
    named = {key: value for key, value in build.env.items() if key not in ("PATH", "CUDA_HOME")}
    shell = tuple(_shell(one, {"CUDA_HOME": build.toolkit or "", **named}))
    torch = wanted.torch
    if torch.entries:
        yield Words("pip", "requirements.txt, installed first", tuple(_pip(torch)))
    yield Words("pip", "a shell", shell)
    yield Words("uv", "pyproject.toml", (*_uv(wanted), "", *_uv_build(str(one.package), named)))
    yield Words(
        "uv without isolation",
        "pyproject.toml",
        ("[tool.uv]", f'no-build-isolation-package = ["{one.package}"]', "# with torch in the environment already"),
    )
    if torch.entries:
        yield Words("poetry", "pyproject.toml, installed first", tuple(_poetry(torch)))
    in_poetry = tuple(line.replace("pip install", "poetry run pip install", 1) for line in shell)
    yield Words("poetry", "a shell (poetry has no switch for build isolation)", in_poetry)
    isolation = ("[pypi-options]", f'no-build-isolation = ["{one.package}"]')
    yield Words("pixi", "pixi.toml", (*_pixi(wanted), "", *isolation))
    if torch.entries:
        yield Words("conda", "environment.yml, made first", tuple(_conda(torch)))
    yield Words("conda", "a shell, in the environment", shell)


def _shell(one: Plan, variables: dict[str, str]) -> Iterator[str]:
    """A wheel that an earlier build left in a cache may be for another torch: none is taken from there."""
    beside = [change.package for change in one.changes if change.after == NEWEST]
    if beside:
        yield f"pip install {' '.join(beside)}"
    yield from (f'export {key}="{value}"' for key, value in variables.items() if value)
    fresh = f"--no-cache-dir --no-binary {one.package} --no-build-isolation --no-deps"
    yield f"pip install {fresh} {one.package}=={one.version}"


def _nowhere(wanted: Project) -> Iterator[str]:
    if wanted.nowhere:
        yield f"# torch {wanted.nowhere} is in no public index: see to it that nothing puts another in its place"


def _pip(wanted: Project) -> Iterator[str]:
    yield from _nowhere(wanted)
    if wanted.pip_index_url:
        yield f"--extra-index-url {wanted.pip_index_url}"
    yield from (_requirement(wanted, one) for one in wanted.entries)


def _requirement(wanted: Project, one: Entry) -> str:
    if one.url:
        return f"{one.name} @ {one.url}" + (f"#sha256={one.sha256}" if one.sha256 else "")
    # two indexes may have that version: the local part says whose is meant
    variant = f"+{wanted.variant}" if one.by_torch and wanted.pip_index_url else ""
    return _named(one) + (f"=={one.version}{variant}" if one.version else "")


def _named(one: Entry) -> str:
    return f"{one.name}[{one.extra}]" if one.extra else one.name


def _uv(wanted: Project) -> Iterator[str]:
    names = (f'"{_named(one)}' + (f'=={one.version}"' if one.version else '"') for one in wanted.entries)
    yield from _nowhere(wanted)
    yield "[project]"
    yield f"dependencies = [{', '.join(names)}]"
    sources = [f"{one.name} = {source}" for one in wanted.entries if (source := _uv_source(wanted, one))]
    if sources:
        yield from ("", "[tool.uv.sources]", *sources)
    if wanted.index_url:
        yield from ("", "[[tool.uv.index]]", f'name = "{wanted.index}"', f'url = "{wanted.index_url}"')
        yield "explicit = true"


def _uv_source(wanted: Project, one: Entry) -> str | None:
    if one.url:
        return f'{{ url = "{one.url}" }}'
    return f'{{ index = "{wanted.index}" }}' if one.by_torch and wanted.index_url else None


def _uv_build(package: str, variables: dict[str, str]) -> Iterator[str]:
    inline = ", ".join(f'{key} = "{value}"' for key, value in variables.items())
    yield from ("[tool.uv]", f'no-binary-package = ["{package}"]', "", "[tool.uv.extra-build-dependencies]")
    yield f'{package} = [{{ requirement = "torch", match-runtime = true }}, "ninja", "packaging", "psutil"]'
    yield from ("", "[tool.uv.extra-build-variables]", f"{package} = {{ {inline} }}")


def _poetry(wanted: Project) -> Iterator[str]:
    yield from _nowhere(wanted)
    yield "[tool.poetry.dependencies]"
    for one in wanted.entries:
        own = one.by_torch and wanted.index_url is not None
        version = one.version and (f"{one.version}+{wanted.variant}" if own else one.version)
        yield _toml(one, version or "*", ("source", wanted.index) if own else None)
    if wanted.index_url:
        yield from ("", "[[tool.poetry.source]]", f'name = "{wanted.index}"', f'url = "{wanted.index_url}"')
        yield 'priority = "explicit"'


def _pixi(wanted: Project) -> Iterator[str]:
    yield from _nowhere(wanted)
    yield "[pypi-dependencies]"
    for one in wanted.entries:
        source = ("index", wanted.index_url) if one.by_torch and wanted.index_url else None
        yield _toml(one, f"=={one.version}" if one.version else "*", source)


def _toml(one: Entry, version: str, source: tuple[str, str] | None) -> str:
    """One line of a table of dependencies."""
    if one.url:
        return f'{one.name} = {{ url = "{one.url}" }}'
    parts = [f'version = "{version}"', *([f'{source[0]} = "{source[1]}"'] if source else [])]
    parts += [f'extras = ["{one.extra}"]'] if one.extra else []
    return f"{one.name} = {{ {', '.join(parts)} }}" if len(parts) > 1 else f'{one.name} = "{version}"'


def _conda(wanted: Project) -> Iterator[str]:
    yield from ("dependencies:", "  - pip", "  - pip:")
    yield from (f"      {line}" if line.startswith("#") else f"      - {line}" for line in _pip(wanted))
