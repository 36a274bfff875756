"""Instructions whose answer repeats most of the prompt: copies, conversions between formats, edits of code.

Editing and extraction are what n-gram lookup and small drafts guess best, and copying is the skill that every
structured answer rests on.
"""

from __future__ import annotations

import json
import random

from . import words as w
from .programs import FIELDS, MAKERS as PROGRAMS, NOUNS
from .structured import Maker, Pair, ask


def facts(rng: random.Random) -> dict[str, str | int]:
    values = {
        "name": w.full_name(rng), "city": rng.choice(w.CITIES), "job": rng.choice(w.JOBS), "product": w.product(rng),
        "company": w.company(rng), "day": rng.choice(w.WEEKDAYS), "topic": rng.choice(w.TOPICS), "project": rng.choice(w.PROJECTS),
        "count": rng.randint(1, 999), "date": w.iso_date(rng), "material": rng.choice(w.MATERIALS), "department": rng.choice(w.DEPARTMENTS),
    }
    keys = rng.sample(sorted(values), rng.randint(3, 6))
    return {key: values[key] for key in keys}


def repeat(rng: random.Random) -> Pair:
    words = [str(value) for _ in range(rng.randint(1, 3)) for value in facts(rng).values()]
    text = rng.choice([", ", "; ", " / ", " "]).join(words)
    return ask(rng, f"Repeat exactly: {text}", f"Say this again, word for word: {text}"), text


def one_per_line(rng: random.Random) -> Pair:
    words = [str(value) for value in facts(rng).values()]
    rng.shuffle(words)
    mark = rng.choice(["- ", "* "])
    prompt = ask(rng, f"Write as a bullet list: {', '.join(words)}.", f"Make a bullet list of {w.series(words)}.")
    return prompt, "\n".join(mark + word for word in words)


def to_json(rng: random.Random) -> Pair:
    record = facts(rng)
    listed = rng.choice([", ", "\n"]).join(f"{key}: {value}" for key, value in record.items())
    return ask(rng, f"Convert to JSON:\n{listed}", f"Write these fields as JSON: {listed}"), json.dumps(record, indent=2)


def from_json(rng: random.Random) -> Pair:
    record = facts(rng)
    text = json.dumps(record) if rng.random() < 0.5 else json.dumps(record, indent=2)
    return ask(rng, f"Convert this JSON to YAML:\n{text}", f"Write as YAML:\n{text}"), "\n".join(f"{key}: {value}" for key, value in record.items())


def edit_json(rng: random.Random) -> Pair:
    record, other = facts(rng), facts(rng)
    text = json.dumps(record, indent=2)
    key = rng.choice(sorted(record))
    if key in other and rng.random() < 0.6:
        value = other[key]
        return f"Set {key} to {value} in this JSON:\n{text}", json.dumps(record | {key: value}, indent=2)
    left = {name: value for name, value in record.items() if name != key}
    return f"Remove {key} from this JSON:\n{text}", json.dumps(left, indent=2)


def rename_in_code(rng: random.Random) -> Pair:
    _, code = rng.choice(PROGRAMS["code"])(rng)
    present = [noun for noun in NOUNS if noun in code] or [field for field in FIELDS if field in code]
    if not present:
        return ask(rng, f"Repeat this code:\n{code}"), code
    old, new = rng.choice(present), rng.choice(NOUNS)
    edited = code.replace(old, new).replace(old.capitalize(), new.capitalize())
    return ask(rng, f"Rename {old} to {new} in this code:\n{code}", f"Replace {old} by {new}:\n{code}"), edited


MAKERS: dict[str, list[Maker]] = {"rewrite": [repeat, repeat, one_per_line, to_json, from_json, edit_json, rename_in_code]}
