"""The tokenizers that random checkpoints come with: llama.cpp's converter wants a real one."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / "Models/foretoken-reference-target"
sys.path.append(str(REPOSITORY / "Tests/Golden"))

import pieces  # noqa: E402

TURNS = ["<start_of_turn>", "<end_of_turn>"]


@dataclass(frozen=True)
class Vocabulary:
    """How many tokens there are, the special ones, and those that are no whole characters."""

    size: int
    specials: list[int]
    parts: list[int]

    @property
    def silent(self) -> set[int]:
        """Tokens that must not come: llama.cpp's server gives no log-probabilities for parts of characters."""
        return {*self.specials, *self.parts}


def write_bytes(place: Path) -> Vocabulary:
    """The shipped target's byte-level BPE."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TARGET / name, place / name)
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    parts = [id for id in range(size) if "\ufffd" in tokenizer.decode([id])]
    return Vocabulary(size, sorted(tokenizer.get_added_tokens_decoder()), parts)


def write_pieces(place: Path) -> Vocabulary:
    """A BPE model that `sentencepiece` trains on the tests' texts, with Gemma's turns."""
    model = pieces.trained(byte_fallback=True, control_symbols=TURNS)
    (place / "tokenizer.model").write_bytes(model.serialized_model_proto())
    (place / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": True, "add_eos_token": False}) + "\n")
    ids = range(model.get_piece_size())
    specials = [id for id in ids if model.is_control(id) or model.is_unknown(id)]
    return Vocabulary(len(ids), specials, [id for id in ids if model.is_byte(id)])
