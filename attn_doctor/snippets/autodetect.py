"""Detection at run time, on CUDA, ROCm, MPS and the CPU: for code that runs on more than one machine."""

from __future__ import annotations

from attn_doctor.snippets._python import of_table
from attn_doctor.snippets._snippet import Case, Draft, Maker

CODE = '''
import sys

import torch
import torch.nn.functional as F


def attn_implementation():
    """The best that runs here, in transformers' words, and the device."""
    if torch.cuda.is_available():
        capability = torch.cuda.get_device_capability()
        if torch.version.hip is None and capability < {floor}:
            why = f"compute capability {capability} is below {floor}"
        else:
            try:  # found is not enough: it has to load
                import flash_attn  # noqa: F401
            except ImportError as error:
                why = f"flash_attn: {error}"
            else:
                return "flash_attention_2", "cuda"
        device = "cuda"
    else:
        device = "mps" if torch.backends.mps.is_available() else "cpu"
        why = "it needs a GPU that torch's CUDA or ROCm can use"
    print(f"no flash_attention_2: {why}", file=sys.stderr)
    # sdpa runs on CUDA, ROCm, MPS and the CPU alike
    sdpa = hasattr(F, "scaled_dot_product_attention")  # torch {first_torch} and later
    return ("sdpa" if sdpa else "eager"), device


implementation, device = attn_implementation()
'''
CHECK = """
# it runs: one small call, on the device and in a dtype that it takes
dtype = torch.float16 if device != "cpu" else torch.float32
shape = {"size": (1, 4, 64, 64), "device": device, "dtype": dtype}
q, k, v = (torch.randn(**shape) for _ in range(3))
if implementation == "flash_attention_2":
    from flash_attn import flash_attn_func

    q, k, v = (one.transpose(1, 2) for one in (q, k, v))
    out = flash_attn_func(q, k, v, causal=True)
elif implementation == "sdpa":
    out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
else:
    out = torch.softmax(q @ k.transpose(-2, -1) / 8.0, -1) @ v
assert torch.isfinite(out).all()
print(f"attention: {implementation} on {device}")

# model = AutoModel.from_pretrained(..., attn_implementation=implementation)
# assert model.config._attn_implementation == implementation
"""


def make(_case: Case) -> Draft:
    code = CODE
    for name, known in of_table().items():
        code = code.replace(f"{{{name}}}", known)
    return Draft(language="python", code=code, check=CHECK)


MAKER = Maker(framework="autodetect", make=make, words="transformers")
