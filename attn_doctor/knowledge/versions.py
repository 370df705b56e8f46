"""Comparison keys: the text stays as printed, comparing is done on a key (12.10 > 12.9, 550.144.03 == 550.144.3)."""

from functools import lru_cache

# no version has a longer number, and Python refuses to read endless ones
LONGEST_NUMBER = 18


@lru_cache(maxsize=1024)
def numbers(text: str) -> tuple[int, ...]:
    """The leading dotted integers of a driver, CUDA, gcc or glibc version: '550.144.03' -> (550, 144, 3).

    Trailing zeros do not count, so that '12' == '12.0'. Anything after the first non-number is ignored.
    """
    found: list[int] = []
    for part in text.strip().split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits or len(digits) > LONGEST_NUMBER:
            break
        found.append(int(digits))
        if digits != part:
            break
    while found and found[-1] == 0:
        found.pop()
    return tuple(found)


def digits(text: str) -> bool:
    """Whether a text is a plain number that int() reads; str.isdigit also says yes to '\u00b2'."""
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER


def major(text: str) -> int:
    """The first number of a dotted version; 0 where there is none."""
    key = numbers(text)
    return key[0] if key else 0


def major_minor(text: str) -> str:
    """'2.7.1+cu118' -> '2.7'; '13' -> '13.0'."""
    key = (*numbers(text), 0, 0)
    return f"{key[0]}.{key[1]}"


def public(version: str) -> str:
    """A Python version without its local part: '2.7.1+cu118' -> '2.7.1'."""
    return version.partition("+")[0]


def local(version: str) -> str | None:
    """The local part of a Python version, or None: '2.7.1+cu118' -> 'cu118'."""
    return version.partition("+")[2] or None
