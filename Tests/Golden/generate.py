"""Writes every reference file of the tests; run by `make golden`."""

from __future__ import annotations

from pathlib import Path

import blocks
import embeddings
import experts
import gptoss
import forward
import gguf_files
import harmony
import heads
import mtp
import pieces
import quantized
import recurrent
import recurrent_experts
import templates
import tokenization
import windows


def main() -> None:
    output = Path(__file__).resolve().parent
    for part in (
        tokenization, pieces, templates, harmony, forward, windows, experts, gptoss, gguf_files, heads, mtp, recurrent,
        recurrent_experts, blocks, embeddings, quantized):
        print(f"{part.__name__} …", flush=True)
        part.generate(output)


if __name__ == "__main__":
    main()
