"""The Dockerfile, as text: every line decided elsewhere, here only written down."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from textwrap import wrap

import msgspec

from attn_doctor.knowledge import images
from attn_doctor.knowledge.extras import with_extra
from attn_doctor.plan.container.inside import Compiled, Inside
from attn_doctor.wheels.catalogue import Wheel, cuda_version

WIDTH = 80
CACHE = "--mount=type=cache,target=/root/.cache/pip"
VENV = "/opt/venv"
WHEELS = "/wheels"
USER = 10001  # beyond the 1000 that Ubuntu's image has taken
# what is imported to show that it runs: the very code that a model would use
IMPORTS = {
    "flash_attention_1": "flash_attn",
    "flash_attention_2": "flash_attn",
    "flash_attention_3": "flash_attn_interface",
    "flash_attention_4": "flash_attn.cute",
    "xformers": "xformers.ops",
    "flex_attention": "torch.nn.attention.flex_attention",
    "triton": "triton",
    "sage_attention": "sageattention",
}
# Triton compiles a launcher against Python's headers when it first runs; torch.compile may want C++ too
COMPILERS = {
    "triton": ("gcc", "libc6-dev", "python3-dev"),
    "sage_attention": ("gcc", "libc6-dev", "python3-dev"),
    "flex_attention": ("g++", "gcc", "libc6-dev", "python3-dev"),
}


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What the text says besides the content."""

    backend: str
    title: str
    base: str
    own_base: bool
    """Whether the base sets NVIDIA's variables itself."""
    base_why: str
    inside: Inside
    package: str | None
    """The distribution that brings the backend; None: torch itself."""
    capabilities: tuple[str, ...]
    made_for: str
    build: tuple[str, ...]
    run: tuple[str, ...]
    made_by: str


def dockerfile(recipe: Recipe) -> str:
    """The whole file."""
    lines = ["# syntax=docker/dockerfile:1", *_heading(recipe), ""]
    if recipe.inside.build:
        lines += [*_build_stage(recipe, recipe.inside.build), ""]
    lines += [*_base(recipe), "", *_torch(recipe), *_package(recipe), *_rest(recipe)]
    return "".join(f"{line}\n" for line in lines)


def requirement(wheel: Wheel) -> str:
    """The package as pip takes it: by its exact file, with its digest where that is known."""
    if wheel.url is None:
        return f"{wheel.package}=={wheel.version}"
    digest = f"#sha256={wheel.sha256}" if wheel.sha256 else ""
    return f"{wheel.package} @ {wheel.url.replace('+', '%2B')}{digest}"


def torch_pin(inside: Inside) -> str:
    """'torch==2.8.0+cu128'."""
    return f"torch=={inside.torch.torch}+{inside.torch.variant}"


def _comment(text: str) -> list[str]:
    """Lines of it. It may name what a facts file says: none of that ends the comment or steers a terminal."""
    text = "".join(char if char.isprintable() else "?" for char in text)
    return [f"# {line}" for line in wrap(text, WIDTH - 2, break_long_words=False, break_on_hyphens=False)]


def _heading(recipe: Recipe) -> Iterator[str]:
    yield from _comment(f"{recipe.title} for {recipe.made_for}. Made by {recipe.made_by}.")
    yield "#"
    yield f"#   {shlex.join(recipe.build)}"
    yield f"#   {shlex.join(recipe.run)}"
    yield "#"
    yield from _comment(
        "A tag may move. To pin the very image, ask for its digest and write it behind the tag, @sha256:..."
    )
    yield f"#   docker buildx imagetools inspect {recipe.base}"
    yield from _comment(
        "Nothing is copied in. Before you add a COPY, write a .dockerignore: .git, .venv, __pycache__, data, "
        "checkpoints."
    )


def _build_stage(recipe: Recipe, build: Compiled) -> Iterator[str]:
    inside = recipe.inside
    yield from _comment(
        f"devel for this stage alone: no published file fits, and compiling takes nvcc {inside.torch.cuda}, the CUDA "
        "of torch."
    )
    yield f"FROM {build.image} AS build"
    made_for = "For the memory and the cores of this machine" if build.memory_known else "Its memory could not be read"
    yield from _comment(
        f"{made_for}: up to {build.settings.peak_gib:g} GiB, "
        f"{build.settings.minutes[0]} to {build.settings.minutes[1]} minutes. More jobs take more memory."
    )
    yield f"ARG MAX_JOBS={build.settings.max_jobs}"
    yield f"ARG NVCC_THREADS={build.settings.nvcc_threads}"
    yield from _comment(f"Code for compute capability {', '.join(recipe.capabilities)} and nothing else.")
    yield "ENV CUDA_HOME=/usr/local/cuda \\"
    yield "    FLASH_ATTENTION_FORCE_BUILD=TRUE \\"
    archs = ";".join(build.archs)
    yield f'    FLASH_ATTN_CUDA_ARCHS="{archs}"'
    yield from _apt(("g++", "python3-dev", "python3-venv"))
    yield from _venv()
    yield from _pip(f"{_quoted(torch_pin(inside))} --index-url {inside.torch.index_url}")
    yield from _pip(" ".join(_quoted(f"{row.name}=={row.version}") for row in images.pinned("build")))
    yield f"RUN {CACHE} \\"
    pin = _quoted(f"{build.package}=={build.version}")
    yield f"    pip wheel --no-build-isolation --no-deps --wheel-dir {WHEELS} {pin}"


