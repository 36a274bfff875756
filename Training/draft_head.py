"""What heads of all kinds have: a vocabulary of their own, positions, and files under published names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from model import ModelShape


@dataclass(frozen=True)
class HeadShape:
    """The numbers that fix a head; `layer` has the layer's sizes, and the target's vocabulary."""

    layer: ModelShape
    taps: tuple[int, ...]
    """The streams to read, by the layer of the target that they enter."""
    target_hidden_size: int
    draft_vocab_size: int


class DraftHead(nn.Module):
    """The head's own parameters; the embedding `[vocab, hidden]` is the target's and is passed in."""

    lm_head: nn.Linear
    """`[draft vocabulary, hidden]`"""
    norm: nn.Module
    """What `lm_head` reads has gone through it."""

    def __init__(self, shape: HeadShape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("d2t", torch.zeros(shape.draft_vocab_size, dtype=torch.long))
        self.register_buffer("t2d", torch.zeros(shape.layer.vocab_size, dtype=torch.bool))

    def randomise(self) -> None:
        """Draws all matrices; those that add to the residual stream are smaller."""
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5 * (0.3 if residual else 1.0))

    @property
    def draft_ids(self) -> Tensor:
        """The target's token of every logit, ascending."""
        return self.d2t + torch.arange(len(self.d2t))

    def set_draft_ids(self, ids: Tensor) -> None:
        self.d2t.copy_(ids - torch.arange(len(ids)))
        self.t2d.zero_()[ids] = True

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and sines `[…, 1, head_dim]`."""
        half = self.shape.layer.head_dim // 2
        inverse = self.shape.layer.rope_theta ** (-torch.arange(half, dtype=torch.float32) / half)
        angle = positions[..., None].float() * inverse
        angle = torch.cat([angle, angle], dim=-1)[..., None, :]
        return angle.cos(), angle.sin()


def chosen(rows: Tensor, columns: Tensor) -> Tensor:
    """`rows [batch, length, width]` at `columns [batch, n]`."""
    return rows.gather(1, columns[..., None].expand(-1, -1, rows.shape[-1]))


def save_files(head: DraftHead, config: dict[str, object], place: Path, dtype: torch.dtype) -> None:
    """Writes `config.json` and `model.safetensors` into a directory that exists."""
    (place / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in head.state_dict().items()}
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    (place / "model.safetensors").chmod(0o644)


def load_tensors(head: DraftHead, place: Path) -> None:
    """Fills `head`, in single precision, from what `save_files` wrote."""
    head.load_state_dict({
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in load_file(place / "model.safetensors").items()})
