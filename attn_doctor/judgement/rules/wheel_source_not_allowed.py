"""AD504 wheel-source-not-allowed

`wheel-sources` in the project's policy says whose prebuilt wheels may be installed, by the names that `attn-doctor
wheels` gives the sources. A package was installed (or is locked) from the address of another one. What comes from a
package index has no such address and is passed over. No fix and no plan of attn-doctor's names a wheel of another one.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule


def check() -> None:
    """Facts alone do not say it: attn_doctor/policy/judge.py does, where the policy is."""


RULE = Rule("AD504", "wheel-source-not-allowed", "error", "a wheel of a source that the policy does not allow", check)
