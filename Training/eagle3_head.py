"""An EAGLE-3 head: one Llama layer that drafts from the target's residual streams.

Parameter names are those of SpecForge's flat format (`LlamaForCausalLMEagle3`), so that a state dict is the exported file.
Slot p of the head holds token p + 1 and g_p, the streams of position p fused by `fc`, and guesses token p + 2. From there a
chain goes on with its own output in the place of g: the target has not seen those positions yet.

Source: Li et al., "EAGLE-3: Scaling up Inference Acceleration of Large Language Models via Training-Time Test" (2025).
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from draft_head import DraftHead, HeadShape, chosen, load_tensors, save_files
from model import MLP, ModelShape, RMSNorm, rotate


class HeadAttention(nn.Module):
    """Projections of grouped-query attention whose input is an embedding beside a feature."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        width = 2 * shape.hidden_size
        self.head_dim = shape.head_dim
        self.q_proj = nn.Linear(width, shape.num_attention_heads * shape.head_dim, bias=False)
        self.k_proj = nn.Linear(width, shape.num_key_value_heads * shape.head_dim, bias=False)
        self.v_proj = nn.Linear(width, shape.num_key_value_heads * shape.head_dim, bias=False)
        self.o_proj = nn.Linear(shape.num_attention_heads * shape.head_dim, shape.hidden_size, bias=False)

    def split(self, projection: nn.Linear, x: Tensor) -> Tensor:
        """`[batch, length, heads, head_dim]`"""
        return projection(x).unflatten(-1, (-1, self.head_dim))


class HeadLayer(nn.Module):
    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.hidden_norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = HeadAttention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = MLP(shape)

    def joined(self, embedded: Tensor, g: Tensor) -> Tensor:
        """What the projections read, `[…, 2 * hidden]`."""
        return torch.cat([self.input_layernorm(embedded), self.hidden_norm(g)], dim=-1)

    def output(self, g: Tensor, mixed: Tensor) -> Tensor:
        x = g + self.self_attn.o_proj(mixed)
        return x + self.mlp(self.post_attention_layernorm(x))


class Eagle3Head(DraftHead):
    def __init__(self, shape: HeadShape) -> None:
        super().__init__(shape)
        hidden = shape.layer.hidden_size
        self.fc = nn.Linear(len(shape.taps) * shape.target_hidden_size, hidden, bias=False)
        self.midlayer = HeadLayer(shape.layer)
        self.norm = RMSNorm(hidden, shape.layer.rms_norm_eps)
        self.lm_head = nn.Linear(hidden, shape.draft_vocab_size, bias=False)
        self.randomise()


