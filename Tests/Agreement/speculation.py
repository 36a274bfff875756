"""Ways to speculate of llama.cpp's server and of Foretoken's, and what they are worth on the same prompts."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from servers import Answer

LLAMA, FORETOKEN, PLAIN = "llama.cpp", "foretoken", "plain"
# What draws on earlier tokens alone, as llama.cpp calls it.
NGRAMS = ("ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache")


@dataclass(frozen=True)
class Method:
    """A server's way to speculate, and the arguments that choose it."""

    engine: str
    way: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.engine}/{self.way}"

    @property
    def log(self) -> str:
        return self.name.replace("/", "-").replace(",", "+") + ".log"


def methods(head: Path, window: int) -> list[Method]:
    """All of them, plain decoding of each engine first. `window`: tokens that a head proposes when asked alone."""
    def llama(types: str, *settings: object, way: str | None = None) -> Method:
        return Method(LLAMA, way or types, ("--spec-type", types, *map(str, settings)))

    eagle3 = ("--spec-draft-model", head, "--spec-draft-n-max", window)
    # Their own settings, keys of 12 and 24 tokens and drafts of 48 and more, are for texts that are written anew.
    # Shorter ones find more in other texts.
    short = ("--spec-ngram-simple-size-n", 4, "--spec-ngram-simple-size-m", 8)
    theirs = [
        Method(LLAMA, PLAIN), llama("draft-eagle3", *eagle3), *map(llama, NGRAMS),
        llama("ngram-simple", *short, way="ngram-simple-4-8"), llama("ngram-mod,draft-eagle3", *eagle3),
        llama("ngram-simple,draft-eagle3", *short, *eagle3, way="ngram-simple-4-8,draft-eagle3")]

    def ours(way: str, **settings: object) -> Method:
        return Method(FORETOKEN, way, ("--speculative-config", json.dumps({"method": way, **settings})))
    return [
        *theirs, Method(FORETOKEN, PLAIN), ours("ngram"), ours("suffix"),
        ours("eagle3", model=str(head), num_speculative_tokens=window), ours("auto", model=str(head))]


@dataclass(frozen=True)
class Sample:
    """A method's answer to a prompt."""

    category: str
    prompt: int
    method: str
    answer: Answer

    @property
    def later(self) -> int:
        """Tokens after the first, which comes with the prompt's pass."""
        return self.answer.tokens - 1

    @property
    def passes(self) -> int:
        """That brought them, each a token of its own beside those that it accepted."""
        return max(self.later - self.answer.accepted, 1)

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.later / self.answer.seconds

    def described(self) -> dict[str, object]:
        answer = self.answer
        return {
            "category": self.category, "prompt": self.prompt, "method": self.method, "tokens": answer.tokens,
            "seconds": round(answer.seconds, 5), "proposed": answer.proposed, "accepted": answer.accepted}


def measured(samples: Iterable[Sample]) -> list[Sample]:
    """Those that have a speed: of two tokens at least."""
    return [sample for sample in samples if sample.later > 0 and sample.answer.seconds > 0]


def rate(samples: Iterable[Sample]) -> float:
    """Tokens per second of all of them together."""
    chosen = measured(samples)
    seconds = sum(sample.answer.seconds for sample in chosen)
    return sum(sample.later for sample in chosen) / seconds if seconds else float("nan")


def figures(samples: list[Sample]) -> dict[str, dict[str, object]]:
    """By method, over all the prompts that `samples` answer."""
    by_method: dict[str, dict[int, Sample]] = {}
    for sample in samples:
        by_method.setdefault(sample.method, {})[sample.prompt] = sample
    theirs = rate(by_method[f"{LLAMA}/{PLAIN}"].values())
    found = {}
    for name, answers in by_method.items():
        own = by_method[f"{name.partition('/')[0]}/{PLAIN}"]
        timed = measured(answers.values())
        ratios = [sample.rate / own[sample.prompt].rate for sample in timed if measured([own[sample.prompt]])]
        speed = rate(timed)
        found[name] = {
            "tokens_per_second": speed,
            "times_own_plain": speed / rate(own.values()),
            # Quartiles over the prompts.
            "times_own_plain_quartiles": statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios,
            "times_llama_plain": speed / theirs,
            "tokens_per_pass": sum(sample.later for sample in timed) / max(sum(sample.passes for sample in timed), 1),
            "proposed": sum(sample.answer.proposed for sample in answers.values()),
            "accepted": sum(sample.answer.accepted for sample in answers.values()),
            "answers": len(answers),
            "equal_to_own_plain": sum(
                sample.answer.text == own[prompt].answer.text for prompt, sample in answers.items()),
        }
    return found


def by_category(samples: list[Sample]) -> dict[str, dict[str, dict[str, object]]]:
    """`figures` of each category, and of `all`."""
    categories = dict.fromkeys(sample.category for sample in samples)
    found = {name: figures([sample for sample in samples if sample.category == name]) for name in categories}
    return {**found, "all": figures(samples)}


def table(found: dict[str, dict[str, object]]) -> str:
    """`figures` as Markdown."""
    lines = [
        "| engine | method | tokens/s | over its plain | quartiles | over llama.cpp's plain | tokens per pass "
        "| accepted | as plain |", "| --- | --- |" + " ---: |" * 7]
    for name, row in found.items():
        engine, _, way = name.partition("/")
        quartiles = row["times_own_plain_quartiles"]
        spread = f"{quartiles[0]:.2f}–{quartiles[-1]:.2f}" if quartiles and way != PLAIN else "–"
        accepted = f"{row['accepted'] / row['proposed']:.0%}" if row["proposed"] else "–"
        same = f"{row['equal_to_own_plain']} of {row['answers']}" if way != PLAIN else "–"
        lines.append(
            f"| {engine} | {way} | {row['tokens_per_second']:.0f} | {row['times_own_plain']:.2f}x | {spread} | "
            f"{row['times_llama_plain']:.2f}x | {row['tokens_per_pass']:.2f} | {accepted} | {same} |")
    return "\n".join(lines)


def same_plain_answers(samples: list[Sample]) -> int:
    """To how many prompts both engines give the same plain answer."""
    theirs, ours = (
        {sample.prompt: sample.answer.text for sample in samples if sample.method == f"{engine}/{PLAIN}"}
        for engine in (LLAMA, FORETOKEN))
    return sum(text == ours.get(prompt) for prompt, text in theirs.items())
