"""attn-doctor: which attention backends run on this machine, which could, and why the others cannot."""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing typing would cost 2 ms
if TYPE_CHECKING:
    from attn_doctor.here import resolution, resolve
    from attn_doctor.library import check

__version__ = "0.1.0"
__all__ = ["__version__", "check", "resolution", "resolve"]


def __getattr__(name: str) -> object:
    """The library's functions, imported when they are first asked for: importing the package imports nothing."""
    if name == "check":
        from attn_doctor.library import check

        return check
    if name in ("resolution", "resolve"):
        from attn_doctor import here

        return getattr(here, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
