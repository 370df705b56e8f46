"""What the model needs of its attention: `--need KEY[=VALUE]`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from attn_doctor.errors import UsageError
from attn_doctor.knowledge.versions import digits

DTYPES = ("fp16", "bf16", "fp32", "fp8")
# the key of `--need`, and how a sentence names it
FEATURES = {
    "alibi": "ALiBi",
    "backward": "backward pass",
    "causal": "causal mask",
    "deterministic": "deterministic mode",
    "dropout": "dropout",
    "gqa": "grouped-query attention",
    "mask": "mask of one's own",
    "paged_kv": "paged KV cache",
    "sliding_window": "sliding window",
    "softcap": "softcap",
}


class Need(msgspec.Struct, frozen=True):
    """Nothing asked for is nothing judged."""

    dtype: str | None = None
    head_dim: int | None = None
    features: tuple[str, ...] = ()

    def has(self, feature: str) -> bool:
        """Whether that feature is asked for."""
        return feature in self.features

    def as_dict(self) -> dict[str, str]:
        """As given, for the report."""
        given = {"dtype": self.dtype, "head_dim": str(self.head_dim) if self.head_dim else None}
        return {key: value for key, value in given.items() if value} | dict.fromkeys(self.features, "true")


def parse(given: Sequence[str]) -> Need:
    """A Need from the values of `--need`. Raises UsageError on an unknown key or a value that cannot be read."""
    dtype: str | None = None
    head_dim: int | None = None
    features: list[str] = []
    for item in given:
        key, sign, value = item.partition("=")
        if key == "dtype" and value in DTYPES:
            if dtype not in (None, value):
                raise UsageError(f"--need dtype={dtype} and --need dtype={value}: a model has one; give one")
            dtype = value
        elif key == "head_dim" and digits(value) and 0 < int(value) <= 1 << 16:
            head_dim = int(value)
        elif key in FEATURES and (not sign or value in ("true", "false")):
            features += [key] if value != "false" else []
        else:
            raise _bad(key, value if sign else None)
    return Need(dtype, head_dim, tuple(sorted(set(features))))


def _bad(key: str, value: str | None) -> UsageError:
    expected = {"dtype": " or ".join(DTYPES), "head_dim": "a whole number such as 128"}
    if key in expected:
        return UsageError(f"--need {key}={value or ''}: expected {expected[key]}")
    if key in FEATURES:
        return UsageError(f"--need {key}={value}: expected true or false, or no value")
    from difflib import get_close_matches

    known = ("dtype", "head_dim", *FEATURES)
    near = [f"dtype={key}"] if key in DTYPES else get_close_matches(key, known, n=1)
    return UsageError(
        f"there is no need {key!r}", f"{f'Did you mean {near[0]}? ' if near else ''}Needs: {', '.join(known)}."
    )
