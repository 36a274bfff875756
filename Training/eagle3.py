"""Trains an EAGLE-3 head for a target from streams that Foretoken wrote while the target answered.

    python eagle3.py --check
    python eagle3.py --taps build/taps --minutes 40            # --resume goes on after a stop
    python eagle3.py --export ../Models/foretoken-reference-eagle3

What the folder of streams holds is said in `streams.py`. The answers should be the target's own: a head guesses what the
target says.

Every chain is unrolled as it will run, its output fed back in place of the streams, on tokens that the target did say.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from draft_head import HeadShape
from eagle3_head import Eagle3Head, Unrolled, load_head, save_head
from head_loss import check_loss
from head_training import Recipe, argument_parser, linear_guess, run
from model import ModelShape, rotate
from streams import Batch, Shards, Target


class Eagle3(Recipe):
    name = "eagle3"
    settings: dict[str, object] = {}

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.steps, self.unroll_from = arguments.steps, arguments.unroll_from

    def new(self, target: Target, taps: tuple[int, ...], ids: Tensor) -> Eagle3Head:
        """Random, but for the last norm and head, which begin as the target's, the norm smaller: it knows nothing yet."""
        shape = replace(target.shape, num_hidden_layers=1)
        head = Eagle3Head(HeadShape(shape, taps, shape.hidden_size, len(ids)))
        head.set_draft_ids(ids)
        with torch.no_grad():
            head.norm.weight.copy_(0.3 * target.norm)
            head.lm_head.weight.copy_(target.head[ids])
        return head

    def steps_at(self, done: float) -> int:
        return self.steps if done >= self.unroll_from else 1

    def guesses(
        self, head: Eagle3Head, target: Target, batch: Batch, columns: Tensor, steps: int, dtype: torch.dtype
    ) -> Iterator[Tensor]:
        """Step k of column p reads token p + 1 + k."""
        mixed = torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16)
        last = batch.following.shape[1] - 1
        with mixed:
            unrolled = Unrolled(head, target.embedding, batch.following, batch.taps, columns)
        for step in range(steps):
            if step:
                with mixed:
                    unrolled.step(batch.following.gather(1, (columns + step).clamp(max=last)))
            yield unrolled.normed

    def start_linearly(self, head: Eagle3Head, target: Target, shards: Shards) -> None:
        """The part of the taps is `fc`. That of the embedding goes through the attention: one query head of each KV head
        finds its own slot, as its queries and keys are one random projection of the embedding, and values and outputs are
        the largest singular vectors. All else starts small, so that what is learnt is added.
        """
        hidden, layer = target.shape.hidden_size, head.midlayer
        _, _, weights = linear_guess(target, shards)
        head.fc.weight.copy_(weights[:, hidden:])
        attention, shape = layer.self_attn, head.shape.layer
        left, values, right = torch.linalg.svd(weights[:, :hidden])
        width = shape.num_key_value_heads * shape.head_dim
        attention.v_proj.weight[:, :hidden] = right[:width]
        attention.v_proj.weight[:, hidden:] *= 0.1
        group = shape.num_attention_heads // shape.num_key_value_heads
        outputs = attention.o_proj.weight.unflatten(1, (shape.num_key_value_heads, group, shape.head_dim))
        outputs *= 0.3
        outputs[:, :, 0] = (left[:, :width] * values[:width]).unflatten(1, (shape.num_key_value_heads, shape.head_dim))
        keys = attention.k_proj.weight.unflatten(0, (shape.num_key_value_heads, shape.head_dim))
        queries = attention.q_proj.weight.unflatten(0, (shape.num_key_value_heads, group, shape.head_dim))
        keys[..., hidden:] = 0
        # A slot's own score is to be about 12.
        queries[:, 0] = keys * 12 * math.sqrt(shape.head_dim) / keys.square().sum((1, 2)).mean()
        layer.mlp.down_proj.weight *= 0.3
        head.norm.weight.copy_(0.6 * target.norm)

    def describe(self, head: Eagle3Head) -> tuple[str, str, str]:
        return (
            "An EAGLE-3 head for `{target}`: one layer that reads the target's residual streams and\nproposes tokens for it.",
            "SpecForge's (`LlamaForCausalLMEagle3`)",
            "How often each step of a chain guesses the target's next token when the steps before it were fed the target's tokens")

    def write(self, head: Eagle3Head, place: Path) -> Eagle3Head:
        save_head(head, place, torch.bfloat16)
        return load_head(place)


