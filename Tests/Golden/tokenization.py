"""Reference values for tokenization, by Hugging Face `tokenizers`.

Trains small byte-level BPE tokenizers of the three families that models use, on text made here, and writes for each
its `tokenizer.json` and, in `expectations.jsonl`, what the library makes of some thousands of strings and id sequences.
Everything follows from fixed seeds.
"""

import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
WORDS = """the of and to in a is that it was for on are as with his they at be this have from or one had by word but not
what all were we when your can said there use an each which she do how their if will up other about out many then them
these so some her would make like him into time has look two more write go see number no way could people my than first
water been call who oil its now find long down day did get come made may part function return value index result token
draft target window model cache layer head vector matrix attention weights speculative decoding accepted rejected
it's don't we're they've I'm you'll he'd l'été naïve façade Übergröße año niño český język""".split()
CODE = [
    "def add(a, b):\n    return a + b\n",
    "for (int i = 0; i < n; i++) {\n\tsum += x[i] * y[i];\n}\n",
    '{"name": "Ada", "age": 36, "tags": ["x", "y"]}',
    "let value = try decoder.decode(Item.self, from: data)\n",
    "if (a != b && c <= d || !e) { return null; }  // 'quoted' \"text\"\r\n",
    "SELECT id, name FROM users WHERE age >= 21 ORDER BY name;\n",
    "\\begin{equation}\\frac{1}{2}\\end{equation}",
    "https://example.org/a/b?c=d&e=f#g user@example.com 192.168.0.1",
]
SCRIPTS = [
    (0x21, 0x7E), (0xA1, 0xFF), (0x100, 0x17F), (0x180, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x4FF), (0x531, 0x58A), (0x591, 0x5F4), (0x600, 0x6FF), (0x700, 0x74F), (0x780, 0x7BF), (0x7C0, 0x7FF),
    (0x8A0, 0x8FF), (0x900, 0x97F), (0x980, 0x9FF), (0xA00, 0xA7F), (0xB80, 0xBFF), (0xC00, 0xC7F), (0xD00, 0xD7F),
    (0xE00, 0xE7F), (0xE80, 0xEFF), (0xF00, 0xFFF), (0x1000, 0x109F), (0x10A0, 0x10FF), (0x1100, 0x11FF),
    (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1400, 0x167F), (0x1780, 0x17FF), (0x1800, 0x18AF), (0x1C80, 0x1C8F),
    (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x209F), (0x20A0, 0x20CF), (0x2100, 0x218F),
    (0x2190, 0x23FF), (0x2400, 0x243F), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x2C00, 0x2DFF), (0x2E80, 0x2FFF),
    (0x3000, 0x30FF), (0x3130, 0x318F), (0x31C0, 0x31EF), (0x3400, 0x34FF), (0x4E00, 0x9FFF), (0xA000, 0xA4CF),
    (0xA720, 0xA7FF), (0xAC00, 0xD7A3), (0xE000, 0xE020), (0xF900, 0xFAFF), (0xFB00, 0xFDFF), (0xFE00, 0xFE6F),
    (0xFF00, 0xFFEF), (0x10000, 0x100FF), (0x10300, 0x1037F), (0x10400, 0x1047F), (0x10D40, 0x10D8F),
    (0x11000, 0x1107F), (0x11380, 0x113E2), (0x12000, 0x1207F), (0x13000, 0x1307F), (0x16100, 0x16139),
    (0x16800, 0x1687F), (0x1D15E, 0x1D164), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F000, 0x1F0FF),
    (0x1F300, 0x1F6FF), (0x1F900, 0x1FAFF), (0x20000, 0x20080), (0x2EBF0, 0x2EC20), (0x2F800, 0x2F880),
    (0x31350, 0x31380), (0xE0100, 0xE0110),
]
EMOJI = ["😀", "👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇯🇵", "❤️", "1️⃣", "☕", "🧑🏿‍🚀"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\n\n", "\u00a0", "\u2003", "\u3000", "\u0085", "\u180e", "\u2028", "\u200b", "\v", "\f"]
CONTROLS = ["\x00", "\x01", "\x07", "\x1b[0m", "\x7f", "\u0080", "\ufeff", "\ufffd", "\uffff", "\u200d", "\u202e"]
COMBINING = ["e\u0301", "o\u0308\u0304", "a\u0323\u0302", "A\u030a", "\u212b", "\u1e9b\u0323", "\u1112\u1161\u11ab", "q\u0307\u0323",
             "\u0f75\u0f73", "\u1108\u1176", "\ucdb0\u11bd", "\U00010054\u0301\u0323", "e\u08d1\u0301", "\u0958", "\u0344", "\u2126", "\u0915\u093c", "\u09c7\u09be", "\u30ab\u3099", "\u2adc", "\U0001d15e", "\uf900"]
CONTRACTIONS = ["'s", "'S", "'t", "'RE", "'Ve", "'m", "'ll", "'LL", "'d", "'x", "''s", "\u2019s", "'\u017f", "it's", "WE'RE"]


class Strings:
    """Draws strings of every kind; `tokens` are the texts of the tokenizer's added tokens."""

    def __init__(self, seed: int, tokens: list[str]) -> None:
        self.random = random.Random(seed)
        self.tokens = tokens

    def sentence(self) -> str:
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(1, 12))]
        text = " ".join(words)
        return (text.capitalize() + self.random.choice(".!?,;:")) if self.random.random() < 0.5 else text

    def characters(self) -> str:
        first, last = self.random.choice(SCRIPTS)
        return "".join(chr(self.random.randint(first, last)) for _ in range(self.random.randint(1, 8)))

    def anything(self) -> str:
        while True:
            point = self.random.randint(0, 0x10FFFF)
            if not 0xD800 <= point < 0xE000:
                return chr(point)

    def digits(self) -> str:
        return "".join(self.random.choice("0123456789٣४Ⅷ½²") for _ in range(self.random.randint(1, 9)))

    def run(self) -> str:
        unit = self.random.choice(SPACES + ["a", "A", "-", "=", "0", "é", "字", "😀", "ab", "/"])
        return unit * self.random.choice([2, 3, 4, 7, 8, 15, 16, 31, 64, 100])

    def piece(self) -> str:
        kind = self.random.randrange(12)
        if kind <= 1: return self.sentence()
        if kind == 2: return self.random.choice(CODE)[: self.random.randint(1, 60)]
        if kind == 3: return self.characters()
        if kind == 4: return self.random.choice(EMOJI)
        if kind == 5: return self.random.choice(SPACES) * self.random.randint(1, 3)
        if kind == 6: return self.random.choice(CONTROLS)
        if kind == 7: return self.random.choice(COMBINING)
        if kind == 8: return self.random.choice(CONTRACTIONS)
        if kind == 9: return self.digits()
        if kind == 10: return self.random.choice(self.tokens)
        return self.run() if self.random.random() < 0.3 else self.anything()

    def draw(self) -> str:
        pieces = [self.piece() for _ in range(self.random.choice([1, 1, 2, 2, 3, 3, 4, 6]))]
        return self.random.choice(["", "", " "]).join(pieces)


