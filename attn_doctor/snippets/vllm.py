"""vLLM: --attention-backend of `vllm serve`, or the variable that older releases take."""

from __future__ import annotations

from attn_doctor.snippets import _server
from attn_doctor.snippets._snippet import Case, Draft, Maker


def make(case: Case) -> Draft:
    return _server.draft(case, 'vllm serve "$MODEL" {setting}', "vllm.log", case.word)


MAKER = Maker(framework="vllm", make=make)
