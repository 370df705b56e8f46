"""NumPy 2 meets something built for, or written for, NumPy 1 (or the other way round).

Shows as NumPy's own banner, "_ARRAY_API not found", "numpy.dtype size changed", torch's "Numpy is not available", and
as names that NumPy 2 took away. Not for it: no NumPy at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log
from attn_doctor.knowledge.requirements import requirement

CATEGORY = "numpy2-abi"
GONE = (
    "float_|complex_|unicode_|string_|Inf|Infinity|NaN|PINF|NINF|infty|float96|obj2sctype|product|cumproduct|sometrue"
    "|alltrue|in1d|trapz|row_stack|cast|source|lookfor|who|find_common_type|msort|asfarray|issubclass_"
    "|set_string_function|byte_bounds"
)
ABSENT = re.compile(r"[Nn]um[Pp]y is not available|initialize NumPy")
OLD_GONE = "bool|int|float|object|str|long|complex|bool8|typeDict"


def weigh(match: Match, log: Log) -> Strength | None:
    if log.matches(r"No module named '?numpy'?(?!\.)") and ABSENT.search(match.line.text):
        return None
    return match.strength


def explain(match: Match, case: Case) -> str:
    version = case.said.get("torch")
    row = requirement("torch", version, "numpy") if version else None
    if match["gone"]:
        return f"numpy.{match['gone']} is not in the NumPy that is installed: the code was written for an older one."
    if row is not None:
        return f"torch {version} was compiled against NumPy 1 and cannot speak to NumPy 2, which is installed."
    return (
        "A compiled module was built for another major of NumPy than the one installed: mostly for NumPy 1, while "
        "NumPy 2 came in by an upgrade. NumPy 1 can load nothing that was built for NumPy 2 alone, and the other way "
        "round."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    newer = match["wanted"] is not None and match["wanted"] > (match["found"] or "")
    if "module compiled against" in match.line.text and newer:
        yield f'{_mending.pip(case)} -U "numpy>=2"   (the module is newer than NumPy)'
    else:
        yield f'{_mending.pip(case)} "numpy<2"   (goes with what was built before)'
        yield (
            f"{_mending.pip(case)} -U --force-reinstall --no-deps PACKAGE   (the one in the traceback: its newer "
            "builds take both)"
        )
    yield "keep it so: add numpy<2 to your requirements until every compiled package has moved"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="NumPy 2 beside binaries (or code) for NumPy 1",
    signs=(
        Sign("A module that was compiled using NumPy 1.x cannot be run in", by="numpy/_core/_multiarray: NumPy 2"),
        Sign("_ARRAY_API not found", by="the import of NumPy's C interface"),
        Sign("numpy.dtype size changed", by="Cython: __Pyx_ImportType"),
        Sign("numpy.ufunc size changed", by="Cython: __Pyx_ImportType"),
        Sign("numpy.ndarray size changed", None, HINT, "Cython: mostly a warning"),
        Sign("umpy is not available", r"[Nn]umpy is not available", PROOF, "torch csrc/utils/tensor_numpy.cpp"),
        Sign("numpy.core.multiarray failed to import", by="NumPy: import_array()"),
        Sign("numpy._core.multiarray failed to import", by="NumPy: import_array()"),
        Sign("numpy.core.umath failed to import", by="NumPy: import_umath()"),
        Sign(
            "module compiled against A",
            r"compiled against A[PB]I version 0x(?P<wanted>\w+)[^\n]{0,40}numpy is 0x(?P<found>\w+)",
            PROOF,
            "NumPy: import_array()",
        ),
        Sign("was removed in the NumPy 2.0 release", r"`np\.(?P<gone>\w+)`", PROOF, "numpy/_expired_attrs_2_0.py"),
        Sign("module 'numpy' has no attribute '", rf"attribute '(?P<gone>{GONE})'", PROOF, "NumPy 2"),
        Sign(
            "module 'numpy' has no attribute '",
            rf"attribute '(?P<gone>{OLD_GONE})'",
            SIGN,
            "NumPy 1.24: aliases that are gone",
        ),
        Sign(
            "No module named 'numpy.",
            r"No module named '(?P<module>numpy\.(?:lib\.function_base|lib\.\w+|core\.\w+|_core\b[\w.]*|compat"
            r"|distutils\w*))",
            SIGN,
            "NumPy 2 moved its modules",
        ),
        Sign("Failed to initialize NumPy", r"_ARRAY_API|compiled", SIGN, "torch: a warning"),
        Sign("cannot import name '", r"cannot import name '\w+' from 'numpy", SIGN, "Python"),
        Sign("numpy.exceptions' has no", None, HINT, "NumPy 1 where 2 is expected"),
        Sign("No module named 'numpy.exceptions'", None, SIGN, "NumPy before 1.25"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa-api-mismatch",),
)
