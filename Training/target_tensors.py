"""Writes what a head shares with a target that is a GGUF file, in single precision, as a folder that `eagle3.py` and `dflash.py` read.

    python target_tensors.py MODEL.gguf --out build/target
    python target_tensors.py MODEL.gguf --out build/target --taps build/taps     # and compares with what Foretoken wrote

The folder holds `config.json` and `model.safetensors` with the embedding, the last norm and the head, values as the file
has them. With `--taps`, greedy answers must follow from the streams that the last norm reads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from safetensors import safe_open
from safetensors.torch import save_file

NAMES = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}


def export(model: Path, out: Path) -> None:
    reader = GGUFReader(model)
    architecture = reader.fields["general.architecture"].contents()

    def key(name: str, otherwise: float | None = None) -> float:
        field = reader.fields.get(f"{architecture}.{name}")
        if field is None and otherwise is None:
            raise SystemExit(f"{model} has no {architecture}.{name}")
        return otherwise if field is None else field.contents()

    tensors = {
        NAMES[tensor.name]: torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
        for tensor in reader.tensors if tensor.name in NAMES}
    hidden, heads = key("embedding_length"), key("attention.head_count")
    config = {
        "hidden_size": hidden, "num_hidden_layers": key("block_count"), "num_attention_heads": heads,
        "num_key_value_heads": key("attention.head_count_kv", heads), "head_dim": key("attention.key_length", hidden // heads),
        "intermediate_size": key("feed_forward_length"), "vocab_size": len(tensors["model.embed_tokens.weight"]),
        "rope_theta": key("rope.freq_base", 10_000.0), "rms_norm_eps": float(f"{key('attention.layer_norm_rms_epsilon'):.6g}"),
        "max_position_embeddings": key("context_length"), "tie_word_embeddings": "lm_head.weight" not in tensors}
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(tensors, out / "model.safetensors", metadata={"format": "pt"})
    print(json.dumps(config))
    print(", ".join(f"{name} {list(tensor.shape)}" for name, tensor in tensors.items()))


def compare(out: Path, taps: Path, most: int = 4096) -> None:
    """How often the likeliest token of the last stream is the one that the answer went on with."""
    from streams import Target

    target = Target(out)
    last = f"taps.{target.shape.num_hidden_layers}"
    for path in sorted(taps.glob("taps-*.safetensors")):
        with safe_open(path, framework="pt") as file:
            following = file.get_tensor("next")
            rows = torch.nonzero((file.get_tensor("is_answer") > 0) & (following >= 0)).flatten()[:most]
            stream = file.get_tensor(last)[rows].float()
        logits = torch.nn.functional.rms_norm(stream, target.norm.shape, target.norm, target.shape.rms_norm_eps) @ target.head.T
        best, said = logits.max(-1), logits.gather(1, following[rows].long()[:, None])[:, 0]
        same = best.indices == following[rows]
        near = float((best.values - said)[~same].max()) if not bool(same.all()) else 0.0
        print(f"{path.name}: {int(same.sum()):,} of {len(rows):,} tokens of answers are the likeliest; "
              f"the others are behind by {near:.3f} at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--taps", type=Path, help="folder of greedy answers' streams to compare with")
    arguments = parser.parse_args()
    export(arguments.model, arguments.out)
    if arguments.taps:
        compare(arguments.out, arguments.taps)


if __name__ == "__main__":
    main()
