"""SGLang: --attention-backend of its server."""

from __future__ import annotations

from attn_doctor.snippets import _server
from attn_doctor.snippets._snippet import Case, Draft, Maker


def make(case: Case) -> Draft:
    start = 'python -m sglang.launch_server --model-path "$MODEL" {setting}'
    return _server.draft(case, start, "sglang.log", case.word)


MAKER = Maker(framework="sglang", make=make)
