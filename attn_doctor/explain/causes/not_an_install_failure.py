"""It looks alarming, and no installation is at fault: a warning in passing, a full GPU, the program's own code.

A banner counts only where nothing else in the log went wrong: those banners stand in failing logs too. What a program
does wrong itself (shapes, indices, memory, names of models) counts as such, but not while a package is being built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, Cause, Match, Strength
from attn_doctor.explain.causes import _banners, _builds, _own_program, _trouble
from attn_doctor.explain.log import Log

SUCCEEDED = (
    r"Successfully (?:installed|built|tagged) |Installed \d+ packages? in "
    r"|Finished processing dependencies for|\[100%\] Built"
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign in _banners.meanings():
        return _banner(match, log)
    if match.strength != PROOF and _builds.during_a_build(match.line, log):
        return None
    if match.strength == HINT and _trouble.after(log, match.line):
        return None  # it went on, and failed later
    return match.strength


def _banner(match: Match, log: Log) -> Strength | None:
    if re.search(r"\berror: ", match.line.text) or _trouble.any_but(log, match.line):
        return None
    return HINT if log.matches(SUCCEEDED) else match.strength  # healthy says more


def explain(match: Match, _case: Case) -> str:
    if match.sign in _banners.meanings():
        return _banners.meanings()[match.sign]
    return _own_program.meanings()[match.sign][0]


def fix(match: Match, _case: Case) -> Iterator[str]:
    if match.sign in _own_program.meanings():
        yield from _own_program.meanings()[match.sign][1]


CAUSE = Cause(
    category="not-an-install-failure",
    stage="none",
    title="No installation is at fault",
    signs=(*_banners.signs(), *_own_program.meanings()),
    explain=explain,
    fix=fix,
    weigh=weigh,
    changes_nothing=True,
)
