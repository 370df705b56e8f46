"""The wheel, or the compiled file, is for another Python: its cpXY tag is not that of the interpreter.

Installers say "is not a supported wheel on this platform" for every tag that differs; which one it is follows from the
file's name and what the log shows of the interpreter. Not for it: another system or processor
(wheel-platform-mismatch).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending, _wheels
from attn_doctor.explain.log import Log

CATEGORY = "wheel-python-tag-mismatch"
REFUSED = tuple(Sign(text, None, PROOF, "pip, uv, poetry") for text in _wheels.REFUSALS)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in _loader.UNDEFINED:
        return _loader.speaks_for(CATEGORY, match, log)
    if match.sign not in REFUSED:
        return match.strength
    said = _wheels.verdict(match.line.text, log)
    if (
        said is None
    ):  # nothing is known of the interpreter: of files people pick themselves the Python is the usual slip
        named = _wheels.tags(match.line.text)
        return SIGN if named is None or named.arch != "aarch64" else None
    return PROOF if said == "python" else None


def explain(match: Match, case: Case) -> str:
    named = _wheels.tags(match.line.text)
    python = python_said(match, case)
    if match.sign in _loader.UNDEFINED or match["built"]:
        return "The compiled file was built for another Python than the one that imports it. Each minor needs its own."
    file = (
        f"The wheel is for Python {named.version} ({named.python}-{named.abi})"
        if named
        else "The wheel is for another Python"
    )
    if python and (named is None or python != named.version):
        have = f"and this is Python {python}"
    else:
        have = "and the Python that this pip belongs to is another"
    return f"{file}, {have}: a compiled file serves one minor of Python. Renaming the file does not help."


def python_said(match: Match, case: Case) -> str | None:
    """The version of the interpreter, by the log, else by the machine."""
    if match["have"]:
        return match["have"]
    python = case.machine.python if case.machine else None
    return _wheels.python_of(case.log) or (".".join(python.version.split(".")[:2]) if python else None)


def fix(match: Match, case: Case) -> Iterator[str]:
    yield 'python -c "import sys; print(sys.version, sys.executable)"   (the Python that the wheel must be for)'
    yield from _mending.anew(case, there=False)
    named = _wheels.tags(match.line.text)
    if named is not None and named.version:
        yield (
            f"or an environment with Python {named.version}: uv venv --python {named.version}, then install torch "
            "there first"
        )


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="The wheel is for another Python",
    signs=(
        *REFUSED,
        Sign(
            "module was compiled for Python",
            r"compiled for Python (?P<built>\d\.\d+)",
            PROOF,
            "pybind11: PYBIND11_CHECK",
        ),
        Sign(
            "conflicts with this version of Python",
            r"Module use of python(?P<built>\d+)\.dll",
            PROOF,
            "CPython dynload_win.c",
        ),
        Sign("but seem incompatible", r"compiled module files exist", SIGN, "numpy/_core/__init__.py"),
        Sign("initialization of _", r"undefined symbol: _?Py", PROOF, "CPython"),
        Sign("The wheel is compatible with CPython", r"but you're using CPython (?P<have>3\.\d+)", PROOF, "uv"),
        Sign(
            "but the wheel was built for",
            r"You're using [^\n]{0,60}(?P<have>3\.\d+t?)?",
            PROOF,
            "uv: free-threaded Python",
        ),
        Sign("support the identified abi tags", None, SIGN, "poetry: chooser"),
        Sign("support the identified python tags", None, SIGN, "poetry: chooser"),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("wheel-platform-mismatch", "no-matching-distribution"),
)
