"""Runs the steps of a plan, and the build among them under supervision."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from attn_doctor.execute import running
from attn_doctor.execute.running import Listen, StepFailed
from attn_doctor.execute.supervise import build, kept_wheel
from attn_doctor.execute.supervise.progress import Progress
from attn_doctor.plan.plan import Step

TAKEN = "built-here"  # the step that looks at a wheel which an earlier build left (plan/ways/built_here.py)
# how pip and uv say that it is the file that they do not take, and not the disk or the environment
REFUSED = re.compile(
    rb"not a supported wheel|has an invalid wheel|wheel is invalid|Wheel '.*' located at .* is invalid"
    rb"|BadZipFile|not a zip file|incompatible with the current platform|No matching distribution found"
)
HEARD_BYTES = 1 << 14


class Runner:
    """Called with each step in turn. `tell` hears how far a build is, twice a second."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._built: Step | None = None
        self._wheels: str | None = None

    def __call__(self, step: Step, listen: Listen, environment: dict[str, str]) -> None:
        """Raises StepFailed."""
        if step.kind == "build":
            build.run(step, listen, environment, self._tell)
            self._built, self._wheels = step, kept_wheel.places(step).wheels
            return
        if step.id == TAKEN:
            self._wheels = os.path.dirname(step.command[-2])
        heard = bytearray()

        def hear(data: bytes) -> None:
            heard.extend(data)
            del heard[:-HEARD_BYTES]
            listen(data)

        try:
            running.run(step, hear, environment)
        except StepFailed:
            if step.id == TAKEN or step.kind == "verify" or (self._installs(step) and REFUSED.search(heard)):
                self._forget()
            raise

    def _installs(self, step: Step) -> bool:
        """Whether it installs that wheel: what else is fetched or installed says nothing of it."""
        return self._wheels is not None and any(self._wheels in (word, os.path.dirname(word)) for word in step.command)

    def _forget(self) -> None:
        """What does not install or load is not used again."""
        if self._built is not None:
            kept_wheel.forget(self._built)
        elif self._wheels is not None:
            kept_wheel.give_up(self._wheels)
