"""axolotl: attn_implementation of its configuration, and a plugin that looks at the model that was built."""

from __future__ import annotations

from attn_doctor.snippets._snippet import Case, Draft, Maker

# what of its words it loads the model with another one for
LOADED_AS = {"fp8": ("sdpa",), "flash_attention_2": ("flash_attention_2", "flash_attention_4")}
CODE = """
attn_implementation: {word}
plugins:
  - attn_check.AttnCheck  # the file below, beside this one
"""
CHECK = """
# it took effect: attn_check.py
#
# from axolotl.integrations.base import BasePlugin
#
#
# class AttnCheck(BasePlugin):
#     def post_model_build(self, cfg, model):
#         taken = model.config._attn_implementation
#         assert taken in {taken}, taken
#         print(f"attention: {{taken}}")
"""


def make(case: Case) -> Draft:
    word = case.word or "eager"
    taken = LOADED_AS.get(word, (word,))
    said = case.details.note.get(case.backend or "") if case.details else None
    return Draft(
        language="yaml",
        code=CODE.format(word=word),
        check=CHECK.format(taken=taken),
        notes=(f"axolotl: {said}.",) if said else (),
    )


MAKER = Maker(framework="axolotl", make=make)
