"""What the tools answer that were asked whether something can be reached: where they asked, and why in vain."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

No = tuple[str, str]
# what curl ends with where there is no way to the server: names, connection, time, TLS, an answer cut off, certificates
CURL_SAYS_NO = frozenset({5, 6, 7, 28, 35, 52, 56, 60, 97})
TOLD = "no: "
# the heart of what urllib3 and others say in many layers
HEART = (
    r"\[Errno -?\d+\] ([^\"')]+)",
    r"(certificate verify failed: [^(\"']+)",
    r"(too many \d+ error responses)",
    r"(Tunnel connection failed: [^\"')]+)",
    r"([Rr]ead timed out|[Cc]onnect(?:ion)? (?:to \S+ )?timed out|operation timed out)",
    r"(\S+ didn't respond within [\d.]+ \w+)",
    r"(\d{3} (?:Client|Server) Error: [^:]*?) for url",
    r"(?:HTTP status \w+ error) \((.+?)\)",
)
LONGEST = 200


def of_pip_session(where: str, code: int, said: str) -> No | None:
    """Of the program that asks by pip's own session."""
    no = next((line for line in said.splitlines() if line.startswith(TOLD)), None)
    return (where, plain(no.removeprefix(TOLD))) if code and no else None


def of_pip_index(code: int, said: str) -> No | None:
    """Of `pip index versions -vv`: it finds nothing, and a page could not be had."""
    found = re.search(r"^Could not fetch URL (\S+): (.*?)(?: - skipping)?$", said, re.MULTILINE)
    if not code or found is None or "No matching distribution found" not in said:
        return None
    return shown(found[1]), plain(found[2].removeprefix("connection error: "))


def of_uv(code: int, said: str) -> No | None:
    """Of uv: the address, and the last of the causes."""
    if not code:
        return None
    if found := re.search(r"Failed to (?:fetch|download)(?:: |[^\n]*?)`?(https?://[^\s`]+)", said):
        causes = re.findall(r"^\s*(?:cause|Caused by): (.+)$", said[found.end() :], re.MULTILINE)
        return shown(found[1]), plain(causes[-1]) if causes else "no answer"
    lacks = re.search(r"index URL \((\S+?)\) could not be queried due to a lack of valid authentication", said)
    return (shown(lacks[1]), "it takes credentials (401 Unauthorized)") if lacks else None


def of_curl(where: str, code: int, said: str) -> No | None:
    """Of curl."""
    lines = said.strip().splitlines()
    return (where, plain(lines[-1] if lines else f"curl ends with {code}")) if code in CURL_SAYS_NO else None


def plain(reason: str) -> str:
    """'Connection refused'."""
    found = next((match for inner in HEART if (match := re.search(inner, reason))), None)
    return found[1].strip() if found else reason.strip().rstrip(".")[:LONGEST]


def shown(address: str) -> str:
    """Without credentials and query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
