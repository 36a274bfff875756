"""Trains target and draft together: the target on the corpus, the draft on the target's distribution.

    python train.py --work-dir build --tokens 8000000
    python train.py --work-dir build --deadline-minutes 75 --resume

Both see each batch once; the target's logits that its own loss needs are the ones that the draft learns from, so
distillation costs no pass of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn

from corpus.document import TURN_END, TURN_START
from joint_loss import JointLoss, head_gradients
from model import DRAFT, TARGET, Qwen3
from muon import Muon
from tokenizer import load_tokenizer

KINDS = ["structured", "open-ended", "code", "prose"]


def labels(tokens: np.ndarray, tokenizer: Tokenizer) -> np.ndarray:
    """What the models learn to say: the tokens, with -1 for those of system and user turns.

    Facts of a prompt are drawn at random. Learning to foresee them is in vain, and its gradient would drown that of
    learning to repeat them in the answer.
    """
    start, end = tokenizer.token_to_id(TURN_START), tokenizer.token_to_id(TURN_END)
    assistant = tokenizer.encode("assistant").ids[0]
    tokens = tokens.astype(np.int32)
    opens = np.zeros(len(tokens), dtype=np.int64)
    opens[:-1] = np.where((tokens[:-1] == start) & (tokens[1:] != assistant), np.arange(1, len(tokens)), 0)
    closes = np.where(tokens == end, np.arange(1, len(tokens) + 1), 0)
    return np.where(np.maximum.accumulate(opens) > np.maximum.accumulate(closes), -1, tokens)


class Batches:
    """Random windows of the training tokens; the order follows from the seed and the step."""

    def __init__(self, path: Path, tokenizer: Tokenizer, sequences: int, length: int) -> None:
        self.tokens = np.memmap(path, dtype=np.uint16, mode="r")
        self.labels = labels(self.tokens, tokenizer)
        self.sequences, self.length = sequences, length
        self.windows = (len(self.tokens) - 1) // length

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        first = step * self.sequences
        epoch, place = divmod(first, self.windows)
        order = np.random.default_rng(epoch).permutation(self.windows)
        starts = [int(order[(place + i) % self.windows]) * self.length for i in range(self.sequences)]
        x = np.stack([self.tokens[start : start + self.length] for start in starts]).astype(np.int64)
        y = np.stack([self.labels[start + 1 : start + self.length + 1] for start in starts]).astype(np.int64)
        return torch.from_numpy(x), torch.from_numpy(y)


def optimizers(model: nn.Module, matrix_rate: float, other_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        Muon(matrices, lr=matrix_rate),
        torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def joint_step(target: Qwen3, draft: Qwen3, x: torch.Tensor, y: torch.Tensor, distillation: float) -> JointLoss:
    target_hidden, draft_hidden = target.hidden(x), draft.hidden(x)
    # Rows without a label cost no pass through the head.
    counted = (y.flatten() >= 0).nonzero().squeeze(1)
    losses, *gradients = head_gradients(
        target_hidden.flatten(0, 1)[counted], target.head, draft_hidden.flatten(0, 1)[counted], draft.head,
        y.flatten()[counted], distillation)
    target_grad, target_head_grad, draft_grad, draft_head_grad = gradients
    for model, hidden, grad, head_grad in (
        (target, target_hidden, target_grad, target_head_grad), (draft, draft_hidden, draft_grad, draft_head_grad)):
        hidden.flatten(0, 1).backward(torch.zeros_like(hidden.flatten(0, 1)).index_copy_(0, counted, grad))
        model.head.grad = head_grad if model.head.grad is None else model.head.grad + head_grad
    return losses


@torch.no_grad()
def validate(target: Qwen3, draft: Qwen3, work: Path, tokenizer: Tokenizer, length: int) -> dict[str, dict[str, float]]:
    results = {}
    for kind in KINDS:
        tokens = np.fromfile(work / f"validation-{kind}.bin", dtype=np.uint16)[: 8 * length + 1]
        count = min(8, (len(tokens) - 1) // length)
        x = torch.from_numpy(tokens[: count * length].astype(np.int64)).view(count, length)
        y = torch.from_numpy(labels(tokens, tokenizer)[1 : count * length + 1].astype(np.int64)).view(count, length)
        losses, *_ = head_gradients(
            target.hidden(x).flatten(0, 1), target.head, draft.hidden(x).flatten(0, 1), draft.head, y.flatten(), 1.0)
        results[kind] = {"target": round(losses.target, 4), "draft": round(losses.draft, 4), "agreement": round(losses.agreement, 4)}
    return results


def save(path: Path, **state: object) -> None:
    """Writes beside the file and renames: a crash leaves the old one."""
    torch.save(state, path.with_suffix(".tmp"))
    os.replace(path.with_suffix(".tmp"), path)


def rate_factor(done: float) -> float:
    """Warm up over 2 %, stay, and fall to zero over the last 40 %."""
    return min(1.0, done / 0.02, max(0.0, (1.0 - done) / 0.4)) if done > 0 else 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, default=Path(__file__).parent / "build")
    parser.add_argument("--tokens", type=int, help="train on this many tokens")
    parser.add_argument("--deadline-minutes", type=float, help="or: end after this much time")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--sequences", type=int, default=4, help="sequences per step")
    parser.add_argument("--length", type=int, default=512, help="tokens per sequence")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--distillation", type=float, default=0.9, help="the draft's share of the target's distribution")
    arguments = parser.parse_args()
    if (arguments.tokens is None) == (arguments.deadline_minutes is None):
        parser.error("give one of --tokens and --deadline-minutes")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    work = arguments.work_dir
    target, draft = Qwen3(TARGET), Qwen3(DRAFT)
    groups = optimizers(target, 0.02, 4e-3) + optimizers(draft, 0.02, 6e-3)
    base_rates = [group["lr"] for optimizer in groups for group in optimizer.param_groups]
    step, spent = 0, 0.0
    checkpoint = work / "checkpoint.pt"
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        target.load_state_dict(state["target"])
        draft.load_state_dict(state["draft"])
        for optimizer, saved in zip(groups, state["optimizers"]):
            optimizer.load_state_dict(saved)
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step}")
    tokenizer = load_tokenizer(work / "tokenizer.json")
    batches = Batches(work / "train.bin", tokenizer, arguments.sequences, arguments.length)
    per_step = arguments.sequences * arguments.length
    log = (work / "log.jsonl").open("a")
    started = last_saved = last_logged = time.time()
    begun = spent
    losses: JointLoss | None = None

    while True:
        spent = begun + time.time() - started
        done = step * per_step / arguments.tokens if arguments.tokens else spent / (arguments.deadline_minutes * 60)
        finished = done >= 1
        if not finished:
            rates = [group for optimizer in groups for group in optimizer.param_groups]
            for group, base in zip(rates, base_rates):
                group["lr"] = base * rate_factor(done)
            x, y = batches.at(step)
            losses = joint_step(target, draft, x, y, arguments.distillation)
            for model in (target, draft):
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in groups:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
        elif losses is None:
            print("nothing left to do: the checkpoint has reached the end of the run")
            break
        now = time.time()
        saving = finished or now - last_saved > 300
        if saving or now - last_logged > 60:
            last_logged = now
            entry = {"step": step, "tokens": step * per_step, "seconds": round(spent), "done": round(done, 4),
                     "train": {"target": round(losses.target, 4), "draft": round(losses.draft, 4), "agreement": round(losses.agreement, 4)}}
            if saving:
                entry["validation"] = validate(target, draft, work, tokenizer, arguments.length)
            log.write(json.dumps(entry) + "\n")
            log.flush()
            speed = step * per_step / max(spent, 1)
            print(f"{done:6.1%}  step {step}  {speed:,.0f} tokens/s  target {losses.target:.3f}  draft {losses.draft:.3f}  "
                  f"agreement {losses.agreement:.3f}  {json.dumps(entry.get('validation', ''))}", flush=True)
        if saving:
            last_saved = now
            save(checkpoint, target=target.state_dict(), draft=draft.state_dict(),
                 optimizers=[optimizer.state_dict() for optimizer in groups], step=step, spent=spent)
        if finished:
            break


if __name__ == "__main__":
    main()
