"""AD502 gpu-of-policy-not-served

`gpus` in the project's policy lists the GPUs that the project must run on. Each is judged as `simulate` would imagine
it, with the packages of the lock that the policy names, or of the target environment where it names none; no GPU has to
be at hand. Something that is required is not ready on one of them, or an error would be found there: the detail says
which, and the fix is a command that shows what would serve that GPU, for the lock or the target that was judged. Take
packages that serve all of them, require less, or take the GPU off the list.
"""

from __future__ import annotations

from attn_doctor.judgement.rule import Rule


def check() -> None:
    """Facts alone do not say it: attn_doctor/policy/judge.py does, where the policy is."""


RULE = Rule("AD502", "gpu-of-policy-not-served", "error", "a GPU of the policy cannot run the project", check)
