"""A command whose options of the form --this/--no-this may not contradict each other; click would take the last."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from attn_doctor.errors import UsageError


class OneOfTwo(TyperCommand):
    """Raises UsageError where a call gives both."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ours = {*args[: args.index("--")]} if "--" in args else {*args}
        for one in self.params:
            both = [next((name for name in names if name in ours), None) for names in (one.opts, one.secondary_opts)]
            if all(both):
                raise UsageError(f"{both[0]} and {both[1]} contradict each other: give one")
        return super().parse_args(ctx, args)
