"""Trains an EAGLE-3 head for a target from streams that Foretoken wrote while the target answered.

    python eagle3.py --check
    python eagle3.py --taps build/taps --minutes 40            # --resume goes on after a stop
    python eagle3.py --export ../Models/foretoken-reference-eagle3

A folder of `taps-NNNNN.safetensors` (`foretoken batch --taps`), or of folders of them (`answer.py`), holds, a row per position: `tokens`, `next` (the token after it, -1:
unknown), `positions` (0 begins a sequence), `is_answer` (1: `next` belongs to the answer) and `taps.L`, the residual stream
that enters layer L. With `taps.N` for N layers, the one that the last norm reads, the head learns the target's whole
distribution, otherwise `next` alone. The answers should be the target's own: a head guesses what the target says.

Every chain is unrolled as it will run, its output fed back in place of the streams, on tokens that the target did say.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from eagle3_head import Eagle3Head, HeadShape, Unrolled, chosen, load_head, save_head
from model import ModelShape, rotate
from muon import Muon
from train import save

HERE = Path(__file__).parent
MODELS = HERE.parent / "Models"
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
    guesses: np.ndarray
    right: np.ndarray
    accepted: np.ndarray


def unroll(head: Eagle3Head, target: Target, batch: Batch, steps: int, decay: float, dtype: torch.dtype) -> Result:
    """Step k of column p reads token p + 1 + k and guesses token p + 2 + k, the one after row p + 1 + k."""
    mixed = torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16)
    columns, real = batch.columns()
    length, ids = batch.following.shape[1], head.draft_ids
    draft = torch.full((head.shape.layer.vocab_size,), -1).index_copy_(0, ids, torch.arange(len(ids)))
    loss, size = torch.zeros(()), 0.0
    if batch.last is not None:
        # One row of many steps: the distribution after a position is computed once.
        with torch.no_grad():
            distributions = target.distribution(batch.last[batch.answer], ids, dtype)
        numbers = (batch.answer.flatten().cumsum(0) - 1).view_as(batch.answer)
    guesses, right, accepted = (np.zeros(steps) for _ in range(3))
    whole = real
    with mixed:
        unrolled = Unrolled(head, target.embedding, batch.following, batch.taps, columns)
    for step in range(steps):
        if step:
            with mixed:
                unrolled.step(batch.following.gather(1, (columns + step).clamp(max=length - 1)))
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
        part, best = CrossEntropy.apply(unrolled.normed[learnt], head.lm_head.weight, distributions, rows, dtype)
        loss, size = loss + decay**step * part, size + decay**step * len(rows)
        hit = torch.zeros_like(real)
        hit[learnt] = best == label[learnt]
        whole = whole & hit
        guesses[step], right[step], accepted[step] = int(counted.sum()), int(hit.sum()), int(whole.sum())
    return Result(loss / max(size, 1e-6), guesses, right, accepted)


def summary(losses: list[float], totals: np.ndarray) -> dict[str, object]:
    """Per step: how often the guess is the token that came, given the chain's true tokens; and the mean accepted length.

    That mean is over chains from every token, where decoding starts one only after the last was verified.
    """
    guesses, right, accepted = totals
    return {
        "loss": round(float(np.mean(losses)), 4), "agreement": [round(x, 4) for x in (right / np.maximum(guesses, 1)).tolist()],
        "length": round(float(1 + accepted.sum() / max(guesses[0], 1)), 3)}


@torch.no_grad()
def validate(
    head: Eagle3Head, target: Target, shards: Shards, rows: int, steps: int, dtype: torch.dtype) -> dict[str, object]:
    totals, losses = np.zeros((3, steps)), []
    for group in shards.batches(shards.held_out, rows, seed=0):
        result = unroll(head, target, shards.read(group), steps, 1.0, dtype)
        totals += np.stack([result.guesses, result.right, result.accepted])
        losses.append(float(result.loss))
    return summary(losses, totals)


def optimizers(head: Eagle3Head, matrix_rate: float, other_rate: float, dtype: torch.dtype = torch.float32) -> list[torch.optim.Optimizer]:
    """Muon for the layer's matrices, AdamW for norms and the head."""
    matrices = [p for name, p in head.named_parameters() if p.ndim == 2 and "lm_head" not in name]
    others = [p for name, p in head.named_parameters() if p.ndim != 2 or "lm_head" in name]
    return [
        Muon(matrices, lr=matrix_rate, dtype=dtype), torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.95), weight_decay=0.0)]


