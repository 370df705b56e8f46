"""What a report says of the policy that the project has, as rows of a label and a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Elsewhere, Finding, Policy, Report

# the codes of its breaches
FAMILY = "AD5"


def is_breach(finding: Finding) -> bool:
    """Whether a finding says that the policy is not kept, and nothing of the machine's health."""
    return finding.code.startswith(FAMILY)


def rows(policy: Policy, verbose: bool) -> Iterator[tuple[str, str]]:
    """The file and what came of its GPUs; with `verbose` every setting and where it was made."""
    yield "policy   ", " · ".join((policy.file, *_gpus(policy.gpus)))
    for note in policy.notes:
        yield "         ", note
    if not verbose:
        return
    for one in policy.settings:
        yield f"  {one.key:<14} ", f"{one.value}  [{one.origin}]"
    for gpu in policy.gpus:
        yield f"  on {gpu.gpu}: ", _verdict(gpu)


def _gpus(judged: tuple[Elsewhere, ...]) -> Iterator[str]:
    runs = [one.gpu for one in judged if one.met]
    fails = [one.gpu for one in judged if not one.met]
    if runs:
        yield f"runs on {', '.join(runs)}"
    if fails:
        yield f"not on {', '.join(fails)}"


def _verdict(one: Elsewhere) -> str:
    by = [f"torch {one.torch}" if one.torch else "no torch", *([f"driver {one.driver}"] if one.driver else [])]
    required = ", ".join(f"{name} {status}" for name, status in one.required.items())
    return "; ".join((required or f"best with {one.use_now or 'nothing'}", " and ".join(by)))


def outcome(report: Report) -> str | None:
    """'The policy (pyproject.toml) is not kept: AD501, AD502.'; None where it is."""
    broken = sorted({one.code for one in report.findings if is_breach(one) and not one.ignored})
    if report.policy is None or not broken:
        return None
    return f"The policy ({report.policy.file}) is not kept: {', '.join(broken)}."
