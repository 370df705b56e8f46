"""A server that is started by a command: the flag, a log beside it, and the line of the log that answers."""

from __future__ import annotations

from attn_doctor.snippets._snippet import Case, Draft

NOTHING = "Nothing that can be named runs here: the choice is left to it."


def draft(case: Case, start: str, log: str, word: str | None) -> Draft:
    """`start`: the command, with {setting} where the flag goes, or in front where the release takes a variable."""
    setting = case.row.setting.replace("{word}", word) if case.row.setting and word else ""
    flag, variable = (setting, "") if setting.startswith("-") else ("", setting)
    line = start.replace("{setting}", flag).rstrip()
    command = f"{variable} {line}".strip().replace('"$MODEL" ', '"$MODEL" \\\n    ')
    pattern = case.details.pattern(word) if case.details and word else "attention|attn"
    return Draft(
        language="sh",
        code=f"MODEL=path/or/name\n{command} 2>&1 | tee {log}",
        check=(
            f'# it took effect: once it is up, in another terminal (no line: it did not)\n# grep -E "{pattern}" {log}'
        ),
        notes=() if word else (NOTHING,),
    )
