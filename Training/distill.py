"""Trains the draft on the target's own answers, so that it guesses what the target really writes.

    python distill.py --work-dir build --foretoken ../.build/release/foretoken --minutes 20

Joint training shows the draft texts of the corpus. Where the target would have written something else, the draft
learned the wrong thing. Here Foretoken lets the exported target (run export.py first) answer fresh prompts of the
corpus's kinds, greedily and sampled, and the draft learns the target's distribution over the answers; the target stays
as it is.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from build_corpus import examples
from corpus.document import END_OF_TEXT, chat_prompt
from model import DRAFT, TARGET, Qwen3
from tokenizer import load_tokenizer
from train import labels, optimizers, save

HERE = Path(__file__).parent


def write_answers(foretoken: Path, target: Path, work: Path, count: int, seed: int) -> Path:
    """Answers of the target to `count` prompts that are not held out; every third is sampled."""
    path = work / f"answers-{seed}.jsonl"
    if path.exists() and sum(1 for _ in path.open()) == count:
        return path
    rng = random.Random(seed)
    prompts = [example.prompt for example in examples(seed=seed, count=count, held_out=False)]
    halves = {"0": [p for i, p in enumerate(prompts) if i % 3], "0.8": [p for i, p in enumerate(prompts) if i % 3 == 0]}
    lines: list[str] = []
    for temperature, chosen in halves.items():
        source = work / f"prompts-{temperature}.jsonl"
        source.write_text("".join(json.dumps({"prompt": p, "seed": rng.randrange(2**32)}) + "\n" for p in chosen))
        command = [str(foretoken), "batch", "-m", str(target), "--max-num-seqs", "32", "--max-tokens", "300",
                   "--temperature", temperature, str(source)]
        answers = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        lines += [json.dumps({"prompt": p, "token_ids": json.loads(a)["token_ids"]}) for p, a in zip(chosen, answers)]
    rng.shuffle(lines)
    path.write_text("\n".join(lines) + "\n")
    return path


def tokens_of(path: Path, tokenizer) -> np.ndarray:
    end = tokenizer.encode("\n").ids + [tokenizer.token_to_id(END_OF_TEXT)]
    pieces = []
    for line in path.read_text().splitlines():
        case = json.loads(line)
        pieces.append(np.array(tokenizer.encode(chat_prompt(case["prompt"])).ids + case["token_ids"] + end, dtype=np.uint16))
    return np.concatenate(pieces)


@torch.no_grad()
def draft_gradients(target_hidden: Tensor, target_head: Tensor, hidden: Tensor, head: Tensor, slice_rows: int = 256):
    """KL divergence from the target's distribution, agreement of the likeliest tokens, and the gradients."""
    grad_hidden, grad_head = torch.empty_like(hidden), torch.zeros_like(head)
    divergence = agreeing = 0.0
    for start in range(0, hidden.shape[0], slice_rows):
        rows = slice(start, start + slice_rows)
        wanted = torch.softmax(target_hidden[rows] @ target_head.T, dim=-1)
        log_guess = torch.log_softmax(hidden[rows] @ head.T, dim=-1)
        agreeing += float((wanted.argmax(-1) == log_guess.argmax(-1)).sum())
        divergence += float((wanted * (wanted.clamp(min=1e-20).log() - log_guess)).sum())
        difference = log_guess.exp_().sub_(wanted).div_(hidden.shape[0])
        torch.mm(difference, head, out=grad_hidden[rows])
        grad_head.addmm_(difference.T, hidden[rows])
    return divergence / hidden.shape[0], agreeing / hidden.shape[0], grad_hidden, grad_head


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, default=HERE / "build")
    parser.add_argument("--foretoken", type=Path, default=HERE.parent / ".build/release/foretoken")
    parser.add_argument("--target", type=Path, default=HERE.parent / "Models/foretoken-reference-target")
    parser.add_argument("--answers", type=int, default=12_000, help="answers to learn from")
    parser.add_argument("--minutes", type=float, default=20, help="time to train")
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    work = arguments.work_dir
    tokenizer = load_tokenizer(work / "tokenizer.json")
    path = write_answers(arguments.foretoken, arguments.target, work, arguments.answers, seed=21)
    tokens = tokens_of(path, tokenizer)
    wanted = labels(tokens, tokenizer)
    print(f"{len(tokens):,} tokens, {int((wanted >= 0).sum()):,} of them the target's")

    state = torch.load(work / "checkpoint.pt", weights_only=True)
    target, draft = Qwen3(TARGET), Qwen3(DRAFT)
    target.load_state_dict(state["target"])
    draft.load_state_dict(state["draft"])
    groups = optimizers(draft, 0.01, 3e-3)
    base_rates = [group["lr"] for optimizer in groups for group in optimizer.param_groups]
    windows = (len(tokens) - 1) // arguments.length
    order = np.random.default_rng(0)
    started = logged = time.time()
    step, mean = 0, 0.0
    log = (work / "distill.jsonl").open("a")
    while (done := (time.time() - started) / (arguments.minutes * 60)) < 1:
        factor = min(1.0, done / 0.03, (1 - done) / 0.6)
        for group, base in zip([g for optimizer in groups for g in optimizer.param_groups], base_rates):
            group["lr"] = base * max(factor, 1e-3)
        starts = order.integers(0, windows, arguments.sequences) * arguments.length
        x = torch.from_numpy(np.stack([tokens[s : s + arguments.length] for s in starts]).astype(np.int64))
        y = np.stack([wanted[s + 1 : s + arguments.length + 1] for s in starts])
        counted = torch.from_numpy(np.flatnonzero(y.reshape(-1) >= 0))
        with torch.no_grad():
            target_hidden = target.hidden(x).flatten(0, 1)[counted]
        hidden = draft.hidden(x).flatten(0, 1)
        divergence, agreement, grad, head_grad = draft_gradients(
            target_hidden, target.head.detach(), hidden.detach()[counted], draft.head)
        hidden.backward(torch.zeros_like(hidden).index_copy_(0, counted, grad))
        draft.head.grad = head_grad if draft.head.grad is None else draft.head.grad + head_grad
        nn.utils.clip_grad_norm_(draft.parameters(), 1.0)
        for optimizer in groups:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        mean = agreement if step == 1 else 0.98 * mean + 0.02 * agreement
        if time.time() - logged > 30:
            logged = time.time()
            entry = {"step": step, "tokens": step * arguments.sequences * arguments.length, "done": round(done, 4),
                     "divergence": round(divergence, 4), "agreement": round(mean, 4)}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            print(json.dumps(entry), flush=True)
    state["draft"] = draft.state_dict()
    save(work / "distilled.pt", target=state["target"], draft=state["draft"], step=state["step"], spent=state["spent"])
    print(f"{step} steps; agreement {mean:.1%}, {math.ceil((time.time() - started) / 60)} minutes")


if __name__ == "__main__":
    main()
