"""Reference renderings of chat templates, by transformers' own environment (jinja2 underneath).

The templates in `templates/sources` are written for these tests: they use the constructs that the templates of the
named families use. Everything else here is a table of conversations and of small snippets.
"""

import json
import math
import random
from datetime import datetime
from pathlib import Path

from transformers.utils import chat_template_utils

SOURCES = Path(__file__).parent / "templates/sources"

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "the weather of a place, e.g. \"Zürich\" <now> & later",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where; 'quoted'"},
                "days": {"type": "integer", "default": 3},
                "units": {"type": "string", "enum": ["metric", "imperial"]},
                "when": {"type": ["string", "null"]},
                "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": "number"}}}},
            },
            "required": ["place"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}, "return": {"type": "string"}},
}


def call(name, arguments, identifier="call_0001"):
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = {
    "one user": [{"role": "user", "content": "Hello"}],
    "system and user": [
        {"role": "system", "content": "  Be kind.\n"},
        {"role": "user", "content": "  Grüezi 👋🏽 e\u0301 <b>&'\"\n"},
    ],
    "several turns": [
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "And\nthen?"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\n3"},
        {"role": "user", "content": ""},
    ],
    "answered": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "<think>\n\nplan\n\n</think>\n\nA </think> B"},
    ],
    "reasoning apart": [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "\n\nA", "reasoning_content": "\nbecause\n"},
        {"role": "user", "content": "Q2"},
        {"role": "assistant", "content": "A2", "reasoning_content": "so"},
    ],
    "tool call": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"place": "Zürich", "days": 2})]},
        {"role": "tool", "tool_call_id": "call_0001", "name": "get_weather", "content": "{\"t\": 21.5}"},
        {"role": "assistant", "content": "21.5 degrees"},
        {"role": "user", "content": "Thanks"},
    ],
    "two tool calls at once": [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "Both"},
        {
            "role": "assistant",
            "content": "Let me see",
            "tool_calls": [
                call("get_weather", {"place": "A", "ratio": 1e-7, "flag": True, "none": None}),
                call("clock", {}, "call_0002"),
            ],
        },
        {"role": "tool", "tool_call_id": "call_0001", "content": "rain"},
        {"role": "tool", "tool_call_id": "call_0002", "content": "noon"},
    ],
    "chained tool calls with reasoning": [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": None, "reasoning_content": "first", "tool_calls": [call("clock", {"z": "x"})]},
        {"role": "tool", "tool_call_id": "call_0001", "content": "1"},
        {"role": "assistant", "content": "", "reasoning_content": "second", "tool_calls": [call("clock", {"a": "é"})]},
        {"role": "tool", "tool_call_id": "call_0001", "content": "2"},
    ],
    "tool call with a short id and a thought": [
        {"role": "developer", "content": "D"},
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "thinking": "So", "tool_calls": [call("get_weather", {"place": "Z"}, "abcdefghi")]},
        {"role": "tool", "tool_call_id": "abcdefghi", "name": "get_weather", "content": "21.5"},
    ],
    "thought at the end": [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": "A", "thinking": "Because"},
    ],
    "builtin tool": [
        {"role": "user", "content": "Search"},
        {"role": "assistant", "tool_calls": [call("search", {"query": "swift", "depth": "2"})]},
        {"role": "ipython", "content": {"output": ["a", 1, 2.0]}},
    ],
    "parts": [
        {"role": "system", "content": [{"type": "text", "text": "S"}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": " What? "}]},
    ],
    "tools of the system message": [
        {"role": "system", "content": "S", "tools": "[\"f\"]"},
        {"role": "user", "content": "Q"},
    ],
    "out of turn": [{"role": "assistant", "content": "I begin"}, {"role": "user", "content": "No"}],
    "unknown role": [{"role": "user", "content": "Q"}, {"role": "oracle", "content": "A"}],
    "nothing": [],
}

VARIANTS = [
    {},
    {"add_generation_prompt": False},
    {"tools": [WEATHER, CLOCK]},
    {"tools": [WEATHER], "add_generation_prompt": False, "enable_thinking": False},
    {"enable_thinking": False},
    {"enable_thinking": True, "tools": [CLOCK], "tools_in_user_message": False, "date_string": "24 Dec 2025"},
    {"builtin_tools": ["search", "interpreter", "wolfram"], "tools": None},
    {"custom_tools": [WEATHER], "tools_in_user_message": False},
    {"tools": [CLOCK], "reasoning_effort": "high", "model_identity": "I am."},
]

# What every snippet sees.
VARIABLES = {
    "text": "Hello World",
    "padded": "  \t spaced out \n",
    "unicode": "Straße ÉCOLE e\u0301 👩‍👩‍👧 ﬁn İ",
    "empty": "",
    "number": 42,
    "negative": -7,
    "ratio": 2.5,
    "yes": True,
    "no": False,
    "nothing": None,
    "list": [3, 1, 2],
    "words": ["pear", "Apple", "fig", "apple"],
    "mixed": [1, "a", None, True, 2.0, [1], {"k": "v"}],
    "map": {"b": 1, "a": [1, 2], "items": "shadowed", "nested": {"deep": {"er": "x"}}},
    "people": [
        {"name": "Ann", "age": 31, "home": {"city": "Bern"}},
        {"name": "bob", "age": 25, "home": {"city": "Ulm"}},
        {"name": "Cy", "age": 31},
    ],
    "html": "<a href='x'>&\"</a>",
    "lines": "one\n\ntwo\n  three\n",
}


def snippets():
    return (SOURCES.parent / "snippets.txt").read_bytes().decode().split("\n----\n")


NOW = datetime(2026, 3, 7, 9, 5, 4)


class Clock(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(NOW.year, NOW.month, NOW.day, NOW.hour, NOW.minute, NOW.second)


def render(source, variables):
    """The output, or None where rendering fails."""
    try:
        return chat_template_utils._cached_compile_jinja_template(source).render(**variables)
    except Exception:  # every failure counts alike: ours must fail too
        return None


def json_texts():
    """JSON texts with what Python makes of them, written back in several styles; None where it refuses."""
    texts = [
        "null", "true", " false ", "0", "-0", "-0.0", "1", "-12", "1.5", "1e5", "1E-7", "1e16", "1e15", "123456789012345678",
        "0.1", "0.0001", "0.00001", "1.7976931348623157e308", "5e-324", "9007199254740993", "9.1e15", "1e22", "1e23",
        '""', '"a"', '"\\u00e9\\n\\t\\"\\\\\\/\\b\\f\\r"', '"\\ud83d\\ude00"', '"é😀\u2028\u007f"', "[]", "[ ]", "[1,2 , 3]", "[[[]]]", "{}",
        '{"a":1,"b":[true,null],"a":2}', '{"b":1,"a":{"c":[]}}', '\n{ "x" : "y" }\r\n\t', '{"":0}', '{"é":"e\u0301"}',
        "", " ", "nul", "True", "01", "1.", ".5", "+1", "1e", "--1", "0x1", "'a'", '"a', '"\\x"', '"\\u12"', '"\n"', "[1,]",
        "[,1]", "[1 2]", "[", "]", "{", "{a:1}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', "1 2", "nullnull", "[1}",
        '{"a":1]', "\ufeff1", "// x\n1", "[1]x", '"\t"', "-", "-a", "1.e5", "[" * 127 + "]" * 127,
    ]
    draw = random.Random(7)
    def value(depth):
        kind = draw.randrange(8 if depth < 4 else 6)
        if kind == 0: return None
        if kind == 1: return draw.random() < 0.5
        if kind == 2: return draw.randrange(-10**12, 10**12)
        if kind == 3: return draw.choice([-1, 1]) * draw.random() * 10.0 ** draw.randrange(-30, 30)
        if kind in (4, 5): return "".join(chr(draw.choice([draw.randrange(1, 128), draw.randrange(0xa0, 0x2fff), draw.randrange(0x1f300, 0x1f6ff)])) for _ in range(draw.randrange(12)))
        if kind == 6: return [value(depth + 1) for _ in range(draw.randrange(5))]
        return {f"k{draw.randrange(20)}" if draw.random() < 0.8 else "ключ": value(depth + 1) for _ in range(draw.randrange(5))}
    texts += [json.dumps(value(0), ensure_ascii=draw.random() < 0.5, indent=draw.choice([None, 2])) for _ in range(150)]
    for text in texts:
        try:
            parsed = json.loads(text)
            yield {"text": text, "python": json.dumps(parsed, ensure_ascii=False), "ascii": json.dumps(parsed),
                   "compact": json.dumps(parsed, ensure_ascii=False, separators=(",", ":")),
                   "indented": json.dumps(parsed, ensure_ascii=False, indent=2, sort_keys=True)}
        except ValueError:
            yield {"text": text, "python": None}


def generate(output: Path) -> None:
    """Writes renderings.json, snippets.json and documents.json under `output`/templates."""
    folder = output / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    chat_template_utils.datetime = Clock
    cases = []
    for path in sorted(SOURCES.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for name in CONVERSATIONS:
            for number, variant in enumerate(VARIANTS):
                # Not every pair tells something new; thin them out, but keep each template with each of both.
                if number > 2 and (number + len(name)) % 3:
                    continue
                variables = {
                    "messages": CONVERSATIONS[name], "tools": None, "documents": None, "add_generation_prompt": True,
                    "bos_token": "<s>", "eos_token": "</s>", **variant,
                }
                cases.append({"template": path.stem, "conversation": name, "variant": number, "output": render(source, variables)})
    write(folder / "renderings.json", {"conversations": CONVERSATIONS, "variants": VARIANTS, "cases": cases})
    results = [{"source": source, "output": render(source, VARIABLES)} for source in snippets()]
    write(folder / "snippets.json", {"variables": VARIABLES, "snippets": results})
    write(folder / "documents.json", list(json_texts()))


def write(path, document):
    path.write_text(json.dumps(document, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    generate(Path(__file__).parent)
