"""An --attn-implementation flag: the words that the installed transformers takes, with the one that runs here."""

from __future__ import annotations

from attn_doctor.snippets._python import literal
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = """
import argparse

from transformers import AutoModel  # or the class that you use

parser = argparse.ArgumentParser()
parser.add_argument("model", help="a folder, or a name on the Hub")
parser.add_argument(
    "--attn-implementation",
    choices=[
        {choices},
    ],
    default={word},
    help="how attention is computed (default: %(default)s)",
)
args = parser.parse_args()

wanted = args.attn_implementation
model = AutoModel.from_pretrained(args.model, attn_implementation=wanted)
"""
CHECK = """
# it took effect: what the model says of itself
taken = model.config._attn_implementation
assert taken == wanted, f"asked for {wanted}, got {taken}"
print(f"attention: {taken}")
"""


def make(case: Case) -> Draft:
    choices = tuple(dict.fromkeys(case.row.words.values()))
    code = CODE.format(choices=",\n        ".join(map(literal, choices)), word=literal(case.chain[0]))
    return Draft(language="python", code=code, check=CHECK)


MAKER = Maker(framework="argparse", make=make, words="transformers", models=True)
