"""Reference values for SentencePiece-style tokenizers, by `tokenizers` and `sentencepiece`.

A small BPE model with byte fallback is trained by `sentencepiece` and put into `tokenizer.json` in each of the shapes that
official files have, with the merges that transformers' converters make of the scores. `lists` holds the model as GGUF files
keep it, with what `sentencepiece` itself makes of texts. Everything follows from fixed seeds.
"""

import io
import itertools
import json
import random
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.convert_slow_tokenizer import generate_merges

from tokenization import Strings, corpus, description, encodings, write_lines

SPACE = "▁"
USER_DEFINED = ["<tool>", "▁▁"]


def trained(**options) -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()), model_writer=model, model_type="bpe", vocab_size=1400, num_threads=1,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98, split_digits=True,
        allow_whitespace_only_pieces=True, minloglevel=2, **options)
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def vocabulary(model) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """The pieces by id, and the merges that transformers' converters make of their scores."""
    pieces = {model.id_to_piece(id): id for id in range(model.get_piece_size())}
    scores = [(piece, model.get_score(id)) for piece, id in pieces.items()]
    return pieces, generate_merges(pieces, scores)


def begins_with(tokenizer: Tokenizer, token: str) -> None:
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B:1", special_tokens=[(token, tokenizer.token_to_id(token))])


def llama_decoder():
    return decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)])


def llama2(model) -> Tokenizer:
    """A space before every stretch of text, by the normalizer. Tokens as Phi-3 has them take what follows."""
    pieces, merges = vocabulary(model)
    tokenizer = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = llama_decoder()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ["<unk>", "<s>"]])
    tokenizer.add_special_tokens([AddedToken("</s>", normalized=True)])
    tokenizer.add_special_tokens([AddedToken("<|end|>", rstrip=True, normalized=False), AddedToken("<|user|>", rstrip=True)])
    tokenizer.add_tokens([AddedToken("<mid>", lstrip=True, normalized=False), AddedToken("two words", normalized=True),
                          AddedToken("token", single_word=True, normalized=False)])
    begins_with(tokenizer, "<s>")
    return tokenizer


def mistral(model) -> Tokenizer:
    """A space before the whole text alone, by the pre-tokenizer."""
    pieces, merges = vocabulary(model)
    tokenizer = Tokenizer(models.BPE(pieces, merges, fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="first", split=False)
    tokenizer.decoder = llama_decoder()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]])
    begins_with(tokenizer, "<s>")
    return tokenizer


def gemma(model) -> Tokenizer:
    """No space before anything; spaces in a row are tokens of their own; pieces are found whole first."""
    pieces, merges = vocabulary(model)
    tokenizer = Tokenizer(models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True, ignore_merges=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in ["<unk>", "<s>", "</s>", "<start_of_turn>", "<end_of_turn>"]])
    tokenizer.add_tokens([AddedToken(SPACE * count, normalized=True) for count in (2, 3, 8)] + [AddedToken("<b>", normalized=False)])
    begins_with(tokenizer, "<s>")
    return tokenizer


