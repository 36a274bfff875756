"""The loss of target and draft together, with its gradients, one slice of the logits at a time.

Logits of 4096 positions over 8192 tokens are 128 MiB per model; written, read and differentiated as whole tensors
they would cost a CPU more than the arithmetic. Here a slice of them lives and dies in the cache: the gradient of
a cross-entropy is known in closed form (probabilities minus the wanted distribution).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class JointLoss:
    """Mean losses over the labelled positions, in nats per token."""

    target: float
    draft: float
    agreement: float


@torch.no_grad()
def head_gradients(
    target_hidden: Tensor,
    target_head: Tensor,
    draft_hidden: Tensor,
    draft_head: Tensor,
    labels: Tensor,
    distillation: float,
    slice_rows: int = 256,
) -> tuple[JointLoss, Tensor, Tensor, Tensor, Tensor]:
    """Losses and their gradients for hidden states `[rows, hidden]` and `labels [rows]` (-1: not counted).

    The target learns the labels. The draft learns `distillation` parts of the target's distribution, and the
    label for the rest. Returns the losses, then the gradients of: target hidden, target head, draft hidden,
    draft head.
    """
    count = int((labels >= 0).sum())
    grad_target_hidden, grad_draft_hidden = torch.empty_like(target_hidden), torch.empty_like(draft_hidden)
    grad_target_head, grad_draft_head = torch.zeros_like(target_head), torch.zeros_like(draft_head)
    target_sum = draft_sum = agreeing = 0.0
    for start in range(0, labels.shape[0], slice_rows):
        rows = slice(start, start + slice_rows)
        wanted = labels[rows]
        counted = (wanted >= 0).to(target_hidden.dtype)[:, None]
        index = wanted.clamp(min=0)[:, None]
        target_probability = torch.softmax(target_hidden[rows] @ target_head.T, dim=-1)
        draft_probability = torch.softmax(draft_hidden[rows] @ draft_head.T, dim=-1)
        target_sum -= float((target_probability.gather(1, index).clamp(min=1e-30).log() * counted).sum())
        draft_sum -= float((draft_probability.gather(1, index).clamp(min=1e-30).log() * counted).sum())
        same = target_probability.argmax(-1) == draft_probability.argmax(-1)
        agreeing += float((same * counted[:, 0]).sum())

        scale = counted / count
        draft_probability.sub_(target_probability, alpha=distillation)
        draft_probability.scatter_add_(1, index, torch.full_like(scale, distillation - 1.0))
        draft_probability.mul_(scale)
        target_probability.scatter_add_(1, index, torch.full_like(scale, -1.0))
        target_probability.mul_(scale)

        torch.mm(target_probability, target_head, out=grad_target_hidden[rows])
        grad_target_head.addmm_(target_probability.T, target_hidden[rows])
        torch.mm(draft_probability, draft_head, out=grad_draft_hidden[rows])
        grad_draft_head.addmm_(draft_probability.T, draft_hidden[rows])
    losses = JointLoss(target_sum / count, draft_sum / count, agreeing / count)
    return losses, grad_target_hidden, grad_target_head, grad_draft_hidden, grad_draft_head
