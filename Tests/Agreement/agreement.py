"""Whether two servers continue the same prompts with the same tokens."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass

from servers import Server
from vocabularies import Vocabulary

# Where tokens part, llama.cpp itself must find both nearly as likely: nats between their log-probabilities.
NEAR_TIE = 0.02
# How far apart both may put llama.cpp's token. Foretoken keeps keys and values in half precision, llama.cpp in single.
LARGEST_DIFFERENCE = 0.05
PROMPTS = (5, 70, 150, 300)
NEW_TOKENS = 32


@dataclass
class Agreement:
    """What was found on one file."""

    tokens: int = 0
    near_ties: int = 0
    # Of log-probabilities of the tokens that llama.cpp chose.
    largest_difference: float = 0.0
    mean_difference: float = 0.0
    # How far llama.cpp's first token is ahead of its second, where it is least and on average.
    smallest_margin: float = float("inf")
    mean_margin: float = 0.0
    error: str | None = None

    def described(self) -> dict[str, object]:
        return asdict(self)


def prompts(vocabulary: Vocabulary) -> list[list[int]]:
    draw = random.Random(7)
    plain = [id for id in range(vocabulary.size) if id not in vocabulary.silent]
    return [[draw.choice(plain) for _ in range(length)] for length in PROMPTS]


def compare(theirs: Server, ours: Server, texts: list[list[int]]) -> Agreement:
    """Continues each prompt with both. After a near tie both go on behind llama.cpp's token."""
    found = Agreement()
    for prompt in texts:
        agreed: list[int] = []
        while len(agreed) < NEW_TOKENS and found.error is None:
            agreed += continued(theirs, ours, prompt + agreed, NEW_TOKENS - len(agreed), found)
    if found.tokens:
        found.mean_difference /= found.tokens
        found.mean_margin /= found.tokens
    return found


def continued(theirs: Server, ours: Server, prompt: list[int], count: int, found: Agreement) -> list[int]:
    """Tokens of llama.cpp's, up to the first in whose place Foretoken has another."""
    tokens = []
    for their, our in zip(theirs.continued(prompt, count), ours.continued(prompt, count), strict=True):
        place = f"behind {len(prompt) + len(tokens)} tokens llama.cpp has {their.token}, Foretoken {our.token}"
        tokens.append(their.token)
        found.tokens += 1
        first, second = sorted(their.likeliest.values(), reverse=True)[:2]
        found.smallest_margin = min(found.smallest_margin, first - second)
        found.mean_margin += first - second
        # Of a token that is not among the likeliest it is known that it is no likelier than they are.
        difference = abs(first - our.likeliest.get(their.token, min(our.likeliest.values())))
        found.largest_difference = max(found.largest_difference, difference)
        found.mean_difference += difference
        if our.token != their.token:
            gap = first - their.likeliest.get(our.token, float("-inf"))
            if gap > NEAR_TIE:
                found.error = f"{place}, which llama.cpp finds less likely by {gap:.3f}"
            found.near_ties += 1
            return tokens
        if difference > LARGEST_DIFFERENCE:
            found.error = f"{place}, and log-probabilities differ by {difference:.3f}"
            return tokens
    return tokens
