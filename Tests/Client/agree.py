"""`foretoken bench serve` beside an independent client on the same server: do their figures agree?

    python Tests/Client/agree.py URL [--rounds 5] [--num-prompts 40] [--concurrency 4] [--output-len 128]

The other client is the official `openai` package with a closed loop in asyncio. Both send the same prompts in the same
order; rounds alternate. Prints the medians over the rounds, and exits with 1 if output throughput, mean TTFT or mean TPOT
differ by more than 3 %. The server must not share its cores with the clients, or must have some to spare.
"""

import argparse
import asyncio
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import openai

ROOT = pathlib.Path(__file__).resolve().parents[2]


async def independent(options: argparse.Namespace, prompts: list[str]) -> dict[str, float]:
    """Figures of one run, by vLLM's definitions."""
    client = openai.AsyncOpenAI(base_url=options.url + "/v1", api_key="none", max_retries=0)
    model = (await client.models.list()).data[0].id
    waiting = list(reversed(prompts))
    first_token, per_token, tokens = [], [], 0

    async def worker() -> None:
        nonlocal tokens
        while waiting:
            prompt = waiting.pop()
            start = time.perf_counter()
            first = last = None
            stream = await client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": prompt}], temperature=0, stream=True,
                max_completion_tokens=options.output_len, stream_options={"include_usage": True},
                extra_body={"ignore_eos": True})
            count = 0
            async for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    last = time.perf_counter()
                    first = first or last
                if chunk.usage:
                    count = chunk.usage.completion_tokens
            first_token.append(first - start)
            per_token.append((last - first) / (count - 1))
            tokens += count

    begun = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(options.concurrency)))
    seconds = time.perf_counter() - begun
    await client.close()
    return {"output_throughput": tokens / seconds, "mean_ttft_ms": statistics.fmean(first_token) * 1000,
            "mean_tpot_ms": statistics.fmean(per_token) * 1000}


def ours(options: argparse.Namespace, file: pathlib.Path, count: int) -> dict[str, float]:
    found = json.loads(subprocess.run(
        [options.foretoken, "bench", "serve", "--base-url", options.url, "--dataset-name", "custom", "--dataset-path", file,
         "--disable-shuffle", "--num-prompts", str(count), "--max-concurrency", str(options.concurrency), "--output-len",
         str(options.output_len), "--ignore-eos", "--json"], stdout=subprocess.PIPE, check=True).stdout)
    if found["failed"]:
        sys.exit(f"{found['failed']} requests failed: {found['failures']}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num-prompts", type=int, default=40)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--output-len", type=int, default=128)
    parser.add_argument("--foretoken", default=ROOT / ".build/release/foretoken", help="the program")
    options = parser.parse_args()
    prompts = [f"Write a short story about day number {number}." for number in range(options.num_prompts)]
    names = ("output_throughput", "mean_ttft_ms", "mean_tpot_ms")
    found = {name: ([], []) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "prompts.jsonl"
        file.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts))
        asyncio.run(independent(options, prompts))  # fills the prefix cache, as every later run finds it
        for turn in range(options.rounds):
            runs = [lambda: ours(options, file, len(prompts)), lambda: asyncio.run(independent(options, prompts))]
            order = (0, 1) if turn % 2 == 0 else (1, 0)
            for which in order:
                figures = runs[which]()
                for name in names:
                    found[name][which].append(figures[name])
    agree = True
    print(f"{'median of ' + str(options.rounds):24} {'bench serve':>12} {'openai client':>14} {'difference':>11}")
    for name in names:
        own, other = (statistics.median(values) for values in found[name])
        difference = own / other - 1
        agree = agree and abs(difference) <= 0.03
        print(f"{name:24} {own:12.3f} {other:14.3f} {100 * difference:9.2f} %")
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
