"""What each setting brought on this machine: the training step with it against the one without."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from attn_doctor.measure.benchmark import Step

SETTINGS = ("mixed_precision", "tf32", "torch_compile", "gradient_checkpointing", "expandable_segments")
FULL = "fp32"  # the setting that TF32 and mixed precision are held against
SAME = 0.05  # less than that is no difference


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios to the step without it: `faster` of samples by the second, `memory` of peaks; None where it failed."""

    setting: str
    subject: str
    faster: float | None = None
    memory: float | None = None
    noisy: bool = False
    reason: str = ""

    @property
    def said(self) -> str:
        """'torch_compile: 1.31x faster, memory 0.90x'."""
        if self.faster is None:
            return f"{self.setting}: {self.reason}"
        speed = f"{self.faster:.2f}x faster" if self.faster >= 1 else f"{1 / self.faster:.2f}x slower"
        parts = ["no faster and no slower" if abs(self.faster - 1) < SAME else speed]
        parts += [f"memory {self.memory:.2f}x"] if self.memory is not None else []
        parts += ["noisy"] if self.noisy else []
        return f"{self.setting}: {', '.join(parts)}"


def brought(steps: Sequence[Step]) -> tuple[Brought, ...]:
    """One for each setting that was tried, in the order of `SETTINGS`."""
    pairs = ((setting, _pair(steps, setting)) for setting in SETTINGS)
    return tuple(_held(setting, *pair) for setting, pair in pairs if pair is not None)


def _pair(steps: Sequence[Step], setting: str) -> tuple[Step, Step] | None:
    """The row with the setting, and the one without it."""
    full = _row(steps, FULL)
    if setting == "mixed_precision" and full is not None:
        usual = _row(steps, "", full.subject)  # the usual step is the mixed one
        return (usual, full) if usual else None
    changed = _row(steps, setting)
    if changed is None:
        return None
    plain = full if setting == "tf32" and full else _row(steps, "", changed.subject)
    return (changed, plain) if plain else None


def _row(steps: Sequence[Step], setting: str, subject: str | None = None) -> Step | None:
    return next((one for one in steps if one.setting == setting and subject in (None, one.subject)), None)


def _held(setting: str, changed: Step, plain: Step) -> Brought:
    if not (changed.samples_per_s and plain.samples_per_s):
        failed = plain if changed.samples_per_s else changed
        said = f"{failed.status}: {failed.reason}" if failed.reason else failed.status
        return Brought(setting=setting, subject=changed.subject, reason=said)
    # what expandable segments save lies between the blocks: the peak of what is given out stays the same
    name = "reserved_bytes" if setting == "expandable_segments" else "peak_bytes"
    used, before = getattr(changed, name), getattr(plain, name)
    return Brought(
        setting=setting,
        subject=changed.subject,
        faster=changed.samples_per_s / plain.samples_per_s,
        memory=used / before if used and before and changed.batch == plain.batch else None,
        noisy=changed.noisy or plain.noisy,
    )
