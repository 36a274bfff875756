"""The units of the corpus."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

Kind = Literal["structured", "open-ended", "code", "prose"]

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"


@dataclass(frozen=True)
class Example:
    """An instruction and its answer."""

    kind: Kind
    category: str
    prompt: str
    answer: str
    system: str | None = None

    def text(self) -> str:
        """The example as a ChatML conversation, as the chat template writes it."""
        return chat_prompt(self.prompt, self.system) + f"{self.answer}{TURN_END}\n"

    def is_held_out(self, one_in: int = 40) -> bool:
        """Whether this prompt belongs to the evaluation set; a property of its text, whatever the seed."""
        digest = hashlib.sha256(self.prompt.encode()).digest()
        return int.from_bytes(digest[:4], "big") % one_in == 0


def chat_prompt(prompt: str, system: str | None = None) -> str:
    """A conversation up to the point where the assistant begins to answer."""
    head = f"{TURN_START}system\n{system}{TURN_END}\n" if system else ""
    return f"{head}{TURN_START}user\n{prompt}{TURN_END}\n{TURN_START}assistant\n"
