"""Runs the steps of a plan, and the build among them under supervision."""

from __future__ import annotations

import os
from collections.abc import Callable

from attn_doctor.execute import running
from attn_doctor.execute.running import Listen, StepFailed
from attn_doctor.execute.supervise import build, kept_wheel
from attn_doctor.execute.supervise.progress import Progress
from attn_doctor.plan.plan import Step

TAKEN = "built-here"  # the step that looks at a wheel which an earlier build left (plan/ways/built_here.py)


class Runner:
    """Called with each step in turn. `tell` hears how far a build is, twice a second."""

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell = tell
        self._built: Step | None = None
        self._taken: str | None = None

    def __call__(self, step: Step, listen: Listen, environment: dict[str, str]) -> None:
        """Raises StepFailed."""
        if step.kind == "build":
            build.run(step, listen, environment, self._tell)
            self._built = step
            return
        if step.id == TAKEN:
            self._taken = os.path.dirname(step.command[-2])
        try:
            running.run(step, listen, environment)
        except StepFailed:
            if self._built is not None:
                kept_wheel.forget(self._built)  # it was compiled, and does not install or load: not to be used again
            if self._taken is not None and step.id in (TAKEN, "install", "verify"):
                kept_wheel.give_up(self._taken)
            raise