def new_head(target: Target, taps: tuple[int, ...], ids: Tensor) -> Eagle3Head:
    """Random, but for the last norm and head, which begin as the target's, the norm smaller: it knows nothing yet."""
    shape = replace(target.shape, num_hidden_layers=1)
    head = Eagle3Head(HeadShape(shape, taps, shape.hidden_size, len(ids)))
    head.set_draft_ids(ids)
    with torch.no_grad():
        head.norm.weight.copy_(0.3 * target.norm)
        head.lm_head.weight.copy_(target.head[ids])
    return head


@torch.no_grad()
def start_linearly(head: Eagle3Head, target: Target, shards: Shards, most: int = 32_768) -> None:
    """The least squares guess of the target's last stream, from the embedding and the taps, as the head's first weights.

    The part of the taps is `fc`. That of the embedding goes through the attention: one query head of each KV head finds its own
    slot, as its queries and keys are one random projection of the embedding, and values and outputs are the largest singular
    vectors. All else starts small, so that what is learnt is added.
    """
    hidden, layer = target.shape.hidden_size, head.midlayer
    inputs, outputs, count = [], [], 0
    for path, start, end in shards.sequences:
        file = shards.files[path]
        following = file.get_slice("next")[start:end].long()
        taps = torch.cat([file.get_slice(f"taps.{tap}")[start:end].float() for tap in shards.taps], dim=-1) / shards.divisors
        last = file.get_slice(shards.last)[start:end].float()
        embedded = nn.functional.rms_norm(target.embedding[following[:-1].clamp(min=0)], (hidden,))
        inputs.append(torch.cat([embedded, taps[:-1]], dim=-1))
        outputs.append(nn.functional.rms_norm(last[1:], (hidden,)))
        count += len(outputs[-1])
        if count > most:
            break
    x, y = torch.cat(inputs), torch.cat(outputs)
    gram = (x.T @ x).double()
    gram.diagonal().add_(0.003 * gram.diagonal().mean())
    weights = torch.linalg.solve(gram, (x.T @ y).double()).float().T
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


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    work, target = arguments.work_dir, Target(arguments.target)
    work.mkdir(parents=True, exist_ok=True)
    taps = tuple(sorted(arguments.layers))
    dtype = torch.bfloat16 if arguments.bfloat16 else torch.float32
    shards = Shards(arguments.taps, taps, target.shape.num_hidden_layers)
    print(f"{len(shards.sequences):,} sequences, {sum(map(len, shards.answers)):,} tokens of answers, "
          f"{'distributions' if shards.last else 'tokens'} to learn")
    checkpoint = work / "eagle3.pt"
    step, spent, epoch, place, seen, state = 0, 0.0, 0, 0, 0, None
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        head = new_head(target, taps, state["head"]["d2t"] + torch.arange(len(state["head"]["d2t"])))
        head.load_state_dict(state["head"])
        step, spent, epoch, place, seen = (state[name] for name in ("step", "spent", "epoch", "place", "seen"))
        shards.divisors = state.get("divisors", shards.divisors)
        print(f"resumed at step {step}")
    else:
        head = new_head(target, taps, shards.draft_ids(arguments.draft_vocabulary, target.shape.vocab_size))
        shards.divisors = shards.scales()
        if shards.last and arguments.linear_start:
            start_linearly(head, target, shards)
    head.lm_head.weight.requires_grad_(not arguments.keep_head)
    groups = optimizers(head, arguments.matrix_rate, arguments.rate, dtype)
    base_rates = [group["lr"] for optimizer in groups for group in optimizer.param_groups]
    for optimizer, saved in zip(groups, state["optimizers"] if state else []):
        optimizer.load_state_dict(saved)
    batches = shards.batches(shards.sequences, arguments.rows, seed=epoch)
    log = (work / "eagle3.jsonl").open("a")
    started = last_saved = last_logged = time.time()
    begun, totals, losses, before = spent, np.zeros((3, arguments.steps)), [], step
    while True:
        spent = begun + time.time() - started
        done = spent / (arguments.minutes * 60)
        finished = done >= 1
        if not finished:
            # Warm up over 2 %, stay, and fall to zero over the last 60 %.
            factor = max(min(1.0, done / 0.02, (1 - done) / 0.6), 1e-3)
            for group, base in zip([g for optimizer in groups for g in optimizer.param_groups], base_rates):
                group["lr"] = base * factor
            steps = arguments.steps if done >= arguments.unroll_from else 1
            result = unroll(head, target, shards.read(batches[place], arguments.prompts_from), steps, arguments.decay, dtype)
            result.loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            for optimizer in groups:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            losses.append(float(result.loss.detach()))
            totals[:, :steps] += np.stack([result.guesses, result.right, result.accepted])
            step, place, seen = step + 1, place + 1, seen + int(result.guesses[0])
            if place == len(batches):
                epoch, place = epoch + 1, 0
                shards.refresh()
                batches = shards.batches(shards.sequences, arguments.rows, seed=epoch)
        elif step == before:
            print("nothing left to do: the checkpoint has reached the end of the run")
            break
        now = time.time()
        saving = finished or now - last_saved > arguments.save_minutes * 60
        if saving or now - last_logged > 60:
            last_logged = now
            entry = {"step": step, "tokens": seen, "epoch": epoch, "seconds": round(spent), "done": round(done, 4)}
            if losses:
                entry["train"] = summary(losses, totals)
            if saving:
                entry["validation"] = validate(head, target, shards, arguments.rows, arguments.steps, dtype)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            print(json.dumps(entry), flush=True)
            totals[:] = 0
            losses.clear()
        if saving:
            last_saved = now
            save(checkpoint, head=head.state_dict(), optimizers=[optimizer.state_dict() for optimizer in groups],
                 step=step, spent=spent, epoch=epoch, place=place, seen=seen, taps=list(taps), divisors=shards.divisors)
        if finished:
            break


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
        hidden, matrix = torch.randn(30, 24, requires_grad=True), torch.randn(20, 24, requires_grad=True)
        wanted = torch.softmax(torch.randn(30, 20), -1)
        loss, _ = CrossEntropy.apply(hidden, matrix, wanted.flip(0), torch.arange(29, -1, -1), torch.float32, 7)
        ours = torch.autograd.grad(loss, (hidden, matrix))
        plain = -(wanted * torch.log_softmax(hidden @ matrix.T, -1)).sum()
        theirs = torch.autograd.grad(plain, (hidden, matrix))
    worst = max(float((a - b).abs().max()) for a, b in zip([loss, *ours], [plain, *theirs]))
    print(f"loss and its gradients against autograd: {worst:.1e}")
    assert worst < 1e-4


