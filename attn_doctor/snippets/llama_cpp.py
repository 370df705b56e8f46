"""llama.cpp: --flash-attn; kernels of its own, whatever Python has installed."""

from __future__ import annotations

from attn_doctor.snippets import _server
from attn_doctor.snippets._snippet import Case, Draft, Maker


def make(case: Case) -> Draft:
    return _server.draft(case, 'llama-server --model "$MODEL" {setting}', "llama.log", case.word or "auto")


MAKER = Maker(framework="llama.cpp", make=make)
