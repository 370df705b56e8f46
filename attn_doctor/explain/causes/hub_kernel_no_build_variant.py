"""A kernel of the Hugging Face Hub has no build for this torch, CUDA, C++ ABI or system.

Builds are named like torch27-cxx11-cu128-x86_64-linux, and exist for the last few torch releases only. What the kernels
package says in its versions, and transformers around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _attention
from attn_doctor.explain.log import Log

NETWORK = (
    "ConnectionError",
    "MaxRetryError",
    "LocalEntryNotFoundError",
    "GatedRepoError",
    "RepositoryNotFoundError",
    "401 Client Error",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.strength == SIGN and log.has(*NETWORK):
        return None
    if match.strength == SIGN and log.has("CUDA error", "undefined symbol"):
        return None
    return match.strength


def explain(match: Match, _case: Case) -> str:
    if "is either not installed" in match.line.text or "`kernels` to be installed" in match.line.text:
        return (
            "A kernel of the Hub was asked for, and the package that fetches it (kernels) is missing or too old "
            "for transformers."
        )
    repo = f" {match['repo']}" if match["repo"] else ""
    variant = f" ({match['variant']})" if match["variant"] else ""
    return (
        f"The kernel{repo} has no build for this torch, CUDA and system{variant}. Its authors build for the "
        "last few torch "
        "releases only, and mostly for Linux."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if "is either not installed" in match.line.text or "`kernels` to be installed" in match.line.text:
        yield "pip install -U kernels   (attn-doctor check names the range that the installed transformers takes)"
        return
    if match["repo"]:
        yield (
            f"kernels versions {match['repo']}   (the builds there are, and why each fits or not; older: the "
            "folder build/ of its page)"
        )
    yield "pip install -U kernels   (newer ones also take builds of other ABIs)"
    yield from _attention.planned(case, "flash_attention_2")
    yield 'attn_implementation="sdpa" meanwhile: it needs no kernel of the Hub'


CAUSE = Cause(
    category="hub-kernel-no-build-variant",
    stage="runtime",
    title="The Hub's kernel has no build for this torch",
    signs=(
        Sign(
            "does not have build: ",
            r"(?:Kernel `(?P<repo>[\w./-]{1,120})` at revision \S+ )?does not have build: (?P<variant>[\w.-]+)",
            by="kernels 0.1 to 0.4",
        ),
        Sign(
            "does not have one of build variants: ", r"build variants: (?P<variant>[\w.-]+)", by="kernels 0.5 to 0.12"
        ),
        Sign(
            "Cannot find a build variant for this system in",
            r"system in (?P<repo>[\w./-]{1,120})",
            by="kernels 0.13 and newer",
        ),
        Sign(
            "Cannot install kernel from repo", r"from repo (?P<repo>[\w./-]{1,120})", by="kernels: utils.install_kernel"
        ),
        Sign("Locked kernel `", r"Locked kernel `(?P<repo>[^`\n]{1,120})` does not have", by="kernels: load_kernel"),
        Sign("No kernel module found at:", by="kernels"),
        Sign("Could not find package '", r"Could not find package '[\w-]+' in ", SIGN, by="kernels: get_local_kernel"),
        Sign("No layer mapping for `", strength=SIGN, by="kernels: layer"),
        Sign(
            "No version of `",
            r"No version of `(?P<repo>[^`\n]{1,120})` satisfies requirement",
            SIGN,
            by="kernels: _versions",
        ),
        Sign(
            "not found, available versions: ",
            r"Version \S+ not found, available versions",
            SIGN,
            by="kernels: _versions",
        ),
        Sign(
            "while trying to load from '",
            r"error occurred while trying to load from '(?P<repo>[\w./-]{1,120})'",
            SIGN,
            by="transformers: load_and_register_kernel",
        ),
        Sign(
            "`kernels` is either not installed or uses an incompatible version",
            strength=SIGN,
            by="transformers/integrations/hub_kernels.py",
        ),
        Sign("requires `kernels` to be installed", strength=SIGN, by="transformers/integrations/hub_kernels.py"),
        Sign("does not match environment Torch", strength=SIGN, by="kernels: variants, the reasons"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
