"""GGUF files for the tests, written by the `gguf` package of llama.cpp's authors.

`blocks.gguf` holds random blocks of every format beside the floats that `gguf` makes of them. `llama-biases.gguf` is the
checkpoint of that name, its rows in llama.cpp's order. As a program, it converts a model directory:

    python gguf_files.py Models/foretoken-reference-target target.gguf --type Q8_0
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import quants

# Where each format has its half-precision scales, in bytes from the start of a block.
HALVES = {
    Type.F16: (0,), Type.Q4_0: (0,), Type.Q4_1: (0, 2), Type.Q5_0: (0,), Type.Q5_1: (0, 2), Type.Q8_0: (0,),
    Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2), Type.Q6_K: (208,),
}
# Formats that came later: their blocks follow, so that those before stay the same.
LATER = {
    Type.IQ4_NL: (0,), Type.IQ4_XS: (0,), Type.MXFP4: (), Type.TQ1_0: (52,), Type.TQ2_0: (64,),
    Type.IQ2_XXS: (0,), Type.IQ2_XS: (0,), Type.IQ2_S: (0,), Type.IQ3_XXS: (0,), Type.IQ3_S: (0,), Type.IQ1_S: (0,),
    Type.IQ1_M: (),
}
ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3", "Qwen3MoeForCausalLM": "qwen3moe"}
OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
INNER = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "mlp.experts.gate_proj": "ffn_gate_exps", "mlp.experts.up_proj": "ffn_up_exps", "mlp.experts.down_proj": "ffn_down_exps",
}


def write_blocks(path: Path) -> None:
    """Two rows of 256 weights of every format, and what they are."""
    random = np.random.default_rng(5)
    writer = gguf.GGUFWriter(path, "blocks")
    for kind in [*HALVES, Type.BF16, *LATER]:
        length, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (512 // length, size), dtype=np.uint8)
        for place in (HALVES | LATER).get(kind, ()):
            # Any sign and any exponent but that of infinities.
            halves = random.integers(0, 0x7C00, len(blocks), dtype=np.uint16) | (
                random.integers(0, 2, len(blocks), dtype=np.uint16) << 15)
            blocks[:, place:place + 2] = halves.reshape(-1, 1).view(np.uint8)
        if kind is Type.BF16:
            blocks[:, 1] &= 0xBF
        if kind is Type.IQ1_M:
            # The highest nibble of a half in four.
            blocks[:, 55] &= 0xBF
        if kind is Type.MXFP4:
            # Exponents as those of weights: a row has one for its scales, which are halves.
            blocks[:, 0] = 112 + blocks[:, 0] % 24
        values = quants.dequantize(blocks.reshape(2, -1), kind).astype(np.float32)
        assert np.isfinite(values).all() and values.shape == (2, 256)
        if kind is Type.F16:
            writer.add_tensor(kind.name, blocks.reshape(2, -1).view(np.float16))
        else:
            writer.add_tensor(kind.name, blocks.reshape(2, -1), raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.values", values)
    finish(writer)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(directory: Path) -> dict[str, np.ndarray]:
    """The tensors of a directory's safetensors files, in single precision."""
    found = {}
    for path in sorted(directory.glob("*.safetensors")):
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            raw = data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]]
            if entry["dtype"] == "BF16":
                values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
            else:
                values = np.frombuffer(raw, {"F16": np.float16, "F32": np.float32}[entry["dtype"]]).astype(np.float32)
            found[name] = values.reshape(entry["shape"])
    return found


