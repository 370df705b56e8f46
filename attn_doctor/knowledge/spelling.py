"""Names as people write them, and the one that may have been meant."""

from collections.abc import Mapping


def bare(name: str) -> str:
    """Without what people write this way and that: capitals, hyphens, underscores, dots and blanks."""
    return "".join(char for char in name.lower() if char not in "-_. ")


def did_you_mean(written: str, known: Mapping[str, str], most: int = 1) -> str:
    """A question with a blank behind it, for a hint that goes on; empty where nothing is near.

    `known`: by how a name may be written, what it is called.
    """
    from difflib import get_close_matches

    near = dict.fromkeys(known[one] for one in get_close_matches(written, known, n=most))
    return f"Did you mean {' or '.join(near)}? " if near else ""
