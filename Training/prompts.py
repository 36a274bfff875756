"""Writes prompts of the corpus's kinds for the reference target to answer, so that a head can be trained on what it says.

    python prompts.py --count 16000 --out build/prompts.jsonl

Every line is one for `foretoken batch`, as `instructions.py` writes them. None is held out.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path

from build_corpus import examples

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--open-ended", type=float, default=0.14, metavar="SHARE", help="share of open-ended prompts")
    parser.add_argument("--repeats", type=int, default=3, help="how often a prompt may come: some answers are sampled")
    parser.add_argument("--also", type=Path, metavar="FILE", help="lines of `instructions.py`: what the corpus does not ask")
    parser.add_argument("--also-count", type=int, default=2500, help="so many of them")
    parser.add_argument("--seed", type=int, default=240)
    parser.add_argument("--max-tokens", type=int, default=300)
    parser.add_argument("--out", type=Path, default=HERE / "build/prompts.jsonl")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    wanted = {"open-ended": round(arguments.count * arguments.open_ended)}
    wanted["structured"] = arguments.count - wanted["open-ended"]
    lines: list[str] = []
    seen: Counter[str] = Counter()

    def add(category: str, prompt: str) -> None:
        lines.append(json.dumps({
            "id": f"{category}-{len(lines):05d}", "prompt": prompt, "seed": len(lines), "max_tokens": arguments.max_tokens}))

    for example in examples(seed=arguments.seed, count=100 * arguments.count, held_out=False):
        if wanted[example.kind] == 0 or seen[example.prompt] == arguments.repeats:
            continue
        wanted[example.kind] -= 1
        seen[example.prompt] += 1
        add(example.category, example.prompt)
        if not any(wanted.values()):
            break
    if arguments.also:
        for line in rng.sample(arguments.also.read_text().splitlines(), arguments.also_count):
            add("also", json.loads(line)["prompt"])
    # Part by part is trained on as it comes, so that every part should hold all kinds.
    rng.shuffle(lines)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