def paired(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys as llama.cpp wants Llama's: those of a head's two halves in turns."""
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(rows.shape)


def rotary_factors(base: float, size: int, scaling: dict) -> np.ndarray:
    """What `rope_freqs.weight` holds for Llama 3's scaling: by how much each frequency is divided."""
    wavelengths = 2 * np.pi * base ** (np.arange(0, size, 2) / size)
    low, high, whole = (scaling[key] for key in ("low_freq_factor", "high_freq_factor", "factor"))
    turns = scaling["original_max_position_embeddings"] / wavelengths
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return (1 / ((1 - smooth) / whole + smooth)).astype(np.float32)


def add_tokenizer(writer: gguf.GGUFWriter, directory: Path, size: int) -> None:
    file = json.loads((directory / "tokenizer.json").read_text())
    settings = json.loads((directory / "tokenizer_config.json").read_text())
    texts = {id: text for text, id in file["model"]["vocab"].items()}
    added = {token["id"]: token for token in file["added_tokens"]}
    names, types = [], []
    for id in range(size):
        token = added.get(id)
        names.append(token["content"] if token else texts.get(id, f"[PAD{id}]"))
        kind = gguf.TokenType.NORMAL if id in texts else gguf.TokenType.UNUSED
        if token:
            kind = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
        types.append(kind)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if file.get("normalizer") else "llama-bpe")
    writer.add_token_list(names)
    writer.add_token_types(types)
    merges = file["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    ids = {token["content"]: id for id, token in added.items()}
    if settings.get("bos_token"):
        writer.add_bos_token_id(ids[settings["bos_token"]])
    if settings.get("eos_token"):
        writer.add_eos_token_id(ids[settings["eos_token"]])
    writer.add_add_bos_token(settings.get("add_bos_token", False))
    if settings.get("chat_template"):
        writer.add_chat_template(settings["chat_template"])


def stacked(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same with one tensor for all experts of a layer."""
    result, experts = {}, {}
    for name, values in found.items():
        before, _, after = name.partition(".experts.")
        if after:
            number, kind, _ = after.split(".")
            experts.setdefault(f"{before}.experts.{kind}.weight", {})[int(number)] = values
        else:
            result[name] = values
    return result | {name: np.stack([parts[index] for index in range(len(parts))]) for name, parts in experts.items()}


def convert(directory: Path, path: Path, kind: Type) -> None:
    """Writes a model directory as a GGUF file, its matrices in `kind`."""
    config = json.loads((directory / "config.json").read_text())
    family = ARCHITECTURES[config["architectures"][0]]
    writer = gguf.GGUFWriter(path, family)
    writer.add_name(directory.name)
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    rope = config.get("rope_parameters") or {}
    base = rope.get("rope_theta") or config["rope_theta"]
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(base)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if family == "qwen3moe":
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if rope.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", rotary_factors(base, size, rope))
    elif rope.get("rope_type") in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        writer.add_rope_scaling_factor(rope["factor"])
        if rope["rope_type"] == "yarn":
            writer.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
    if (directory / "tokenizer.json").exists():
        add_tokenizer(writer, directory, config["vocab_size"])
    for name, values in stacked(tensors(directory)).items():
        stem, _, ending = name.rpartition(".")
        if stem in OUTER:
            target = f"{OUTER[stem]}.{ending}"
        else:
            _, _, layer, inner = stem.split(".", 3)
            target = f"blk.{layer}.{INNER[inner]}.{ending}"
            if family == "llama" and inner in ("self_attn.q_proj", "self_attn.k_proj"):
                values = paired(values, heads if "q_proj" in inner else config["num_key_value_heads"])
        if values.ndim == 1:
            writer.add_tensor(target, values)
            continue
        if "ffn_gate_inp" in target:
            writer.add_tensor(target, values)
            continue
        # As llama.cpp: what a format's blocks do not divide stays in half precision.
        fits = values.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] == 0
        chosen = kind if fits else Type.F16
        data = quants.quantize(values, chosen)
        writer.add_tensor(target, data, raw_dtype=None if chosen in (Type.F32, Type.F16) else chosen)
    finish(writer)


def generate(output: Path) -> None:
    """Writes `output/gguf/`."""
    folder = output / "gguf"
    folder.mkdir(parents=True, exist_ok=True)
    write_blocks(folder / "blocks.gguf")
    convert(output / "forward/llama-biases", folder / "llama-biases.gguf", Type.BF16)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a model directory as a GGUF file.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--type", default="Q8_0", help="F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 or Q8_0")
    arguments = parser.parse_args()
    convert(arguments.directory, arguments.output, Type[arguments.type])


if __name__ == "__main__":
    main()
