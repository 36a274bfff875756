"""Trains a DFlash head for a target from streams that Foretoken wrote while the target answered.

    python dflash.py --check
    python dflash.py --taps build/taps --minutes 40            # --resume goes on after a stop
    python dflash.py --export build/dflash

What the folder of streams holds is said in `streams.py`. The answers should be the target's own: a head guesses what the
target says.

Blocks of many anchors of a sequence are computed in one pass, each as if it were alone: it sees the streams before its
anchor, and its own rows. Early tokens of a block count for more in the loss, as nothing is accepted behind a wrong one.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dflash_head import BlockShape, DFlashHead, load_head, save_head
from head_loss import check_loss
from head_training import Recipe, argument_parser, least_squares, linear_guess, run
from model import ModelShape, rotate
from streams import Batch, Shards, Target


class DFlash(Recipe):
    name = "dflash"

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.anchor_every, self.blocks_from = arguments.anchor_every, arguments.blocks_from
        self.target_name = arguments.target_name or arguments.target.name
        self.settings = {
            "depth": arguments.depth, "heads": arguments.heads, "key_value_heads": arguments.key_value_heads,
            "block_size": arguments.block_size, "mask_token": arguments.mask_token,
            "samples_anchor": arguments.sample_from_anchor}

    @property
    def steps(self) -> int:
        return self.settings["block_size"] - (0 if self.settings["samples_anchor"] else 1)

    def complete(self, shards: Shards, target: Target) -> None:
        vocabulary = target.shape.vocab_size
        if self.settings["mask_token"] is None:
            self.settings["mask_token"] = shards.unused_token(vocabulary)
        if not 0 <= self.settings["mask_token"] < vocabulary:
            raise SystemExit(f"the mask token is {self.settings['mask_token']}; the target has {vocabulary} tokens")

    def new(self, target: Target, taps: tuple[int, ...], ids: Tensor) -> DFlashHead:
        """Random, but for the last norm and head, which begin as the target's, the norm smaller: it knows nothing yet."""
        heads = self.settings["heads"] or target.shape.num_attention_heads
        layer = replace(
            target.shape, num_hidden_layers=self.settings["depth"], num_attention_heads=heads,
            num_key_value_heads=self.settings["key_value_heads"] or heads)
        head = DFlashHead(BlockShape(
            layer, taps, target.shape.hidden_size, len(ids), self.settings["block_size"], self.settings["mask_token"],
            self.settings["samples_anchor"]))
        head.set_draft_ids(ids)
        with torch.no_grad():
            head.norm.weight.copy_(0.3 * target.norm)
            head.lm_head.weight.copy_(target.head[ids])
        return head

    def steps_at(self, done: float) -> int:
        """Blocks of all lengths: a row sees those after it, and in use there are as many as tokens are wanted."""
        if done < self.blocks_from:
            return 1
        return int(torch.randint(min(2, self.steps), self.steps + 1, ()))

    def columns(self, batch: Batch, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """Every few places, from one on that is drawn; all of them where one token is guessed, which costs as much."""
        columns, real = batch.columns()
        if steps == 1:
            return columns, real
        first = min(int(torch.randint(self.anchor_every, ())) if steps else 0, columns.shape[1] - 1)
        return columns[:, first::self.anchor_every], real[:, first::self.anchor_every]

    def guesses(
        self, head: DFlashHead, target: Target, batch: Batch, columns: Tensor, steps: int, dtype: torch.dtype
    ) -> Iterable[Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
            return head(target.embedding, batch.following, batch.taps, columns, steps).unbind(2)

    def start_linearly(self, head: DFlashHead, target: Target, shards: Shards) -> None:
        """The guess goes through the first layer's attention: a third of the KV heads find a block's anchor and have the
        part of its embedding, one stays random, and the others find the last streams and have their part.

        Keys are normalised, so that a sign is enough to find a row by. Three directions have one: on `known` all
        embeddings are positive, on `anchor` those of masks negative, and `fc` makes the streams negative on both.
        """
        layer, hidden, size = head.layers[0], target.shape.hidden_size, head.shape.layer.head_dim
        x, y, weights = linear_guess(target, shards)
        embedded, taps = x[:, :hidden], x[:, hidden:]
        mask = nn.functional.rms_norm(target.embedding[head.shape.mask_token], (hidden,)).expand(len(x) // 8, -1)
        both, ones = torch.cat([embedded, mask]), torch.ones(len(x), 1)
        known = least_squares(both, torch.cat([ones, ones[: len(mask)]]))
        anchor = least_squares(both, torch.cat([ones, -ones[: len(mask)]]))
        signs = torch.cat([known, anchor])
        inverse = torch.linalg.pinv(signs)
        guess = weights[:, hidden:] - inverse @ (signs @ weights[:, hidden:])
        constant = inverse.sum(1, keepdim=True) @ least_squares(taps, ones)
        head.fc.weight.copy_(guess - constant * 0.3 * (taps @ guess.T).norm() / (taps @ constant.T).norm())
        context = nn.functional.rms_norm(taps @ head.fc.weight.T, (hidden,))
        fused = least_squares(torch.cat([embedded, context], dim=-1), y)

        attention, shape = layer.self_attn, head.shape.layer
        kv, half = shape.num_key_value_heads, size // 2
        low, high = torch.zeros(size), torch.zeros(size)
        # Slow rotations are nearly the same at all distances; fast ones are less alike the farther apart.
        low[half - max(half // 8, 1):half] = 1
        high[: max(half // 2, 1)] = 1
        low, high = (math.sqrt(size) * way[:, None] / way.norm() for way in (low, high))
        finders = max(kv // 3, 1)
        keys, queries = (
            projection.weight.unflatten(0, (kv, -1, size)) for projection in (attention.k_proj, attention.q_proj))
        values, outputs = attention.v_proj.weight.unflatten(0, (kv, size)), attention.o_proj.weight.unflatten(1, (kv, -1, size))
        outputs *= 0.3
        for begin, end, part, inputs, key, way in (
                (0, finders, fused[:, :hidden], embedded, anchor, low),
                (finders, kv - 1, fused[:, hidden:], context, -known, high)):
            # Both are normalised: that they are large lets them change slowly.
            for index in range(begin, end):
                keys[index].mul_(0.2).add_(5 * way @ key)
                queries[index].mul_(0.2).add_(5 * way @ known)
            guessed = inputs @ part.T
            _, ways = torch.linalg.eigh(guessed.T @ guessed)
            ways = ways[:, hidden - min((end - begin) * size, hidden):].T
            count = len(ways)
            values[begin:end].flatten(0, 1)[:count] = ways @ part
            spread = outputs[:, begin:end]
            spread[:] = 0
            group = spread.shape[2]
            spread[:] = nn.functional.pad(ways.T, (0, (end - begin) * size - count)).unflatten(1, (end - begin, 1, size)) / group
        attention.q_norm.weight.fill_(1.4)
        for name, parameter in head.named_parameters():
            if name.endswith("down_proj.weight") or (name.endswith("o_proj.weight") and not name.startswith("layers.0.")):
                parameter *= 0.3
        head.norm.weight.copy_(0.6 * target.norm)

    def describe(self, head: DFlashHead) -> tuple[str, str, str]:
        return (
            "A DFlash head for `{target}`: it reads the target's residual streams and proposes "
            f"{head.shape.guesses} tokens\nfor it in one pass.",
            "speculators' (`speculators_model_type`: `dflash`)",
            "How often each token of a block is the one that came")

    def write(self, head: DFlashHead, place: Path) -> DFlashHead:
        save_head(head, place, torch.bfloat16, self.target_name)
        return load_head(place)


class Cache:
    """A head at work, one block at a time, with the keys and values of what the target has computed."""

    def __init__(self, head: DFlashHead, embedding: Tensor) -> None:
        self.head, self.embedding = head, embedding
        self.rows: list[list[tuple[Tensor, Tensor]]] = [[] for _ in head.layers]

    def entry(self, layer: int, x: Tensor, position: int) -> tuple[Tensor, Tensor]:
        """Keys and values `[KV heads, head_dim]` of one row."""
        attention = self.head.layers[layer].self_attn
        k = attention.k_norm(attention.k_proj(x).unflatten(0, (-1, attention.head_dim)))
        return rotate(k, *self.head.angles(torch.tensor(position))), attention.v_proj(x).unflatten(0, (-1, attention.head_dim))

    def take(self, streams: Tensor) -> None:
        """The taps `[taps · hidden]` of the next position."""
        context = self.head.hidden_norm(self.head.fc(streams))
        for layer, rows in enumerate(self.rows):
            rows.append(self.entry(layer, context, len(rows)))

    def draft(self, token: int, guesses: int) -> Tensor:
        """What `lm_head` reads when `token` is the one that is known and not computed, `[guesses, hidden]`."""
        shape, known = self.head.shape, len(self.rows[0])
        masks = guesses - 1 if shape.samples_anchor else guesses
        rows = [self.embedding[token], *[self.embedding[shape.mask_token]] * masks]
        for index, layer in enumerate(self.head.layers):
            attention = layer.self_attn
            normed = [layer.input_layernorm(x) for x in rows]
            seen = self.rows[index] + [self.entry(index, x, known + place) for place, x in enumerate(normed)]
            for place, x in enumerate(normed):
                q = attention.q_norm(attention.q_proj(x).unflatten(0, (-1, attention.head_dim)))
                q = rotate(q, *self.head.angles(torch.tensor(known + place)))
                mixed = []
                for query in range(attention.heads):
                    kv = query * attention.kv_heads // attention.heads
                    scores = torch.stack([q[query] @ key[kv] for key, _ in seen]) / math.sqrt(attention.head_dim)
                    mixed.append(sum(weight * value[kv] for weight, (_, value) in zip(torch.softmax(scores, dim=0), seen)))
                x = rows[place] + attention.o_proj(torch.cat(mixed))
                rows[place] = x + layer.mlp(layer.post_attention_layernorm(x))
        return self.head.norm(torch.stack(rows if shape.samples_anchor else rows[1:]))


@torch.no_grad()
def check() -> None:
    """Training's pass equals inference one block at a time; the loss's gradient is that of autograd."""
    torch.manual_seed(3)
    layers = ModelShape(hidden_size=24, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
                        intermediate_size=40, vocab_size=50)
    for samples_anchor, guesses in ((False, 4), (False, 2), (True, 5), (True, 1)):
        head = DFlashHead(BlockShape(layers, (1, 2, 4), 24, 20, 5, 49, samples_anchor))
        for parameter in head.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        embedding, length = torch.randn(50, 24), 13
        tokens, taps = torch.randint(0, 49, (2, length + 1)), torch.randn(2, length, 72)
        columns = torch.tensor([[0, 3, 7], [2, 5, 12]])
        trained = head(embedding, tokens[:, 1:], taps, columns, guesses)
        worst = 0.0
        for row in range(2):
            cache = Cache(head, embedding)
            for position in range(length):
                cache.take(taps[row, position])
                drafted = cache.draft(int(tokens[row, position + 1]), guesses)
                for index in torch.nonzero(columns[row] == position).flatten().tolist():
                    worst = max(worst, float((trained[row, index] - drafted).abs().max()))
        print(f"{guesses} of {head.shape.guesses} guesses in training against one block at a time: {worst:.1e}")
        assert worst < 3e-5
    with torch.enable_grad():
        check_loss()


def main() -> None:
    # The paper's weights fall by e every four tokens for blocks of this size.
    parser = argument_parser(__doc__.splitlines()[0], decay=0.78)
    parser.add_argument("--block-size", type=int, default=8, help="rows of a block, the known token's included")
    parser.add_argument("--depth", type=int, default=2, help="layers of the head")
    parser.add_argument("--heads", type=int, help="query heads of a layer (default: as many as the target's)")
    parser.add_argument("--key-value-heads", type=int, help="default: one for each query head")
    parser.add_argument("--sample-from-anchor", action="store_true", help="let every row guess the token after its own, so that "
                        "the known token's row guesses too")
    parser.add_argument("--mask-token", type=int, help="what stands for unknown tokens (default: the first that no answer holds)")
    parser.add_argument("--blocks-from", type=float, default=0.0, metavar="SHARE", help="learn the first token of blocks alone for "
                        "this share of the time")
    parser.add_argument("--anchor-every", type=int, default=4, metavar="TOKENS", help="distance between the anchors that a "
                        "sequence is learnt from at a time")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.check:
        check()
    else:
        run(DFlash(arguments), arguments)


if __name__ == "__main__":
    main()
