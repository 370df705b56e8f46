"""AD503 required-by-policy-not-ready

`require` in the project's policy names backends that must be ready in the environment, and one is not. The detail says
why, and `attn-doctor install BACKEND --dry-run` how it gets there. Where the policy lists `gpus` and this machine has
no GPU, what is required is judged on those alone (AD502). This finding cannot be ignored: require less in its place.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule


def check() -> None:
    """Facts alone do not say it: attn_doctor/policy/judge.py does, where the policy is."""


RULE = Rule("AD503", "required-by-policy-not-ready", "error", "a backend that the policy requires is not ready", check)
