"""A compiled extension of flash-attn's repository is not there: rotary_emb, dropout_layer_norm, fused_dense_lib ...

They lie in csrc/ and are no part of the flash-attn package; code that imports them needs each built by itself. The same
for flash_attn_2_cuda: the Python files are there without their compiled part. Not for it: flash_attn itself missing,
the modules of FlashAttention 3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, Cause, Match, Sign
from attn_doctor.explain.causes import _mending

CATEGORY = "fa-extension-missing"
FOLDERS = {
    "rotary_emb": "rotary",
    "dropout_layer_norm": "layer_norm",
    "fused_dense_lib": "fused_dense_lib",
    "fused_dense_cuda": "fused_dense_lib",
    "xentropy_cuda_lib": "xentropy",
    "fused_softmax_lib": "fused_softmax",
    "ft_attention": "ft_attention",
}
MODULES = "|".join(FOLDERS)
OWN = "flash_attn_2_cuda|flash_attn_cuda"


def explain(match: Match, _case: Case) -> str:
    module = match["module"] or "the extension"
    if match["own"]:
        return (
            f"flash_attn is there without its compiled part, {match['own']}: it was installed with "
            "FLASH_ATTENTION_SKIP_CUDA_BUILD, the build was interrupted, or the import finds the source folder first."
        )
    return (
        f"{module} is an extension of its own in csrc/ of the flash-attention repository; pip install flash-attn does "
        "not build it. Without it only the fused versions of some layers are missing, not attention itself."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if match["own"]:
        yield from _mending.anew(case, "flash-attn")
        yield "run Python from another folder than the sources of flash-attention"
        return
    folder = FOLDERS.get(match["module"] or "", "layer_norm")
    installed = case.machine.packages.get("flash-attn") if case.machine else None
    version = case.version or (installed.version.partition("+")[0] if installed else None)
    branch = f" --branch v{version}" if version else ""
    yield f"git clone --depth 1{branch} --recurse-submodules https://github.com/Dao-AILab/flash-attention"
    yield f"pip install --no-build-isolation ./flash-attention/csrc/{folder}   (needs nvcc of torch's CUDA major)"
    yield (
        "or turn the fused layer off in the model's settings (fused_dropout_add_ln, fused_mlp, use_flash_rotary = "
        "False)"
    )


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="A separate extension of flash-attn is not installed",
    signs=(
        Sign("No module named ", rf"No module named '?(?P<module>{MODULES})\b", PROOF, "Python"),
        Sign("No module named ", rf"No module named '?(?P<own>{OWN})\b", PROOF, "Python"),
        Sign(
            " is not installed",
            r"(?P<module>dropout_layer_norm|fused_dense(?:_lib)?|rotary_emb|xentropy_cuda_lib) is not installed",
            PROOF,
            "flash_attn/models, modules",
        ),
        Sign("cannot import name", rf"cannot import name '(?P<module>{MODULES})'", PROOF, "Python"),
        Sign(
            "please install FlashAttention",
            r"import flash_attn (?P<what>rotary|rms_norm) fail",
            HINT,
            "Qwen's modeling code: a warning",
        ),
        Sign(
            "csrc/",
            r"(?i)(?:install|compile|build)[^\n]{0,60}csrc/(?:rotary|layer_norm|fused_dense_lib|xentropy|fused_softmax"
            r"|ft_attention)",
            HINT,
            "how to get it",
        ),
    ),
    explain=explain,
    fix=fix,
    leads_to=("transformers-fa2-package-missing",),
)
