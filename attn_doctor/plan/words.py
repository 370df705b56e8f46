"""A plan in the words of uv, poetry, pixi and conda: what goes into a project's own files."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.view import Machine
from attn_doctor.plan.plan import Build, Plan, WheelFile, Words


def of(machine: Machine, one: Plan) -> tuple[Words, ...]:
    """Empty where a plan installs no package of its own."""
    if one.package is None or one.version is None or not one.steps:
        return ()
    if one.wheel is not None and one.wheel.url is not None:
        return tuple(_by_url(one.package, one.wheel, one.wheel.url))
    if one.build is not None:
        return tuple(_by_build(one.package, one.version, one.build, machine))
    return ()


def _by_url(package: str, file: WheelFile, url: str) -> Iterator[Words]:
    """A direct URL, under the name of the package: the index has no such file."""
    digest = f"#sha256={file.sha256}" if file.sha256 else ""
    yield Words("pip", "requirements.txt", (f"{package} @ {url}{digest}",))
    yield Words(
        "uv",
        "pyproject.toml",
        ("[project]", f'dependencies = ["{package}"]', "", "[tool.uv.sources]", f'{package} = {{ url = "{url}" }}'),
    )
    yield Words("poetry", "pyproject.toml", ("[tool.poetry.dependencies]", f'{package} = {{ url = "{url}" }}'))
    yield Words("pixi", "pixi.toml", ("[pypi-dependencies]", f'{package} = {{ url = "{url}" }}'))
    yield Words(
        "conda", "environment.yml", ("dependencies:", "  - pip", "  - pip:", f"      - {package} @ {url}{digest}")
    )


def _by_build(package: str, version: str, build: Build, machine: Machine) -> Iterator[Words]:
    """Without build isolation: the build imports the torch of the environment."""
    named = {key: value for key, value in build.env.items() if key not in ("PATH", "CUDA_HOME")}
    exports = [f'export {key}="{value}"' for key, value in {"CUDA_HOME": build.toolkit, **named}.items()]
    inline = ", ".join(f'{key} = "{value}"' for key, value in named.items())
    torch = f"torch=={machine.torch.version.partition('+')[0]}" if machine.torch else "torch"
    install = f"pip install --no-build-isolation --no-deps {package}=={version}"
    yield Words("pip", "a shell", (*exports, install))
    yield Words(
        "uv",
        "pyproject.toml",
        (
            "[project]",
            f'dependencies = ["{torch}", "{package}=={version}"]',
            "",
            "[tool.uv]",
            f'no-binary-package = ["{package}"]',
            "",
            "[tool.uv.extra-build-dependencies]",
            f'{package} = [{{ requirement = "torch", match-runtime = true }}, "ninja", "packaging", "psutil"]',
            "",
            "[tool.uv.extra-build-variables]",
            f"{package} = {{ {inline} }}",
        ),
    )
    yield Words(
        "uv without isolation",
        "pyproject.toml",
        ("[tool.uv]", f'no-build-isolation-package = ["{package}"]', "# with torch in the environment already"),
    )
    yield Words(
        "poetry",
        "a shell (poetry has no switch for build isolation)",
        (*exports, f"poetry run {install}"),
    )
    yield Words("pixi", "pixi.toml", ("[pypi-options]", f'no-build-isolation = ["{package}"]'))
    yield Words("conda", "a shell, in the environment", (*exports, install))
