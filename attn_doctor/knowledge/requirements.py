"""What packages demand of each other, and whether an installed version meets it."""

import msgspec

from attn_doctor.knowledge.tables import load
from attn_doctor.knowledge.versions import major, major_minor, numbers, public


class Requirement(msgspec.Struct, frozen=True):
    """One demand of a package, from release `since` on and below `before`."""

    package: str
    since: str
    needs: str
    specifier: str
    source: str
    before: str | None = None
    otherwise: str | None = None  # what the package does where the demand is not met
    os: str | None = None  # the only system on which it holds


class SameCuda(msgspec.Struct, frozen=True):
    """How far the CUDA of a package's own build must agree with torch's: its import raises otherwise."""

    package: str
    since: str
    as_far_as: str  # major, minor
    source: str


class _Requirements(msgspec.Struct, frozen=True):
    as_of: str
    notes: tuple[str, ...]
    rows: tuple[Requirement, ...]
    same_cuda: tuple[SameCuda, ...]


def requirements(package: str, version: str) -> tuple[Requirement, ...]:
    """What that release demands, by the table."""
    rows = load("requirements", _Requirements).rows
    return tuple(row for row in rows if row.package == package and _within(row, version))


def requirement(package: str, version: str, needs: str) -> Requirement | None:
    """What that release demands of one other package; None where it is not established."""
    return next((row for row in requirements(package, version) if row.needs == needs), None)


def same_cuda(package: str, version: str, own: str, torch: str) -> bool:
    """Whether a build of the package for CUDA `own` loads beside a torch of CUDA `torch`; True where not known."""
    rows = load("requirements", _Requirements).same_cuda
    row = next((row for row in rows if row.package == package and _at_least(version, row.since)), None)
    if row is None:
        return True
    return major(own) == major(torch) if row.as_far_as == "major" else major_minor(own) == major_minor(torch)


def satisfies(version: str, specifier: str) -> bool:
    """Whether a version meets a specifier such as '>=2.6,<3'; True where either is not understood."""
    have = public(version)
    clauses = [clause.strip() for clause in specifier.split(",") if clause.strip()]
    return all(_meets(have, clause) for clause in clauses)


def _meets(have: str, clause: str) -> bool:
    sign = clause[: len(clause) - len(clause.lstrip("<>=!~"))]
    bound = public(clause[len(sign) :].strip())  # the build is compared by those who know builds
    if sign == "==" and bound == have:
        return True
    base, post, _ = have.partition(".post")  # it counts only against the release it mends
    ours, theirs = numbers(base), numbers(bound)
    if not _plain(base) or not _plain(bound) or (post and ours == theirs):
        return _meets_by_the_book(have, sign + bound)
    return {
        "==": ours == theirs,
        "!=": ours != theirs,
        ">=": ours >= theirs,
        "<=": ours <= theirs,
        ">": ours > theirs,
        "<": ours < theirs,
        "~=": ours >= theirs and numbers(_series(base, bound)) == numbers(bound.rpartition(".")[0]),
    }.get(sign, True)


def _meets_by_the_book(have: str, clause: str) -> bool:
    """Pre-releases, post-releases, wildcards: packaging knows them, and is imported for them alone."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(clause).contains(Version(have), prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return True


def _within(row: Requirement, version: str) -> bool:
    return _at_least(version, row.since) and (row.before is None or not _at_least(version, row.before))


def _at_least(version: str, bound: str) -> bool:
    return satisfies(version, f">={bound}")


def _series(version: str, bound: str) -> str:
    """As much of a version as '~=' holds fixed: of 3.8.1 against 3.8.0, 3.8."""
    return ".".join(version.split(".")[: bound.count(".")])


def _plain(version: str) -> bool:
    return bool(version) and all(part.isascii() and part.isdigit() for part in version.split("."))
