"""A compiled extension spells std::string otherwise than this torch: the wheel's cxx11abi flag is the wrong one.

Shows as an undefined symbol of c10, at or torch that holds `Ss` (old ABI: the file was built for torch up to 2.6) or
`__cxx11` (new ABI). Where the file's name says another torch release than the installed one, that is the cause instead.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = _loader.ABI_FLAG


def weigh(match: Match, log: Log) -> Strength | None:
    return _loader.speaks_for(CATEGORY, match, log) if match.found is None else match.strength


def explain(match: Match, case: Case) -> str:
    found = _loader.undefined(match.line.text)
    built = _loader.flavour(found.symbol) if found else None
    if found is None or built is None:
        return f"The extension was built for the other C++ ABI than {_mending.torch(case)} has."
    machine = _mending.has_torch(case)
    torch = machine.torch if machine else None
    if torch is not None and torch.cxx11abi is not None and torch.cxx11abi == (built == "new"):
        return (
            f"The file asks for {_loader.in_words(found.symbol)} with std::string of the {built} C++ ABI, which torch "
            f"{torch.version} has too: another torch is imported than this one, or the file is for another release."
        )
    other = "old" if built == "new" else "new"
    return (
        f"The file asks for {_loader.in_words(found.symbol)} with std::string of the {built} C++ ABI, and "
        f"{_mending.torch(case)} has the {other} one: the wheel says cxx11abi{'TRUE' if built == 'new' else 'FALSE'} "
        f"or was built so, and cxx11abi{'TRUE' if other == 'new' else 'FALSE'} is needed."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    found = _loader.undefined(match.line.text)
    package = _loader.package_of(found.file) if found else None
    yield 'python -c "import torch; print(torch._C._GLIBCXX_USE_CXX11_ABI)"   (True: the new ABI; False: the old one)'
    yield from _mending.anew(case, package)
    yield "renaming the wheel does not help: the ABI is compiled in, and some labels are wrong"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="The extension was built for the other C++ ABI than torch has",
    signs=(
        *_loader.UNDEFINED,
        Sign(
            "_GLIBCXX_USE_CXX11_ABI",
            r"(?i)_GLIBCXX_USE_CXX11_ABI\W{1,4}(?:=\s?)?[01]?\b[^\n]{0,80}(?:mismatch|differ|incompatib)",
            by="extensions that check it themselves",
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa2-package-missing", "transformers-fa-api-mismatch"),
)
