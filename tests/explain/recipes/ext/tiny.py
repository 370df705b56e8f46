"""A Llama of one layer: `tiny.py IMPLEMENTATION`."""

import sys

from transformers import AutoModelForCausalLM, LlamaConfig

sizes = {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 100}
config = LlamaConfig(num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=4, **sizes)
model = AutoModelForCausalLM.from_config(config, attn_implementation=sys.argv[1])
print(type(model).__name__)
