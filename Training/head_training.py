"""Training, export and command line that heads of all kinds share; `eagle3.py` and `dflash.py` say what is their own."""

from __future__ import annotations

import argparse
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from draft_head import DraftHead
from head_loss import score
from muon import Muon
from streams import Batch, Shards, Target
from train import save

HERE = Path(__file__).parent
MODELS = HERE.parent / "Models"


class Recipe(ABC):
    """What a kind of head is, and how it guesses while it is trained."""

    name: str
    """Of the checkpoint and the log in the working directory, and of the file that has the recipe."""
    steps: int
    """How many tokens a chain or a block guesses."""
    settings: dict[str, object]
    """What `new` needs beside its arguments; kept in checkpoints."""

    @abstractmethod
    def new(self, target: Target, taps: tuple[int, ...], ids: Tensor) -> DraftHead:
        """A head that has learnt nothing."""

    def complete(self, shards: Shards, target: Target) -> None:
        """Settings that depend on the data, before the first head is made."""

    @abstractmethod
    def start_linearly(self, head: DraftHead, target: Target, shards: Shards) -> None:
        """Makes the best linear guess the head's first weights."""

    def columns(self, batch: Batch, steps: int | None = None) -> tuple[Tensor, Tensor]:
        """Where chains or blocks of so many steps begin, and which of them are no padding; see `Batch.columns`.

        `None` is for validation, which is to have the same ones every time.
        """
        return batch.columns()

    def steps_at(self, done: float) -> int:
        """How many of the steps are learnt when this share of the time is over."""
        return self.steps

    @abstractmethod
    def guesses(
        self, head: DraftHead, target: Target, batch: Batch, columns: Tensor, steps: int, dtype: torch.dtype
    ) -> Iterable[Tensor]:
        """What `lm_head` reads in each step, `[batch, columns, hidden]`: step k of column p guesses token p + 2 + k."""

    @abstractmethod
    def describe(self, head: DraftHead) -> tuple[str, str, str]:
        """For the card: what the head is, its format, and what one step is."""

    @abstractmethod
    def write(self, head: DraftHead, place: Path) -> DraftHead:
        """Writes the head's files into a directory that exists, and reads them again."""


def summary(losses: list[float], counts: np.ndarray) -> dict[str, object]:
    """Per step: how often the guess is the token that came, given what the step was given; and the mean accepted length.

    That mean is over chains from every column, where decoding starts one only after the last was verified.
    """
    guesses, right, accepted = counts
    return {
        "loss": round(float(np.mean(losses)), 4), "agreement": [round(x, 4) for x in (right / np.maximum(guesses, 1)).tolist()],
        "length": round(float(1 + accepted.sum() / max(guesses[0], 1)), 3)}


@torch.no_grad()
def validate(recipe: Recipe, head: DraftHead, target: Target, shards: Shards, rows: int, dtype: torch.dtype) -> dict[str, object]:
    counts, losses = np.zeros((3, recipe.steps)), []
    for group in shards.batches(shards.held_out, rows, seed=0):
        batch = shards.read(group)
        columns = recipe.columns(batch)
        guesses = recipe.guesses(head, target, batch, columns[0], recipe.steps, dtype)
        result = score(head, target, batch, columns, guesses, 1.0, dtype)
        counts += result.counts
        losses.append(float(result.loss))
    return summary(losses, counts)


def linear_guess(target: Target, shards: Shards, most: int = 32_768) -> tuple[Tensor, Tensor, Tensor]:
    """The least squares guess of the target's last stream from the embedding of the known token and the taps before it.

    Returns the guess's inputs `[rows, hidden + taps · hidden]`, the embedding's part first, what is to be guessed `[rows,
    hidden]`, both normalised, and the weights `[hidden, hidden + taps · hidden]`.
    """
    hidden = target.shape.hidden_size
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
    return x, y, least_squares(x, y)


def least_squares(x: Tensor, y: Tensor) -> Tensor:
    """The matrix that makes `y [rows, outputs]` of `x [rows, inputs]` best, a little damped: `[outputs, inputs]`."""
    gram = (x.T @ x).double()
    gram.diagonal().add_(0.003 * gram.diagonal().mean())
    return torch.linalg.solve(gram, (x.T @ y).double()).float().T


