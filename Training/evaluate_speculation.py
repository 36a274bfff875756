"""Measures a head through Foretoken itself: acceptance and speed by category, and whether answers stay what they are.

    python evaluate_speculation.py -m MODEL.gguf --head ../Models/HEAD --temperature 0 0.7 --json build/speculation.json

Every method has a server of its own. A prompt goes to all of them, one after the other, in an order that rotates; only
one computes at a time. Then comes the next prompt, so that a busy machine is busy for all. Servers start anew for every
temperature, so that none remembers answers. Tokens per pass are those of all passes of an answer, also of those that
nothing was proposed for. Speed is of the tokens after the first, in ratios to plain decoding of the same prompt.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import socket
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass
class Sample:
    """One answer."""

    category: str
    prompt: int
    temperature: float
    method: str
    tokens: list[int]
    proposed: int
    accepted: int
    seconds: float
    """From the first token to the last."""
    first_seconds: float
    """Until the first token."""

    @property
    def passes(self) -> int:
        """Of the tokens after the first, which comes with the prompt's pass."""
        return max(len(self.tokens) - 1 - self.accepted, 1)


def methods(head: Path, window: int) -> dict[str, dict | None]:
    return {
        "plain": None, "suffix": {"method": "suffix"},
        f"eagle3, {window}": {"method": "eagle3", "model": str(head), "num_speculative_tokens": window},
        "auto": {"method": "auto", "model": str(head)}}


@contextlib.contextmanager
def server(foretoken: Path, model: Path, config: dict | None, threads: int, log: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(foretoken), "serve", str(model), "--port", str(port), "--threads", str(threads), "--max-num-seqs", "1"]
    if config:
        command += ["--speculative-config", json.dumps(config)]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            for _ in range(600):
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                    connection.request("GET", "/health")
                    if connection.getresponse().status == 200:
                        break
                except OSError:
                    time.sleep(0.2)
                if process.poll() is not None:
                    raise SystemExit(f"the server ended: {log.read_text()[-2000:]}")
            yield port
        finally:
            process.terminate()


def ask(port: int, prompt: str, temperature: float, seed: int, most: int) -> tuple[list[int], dict, float, float]:
    """The answer's tokens, what speculation did, seconds after the first token, and until it."""
    body = {
        "messages": [{"role": "user", "content": prompt}], "temperature": temperature, "seed": seed, "max_tokens": most,
        "return_token_ids": True, "stream": True, "stream_options": {"include_usage": True}}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    first = last = None
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        raise SystemExit(response.read().decode())
    tokens, metrics = [], {}
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        metrics = (event.get("metrics") or {}).get("speculative_decoding") or metrics
        for choice in event.get("choices", []):
            if choice.get("token_ids"):
                last = time.perf_counter()
                first = first or last
                tokens += choice["token_ids"]
    if not first or not last:
        raise SystemExit("an answer without tokens")
    return tokens, metrics, last - first, first - began


def measure(arguments: argparse.Namespace, cases: list[dict], temperature: float) -> list[Sample]:
    samples = []
    with contextlib.ExitStack() as stack:
        ports = {
            name: stack.enter_context(server(
                arguments.foretoken, arguments.model, config, arguments.threads, arguments.json.parent / f"serve-{index}.log"))
            for index, (name, config) in enumerate(methods(arguments.head, arguments.window).items())}
        for port in ports.values():
            ask(port, "Say hello.", 0, 0, 24)
        names = list(ports)
        for number, case in enumerate(cases):
            for name in names[number % len(names):] + names[:number % len(names)]:
                tokens, metrics, seconds, first = ask(ports[name], case["prompt"], temperature, number, arguments.max_tokens)
                samples.append(Sample(
                    case["category"], number, temperature, name, tokens, metrics.get("num_draft_tokens", 0),
                    metrics.get("num_accepted_draft_tokens", 0), seconds, first))
            print(f"\r{temperature}: {number + 1} of {len(cases)}", end="", flush=True)
    print()
    return samples


def table(samples: list[Sample]) -> str:
    """By temperature, category and method, as Markdown."""
    lines = []
    for temperature in sorted({sample.temperature for sample in samples}):
        chosen = [sample for sample in samples if sample.temperature == temperature]
        plain = {sample.prompt: sample for sample in chosen if sample.method == "plain"}
        names = list(dict.fromkeys(sample.method for sample in chosen))
        others = [name for name in ("suffix", *names) if name in names and name != "plain"]
        others = list(dict.fromkeys(others))
        different = {
            name: sum(s.tokens != plain[s.prompt].tokens for s in chosen if s.method == name) for name in others}
        lines += [
            "", f"T = {temperature:g}; answers other than plain: " + ", ".join(f"{name} {different[name]}" for name in others), "",
            "| category | " + " | ".join(f"{name}: tokens per pass | accepted | speed" for name in others) + " |",
            "| --- |" + " ---: | ---: | ---: |" * len(others)]
        groups = defaultdict(list)
        for sample in chosen:
            groups[sample.category].append(sample)
        for category, members in [*groups.items(), ("all", chosen)]:
            cells = []
            for name in others:
                own = [sample for sample in members if sample.method == name]
                written, passes = sum(len(s.tokens) - 1 for s in own), sum(s.passes for s in own)
                ratios = [
                    plain[s.prompt].seconds / s.seconds for s in own if len(s.tokens) >= 16 and s.seconds > 0]
                low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [float("nan")] * 3
                accepted = f"{sum(s.accepted for s in own) / proposed:.0%}" if (proposed := sum(s.proposed for s in own)) else "–"
                cells.append(f"{written / passes:.2f} | {accepted} | {middle:.2f} ({low:.2f}–{high:.2f})")
            lines.append(f"| {category} | " + " | ".join(cells) + " |")
    return "\n".join(lines[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", type=Path, required=True)
    parser.add_argument("--head", type=Path, required=True)
    parser.add_argument("--foretoken", type=Path, default=HERE.parent / ".build/release/foretoken")
    parser.add_argument("--prompts", type=Path, default=HERE / "evaluation_prompts.jsonl")
    parser.add_argument("--every", type=int, default=1, help="take one prompt of so many")
    parser.add_argument("--temperature", type=float, nargs="+", default=[0.0, 0.7])
    parser.add_argument("--window", type=int, default=3, help="tokens that the head proposes when it is asked alone")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, default=HERE / "build/speculation.json", help="where every answer's figures go")
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in arguments.prompts.read_text().splitlines()][::arguments.every]
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    samples = []
    for temperature in arguments.temperature:
        samples += measure(arguments, cases, temperature)
        arguments.json.write_text(json.dumps([asdict(sample) for sample in samples]))
        print(table([sample for sample in samples if sample.temperature == temperature]), flush=True)
    plain = {(s.prompt, s.temperature): s.tokens for s in samples if s.method == "plain"}
    if any(s.tokens != plain[s.prompt, s.temperature] for s in samples):
        raise SystemExit("speculation changed an answer, which must never happen")


if __name__ == "__main__":
    main()
