"""Hold the words of `knowledge/frameworks.json` against the packages themselves, which are read and never run.

python scripts/check_words.py FILE ...    wheels or source archives of vllm, sglang, axolotl, llama-cpp-python,
                                          as `pip download --no-deps NAME` brings them

Exit 1 where a word of the newest row is not accepted by the package.
"""

from __future__ import annotations

import ast
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from attn_doctor.knowledge import frameworks


def main(files: Iterable[str]) -> int:
    """One line a package; 1 where a word is not accepted."""
    wrong = 0
    for file in files:
        framework, accepted = accepted_by(Path(file))
        row = frameworks.releases(framework)[0]
        words = set(row.words.values())
        unknown = words - accepted
        wrong |= bool(unknown)
        verdict = f"does not accept {', '.join(sorted(unknown))}" if unknown else f"accepts all {len(words)} words"
        print(f"{framework} ({Path(file).name}): {verdict}")
    return wrong


def accepted_by(file: Path) -> tuple[str, set[str]]:
    """The framework that the file is of, and the words that its own code accepts."""
    found = next((one for prefix, one in PACKAGES.items() if file.name.lower().startswith(prefix)), None)
    if found is None:
        raise SystemExit(f"{file.name}: expected a package of {', '.join(PACKAGES)}")
    framework, member, read = found
    return framework, read(content(file, member))


def content(file: Path, member: str) -> str:
    """The file of that ending inside a wheel or a source archive."""
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            name = next(name for name in wheel.namelist() if name.endswith(member))
            return wheel.read(name).decode()
    with tarfile.open(file) as archive:
        inside = next(one for one in archive if one.name.endswith(member))
        opened = archive.extractfile(inside)
        return opened.read().decode() if opened else ""


def members_of_an_enum(text: str) -> set[str]:
    """vLLM: the names of AttentionBackendEnum."""
    whole = next(
        node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "AttentionBackendEnum"
    )
    targets = [target for node in whole.body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def strings_of(name: str) -> Callable[[str], set[str]]:
    """A list or a set of strings that is assigned to that name."""

    def read(text: str) -> set[str]:
        for node in ast.parse(text).body:
            if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
                return {
                    one.value
                    for one in ast.walk(node.value)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
        raise SystemExit(f"{name} is not there any more")

    return read


def values_of_flash_attn(text: str) -> set[str]:
    """llama.cpp: what stands in brackets behind -fa, --flash-attn."""
    found = re.search(r'"--flash-attn"\s*\}\s*,\s*"\[([a-z|]+)\]"', text)
    if found is None:
        raise SystemExit("--flash-attn is not there any more")
    return set(found[1].split("|"))


PACKAGES: dict[str, tuple[str, str, Callable[[str], set[str]]]] = {
    "vllm": ("vllm", "vllm/v1/attention/backends/registry.py", members_of_an_enum),
    "sglang": ("sglang", "sglang/srt/arg_groups/choices.py", strings_of("ATTENTION_BACKEND_CHOICES")),
    "axolotl": ("axolotl", "axolotl/utils/schemas/enums.py", strings_of("CANONICAL_ATTN_IMPLS")),
    "llama_cpp_python": ("llama.cpp", "llama.cpp/common/arg.cpp", values_of_flash_attn),
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
