"""A container for a backend: the image that fits driver, GPUs and torch, and a whole Dockerfile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor import __version__
from attn_doctor.judgement.backend import Backend, backends
from attn_doctor.knowledge import cuda, images
from attn_doctor.knowledge.versions import major_minor, numbers
from attn_doctor.plan.container import access, inside, sentences, text
from attn_doctor.plan.container.inside import Inside, check_wish
from attn_doctor.plan.plan import WheelFile

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine

__all__ = ["DEFAULT", "SCHEMA", "Container", "check_wish", "choose"]

SCHEMA = "attn-doctor/docker/1"
DEFAULT = "flash_attention_2"
_PLAIN = "Plain Ubuntu: torch's wheel brings its own CUDA libraries."


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container for one backend on one machine. With `obstacles` there is no image, and the reasons say why."""

    schema: str = SCHEMA
    version: str = __version__
    backend: str
    image: str | None = None
    """The base of what runs in the end."""
    build_image: str | None = None
    """The base of the stage that compiles; None: nothing is compiled."""
    python: str | None = None
    glibc: str | None = None
    torch: str | None = None
    """'2.8.0+cu128'."""
    package: str | None = None
    package_version: str | None = None
    wheel: WheelFile | None = None
    why: tuple[str, ...] = ()
    driver: str | None = None
    """The driver against what the image needs, as a sentence."""
    dockerfile: str | None = None
    write: tuple[str, ...] = ()
    """Prints the Dockerfile alone; its output goes into a file of that name."""
    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    """Shows whether a container gets the GPU at all, before anything is built."""
    needs: tuple[str, ...] = ()
    """What must be there first and is not seen here."""
    prepare: tuple[str, ...] = ()
    """Commands that bring it, once it is installed: for a person, most take root."""
    warnings: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def choose(
    machine: Machine, backend_name: str = DEFAULT, torch: str | None = None, image_name: str | None = None
) -> Container:
    """The container for a backend on this machine. `torch`: a wish such as '2.8' or '2.8.0+cu128'."""
    backend = backends()[backend_name]
    if torch is not None:
        check_wish(torch)
    host = inside.hosted(machine)
    way_in = access.access(host)
    refused = tuple(access.obstacles(host))
    found = [] if refused else list(inside.candidates(host, torch))
    content = (
        inside.with_backend(host, backend, found)
        if found and not sentences.ruled_out(host, backend, *found[0])
        else None
    )
    refused = refused or tuple(sentences.refusals(host, backend, found, content, torch))
    if refused or content is None:
        return Container(backend=backend.name, obstacles=refused, needs=way_in.needs, warnings=way_in.warnings)
    name = image_name or f"attn-doctor-{backend.name.replace('_', '-')}"
    asked = (("--torch", torch), ("--image", image_name))
    write = ("attn-doctor", "docker", backend.name, *(part for pair in asked if pair[1] for part in pair if part))
    return msgspec.structs.replace(_made(host, backend, content, way_in, name), write=(*write, "--dockerfile"))


def _made(machine: Machine, backend: Backend, content: Inside, way_in: access.Access, name: str) -> Container:
    base, own_base, base_why = _base(machine, content)
    build = (way_in.engine, "build", "--tag", name, ".")
    run = (way_in.engine, "run", "--rm", *way_in.options, name)
    package = backend.package if content.version else None
    recipe = text.Recipe(
        backend=backend.name,
        title=backend.title,
        base=base,
        own_base=own_base,
        base_why=base_why,
        inside=content,
        package=package,
        capabilities=machine.capabilities,
        made_for=_made_for(machine),
        build=build,
        run=run,
        made_by=f"attn-doctor {__version__}",
    )
    return Container(
        backend=backend.name,
        image=base,
        build_image=content.build.image if content.build else None,
        python=content.distribution.python,
        glibc=content.distribution.glibc,
        torch=f"{content.torch.torch}+{content.torch.variant}",
        package=package,
        package_version=content.version,
        wheel=_wheel_file(content),
        why=tuple(sentences.why(machine, content, base_why)),
        driver=sentences.driver_against(machine, content),
        dockerfile=text.dockerfile(recipe),
        build=build,
        run=run,
        test=(way_in.engine, "run", "--rm", *way_in.options, base, "nvidia-smi"),
        needs=way_in.needs,
        prepare=way_in.prepare,
        warnings=(*way_in.warnings, *sentences.warnings(machine, content)),
    )


def _base(machine: Machine, content: Inside) -> tuple[str, bool, str]:
    """The image that runs in the end, whether it sets NVIDIA's variables itself, and why this one."""
    on, needed = content.distribution, content.torch.cuda or ""
    tag = images.tag(needed, "base", on.name, machine.arch)
    plain = on.image or on.name
    if tag is None:
        return plain, False, f"{_PLAIN} No image of CUDA {needed} on it is known, and none is needed."
    offered = machine.driver.cuda if machine.driver else None
    if machine.driver and not offered:
        offered = cuda.cuda_of_driver(machine.driver.version, machine.os)
    if offered is None or numbers(offered) < numbers(major_minor(needed)):
        asked = f"asks for a driver of CUDA {major_minor(needed)}, and this one offers {offered or 'less'}"
        why = (
            f"{_PLAIN} This driver runs CUDA {needed}, but an image of {images.table().repository} {asked}: "
            "the container toolkit may refuse to start it."
        )
        return plain, False, why
    what = "base, not runtime or devel: torch's wheel brings its own CUDA libraries"
    return tag, True, f"{what}{', and the compiler stays behind' if content.build else ''}. The driver is the host's."


def _wheel_file(content: Inside) -> WheelFile | None:
    wheel = content.wheel
    if wheel is None:
        return None
    return WheelFile(
        filename=wheel.filename,
        url=wheel.url,
        sha256=wheel.sha256,
        source=wheel.source,
        trust=wheel.trust,
        evidence=wheel.evidence,
    )


def _made_for(machine: Machine) -> str:
    names = list(dict.fromkeys(gpu.name for gpu in machine.nvidia))
    driver = f", driver {machine.driver.version}" if machine.driver else ""
    return f"{' and '.join(names)} (compute capability {', '.join(machine.capabilities)}){driver}"
