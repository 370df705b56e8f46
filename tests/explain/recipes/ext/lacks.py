"""A model of a named class: `lacks.py NAME IMPLEMENTATION`."""

import sys

import transformers

name, implementation = sys.argv[1:]
config = getattr(transformers, name + "Config")()
model = transformers.AutoModel.from_config(config, attn_implementation=implementation)
print(type(model).__name__)