class Unrolled:
    """Chains from many columns of a batch at once: the training-time test.

    A column is a slot from which a chain starts. In its first step it sees the true slots up to itself, as in ordinary
    causal attention. In step k (from 0) it stands for the slot k places on: there it sees the same true slots, and of the
    drafted ones those of its own chain. After every step `normed [batch, columns, hidden]` is what `lm_head` reads.
    """

    def __init__(self, head: Eagle3Head, embedding: Tensor, following: Tensor, taps: Tensor, columns: Tensor) -> None:
        """`following [batch, length]` are the tokens after each position, `taps [batch, length, …]`, `columns [batch, n]`."""
        self.head, self.embedding, self.columns = head, embedding, columns
        layer, attention = head.midlayer, head.midlayer.self_attn
        # The residual stays in single precision where products are not.
        g = head.fc(taps).float()
        joined = layer.joined(F.embedding(following.clamp(min=0), embedding), g)
        cos, sin = head.angles(torch.arange(following.shape[1]))
        # [batch, KV heads, length, head_dim]
        self.keys = rotate(attention.split(attention.k_proj, joined), cos, sin).transpose(1, 2)
        self.values = attention.split(attention.v_proj, joined).transpose(1, 2)
        # [batch, 1, 1, columns, length]
        self.hidden_slots = (torch.arange(following.shape[1]) > columns[..., None])[:, None, None]
        self.drafted_keys: list[Tensor] = []
        self.drafted_values: list[Tensor] = []
        self.steps = 0
        self._finish(chosen(g, columns), chosen(joined, columns))

    def step(self, tokens: Tensor) -> None:
        """Every chain takes the next of its tokens, `[batch, columns]`, and its last output."""
        self.steps += 1
        layer, attention = self.head.midlayer, self.head.midlayer.self_attn
        g = self.output
        joined = layer.joined(F.embedding(tokens.clamp(min=0), self.embedding), g)
        cos, sin = self.head.angles(self.columns + self.steps)
        self.drafted_keys.append(rotate(attention.split(attention.k_proj, joined), cos, sin).transpose(1, 2))
        self.drafted_values.append(attention.split(attention.v_proj, joined).transpose(1, 2))
        self._finish(g, joined)

    def _finish(self, g: Tensor, joined: Tensor) -> None:
        layer, attention = self.head.midlayer, self.head.midlayer.self_attn
        shape = self.head.shape.layer
        cos, sin = self.head.angles(self.columns + self.steps)
        # [batch, KV heads, query heads of each, columns, head_dim]
        q = rotate(attention.split(attention.q_proj, joined), cos, sin).transpose(1, 2)
        q = q.unflatten(1, (shape.num_key_value_heads, -1)) / math.sqrt(shape.head_dim)
        scores = (q @ self.keys[:, :, None].transpose(-1, -2)).masked_fill(self.hidden_slots, -torch.inf)
        own = [(q * keys[:, :, None]).sum(-1, keepdim=True) for keys in self.drafted_keys]
        weights = torch.softmax(torch.cat([scores, *own], dim=-1), dim=-1)
        length = self.keys.shape[2]
        mixed = weights[..., :length] @ self.values[:, :, None]
        for index, values in enumerate(self.drafted_values):
            mixed = mixed + weights[..., length + index, None] * values[:, :, None]
        self.output = layer.output(g, mixed.flatten(1, 2).transpose(1, 2).flatten(2))
        self.normed = self.head.norm(self.output)


def save_head(head: Eagle3Head, place: Path, dtype: torch.dtype) -> None:
    """Writes `config.json` and `model.safetensors` into a directory that exists.

    The tapped layers stand there twice, each way as its readers count: vLLM and llama.cpp read the streams' own numbers at
    the top level, SGLang and SpecForge the layers' whose outputs they are, nested.
    """
    layer = head.shape.layer
    outputs = [tap - 1 for tap in head.shape.taps]
    if min(outputs) < 0:
        raise ValueError("stream 0 is the embedding: no layer's output, and so not to be named in this format")
    config = {
        "architectures": ["LlamaForCausalLMEagle3"], "attention_bias": False, "draft_vocab_size": head.shape.draft_vocab_size,
        "eagle_aux_hidden_state_layer_ids": list(head.shape.taps),
        "eagle_config": {"eagle_aux_hidden_state_layer_ids": outputs, "use_aux_hidden_state": True},
        "head_dim": layer.head_dim, "hidden_act": "silu", "hidden_size": layer.hidden_size,
        "intermediate_size": layer.intermediate_size, "max_position_embeddings": layer.max_position_embeddings,
        "model_type": "llama", "norm_before_residual": False, "num_attention_heads": layer.num_attention_heads,
        "num_hidden_layers": 1, "num_key_value_heads": layer.num_key_value_heads, "rms_norm_eps": layer.rms_norm_eps,
        "rope_scaling": None, "rope_theta": layer.rope_theta, "target_hidden_size": head.shape.target_hidden_size,
        "tie_word_embeddings": False, "torch_dtype": str(dtype).removeprefix("torch."), "vocab_size": layer.vocab_size,
    }
    save_files(head, config, place, dtype)


def load_head(place: Path) -> Eagle3Head:
    """A head that `save_head` wrote, in single precision."""
    config = json.loads((place / "config.json").read_text())
    layer = ModelShape(**{name: config[name] for name in ModelShape.__dataclass_fields__})
    head = Eagle3Head(HeadShape(
        layer, tuple(config["eagle_aux_hidden_state_layer_ids"]), config["target_hidden_size"], config["draft_vocab_size"]))
    load_tensors(head, place)
    return head
