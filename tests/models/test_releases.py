"""Releases of transformers in miniature: what each had for flags, and where its auto classes stood."""

from __future__ import annotations

import pytest

from attn_doctor.judgement import model as judgement
from attn_doctor.judgement.backend import backends
from attn_doctor.knowledge import frameworks
from attn_doctor.machine.modeling.lookup import Found, NotKnown, find
from attn_doctor.machine.modeling.transformers import FLAGS, Flags
from support import SITE, VENV, Described

BASE = """
class ModuleUtilsMixin: ...
class PreTrainedModel(nn.Module, ModuleUtilsMixin):
    config_class = None
{flags}
    @property
    def dummy(self):
        _supports_sdpa = True
def later(): ...
class Tokenizer(PreTrainedModel):
    _supports_sdpa = True
    def encode(self): ...
"""
CONFIGURATION = 'CONFIG_MAPPING_NAMES = OrderedDict([("llama", "LlamaConfig"), ("my-llama", "MyConfig")])\n'
MAPPING = """
MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("llama", "LlamaForCausalLM"), ("my-llama", ("MyLM", "Other"))])
"""
LLAMA = """
from ...modeling_utils import PreTrainedModel
class LlamaPreTrainedModel(PreTrainedModel):
{flags}
class LlamaForCausalLM(LlamaPreTrainedModel): ...
"""
MINE = """
from ..llama import LlamaForCausalLM
class MyLM(LlamaForCausalLM):
    _supports_sdpa = False
"""


def machine(version: str, *flags: str, auto: dict[str, str] | None = None) -> Described:
    root = f"{SITE}/transformers"
    none = "\n".join(f"    {flag} = False" for flag in flags)
    own = "\n".join(f"    {flag} = True" for flag in flags)
    files = {
        f"{SITE}/transformers-{version}.dist-info/METADATA": "",
        f"{root}/modeling_utils.py": BASE.format(flags=none),
        f"{root}/models/auto/configuration_auto.py": CONFIGURATION,
        f"{root}/models/auto/modeling_auto.py": MAPPING,
        f"{root}/models/llama/__init__.py": "from .modeling_llama import *\n",
        f"{root}/models/llama/modeling_llama.py": LLAMA.format(flags=own),
        f"{root}/models/my_llama/modeling_my_llama.py": MINE,
        f"{root}/models/my_llama/modeling_tf_my_llama.py": "class TFMyLM(LlamaForCausalLM): ...\n",
    }
    return Described(files | {f"{root}/{name}": text for name, text in (auto or {}).items()})


def test_code_beside_a_configuration_on_windows() -> None:
    """Both slashes lead to the folder in which its code lies."""
    here = machine("5.24.0", "_supports_sdpa")
    here.said["system"] = ("windows", "x86_64", "10")
    here.files |= {
        "C:/m/config.json": '{"architectures": ["Mine"], "auto_map": {"AutoModel": "modeling_mine.Mine"}}',
        "C:/m/modeling_mine.py": "from transformers import PreTrainedModel\nclass Mine(PreTrainedModel): ...\n",
    }
    for asked in ("C:\\m\\config.json", "C:/m/config.json", "C:\\m"):
        found = find(here, VENV, asked)
        assert found.beside, asked
        assert found.parts[0].flags.name == "Mine"


def takes(found: Found, backend: str) -> bool | None:
    return judgement.supports(found.parts[0].flags, backend, found.transformers)


FA2, FA3, FA4 = "flash_attention_2", "flash_attention_3", "flash_attention_4"


@pytest.mark.parametrize(
    ("version", "flags", "expected"),
    [
        ("4.36.2", ("_supports_flash_attn_2", "_supports_sdpa"), {FA2: True, "sdpa": True, FA3: False}),
        ("4.48.3", ("_supports_sdpa", "_supports_flex_attn"), {FA2: False, "sdpa": True, "flex_attention": True}),
        ("4.53.3", ("_supports_flash_attn_2", "_supports_flash_attn_3"), {FA2: True, FA3: True, "sdpa": False}),
        ("4.57.6", ("_supports_flash_attn",), {FA2: True, FA3: True, "eager": True}),
        ("5.0.0", ("_supports_flash_attn_2",), {FA2: True, FA3: False}),
        ("5.24.0", ("_supports_flash_attn",), {FA2: True, FA3: True, FA4: True, "flex_attention": False}),
    ],
)
def test_the_flags_of_a_release(version: str, flags: tuple[str, ...], expected: dict[str, bool]) -> None:
    found = find(machine(version, *flags), VENV, "llama")
    assert {backend: takes(found, backend) for backend in expected} == expected


