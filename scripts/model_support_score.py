"""How often the static reading of model support agrees with the classes themselves.

python scripts/model_support_score.py PYTHON [PYTHON ...] [--write]

Each PYTHON is an interpreter with a transformers and its torch (or PYTHON=FOLDER, for a transformers that lies in a
folder of its own). Every modeling module is imported there, in a child, and every model class is asked for its flags;
here the same flags are read from the sources. `--write` puts the table into docs/model-support.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.modeling.transformers import FLAGS, Sources

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/model-support.md"
BLOCK = re.compile(r"<!-- score:begin -->\n.*?<!-- score:end -->", re.DOTALL)
TIMEOUT_S = 3600
CHILD = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
import transformers
from transformers.modeling_utils import PreTrainedModel
flags = json.loads(sys.argv[1])
print(json.dumps({"transformers": transformers.__version__, "folder": transformers.__path__[0]}))
for module in json.loads(sys.argv[2]):
    try:
        found = importlib.import_module(module)
    except BaseException as error:
        print(json.dumps({"module": module, "error": f"{type(error).__name__}: {error}"[:300]}))
        continue
    for name, cls in vars(found).items():
        if isinstance(cls, type) and issubclass(cls, PreTrainedModel) and cls.__module__ == module:
            said = {flag: bool(getattr(cls, flag)) for flag in flags if hasattr(cls, flag)}
            print(json.dumps({"module": module, "name": cls.__name__, "flags": said}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare what is read with what the classes say.")
    parser.add_argument("pythons", nargs="+")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    gc.disable()  # tens of thousands of syntax nodes, and no circles among them
    scores = [score(*one.partition("=")[::2]) for one in options.pythons]
    text = page(scores)
    print(text)
    if options.write:
        whole = PAGE.read_text(encoding="utf-8")
        block = f"<!-- score:begin -->\n{text}\n<!-- score:end -->"
        PAGE.write_text(BLOCK.sub(lambda _: block, whole), encoding="utf-8")
    return 0 if all(not one["other"] for one in scores) else 1


def score(python: str, folder: str) -> dict[str, Any]:
    """Both readings of one transformers, laid side by side."""
    environment = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    if folder:
        environment["PYTHONPATH"] = folder
    where = lines(python, environment, [])[0]
    sources = Sources(LiveHost(), where["folder"])
    started = time.perf_counter()
    modules = list(sources.modeling.values())
    read = {(one.module, one.name): one for module in modules for one in sources.models(module)}
    took = time.perf_counter() - started
    said = lines(python, environment, modules)[1:]
    asked = {(one["module"], one["name"]): one["flags"] for one in said if "name" in one}
    closed = {one["module"]: one["error"] for one in said if "error" in one}
    known = {key: one.flags for key, one in read.items()}
    other = [
        f"{'.'.join(key)}: it says {flags}, read was {known.get(key, 'nothing')}"
        for key, flags in asked.items()
        if known.get(key) != flags
    ]
    only = [f"{module}.{name}" for module, name in read if (module, name) not in asked and module not in closed]
    return {
        "version": where["transformers"],
        "modules": len(modules),
        "classes": len(asked),
        "agreed": len(asked) - len(other),
        "flags": sum(len(flags) for flags in asked.values()),
        "other": other + [f"{name}: read, and not there" for name in only],
        "closed": closed,
        "seconds": took,
    }


def lines(python: str, environment: dict[str, str], modules: Sequence[str]) -> list[dict[str, Any]]:
    command = [python, "-c", CHILD, json.dumps(FLAGS), json.dumps(modules)]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=TIMEOUT_S, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def page(scores: Sequence[dict[str, Any]]) -> str:
    head = "| transformers | modeling files | model classes | flags | agreed | read in |\n" + "| --- " * 6 + "|"
    rows = [
        f"| {one['version']} | {one['modules']} | {one['classes']} | {one['flags']} | "
        f"{one['agreed']} ({100 * one['agreed'] / one['classes']:.2f} %) | {one['seconds']:.0f} s |"
        for one in scores
    ]
    notes = []
    for one in scores:
        notes += [f"- {one['version']}: {text}" for text in one["other"]]
        notes += [f"- {one['version']}: {module} cannot be imported ({why})" for module, why in one["closed"].items()]
    exceptions = "\n".join(notes) or "None."
    return f"{head}\n" + "\n".join(rows) + f"\n\nExceptions:\n\n{exceptions}"


if __name__ == "__main__":
    sys.exit(main())
