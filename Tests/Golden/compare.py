"""Compares the built `foretoken` with `tokenizers` and `transformers`, live, on the shipped pair and held-out text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
FORETOKEN = ROOT / ".build/release/foretoken"
# Twice the difference of single logits that the tests allow: closer than this, either token may come first.
CLOSE = 0.04


def foretoken(*arguments: str, text: str | None = None) -> dict:
    command = [str(FORETOKEN), *arguments]
    return json.loads(subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout)


def compare_tokens(model: Path) -> int:
    text = (ROOT / "Training/heldout.txt").read_text()
    ours = [entry["id"] for entry in foretoken("tokenize", "--json", "-m", str(model), text=text)["tokens"]]
    theirs = AutoTokenizer.from_pretrained(model)(text)["input_ids"]
    print(f"  {len(theirs):,} tokens of held-out text: {'equal' if ours == theirs else 'DIFFERENT'}")
    return int(ours != theirs)


@torch.no_grad()
def compare_answers(model: Path, count: int = 12, length: int = 100) -> int:
    tokenizer = AutoTokenizer.from_pretrained(model)
    reference = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    lines = (ROOT / "Training/heldout_prompts.jsonl").read_text().splitlines()
    failures, equal = 0, 0
    for line in lines[:: max(1, len(lines) // count)][:count]:
        prompt = json.loads(line)["prompt"]
        result = foretoken("generate", "--json", "--ignore-eos", "--max-tokens", str(length), "-m", str(model), prompt)
        message = [{"role": "user", "content": prompt}]
        tokens = tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=True)["input_ids"]
        if len(tokens) != result["usage"]["prompt_tokens"]:
            print(f"  the prompt has {result['usage']['prompt_tokens']} tokens, not {len(tokens)}: {prompt}")
            failures += 1
            continue
        # The reference reads our answer and says at each position what it would have written.
        logits = reference(torch.tensor([tokens + result["token_ids"]])).logits[0, len(tokens) - 1 : -1]
        best = logits.topk(1).values[:, 0]
        chosen = logits.gather(1, torch.tensor(result["token_ids"])[:, None])[:, 0]
        worst = float((best - chosen).max())
        equal += worst == 0
        if worst > CLOSE:
            print(f"  a token is {worst:.3f} below the reference's choice: {prompt}")
            failures += 1
    print(f"  greedy answers of {length} tokens: {equal} of {count} equal, {failures} wrong")
    return failures


def main() -> None:
    failures = 0
    for part in ("target", "draft"):
        model = ROOT / f"Models/foretoken-reference-{part}"
        print(f"{model.name}:")
        failures += compare_tokens(model) + compare_answers(model)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
