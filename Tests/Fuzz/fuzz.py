#!/usr/bin/env python3
"""Mutated files, requests, templates and hostile peers: whatever they hold, a program ends with a status of its own and the
server goes on. Needs Python alone. Every failure is printed with its kind and seed, which make it again.

    Tests/Fuzz/fuzz.py --seconds 600            all kinds, in turns
    Tests/Fuzz/fuzz.py --kinds gguf --seed 17 --count 1
"""

import argparse
import concurrent.futures
import http.client
import http.server
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from command_flags import command_flags, mutated_flag
from mutators import NUMBERS, mutated_bytes, mutated_json, mutated_value

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("FORETOKEN", str(ROOT / ".build/release/foretoken"))
DRAFT = ROOT / "Models/foretoken-reference-draft"
TARGET = ROOT / "Models/foretoken-reference-target"
HEADS = ROOT / "Tests/Golden/heads"
BLOCKS = ROOT / "Tests/Golden/blocks"
TOKENIZERS = ROOT / "Tests/Golden/tokenization"
QUANTIZED = ROOT / "Tests/Golden/quantized"


def limit_memory():
    """What asks for more than a machine has is to be told so, and not to take the machine."""
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))


class Failure(Exception):
    """What must not happen."""


class Command:
    """Runs the program; a death by a signal or a hang is a failure."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.environment = {
            **os.environ, "FORETOKEN_CACHE": str(folder / "cache"), "SWIFT_BACKTRACE": "enable=no", "HF_HOME": str(folder)}

    def __call__(
        self, *arguments: str, timeout: float = 60, text: bytes = b"", may_go_on: bool = False
    ) -> subprocess.CompletedProcess | None:
        try:
            done = subprocess.run(
                [PROGRAM, *arguments], capture_output=True, input=text, timeout=timeout, env=self.environment, cwd=self.folder,
                preexec_fn=limit_memory)
        except subprocess.TimeoutExpired:
            if may_go_on:
                return None
            raise Failure(f"{arguments[0]} did not end within {timeout} s")
        if done.returncode < 0 or done.returncode >= 128:
            raise Failure(f"{arguments[0]} died with status {done.returncode}: {done.stderr[-300:]!r}")
        if done.returncode and not (done.stderr + done.stdout).strip():
            raise Failure(f"{arguments[0]} failed without a word")
        return done


class Peer:
    """A server that answers what a test gave it."""

    def __init__(self):
        peer = self
        self.metrics, self.stream, self.pages = b"", b"", 0

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, body, kind):
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def do_GET(self):
                if self.path == "/metrics":
                    peer.pages += 1
                    return self.answer(b"vllm:spec_decode_num_drafts_total 0\n" if peer.pages == 1 else peer.metrics, "text/plain")
                self.answer(b'{"data":[{"id":"m"}]}' if self.path == "/v1/models" else b"{}", "application/json")

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.answer(peer.stream, "text/event-stream")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


class Fuzzer:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.run = Command(folder)
        self.peer = Peer()
        self.server, self.options = None, []
        self.port = 0
        # Servers of models that do not generate, by name.
        self.pooling: dict[str, tuple[subprocess.Popen, int]] = {}
        self.lock, self.starting = threading.Lock(), threading.Lock()

    # MARK: Files

    def model(self, seed: int) -> pathlib.Path:
        """A copy of the draft's folder, its weights a link."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"model-{seed}-", dir=self.folder))
        for file in DRAFT.iterdir():
            if file.is_file():
                os.symlink(file, folder / file.name)
        return folder

    def replaced(self, seed: int, name: str, data: bytes, *command: str) -> None:
        folder = self.model(seed)
        (folder / name).unlink(missing_ok=True)
        (folder / name).write_bytes(data)
        try:
            self.run(*[argument.replace("DIR", str(folder)) for argument in command])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def safetensors(self, seed, rng):
        data = (DRAFT / "model.safetensors").read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = mutated_json(data[8:8 + length].decode(), rng)
        size = len(header) if rng.random() < 0.8 else int(rng.choice(NUMBERS[:14])) % 2**64
        # The values themselves hardly matter: a few kilobytes of them show whether lengths are checked.
        rest = data[8 + length:] if rng.random() < 0.2 else data[8 + length:8 + length + 4096]
        self.replaced(seed, "model.safetensors", struct.pack("<Q", size) + header + rest, "inspect", "DIR")

    def gguf(self, seed, rng):
        def text(value):
            return struct.pack("<Q", len(value)) + value

        metadata = [(b"general.architecture", 8, text(b"llama")), (b"llama.block_count", 4, struct.pack("<I", 1)),
                    (b"llama.embedding_length", 4, struct.pack("<I", 32)), (b"llama.context_length", 4, struct.pack("<I", 64)),
                    (b"llama.feed_forward_length", 4, struct.pack("<I", 64)), (b"llama.attention.head_count", 4, struct.pack("<I", 2)),
                    (b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text(b"a") + text(b"b"))]
        data = b"GGUF" + struct.pack("<IQQ", 3, 1, len(metadata))
        data += b"".join(text(name) + struct.pack("<I", kind) + value for name, kind, value in metadata)
        # ggml's number of a format, weights and bytes of its blocks.
        kind, weights, size = rng.choice([(0, 1, 4), (2, 32, 18), (12, 256, 144), (20, 32, 18), (23, 256, 136), (34, 256, 54), (39, 32, 17)])
        width = max(weights, 32)
        data += text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, width, 2, kind, 0)
        data += bytes(-len(data) % 32) + rng.randbytes(width // weights * size * 2)
        path = self.folder / f"{seed}.gguf"
        path.write_bytes(mutated_bytes(data, rng))
        try:
            self.run("inspect", str(path))
        finally:
            path.unlink()

    def heads(self, seed, rng):
        source = rng.choice(
            [place for folder in [HEADS, BLOCKS] for place in sorted(folder.iterdir()) if (place / "expected.json").exists()])
        target = json.loads((source / "expected.json").read_text())["target"]
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"head-{seed}-", dir=self.folder))
        try:
            for name in ["config.json", "model.safetensors", "head.gguf", "model.gguf"]:
                if (source / name).exists():
                    shutil.copy(source / name, folder / name)
            place, name = folder, rng.choice(["config.json", "model.safetensors"])
            for file in ["head.gguf", "model.gguf"]:
                if (folder / file).exists() and rng.random() < 0.5:
                    name, place = file, folder / file
            data = (folder / name).read_bytes()
            if name == "config.json":
                data = mutated_json(data.decode(), rng)
            elif name == "model.safetensors" and rng.random() < 0.7:
                length = struct.unpack("<Q", data[:8])[0]
                header = mutated_json(data[8:8 + length].decode(), rng)
                data = struct.pack("<Q", len(header)) + header + data[8 + length:]
            else:
                data = mutated_bytes(data, rng)
            (folder / name).write_bytes(data)
            self.run("inspect", str(place), "--target", str(HEADS / target))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def quantized(self, seed, rng):
        """Checkpoints whose matrices are in parts: what says how, where the parts lie, and the parts."""
        source = rng.choice([place for place in sorted(QUANTIZED.iterdir()) if place.is_dir()])
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"quantized-{seed}-", dir=self.folder))
        try:
            config, data = (source / "config.json").read_text(), (source / "model.safetensors").read_bytes()
            length = struct.unpack("<Q", data[:8])[0]
            header, rest = data[8:8 + length], data[8 + length:]
            if rng.random() < 0.5:
                values = json.loads(config)
                values["quantization_config"] = mutated_value(values["quantization_config"], rng)
                config = json.dumps(values)
            elif rng.random() < 0.7:
                entries = json.loads(header)
                name = rng.choice(sorted(entries))
                entries[name] = mutated_value(entries[name], rng) if rng.random() < 0.5 else entries[rng.choice(sorted(entries))]
                header = json.dumps(entries).encode()
            else:
                rest = mutated_bytes(rest, rng)
            (folder / "config.json").write_text(config)
            (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + rest)
            self.run("inspect", str(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def tokenizer(self, seed, rng):
        source = rng.choice([DRAFT, *(TOKENIZERS / name for name in ["llama2", "mistral", "gemma", "unknown-split"])])
        data = mutated_json((source / "tokenizer.json").read_text(), rng)
        self.replaced(seed, "tokenizer.json", data, "tokenize", "-m", "DIR", "Hello, wörld <s> ▁ \U0001f642")

    def vocabularies(self, seed, rng):
        """Vocabularies of pieces and scores in GGUF files."""
        def text(value):
            return struct.pack("<Q", len(value)) + value

        lists = json.loads((TOKENIZERS / rng.choice(["lists-prefix", "lists-plain"]) / "lists.json").read_text())
        count = rng.choice([259, 300, len(lists["tokens"])])
        tokens, scores, types = (lists[name][:count] for name in ["tokens", "scores", "types"])
        count = len(tokens)
        for _ in range(rng.randrange(4)):
            place = rng.randrange(count)
            kind = rng.randrange(4)
            if kind == 0: scores[place] = rng.choice([float("nan"), float("inf"), -float("inf"), 0.0, 1e38])
            elif kind == 1: types[place] = rng.choice([-1, 0, 1, 2, 3, 4, 5, 6, 7, 2**31 - 1])
            elif kind == 3: tokens = tokens[:place]
            elif place < len(tokens): tokens[place] = rng.choice(["", "▁", "<0x00>", "<0xZZ>", "a" * 5000, tokens[0]])
        metadata = [(b"general.architecture", 8, text(b"llama")), (b"llama.block_count", 4, struct.pack("<I", 1)),
                    (b"tokenizer.ggml.model", 8, text(rng.choice([b"llama", b"llama", b"llama", b"gemma4", b"gpt2"]))),
                    (b"tokenizer.ggml.pre", 8, text(b"default")),
                    (b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, len(tokens)) + b"".join(text(token.encode()) for token in tokens)),
                    (b"tokenizer.ggml.scores", 9, struct.pack(f"<IQ{len(scores)}f", 6, len(scores), *scores)),
                    (b"tokenizer.ggml.token_type", 9, struct.pack(f"<IQ{len(types)}i", 5, len(types), *types)),
                    (b"tokenizer.ggml.merges", 9, struct.pack("<IQ", 8, 1) + text("▁ a".encode())),
                    (b"tokenizer.ggml.add_space_prefix", 7, struct.pack("<B", rng.randrange(2))),
                    (b"tokenizer.ggml.bos_token_id", 4, struct.pack("<I", rng.choice([1, 1, 1, 2**32 - 1, count])))]
        data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata))
        data += b"".join(text(name) + struct.pack("<I", kind) + value for name, kind, value in metadata)
        path = self.folder / f"{seed}-pieces.gguf"
        path.write_bytes(mutated_bytes(data, rng) if rng.random() < 0.5 else data)
        try:
            self.run("tokenize", "-m", str(path), "Hello, wörld <s> ▁ \U0001f642" + rng.choice(["", "a" * 9000, " " * 9000]))
        finally:
            path.unlink()

    def configs(self, seed, rng):
        name = rng.choice([file for file in ["config.json", "generation_config.json", "tokenizer_config.json"] if (DRAFT / file).exists()])
        self.replaced(seed, name, mutated_json((DRAFT / name).read_text(), rng), "inspect", "DIR")

    def expansion(self, seed, rng):
        """What is written in place of the weights of an expanded model, or of a head."""
        name, *flags = rng.choice([("draft",), ("eagle3", "--target", str(TARGET))])
        whole = self.folder / f"expanded-{name}"
        with self.lock:
            if not whole.exists():
                source = ROOT / f"Models/foretoken-reference-{name}"
                self.run("expand", str(source), *flags, "--shape", "qwen3-0.6b", "--output", str(whole))
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"model-{seed}-", dir=self.folder))
        try:
            shutil.copytree(whole, folder, dirs_exist_ok=True)
            file = folder / rng.choice(["expansion.json", "expansion.json", "config.json"])
            file.write_bytes(mutated_json(file.read_text(), rng))
            self.run("inspect", str(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def template(self, seed, rng):
        source = (
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content|trim }}{% if loop.last %}{{ '%5d' % loop.index }}{% endif %}"
            "{% endfor %}{% set x = namespace(n=1) %}{{ messages[0].content[1:9:2].center(9) }}{{ range(3)|list|tojson }}")
        text = source
        for _ in range(rng.randint(1, 4)):
            if rng.random() < 0.5:
                digits = [index for index, letter in enumerate(text) if letter.isdigit()]
                place = rng.choice(digits) if digits else 0
                text = text[:place] + f"({int(rng.choice(NUMBERS[:14]))})" + text[place + 1:]
            else:
                text = mutated_bytes(text.encode(), rng).decode(errors="replace")
        self.replaced(seed, "chat_template.jinja", text.encode(), "generate", "-m", "DIR", "--max-tokens", "1", "--threads", "1", "Hi there, you")

    def cache(self, seed, rng, folder, *more):
        place = self.folder / "cache" / folder
        command = ["generate", "-m", str(DRAFT), "--max-tokens", "1", "--threads", "1", *more, "Hi"]
        with self.lock:
            files = sorted(place.glob("*.json")) or self.run(*command) and sorted(place.glob("*.json"))
            if not files:
                raise Failure(f"nothing is kept in {folder}")
            file = rng.choice(files)
            file.write_bytes(mutated_bytes(file.read_bytes(), rng))
            self.run(*command)

    def digests(self, seed, rng):
        self.cache(seed, rng, "digests")

    def notes(self, seed, rng):
        self.cache(seed, rng, "notes", "--draft-model", str(DRAFT))

    def speculative_config(self, seed, rng):
        config = {
            "method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 2, "prompt_lookup_max": 5, "verification": "coupled",
            "suffix_decoding_max_tree_depth": 24}
        text = mutated_json(json.dumps(config), rng).decode(errors="replace").replace("\x00", "")
        self.run("generate", "-m", str(DRAFT), "--threads", "1", "--max-tokens", "1", f"--speculative-config={text}", "Hi")

    def flags(self, seed, rng):
        # What goes on for seconds has taken its number.
        with self.lock:
            self.options = self.options or command_flags(lambda *arguments: self.run(*arguments).stdout.decode(), DRAFT)
        self.run(*mutated_flag(self.options, rng), timeout=5, may_go_on=True, text=b'{"prompt": "Hi"}\n')

    # MARK: Results and peers

    def results(self, seed, rng):
        result = json.loads((ROOT / "Tests/Fuzz/result.json").read_text())
        path = self.folder / f"result-{seed}.json"
        path.write_bytes(mutated_json(json.dumps(result), rng))
        try:
            self.run("report", str(path), "-o", "-")
        finally:
            path.unlink()

    def bench(self):
        self.peer.pages = 0
        self.run(
            "bench", "serve", "--base-url", self.peer.url, "--num-prompts", "2", "--output-len", "2", "--workload", "structured",
            timeout=120)

    def expositions(self, seed, rng):
        names = ["drafts", "draft_tokens", "accepted_tokens", 'accepted_tokens_per_pos{position="0"}']
        text = "".join(f"vllm:spec_decode_num_{name} {rng.choice(NUMBERS)}\n" for name in names).replace("}", "}", 1)
        with self.lock:
            self.peer.metrics = text.encode() if rng.random() < 0.6 else mutated_bytes(text.encode(), rng)
            self.peer.stream = b'data: {"choices":[{"index":0,"text":"a","finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
            self.bench()

    def streams(self, seed, rng):
        events = [
            {"choices": [{"index": 0, "text": "a"}]}, {"choices": [{"index": 0, "text": "b", "finish_reason": "stop"}]},
            {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}, "metrics": {"speculative_decoding": {
                "num_spec_steps": 3, "num_accepted_draft_tokens": 2, "num_draft_tokens": 6, "acceptance_histogram": [1, 1, 1]}}}]
        lines = [b"data: " + json.dumps(mutated_value(event, rng)).encode(errors="surrogatepass") + b"\n\n" for event in events]
        body = b"".join(lines) + b"data: [DONE]\n\n"
        with self.lock:
            self.peer.stream = body if rng.random() < 0.6 else mutated_bytes(body, rng)
            self.bench()

    def datasets(self, seed, rng):
        line = json.dumps({"prompt": "Say it.", "output_tokens": 3, "category": "x", "messages": [{"role": "user", "content": "a"}]})
        path = self.folder / f"data-{seed}.jsonl"
        path.write_bytes(mutated_json(line, rng) + b"\n" + line.encode() + b"\n")
        try:
            self.run("batch", "-m", str(DRAFT), "--threads", "1", "--max-tokens", "1", str(path))
        finally:
            path.unlink()

    # MARK: The server

    def started(self, model: str) -> tuple[subprocess.Popen, int]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen(
            [PROGRAM, "serve", model, "--port", str(port), "--threads", "1", "--log-level", "error"],
            stderr=subprocess.DEVNULL, env=self.run.environment)
        for _ in range(300):
            if self.is_healthy(port):
                return server, port
            time.sleep(0.1)
        raise Failure("the server did not start")

    def serve(self):
        with self.starting:
            if self.server and self.server.poll() is None:
                return
            if self.server:
                raise Failure(f"the server ended with status {self.server.returncode}")
            self.server, self.port = self.started(str(DRAFT))

    def is_healthy(self, port: int | None = None) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def post(self, path: str, body: bytes, port: int | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def checked(self, status: int) -> None:
        if status >= 500:
            raise Failure(f"status {status}")
        if self.server.poll() is not None:
            raise Failure(f"the server ended with status {self.server.returncode}")

    def requests(self, seed, rng):
        self.serve()
        body = {
            "prompt": "Hi", "max_tokens": 2, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "n": 1, "stop": ["x"], "seed": 1, "logprobs": 2,
            "echo": True, "min_tokens": 1, "logit_bias": {"5": 1}, "stop_token_ids": [3], "priority": 0, "presence_penalty": 0.1,
            "speculative": {"enabled": False}, "stream_options": {"include_usage": True}}
        path = rng.choice(["/v1/chat/completions"] * 3 + ["/v1/responses", "/v1/messages"] * 2 + ["/v1/completions", "/tokenize"])
        function = {"name": "f", "parameters": {"type": "object"}}
        if path == "/v1/chat/completions":
            body |= {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "tool_choice": "auto",
                     "tools": [{"type": "function", "function": function}]}
            del body["prompt"], body["logprobs"], body["echo"]
        elif path == "/v1/responses":
            body = self.response_body(rng, function)
        elif path == "/v1/messages":
            body = self.message_body(rng)
        if path in ["/v1/responses", "/v1/messages"] and rng.random() < 0.3:
            path += {"/v1/responses": "/input_tokens", "/v1/messages": "/count_tokens"}[path]
        self.checked(self.post(path, mutated_json(json.dumps(body), rng)))

    def response_body(self, rng, function):
        items = [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]}, {"type": "reasoning", "id": "rs", "summary": [],
                "content": [{"type": "reasoning_text", "text": "b"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c", "annotations": []}]},
            {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "d", "output": "e"}]
        return {
            "input": items[:rng.randint(1, 5)], "instructions": "f", "max_output_tokens": 2, "tools": [{"type": "function", **function}],
            "tool_choice": rng.choice(["auto", {"type": "function", "name": "f"}]), "text": {"format": {"type": "json_schema", "name": "r",
                "schema": {"type": "object"}}}, "reasoning": {"effort": "low", "summary": "auto"}, "store": True, "stream": rng.random() < 0.5,
            "include": ["message.output_text.logprobs"], "top_logprobs": 2, "metadata": {"a": "b"}, "truncation": rng.choice(["auto", "disabled"])}

    def message_body(self, rng):
        messages = [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": [{"type": "thinking", "thinking": "b", "signature": "c"},
                {"type": "text", "text": "d"}, {"type": "tool_use", "id": "e", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "e", "content": [{"type": "text", "text": "g"}]}]}]
        return {
            "messages": messages[:rng.choice([1, 3])], "system": [{"type": "text", "text": "h"}], "max_tokens": 2, "stop_sequences": ["i"],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
            "thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "low"}, "stream": rng.random() < 0.5,
            "temperature": 0.5, "top_p": 0.9, "top_k": 5, "metadata": {"user_id": "u"}}

    def other_requests(self, seed, rng):
        """Requests of Ollama's API and of llama.cpp's."""
        self.serve()
        options = {"num_predict": 2, "temperature": 0.5, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "seed": 1, "stop": ["x"], "repeat_penalty": 1.1}
        ollama = {"model": "foretoken-reference-draft", "options": options, "format": "json", "think": False, "keep_alive": "5m", "logprobs": True}
        message = {"role": "user", "content": "a", "images": [], "thinking": "b", "tool_name": "c"}
        path, body = rng.choice([
            ("/api/chat", {**ollama, "messages": [message], "tools": [{"type": "function", "function": {"name": "f"}}]}),
            ("/api/generate", {**ollama, "prompt": "Hi", "system": "x", "raw": True, "suffix": "", "context": []}),
            ("/api/show", {"model": "foretoken-reference-draft", "name": "a"}),
            ("/completion", {
                "prompt": [[1, "a", 2], "b", {"prompt_string": "c"}], "n_predict": 2, "n_probs": 2, "temperature": 0.5, "top_k": 5, "seed": -1,
                "stop": ["x"], "stream": False, "return_tokens": True, "logit_bias": [[5, 1.0], ["a", False]], "cache_prompt": True,
                "response_fields": ["content", "timings/prompt_n"], "json_schema": {"type": "boolean"}, "n_cmpl": 1, "repeat_penalty": 1.1}),
            ("/apply-template", {"messages": [message], "tools": []}),
            ("/tokenize", {"content": "a b", "with_pieces": True, "add_special": True}),
        ])
        self.checked(self.post(path, mutated_json(json.dumps(body), rng)))

    def pooling_requests(self, seed, rng):
        """Requests for embeddings and rankings, of models that were made for them."""
        model, path, body = rng.choice([
            ("lasttoken", "/v1/embeddings", {"input": ["a", "b"], "dimensions": 8, "encoding_format": "float", "truncate_prompt_tokens": 5, "priority": 0}),
            ("lasttoken", "/v1/embeddings", {"input": [[1, 2], [3]], "encoding_format": "base64", "add_special_tokens": True}),
            ("lasttoken", "/api/embed", {"model": "lasttoken", "input": ["a"], "truncate": True, "dimensions": 8}),
            ("lasttoken", "/api/embeddings", {"model": "lasttoken", "prompt": "a"}),
            ("tiny-reranker", "/v1/rerank", {"query": "a", "documents": ["b", {"text": "c"}], "top_n": 1, "return_documents": True, "instruction": "d"}),
            ("tiny-reranker", "/v1/score", {"text_1": "a", "text_2": ["b", "c"], "parse_special": True}),
        ])
        with self.starting:
            if model not in self.pooling:
                self.pooling[model] = self.started(str(ROOT / "Tests/Golden/embeddings" / model))
        server, port = self.pooling[model]
        status = self.post(path, mutated_json(json.dumps(body), rng), port)
        if status >= 500:
            raise Failure(f"status {status}")
        if server.poll() is not None:
            raise Failure(f"the server ended with status {server.returncode}")

    def schemas(self, seed, rng):
        self.serve()
        schema = {
            "type": "object", "required": ["a", "b"], "additionalProperties": False, "$defs": {"n": {"type": ["integer", "null"], "minimum": 1}},
            "properties": {
                "a": {"$ref": "#/$defs/n"}, "b": {"type": "array", "items": {"enum": ["x", 1, None]}, "minItems": 1, "maxItems": 3},
                "c": {"anyOf": [{"type": "string", "pattern": "^a+b?$", "maxLength": 5}, {"type": "number", "multipleOf": 0.5, "maximum": 9}]},
                "d": {"oneOf": [{"const": 1}, {"type": "string", "format": "date"}], "allOf": [{"$ref": "#/properties/a"}]}}}
        value = mutated_value(schema, rng)
        if rng.random() < 0.2:
            value["properties"] = {"again": {"$ref": "#"}, **(value.get("properties") or {})} if isinstance(value.get("properties"), dict) else {}
        self.checked(self.post("/v1/completions", json.dumps({"prompt": "x", "max_tokens": 3, "guided_json": value}).encode()))

    def raw_http(self, seed, rng):
        self.serve()
        text = (
            b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1e\r\n{\"prompt\":\"a\",\"max_tokens\":1  }\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(mutated_bytes(text, rng))
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(10)
            answer = b""
            try:
                while piece := connection.recv(65536):
                    answer += piece
            except OSError:
                pass
        for line in answer.split(b"\r\n"):
            if line.startswith(b"HTTP/1.1 5"):
                raise Failure(line.decode(errors="replace"))
        if self.server.poll() is not None:
            raise Failure(f"the server ended with status {self.server.returncode}")
        if seed % 50 == 0 and not self.is_healthy():
            raise Failure("the server is not healthy")


KINDS = [
    "safetensors", "gguf", "quantized", "heads", "tokenizer", "vocabularies", "configs", "expansion", "template", "digests", "notes", "speculative_config", "flags", "results", "expositions",
    "streams", "datasets", "requests", "other_requests", "pooling_requests", "schemas", "raw_http"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="stop after so long (default: ten minutes)")
    parser.add_argument("--count", type=int, default=1000, help="most mutations of a kind")
    parser.add_argument("--seed", type=int, default=0, help="the first mutation's seed")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                        help="programs at a time (default: one per processor)")
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    failures, done = [], dict.fromkeys(options.kinds, 0)
    with tempfile.TemporaryDirectory(prefix="foretoken-fuzz-") as folder:
        fuzzer = Fuzzer(pathlib.Path(folder))

        def one(kind: str, seed: int) -> None:
            if time.monotonic() > end:
                return
            try:
                getattr(fuzzer, kind)(seed, random.Random(f"{kind} {seed}"))
            except Failure as failure:
                failures.append((kind, seed, str(failure)))
                print(f"FAILED {kind} --seed {seed}: {failure}", flush=True)
            done[kind] += 1

        try:
            with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
                # Kinds in turns, so that a short run has some of each.
                for seed in range(options.seed, options.seed + options.count):
                    if time.monotonic() > end:
                        break
                    list(pool.map(lambda kind: one(kind, seed), options.kinds))
        finally:
            for server in [fuzzer.server, *(server for server, _ in fuzzer.pooling.values())]:
                if server:
                    server.kill()
    for kind, count in done.items():
        print(f"{kind:20} {count:6} mutations, {sum(1 for failed, _, _ in failures if failed == kind)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
