"""Has a target answer instructions through Foretoken, part by part, and keeps its streams for `eagle3.py` and `dflash.py`.

    python answer.py -m MODEL.gguf build/instructions.jsonl --out build/smollm2 --tap-layers 2 12 21 27 30

A part is a folder of its own, `part-00000` and so on, with `answers.jsonl` and the shards of `foretoken batch --taps`; one that
was finished is not made again, and training may begin while later ones are missing. One part of three is sampled, as
`--temperature` says, the others are greedy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("instructions", type=Path, help="lines for foretoken batch")
    parser.add_argument("-m", "--model", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the parts")
    parser.add_argument("--tap-layers", type=int, nargs="+", required=True, help="streams to keep, by the layer that they enter")
    parser.add_argument("--foretoken", type=Path, default=HERE.parent / ".build/release/foretoken")
    parser.add_argument("--part", type=int, default=500, help="instructions of a part")
    parser.add_argument("--temperature", type=float, default=0.7, help="of the parts that are sampled")
    parser.add_argument("--at-a-time", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    lines = arguments.instructions.read_text().splitlines()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number, start in enumerate(range(0, len(lines), arguments.part)):
        place = arguments.out / f"part-{number:05d}"
        if place.exists():
            continue
        unfinished = place.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        prompts = unfinished / "instructions.jsonl"
        prompts.write_text("\n".join(lines[start:start + arguments.part]) + "\n")
        began = time.time()
        subprocess.run([
            arguments.foretoken, "batch", "-m", arguments.model, prompts, "-o", unfinished / "answers.jsonl",
            "--taps", unfinished, "--tap-layers", *map(str, arguments.tap_layers),
            "--temperature", str(arguments.temperature if number % 3 == 2 else 0),
            "--max-num-seqs", str(arguments.at_a_time), "--threads", str(arguments.threads)],
            check=True, stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1"})
        usage = [json.loads(line)["usage"] for line in (unfinished / "answers.jsonl").read_text().splitlines()]
        unfinished.rename(place)
        written = sum(entry["completion_tokens"] for entry in usage)
        print(json.dumps({
            "part": number, "answers": len(usage), "tokens": written, "prompt_tokens": sum(entry["prompt_tokens"] for entry in usage),
            "seconds": round(time.time() - began)}), flush=True)


if __name__ == "__main__":
    main()
