"""Steps and words about one published file."""

from __future__ import annotations

from hashlib import sha256

from attn_doctor.judgement.commands import cuda_of_torch
from attn_doctor.judgement.view import Machine
from attn_doctor.knowledge.advisories import advisories
from attn_doctor.knowledge.extras import with_extra
from attn_doctor.knowledge.index_wheels import IndexWheel
from attn_doctor.knowledge.torch_builds import Build
from attn_doctor.plan import one_folder, steps
from attn_doctor.plan.plan import Change, Step, WheelFile
from attn_doctor.wheels.catalogue import Wheel, source_row, version_key
from attn_doctor.wheels.resolve import is_compiled
from attn_doctor.wheels.search import is_pre_release

# what flash-attn imports at once; its other demand is torch, which must not be touched
EINOPS = ("einops",)
COMPILE_WITH_TRITON = ("sage_attention", "triton", "flex_attention")  # backends


def wheel_file(wheel: Wheel) -> WheelFile:
    """The file as a plan names it."""
    return WheelFile(
        filename=wheel.filename,
        url=wheel.url.replace("+", "%2B") if wheel.url else None,
        sha256=wheel.sha256,
        source=wheel.source,
        trust=wheel.trust,
        evidence=wheel.evidence,
    )


def index_file(row: IndexWheel) -> WheelFile:
    """The same of a file that only the package index has."""
    return WheelFile(
        filename=row.filename, url=None, sha256=row.sha256, source="pypi", trust="upstream", evidence="listed"
    )


def described(wheel: Wheel) -> str:
    """'wheel, upstream (Dao-AILab/flash-attention)'."""
    repository = source_row(wheel.source).repo
    whose = repository.partition(" ")[0] if repository else wheel.source
    return f"wheel, {wheel.trust} ({whose})"


def needs(package: str) -> tuple[str, ...]:
    """What goes in beside the file itself."""
    return EINOPS if package == "flash-attn" else ()


def bring(machine: Machine, wheel: Wheel, moved: Build | None = None) -> tuple[Step, ...]:
    """The steps that install this very file and leave torch alone. `moved`: the torch that is there by then."""
    file = wheel_file(wheel)
    if not is_compiled(wheel):
        # the file first, by its digest; then what it needs, and nothing that is installed may move for that
        own = alone(machine, file, wheel.package, wheel.version)
        cuda = moved.cuda if moved else cuda_of_torch(machine)
        extra = with_extra(wheel.package, wheel.version, cuda).removeprefix(wheel.package)
        return (*own, *with_demands(machine, wheel.package, f"{extra}=={wheel.version}"))
    return (
        *steps.needed(machine, needs(wheel.package), "install what it needs"),
        *alone(machine, file, wheel.package, wheel.version),
    )


def with_demands(machine: Machine, package: str, specifier: str = "") -> tuple[Step, ...]:
    """A package and what it needs, under a constraint that holds everything else. `specifier`: '[cu13]==4.0'."""
    pinned, file = steps.pin(machine, package)
    title = f"install what {package} needs, and move nothing for it"
    return pinned, steps.install(machine, title, "--constraint", file, package + specifier, step="demands")


def alone(machine: Machine, file: WheelFile, package: str, version: str) -> tuple[Step, ...]:
    """One file and nothing else, checked against its digest where one is known."""
    # an installer takes another build of the same version for the same
    again = (steps.again(machine, package),) if package in machine.packages else ()
    title = f"install {package} {version}"
    digest = f"#sha256={file.sha256}" if file.sha256 else ""
    beside = one_folder.again(machine, package)
    if steps.uses_uv(machine):
        return (*_by_uv(machine, file, package, version, again), *beside)
    # of two files with one name the first to be saved would be taken for both: each has a folder of its own
    own = sha256(f"{file.url} {file.sha256} {file.filename}".encode()).hexdigest()[:12]
    saved = steps.path(machine, own, file.filename)
    taken = f"{file.url}{digest}" if file.url else f"{package}=={version}"
    only = () if file.url else ("--only-binary", ":all:")
    fetch = Step(
        id="fetch",
        title="download the wheel and check its sha256" if file.url and file.sha256 else "download the wheel",
        kind="fetch",
        command=(*steps.installer(machine, "download"), "--no-deps", *only, "--dest", steps.path(machine, own), taken),
    )
    looked_at = () if file.url or not file.sha256 else (check(machine, saved, file.sha256),)
    return (fetch, *looked_at, steps.install(machine, title, *again, "--no-deps", "--no-index", saved), *beside)