def _base(recipe: Recipe) -> Iterator[str]:
    yield from _comment(recipe.base_why)
    yield f"FROM {recipe.base}"
    if not recipe.own_base:
        yield "# What the container toolkit goes by; NVIDIA's images bring it, this one does not."
        yield "ENV NVIDIA_VISIBLE_DEVICES=all \\"
        yield "    NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    compilers = COMPILERS.get(recipe.backend, ())
    if compilers:
        yield "# It compiles when it first runs: a C compiler and Python's headers stay in the image."
    yield from _apt((*compilers, "python3", "python3-venv"))
    if recipe.inside.distribution.python and recipe.inside.build is None:
        yield "# An environment of its own: the distribution's Python is not to be changed by pip."
    yield from _venv()


def _torch(recipe: Recipe) -> Iterator[str]:
    inside = recipe.inside
    yield from _comment(
        f"The build for CUDA {inside.torch.cuda}, from its own index: the same version elsewhere may be another build."
    )
    yield from _pip(f"{_quoted(torch_pin(inside))} --index-url {inside.torch.index_url}")


def _package(recipe: Recipe) -> Iterator[str]:
    inside = recipe.inside
    if inside.build:
        yield f"RUN --mount=type=bind,from=build,source={WHEELS},target={WHEELS} \\"
        yield f"    {CACHE} \\"
        yield f"    pip install --no-deps {WHEELS}/*.whl{_beside(inside.build.package, inside)}"
    elif inside.wheel:
        yield from _wheel(inside.wheel, inside)
    elif inside.pure:
        yield from _hashed(f"{inside.pure.package}=={inside.pure.version}", inside.pure.sha256)


def _wheel(wheel: Wheel, inside: Inside) -> Iterator[str]:
    pure = wheel.platform == "any"
    if not pure:
        built_for = [f"torch {wheel.torch}"] if wheel.torch else []
        built_for += [f"CUDA {cuda_version(wheel.cuda)}"] if wheel.cuda else []
        yield from _comment(
            f"Built for {' and '.join(built_for) or 'any torch'}: this very file, without its dependencies, so that"
            " torch stays."
        )
    beside = _beside(wheel.package, inside)
    if wheel.url is None and wheel.sha256:
        yield from _hashed(requirement(wheel), wheel.sha256)
    elif not pure:
        beside = f" {_quoted(requirement(wheel))}{beside}"
    if beside:
        yield from _pip(f"--no-deps{beside}")
    if pure:
        yield "# Its own needs; naming torch holds it: pip fails rather than move it."
        name = with_extra(wheel.package, wheel.version, inside.torch.cuda)
        named = f"{name}=={wheel.version}" if wheel.url is None else requirement(wheel)
        yield from _pip(f"{_quoted(named)} {_quoted(torch_pin(inside))}")


def _beside(package: str, inside: Inside) -> str:
    """What goes in with it, each after a space."""
    rows = images.pinned(package, inside.torch.torch)
    return "".join(f" {_quoted(f'{row.name}=={row.version}')}" for row in rows)


def _rest(recipe: Recipe) -> Iterator[str]:
    yield ""
    yield "# What can be proved without a GPU: the right torch, and the package in one piece."
    yield f"RUN python -c {shlex.quote(_proof(recipe))}"
    yield ""
    yield "# By number: a cluster that refuses root has to see that it is none."
    yield f"RUN useradd --create-home --uid {USER} app"
    yield f"USER {USER}"
    yield "WORKDIR /home/app"
    yield ""
    yield "# Put your own command here; this one shows that the GPU is reached."
    yield f"CMD {_json(('python', '-c', _show(recipe)))}"


def _proof(recipe: Recipe) -> str:
    inside = recipe.inside
    version = f"{inside.torch.torch}+{inside.torch.variant}"
    said = [
        "import torch",
        f'assert torch.__version__ == "{version}", torch.__version__',
        f'assert torch.version.cuda == "{inside.torch.cuda}", torch.version.cuda',
    ]
    package = recipe.package
    if package:
        said.insert(0, "import importlib.metadata as metadata")
        if inside.build or (inside.wheel and inside.wheel.platform != "any"):
            said.append(f'found = [file for file in metadata.files("{package}") if file.name.endswith(".so")]')
            said.append('assert found and all(file.locate().is_file() for file in found), "no compiled extension"')
        said.append(f'print(torch.__version__, metadata.version("{package}"))')
    else:
        said.append("print(torch.__version__)")
    return "; \\\n    ".join(said)


def _show(recipe: Recipe) -> str:
    module = IMPORTS.get(recipe.backend)
    imports = f"import torch, {module}" if module else "import torch"
    return f"{imports}; print(torch.__version__, torch.cuda.get_device_name())"


def _apt(packages: Iterable[str]) -> Iterator[str]:
    yield "RUN apt-get update \\"
    yield f"    && apt-get install --yes --no-install-recommends {' '.join(packages)} \\"
    yield "    && rm -rf /var/lib/apt/lists/*"


def _venv() -> Iterator[str]:
    yield f"RUN python3 -m venv {VENV}"
    yield f"ENV PATH={VENV}/bin:$PATH"


def _pip(arguments: str) -> Iterator[str]:
    yield f"RUN {CACHE} \\"
    yield f"    pip install {arguments}"


def _hashed(pin: str, sha256: str) -> Iterator[str]:
    """Through the package index, whose file must have that digest."""
    yield f"RUN {CACHE} \\"
    yield f"    echo '{pin} --hash=sha256:{sha256}' > /tmp/pinned.txt \\"
    yield "    && pip install --no-deps --require-hashes --requirement /tmp/pinned.txt \\"
    yield "    && rm /tmp/pinned.txt"


def _quoted(text: str) -> str:
    return f'"{text}"'


def _json(words: Iterable[str]) -> str:
    return msgspec.json.format(msgspec.json.encode(list(words)), indent=-1).decode().replace('","', '", "')
