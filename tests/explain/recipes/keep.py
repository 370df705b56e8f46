"""Sanitise a fresh log and add its row to logs.json: `keep.py LOGS CATEGORY NAME TOOLS PROOF COMMAND`."""

from __future__ import annotations

import json
import os
import pwd
import re
import socket
import sys
from pathlib import Path

LIMIT = 60_000


def sanitise(text: str, work: str) -> str:
    """Take this machine's folders, host name and package indexes out of a log."""
    for pair in os.environ.get("INDEX_HOSTS", "").split():
        host, name = pair.split("=")
        text = text.replace(host, name)
    home = pwd.getpwuid(os.getuid()).pw_dir
    text = re.sub(rf"{re.escape(work)}(?![\w-])|(?<![\w.-]){re.escape(home)}(?![\w-])", "/home/user", text)
    return re.sub(rf"\b(root|user)@{re.escape(socket.gethostname())}\b", "user@host", text)


def cut(text: str) -> str:
    """Keep both ends of a large log."""
    if len(text) <= LIMIT or os.environ.get("WHOLE"):
        return text
    head = text[: LIMIT // 2].rsplit("\n", 1)[0]
    return f"{head}\n[...]\n{text[-LIMIT // 2 :].split(chr(10), 1)[1]}"


def main() -> None:
    """Rewrite the log in place and put its row in logs.json; say so if the proof is not there."""
    logs, category, name, tools, proof, command = sys.argv[1:7]
    file = f"{category}/{name}.log"
    raw = (Path(logs) / file).read_bytes()
    encoding = "utf-16" if raw[:2] == b"\xff\xfe" else "utf-8"
    text = cut(sanitise(raw.decode(encoding, "surrogateescape"), os.environ["WORK"]))
    (Path(logs) / file).write_bytes(text.encode(encoding, "surrogateescape"))
    if proof not in text:
        print(f"MISSING {file}: {proof!r}\n{text[-1500:]}")
        return
    table = Path(logs) / "logs.json"
    rows = [row for row in (json.loads(table.read_text()) if table.exists() else []) if row["file"] != file]
    made_by = sanitise(" ".join(command.split()), os.environ["WORK"]).replace("$WORK", "/home/user")
    rows.append({"file": file, "category": category, "made_by": made_by, "tools": tools, "line": proof})
    if also := os.environ.get("ALSO", "").split():
        rows[-1]["also"] = also
    rows.sort(key=lambda row: row["file"])
    table.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    line = next(line for line in text.splitlines() if proof in line) if "\n" not in proof else proof
    print(f"ok {file} ({len(text)}): {line.strip()[:150]}")


if __name__ == "__main__":
    main()
