"""Installer, compiler or cache may not write where it wants to.

Shows as errno 13 and 1, Windows errors 5 and 32, conda's EnvironmentNotWritableError. Not for it: a Python that belongs
to the distribution (externally-managed-environment), a file system that is read-only or noexec
(tmp-or-cache-filesystem), ssh keys of git, device files of the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending
from attn_doctor.explain.log import Log

CATEGORY = "permission-denied"
OTHERS = (
    "publickey",
    "/dev/nvidia",
    "/dev/kfd",
    "/dev/dri",
    "failed to map segment",
    "ptrace",
    "perf_event",
    "nvidia-uvm",
)
TRANSLATED = (
    *(
        "Zugriff verweigert",
        "Keine Berechtigung",
        "Acc\u00e8s refus\u00e9",
        "Permission non accord\u00e9e",
        "Acceso denegado",
    ),
    *(
        "Permiso denegado",
        "\u62d2\u7edd\u8bbf\u95ee",
        "\u6743\u9650\u4e0d\u591f",
        "\u30a2\u30af\u30bb\u30b9\u304c\u62d2\u5426",
    ),
    *(
        "\u041e\u0442\u043a\u0430\u0437\u0430\u043d\u043e \u0432 \u0434\u043e\u0441\u0442\u0443\u043f\u0435",
        "Permiss\u00e3o negada",
    ),
    *("\u8a31\u53ef\u304c\u3042\u308a\u307e\u305b\u3093", "\u5b58\u53d6\u88ab\u62d2"),
)
PLACES = (
    *(
        "site-packages",
        "dist-packages",
        ".cache",
        ".triton",
        "torch_extensions",
        "daemon socket",
        "docker.sock",
        "conda",
    ),
    *("could not create ", "/usr/", "inductor"),
)
INSTALLS = (
    "pip install",
    "pip3 install",
    "Could not install packages",
    "uv pip",
    "uv sync",
    "setup.py",
    "poetry install",
)


def weigh(match: Match, log: Log) -> Strength | None:
    text = match.line.text
    if any(word in text for word in OTHERS) or log.has("Permission denied (publickey"):
        return None
    if any(word in text for word in PLACES) or log.has(*INSTALLS):
        return match.strength
    # a file of somebody's own program says the same
    return None if match.sign.literal in BARE else HINT


def explain(match: Match, case: Case) -> str:
    text = match.line.text
    if "WinError 32" in text or "used by another process" in text:
        return "Another program has the file open: mostly a Python that still runs (a notebook, a server, an editor)."
    if "WinError 5" in text or ("~" in text and case.windows):
        return (
            "Windows lets nobody replace a file that a running Python has loaded, and pip had to replace one. What it "
            "could not move stays behind in folders that start with ~."
        )
    if "Docker daemon" in text or "docker.sock" in text:
        return "Your user may not speak to the docker daemon: it is not in the group docker."
    return (
        "The folder belongs to another user, mostly because an earlier install ran as root, or because this is the "
        "system's Python."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    text = match.line.text
    if case.windows or "WinError" in text:
        yield (
            'close every Python, notebook and server that uses this environment (tasklist /fi "imagename eq '
            'python.exe"), then again'
        )
        yield "delete the folders that start with ~ in site-packages: they are what pip could not move back"
        yield f"or a fresh environment: {_mending.activate(case)}"
        return
    if "Docker daemon" in text or "docker.sock" in text:
        yield "sudo usermod -aG docker $USER, then log in again"
        return
    if ".cache" in text or ".triton" in text or "torch_extensions" in text:
        yield "ls -ld ~/.cache ~/.triton   (whose are they?)"
        yield "sudo chown -R $USER ~/.cache ~/.triton   (where they are in your home and belong to root)"
        yield "or name others: XDG_CACHE_HOME, TRITON_CACHE_DIR, TORCH_EXTENSIONS_DIR, PIP_CACHE_DIR"
        return
    yield f"{_mending.VENV}, then install there"
    yield "do not run pip with sudo: it leaves files of root behind, which make the next install fail in the same way"


BARE = (
    *("Permission denied", "Access is denied", "[Errno 1] Operation not permitted", *TRANSLATED),
)  # fmt: skip
CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="No permission to write",
    signs=(
        Sign("[Errno 13]", r"\[Errno 13\][^\n]{0,200}(?:denied|site-packages|dist-packages|cache|'/)", PROOF, "Python"),
        Sign("[WinError 5]", by="Windows: access is denied"),
        Sign("[WinError 32]", by="Windows: the file is used by another process"),
        Sign("Permission denied (os error 13)", by="Rust: uv"),
        Sign("(os error 5)", r"denied", PROOF, "Rust on Windows: uv"),
        Sign("(os error 32)", by="Rust on Windows: uv"),
        Sign("EnvironmentNotWritableError", by="conda/exceptions.py"),
        Sign("NotWritableError", None, PROOF, "conda/exceptions.py"),
        Sign("does not have write permissions to the target environment", by="conda/exceptions.py"),
        Sign("Check the permissions.", None, SIGN, "pip/_internal/commands/install.py"),
        Sign("or check the permissions.", None, SIGN, "pip/_internal/commands/install.py"),
        Sign("daemon socket", r"(?i)permission denied", PROOF, "docker"),
        Sign("could not create work tree dir", r"Permission denied", PROOF, "git clone"),
        Sign("could not create leading directories", r"Permission denied", PROOF, "git clone"),
        Sign("could not create '", r"Permission denied", PROOF, "distutils"),
        *(Sign(text, None, SIGN, "strerror(EACCES), and Windows, in several languages") for text in BARE),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=("torch-swapped-by-dependency", "tmp-or-cache-filesystem", "triton-compile-env", "stale-build-artifacts"),
)
