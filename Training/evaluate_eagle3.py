"""Measures an exported EAGLE-3 head on the held-out prompts, in Python alone.

    python evaluate_eagle3.py --head ../Models/foretoken-reference-eagle3

`transformers` writes the target's greedy answers; the head drafts a greedy chain after every token that a pass would have
verified, and what agrees with the answer counts as accepted. Foretoken must measure the same, but for near ties.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from eagle3_head import Eagle3Head, Unrolled, load_head

HERE = Path(__file__).parent


class Answers:
    """The target's greedy answers, and the streams behind them."""

    def __init__(self, target: Path, most: int) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(target)
        self.model = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32).eval()
        self.embedding = self.model.get_input_embeddings().weight.detach()
        self.most = most

    def tokens(self, prompt: str) -> tuple[list[int], int]:
        """Prompt and answer, and how many tokens the prompt has."""
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True)
        known = self.tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        whole = self.model.generate(known, do_sample=False, max_new_tokens=self.most)
        return whole[0].tolist(), known.shape[1]

    def streams(self, tokens: list[int], layers: tuple[int, ...]) -> Tensor:
        """The streams entering `layers`, side by side, `[len(tokens), …]`."""
        found: dict[int, Tensor] = {}
        handles = [
            self.model.model.layers[layer].register_forward_pre_hook(
                lambda _, arguments, layer=layer: found.__setitem__(layer, arguments[0][0])) for layer in layers]
        self.model(torch.tensor([tokens]))
        for handle in handles:
            handle.remove()
        return torch.cat([found[layer] for layer in layers], dim=-1)


def chains(head: Eagle3Head, answers: Answers, tokens: list[int], begin: int, window: int) -> Tensor:
    """What the head drafts once `n` tokens are known, for every n from `begin` on: `[len(tokens) - begin, window]`."""
    following = torch.tensor([tokens[1:]])
    taps = answers.streams(tokens, head.shape.taps)[None, :-1]
    unrolled = Unrolled(head, answers.embedding, following, taps, torch.arange(begin - 2, len(tokens) - 2)[None])
    drafted: list[Tensor] = []
    for step in range(window):
        if step:
            unrolled.step(drafted[-1])
        drafted.append(head.draft_ids[head.lm_head(unrolled.normed).argmax(-1)])
    return torch.cat(drafted).T


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--head", type=Path, default=HERE.parent / "Models/foretoken-reference-eagle3")
    parser.add_argument("--target", type=Path, default=HERE.parent / "Models/foretoken-reference-target")
    parser.add_argument("--prompts", type=Path, default=HERE / "heldout_prompts.jsonl")
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    head, answers = load_head(arguments.head), Answers(arguments.target, arguments.max_tokens)
    rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in arguments.prompts.read_text().splitlines():
        case = json.loads(line)
        tokens, prompt = answers.tokens(case["prompt"])
        # The first token of an answer comes with the prompt's own pass.
        known, accepted, passes = prompt + 1, 0, 0
        drafted = chains(head, answers, tokens, known, arguments.window) if known < len(tokens) else None
        while known < len(tokens):
            agreeing = 0
            for guess, token in zip(drafted[known - prompt - 1].tolist(), tokens[known:]):
                if guess != token:
                    break
                agreeing += 1
            accepted, passes, known = accepted + agreeing, passes + 1, known + agreeing + 1
        for name in (case["category"], f"all {case['kind']}"):
            rows[name]["prompts"] += 1
            rows[name]["accepted"] += accepted
            rows[name]["passes"] += passes
    results = {
        name: {"prompts": row["prompts"], "acceptance_rate": row["accepted"] / max(row["passes"] * arguments.window, 1),
               "mean_acceptance_length": 1 + row["accepted"] / max(row["passes"], 1)}
        for name, row in sorted(rows.items())}
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'kind':16} {'prompts':>7} {'acceptance':>10} {'length':>7}")
    for name, row in results.items():
        print(f"{name:16} {row['prompts']:7} {row['acceptance_rate']:10.1%} {row['mean_acceptance_length']:7.2f}")


if __name__ == "__main__":
    main()