def _by_uv(machine: Machine, file: WheelFile, package: str, version: str, again: tuple[str, ...]) -> tuple[Step, ...]:
    """By uv, which downloads and installs at once; of an index's file it checks the digest that a list demands."""
    options = (*again, "--no-deps", "--only-binary", package)
    title = f"install {package} {version}"
    if file.url:
        digest = f"#sha256={file.sha256}" if file.sha256 else ""
        return (steps.install(machine, title, *options, f"{package} @ {file.url}{digest}"),)
    if not file.sha256:
        return (steps.install(machine, title, *options, f"{package}=={version}"),)
    listed = steps.path(machine, f"{package}.txt")
    demand = f"{package}=={version} --hash=sha256:{file.sha256}"
    write = Step(
        id="digest",
        title="write down the sha256 that it must have",
        kind="write",
        command=(steps.python(machine), "-c", "import sys; print(sys.argv[1])", demand),
        output=listed,
    )
    return write, steps.install(machine, title, *options, "--require-hashes", "--requirement", listed)


def check(machine: Machine, saved: str, sha256: str, step: str = "check") -> Step:
    """The file that lies there is the one that is meant."""
    command = (steps.python(machine), "-c", steps.program(machine, steps.DIGEST_CHECK), saved, sha256)
    return Step(id=step, title="check its sha256", kind="check", command=command)


def changes(machine: Machine, *wanted: tuple[str, str], beside: tuple[str, ...] = ()) -> tuple[Change, ...]:
    """Before and after of the packages that a plan names; `beside`: those that come only where they are lacking."""
    found = [Change(name, _version(machine, name), version) for name, version in wanted]
    found += [Change(name, None, "newest") for name in beside if name not in machine.packages]
    return tuple(found)


def triton_beside(machine: Machine, backend: str, torch_version: str | None = None) -> tuple[Step, ...]:
    """The Triton that a backend compiles with, where it is lacking."""
    return steps.triton(machine, torch_version) if backend in COMPILE_WITH_TRITON else ()


def triton_change(machine: Machine, backend: str, torch_version: str | None = None) -> tuple[Change, ...]:
    """The same as a change."""
    wanted = steps.lacking_triton(machine, torch_version) if backend in COMPILE_WITH_TRITON else None
    return changes(machine, wanted) if wanted else ()


def _version(machine: Machine, name: str) -> str | None:
    if name == "torch":
        return machine.torch.version if machine.torch else None
    return machine.packages[name].version if name in machine.packages else None


def cautions(wheel: Wheel) -> tuple[str, ...]:
    """What a user should know of a file before taking it."""
    found: list[str] = []
    if wheel.trust == "community":
        row = source_row(wheel.source)
        found.append(f"no file of upstream's serves here; this one is of {wheel.source} ({row.trust})")
    if is_pre_release(wheel):
        found.append(f"{wheel.version} is a pre-release: {wheel.package} has no other that fits")
    if wheel.confidence == "low":
        found.append("the file may not exist: its name follows from a build whose files were never seen")
    elif wheel.evidence != "listed":
        found.append("the name follows from the tagged build matrix; the file itself was not seen in a listing")
    if wheel.sha256 is None:
        found.append("no digest of the file was published: what is downloaded cannot be checked against one")
    if wheel.gpu_code is None and wheel.gpu_limit:
        found.append(f"which GPU code is inside was not published; at most {' '.join(wheel.gpu_limit)}")
    found += advised(wheel.package, wheel.version)
    return tuple(found)


def advised(package: str, version: str) -> list[str]:
    """What is known against that release."""
    key = version_key(version)
    return [row.text for row in advisories(package) if version_key(row.since) <= key < version_key(row.before)]