def optimizers(head: DraftHead, matrix_rate: float, other_rate: float, dtype: torch.dtype = torch.float32) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for norms and the head."""
    matrices = [p for name, p in head.named_parameters() if p.ndim == 2 and "lm_head" not in name]
    others = [p for name, p in head.named_parameters() if p.ndim != 2 or "lm_head" in name]
    return [
        Muon(matrices, lr=matrix_rate, dtype=dtype), torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.95), weight_decay=0.0)]


def restored(recipe: Recipe, target: Target, state: dict[str, object]) -> DraftHead:
    """The head of a checkpoint."""
    recipe.settings = state.get("settings", recipe.settings)
    offsets = state["head"]["d2t"]
    head = recipe.new(target, tuple(state["taps"]), offsets + torch.arange(len(offsets)))
    head.load_state_dict(state["head"])
    return head


def train(recipe: Recipe, arguments: argparse.Namespace) -> None:
    torch.manual_seed(0)
    work, target = arguments.work_dir, Target(arguments.target)
    work.mkdir(parents=True, exist_ok=True)
    checkpoint = work / f"{recipe.name}.pt"
    step, spent, epoch, place, seen, state = 0, 0.0, 0, 0, 0, None
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
    taps = tuple(state["taps"]) if state else tuple(sorted(arguments.layers))
    dtype = torch.bfloat16 if arguments.bfloat16 else torch.float32
    shards = Shards(arguments.taps, taps, target.shape.num_hidden_layers)
    print(f"{len(shards.sequences):,} sequences, {sum(map(len, shards.answers)):,} tokens of answers, "
          f"{'distributions' if shards.last else 'tokens'} to learn")
    if state:
        head = restored(recipe, target, state)
        step, spent, epoch, place, seen = (state[name] for name in ("step", "spent", "epoch", "place", "seen"))
        shards.divisors = state.get("divisors", shards.divisors)
        print(f"resumed at step {step}")
    else:
        recipe.complete(shards, target)
        head = recipe.new(target, taps, shards.draft_ids(arguments.draft_vocabulary, target.shape.vocab_size))
        shards.divisors = shards.scales()
        if shards.last and arguments.linear_start:
            with torch.no_grad():
                recipe.start_linearly(head, target, shards)
    head.lm_head.weight.requires_grad_(not arguments.keep_head)
    groups = optimizers(head, arguments.matrix_rate, arguments.rate, dtype)
    base_rates = [group["lr"] for optimizer in groups for group in optimizer.param_groups]
    for optimizer, saved in zip(groups, state["optimizers"] if state else []):
        optimizer.load_state_dict(saved)
    batches = shards.batches(shards.sequences, arguments.rows, seed=epoch)
    log = (work / f"{recipe.name}.jsonl").open("a")
    started = last_saved = last_logged = time.time()
    begun, counts, losses, before = spent, np.zeros((3, recipe.steps)), [], step
    while True:
        spent = begun + time.time() - started
        done = spent / (arguments.minutes * 60)
        finished = done >= 1
        if not finished:
            # Warm up over 2 %, stay, and fall to zero over the last 60 %.
            factor = max(min(1.0, done / 0.02, (1 - done) / 0.6), 1e-3)
            for group, base in zip([g for optimizer in groups for g in optimizer.param_groups], base_rates):
                group["lr"] = base * factor
            steps = recipe.steps_at(done)
            batch = shards.read(batches[min(place, len(batches) - 1)], arguments.prompts_from)
            if arguments.noise:
                batch.taps.add_(torch.randn_like(batch.taps), alpha=arguments.noise)
            columns = recipe.columns(batch, steps)
            guesses = recipe.guesses(head, target, batch, columns[0], steps, dtype)
            result = score(head, target, batch, columns, guesses, arguments.decay, dtype)
            result.loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            for optimizer in groups:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            losses.append(float(result.loss.detach()))
            counts[:, :steps] += result.counts
            step, place, seen = step + 1, place + 1, seen + int(batch.answer[:, 1:].sum())
            if place >= len(batches):
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
                entry["train"] = summary(losses, counts)
            if saving:
                entry["validation"] = validate(recipe, head, target, shards, arguments.rows, dtype)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            print(json.dumps(entry), flush=True)
            counts[:] = 0
            losses.clear()
        if saving:
            last_saved = now
            save(checkpoint, head=head.state_dict(), optimizers=[optimizer.state_dict() for optimizer in groups],
                 step=step, spent=spent, epoch=epoch, place=place, seen=seen, taps=list(taps), divisors=shards.divisors,
                 settings=recipe.settings)
        if finished:
            break


def card(recipe: Recipe, head: DraftHead, name: str, target: str, log: list[dict]) -> str:
    last = next((entry for entry in reversed(log) if "validation" in entry), None)
    layer = head.shape.layer
    parameters = sum(parameter.numel() for parameter in head.parameters())
    what, form, step = recipe.describe(head)
    rows = "".join(
        f"| {number + 1} | {value:.1%} |\n" for number, value in enumerate(last["validation"]["agreement"] if last else []))
    return f"""---
