"""Standard output that cannot be written: every command ends with a sentence, or quietly when nobody reads."""

import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest
from conftest import DRAFT, PROGRAM, ROOT, TARGET
from test_faults import Hub

PLUGIN = ROOT / ".build/pjrt/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"
RESULT = str(ROOT / "Tests/Fuzz/result.json")
INPUT = '{"prompt": "Hi"}\n'

# What makes each command write to standard output in little time; SERVER, HUB and TEXT are filled in.
SMALL_LOAD = ["--num-prompts", "8", "--output-len", "2", "--no-progress"]
DEPLOY = ["deploy", "--engine", "foretoken", "--target", "Qwen/Qwen3-8B", "--image", "registry.example/foretoken:1"]
FORWARD = ["bench", "forward", "-m", DRAFT, "--rows", "1", "--prefill", "0", "--context", "0", "--repetitions", "1"]
CONTENTION = ["bench", "contention", "-m", DRAFT, "--competitors", "1", "--seconds", "0.05", "--repetitions", "1"]
SPECULATION = [
    "bench", "speculation", "--concurrency", "1", "--windows", "1", "--max-tokens", "2", "--prompts", "1", "--repetitions", "1"]
TUNE = [
    "tune", "-m", DRAFT, "--ngram", "--concurrency", "1", "--max-window", "1", "--num-prompts", "8", "--repetitions", "1",
    "--output-len", "4", "--verify", "1"]
PERPLEXITY = ["perplexity", "-m", DRAFT, "--quantization", "int8", "--window", "16", "--score-from", "0", "--windows", "1", "TEXT"]
PJRT = ["--pjrt-plugin", str(PLUGIN)]
RUNS = {
    "generate": [["generate", "-m", TARGET, "--max-tokens", "4", "Hi"]],
    "chat": [["chat", "-m", TARGET, "--max-tokens", "4"]],
    "serve": [],
    "batch": [["batch", "-m", TARGET, "--max-tokens", "2", "-"]],
    "demo": [["demo", "--max-tokens", "2", "--repetitions", "1", "--seconds", "0"]],
    "bench forward": [FORWARD],
    "bench contention": [CONTENTION],
    "bench speculation": [
        SPECULATION, [*SPECULATION, "--competitors", "0", "1", "--phase-seconds", "0.1"],
        [*SPECULATION, "--dataset-path", str(ROOT / "Training/evaluation_prompts.jsonl"), "--temperature", "0", "0.7"]],
    "bench serve": [["bench", "serve", "--base-url", "SERVER", *SMALL_LOAD]],
    "compare": [["compare", "SERVER", "SERVER", *SMALL_LOAD]],
    "tune": [TUNE],
    "report": [["report", RESULT, "-o", "-"], ["report", RESULT, "--markdown", "-"]],
    "tokenize": [["tokenize", "-m", TARGET, "Hello"]],
    "perplexity": [PERPLEXITY],
    "inspect": [["inspect", TARGET]],
    "expand": [],
    "pull": [["pull", "some/model"]],
    "deploy": [DEPLOY, ["deploy", "--check", "-"]],
    "devices": [["devices", *PJRT]],
    "models": [["models", str(ROOT / "Models")]],
    "doctor": [["doctor"]],
    "compile": [["compile", DRAFT, *PJRT, "--pjrt-rows", "8", "--max-model-len", "64"]],
}
# The log of `serve` and the line of `expand` go to standard error: they write help alone to standard output.
SILENT = {"serve", "expand"}


def help_of(path):
    return subprocess.run([PROGRAM, *path, "--help"], capture_output=True, text=True, timeout=60, check=True).stdout


def commands(path=()):
    """The commands that do something, as their help lists them."""
    listings = re.findall(r"SUBCOMMANDS:\n(.*?)(?:\n\n|\Z)", help_of(path), re.S)
    names = re.findall(r"^  ([a-z][a-z-]*)(?: \(default\))?(?:,| |$)", "\n".join(listings), re.M)
    return [command for name in names for command in commands((*path, name))] or [" ".join(path)]


ALL = commands()


def lines():
    """Every command line to try, by a name."""
    yield "--help", ["--help"]
    yield "--version", ["--version"]
    yield "alone", []
    yield "help generate", ["help", "generate"]
    for command in {name for path in ALL for name in (path, path.split()[0])}:
        yield command + " --help", [*command.split(), "--help"]
    for command in ALL:
        for run in RUNS.get(command, []):
            name = " ".join([command, *(part for part in run[len(command.split()):] if "/" not in part)])[:60]
            yield name, run
            if "--json" in help_of(command.split()).split():
                yield name + " --json", [*run, "--json"]


# In one order, so that several processes can share them.
LINES = dict(sorted(lines()))


def test_every_command_is_tried():
    assert len(ALL) > 15 and set(ALL) == set(RUNS)
    assert {command for command in ALL if not RUNS[command]} == SILENT


@pytest.fixture(scope="session")
def places(server, tmp_path_factory):
    """What stands for the words in capitals."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "text").write_text("One, two, three. " * 20)
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    yield {"SERVER": server.url, "TEXT": str(folder / "text"), "HUB": f"http://127.0.0.1:{hub.server_port}", "HOME": str(folder)}
    hub.shutdown()


def run(name, places, output):
    arguments = LINES[name]
    if str(PLUGIN) in arguments and not PLUGIN.exists():
        pytest.skip("needs make pjrt-plugin")
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n" if "--check" in arguments else INPUT
    return subprocess.run(
        [PROGRAM, *(places.get(argument, argument) for argument in arguments)], stdout=output, stderr=subprocess.PIPE, text=True,
        timeout=120, input=text, env={**os.environ, "HF_HOME": places["HOME"], "HF_ENDPOINT": places["HUB"],
             "FORETOKEN_CACHE": places["HOME"] + "/cache"})


@pytest.mark.parametrize("name", LINES)
def test_a_full_disk_behind_standard_output_is_a_sentence(name, places):
    with open("/dev/full", "w") as full:
        done = run(name, places, full)
    assert done.returncode == 1 and "Error: cannot write standard output: No space left on device" in done.stderr, done.stderr


@pytest.mark.parametrize("name", LINES)
def test_a_closed_pipe_ends_the_program_quietly(name, places):
    reading, writing = os.pipe()
    os.close(reading)
    done = run(name, places, writing)
    os.close(writing)
    assert done.returncode in (-signal.SIGPIPE, 128 + signal.SIGPIPE) and "Error" not in done.stderr, done.stderr


def test_a_reader_of_one_byte_ends_the_program_quietly():
    """As `| head -c 1`: the answer is longer than a pipe holds."""
    with subprocess.Popen(
        [PROGRAM, *DEPLOY, "--with-baseline"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, pipesize=4096) as process:
        assert process.stdout.read(1)
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode in (-signal.SIGPIPE, 128 + signal.SIGPIPE) and b"Error" not in errors
