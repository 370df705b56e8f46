"""The wheel, or the compiled file, is for another operating system or processor.

Shows as pip's and uv's refusals, where the platform tag differs; as "invalid ELF header", "wrong ELF class",
"incompatible architecture", "[WinError 193]", and as musl's own words. Not for it: another Python
(wheel-python-tag-mismatch), an index without files for ARM (aarch64-no-wheel).
"""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.explain.case import Case
from attn_doctor.explain.cause import HINT, PROOF, SIGN, Cause, Match, Sign, Strength
from attn_doctor.explain.causes import _mending, _wheels
from attn_doctor.explain.log import Log

CATEGORY = "wheel-platform-mismatch"
REFUSED = tuple(Sign(text, None, PROOF, "pip, uv, poetry") for text in _wheels.REFUSALS)


def weigh(match: Match, log: Log) -> Strength | None:
    if match.sign not in REFUSED:
        return match.strength
    if _wheels.never_fits(match.line.text):
        return None
    said = _wheels.verdict(match.line.text, log)
    if said is None:
        named = _wheels.tags(match.line.text)
        return SIGN if named is not None and named.arch == "aarch64" else None
    return PROOF if said == "platform" else None


def explain(match: Match, case: Case) -> str:
    named = _wheels.tags(match.line.text)
    if named is None:
        return "The file holds machine code for another operating system or processor than this one."
    os, arch = _wheels.system_of(case.log)
    if told := case.log.matches(r"[Yy]ou're on (?P<os>\w{3,10}) \("):
        os, arch = told["os"], None
    have = " ".join(part for part in (os, arch) if part)
    here = f"this is {have}" if have else "this machine is another"
    fits = named.version is not None and named.version == _wheels.python_of(case.log)
    same = " The Python tag fits; the platform does not." if fits else ""
    return (
        f"The wheel is for {named.platform}, and {here}: it holds machine code.{same} Renaming the file does not help."
    )


def fix(match: Match, case: Case) -> Iterator[str]:
    yield from _mending.anew(case, there=False)
    named = _wheels.tags(match.line.text)
    if named is not None and match.strength == HINT:
        yield (
            "put a marker behind the URL, so that other systems pass it over: ; sys_platform == 'linux' and "
            "platform_machine == 'x86_64'"
        )
    if named is not None and named.os == "linux" and case.windows:
        yield "or use WSL 2 on Windows: the Linux files fit there"


CAUSE = Cause(
    category=CATEGORY,
    stage="install",
    title="The file is for another operating system or processor",
    signs=(
        *REFUSED,
        Sign("invalid ELF header", None, PROOF, "glibc elf/dl-load.c"),
        Sign("wrong ELF class: ", None, PROOF, "glibc elf/dl-load.c"),
        Sign("ELF file OS ABI invalid", None, PROOF, "glibc elf/dl-load.c"),
        Sign("incompatible architecture (have", None, PROOF, "macOS dyld"),
        Sign("is not a valid Win32 application", None, PROOF, "Windows error 193"),
        Sign("[WinError 193]", None, PROOF, "Windows error 193"),
        Sign("WinError 216]", None, PROOF, "Windows error 216"),
        Sign("Error loading shared library ld-linux", None, PROOF, "musl ldso: a glibc file on Alpine"),
        Sign("Error relocating /", r"symbol not found", SIGN, "musl ldso: a glibc file on Alpine"),
        Sign("does not match the detected host platform", None, SIGN, "docker: an image for another processor"),
        Sign("The wheel is compatible with ", r"but you're on ", PROOF, "uv"),
        Sign("support the identified platform tags", None, SIGN, "poetry: chooser"),
        Sign(
            "flash-attn @ http", r"[\"']flash-attn @ http[^\n]{1,400}\.whl", HINT, "a requirement with one file for all"
        ),
        Sign(
            "flash_attn @ http", r"[\"']flash_attn @ http[^\n]{1,400}\.whl", HINT, "a requirement with one file for all"
        ),
    ),
    explain=explain,
    fix=fix,
    weigh=weigh,
)
