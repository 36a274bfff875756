"""Writes the corpus: tokenizer, token files for training and validation, held-out prompts and text.

    python build_corpus.py --work-dir build --prose DIR ...

Everything follows from the seed and the named sources. The corpus itself stays in the work directory; only the
held-out prompts and text belong in the repository.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from corpus import open_ended, programs, rewrites, sources, structured
from corpus.document import END_OF_TEXT, Example
from tokenizer import load_tokenizer, train_tokenizer

HERE = Path(__file__).parent
MAKERS = structured.MAKERS | programs.MAKERS | rewrites.MAKERS | open_ended.MAKERS
# Shares of the examples by category; the rest of the corpus is code and prose from packages.
WEIGHTS = {
    "json_record": 4, "json_extract": 4, "email": 3, "list": 3, "table": 3, "csv": 1.5, "yaml": 1.5, "report": 2, "code": 5, "sql": 2,
    "rewrite": 5, "open_ended": 3,
}


def examples(seed: int, count: int, held_out: bool) -> Iterator[Example]:
    rng = random.Random(seed)
    categories = list(WEIGHTS)
    made = 0
    while made < count:
        category = rng.choices(categories, weights=[WEIGHTS[name] for name in categories])[0]
        prompt, answer = rng.choice(MAKERS[category])(rng)
        kind = "open-ended" if category == "open_ended" else "structured"
        example = Example(kind=kind, category=category, prompt=prompt, answer=answer)
        if example.is_held_out() == held_out:
            made += 1
            yield example


def held_out_prompts(per_category: int) -> list[Example]:
    chosen: dict[str, dict[str, Example]] = {category: {} for category in WEIGHTS}
    for example in examples(seed=7, count=20_000, held_out=True):
        bucket = chosen[example.category]
        if len(bucket) < per_category:
            bucket.setdefault(example.prompt, example)
    return [example for bucket in chosen.values() for example in bucket.values()]


def write_tokens(path: Path, tokenizer, texts: Iterator[str], limit: int | None = None) -> int:
    """Token ids of the texts, each followed by the end of text, as 16-bit integers."""
    end = tokenizer.token_to_id(END_OF_TEXT)
    pieces: list[np.ndarray] = []
    total = 0
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == 512:
            for encoded in tokenizer.encode_batch(batch):
                pieces.append(np.array([*encoded.ids, end], dtype=np.uint16))
                total += len(pieces[-1])
            batch = []
            if limit and total >= limit:
                break
    for encoded in tokenizer.encode_batch(batch):
        pieces.append(np.array([*encoded.ids, end], dtype=np.uint16))
    order = random.Random(3).sample(range(len(pieces)), len(pieces))
    tokens = np.concatenate([pieces[index] for index in order])
    tokens.tofile(path)
    return len(tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, default=HERE / "build", help="where tokenizer and token files go")
    parser.add_argument("--prose", type=Path, nargs="*", default=[], help="unpacked documentation folders (see DATA.md)")
    parser.add_argument("--examples", type=int, default=70_000, help="instruction examples for training")
    parser.add_argument("--tokenizer", type=Path, help="use this tokenizer.json instead of training one")
    arguments = parser.parse_args()
    work = arguments.work_dir
    work.mkdir(parents=True, exist_ok=True)

    rng = random.Random(1)
    code = list(sources.python_sources(rng))
    prose = list(sources.prose(arguments.prose, rng))
    rng.shuffle(code)
    rng.shuffle(prose)
    code, prose = code[:1500], prose[:800]
    instruct = [example.text() for example in examples(seed=1, count=arguments.examples, held_out=False)]
    print(f"{len(instruct)} examples, {len(code)} pieces of code, {len(prose)} pieces of prose")

    if arguments.tokenizer:
        shutil.copyfile(arguments.tokenizer, work / "tokenizer.json")
    else:
        train_tokenizer(work / "tokenizer.json", iter(instruct[:12_000] + code + prose))
    tokenizer = load_tokenizer(work / "tokenizer.json")
    held_code, held_prose = code[:40], prose[:40]
    pieces = instruct + code[40:] + prose[40:]
    random.Random(2).shuffle(pieces)
    print(f"training tokens: {write_tokens(work / 'train.bin', tokenizer, iter(pieces)):,}")

    held = list(examples(seed=11, count=600, held_out=True))
    kinds = {
        "structured": [example.text() for example in held if example.kind == "structured"],
        "open-ended": [example.text() for example in held if example.kind == "open-ended"],
        "code": held_code,
        "prose": held_prose,
    }
    for kind, texts in kinds.items():
        print(f"validation tokens, {kind}: {write_tokens(work / f'validation-{kind}.bin', tokenizer, iter(texts)):,}")

    with (HERE / "heldout_prompts.jsonl").open("w") as file:
        for example in held_out_prompts(15):
            file.write(json.dumps({"category": example.category, "kind": example.kind, "prompt": example.prompt,
                                   "reference": example.answer}) + "\n")
    text = "\n".join([example.text().rstrip() for example in held[:280]] + held_code[:16] + held_prose[:20])
    (HERE / "heldout.txt").write_text(text)


if __name__ == "__main__":
    main()
