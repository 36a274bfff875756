"""What a head is trained on: the target's streams over its own answers, and what the head shares with the target.

A folder of `taps-NNNNN.safetensors` (`foretoken batch --taps`), or of folders of them (`answer.py`), holds, a row per
position: `tokens`, `next` (the token after it, -1: unknown), `positions` (0 begins a sequence), `is_answer` (1: `next`
belongs to the answer) and `taps.L`, the residual stream that enters layer L. `taps.N` of N layers is the one that the last
norm reads: with it a head learns the target's whole distribution, otherwise `next` alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from model import ModelShape

# One sequence of so many is for validation.
HELD_OUT = 50
# Rows of logits that are in memory at a time.
SLICE = 128


class Target:
    """What the head shares with its target: the embedding, and the last norm and head that make the streams a distribution."""

    def __init__(self, place: Path) -> None:
        config = json.loads((place / "config.json").read_text())
        self.shape = ModelShape(**{name: config[name] for name in ModelShape.__dataclass_fields__})
        weights = {
            name: tensor.float() for path in place.glob("*.safetensors") for name, tensor in load_file(path).items()
            if name in ("model.embed_tokens.weight", "model.norm.weight", "lm_head.weight")}
        self.embedding = weights["model.embed_tokens.weight"]
        self.norm = weights["model.norm.weight"]
        self.head = weights.get("lm_head.weight", self.embedding)

    def distribution(self, stream: Tensor, ids: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Over the tokens `ids` alone, from the stream that the last norm reads; the product is of `dtype`."""
        normed = nn.functional.rms_norm(stream, self.norm.shape, self.norm, self.shape.rms_norm_eps).to(dtype)
        head = self.head[ids].to(dtype)
        rows = [torch.softmax((part @ head.T).float(), dim=-1).to(dtype) for part in normed.split(SLICE)]
        return torch.cat(rows) if rows else torch.empty(0, len(ids), dtype=dtype)


@dataclass(frozen=True)
class Batch:
    """Sequences of like length, padded: `[batch, length]`, taps `[batch, length, taps * hidden]`."""

    following: Tensor
    """The token after every position; -1 where unknown and in the padding."""
    answer: Tensor
    """Whether that token belongs to the answer."""
    taps: Tensor
    last: Tensor | None
    """The stream that the last norm reads, if the shards have it."""

    def columns(self) -> tuple[Tensor, Tensor]:
        """Slots whose first guess is a token of the answer, `[batch, n]`, and which of them are no padding."""
        starts = self.answer[:, 1:]
        count = starts.sum(-1)
        order = torch.argsort(~starts, dim=-1, stable=True)[:, : max(int(count.max()), 1)]
        return order, torch.arange(order.shape[1]) < count[:, None]


