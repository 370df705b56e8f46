"""transformers: attn_implementation of from_pretrained, down a chain that the model may not have."""

from __future__ import annotations

from attn_doctor.snippets._python import literal
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = '''
import sys

import torch
from transformers import AutoModel  # or the class that you use

MODEL = "path/or/name"


def load(name, chain={chain}):
    """The model with the first of these that its class has, and which it is."""
    for wanted in chain:
        try:
            model = AutoModel.from_pretrained(
                name, attn_implementation=wanted, {dtype}
            )
        except (ImportError, ValueError) as error:
            if wanted == chain[-1]:
                raise
            why = str(error).partition(". ")[0]
            print(f"{{name}}: no {{wanted}}: {{why}}", file=sys.stderr)
        else:
            return model{to}, wanted


model, wanted = load(MODEL)
'''
CHECK = """
# it took effect: what the model says of itself
taken = model.config._attn_implementation
assert taken == wanted, f"asked for {wanted}, got {taken}"
print(f"attention: {taken}, torch {torch.__version__}")
"""


def make(case: Case) -> Draft:
    argument = case.details.dtype if case.details else "torch_dtype"
    code = CODE.format(
        chain=literal(case.chain),
        dtype=f"{argument}={case.dtype or literal('auto')}",
        to="" if case.device == "cpu" else f".to({literal(case.device)})",
    )
    return Draft(language="python", code=code, check=CHECK)


MAKER = Maker(framework="transformers", make=make, models=True)
