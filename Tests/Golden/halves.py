"""Keys and values as Foretoken's cache gives them back.

The engine keeps keys and values in half precision and all else in single precision; the references are to round where it
rounds, and nowhere else, so that what is left of a difference is arithmetic. The rounding is PyTorch's own (to nearest,
ties to even), and the cache that does it is `transformers`'.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import DynamicCache

AGREEMENT = 5e-4
"""How far two references may part: a value in the middle between two halves may go either way."""


def halved(values: Tensor) -> Tensor:
    """Single precision that half precision holds."""
    return values.to(torch.float16).to(values.dtype)


class HalfCache(DynamicCache):
    """A cache of half precision: what a layer attends to went through it."""

    def update(self, key_states: Tensor, value_states: Tensor, *arguments, **options) -> tuple[Tensor, Tensor]:
        return super().update(halved(key_states), halved(value_states), *arguments, **options)
