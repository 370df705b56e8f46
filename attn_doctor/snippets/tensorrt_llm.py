"""TensorRT-LLM: attn_backend of LLM; kernels of its own, none of them one of our backends."""

from __future__ import annotations

from attn_doctor.snippets._python import literal
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = """
from tensorrt_llm import LLM

MODEL = "path/or/name"
BACKEND = {word}  # of {accepted}

llm = LLM(model=MODEL, attn_backend=BACKEND)
"""
CHECK = """
# it took effect: what the engine was started with
assert llm.args.attn_backend == BACKEND, llm.args.attn_backend
print(f"attention: {llm.args.attn_backend}")
"""


def make(case: Case) -> Draft:
    accepted = case.row.accepted
    code = CODE.format(word=literal(case.row.default or accepted[0]), accepted=", ".join(accepted))
    return Draft(language="python", code=code, check=CHECK)


MAKER = Maker(framework="tensorrt-llm", make=make, chain=())
