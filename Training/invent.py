"""Has a target write instructions: what it expects a user to say is near to what it was trained to answer.

    python invent.py -m MODEL.gguf --count 3000 --out build/invented.jsonl

The target goes on after the beginning of a user's turn, without having seen a user. What ends by itself, is of a sensible
length and was not said before becomes a line for `foretoken batch`, as `instructions.py` writes them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

HERE = Path(__file__).parent

# Each steers what kind of user comes; an empty one is the most common case of a user's own client.
SYSTEMS = (
    "", "You are a helpful assistant.", "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
    "You are an assistant that writes stories, poems and articles.", "You answer questions about a given text.",
    "You write and explain computer programs.", "You solve problems in mathematics step by step.", "You summarize texts.",
    "You rewrite texts so that they are clearer.", "You explain science and history to beginners.",
    "You translate sentences between languages.", "You play roles: the user says who you are.",
    "You answer in lists and tables.", "You extract information from texts as JSON.", "You give advice on everyday questions.")


def ask(base: str, model: str, system: str, seed: int, arguments: argparse.Namespace) -> list[str]:
    """Turns of users that the target invents, those that ended by themselves."""
    prompt = (f"<|im_start|>system\n{system}<|im_end|>\n" if system else "") + "<|im_start|>user\n"
    request = urllib.request.Request(f"{base}/v1/completions", method="POST", headers={"Content-Type": "application/json"}, data=json.dumps({
        "model": model, "prompt": prompt, "n": arguments.at_a_time, "seed": seed, "max_tokens": arguments.longest,
        "temperature": arguments.temperature, "stop": ["<|im_end|>"]}).encode())
    with urllib.request.urlopen(request) as response:
        choices = json.load(response)["choices"]
    return [choice["text"].strip() for choice in choices if choice["finish_reason"] == "stop"]


def sensible(text: str) -> bool:
    letters = sum(character.isascii() and (character.isalpha() or character.isspace()) for character in text)
    return 15 <= len(text) <= 1600 and letters > 0.75 * len(text) and "<|" not in text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", type=Path, required=True)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0, help="of the first request; others give other instructions")
    parser.add_argument("--temperature", type=float, default=0.7)
    parser.add_argument("--longest", type=int, default=160, help="tokens of an instruction")
    parser.add_argument("--at-a-time", type=int, default=96, help="instructions of one request")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--foretoken", type=Path, default=HERE.parent / ".build/release/foretoken")
    parser.add_argument("--out", type=Path, default=HERE / "build/invented.jsonl")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    seen = {json.loads(line)["prompt"] for line in (HERE / "evaluation_prompts.jsonl").read_text().splitlines()}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    server = subprocess.Popen(
        [arguments.foretoken, "serve", "-m", arguments.model, "--port", "0", "--max-num-seqs", str(2 * arguments.at_a_time),
         "--threads", str(arguments.threads)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        base = next((found[0] for line in server.stdout if (found := re.search(r"http://[\w.:]+", line))), None)
        if base is None:
            sys.exit("the server ended before it listened; run `foretoken serve` by hand to see why")
        # What it says from here on is of no interest, but it may not wait for a reader.
        Thread(target=server.stdout.read, daemon=True).start()
        with urllib.request.urlopen(f"{base}/v1/models") as response:
            model = json.load(response)["data"][0]["id"]
        with ThreadPoolExecutor(2) as pool, arguments.out.open("w") as output:
            for seed in itertools.count(arguments.seed, 2):
                seeds = (seed, seed + 1)
                for texts in pool.map(lambda seed: ask(base, model, SYSTEMS[seed % len(SYSTEMS)], seed, arguments), seeds):
                    for text in filter(sensible, texts):
                        if text in seen or count == arguments.count:
                            continue
                        seen.add(text)
                        most = rng.choices([64, 112, 176, 288], [2, 4, 3, 2])[0]
                        line = {"id": f"invented-{count:05d}", "prompt": text, "seed": count, "max_tokens": most}
                        output.write(json.dumps(line) + "\n")
                        count += 1
                output.flush()
                print(f"{count:,} of {arguments.count:,} instructions", end="\r" if sys.stdout.isatty() else "\n", flush=True)
                if count == arguments.count:
                    break
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
