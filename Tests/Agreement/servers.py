"""llama.cpp's server and Foretoken's on one file, asked by llama.cpp's own endpoint."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path

# Log-probabilities beside each token, the most that Foretoken gives.
BESIDE = 20
START_SECONDS = 120


class Failure(Exception):
    """Something that could not be made or asked, in a sentence."""


@dataclass(frozen=True)
class Step:
    """A token, and the log-probabilities of the likeliest in its place."""

    token: int
    likeliest: dict[int, float]


@dataclass(frozen=True)
class Answer:
    """A greedy answer as it came."""

    text: str
    tokens: int
    """The one that ended it included."""
    seconds: float
    """From the first token to the end, by the client's clock."""
    proposed: int
    accepted: int


class Server:
    """A program that serves one file."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.address = f"http://127.0.0.1:{port}"

    def continued(self, prompt: list[int], count: int) -> list[Step]:
        """The likeliest continuation of a prompt of ids."""
        request = {"prompt": prompt, "n_predict": count, "temperature": 0, "n_probs": BESIDE, "return_tokens": True,
                   "cache_prompt": False}
        answer = self.asked("/completion", request)
        try:
            steps = [
                Step(place["id"], {beside["id"]: beside["logprob"] for beside in place["top_logprobs"]})
                for place in answer["completion_probabilities"]]
            tokens = answer["tokens"]
        except (KeyError, TypeError) as error:
            raise Failure(f"{self.name} answered something unexpected: {error!r}") from None
        if [step.token for step in steps] != tokens or len(tokens) != count:
            raise Failure(f"{self.name} gave {len(tokens)} tokens and log-probabilities of {len(steps)}, not {count}.")
        return steps

    def prompt_tokens(self, message: str) -> list[int]:
        """The prompt that the model's chat template makes of a user's message."""
        text = self.asked("/apply-template", {"messages": [{"role": "user", "content": message}]})["prompt"]
        return self.asked("/tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]

    def streamed(self, prompt: list[int], most: int) -> Answer:
        """The likeliest continuation of a prompt of ids, of `most` tokens at most."""
        request = {"prompt": prompt, "n_predict": most, "temperature": 0, "stream": True, "cache_prompt": False}
        text, first = [], None
        with self.opened("/completion", request) as answer:
            for line in answer:
                if not line.startswith(b"data: {"):
                    continue
                event = json.loads(line[6:])
                text.append(event["content"])
                if event["tokens"] and first is None:
                    first = time.perf_counter()
                if not event["stop"]:
                    continue
                ended, timings = time.perf_counter(), event["timings"]
                if event["tokens_evaluated"] != len(prompt):
                    raise Failure(f"{self.name} read {event['tokens_evaluated']} of {len(prompt)} tokens of a prompt.")
                return Answer(
                    "".join(text), event["tokens_predicted"], ended - (first or ended), timings.get("draft_n", 0),
                    timings.get("draft_n_accepted", 0))
        raise Failure(f"{self.name} broke off an answer.")

    def asked(self, path: str, body: dict[str, object] | None = None) -> dict:
        with self.opened(path, body) as answer:
            return json.load(answer)

    @contextlib.contextmanager
    def opened(self, path: str, body: dict[str, object] | None = None) -> Iterator[HTTPResponse]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise Failure(f"{self.name} answered {path} with {error.code}: {said}") from None

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.address + "/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def served(name: str, command: list[object], log: Path) -> Iterator[Server]:
    """A server, ready, until the caller is done with it. What it says goes to `log`."""
    port = free_port()
    words = [*(str(word) for word in command), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=subprocess.STDOUT)
        try:
            server, started = Server(name, port), time.monotonic()
            while not server.is_ready():
                if process.poll() is not None or time.monotonic() > started + START_SECONDS:
                    lines = log.read_text(errors="replace").strip().splitlines()
                    raise Failure(f"{name} does not serve ({process.returncode}): " + " ".join(lines[-2:])[-300:])
                time.sleep(0.1)
            yield server
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def llama(program: Path, file: Path, context: int, threads: int) -> contextlib.AbstractContextManager[Server]:
    """In single precision throughout: keys, values and scores too."""
    return served("llama.cpp", [
        program, "--model", file, "--ctx-size", context, "--parallel", 1, "--threads", threads, "--flash-attn", "off",
        "--cache-type-k", "f32", "--cache-type-v", "f32", "--no-warmup",
    ], file.with_suffix(".llama.log"))


def foretoken(program: Path, file: Path, context: int, threads: int) -> contextlib.AbstractContextManager[Server]:
    return served("foretoken", [
        program, "serve", file, "--max-model-len", context, "--threads", threads, "--no-weight-cache",
    ], file.with_suffix(".foretoken.log"))
