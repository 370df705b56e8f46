"""attn-doctor: which attention backends run on this machine, which could, and why the others cannot."""

from __future__ import annotations

__version__ = "0.1.0"
