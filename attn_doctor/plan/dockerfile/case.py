"""One installation in its place: what stands before it, this machine, and the torch that the fixes go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from attn_doctor.plan.dockerfile.stages import Event, Stage, already_there
from attn_doctor.plan.dockerfile.torches import Torch, torch_cuda, torch_version

if TYPE_CHECKING:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.plan.dockerfile.advice import Advice
    from attn_doctor.plan.dockerfile.pip import Installation


class Case(msgspec.Struct, frozen=True):
    """What the rules of installations are asked about."""

    event: Event
    inst: Installation
    machine: Machine
    advice: Advice | None = None

    @property
    def stage(self) -> Stage:
        return self.event.stage

    @property
    def line(self) -> int:
        return self.event.line

    @property
    def python(self) -> str | None:
        """Of the command, else of the stage."""
        return self.inst.python or self.stage.python

    @property
    def pip(self) -> str:
        """The installer that the file itself uses."""
        if not self.inst.uv:
            return "pip install"
        return "uv pip install --system" if self.inst.has("--system") else "uv pip install"

    @property
    def installed(self) -> Torch | None:
        """The torch that the command itself installs; None where it finds it there."""
        wanted = self.inst.wanted("torch")
        if wanted is None or already_there(self.inst, wanted, self.stage):
            return None
        return Torch(torch_version(wanted), torch_cuda(self.inst, self.stage.arch), self.line)

    @property
    def torch(self) -> Torch | None:
        """The torch that a package is installed beside: the one that is there, else that of the same command."""
        return self.stage.torch or self.installed

    @property
    def mended(self) -> Torch | None:
        """The torch once the fix of its own line is made: two fixes must not speak of two torches."""
        torch = self.torch
        if torch is None or self.advice is None or torch.line not in self.advice.lines:
            return torch
        return Torch(self.advice.build.torch, self.advice.build.cuda, torch.line)
