"""The families of models, each as a small random checkpoint that llama.cpp's converter takes.

Sizes are those that llama.cpp can have: heads of 64 or more channels, rows of whole blocks of 256. Windows are shorter
than the prompts. Weights are larger than those that training begins with, so that tokens are far apart, and are values
that bfloat16 holds: Foretoken keeps the file's single precision as that, and loses nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GptOssConfig, LlamaConfig, MistralConfig, PreTrainedConfig,
    Qwen2Config, Qwen3_5MoeTextConfig, Qwen3_5TextConfig, Qwen3Config, Qwen3MoeConfig, Qwen3NextConfig)

from vocabularies import Vocabulary

# The shipped target's byte-level BPE, or pieces of SentencePiece's kind (`vocabularies.py`).
BYTES, PIECES = "bytes", "pieces"


@dataclass(frozen=True)
class Family:
    """A configuration, the tokenizer that goes with it, and the name that llama.cpp has for its pre-tokenization."""

    config: type[PreTrainedConfig]
    changes: dict[str, object] = field(default_factory=dict)
    vocabulary: str = BYTES
    pre: str = "qwen2"
    # Its norms are kept as what is added to 1.
    adds_norms: bool = False
    # Embeddings are multiplied by the root of their width.
    scales_embeddings: bool = False
    # Of its random weights: one with which no router is near a tie on the prompts.
    seed: int = 0
    # Whether it carries an MTP layer, as Qwen3.5's checkpoints do: its converter has to be told where there is none.
    has_mtp: bool | None = None


BASE = dict(
    hidden_size=256, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=64,
    intermediate_size=512, max_position_embeddings=1024, tie_word_embeddings=False)
# In few layers: where a router is near a tie, half precision may take another expert, and all logits are others then.
EXPERTS = dict(
    num_hidden_layers=2, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=256, norm_topk_prob=True)
RECURRENT = dict(
    num_hidden_layers=4, head_dim=128, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=64,
    linear_value_head_dim=64, linear_conv_kernel_dim=4)
PARTIAL = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.25}
GEMMA = dict(tie_word_embeddings=True, query_pre_attn_scalar=64, sliding_window=32)


def rope(kind: str, theta: float, **values: object) -> dict[str, object]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **values}}


FAMILIES: dict[str, Family] = {
    "qwen3": Family(Qwen3Config, rope("default", 1_000_000.0)),
    "qwen3-yarn": Family(
        Qwen3Config, dict(tie_word_embeddings=True) | rope(
            "yarn", 10_000.0, factor=4.0, original_max_position_embeddings=64)),
    "qwen3moe": Family(Qwen3MoeConfig, EXPERTS, seed=1),
    "qwen2": Family(Qwen2Config, rope("default", 10_000.0)),
    "llama": Family(
        LlamaConfig, rope(
            "llama3", 500_000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=64), pre="llama-bpe"),
    "llama-pieces": Family(
        LlamaConfig, dict(num_key_value_heads=4, attention_bias=True, mlp_bias=True) | rope(
            "linear", 10_000.0, factor=2.0), PIECES),
    "mistral": Family(MistralConfig, dict(head_dim=96, sliding_window=None), PIECES),
    "gemma2": Family(
        Gemma2Config, GEMMA | dict(attn_logit_softcapping=20.0, final_logit_softcapping=15.0), PIECES,
        adds_norms=True, scales_embeddings=True),
    "gemma3": Family(
        Gemma3TextConfig, GEMMA | dict(num_hidden_layers=7, rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1_000_000.0, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}}), PIECES, adds_norms=True,
        scales_embeddings=True),
    "gpt-oss": Family(
        GptOssConfig, dict(
            num_hidden_layers=2, num_local_experts=8, num_experts_per_tok=2, sliding_window=32,
            intermediate_size=256) | rope(
            # A ramp from the first channel to the last: llama.cpp rounds its ends to whole channels, the model not.
            "yarn", 3.0, factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
            original_max_position_embeddings=64), pre="gpt-4o", seed=1),
    "qwen35": Family(
        Qwen3_5TextConfig, RECURRENT | dict(rope_parameters=PARTIAL), pre="qwen35", adds_norms=True, has_mtp=False),
    "qwen35-mtp": Family(
        Qwen3_5TextConfig, RECURRENT | dict(mtp_num_hidden_layers=1, rope_parameters=PARTIAL), pre="qwen35",
        adds_norms=True, has_mtp=True),
    "qwen35moe": Family(
        Qwen3_5MoeTextConfig, EXPERTS | RECURRENT | dict(shared_expert_intermediate_size=256, rope_parameters=PARTIAL),
        pre="qwen35", adds_norms=True, has_mtp=False),
    "qwen3next": Family(
        Qwen3NextConfig, EXPERTS | RECURRENT | dict(shared_expert_intermediate_size=256, rope_parameters=PARTIAL),
        adds_norms=True, has_mtp=False),
}


def filled(key: str, shape: torch.Size, family: Family, tied: bool) -> Tensor:
    """Random weights of a tensor, by its name."""
    noise = torch.randn(shape)
    name = key.removesuffix(".weight")
    if key.endswith("A_log"):
        # States that are forgotten within a few positions, and states that stay.
        value = torch.log(torch.empty(shape).uniform_(0.02, 8))
    elif key.endswith("dt_bias"):
        value = noise - 1
    elif "norm" in name:
        value = 0.2 * noise + (0 if family.adds_norms and not name.endswith("linear_attn.norm") else 1)
        if family.scales_embeddings and key == "model.norm.weight":
            # Logits as far apart as those of others, though embeddings are small.
            value += 6
    elif key.endswith("sinks"):
        value = noise
    elif "bias" in key:
        value = 0.2 * noise
    elif "conv1d" in key:
        value = 0.5 * noise
    elif "embed_tokens" in key:
        value = (0.04 if family.scales_embeddings else 0.2 if tied else 0.5) * noise
    elif "lm_head" in key:
        value = 0.2 * noise
    else:
        # gpt-oss keeps its experts by input; all others have matrices by output.
        inputs = shape[-2] if family.config is GptOssConfig and len(shape) == 3 else shape[-1]
        # Routers take experts that are far apart.
        gain = 4.0 if name.endswith(("mlp.gate", "mlp.router")) else 1.5
        value = gain / math.sqrt(inputs) * noise
    return value.to(torch.bfloat16).float()


@torch.no_grad()
def write_checkpoint(place: Path, name: str, vocabulary: Vocabulary) -> None:
    """Writes a model that never finds a silent token the likeliest."""
    family = FAMILIES[name]
    torch.manual_seed(sum(name.encode()) + family.seed)
    first, *_, last = vocabulary.specials
    ids = dict(vocab_size=vocabulary.size, bos_token_id=first, eos_token_id=last, pad_token_id=None)
    config = family.config(**(BASE | family.changes | ids))
    model = AutoModelForCausalLM.from_config(config)
    for key, parameter in model.named_parameters():
        parameter.copy_(filled(key, parameter.shape, family, config.tie_word_embeddings))
    # Their logits are 0, and those of the likeliest far above.
    model.get_output_embeddings().weight[sorted(vocabulary.silent)] = 0
    model.save_pretrained(place)
    if family.has_mtp:
        add_mtp(place / "model.safetensors", f"model.layers.{config.num_hidden_layers - 1}.", family)


def add_mtp(path: Path, like: str, family: Family) -> None:
    """Adds an MTP layer whose decoder layer is of the same kind as the layer `like`."""
    tensors = load_file(path)
    hidden = BASE["hidden_size"]
    shapes = {
        "mtp.layers.0." + key.removeprefix(like): value.shape for key, value in tensors.items() if key.startswith(like)}
    shapes |= {f"mtp.{part}.weight": (hidden,) for part in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm")}
    shapes["mtp.fc.weight"] = (hidden, 2 * hidden)
    added = {key: filled(key, torch.Size(shape), family, tied=False) for key, shape in shapes.items()}
    save_file(tensors | added, path, metadata={"format": "pt"})
