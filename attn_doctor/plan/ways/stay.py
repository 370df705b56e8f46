"""Stay on sdpa, which is part of torch and runs a FlashAttention kernel of its own: a plan too."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.plan.plan import Plan
from attn_doctor.plan.request import Case
from attn_doctor.plan.way import Way

SDPA = "sdpa"


def plans(case: Case) -> Iterator[Plan]:
    if case.backend.name == SDPA:
        return
    verdict = case.judged(SDPA)
    if verdict.status == "ready":
        yield Plan(
            backend=SDPA,
            method="none",
            package="torch",
            version=case.machine.torch.version if case.machine.torch else None,
            title="stay on sdpa",
            why=verdict.reasons[:1],
        )


WAY = Way("stay", 90, "none", plans, alone=False)
