"""AD114 ld-library-path-shadowing

The loader searches LD_LIBRARY_PATH before the folder that a library names in its own RUNPATH. torch's own libraries
carry an RPATH, which wins; some of those they load in turn do not. An older cuDNN there ends in "cuDNN version
incompatibility" or CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH, an older nvJitLink in "undefined symbol:
__nvJitLinkComplete_12_4". A library of another major has another name and harms nobody.
"""

from __future__ import annotations

import shlex

from attn_doctor.judgement.rule import Problem, Rule
from attn_doctor.knowledge import build_hazards
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.probes.library_path import Library
from attn_doctor.machine.probes.torch import TorchDist


def check(library_path: tuple[Library, ...], environment: dict[str, str], torch: TorchDist) -> Problem | None:
    if torch.cuda is None:
        return None
    hits = [(one, row) for one in library_path if (row := _row(one, torch)) is not None]
    if not hits:
        return None
    said = [f"{row.what} {one.version} in {one.folder} before {one.wheel}, torch's own" for one, row in hits]
    bad = {one.folder for one, _ in hits}
    rest = [folder for folder in environment.get("LD_LIBRARY_PATH", "").split(":") if folder and folder not in bad]
    return Problem(
        f"LD_LIBRARY_PATH puts {'; '.join(said)}.",
        fix=(f"export LD_LIBRARY_PATH={shlex.quote(':'.join(rest))}" if rest else "unset LD_LIBRARY_PATH",),
    )


def _row(library: Library, torch: TorchDist) -> build_hazards.Shadowed | None:
    if library.version is None or library.wheel is None:
        return None
    # the wheel counts a build number more than the file
    have, own = numbers(library.version), numbers(library.wheel)
    if have[:2] >= own[:2]:
        return None
    return build_hazards.shadowed(library.name.partition(".")[0], library.wheel, torch.version)


RULE = Rule(
    "AD114",
    "ld-library-path-shadowing",
    "warning",
    "LD_LIBRARY_PATH hides a library of torch's",
    check,
    confidence="likely",
)