def test_every_claim_is_one_that_is_read() -> None:
    claims = {name: claim for name in backends() if (claim := frameworks.claim(name))}
    assert set(claims) == {"sdpa", "flex_attention", FA2, FA3, FA4}
    assert all(set(claim.flags) <= set(FLAGS) and claim.source for claim in claims.values())
    since = frameworks.releases("transformers")[-1].since
    assert isinstance(find(machine(since, "_supports_sdpa"), VENV, "llama"), Found)
    before = find(machine("4.35.2", "_supports_sdpa"), VENV, "llama")
    why = "transformers 4.35.2 takes no attn_implementation, 4.36 is the first that does"
    assert before == NotKnown("4.35.2", why, "upgrade")


def test_a_model_that_takes_another_as_its_base() -> None:
    found = find(machine("4.57.6", "_supports_sdpa", "_supports_flash_attn"), VENV, "my_llama")
    assert (found.model_type, found.parts[0].flags.name) == ("my-llama", "MyLM")
    assert (takes(found, "sdpa"), takes(found, FA2)) == (False, True)


def test_the_tables_of_version_5() -> None:
    auto = {
        "models/auto/auto_mappings.py": 'CONFIG_MAPPING_NAMES = OrderedDict([("llama", "LlamaConfig")])\n',
        "models/auto/configuration_auto.py": "from .auto_mappings import CONFIG_MAPPING_NAMES\n"
        'CONFIG_MAPPING_NAMES = OrderedDict(**{"llama-sw": "LlamaConfig"}, **CONFIG_MAPPING_NAMES)\n'
        'SPECIAL_MODEL_TYPE_TO_MODULE_NAME = OrderedDict([("llama-sw", "llama")])\n',
    }
    found = find(machine("5.24.0", "_supports_sdpa", auto=auto), VENV, "llama-sw")
    assert found.parts[0].flags.module == "transformers.models.llama.modeling_llama"


def test_a_model_that_takes_one_flash_attention_only() -> None:
    own = LLAMA.format(flags='    _supports_flash_attn = True\n    _compatible_flash_implementations = ["org/kernel"]')
    auto = {"models/llama/modeling_llama.py": own}
    found = find(machine("5.24.0", "_supports_flash_attn", auto=auto), VENV, "LlamaForCausalLM")
    assert found.parts[0].flags.compatible == ("org/kernel",)


def test_a_flag_that_is_worked_out_is_not_known() -> None:
    flags = Flags("Model", "transformers.models.x", {}, {"_supports_sdpa": "worked out"})
    assert judgement.supports(flags, "sdpa", "5.24.0") is None


TABLE = """
from ...modeling_utils import PreTrainedModel
class LlamaPreTrainedModel(PreTrainedModel):
    _supports_sdpa = _supports_flex_attn = True
class LlamaForCausalLM(LlamaPreTrainedModel): ...
LLAMA_ATTENTION_CLASSES = {"eager": LlamaAttention, "sdpa": LlamaSdpaAttention}
class LlamaLayer(nn.Module):
    def __init__(self, config):
        self.attention = LLAMA_ATTENTION_CLASSES[config._attn_implementation](config)
"""


def test_a_claim_that_the_table_of_classes_does_not_keep() -> None:
    """As of OLMoE, DiffLlama and Phi-MoE in 4.48.3 with flex_attention, of GPT-Neo in 4.57.6 with flash_attention_3."""
    machine_ = machine(
        "4.48.3", "_supports_sdpa", "_supports_flex_attn", auto={"models/llama/modeling_llama.py": TABLE}
    )
    flags = find(machine_, VENV, "llama").parts[0].flags
    assert flags.absent == {"flex_attention": "LLAMA_ATTENTION_CLASSES"}
    other = TABLE + "class LlamaVision(PreTrainedModel):\n    _supports_flex_attn = False\n"
    machine_ = machine(
        "4.48.3", "_supports_sdpa", "_supports_flex_attn", auto={"models/llama/modeling_llama.py": other}
    )
    assert find(machine_, VENV, "llama").parts[0].flags.absent == {}, "the table may be for the other one"
    other = TABLE.replace("[config._attn_implementation]", "[chosen(config)]")
    machine_ = machine(
        "4.48.3", "_supports_sdpa", "_supports_flex_attn", auto={"models/llama/modeling_llama.py": other}
    )
    assert find(machine_, VENV, "llama").parts[0].flags.absent == {}, "what is looked up may be another name"
