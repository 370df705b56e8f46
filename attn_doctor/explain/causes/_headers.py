"""A header that is not found, in the words of gcc, clang, MSVC and nvcc's front end, in any language of gcc."""

from __future__ import annotations

from attn_doctor.explain.cause import Sign, Strength

# "fatal error: x.h: No such file or directory" (gcc, also translated), "fatal error: 'x.h' file not found" (clang),
# "fatal error C1083: Cannot open include file: 'x.h'" (MSVC), 'cannot open source file "x.h"' (EDG, which nvcc is)
BEFORE = (
    r"(?:(?:error|Fehler|fatale?|fatal|错误|錯誤|エラー|ошибка|오류|erro)\s?[:\uff1a]\s?['\u2018“]?"
    r"|C1083\b[^\n]{0,80}?['\u2018“«「]|source file \")"
)
AFTER = r"(?=['\u2019”»」\"]|\s?[:\uff1a])"


def missing(header: str, pattern: str, strength: Strength, by: str) -> Sign:
    """The sign of one header or one family; `header` is the literal that all its names hold."""
    return Sign(header, rf"{BEFORE}(?P<header>{pattern}){AFTER}", strength, by)
