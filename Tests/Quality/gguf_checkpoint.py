"""Writes a GGUF file of a Llama as a model directory: config.json, tokenizer.json and bfloat16 safetensors.

    python gguf_checkpoint.py SmolLM2-135M-Instruct.BF16.gguf SmolLM2-135M-Instruct

What the file stores in other formats than bfloat16 is rounded to it. Needs the packages `gguf` and `numpy`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import quants

OUTER = {
    "token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
INNER = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
# What `tokenizer.ggml.pre` stands for.
PRE_TOKENIZERS = {
    "smollm": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        ],
    },
}


class Unsupported(Exception):
    """A file that has no form as a model directory here."""


class Metadata:
    """A file's keys and values; those of the architecture by their last names."""

    def __init__(self, reader: gguf.GGUFReader) -> None:
        self.fields = reader.fields

    def get(self, key: str, default=None):
        field = self.fields.get(key)
        return default if field is None else field.contents()

    def __getitem__(self, key: str):
        if key not in self.fields:
            raise Unsupported(f"The file has no {key}.")
        return self.fields[key].contents()

    def expect(self, key: str, supported: list[str]) -> str:
        found = self[key]
        if found not in supported:
            raise Unsupported(f"{key} is '{found}'; expected {' or '.join(supported)}.")
        return found


def configuration(metadata: Metadata, tied: bool) -> dict:
    heads = metadata["llama.attention.head_count"]
    width = metadata["llama.embedding_length"]
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "attention_bias": False, "mlp_bias": False,
        "hidden_size": width, "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"], "num_attention_heads": heads,
        "num_key_value_heads": metadata.get("llama.attention.head_count_kv", heads),
        "head_dim": metadata.get("llama.attention.key_length", width // heads),
        "max_position_embeddings": metadata["llama.context_length"],
        # A single-precision number whose shortest text is what was meant.
        "rms_norm_eps": float(str(np.float32(metadata["llama.attention.layer_norm_rms_epsilon"]))),
        "rope_theta": float(metadata.get("llama.rope.freq_base", 10000)), "rope_scaling": None,
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]), "tie_word_embeddings": tied, "torch_dtype": "bfloat16",
        "bos_token_id": metadata.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": metadata.get("tokenizer.ggml.eos_token_id"),
    }


def tokenizer(metadata: Metadata) -> tuple[dict, dict]:
    """tokenizer.json and tokenizer_config.json."""
    metadata.expect("tokenizer.ggml.model", ["gpt2"])
    pre = metadata.expect("tokenizer.ggml.pre", list(PRE_TOKENIZERS))
    texts, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    added = [
        {"id": id, "content": texts[id], "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": kind == gguf.TokenType.CONTROL}
        for id, kind in enumerate(types) if kind in (gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED)
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    file = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": PRE_TOKENIZERS[pre], "post_processor": None, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {text: id for id, text in enumerate(texts)}, "merges": metadata["tokenizer.ggml.merges"],
        },
    }

    def named(key: str) -> str | None:
        id = metadata.get(f"tokenizer.ggml.{key}_token_id")
        return None if id is None else texts[id]

    settings = {
        "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "clean_up_tokenization_spaces": False,
        "add_bos_token": metadata.get("tokenizer.ggml.add_bos_token", False), "bos_token": named("bos"),
        "eos_token": named("eos"), "unk_token": named("unknown"), "pad_token": named("padding"),
        "chat_template": metadata.get("tokenizer.chat_template"),
        "model_max_length": metadata["llama.context_length"],
    }
    return file, settings


def halves_apart(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys as Hugging Face has them: llama.cpp has those of a Llama's head's two halves in turns."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, half, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def bfloat16(values: np.ndarray) -> np.ndarray:
    """The bits of single-precision values rounded to the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def tensors(reader: gguf.GGUFReader, configuration: dict) -> dict[str, np.ndarray]:
    """The bits of the model's tensors, by their names in the directory."""
    heads = {"attn_q": configuration["num_attention_heads"], "attn_k": configuration["num_key_value_heads"]}
    found = {}
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        values = values.reshape(tuple(int(extent) for extent in reversed(tensor.shape)))
        if tensor.name in OUTER:
            found[OUTER[tensor.name]] = bfloat16(values)
            continue
        prefix, _, rest = tensor.name.partition(".")
        layer, _, inner = rest.partition(".")
        stem, _, ending = inner.rpartition(".")
        if prefix != "blk" or stem not in INNER or ending != "weight":
            raise Unsupported(f"The file has a tensor '{tensor.name}', of which a Llama has none.")
        if stem in heads:
            values = halves_apart(values, heads[stem])
        found[f"model.layers.{layer}.{INNER[stem]}.weight"] = bfloat16(values)
    return found


def write_safetensors(path: Path, found: dict[str, np.ndarray]) -> None:
    header, place = {"__metadata__": {"format": "pt"}}, 0
    for name, bits in found.items():
        header[name] = {"dtype": "BF16", "shape": bits.shape, "data_offsets": [place, place + bits.nbytes]}
        place += bits.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for bits in found.values():
            file.write(bits.astype("<u2").tobytes())


def convert(source: Path, output: Path) -> None:
    reader = gguf.GGUFReader(source)
    metadata = Metadata(reader)
    metadata.expect("general.architecture", ["llama"])
    names = {tensor.name for tensor in reader.tensors}
    config = configuration(metadata, tied="output.weight" not in names)
    file, settings = tokenizer(metadata)
    found = tensors(reader, config)
    output.mkdir(parents=True, exist_ok=True)
    for name, value in (("config", config), ("tokenizer", file), ("tokenizer_config", settings)):
        (output / f"{name}.json").write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    write_safetensors(output / "model.safetensors", found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a GGUF file of the architecture llama")
    parser.add_argument("output", type=Path, help="the model directory to write")
    arguments = parser.parse_args()
    try:
        convert(arguments.source, arguments.output)
    except (Unsupported, OSError) as error:
        sys.exit(f"gguf_checkpoint: {arguments.source}: {error}")


if __name__ == "__main__":
    main()
