"""Writes an exported EAGLE-3 head as a GGUF file with matrices of 8, 5 or 4 bits, which take less time to read.

    python eagle3_gguf.py smollm2-eagle3 --type Q8_0 --out smollm2-eagle3.Q8_0.gguf

As llama.cpp's converter writes such heads: rows of queries and keys in pairs, `d2t` as the target's tokens themselves. But
for the tokenizer: it is the target's, which llama.cpp takes the text from, and of the head's needs to know the size alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

from eagle3_head import load_head

NAMES = {
    "fc": "fc", "norm": "output_norm", "lm_head": "output", "midlayer.input_layernorm": "blk.0.attn_norm",
    "midlayer.hidden_norm": "blk.0.attn_norm_2", "midlayer.post_attention_layernorm": "blk.0.ffn_norm",
    "midlayer.self_attn.q_proj": "blk.0.attn_q", "midlayer.self_attn.k_proj": "blk.0.attn_k",
    "midlayer.self_attn.v_proj": "blk.0.attn_v", "midlayer.self_attn.o_proj": "blk.0.attn_output",
    "midlayer.mlp.gate_proj": "blk.0.ffn_gate", "midlayer.mlp.up_proj": "blk.0.ffn_up", "midlayer.mlp.down_proj": "blk.0.ffn_down"}


def paired(rows: np.ndarray, heads: int) -> np.ndarray:
    """Rows whose halves of a head rotate together, as pairs that do."""
    return rows.reshape(heads, 2, -1, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("head", type=Path, help="folder that eagle3.py exported")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--type", choices=("Q8_0", "Q5_1", "Q4_1"), default="Q8_0", help="of the matrices (default: %(default)s)")
    arguments = parser.parse_args()
    matrices = Type[arguments.type]
    head = load_head(arguments.head)
    shape = head.shape.layer
    writer = gguf.GGUFWriter(arguments.out, "eagle3")
    writer.add_name(arguments.head.name)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{arguments.type}"])
    writer.add_block_count(1)
    writer.add_context_length(shape.max_position_embeddings)
    writer.add_embedding_length(shape.hidden_size)
    writer.add_feed_forward_length(shape.intermediate_size)
    writer.add_head_count(shape.num_attention_heads)
    writer.add_head_count_kv(shape.num_key_value_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.rms_norm_eps)
    writer.add_vocab_size(shape.vocab_size)
    writer.add_tokenizer_model("none")
    writer.add_array("eagle3.target_layers", list(head.shape.taps))
    writer.add_uint32("eagle3.target_hidden_size", head.shape.target_hidden_size)
    writer.add_bool("eagle3.norm_before_residual", False)
    writer.add_bool("eagle3.norm_before_fc", False)
    for name, tensor in head.state_dict().items():
        if name == "t2d":
            continue
        if name == "d2t":
            writer.add_tensor("d2t", head.draft_ids.numpy(), raw_dtype=Type.I64)
            continue
        stem, values = name.removesuffix(".weight"), tensor.float().numpy()
        for part, heads in (("q_proj", shape.num_attention_heads), ("k_proj", shape.num_key_value_heads)):
            if stem.endswith(part):
                values = paired(values, heads)
        kind = matrices if values.ndim == 2 else Type.F32
        writer.add_tensor(f"{NAMES[stem]}.weight", gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