def card(head: Eagle3Head, name: str, target: str, log: list[dict]) -> str:
    last = next((entry for entry in reversed(log) if "validation" in entry), None)
    layer = head.shape.layer
    parameters = sum(parameter.numel() for parameter in head.parameters())
    rows = "".join(
        f"| {step + 1} | {value:.1%} |\n" for step, value in enumerate(last["validation"]["agreement"] if last else []))
    return f"""---
license: apache-2.0
language: en
---
# {name}

An EAGLE-3 head for `{target}`: one layer that reads the target's residual streams and
proposes tokens for it.

| | |
| --- | --- |
| Format | SpecForge's (`LlamaForCausalLMEagle3`); embedding shared with the target |
| Layer | hidden {layer.hidden_size}, {layer.num_attention_heads} heads, {layer.num_key_value_heads} KV heads, head size {layer.head_dim}, feed-forward {layer.intermediate_size} |
| Reads | the streams entering layers {", ".join(map(str, head.shape.taps))} |
| Draft vocabulary | {head.shape.draft_vocab_size} of {layer.vocab_size} tokens |
| Parameters | {parameters / 1e6:.1f} M, bf16 |
| Training | {log[-1]["step"] if log else 0} steps, {(log[-1]["tokens"] if log else 0) / 1e6:.1f} M tokens of the target's own answers, one CPU core; recipe in `Training/eagle3.py` |

How often each step of a chain guesses the target's next token when the steps before it were fed the target's tokens (mean
accepted length of chains from every token: {last["validation"]["length"] if last else 0:.2f}):

| Step | Agreement |
| ---: | ---: |
{rows}"""


