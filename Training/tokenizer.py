"""The pair's tokenizer: byte-level BPE with Qwen2's pre-tokenizer pattern and ChatML's special tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from corpus.document import END_OF_TEXT, TURN_END, TURN_START

VOCABULARY_SIZE = 8192
SPECIAL_TOKENS = [END_OF_TEXT, TURN_START, TURN_END]
# The pattern that Qwen2 and Qwen3 split text with before merging.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def train_tokenizer(path: Path, texts: Iterator[str]) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS), initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False)
    tokenizer.train_from_iterator(strip_special(texts), trainer)
    # Special tokens come last, as in the models that this one stands in for.
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    assert tokenizer.get_vocab_size() == VOCABULARY_SIZE, tokenizer.get_vocab_size()
    tokenizer.save(str(path))


def strip_special(texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        for token in SPECIAL_TOKENS:
            text = text.replace(token, "")
        yield text


def load_tokenizer(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


def write_tokenizer_files(source: Path, directory: Path) -> None:
    """`tokenizer.json` and `tokenizer_config.json` as `transformers` reads them."""
    (directory / "tokenizer.json").write_text(source.read_text())
    tokenizer = load_tokenizer(source)
    added = {
        str(tokenizer.token_to_id(token)): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True
        }
        for token in SPECIAL_TOKENS
    }
    config = {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": added,
        "additional_special_tokens": [TURN_START, TURN_END], "bos_token": None, "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False, "eos_token": TURN_END, "errors": "replace", "model_max_length": 4096,
        "pad_token": END_OF_TEXT, "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "unk_token": None,
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