def unknown(split: bool) -> Tokenizer:
    """Without tokens of bytes: what the vocabulary lacks is unknown, in runs or one by one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=split))
    scheme = "always" if split else "never"
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=split)
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=split)
    trainer = trainers.BpeTrainer(vocab_size=700, limit_alphabet=90, special_tokens=["<unk>", "<s>"], show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    if split:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(" {3,}"), "  "), normalizers.Replace("``", '"')])
    return tokenizer


def tokenizers_by_name(model) -> dict[str, Tokenizer]:
    return {"llama2": llama2(model), "mistral": mistral(model), "gemma": gemma(model), "unknown-split": unknown(True),
            "unknown-whole": unknown(False)}


def decoded(tokenizer: Tokenizer, ids: list[int], skip: bool) -> str:
    """The text of `ids`. Where bytes are no valid UTF-8 `tokenizers` gives up the whole run of them; here the valid
    characters in it are kept, as `sentencepiece` and llama.cpp keep them."""
    text = tokenizer.decode(ids, skip_special_tokens=skip)
    anchor = tokenizer.token_to_id("<0x41>")
    if anchor is None:
        return text
    # Beside an anchor nothing is stripped.
    ids = [id for id in ids if not skip or tokenizer.decode([anchor, id]) != "A"]
    runs = [(is_run, list(run)) for is_run, run in itertools.groupby(ids, lambda id: is_byte(tokenizer, id))]
    own = ""
    for is_run, run in runs:
        if is_run:
            own += bytes(int(tokenizer.id_to_token(id)[3:5], 16) for id in run).decode(errors="replace")
        else:
            own += tokenizer.decode([anchor] + run, skip_special_tokens=False)[1:]
    if "Strip" in tokenizer.to_str() and own.startswith(" "):
        own = own[1:]
    assert "\ufffd" in text or own == text, (ids, text, own)
    return own


def is_byte(tokenizer: Tokenizer, id: int) -> bool:
    token = tokenizer.id_to_token(id) or ""
    return len(token) == 6 and token.startswith("<0x")


def decodings(tokenizer: Tokenizer, seed: int, count: int) -> list[list]:
    """Random id sequences with their text, whole and without special tokens; many bytes, some ids that do not exist."""
    draw = random.Random(seed)
    size = tokenizer.get_vocab_size()
    added = sorted(tokenizer.get_added_tokens_decoder())
    in_bytes = [id for id in range(size) if is_byte(tokenizer, id)] or [1]
    letters = [tokenizer.token_to_id(f"<0x{byte:02X}>") or 1 for byte in "é字😀 \n".encode()]
    rows = []
    for _ in range(count):
        ids = []
        for _ in range(draw.randint(1, 10)):
            kind = draw.randrange(8)
            if kind < 3: ids.append(draw.randrange(size))
            elif kind == 3: ids.append(draw.choice(in_bytes))
            elif kind == 4: ids += letters[: draw.randrange(len(letters))]
            elif kind == 5: ids.append(tokenizer.token_to_id(SPACE) or 1)
            elif kind == 6: ids.append(draw.choice(added))
            elif draw.random() < 0.2: ids.append(size + 7)
        rows.append([ids, decoded(tokenizer, [id for id in ids if id < size], False), decoded(tokenizer, [id for id in ids if id < size], True)])
    return rows


def hostile() -> list[str]:
    """Texts that tell implementations apart."""
    return ["", " ", "  ", "   ", " a", "a ", "  a  b  ", "\n", "\n\n\n", " \n ", "\t", "\r\n", "\x00", "a\x00b", "\x01\x02", "\x7f", "\u0080",
            "▁", "▁▁", " ▁", "a▁b", "▁ ▁a", "<0x41>", "<0x0A>", "<unk>", "<s>", "</s>", "<s>a", "a<s> b", "<s> <s>", "▁<s>", "😀", "👩‍💻 é", "e\u0301",
            "\ufeff", "\ufffd", "\U0010ffff", "字" * 40, "a" * 300, " " * 70, "ab " * 90, "é" * 60, "`` ``` ``", "x    y   z  w",
            "the the the", "THE", "don't", "1234567", "3.14", "two words", "two  words", " two words", "<mid>", "a <mid> b", "<|end|> \n x"]


def lists(model, user_defined: list[str]) -> dict:
    """The model as GGUF files have it."""
    size = model.get_piece_size()
    kind = lambda id: (2 if model.is_unknown(id) else 3 if model.is_control(id) else 6 if model.is_byte(id) else
                       4 if model.id_to_piece(id) in user_defined else 1)
    # The converter writes the spaces of user-defined pieces as spaces.
    text = lambda id: model.id_to_piece(id).replace(SPACE, " ") if kind(id) == 4 else model.id_to_piece(id)
    return {"tokens": [text(id) for id in range(size)], "scores": [model.get_score(id) for id in range(size)],
            "types": [kind(id) for id in range(size)]}


def generate(output: Path) -> None:
    """Writes the tokenizers and what they make of the drawn texts under `output`/tokenization."""
    model = trained(byte_fallback=True)
    for index, (name, tokenizer) in enumerate(tokenizers_by_name(model).items()):
        folder = output / "tokenization" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tokenizer.json").write_text(description(name, tokenizer), encoding="utf-8")
        strings = Strings(400 + index, [token.content for token in tokenizer.get_added_tokens_decoder().values()])
        texts = hostile() + [strings.draw() for _ in range(1200)]
        write_lines(folder / "encodings.jsonl", encodings(tokenizer, texts))
        write_lines(folder / "decodings.jsonl", decodings(tokenizer, 500 + index, 300))
    for name, options in {"prefix": {}, "plain": {"add_dummy_prefix": False, "user_defined_symbols": USER_DEFINED}}.items():
        model = trained(byte_fallback=True, **options)
        folder = output / "tokenization" / f"lists-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lists.json").write_text(json.dumps(lists(model, options.get("user_defined_symbols", [])), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        strings = Strings(450, ["<tool>", "<s>"])
        texts = [text for text in hostile() + [strings.draw() for _ in range(1200)] if "\x00" not in text and "▁" not in text]
        # SentencePiece never takes text for a control token, as when special tokens are taken as text here.
        write_lines(folder / "encodings.jsonl", [[text, model.encode(text)] for text in texts])


if __name__ == "__main__":
    generate(Path(__file__).resolve().parent)
