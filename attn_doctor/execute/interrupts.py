"""Ctrl-C, a closed terminal and a polite kill: heard at once while steps run, and not while things are put back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType
from typing import Any

HEARD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")


class Interrupts(AbstractContextManager["Interrupts"]):
    """From entering to leaving, a signal raises KeyboardInterrupt within `allowed`, and is kept for it before."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._open = False
        self._pending = False

    def __enter__(self) -> Interrupts:  # noqa: PYI034 - Self came with Python 3.11
        for name in HEARD:
            number = getattr(signal, name, None)
            with suppress(ValueError, OSError):  # in a thread that is not the main one nothing is heard anyway
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup keeps its word
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before if before is not None else signal.SIG_DFL)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._pending = True
        if self._open:
            self._open = False
            raise KeyboardInterrupt

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Here an interruption is at home."""
        self._open = True
        try:
            if self._pending:
                raise KeyboardInterrupt
            yield
        finally:
            self._open = False
