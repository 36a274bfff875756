"""Instructions answered with code: Python functions and classes, SQL, Swift and JavaScript."""

from __future__ import annotations

import random

from . import words as w
from .structured import Maker, Pair, ask

NOUNS = "user order product invoice message task event file account report ticket booking payment document record".split()
FIELDS = "name price size weight age score count total status title owner date level rank width height".split()
OPERATORS = [("add", "+", "sum"), ("subtract", "-", "difference"), ("multiply", "*", "product")]


def python_filter(rng: random.Random) -> Pair:
    noun, field, limit = rng.choice(NOUNS), rng.choice(FIELDS), rng.randint(1, 100)
    way, sign = rng.choice([("above", ">"), ("below", "<"), ("at least", ">="), ("at most", "<=")])
    prompt = ask(rng, f"Write a Python function that returns all {noun}s with {field} {way} {limit}.",
                 f"Write a simple Python function that filters {noun}s by {field} {way} {limit}.")
    answer = (
        f'def filter_{noun}s({noun}s):\n    """Return the {noun}s with {field} {way} {limit}."""\n    result = []\n'
        f'    for {noun} in {noun}s:\n        if {noun}["{field}"] {sign} {limit}:\n            result.append({noun})\n    return result'
    )
    return prompt, f"```python\n{answer}\n```"


def python_sum(rng: random.Random) -> Pair:
    noun, field = rng.choice(NOUNS), rng.choice(FIELDS)
    kind = rng.choice(["total", "average", "maximum", "minimum"])
    prompt = f"Write a Python function that computes the {kind} {field} of a list of {noun}s."
    values = f'[{noun}["{field}"] for {noun} in {noun}s]'
    body = {
        "total": f"    return sum({values})",
        "average": f"    values = {values}\n    if not values:\n        return 0\n    return sum(values) / len(values)",
        "maximum": f"    return max({values})",
        "minimum": f"    return min({values})",
    }[kind]
    answer = f'def {kind}_{field}({noun}s):\n    """Return the {kind} {field} of the {noun}s."""\n{body}'
    return prompt, f"```python\n{answer}\n```"


def python_arithmetic(rng: random.Random) -> Pair:
    verb, sign, result = rng.choice(OPERATORS)
    first, second = rng.sample("a b c x y z m n".split(), 2)
    prompt = f"Write a Python function {verb} that returns the {result} of {first} and {second}."
    return prompt, f'```python\ndef {verb}({first}, {second}):\n    """Return the {result} of {first} and {second}."""\n    return {first} {sign} {second}\n```'


def python_class(rng: random.Random) -> Pair:
    noun, fields = rng.choice(NOUNS), rng.sample(FIELDS, rng.randint(2, 4))
    prompt = ask(rng, f"Write a Python class for {w.article(noun)} with {w.series(fields)}.",
                 f"Write a Python class {noun.capitalize()} with the fields {w.series(fields)}.")
    lines = [f"class {noun.capitalize()}:", f'    """{w.article(noun).capitalize()} with {w.series(fields)}."""', "",
             f"    def __init__(self, {', '.join(fields)}):"]
    lines += [f"        self.{field} = {field}" for field in fields]
    shown = ", ".join(f"{field}={{self.{field}!r}}" for field in fields)
    lines += ["", "    def __repr__(self):", f'        return f"{noun.capitalize()}({shown})"']
    return prompt, "```python\n" + "\n".join(lines) + "\n```"


def python_dataclass(rng: random.Random) -> Pair:
    noun = rng.choice(NOUNS)
    fields = [(field, rng.choice(["int", "float", "str"])) for field in rng.sample(FIELDS, rng.randint(2, 5))]
    prompt = f"Write a Python dataclass for {w.article(noun)}: " + ", ".join(f"{name} ({kind})" for name, kind in fields) + "."
    body = "\n".join(f"    {name}: {kind}" for name, kind in fields)
    return prompt, f"```python\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass {noun.capitalize()}:\n{body}\n```"


def sql_select(rng: random.Random) -> Pair:
    noun, shown, field, limit = rng.choice(NOUNS), rng.sample(FIELDS, 2), rng.choice(FIELDS), rng.randint(1, 500)
    prompt = ask(rng, f"Write a SQL query: {w.series(shown)} of all {noun}s with {field} above {limit}, sorted by {shown[0]}.",
                 f"SQL: select {w.series(shown)} from {noun}s where {field} is above {limit}, ordered by {shown[0]}.")
    return prompt, f"```sql\nSELECT {', '.join(shown)}\nFROM {noun}s\nWHERE {field} > {limit}\nORDER BY {shown[0]};\n```"


def sql_table(rng: random.Random) -> Pair:
    noun = rng.choice(NOUNS)
    fields = [(field, rng.choice(["INTEGER", "REAL", "TEXT"])) for field in rng.sample(FIELDS, rng.randint(2, 4))]
    prompt = f"Write a SQL statement that creates a table {noun}s with " + ", ".join(f"{name} ({kind})" for name, kind in fields) + "."
    body = ",\n".join(["  id INTEGER PRIMARY KEY"] + [f"  {name} {kind} NOT NULL" for name, kind in fields])
    return prompt, f"```sql\nCREATE TABLE {noun}s (\n{body}\n);\n```"


def swift_struct(rng: random.Random) -> Pair:
    noun = rng.choice(NOUNS)
    fields = [(field, rng.choice(["Int", "Double", "String"])) for field in rng.sample(FIELDS, rng.randint(2, 4))]
    prompt = f"Write a Swift struct {noun.capitalize()} with " + ", ".join(f"{name} ({kind})" for name, kind in fields) + "."
    body = "\n".join(f"  let {name}: {kind}" for name, kind in fields)
    return prompt, f"```swift\nstruct {noun.capitalize()}: Codable, Sendable {{\n{body}\n}}\n```"


def javascript_function(rng: random.Random) -> Pair:
    noun, field, limit = rng.choice(NOUNS), rng.choice(FIELDS), rng.randint(1, 100)
    prompt = f"Write a JavaScript function that returns the {noun}s with {field} above {limit}."
    return prompt, f"```javascript\nfunction filter{noun.capitalize()}s({noun}s) {{\n  return {noun}s.filter(({noun}) => {noun}.{field} > {limit});\n}}\n```"


MAKERS: dict[str, list[Maker]] = {
    "code": [python_filter, python_sum, python_arithmetic, python_class, python_dataclass, swift_struct, javascript_function],
    "sql": [sql_select, sql_table],
}
