"""torchvision or torchaudio belongs to another torch release, or to another CUDA, than the torch beside it.

Shows as "operator torchvision::nms does not exist", as what torchvision/extension.py and torchaudio/_extension say of
CUDA versions, as undefined symbols of their libraries. Not for it: that a resolver says so while it installs
(torch-swapped-by-dependency).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _loader, _mending
from attn_doctor.explain.log import Log

CATEGORY = "torchvision-mismatch"
MORE = ("register_fake", "impl_abstract", "register_autocast")


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal.startswith("undefined symbol") or match.sign in _loader.UNDEFINED:
        return _loader.speaks_for(CATEGORY, match, log)
    if match.sign.literal == "has no attribute '":
        return match.strength if log.has("torchvision") else None
    return match.strength


def explain(match: Match, case: Case) -> str:
    torch, own = match["torch"], match["own"]
    if torch and own:
        return f"torch was compiled with CUDA {torch} and its companion with CUDA {own}. Both must come from one index."
    return (
        "Each torchvision and torchaudio is compiled against one torch release. The one that is installed does not "
        f"belong to {_mending.torch(case)}; mostly torch was moved alone."
    )


def fix(_match: Match, case: Case) -> Iterator[str]:
    found = list(_mending.companions(case))
    yield from found
    if not found:
        yield "pip uninstall -y torchvision torchaudio   (where nothing needs them: that alone ends the error)"
        yield (
            "pip install --force-reinstall torch torchvision torchaudio --index-url URL, all three from the index of "
            "torch"
        )
    else:
        yield "name torch, torchvision and torchaudio in one command whenever one of them moves"


CAUSE = Cause(
    category=CATEGORY,
    stage="import",
    title="torchvision or torchaudio is not the one that belongs to this torch",
    signs=(
        Sign("import _meta_registrations", r"from torchvision import", SIGN, "torchvision/__init__.py, in a traceback"),
        Sign("operator torchvision::", r"operator torchvision::\w+ does not exist", PROOF, "torch library registry"),
        Sign("No such operator torchvision::", None, PROOF, "torch before 1.13: the JIT's registry of operators"),
        Sign(
            "torchvision::nms", r"Could not run 'torchvision::\w+' with arguments from the", PROOF, "a CPU torchvision"
        ),
        Sign(
            "were compiled with different CUDA",
            r"PyTorch has CUDA [Vv]ersion[= ](?P<torch>[\d.]+\d)[^\n]{1,40}?CUDA [Vv]ersion[= ](?P<own>[\d.]+\d)",
            PROOF,
            "torchvision/extension.py, torchaudio/_extension/utils.py",
        ),
        Sign("were compiled with different CUDA", r"Py[Tt]orch and [Tt]orch(?:vision|[Aa]udio)", PROOF, "the same"),
        Sign("Couldn't load custom C++ ops", None, PROOF, "torchvision/extension.py"),
        Sign("partially initialized module 'torchvision'", None, PROOF, "Python: its extension failed to load"),
        Sign(
            "torchvision.transforms.functional_tensor", r"No module named", SIGN, "Python; gone with torchvision 0.17"
        ),
        Sign("Failed to load image Python extension", None, HINT, "torchvision/io/image.py: a warning"),
        Sign("has no attribute '", rf"module 'torch\.library' has no attribute '(?:{'|'.join(MORE)})'", SIGN, "Python"),
        Sign(
            "libtorchaudio", r"(?:Could not load this library|OSError)[^\n]{0,300}libtorchaudio", SIGN, "torch/_ops.py"
        ),
        Sign("Could not load this library: ", r"(?:torchaudio|torchvision)", PROOF, "torch/_ops.py: load_library"),
        Sign("has requirement torch", r"torch(?:vision|audio) \S+ has requirement torch", SIGN, "pip check"),
        *_loader.UNDEFINED,
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("transformers-fa-api-mismatch",),
)
