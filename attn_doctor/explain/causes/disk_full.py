"""There is no space left: in the temporary folder, the cache, the environment, or where docker keeps its layers.

Shows as errno 28 (and 122, a quota), Windows errors 112 and 39, and what gcc, ld, tar, docker, conda and apt say. Not
for it: /dev/shm of a container, which training fills ("unable to write to file </torch_..."), and GPU memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.log import Log
from attn_doctor.knowledge import disk_use

CATEGORY = "disk-full"
GIB = 1 << 30
# what carries the same errno and is no full disk
OTHERS = (
    "</torch_",
    "/dev/shm",  # noqa: S108 - a word of the log
    "shared memory",
    "shmget",
    "posix_fallocate",
    "inotify",
    "fsnotify",
    "ENOSPC: System limit",
)
TRANSLATED = (
    "kein Speicherplatz mehr verf",  # gcc, ld, tar, cp in German: strerror(ENOSPC)
    "Aucun espace disponible sur le p",
    "No queda espacio en el dispositivo",
    "Spazio esaurito sul device",
    "espa\u00e7o dispon\u00edvel no dispositivo",
    "\u8bbe\u5907\u4e0a\u6ca1\u6709\u7a7a\u95f4",
    "\u88dd\u7f6e\u4e0a\u5df2\u7121\u591a\u9918\u7a7a\u9593",
    "\u30c7\u30d0\u30a4\u30b9\u306b\u7a7a\u304d\u9818\u57df\u304c\u3042\u308a\u307e\u305b\u3093",
    "\uc7a5\uce58\uc5d0 \ub0a8\uc740 \uacf5\uac04\uc774 \uc5c6",
    "\u0441\u0432\u043e\u0431\u043e\u0434\u043d\u043e\u0433\u043e \u043c\u0435\u0441\u0442\u0430",
)  # fmt: skip


def weigh(match: Match, log: Log) -> Strength | None:
    text = match.line.text
    if any(word in text for word in OTHERS):
        return None
    near = "\n".join(line.text for line in log.around(match.line, before=12, after=2))
    if any(word in near for word in ("torch.save", "save_checkpoint", "_save_checkpoint", "wandb")):
        return SIGN
    return match.strength


def place(match: Match) -> str | None:
    """The path that could not be written, where the line names one."""
    found = re.search(r"['\"\u2018`]((?:/|[A-Za-z]:\\)[^'\"\u2019`\n]{1,300})", match.line.text)
    if found:
        return found[1]
    found = re.search(r"(?:writing to|write|to create|open) (/[^\s:]{1,300})", match.line.text)
    return found[1] if found else None


def explain(match: Match, case: Case) -> str:
    where = place(match)
    named = f" The path that could not be written: {where}." if where else ""
    quota = "Your quota on this file system is used up" if "uota" in match.line.text else "A volume is full"
    need = f"{disk_use.cuda_torch().bytes / GIB:.1f} GiB"
    if case.log.has("docker", "buildkit", "overlay2"):
        return (
            f"{quota}, the one where docker keeps its layers.{named} torch with its CUDA libraries takes {need} there."
        )
    return (
        f"{quota}.{named} An install writes to three places: the temporary folder, the cache and the environment; "
        f"torch with its CUDA libraries takes {need} in the environment alone."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    where = place(match) or ""
    if case.windows:
        yield "Get-PSDrive -PSProvider FileSystem   (which drive is full)"
        yield "pip cache purge; then set TEMP and TMP to a folder on a drive with space, and run the command again"
        return
    if case.log.has("docker", "buildkit", "overlay2"):
        yield "docker system df; docker builder prune   (drops the build cache; images and volumes stay)"
        yield "pip install --no-cache-dir ... in the Dockerfile: the cache would become part of the layer"
        return
    yield 'df -h / /tmp ~/.cache "$VIRTUAL_ENV"; df -i /tmp   (which volume is full; the second: out of inodes)'
    if "/tmp" in where or not where:  # noqa: S108 - a word of the log
        yield "mkdir -p ~/tmp && TMPDIR=~/tmp pip install ...   (/tmp is small, or lies in memory)"
    yield "pip cache purge; uv cache prune; conda clean --all   (caches that can be fetched again)"
    yield "PIP_CACHE_DIR=/big/pip UV_CACHE_DIR=/big/uv   (a cache and an environment on a volume with space)"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="No space is left on a volume",
    signs=(
        Sign("No space left on device", by="strerror(ENOSPC): Python, Rust, gcc, ld, tar, curl"),
        Sign("no space left on device", by="Go: docker, containerd"),
        Sign("No space left on devices", by="conda/exceptions.py: NoSpaceLeftError"),
        Sign("NoSpaceLeftError", by="conda/exceptions.py"),
        Sign("[Errno 28]", by="Python OSError"),
        Sign("[Errno 122]", by="Python OSError: Disk quota exceeded"),
        Sign("isk quota exceeded", by="strerror(EDQUOT)"),
        Sign("[WinError 112]", by="Windows: there is not enough space on the disk"),
        Sign("not enough space on the disk", by="Windows error 112"),
        Sign("(os error 112)", by="Rust on Windows"),
        Sign("enough free space in /", by="apt: You don't have enough free space in /var/cache/apt/archives/"),
        Sign("Not enough disk space", by="conda, Docker Desktop, installers"),
        Sign("Insufficient disk space", by="NVIDIA runfile installers"),
        *(Sign(text, by="strerror(ENOSPC), translated") for text in TRANSLATED),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(
        *(
            "tmp-or-cache-filesystem",
            "hash-mismatch",
            "wheel-filename-invalid",
            "triton-compile-env",
            "cuda-libs-missing",
        ),
        *("build-deps-missing", "torch-swapped-by-dependency", "tls-proxy-download", "no-matching-distribution"),
    ),
)
