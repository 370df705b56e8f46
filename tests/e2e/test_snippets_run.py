"""Snippets are run: with real torch, transformers and diffusers on the CPU, on small models made from nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import imagined
from support import clean_environment

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="environments are copied by hard links"),
    pytest.mark.xdist_group("torch"),
]
# a model of each family, and what its class takes of the chain sdpa, eager
FAMILIES = {
    "bert": "sdpa",
    "gpt2": "sdpa",
    "gpt_neo": "eager",
    "llama": "sdpa",
    "mistral": "sdpa",
    "falcon": "sdpa",
    "mpt": "eager",
    "vit": "sdpa",
    "phi4_multimodal": "sdpa",
}
# random weights, a few ten thousand of them; nothing is downloaded
MODELS = """
import sys
from transformers import AutoModel, logging
from transformers import BertConfig, FalconConfig, GPT2Config, GPTNeoConfig, LlamaConfig
from transformers import MistralConfig, MptConfig, Phi4MultimodalConfig, ViTConfig
logging.set_verbosity_error()
size = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=99)
ends = dict(bos_token_id=1, eos_token_id=2)
seen = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=32)
heard = dict(hidden_size=32, intermediate_size=64, num_blocks=2, num_attention_heads=4, nemo_conv_channels=8)
configs = {
    "bert": BertConfig(**size),
    "gpt2": GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=99, n_positions=64, **ends),
    "gpt_neo": GPTNeoConfig(hidden_size=32, num_layers=2, num_heads=4, intermediate_size=64, vocab_size=99,
                            attention_types=[[["global", "local"], 1]], **ends),
    "llama": LlamaConfig(**size, num_key_value_heads=2),
    "mistral": MistralConfig(**size, num_key_value_heads=2),
    "falcon": FalconConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=99, **ends),
    "mpt": MptConfig(d_model=32, n_heads=4, n_layers=2, vocab_size=99),
    "vit": ViTConfig(**seen, patch_size=8),
    "phi4_multimodal": Phi4MultimodalConfig(
        **size, num_key_value_heads=2, pad_token_id=0, **ends, vision_config=seen | {"crop_size": 32},
        audio_config=heard | {"ext_pw_out_channel": 32, "bias_max_distance": 10},
    ),
}
for name, config in configs.items():
    AutoModel.from_config(config).save_pretrained(f"{sys.argv[1]}/{name}")
from diffusers import FluxTransformer2DModel
FluxTransformer2DModel(
    patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
    joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
).save_pretrained(f"{sys.argv[1]}/flux/transformer")
"""
# each snippet as it stands, in a namespace of its own; one process, since importing costs more than all else
RUN = """
import contextlib, io, json, sys
answers = {}
for name, code, argv in json.load(sys.stdin):
    said, sys.argv = io.StringIO(), argv
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            exec(compile(code, name, "exec"), {"__name__": "__main__"})
        except BaseException as error:
            print(f"{type(error).__name__}: {error}")
    answers[name] = said.getvalue()
print(json.dumps(answers))
"""


def run(venv: Path, runs: list[tuple[str, str, list[str]]]) -> dict[str, str]:
    """What each piece of code prints, by its name."""
    done = subprocess.run(
        [venv / "bin/python", "-W", "ignore", "-c", RUN],
        input=json.dumps(runs),
        env=clean_environment() | {"HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answers


def test_every_snippet_runs_and_took_effect(framework_venv: Path, tmp_path: Path) -> None:
    def snippet(*words: str) -> dict[str, str]:
        answer = imagined.call("snippet", *words, "--venv", str(framework_venv), "--format", "json")
        assert answer.code == 0, answer
        document: dict[str, str] = answer.json()
        return document

    def text(*words: str) -> str:
        return snippet(*words)["text"]

    def on(code: str, model: str) -> str:
        assert code.count('"path/or/name"') == 1
        return code.replace("path/or/name", str(tmp_path / model))

    by_chain, flag, nanogpt = text("transformers"), text("argparse"), text("nanogpt")
    runs = [("models", MODELS, ["x", str(tmp_path)])]
    runs += [(name, on(by_chain, name), ["x"]) for name in FAMILIES]
    runs += [("eager alone", on(text("transformers", "eager"), "llama"), ["x"])]
    runs += [("flex", on(text("transformers", "flex_attention"), "llama"), ["x"])]
    runs += [("argparse default", flag, ["x", str(tmp_path / "bert")])]
    runs += [("argparse eager", flag, ["x", str(tmp_path / "mpt"), "--attn-implementation", "eager"])]
    runs += [("argparse mpt", flag, ["x", str(tmp_path / "mpt")])]
    words = {"sdpa": "native", "eager": "_native_math", "flex_attention": "flex"}
    runs += [(f"diffusers {word}", on(text("diffusers", one), "flux"), ["x"]) for one, word in words.items()]
    runs += [("nanogpt", nanogpt, ["x"])]
    runs += [("nanogpt falls", nanogpt.replace('backend = "sdpa"', 'backend = "flash_attn_2"'), ["x"])]
    runs += [("xformers", text("xformers"), ["x"]), ("autodetect", text("autodetect"), ["x"])]
    # the check has to fail where something is changed behind its back
    behind = {
        "transformers": ("llama", "model.config._attn_implementation = 'eager'"),
        "diffusers": ("flux", "transformer.set_attention_backend('flex')"),
    }
    for name, (model, change) in behind.items():
        made = snippet(name)
        runs += [(f"{name} betrayed", on(f"{made['code']}\n{change}\n{made['check']}", model), ["x"])]
    answers = run(framework_venv, runs)

    assert answers["models"] == "", answers["models"]
    for name, taken in FAMILIES.items():
        assert snippet("transformers", "--model", name)["word"] == taken, "read from its source, as it then ran"
        assert f"attention: {taken}, torch 2.13.0" in answers[name], (name, answers[name])
        assert ("no sdpa" in answers[name]) is (taken == "eager"), answers[name]
    assert "attention: eager, torch" in answers["eager alone"]
    assert "attention: flex_attention, torch" in answers["flex"]
    assert answers["argparse default"].endswith("attention: sdpa\n")
    assert answers["argparse eager"].endswith("attention: eager\n")
    assert "ValueError" in answers["argparse mpt"], "a flag is not softened: what the model lacks is an error"
    for word in words.values():
        assert f"attention: {word} in 2 layers" in answers[f"diffusers {word}"], answers
    assert "Attention backend: sdpa, off by" in answers["nanogpt"]
    assert "WARNING: no flash_attn_2" in answers["nanogpt falls"]
    assert "Attention backend: sdpa, off by" in answers["nanogpt falls"]
    assert "attention: sdpa, off by" in answers["xformers"]
    assert "attention: sdpa on cpu" in answers["autodetect"]
    assert "AssertionError: asked for sdpa, got eager" in answers["transformers betrayed"]
    assert "AssertionError: asked for native, got" in answers["diffusers betrayed"]
