"""git refuses, is missing, or could not fetch what the installation comes from.

`fatal: not a git repository` alone is no fault: setup.py of a release archive asks and goes on. A certificate or a
proxy is tls-proxy-download; a path that is too long for Windows, windows-long-path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _builds
from attn_doctor.explain.log import Log

# what is tls-proxy-download's own: a connection that broke inside TLS ("GnuTLS recv error") is not
TLS = r"unable to access[^\n]{0,300}(?:certificate|gnutls_handshake|[Pp]roxy)"
RETRIED = r"Failed to clone '(?P<path>[^'\n]{1,300})'\. Retry scheduled"
DISK = ("No space left", "Disk quota exceeded", "Filename too long")


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign.by in ("network", "git") and log.matches(TLS):
        return None
    if log.has(*DISK) or (match.sign.by == "network" and _second_try_went_well(log)):
        return None
    if match.sign.literal == "Permission denied (":
        return PROOF if log.has("git@", "ssh://", "Could not read from remote") else None
    if match.strength == SIGN and "git" not in "".join(line.text for line in log.around(match.line, 8, 2)):
        return None
    return match.strength


def _second_try_went_well(log: Log) -> bool:
    """Git clones each submodule twice before it gives up; what it says of the first time stays in the log."""
    paths = {found["path"] for _, found in log.find("Retry scheduled", RETRIED) if found}
    return bool(paths) and all(log.has(f"Submodule path '{path}': checked out") for path in paths)


def _nothing_there_yet(match: Match, log: Log) -> bool:
    """Whether it is the clone itself that failed, by an installer: there is no checkout to go on with."""
    around = "".join(line.text for line in log.around(match.line, 3, 8))
    return re.search(r"git clone[^\n]{0,300} did not run successfully|failed to clone into", around) is not None


def explain(match: Match, _case: Case) -> str:
    return WHY.get(match.sign.by, WHY["git"])


WHY = {
    "owner": (
        "The folder belongs to another user than the one who runs git, and git does not trust it. That happens with "
        "mounted folders, in containers and under sudo."
    ),
    "missing": "The requirement is fetched from a git repository, and there is no git command here.",
    "network": "git started to fetch, and the connection broke or was refused before everything was there.",
    "rights": "The repository wants a login, or the key is not known to it: private, renamed, or addressed by SSH.",
    "reference": "The repository does not have the branch, tag or commit that is asked for.",
    "scm": (
        "The package takes its version from git, and the sources have no .git folder: a ZIP from GitHub, or a copy of "
        "the files alone."
    ),
    "exists": "The folder to clone into is there already and is not empty.",
    "git": "git could not bring what the installation is made from; nothing was compiled yet.",
}


def fix(match: Match, case: Case) -> Iterator[str]:
    by = match.sign.by
    if by == "owner":
        yield f"git config --global --add safe.directory {match['folder'] or '/path/of/the/checkout'}"
        yield 'better, where the folder is yours: sudo chown -R "$USER" on it'
    elif by == "missing":
        yield "sudo apt install git   (dnf install git; conda install git; winget install Git.Git)"
    elif by == "rights":
        yield "by HTTPS in place of git@: git config --global url.https://github.com/.insteadOf git@github.com:"
    elif by == "scm":
        yield "git clone --recursive URL in place of the ZIP; or export SETUPTOOLS_SCM_PRETEND_VERSION=X.Y.Z first"
    elif by == "exists":
        yield "git -C FOLDER pull --recurse-submodules   (or clone into another folder)"
    elif by == "reference":
        yield "git ls-remote --tags --heads URL   (what there is; then the name in the requirement)"
    elif _nothing_there_yet(match, case.log):
        yield "the same command again   (large repositories break off now and then)"
        yield "git -c http.version=HTTP/1.1 clone --depth 1 --recursive URL, then pip install ./FOLDER   (in two steps)"
    else:
        yield "git submodule sync --recursive && git submodule update --init --recursive --depth 1   (it goes on)"
        yield "git -c http.version=HTTP/1.1 clone --depth 1 --recursive URL   (where large transfers break)"
    yield from _builds.a_wheel(case)


def _sign(literal: str, pattern: str | None, by: str, strength: Strength = PROOF) -> Sign:
    return Sign(literal, pattern, strength, by)


CAUSE = Cause(
    category="git-source-problem",
    stage="build",
    title="git could not bring the sources",
    signs=(
        _sign("detected dubious ownership", r"repository at '?(?P<folder>[^'\n]+)'?", "owner"),
        _sign("unsafe repository", r"unsafe repository \('?(?P<folder>[^'\n]+?)'? is owned", "owner"),
        _sign("Cannot find command 'git'", None, "missing"),
        _sign("git: command not found", None, "missing"),
        _sign("git: not found", None, "missing"),
        _sign("not found: git", r"not found: git$", "missing"),
        _sign("'git' is not recognized", None, "missing"),
        _sign("The term 'git' is not recognized", None, "missing"),
        _sign("No such file or directory: 'git'", None, "missing"),
        _sign("Git executable not found", None, "missing"),
        _sign("Could not find a git executable", None, "missing"),
        _sign("into submodule path", r"fatal: clone of|Klonen von|le clonage de|无法克隆", "network"),
        _sign("Failed to clone '", r"Failed to clone '[^']+'", "network"),
        _sign(
            "in submodule path '",
            r"(?i)unable to (?:checkout|fetch|find (?:current )?(?:\S+ )?revision|merge|rebase)\b[^\n]{0,200}submodule",
            "network",
        ),
        _sign("RPC failed", r"RPC failed; (?:curl|HTTP|result)", "network"),
        _sign("early EOF", None, "network"),
        _sign("unexpected disconnect while reading sideband", None, "network"),
        _sign("the remote end hung up unexpectedly", None, "network"),
        _sign("invalid index-pack output", None, "network"),
        _sign("fatal: unable to access '", None, "network"),
        _sign("Failed to connect to github.com", None, "network", SIGN),
        _sign("unable to connect to github.com", None, "network", SIGN),
        _sign("could not read Username for", None, "rights"),
        _sign("Authentication failed for 'http", None, "rights"),
        _sign("Permission denied (", r"Permission denied \(publickey", "rights"),
        _sign("Could not read from remote repository", None, "rights"),
        _sign("Host key verification failed", None, "rights", SIGN),
        _sign("remote: Repository not found", None, "rights"),
        _sign("fatal: repository '", r"not found", "rights"),
        _sign("reference is not a tree", None, "reference"),
        _sign("not our ref", None, "reference"),
        _sign("does not allow request for unadvertised object", None, "reference"),
        _sign("Needed a single revision", None, "reference"),
        _sign("couldn't find remote ref", None, "reference"),
        _sign("Remote branch", r"Remote branch \S+ not found", "reference"),
        _sign("did not contain it", r"(?i)did not contain", "reference", SIGN),
        _sign("did not match any file(s) known to git", r"pathspec '(?!csrc/)[^']+'", "reference"),
        _sign("already exists and is not an empty directory", r"destination path", "exists"),
        _sign("setuptools-scm was unable to detect version", None, "scm"),
        _sign("setuptools_scm was unable to detect version", None, "scm"),
        _sign("git clone", r"(?:git clone|git fetch|git submodule)[^\n]{0,300} did not run successfully", "git", SIGN),
        _sign("git submodule", r"git submodule[^\n]{0,200}did not run successfully", "git", SIGN),
        _sign("'git', ", r"\['git', '(?:clone|fetch|submodule|checkout)'[^\n]{0,300}returned non-zero", "git", SIGN),
        _sign("'git', 'rev-parse'", r"returned non-zero", "scm", SIGN),
        _sign("Git operation failed", None, "git", SIGN),
        _sign("failed to fetch branch, tag, or", None, "git", SIGN),
        _sign("failed to clone into", None, "git", SIGN),
        _sign("smudge filter lfs failed", None, "git"),
        _sign("git-lfs", r"git-lfs(?:'|:)? (?:command )?not found|'lfs' is not a git command", "git"),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
    leads_to=(*_builds.AFTERMATH, "cutlass-submodule-missing", "tls-proxy-download"),
)
