"""What was downloaded is not what the checksum says.

A download that was cut off or altered on the way, a stale cache, or a stale lock file. Shows as pip's THESE PACKAGES DO
NOT MATCH THE HASHES, uv's, poetry's and conda's words, apt's Hash Sum mismatch. Not for it: a wheel without checksum
that is broken inside (wheel-filename-invalid).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign
from attn_doctor.explain.causes import _mending

CATEGORY = "hash-mismatch"
LOCKED = ("--require-hashes", "Hashes are required", "trusted hash")


def explain(match: Match, case: Case) -> str:
    if any(word in match.line.text for word in LOCKED):
        return "Hash checking is on, because one requirement has a hash; then every requirement must have one, with ==."
    if case.log.has("-r ", "poetry", "uv.lock", "known hashes", "requirements FILE".lower()):
        return (
            "The file that came is not the one whose checksum is written down: the download was cut off or altered on "
            "the way (proxy, mirror), the cached copy is damaged, or the file was published anew after it was locked."
        )
    return (
        "The file that came is not the one that the index announced. With wheels of gigabytes the download was mostly "
        "cut off or altered on the way (proxy, mirror), or a damaged copy is taken from the cache."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text = case.log.text
    if any(word in match.line.text for word in LOCKED):
        yield "pip-compile --generate-hashes, or uv pip compile --generate-hashes: writes a hash for every requirement"
        return
    if "Hash Sum mismatch" in match.line.text:
        yield "sudo rm -rf /var/lib/apt/lists/* && sudo apt-get update, then the same command again"
        return
    if "uv" in text and "Hash mismatch for" in text:
        yield (
            "uv cache clean, then the same command again; then uv lock --upgrade-package NAME, if the file was "
            "published anew"
        )
    elif "known hashes" in text or "poetry" in text:
        yield "poetry cache clear --all . && poetry lock, then poetry install"
    elif "Conda" in match.line.text:
        yield "conda clean --packages --tarballs, then the same command again"
    else:
        yield f"pip cache purge, then {_mending.pip(case)} --no-cache-dir --timeout 100 ... with the same requirements"
    yield (
        "download the file by itself with something that resumes (curl -L -C - -O URL), compare sha256sum, then "
        "install that file"
    )
    yield "do not take the hash out before you know which of the two is right: it is there to notice a foreign file"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="A downloaded file does not match its checksum",
    signs=(
        Sign("DO NOT MATCH THE HASHES", None, PROOF, "pip/_internal/exceptions.py: HashMismatch"),
        Sign("Hash mismatch for ", None, PROOF, "uv-distribution"),
        Sign("Hash mismatch for package metadata", None, PROOF, "uv-client"),
        Sign("not found in known hashes", None, PROOF, "poetry 1.0 to 1.4: executor"),
        Sign("Invalid hashes (", None, PROOF, "poetry 1.5 and later: executor"),
        Sign("HashMismatchError", None, PROOF, "pdm, unearth, pypi tools"),
        Sign("Hash mismatch of", None, PROOF, "pdm"),
        Sign("ChecksumMismatchError", None, PROOF, "conda/exceptions.py"),
        Sign("detected a mismatch between the expected content", None, PROOF, "conda/exceptions.py"),
        Sign("Hash Sum mismatch", None, PROOF, "apt"),
        Sign("Expected sha256", None, SIGN, "pip/_internal/exceptions.py: HashMismatch.body"),
        Sign("--require-hashes mode", None, SIGN, "pip/_internal/exceptions.py: HashMissing, HashUnpinned"),
        Sign("no trusted hash was provided", None, SIGN, "uv-resolver"),
        Sign("no hash was provided for", None, SIGN, "uv: HashStrategy"),
        Sign("checksum did not match", None, SIGN, "curl-based installers"),
        Sign("computed checksum did NOT match", None, SIGN, "coreutils sha256sum"),
    ),
    explain=explain,
    fix=fix,
)