def export(arguments: argparse.Namespace) -> None:
    target = Target(arguments.target)
    state = torch.load(arguments.work_dir / "eagle3.pt", weights_only=True)
    head = new_head(target, tuple(state["taps"]), state["head"]["d2t"] + torch.arange(len(state["head"]["d2t"])))
    head.load_state_dict(state["head"])
    with torch.no_grad():
        head.fc.weight /= state.get("divisors", 1.0)
    log = [json.loads(line) for line in (arguments.work_dir / "eagle3.jsonl").read_text().splitlines()]
    arguments.export.mkdir(parents=True, exist_ok=True)
    save_head(head, arguments.export, torch.bfloat16)
    (arguments.export / "README.md").write_text(card(head, arguments.export.name, arguments.target_name or arguments.target.name, log))
    again = load_head(arguments.export).state_dict()
    largest = max(float((again[name].float() - tensor.float()).abs().max()) for name, tensor in head.state_dict().items())
    print(f"{arguments.export.name}: rounding changed no weight by more than {largest:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare training with inference on a small example, and stop")
    parser.add_argument("--export", type=Path, metavar="DIRECTORY", help="write the last checkpoint as a model directory, and stop")
    parser.add_argument("--taps", type=Path, help="folder of taps-*.safetensors (default: WORK_DIR/taps)")
    parser.add_argument("--work-dir", type=Path, default=HERE / "build", help="checkpoint and log")
    parser.add_argument("--target", type=Path, default=MODELS / "foretoken-reference-target")
    parser.add_argument("--target-name", help="for the card, where the target's folder is called otherwise")
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 3, 5], help="streams to read, by the layer they enter")
    parser.add_argument("--draft-vocabulary", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=5, help="length of the unrolled chains")
    parser.add_argument("--unroll-from", type=float, default=0.0, metavar="SHARE", help="learn the first step of chains alone for "
                        "this share of the time")
    parser.add_argument("--decay", type=float, default=0.9, help="weight of a step's loss against that of the step before")
    parser.add_argument("--prompts-from", type=int, metavar="POSITION", help="learn what the target expects in prompts too, "
                        "from this position on: more to learn where answers are few")
    parser.add_argument("--linear-start", action="store_true", help="begin with the best linear guess: worth it where steps are few")
    parser.add_argument("--keep-head", action="store_true", help="leave the output matrix as it is, the target's to begin with")
    parser.add_argument("--rows", type=int, default=2048, help="positions per batch, padding included")
    parser.add_argument("--minutes", type=float, default=40, help="time to train, all resumed runs together")
    parser.add_argument("--save-minutes", type=float, default=5, help="time between checkpoints, each with a validation")
    parser.add_argument("--matrix-rate", type=float, default=0.03, help="Muon's learning rate")
    parser.add_argument("--rate", type=float, default=3e-3, help="AdamW's learning rate, for the head and the norms")
    parser.add_argument("--bfloat16", action="store_true", help="multiply in bf16, on processors that have units for it")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    arguments.taps = arguments.taps or arguments.work_dir / "taps"
    if arguments.check:
        check()
    elif arguments.export:
        export(arguments)
    else:
        train(arguments)


if __name__ == "__main__":
    main()
