"""The two programs that are compared, and what each says of a model's formats on a text.

Both read the text in windows of 512 tokens, and hold a format's predictions against those of the same values in higher
precision. llama.cpp's `llama-perplexity` scores only the second half of each window, so Foretoken is asked for the same
positions.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from materials import Failure, Materials, remove, run, sha256

WINDOW = 512

# Of one format against its reference: what a table needs.
Measures = dict[str, float]

NUMBER = r"\s*(-?[\d.]+(?:e[-+]?\d+)?|-?nan|-?inf)"
LLAMA_LINES = {
    "perplexity": r"Mean PPL\(Q\)\s*:", "kl_mean": r"Mean\s+KLD:", "kl_p99": r"99\.0%\s+KLD:",
    "kl_max": r"Maximum KLD:", "top1_agreement": r"Same top p:",
}
# llama-perplexity also prints the reference's perplexity beside a format's, but from predictions that it stored with
# none below e^-16 of the likeliest: too good by 5 % where the shipped target is sure of itself.
REFERENCE_LINE = r"Final estimate: PPL ="


@dataclass(frozen=True)
class Reference:
    """What llama.cpp predicts with a file's values in single precision."""

    logits: Path
    perplexity: float


def number(line: str, said: str, file: Path) -> float:
    """The number after a line's beginning in what llama-perplexity printed."""
    match = re.search(line + NUMBER, said)
    if match is None:
        raise Failure(f"llama-perplexity printed no '{line}' for {file}.")
    return float(match[1])


class LlamaCpp:
    """llama.cpp: the quantised file against the values it holds, in single precision."""

    name = "llama.cpp"

    def __init__(self, programs: Path, threads: int, scratch: Path) -> None:
        self.program = programs / "llama-perplexity"
        self.threads = threads
        self.scratch = scratch
        # What Scripts/llama-cpp built. llama.cpp's own --version names the commit of the repository that it lies in.
        stamp = programs.parent / "version"
        self.identity = "llama-cpp-python " + (stamp.read_text().strip() if stamp.exists() else "unknown")

    @contextlib.contextmanager
    def reference(self, file: Path, text: Path, windows: int) -> Iterator[Reference]:
        """The predictions of `file`; a gigabyte for 40 windows of SmolLM2, removed in the end."""
        logits = self.scratch / "reference.logits"
        try:
            said = self.read(file, "--file", text, "--chunks", windows, "--kl-divergence-base", logits)
            yield Reference(logits, number(REFERENCE_LINE, said, file))
        finally:
            remove(logits)

    def compare(self, file: Path, reference: Reference) -> Measures:
        """`file` against a reference's predictions."""
        said = self.read(file, "--kl-divergence-base", reference.logits, "--kl-divergence")
        found = {name: number(line, said, file) for name, line in LLAMA_LINES.items()}
        found["top1_agreement"] /= 100
        found["reference_perplexity"] = reference.perplexity
        found["loss_percent"] = (found["perplexity"] / reference.perplexity - 1) * 100
        found["bytes"] = file.stat().st_size
        return found

    def read(self, file: Path, *options: object) -> str:
        return run(
            self.program, "--model", file, "--ctx-size", WINDOW, "--batch-size", WINDOW, "--threads", self.threads,
            *options, what=f"llama-perplexity on {file.name}")

    def own_values(self, materials: Materials, file: Path) -> Path:
        """What a quantised file holds, in single precision; the caller removes it."""
        path = self.scratch / "own-values.F32.gguf"
        remove(path)
        return materials.quantized(file, "F32", path)


class Foretoken:
    """Foretoken: each format against `--quantization none` of the same model."""

    name = "foretoken"

    def __init__(self, program: Path, threads: int) -> None:
        self.program = program
        self.threads = threads
        self.identity = f"foretoken {sha256(program)}" if program.exists() else "foretoken, not built"

    def compare(self, model: Path, text: Path, windows: int, formats: list[str]) -> dict[str, Measures]:
        """Measures by format."""
        command = [
            self.program, "perplexity", "--model", model, text, "--against", "none", "--quantization", "none", *formats,
            "--window", WINDOW, "--windows", windows, "--score-from", WINDOW // 2, "--threads", self.threads, "--json",
        ]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"foretoken perplexity on {model} failed ({done.returncode}): {done.stderr.strip()}")
        try:
            rows = {row["quantization"]: row for row in json.loads(done.stdout)}
            return {
                format: {
                    "perplexity": rows[format]["perplexity"], "reference_perplexity": rows["none"]["perplexity"],
                    "bytes": rows[format]["packed_weights_bytes"],
                } | {name: rows[format][name]
                     for name in ("loss_percent", "kl_mean", "kl_p99", "kl_max", "top1_agreement")}
                for format in formats
            }
        except (ValueError, KeyError) as error:
            raise Failure(f"foretoken perplexity on {model} printed something unexpected: {error!r}") from None
