"""How tests are dealt out to the workers of a parallel run."""

from __future__ import annotations

from xdist.scheduler import LoadGroupScheduling


class ByFile(LoadGroupScheduling):
    """A group is one worker's, as `--dist loadgroup` has it; and so is a file with what belongs to no group.

    What a file prepares for all of its tests is prepared once, not by every worker.
    """

    def _split_scope(self, nodeid: str) -> str:
        group = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if group == nodeid else group
