"""The loss of a head's guesses against what the target would say there, and how many of them are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from draft_head import DraftHead
from streams import SLICE, Batch, Target


class CrossEntropy(torch.autograd.Function):
    """Summed cross-entropy of `hidden @ head.T` from wanted distributions, and the likeliest tokens.

    Logits live a slice at a time, and their gradient is known in closed form. Products are of `dtype`, sums in single
    precision.
    """

    @staticmethod
    def forward(ctx, hidden: Tensor, head: Tensor, distributions: Tensor, numbers: Tensor, dtype: torch.dtype, slice_rows: int = SLICE):
        """`hidden [rows, width]` is to give row `numbers[i]` of `distributions` in its row i."""
        learns = ctx.needs_input_grad[1]
        grad_hidden, grad_head = torch.empty_like(hidden), torch.zeros_like(head) if learns else None
        total, best = 0.0, torch.empty(len(hidden), dtype=torch.long)
        hidden, head = hidden.to(dtype), head.to(dtype)
        differences = torch.empty(len(hidden), len(head), dtype=dtype) if learns else None
        for start in range(0, len(hidden), slice_rows):
            rows = slice(start, start + slice_rows)
            wanted = distributions[numbers[rows]].float()
            log_guess = torch.log_softmax((hidden[rows] @ head.T).float(), dim=-1)
            best[rows] = log_guess.argmax(-1)
            total -= float(torch.dot(wanted.flatten(), log_guess.flatten()))
            difference = log_guess.exp_().sub_(wanted).to(dtype)
            grad_hidden[rows] = (difference @ head).float()
            if learns:
                differences[rows] = difference
        if learns:
            grad_head = (differences.T @ hidden).float()
        ctx.save_for_backward(grad_hidden, grad_head)
        ctx.mark_non_differentiable(best)
        return torch.tensor(total), best

    @staticmethod
    def backward(ctx, grad: Tensor, _):
        grad_hidden, grad_head = ctx.saved_tensors
        return grad_hidden * grad, None if grad_head is None else grad_head * grad, None, None, None, None


@dataclass
class Result:
    """Of one batch: the loss, and for every step how many chains got so far and how many were right in each step so far."""

    loss: Tensor
    counts: np.ndarray
    """`[3, steps]`: guesses, those that were right, and those that were right with all before them in their chain."""


def score(
    head: DraftHead, target: Target, batch: Batch, columns: tuple[Tensor, Tensor], guesses: Iterable[Tensor], decay: float,
    dtype: torch.dtype,
) -> Result:
    """Step k of column p guesses token p + 2 + k, the one after row p + 1 + k; `guesses` has what `lm_head` reads."""
    columns, real = columns
    length, ids = batch.following.shape[1], head.draft_ids
    draft = torch.full((head.shape.layer.vocab_size,), -1).index_copy_(0, ids, torch.arange(len(ids)))
    loss, size = torch.zeros(()), 0.0
    if batch.last is not None:
        # One row of many steps: the distribution after a position is computed once.
        with torch.no_grad():
            distributions = target.distribution(batch.last[batch.answer], ids, dtype)
        numbers = (batch.answer.flatten().cumsum(0) - 1).view_as(batch.answer)
    counts: list[tuple[int, int, int]] = []
    whole = real
    for step, hidden in enumerate(guesses):
        place = columns + 1 + step
        inside = real & (place < length)
        place = place.clamp(max=length - 1)
        counted = inside & batch.answer.gather(1, place)
        label = draft[batch.following.gather(1, place).clamp(min=0)]
        if batch.last is not None:
            learnt = counted
            rows = numbers.gather(1, place)[learnt]
        else:
            learnt = counted & (label >= 0)
            distributions = nn.functional.one_hot(label[learnt], len(ids)).to(dtype)
            rows = torch.arange(len(distributions))
        part, best = CrossEntropy.apply(hidden[learnt], head.lm_head.weight, distributions, rows, dtype)
        loss, size = loss + decay**step * part, size + decay**step * len(rows)
        hit = torch.zeros_like(real)
        hit[learnt] = best == label[learnt]
        whole = whole & hit
        counts.append((int(counted.sum()), int(hit.sum()), int(whole.sum())))
    return Result(loss / max(size, 1e-6), np.array(counts, dtype=float).T)


def check_loss() -> None:
    """The loss's gradient is that of autograd."""
    hidden, matrix = torch.randn(30, 24, requires_grad=True), torch.randn(20, 24, requires_grad=True)
    wanted = torch.softmax(torch.randn(30, 20), -1)
    loss, _ = CrossEntropy.apply(hidden, matrix, wanted.flip(0), torch.arange(29, -1, -1), torch.float32, 7)
    ours = torch.autograd.grad(loss, (hidden, matrix))
    plain = -(wanted * torch.log_softmax(hidden @ matrix.T, -1)).sum()
    theirs = torch.autograd.grad(plain, (hidden, matrix))
    worst = max(float((a - b).detach().abs().max()) for a, b in zip([loss, *ours], [plain, *theirs]))
    print(f"loss and its gradients against autograd: {worst:.1e}")
    assert worst < 1e-4
