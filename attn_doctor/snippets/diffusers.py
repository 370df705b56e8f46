"""diffusers: set_attention_backend on the transformer, before the pipeline is put together."""

from __future__ import annotations

from attn_doctor.snippets._python import literal
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = """
import torch
from diffusers import AutoModel

MODEL = "path/or/name"
BACKEND = {word}

transformer = AutoModel.from_pretrained(
    MODEL, subfolder="transformer", {dtype}
)
transformer.set_attention_backend(BACKEND)
"""
CHECK = """
# it took effect: what every attention processor says of itself
layers = [getattr(one, "processor", None) for one in transformer.modules()]
layers = [one for one in layers if hasattr(one, "_attention_backend")]
taken = {one._attention_backend for one in layers}
assert taken, f"{type(transformer).__name__} does not go by the dispatcher"
assert taken == {BACKEND}, f"asked for {BACKEND}, got {taken}"
print(f"attention: {BACKEND} in {len(layers)} layers")

# pipe = DiffusionPipeline.from_pretrained(MODEL, transformer=transformer)
"""


def make(case: Case) -> Draft:
    argument = case.details.dtype if case.details else "torch_dtype"
    dtype = f"{argument}={case.dtype or 'torch.float32'}"
    code = CODE.format(word=literal(case.word or "native"), dtype=dtype)
    return Draft(language="python", code=code, check=CHECK)


MAKER = Maker(framework="diffusers", make=make)