@torch.no_grad()
def sequential(head: Eagle3Head, embedding: Tensor, known: list[int], taps: Tensor, fed: list[int]) -> list[Tensor]:
    """What `lm_head` reads in every step of the chain after the tokens `known`, one slot after the other with a cache.

    `taps [len(known) - 1, …]`; `fed` are the tokens that the chain is given after its guesses.
    """
    layer, attention, shape = head.midlayer, head.midlayer.self_attn, head.shape.layer
    keys, values, results = [], [], []
    g_of_slots = [*head.fc(taps)]
    for slot, token in enumerate([*known[1:], *fed]):
        g = g_of_slots[slot]
        joined = layer.joined(embedding[token], g)
        cos, sin = head.angles(torch.tensor(slot))
        q = rotate(attention.split(attention.q_proj, joined), cos, sin)
        keys.append(rotate(attention.split(attention.k_proj, joined), cos, sin))
        values.append(attention.split(attention.v_proj, joined))
        mixed = []
        for query in range(shape.num_attention_heads):
            kv = query // (shape.num_attention_heads // shape.num_key_value_heads)
            scores = torch.stack([q[query] @ key[kv] for key in keys]) / math.sqrt(shape.head_dim)
            mixed.append(sum(weight * value[kv] for weight, value in zip(torch.softmax(scores, dim=0), values)))
        output = layer.output(g, torch.cat(mixed))
        if slot >= len(known) - 2:
            # From here on the head's own outputs are all there is.
            g_of_slots.append(output)
            results.append(head.norm(output))
    return results


@torch.no_grad()
def check() -> None:
    """Unrolled training equals inference one slot at a time; the loss's gradient is that of autograd."""
    torch.manual_seed(3)
    shape = ModelShape(hidden_size=24, num_hidden_layers=1, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                       intermediate_size=40, vocab_size=50)
    head = Eagle3Head(HeadShape(shape, (1, 2, 4), 16, 20))
    for name, parameter in head.named_parameters():
        parameter.add_(0.3 * torch.randn_like(parameter))
    embedding, length, steps = torch.randn(50, 24), 13, 5
    tokens = torch.randint(0, 50, (2, length + 1))
    taps = torch.randn(2, length, 48)
    columns = torch.tensor([[0, 3, 7], [2, 5, 6]])
    unrolled = Unrolled(head, embedding, tokens[:, 1:], taps, columns)
    worst = 0.0
    for step in range(steps):
        if step:
            unrolled.step(tokens[:, 1:].gather(1, columns + step))
        for row in range(2):
            for index, column in enumerate(columns[row].tolist()):
                known = tokens[row, : column + 2].tolist()
                fed = tokens[row, column + 2:column + 2 + step].tolist()
                expected = sequential(head, embedding, known, taps[row, : column + 1], fed)[step]
                worst = max(worst, float((unrolled.normed[row, index] - expected).abs().max()))
    print(f"unrolled against one slot at a time: {worst:.1e}")
    assert worst < 1e-5
    with torch.enable_grad():
        check_loss()


def main() -> None:
    parser = argument_parser(__doc__.splitlines()[0], decay=0.9)
    parser.add_argument("--steps", type=int, default=5, help="length of the unrolled chains")
    parser.add_argument("--unroll-from", type=float, default=0.0, metavar="SHARE", help="learn the first step of chains alone for "
                        "this share of the time")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.check:
        check()
    else:
        run(Eagle3(arguments), arguments)


if __name__ == "__main__":
    main()
