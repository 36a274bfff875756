"""The tokenizers that random checkpoints come with: llama.cpp's converter wants a real one."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / "Models/foretoken-reference-target"
sys.path.append(str(REPOSITORY / "Tests/Golden"))

import pieces  # noqa: E402

TURNS = ["<start_of_turn>", "<end_of_turn>"]


def write_bytes(place: Path) -> tuple[int, list[int]]:
    """The shipped target's byte-level BPE: its size, and its special tokens."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TARGET / name, place / name)
    added = json.loads((place / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    return max(token["id"] for token in added) + 1, [token["id"] for token in added]


def write_pieces(place: Path) -> tuple[int, list[int]]:
    """A BPE model that `sentencepiece` trains on the tests' texts, with Gemma's turns."""
    model = pieces.trained(byte_fallback=True, control_symbols=TURNS)
    (place / "tokenizer.model").write_bytes(model.serialized_model_proto())
    (place / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": True, "add_eos_token": False}) + "\n")
    size = model.get_piece_size()
    return size, [id for id in range(size) if model.is_control(id) or model.is_unknown(id)]
