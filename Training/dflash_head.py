"""A DFlash head: a few Qwen3 layers that draft a block of tokens in one pass, beside the target's residual streams.

Parameter names are those of the package `speculators`, so that a state dict is the exported file. Of every position that the
target has computed, c, its streams fused by `fc` and normalised, gives each layer keys and values. A block has the last
known token, its anchor, and masks in the places after it; its rows see all c before the anchor, and one another.

Source: Chen et al., "DFlash: Block Diffusion for Flash Speculative Decoding" (2026).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from draft_head import DraftHead, HeadShape, load_tensors, save_files
from model import Layer, ModelShape, RMSNorm, rotate


@dataclass(frozen=True)
class BlockShape(HeadShape):
    block_size: int
    """Rows of a block, the anchor's included."""
    mask_token: int
    """The token of the vocabulary whose embedding stands for what is not known."""
    samples_anchor: bool = False
    """Whether a row guesses the token after its own, and so the anchor's row one too; else masks guess what they stand for."""

    @property
    def guesses(self) -> int:
        """Tokens that a block proposes."""
        return self.block_size if self.samples_anchor else self.block_size - 1


class DFlashHead(DraftHead):
    shape: BlockShape

    def __init__(self, shape: BlockShape) -> None:
        super().__init__(shape)
        hidden, layer = shape.layer.hidden_size, shape.layer
        self.fc = nn.Linear(len(shape.taps) * shape.target_hidden_size, hidden, bias=False)
        self.hidden_norm = RMSNorm(hidden, layer.rms_norm_eps)
        self.layers = nn.ModuleList(Layer(layer) for _ in range(layer.num_hidden_layers))
        self.norm = RMSNorm(hidden, layer.rms_norm_eps)
        self.lm_head = nn.Linear(hidden, shape.draft_vocab_size, bias=False)
        self.randomise()

    def forward(self, embedding: Tensor, following: Tensor, taps: Tensor, columns: Tensor, guesses: int) -> Tensor:
        """What `lm_head` reads of blocks of as many guesses from all columns: `[batch, columns, guesses, hidden]`.

        The block of column p has the token after position p as its anchor, and sees the positions up to p. `following
        [batch, length]` are the tokens after each position, `taps [batch, length, …]`, `columns [batch, n]`.
        """
        shape, rows = self.shape, guesses + (0 if self.shape.samples_anchor else 1)
        context = self.hidden_norm(self.fc(taps).float())
        tokens = torch.full((*columns.shape, rows), shape.mask_token)
        tokens[..., 0] = following.gather(1, columns).clamp(min=0)
        # The residual stays in single precision where products are not.
        x = F.embedding(tokens, embedding)
        length = following.shape[1]
        places = self.angles(torch.arange(length))
        own_places = self.angles(columns[..., None] + 1 + torch.arange(rows))
        # [batch, 1, columns, 1, length]
        unseen = (torch.arange(length) > columns[..., None])[:, None, :, None]
        for layer in self.layers:
            x = x + layer.self_attn.o_proj(attend(layer, context, places, layer.input_layernorm(x), own_places, unseen))
            x = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.norm(x if shape.samples_anchor else x[:, :, 1:])


def attend(
    layer: Layer, context: Tensor, places: tuple[Tensor, Tensor], block: Tensor, own_places: tuple[Tensor, Tensor],
    unseen: Tensor,
) -> Tensor:
    """Attention of blocks `[batch, columns, rows, hidden]` to the context `[batch, length, hidden]` and to themselves."""
    attention = layer.self_attn
    batch, columns, rows, _ = block.shape
    kv, size = attention.kv_heads, attention.head_dim

    def split(projection: nn.Linear, x: Tensor) -> Tensor:
        return projection(x).float().unflatten(-1, (-1, size))

    # [batch, KV heads, length, head_dim]
    keys = rotate(attention.k_norm(split(attention.k_proj, context)), *places).transpose(1, 2)
    values = split(attention.v_proj, context).transpose(1, 2)
    # [batch, columns, KV heads, rows, head_dim], and query heads of each KV head times rows
    own_keys = rotate(attention.k_norm(split(attention.k_proj, block)), *own_places).transpose(2, 3)
    own_values = split(attention.v_proj, block).transpose(2, 3)
    q = rotate(attention.q_norm(split(attention.q_proj, block)), *own_places) / math.sqrt(size)
    q = q.transpose(2, 3).unflatten(2, (kv, -1)).flatten(3, 4)
    across = q.transpose(1, 2).flatten(2, 3) @ keys.transpose(-1, -2)
    across = across.unflatten(2, (columns, -1)).masked_fill(unseen, -torch.inf)
    own = (q @ own_keys.transpose(-1, -2)).transpose(1, 2)
    # [batch, KV heads, columns, query heads of each times rows, length + rows]
    weights = torch.softmax(torch.cat([across, own], dim=-1), dim=-1)
    length = keys.shape[2]
    mixed = (weights[..., :length].flatten(2, 3) @ values).unflatten(2, (columns, -1)).transpose(1, 2)
    mixed = mixed + weights[..., length:].transpose(1, 2) @ own_values
    return mixed.unflatten(3, (-1, rows)).permute(0, 1, 4, 2, 3, 5).flatten(3)


def save_head(head: DFlashHead, place: Path, dtype: torch.dtype, target: str) -> None:
    """Writes `config.json` and `model.safetensors` as `speculators` does, into a directory that exists.

    Its layers are named by the streams that enter them, as `taps` are; z-lab's flat format has no draft vocabulary.
    """
    shape = head.shape
    layer = {name: value for name, value in asdict(shape.layer).items() if name != "rope_theta"}
    layer |= {
        "attention_bias": False, "hidden_act": "silu", "layer_types": ["full_attention"] * shape.layer.num_hidden_layers,
        "model_type": "qwen3", "rope_parameters": {"rope_theta": shape.layer.rope_theta, "rope_type": "default"},
        "sliding_window": None, "tie_word_embeddings": False, "use_sliding_window": False}
    config = {
        "architectures": ["DFlashSpeculator"], "aux_hidden_state_layer_ids": list(shape.taps), "block_size": shape.block_size,
        "draft_vocab_size": shape.draft_vocab_size, "mask_token_id": shape.mask_token,
        "sample_from_anchor": shape.samples_anchor, "sliding_window_non_causal": False, "speculators_config": {
            "algorithm": "dflash", "default_proposal_method": "greedy",
            "proposal_methods": [{"proposal_type": "greedy", "speculative_tokens": shape.guesses}],
            "verifier": {"architectures": [], "name_or_path": target}},
        "speculators_model_type": "dflash", "speculators_version": "0.9.0", "target_hidden_size": shape.target_hidden_size,
        "torch_dtype": str(dtype).removeprefix("torch."), "transformer_layer_config": layer}
    save_files(head, config, place, dtype)


def load_head(place: Path) -> DFlashHead:
    """A head that `save_head` wrote, in single precision."""
    config = json.loads((place / "config.json").read_text())
    layer = config["transformer_layer_config"] | config["transformer_layer_config"]["rope_parameters"]
    head = DFlashHead(BlockShape(
        ModelShape(**{name: layer[name] for name in ModelShape.__dataclass_fields__}),
        tuple(config["aux_hidden_state_layer_ids"]), config["target_hidden_size"], config["draft_vocab_size"],
        config["block_size"], config["mask_token_id"], config["sample_from_anchor"]))
    load_tensors(head, place)
    return head