def corpus() -> list[str]:
    strings = Strings(1, [""])
    lines = [strings.sentence() for _ in range(4000)]
    for _ in range(400):
        lines += [strings.random.choice(CODE), strings.characters(), strings.random.choice(EMOJI), strings.digits(), " " * 8 + strings.sentence()]
    return lines


def trained(normalizer, pre_tokenizer, size: int, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens(special)
    return tokenizer


def qwen() -> Tokenizer:
    steps = [pre_tokenizers.Split(Regex(QWEN_PATTERN), "isolated"),
             pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)]
    tokenizer = trained(normalizers.NFC(), pre_tokenizers.Sequence(steps), 1500, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    # Found, like Qwen3's, without being special; one of them only in normalized text.
    tokenizer.add_tokens([AddedToken("<think>", normalized=False), AddedToken("</think>", normalized=False),
                          AddedToken("cafe\u0301 au lait", normalized=True)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def llama() -> Tokenizer:
    steps = [pre_tokenizers.Split(Regex(LLAMA_PATTERN), "isolated"),
             pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False)]
    tokenizer = trained(None, pre_tokenizers.Sequence(steps), 1500, ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    description = json.loads(tokenizer.to_str())
    description["model"]["ignore_merges"] = True
    # Words that no merge makes, so that only `ignore_merges` can find them.
    base = len(description["model"]["vocab"])
    vocabulary = description["model"]["vocab"]
    for offset, word in enumerate(["Ġspeculation", "ĠĠĠĠĠĠĠĠĠĠ", "zyzzyva", "Ã©tÃ©"]):
        assert word not in vocabulary
        vocabulary[word] = base + offset
    for token in description["added_tokens"]:
        token["id"] += 4
    tokenizer = Tokenizer.from_str(json.dumps(description))
    bos = "<|begin_of_text|>"
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=True),
        processors.TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A {bos} $B:1", special_tokens=[(bos, tokenizer.token_to_id(bos))])])
    return tokenizer


def gpt2(prefix: bool) -> Tokenizer:
    tokenizer = trained(None, pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=True), 1200, ["<|endoftext|>"])
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<end>", rstrip=True), AddedToken("<both>", lstrip=True, rstrip=True)])
    tokenizer.add_tokens([AddedToken("token", single_word=True), AddedToken("token_long"), AddedToken("  x", rstrip=True), "été", "<mask"])
    return tokenizer


def split_variants() -> Tokenizer:
    """Every splitting behaviour and inversion in one pipeline."""
    steps = [pre_tokenizers.Split(" ", "merged_with_next"), pre_tokenizers.Split(Regex(r"[\r\n]"), "merged_with_previous"),
             pre_tokenizers.Digits(individual_digits=False), pre_tokenizers.Split(Regex(r"\p{P}"), "contiguous"),
             pre_tokenizers.Split(Regex(r"[^\x{00}]+"), "removed", invert=True), pre_tokenizers.Split(Regex(r"(?=\p{Lu})"), "isolated"),
             pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer = trained(normalizers.Sequence([normalizers.NFC()]), pre_tokenizers.Sequence(steps), 900, ["<s>"])
    return tokenizer


def tokenizers_by_name() -> dict[str, Tokenizer]:
    return {"qwen": qwen(), "llama": llama(), "gpt2": gpt2(False), "gpt2-prefix": gpt2(True), "splits": split_variants()}


def description(name: str, tokenizer: Tokenizer) -> str:
    """The tokenizer's file; one of them with merges in the older form, one string each."""
    value = json.loads(tokenizer.to_str())
    if name == "splits":
        value["model"]["merges"] = [" ".join(pair) for pair in value["model"]["merges"]]
    text = json.dumps(value, ensure_ascii=name == "gpt2", separators=(",", ":")) + "\n"
    assert Tokenizer.from_str(text).to_str() == tokenizer.to_str()
    return text


def encodings(tokenizer: Tokenizer, texts: list[str]) -> list[list]:
    """Each text with its ids; and the ids with special tokens taken as text, where they differ."""
    rows = []
    for text in texts:
        tokenizer.encode_special_tokens = False
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = True
        plain = tokenizer.encode(text, add_special_tokens=False).ids
        tokenizer.encode_special_tokens = False
        rows.append([text, ids] if plain == ids else [text, ids, plain])
    return rows


def decodings(tokenizer: Tokenizer, seed: int, count: int) -> list[list]:
    """Random id sequences with their text, whole and without special tokens. Most are broken UTF-8; some ids do not exist."""
    draw = random.Random(seed)
    size = tokenizer.get_vocab_size()
    added = sorted(tokenizer.get_added_tokens_decoder())
    rows = []
    for _ in range(count):
        ids = [draw.choice([draw.randrange(size), draw.randrange(256), draw.randrange(256), draw.choice(added), size + 7][:draw.choice([2, 3, 5])])
               for _ in range(draw.randint(1, 12))]
        rows.append([ids, tokenizer.decode(ids, skip_special_tokens=False), tokenizer.decode(ids, skip_special_tokens=True)])
    return rows


def write_lines(path: Path, rows: list[list]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows), encoding="utf-8")


def generate(output: Path) -> None:
    """Writes the tokenizers and what they make of the drawn texts under `output`/tokenization."""
    for index, (name, tokenizer) in enumerate(tokenizers_by_name().items()):
        folder = output / "tokenization" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(description(name, tokenizer), encoding="utf-8")
        strings = Strings(100 + index, [token.content for token in tokenizer.get_added_tokens_decoder().values()])
        texts = [""] + [strings.draw() for _ in range(2499)]
        write_lines(folder / "encodings.jsonl", encodings(tokenizer, texts))
        write_lines(folder / "decodings.jsonl", decodings(tokenizer, 200 + index, 300))
    # The shipped pair's tokenizer; its file is where it ships.
    tokenizer = Tokenizer.from_file(str(Path(__file__).resolve().parents[2] / "Models/foretoken-reference-target/tokenizer.json"))
    folder = output / "tokenization/reference"
    folder.mkdir(parents=True, exist_ok=True)
    strings = Strings(300, [token.content for token in tokenizer.get_added_tokens_decoder().values()])
    write_lines(folder / "encodings.jsonl", encodings(tokenizer, [strings.draw() for _ in range(1000)]))
    write_lines(folder / "decodings.jsonl", decodings(tokenizer, 301, 200))


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
