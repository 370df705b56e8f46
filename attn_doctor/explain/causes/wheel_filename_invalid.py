"""The wheel's name is not the one it was published under, or the file is damaged: a renamed, cut off or HTML file.

Shows as what packaging's parse_wheel_filename, pip, uv and zipfile say. Not for it: a sound name with the wrong tags
(wheel-python-tag-mismatch, wheel-platform-mismatch), a checksum that differs (hash-mismatch).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending, _wheels
from attn_doctor.explain.log import Log

CATEGORY = "wheel-filename-invalid"
ZIP = (
    "not a zip file",
    "BadZipFile",
    "Bad CRC-32",
    "Bad magic number",
    "end of central directory",
    "zip file",
    "Zip archive",
)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.literal in ("BadZipFile", "is not a zip file", "Bad CRC-32 for file"):
        # pip's traceback, or that of someone who reads an archive of his own
        return match.strength if log.has(".whl", "wheel", "pip", "zipfile.py") else None
    if match.sign in REFUSED and not _wheels.never_fits(match.line.text):
        return None
    return match.strength


REFUSED = tuple(Sign(text, None, PROOF, "pip, uv, poetry") for text in _wheels.REFUSALS)


def damaged(match: Match) -> bool:
    """Whether it is the content that is not a wheel, and not its name."""
    text = match.line.text
    return any(word in text for word in ZIP) or (" is invalid." in text and "located at" in text)


def explain(match: Match, _case: Case) -> str:
    if damaged(match):
        return (
            "The file is no wheel inside: the download stopped early, or what was saved is an error page or the page "
            "about the file. A wheel is a zip archive."
        )
    if "%2B" in match.line.text:
        return "The name was saved with %2B where the published one has a plus sign; installers do not decode it."
    if match.sign in REFUSED:
        return (
            "The name says py3x for the Python and cp3x for the ABI: no installer looks for that pair. The file was "
            "renamed, or built by a tool that names it so; a compiled one is named cp3x-cp3x."
        )
    return (
        "Installers read version and tags from the name and compare them with what is inside. This name was changed, "
        "or is not that of a wheel: renaming a file does not make it fit another Python or system."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    if "%2B" in match.line.text:
        yield (
            "install it by its URL in place of the saved file, or save it again under its published name, with + for "
            "%2B"
        )
    yield from _mending.anew(case, there=False)
    if damaged(match):
        yield (
            "download it again (curl -L -O URL, the address of the file itself), compare its size, then install that "
            "file"
        )
        yield "pip cache purge   (where pip downloaded it: drops the damaged copy)"
    else:
        yield "download it again and keep the name as it was published, without (1) at its end"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="The wheel was renamed, or is damaged",
    signs=(
        *REFUSED,
        Sign("is not a valid wheel filename", None, PROOF, "pip/_internal/models/wheel.py"),
        Sign("nvalid wheel filename", None, PROOF, "packaging.utils.InvalidWheelFilename; pip 25 and later; poetry"),
        Sign("The wheel filename ", r"is invalid|has an invalid", PROOF, "uv-distribution-filename"),
        Sign("Wheel '", r"' located at [^\n]{1,1000} is invalid", PROOF, "pip/_internal/exceptions.py: InvalidWheel"),
        Sign("has an invalid wheel", None, PROOF, "pip/_internal/metadata, utils/wheel.py"),
        Sign("is an invalid wheel", None, PROOF, "pip"),
        Sign(".dist-info director", r"does(?: not|n't) start with", PROOF, "pip utils/wheel.py; uv-metadata"),
        Sign(".dist-info directory not found", None, PROOF, "pip utils/wheel.py"),
        Sign("multiple .dist-info directories found", None, PROOF, "pip utils/wheel.py"),
        Sign("has inconsistent version: ", None, PROOF, "pip exceptions.py: MetadataInconsistent"),
        Sign("has inconsistent name: ", None, PROOF, "pip exceptions.py: MetadataInconsistent"),
        Sign("does not match given version", None, PROOF, "uv-distribution: WheelMetadataVersionMismatch"),
        Sign("does not match given name", None, PROOF, "uv-distribution: WheelMetadataNameMismatch"),
        Sign("end of central directory record", None, PROOF, "uv: async_zip"),
        Sign("Failed to read from zip file", None, SIGN, "uv"),
        Sign("invalid Zip archive", None, PROOF, "uv: zip"),
        Sign("The wheel is invalid: ", None, PROOF, "uv-install-wheel"),
        Sign("The wheel is broken: ", None, PROOF, "pip/_vendor/installer"),
        Sign("BadZipFile", r"BadZipFile:? ", SIGN, "CPython zipfile.py"),
        Sign("is not a zip file", None, SIGN, "CPython zipfile.py"),
        Sign("Bad CRC-32 for file", None, SIGN, "CPython zipfile.py"),
        Sign("looks like a filename, but the", r"\.whl' looks like a filename", HINT, "pip: the file is not there"),
        Sign("looks like a filename, but it", r"\.whl' looks like a filename", HINT, "pip: the file is not there"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
