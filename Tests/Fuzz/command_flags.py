"""Numbers that no flag of the command line means."""

import pathlib
import random
import re
from collections.abc import Callable

from mutators import NUMBERS

RESULT = pathlib.Path(__file__).with_name("result.json")
# Flags whose values are places or models.
PLACES = {
    "--model", "--output", "--base-url", "--port", "--target", "--draft-model", "--endpoint", "--markdown", "--result-dir",
    "--result-filename", "--log-file"}


def command_flags(help_text: Callable[..., str], model: pathlib.Path) -> list[tuple[list[str], str]]:
    """Command lines that end soon, and flags of theirs that take a value."""
    nobody = ["--num-prompts", "8"]
    deploy = ["deploy", "--target", "Qwen/Qwen3-8B", "--draft", "Qwen/Qwen3-0.6B", "--with-baseline", "--engine"]
    lines = [
        ["generate", "-m", str(model), "--max-tokens", "1", "Hi"], ["chat", "-m", str(model), "--max-tokens", "1"],
        ["batch", "-m", str(model), "--max-tokens", "1", "-"], ["serve", str(model), "--port", "0"],
        ["bench", "serve", "--base-url", "http://127.0.0.1:1", *nobody],
        ["compare", "http://127.0.0.1:1", "--without-speculation", *nobody], ["tune", "-m", str(model), "--ngram", *nobody],
        ["bench", "forward", "-m", str(model)], ["bench", "speculation", "-m", str(model), "--draft-model", str(model)],
        ["tokenize", "-m", str(model), "Hi"],
        ["report", str(RESULT), "-o", "-"], ["inspect", str(model)], ["perplexity", "-m", str(model), __file__],
        ["compile", str(model)], [*deploy, "vllm-neuron"], [*deploy, "vllm-cuda"], [*deploy, "foretoken"]]
    found = []
    for line in lines:
        name = line[:2] if line[0] == "bench" else line[:1]
        flags = set(re.findall(r"(--[a-z0-9-]+)(?=[^\n]* <)", help_text(*name, "--help"))) - PLACES
        found += [(line, flag) for flag in sorted(flags)]
    return found


def mutated_flag(options: list[tuple[list[str], str]], rng: random.Random) -> list[str]:
    """One of the command lines with a number for one of its flags."""
    line, flag = rng.choice(options)
    number = rng.choice([*NUMBERS, "nan", "inf", "-inf", "1e308", "1e-300", "1e10"])
    text = rng.choice(["{0}", "{0}", "{0}", "{0},{0}", "{0}:{0}", "{0}Gi", "{0},1,{0}"])
    return [*line, f"{flag}={text.format(number)}"]
