"""Measures the shipped pair on the held-out prompts, through Foretoken itself.

    python evaluate.py --foretoken ../.build/release/foretoken

For each kind of prompt: the draft's greedy acceptance rate at window 5, the mean acceptance length, and how many of
the answers are what they should be (JSON that parses, Python that parses, the reference answer word for word).
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).parent


def answer(foretoken: Path, models: Path, prompt: str, window: int) -> dict:
    command = [
        str(foretoken), "generate", "--json", "--max-tokens", "256", "--num-speculative-tokens", str(window),
        "-m", str(models / "foretoken-reference-target"), "--draft-model", str(models / "foretoken-reference-draft"), prompt,
    ]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def is_python(text: str) -> bool:
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    try:
        # Compiling finds what parsing lets pass: a parameter named twice.
        compile(code.group(1) if code else "(", "answer", "exec")
    except SyntaxError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--foretoken", type=Path, default=HERE.parent / ".build/release/foretoken")
    parser.add_argument("--models", type=Path, default=HERE.parent / "Models")
    parser.add_argument("--prompts", type=Path, default=HERE / "heldout_prompts.jsonl")
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in arguments.prompts.read_text().splitlines():
        case = json.loads(line)
        result = answer(arguments.foretoken, arguments.models, case["prompt"], arguments.window)
        speculation, text = result["speculative_decoding"], result["text"]
        for name in (case["category"], f"all {case['kind']}"):
            row = rows[name]
            row["prompts"] += 1
            row["drafts"] += speculation["num_spec_steps"]
            row["proposed"] += speculation["num_draft_tokens"]
            row["accepted"] += speculation["num_accepted_draft_tokens"]
            row["exact"] += text.strip() == case["reference"].strip()
            if case["category"].startswith("json"):
                row["checked"] += 1
                row["wellformed"] += is_json(text)
            elif "```python" in case["reference"]:
                row["checked"] += 1
                row["wellformed"] += is_python(text)
    results = {
        name: {
            "prompts": row["prompts"],
            "acceptance_rate": row["accepted"] / max(row["proposed"], 1),
            "mean_acceptance_length": 1 + row["accepted"] / max(row["drafts"], 1),
            "wellformed": row["wellformed"] / row["checked"] if row["checked"] else None,
            "exact": row["exact"] / row["prompts"],
        }
        for name, row in sorted(rows.items())
    }
    if arguments.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'kind':16} {'prompts':>7} {'acceptance':>10} {'length':>7} {'well-formed':>11} {'as reference':>12}")
    for name, row in results.items():
        formed = f"{row['wellformed']:.0%}" if row["wellformed"] is not None else "–"
        print(f"{name:16} {row['prompts']:7} {row['acceptance_rate']:10.1%} {row['mean_acceptance_length']:7.2f} "
              f"{formed:>11} {row['exact']:12.0%}")


if __name__ == "__main__":
    main()
