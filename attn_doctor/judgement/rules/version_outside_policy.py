"""AD501 version-outside-policy

`versions` in the project's policy says which versions of a package, of Python, of the driver or of CUDA the project is
made for, and what is here (or in the lock that the policy names) is another. What is not there at all is no breach:
`require` says what must be there. Install a version in the range, or widen it in the policy.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule


def check() -> None:
    """Facts alone do not say it: attn_doctor/policy/judge.py does, where the policy is."""


RULE = Rule("AD501", "version-outside-policy", "error", "a version that the policy does not allow", check)
