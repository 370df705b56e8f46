"""Python is too new or too old: for the published wheels, for what the package demands, or for its sources.

Shows as "requires a different Python", uv's and poetry's words about Requires-Python and ABI tags, as "(from versions:
none)" for torch, and as interfaces that this Python no longer has, or not yet. Not for it: one wheel with another tag
(wheel-python-tag-mismatch), a version that was never published (no-matching-distribution).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _index, _wheels
from attn_doctor.explain.causes.no_matching_distribution import NOWHERE
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.versions import numbers

CATEGORY = _index.PYTHON
SUBSCRIPTS = (3, 10)  # from here on both of these are plain faults of a program
OLD_ONLY = ("unsupported operand type(s) for |: ", "type' object is not subscriptable")
TOO_NEW = "has no attribute 'ImpImporter'|has no attribute 'SafeConfigParser'|has no attribute 'find_module'"
REMOVED = (
    "Mapping' from 'collections|MutableMapping' from 'collections|formatargspec' from 'inspect|gcd' from 'fractions"
)
ADDED = "StrEnum' from 'enum|Self' from 'typing|override' from 'typing|ParamSpec' from 'typing|UTC' from 'datetime"


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign not in NOWHERE:
        python = _wheels.python_of(log)
        recent = python is not None and numbers(python.rstrip("t")) >= SUBSCRIPTS
        return None if recent and match.sign.literal in OLD_ONLY else match.strength
    if _index.verdict(match.line.text, log) != CATEGORY:
        return None
    # of a bare line the Python is the usual reason, not the only one
    return PROOF if _wheels.python_of(log) or log.has(*_index.OTHER_PYTHON) or " Requires-Python" in log.text else SIGN


def explain(match: Match, case: Case) -> str:
    if match["needs"]:
        have = match["have"] or _wheels.python_of(case.log)
        return f"The package takes Python {match['needs']}{f', and this is Python {have}' if have else ''}."
    python = _wheels.python_of(case.log)
    name, version = _index.wanted(match.line.text)
    if name == "torch":
        variant = _index.variant_of(version, case.log)
        served = sorted(_index.pythons(version, variant), key=_key) if version or variant else []
        listed = f" Published for: {', '.join(map(_dotted, served))}." if served else ""
        this = f"Python {python}" if python else "this Python"
        return (
            f"The index has torch, and no file of it for {this} (or for a 32-bit Python).{listed} A Python that came "
            "out later than a release gets no wheels for it."
        )
    this = f"Python {python}" if python else "this Python"
    return f"The package, or what it is built with, does not go with {this}: it is too new for it, or too old."


def _key(tag: str) -> tuple[int, bool]:
    return int(tag[3:].rstrip("t")), tag.endswith("t")


def _dotted(tag: str) -> str:
    return f"{tag[2]}.{tag[3:]}"


def fix(match: Match, case: Case) -> Iterator[str]:
    name, version = _index.wanted(match.line.text)
    served = (
        _index.pythons(version, _index.variant_of(version, case.log)) if name == "torch" else _index.pythons(None, None)
    )
    with_gil = [tag for tag in served if not tag.endswith("t")]
    if with_gil:
        # not the newest: packages around torch follow a year later
        ordered = sorted(with_gil, key=_key)
        chosen = _dotted(ordered[max(0, len(ordered) - 3)] if len(ordered) > 3 else ordered[-1])  # noqa: PLR2004
        enter = r".venv\Scripts\activate" if case.windows else ". .venv/bin/activate"
        yield f"uv venv --python {chosen} && {enter}, or conda create -n attn python={chosen}"
    if name == "torch" and version is None and (variant := _index.variant_of(None, case.log)):
        yield (
            f"or a newer index than {variant}: it has files for newer Pythons (attn-doctor check says which fits your "
            "driver)"
        )
    yield (
        'python -c "import sys, struct; print(sys.version, struct.calcsize(chr(80)) * 8)"   (version, and 64 for a '
        "64-bit Python)"
    )


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="This Python is too new or too old for the package",
    signs=(
        *NOWHERE,
        Sign(
            "requires a different Python",
            r"requires a different Python: (?P<have>3\.[\w.]+) not in '(?P<needs>[^']{1,60})'",
            PROOF,
            "pip/_internal/resolution/legacy/resolver.py and resolvelib/factory.py",
        ),
        Sign(
            "requires Python '",
            r"requires Python '(?P<needs>[^']{1,60})' but the running Python is (?P<have>[\d.]+\d)",
            PROOF,
            "pip",
        ),
        Sign(
            "does not satisfy Python",
            r"\(?(?P<have>3\.[\d.]*\d)?\)? does not satisfy Python(?P<needs>[<>=!~][\w.,<>=!~*]{1,40})",
            PROOF,
            "uv",
        ),
        Sign("incompatible with the project's Python requirement", r"`(?P<needs>[^`]{1,40})`", PROOF, "uv"),
        Sign(
            "requires Python ",
            r"requires Python (?P<needs>[<>=!~][\w.,<>=!~* ]{1,40}?),? (?:but|so it will not|and)",
            PROOF,
            "uv, poetry",
        ),
        Sign("supported Python range (", r"is not compatible with some of the required packages", PROOF, "poetry"),
        Sign("is not supported by the project", r"activated Python version (?P<have>[\d.]+\d)", PROOF, "poetry"),
        Sign("Ignored the following versions that require a different", None, HINT, "pip: a note"),
        Sign("ImpImporter", TOO_NEW, PROOF, "Python 3.12, with an old setuptools or pip"),
        Sign("has no attribute '", rf"(?:pkgutil|configparser|imp)'? {TOO_NEW}", PROOF, "Python 3.12"),
        Sign(
            "cannot import name '",
            rf"cannot import name '(?:{REMOVED})",
            PROOF,
            "Python 3.10, 3.11: names that are gone",
        ),
        Sign("cannot import name '", rf"cannot import name '(?:{ADDED})'", PROOF, "names of a later Python"),
        Sign(
            "unsupported operand type(s) for |: ",
            r"'(?:type|_GenericAlias|ABCMeta|NoneType)'",
            SIGN,
            "X | Y before Python 3.10",
        ),
        Sign("type' object is not subscriptable", None, SIGN, "list[int] before Python 3.9"),
        Sign(
            "is not supported on Python 3.",
            r"(?:compile|Dynamo)\w* is not supported on Python (?P<old>3\.\d+)",
            PROOF,
            "torch/_dynamo",
        ),
        Sign(
            "PyFrameObject",
            r"error[^\n]{0,200}(?:incomplete type|has no member)",
            PROOF,
            "sources older than Python 3.11",
        ),
        Sign(
            "has no member named",
            r"(?:Py\w*Object|PyThreadState|_ts)[^\n]{0,60}has no member named",
            PROOF,
            "sources older than this Python",
        ),
        Sign("Python 2.7 ", r"(?:no longer supported|is not supported|reached the end)", SIGN, "pip"),
        Sign("Python version >= ", r"(?:required|requires)", SIGN, "set-up scripts"),
        Sign(
            "Cannot install on Python version",
            r"version (?P<have>3\.[\d.]*\d); only versions (?P<needs>[<>=!~][\w.,<>=!~]{1,40})",
            PROOF,
            "numba, llvmlite: setup.py",
        ),
        Sign("This version of Python is not supported", None, PROOF, "set-up scripts"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("no-matching-distribution",),
)