class Shards:
    """The sequences of a folder of shards. Rows are read when a batch needs them: a shard is as large as its streams."""

    def __init__(self, folder: Path, taps: tuple[int, ...], last: int) -> None:
        self.folder, self.taps, self.files, self.sequences, self.held_out = folder, taps, {}, [], []
        self.answers: list[np.ndarray] = []
        self.prompts: list[np.ndarray] = []
        self.divisors = torch.ones(())
        self.refresh()
        if not self.files:
            raise SystemExit(f"no taps-*.safetensors in {folder}")
        names = set(next(iter(self.files.values())).keys())
        missing = [f"taps.{tap}" for tap in taps if f"taps.{tap}" not in names]
        if missing:
            raise SystemExit(f"the shards have no {', '.join(missing)}, but {', '.join(sorted(names))}")
        self.last = f"taps.{last}" if f"taps.{last}" in names else None

    def refresh(self) -> None:
        """Takes in the shards that have come since, but for those of parts that are not finished."""
        paths = [*self.folder.glob("taps-*.safetensors"), *self.folder.glob("part-*/taps-*.safetensors")]
        for path in sorted(path for path in paths if path.parent.suffix != ".unfinished" and path not in self.files):
            file = safe_open(path, framework="pt")
            positions, following = file.get_tensor("positions"), file.get_tensor("next")
            answer = (file.get_tensor("is_answer") > 0) & (following >= 0)
            self.answers.append(following[answer].numpy())
            self.prompts.append(following[~answer & (following >= 0)].numpy())
            starts = [*torch.nonzero(positions == 0).flatten().tolist(), len(positions)]
            for number, (start, end) in enumerate(zip(starts, starts[1:])):
                if int(answer[start + 1:end].sum()):
                    (self.held_out if number % HELD_OUT == 0 else self.sequences).append((path, start, end))
            self.files[path] = file

    def scales(self, most: int = 8192) -> Tensor:
        """The root mean square of every channel of the taps, over positions whose token is an answer's.

        Streams have a few channels that are tens of times larger than the others. Training divides by this, and the
        exported `fc` has it within.
        """
        file = next(iter(self.files.values()))
        rows = file.get_tensor("is_answer")[:most] > 0
        streams = torch.cat([file.get_slice(f"taps.{tap}")[:most][rows].float() for tap in self.taps], dim=-1)
        return streams.square().mean(0).sqrt().clamp(min=1e-3)

    def draft_ids(self, size: int, vocabulary: int) -> Tensor:
        """The tokens that answers hold most often; in ascending order, as d2t is written."""
        counts = np.bincount(np.concatenate(self.answers), minlength=vocabulary)
        # Ties go to what prompts hold most often.
        prompts = np.bincount(np.concatenate(self.prompts), minlength=vocabulary)
        chosen = np.lexsort((-prompts, -counts))[:size]
        print(f"{size} tokens of {vocabulary} cover {counts[chosen].sum() / counts.sum():.3%} of the answers")
        return torch.from_numpy(np.sort(chosen))

    def unused_token(self, vocabulary: int) -> int:
        """The first token that no sequence holds, or the one that is rarest."""
        tokens = np.concatenate([*self.answers, *self.prompts])
        return int(np.bincount(tokens, minlength=vocabulary).argmin())

    def batches(self, sequences: list[tuple[Path, int, int]], rows: int, seed: int) -> list[list[tuple[Path, int, int]]]:
        """All sequences once, those of like length together, at most `rows` positions with the padding."""
        random = np.random.default_rng(seed)
        order = sorted(random.permutation(len(sequences)), key=lambda i: (sequences[i][2] - sequences[i][1]) // 16)
        groups: list[list[tuple[Path, int, int]]] = [[]]
        for index in order:
            file, start, end = sequences[index]
            longest = max([end - start, *(e - s for _, s, e in groups[-1])])
            if groups[-1] and longest * (len(groups[-1]) + 1) > rows:
                groups.append([])
            groups[-1].append((file, start, end))
        random.shuffle(groups)
        return groups

    def read(self, group: list[tuple[Path, int, int]], first: int | None = None) -> Batch:
        """With `first`, tokens of prompts count as an answer's do, from that position on."""
        length = max(end - start for _, start, end in group)

        def padded(name: str, fill: float) -> Tensor:
            parts = [self.files[file].get_slice(name)[start:end] for file, start, end in group]
            shape = (len(group), length, *parts[0].shape[1:])
            result = torch.full(shape, fill, dtype=torch.float32 if parts[0].is_floating_point() else torch.long)
            for row, part in zip(result, parts):
                row[: len(part)] = part
            return result

        following = padded("next", -1)
        learnt = padded("is_answer", 0) > 0
        if first is not None:
            learnt |= padded("positions", -1) >= first
        return Batch(
            following, learnt & (following >= 0),
            torch.cat([padded(f"taps.{tap}", 0.0) for tap in self.taps], dim=-1) / self.divisors,
            padded(self.last, 0.0) if self.last else None)