license: apache-2.0
language: en
---
# {name}

{what.format(target=target)}

| | |
| --- | --- |
| Format | {form}; embedding shared with the target |
| {"Layer" if layer.num_hidden_layers == 1 else f"{layer.num_hidden_layers} layers"} | hidden {layer.hidden_size}, {layer.num_attention_heads} heads, {layer.num_key_value_heads} KV heads, head size {layer.head_dim}, feed-forward {layer.intermediate_size} |
| Reads | the streams entering layers {", ".join(map(str, head.shape.taps))} |
| Draft vocabulary | {head.shape.draft_vocab_size} of {layer.vocab_size} tokens |
| Parameters | {parameters / 1e6:.1f} M, bf16 |
| Training | {log[-1]["step"] if log else 0} steps, {(log[-1]["tokens"] if log else 0) / 1e6:.1f} M tokens of the target's own answers, one CPU core; recipe in `Training/{recipe.name}.py` |

{step} (mean
accepted length from every token: {last["validation"]["length"] if last else 0:.2f}):

| Step | Agreement |
| ---: | ---: |
{rows}"""


def export(recipe: Recipe, arguments: argparse.Namespace) -> None:
    target = Target(arguments.target)
    state = torch.load(arguments.work_dir / f"{recipe.name}.pt", weights_only=True)
    head = restored(recipe, target, state)
    with torch.no_grad():
        head.fc.weight /= state.get("divisors", 1.0)
    log = [json.loads(line) for line in (arguments.work_dir / f"{recipe.name}.jsonl").read_text().splitlines()]
    place = arguments.export
    place.mkdir(parents=True, exist_ok=True)
    again = recipe.write(head, place).state_dict()
    (place / "README.md").write_text(card(recipe, head, place.name, arguments.target_name or arguments.target.name, log))
    largest = max(float((again[name].float() - tensor.float()).abs().max()) for name, tensor in head.state_dict().items())
    print(f"{place.name}: rounding changed no weight by more than {largest:.1e}")


def argument_parser(description: str, decay: float) -> argparse.ArgumentParser:
    """With the options that all kinds have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="compare training with inference on a small example, and stop")
    parser.add_argument("--export", type=Path, metavar="DIRECTORY", help="write the last checkpoint as a model directory, and stop")
    parser.add_argument("--taps", type=Path, help="folder of taps-*.safetensors (default: WORK_DIR/taps)")
    parser.add_argument("--work-dir", type=Path, default=HERE / "build", help="checkpoint and log")
    parser.add_argument("--target", type=Path, default=MODELS / "foretoken-reference-target")
    parser.add_argument("--target-name", help="for the card, where the target's folder is called otherwise")
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 3, 5], help="streams to read, by the layer they enter")
    parser.add_argument("--draft-vocabulary", type=int, default=4096)
    parser.add_argument("--decay", type=float, default=decay, help="weight of a step's loss against that of the step before")
    parser.add_argument("--prompts-from", type=int, metavar="POSITION", help="learn what the target expects in prompts too, "
                        "from this position on: more to learn where answers are few")
    parser.add_argument("--linear-start", action="store_true", help="begin with the best linear guess: worth it where steps are few")
    parser.add_argument("--noise", type=float, default=0.0, help="noise on the streams, in parts of what they are, against learning "
                        "few answers by heart")
    parser.add_argument("--keep-head", action="store_true", help="leave the output matrix as it is, the target's to begin with")
    parser.add_argument("--rows", type=int, default=2048, help="positions per batch, padding included")
    parser.add_argument("--minutes", type=float, default=40, help="time to train, all resumed runs together")
    parser.add_argument("--save-minutes", type=float, default=5, help="time between checkpoints, each with a validation")
    parser.add_argument("--matrix-rate", type=float, default=0.03, help="Muon's learning rate")
    parser.add_argument("--rate", type=float, default=3e-3, help="AdamW's learning rate, for the head and the norms")
    parser.add_argument("--bfloat16", action="store_true", help="multiply in bf16, on processors that have units for it")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--threads", type=int)
    return parser


def run(recipe: Recipe, arguments: argparse.Namespace) -> None:
    """Exports or trains, as the arguments say."""
    arguments.taps = arguments.taps or arguments.work_dir / "taps"
    if arguments.export:
        export(recipe, arguments)
    else:
        train(recipe, arguments)
