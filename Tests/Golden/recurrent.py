"""Reference values of models with recurrent layers (Qwen3.5): tiny random ones, from `transformers` in single precision.

`recurrent/*` are model directories with `expected.json` beside them, as `forward.py` writes it: logits at a few positions,
the likeliest token at all, and a greedy continuation with its margins. The prompt is longer than a chunk of
`transformers`' chunked recurrence (64 positions); the continuation goes by its recurrence of single positions.

`nested` is a model that sees pictures too, of which only what reads texts counts: tensors begin with
`model.language_model.`, the configuration is in `text_config`. `mtp` carries an MTP layer as Qwen3.5's checkpoints do
(`mtp.*`), with `drafted.json`: what `mtp.py` describes, from `transformers`' own decoder layer. `mtp/model.gguf` is the
same as llama.cpp's converter writes it, the value heads of recurrent layers in turns.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from forward import expectations, write
from gguf import quants
from gguf_files import INNER, OUTER, finish
from halves import HalfCache
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, Qwen3_5Config, Qwen3_5TextConfig
from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5DecoderLayer, Qwen3_5TextRotaryEmbedding

STEPS = 5
LENGTHS = (5, 11, 24)
VOCABULARY = 193
BASE = dict(
    hidden_size=32, num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=1, head_dim=16, intermediate_size=48,
    vocab_size=VOCABULARY, max_position_embeddings=512, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1,
    linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=16,
    linear_conv_kernel_dim=4,
    rope_parameters={"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.25},
)
# Key heads and value heads alike, channels that no vector divides, another convolution, layers in another order.
MODELS: dict[str, dict[str, object]] = {
    "plain": {},
    "equal-heads": dict(
        linear_num_key_heads=4, linear_key_head_dim=9, linear_value_head_dim=24, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0, "partial_rotary_factor": 0.5}),
    "odd-sizes": dict(
        hidden_size=40, num_hidden_layers=3, linear_num_key_heads=1, linear_num_value_heads=3, linear_key_head_dim=22,
        linear_value_head_dim=12, linear_conv_kernel_dim=3, vocab_size=161,
        layer_types=["full_attention", "linear_attention", "linear_attention"]),
    "nested": dict(num_hidden_layers=2, layer_types=["linear_attention", "full_attention"]),
    "mtp": dict(mtp_num_hidden_layers=1, linear_num_value_heads=6),
}
VISION = dict(
    depth=1, hidden_size=16, intermediate_size=16, num_heads=2, patch_size=2, out_hidden_size=32, in_channels=1,
    num_position_embeddings=4, temporal_patch_size=1)


def filled(key: str, shape: torch.Size) -> Tensor:
    noise = torch.randn(shape)
    if key.endswith("A_log"):
        # States that are forgotten within a few positions, and states that stay.
        value = torch.log(torch.empty(shape).uniform_(0.02, 8))
    elif key.endswith("linear_attn.norm.weight"):
        value = 1 + 0.2 * noise
    elif "norm" in key:
        value = 0.2 * noise
    elif "conv1d" in key:
        value = 0.5 * noise
    elif key.endswith("dt_bias"):
        value = noise - 1
    elif "embed" in key:
        value = 0.5 * noise
    else:
        value = 0.15 * noise
    # Values that half the bits can hold: what is compared is the arithmetic, not the rounding of weights.
    return value.to(torch.bfloat16).float()


def write_model(place: Path) -> None:
    torch.manual_seed(sum(place.name.encode()))
    if place.name == "nested":
        config = Qwen3_5Config(text_config=BASE | MODELS["nested"], vision_config=VISION, tie_word_embeddings=False)
        model = AutoModelForImageTextToText.from_config(config)
    else:
        model = AutoModelForCausalLM.from_config(Qwen3_5TextConfig(**(BASE | MODELS[place.name])))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(filled(key, parameter.shape))
    model.to(torch.bfloat16).save_pretrained(place)
    (place / "generation_config.json").unlink(missing_ok=True)
    if place.name != "mtp":
        return
    tensors = load_file(place / "model.safetensors")
    hidden = BASE["hidden_size"]
    for key in list(tensors):
        if key.startswith("model.layers.3."):
            # As large as in a head: attention is sharp and counts for much, so that chains wander.
            inner = key.removeprefix("model.layers.3.")
            scale = {"q_proj": 2.0, "k_proj": 1.5, "v_proj": 1.5, "o_proj": 2.5}.get(inner.split(".")[1], 1.0)
            matrix = scale / math.sqrt(tensors[key].shape[-1]) * torch.randn(tensors[key].shape)
            tensors["mtp.layers.0." + inner] = matrix if tensors[key].dim() == 2 else filled(key, tensors[key].shape)
    for part in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"):
        tensors[f"mtp.{part}.weight"] = 0.2 * torch.randn(hidden)
    tensors["mtp.fc.weight"] = torch.randn(hidden, 2 * hidden) / math.sqrt(2 * hidden)
    save_file(
        {key: value.to(torch.bfloat16).contiguous() for key, value in tensors.items()}, place / "model.safetensors",
        metadata={"format": "pt"})


def reference_directory(place: Path, scratch: Path) -> Path:
    """Where `AutoModelForCausalLM` finds what reads texts: the model itself, or the part of a larger one."""
    if not place.name.endswith("nested"):
        return place
    model = AutoModelForImageTextToText.from_pretrained(place, dtype=torch.float32)
    texts = AutoModelForCausalLM.from_config(model.config.text_config)
    texts.model.load_state_dict(model.model.language_model.state_dict())
    texts.lm_head.load_state_dict(model.lm_head.state_dict())
    texts.float().save_pretrained(scratch)
    return scratch


class Layer:
    """The MTP layer of a model, its decoder layer `transformers`' own."""

    def __init__(self, place: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.float32, attn_implementation="eager").eval()
        self.config = self.model.config
        self.weights = {key: value.float() for key, value in load_file(place / "model.safetensors").items()}
        # Of a kind with the last layer, which is attention.
        self.layer = self.decoder_layer(place).float().eval()
        self.layer.load_state_dict(self.layer_weights({
            key.removeprefix("mtp.layers.0."): value for key, value in self.weights.items() if key.startswith("mtp.layers.0.")}))
        self.rotary = Qwen3_5TextRotaryEmbedding(self.config)

    def decoder_layer(self, place: Path) -> torch.nn.Module:
        return Qwen3_5DecoderLayer(self.config, 3)

    def layer_weights(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        return own

    def norm(self, name: str, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], 1 + self.weights[f"mtp.{name}.weight"], eps=self.config.rms_norm_eps)

    def run(self, tokens: list[int], hidden: Tensor) -> Tensor:
        """Outputs after the last norm of the slots that `tokens` and `hidden` fill."""
        embedded = self.model.model.embed_tokens.weight[tokens]
        x = torch.cat([self.norm("pre_fc_norm_embedding", embedded), self.norm("pre_fc_norm_hidden", hidden)], dim=-1)
        x = (x @ self.weights["mtp.fc.weight"].T)[None]
        mask = torch.full((len(tokens), len(tokens)), torch.finfo(torch.float32).min).triu(1)[None, None]
        positions = 1 + torch.arange(len(tokens))[None]
        out = self.layer(
            x, attention_mask=mask, position_ids=positions, position_embeddings=self.rotary(x, positions),
            past_key_values=HalfCache(config=self.config))
        return self.norm("norm", (out[0] if isinstance(out, tuple) else out)[0])

    @torch.no_grad()
    def chain(self, tokens: list[int]) -> dict[str, object]:
        hidden = self.model.model(
            torch.tensor([tokens]), past_key_values=HalfCache(config=self.config)).last_hidden_state[0]
        filled, g, logits, drafted = tokens[1:], hidden[:-1], [], []
        for _ in range(STEPS):
            out = self.run(filled, g)[-1]
            logits.append(self.model.lm_head(out))
            drafted.append(int(logits[-1].argmax()))
            filled, g = [*filled, drafted[-1]], torch.cat([g, out[None]])
        margins = [float((best := step.topk(2).values)[0] - best[1]) for step in logits]
        assert min(margins) > 2e-3, "a tie between drafted tokens; take another seed"
        return {"tokens": tokens, "drafted": drafted,
                "logits": [[float(f"{value:.5g}") for value in step.tolist()] for step in logits]}


def chains_of(layer: Layer, name: str) -> dict[str, object]:
    random = torch.Generator().manual_seed(33)
    prompt = torch.randint(2, VOCABULARY, (max(LENGTHS),), generator=random).tolist()
    chains = [layer.chain(prompt[:length]) for length in LENGTHS]
    base, rejections = chains[1], []
    for kept in range(STEPS):
        other = (base["drafted"][kept] + 1 + 7 * kept) % VOCABULARY
        entry = layer.chain(base["tokens"] + base["drafted"][:kept] + [other])
        rejections.append({"kept": kept} | entry | {"logits": entry["logits"][:2], "drafted": entry["drafted"][:2]})
    return {"target": f"../recurrent/{name}", "taps": [layer.config.num_hidden_layers], "draft_ids": None,
            "reference": "transformers, Tests/Golden/recurrent.py", "chains": chains, "rejections": rejections}


RECURRENT = {
    "linear_attn.in_proj_qkv": "attn_qkv", "linear_attn.in_proj_z": "attn_gate", "linear_attn.in_proj_a": "ssm_alpha",
    "linear_attn.in_proj_b": "ssm_beta", "linear_attn.conv1d": "ssm_conv1d", "linear_attn.norm": "ssm_norm",
    "linear_attn.out_proj": "ssm_out",
}
AROUND = {"mtp.fc": "nextn.eh_proj", "mtp.pre_fc_norm_embedding": "nextn.enorm", "mtp.pre_fc_norm_hidden": "nextn.hnorm",
          "mtp.norm": "nextn.shared_head_norm"}


def in_turns(values: np.ndarray, keys: int, heads: int, axis: int = 0) -> np.ndarray:
    """Value heads in turns, one of each key head after the other, instead of those of a key head side by side."""
    parts = np.moveaxis(values, axis, 0).reshape(keys, heads // keys, values.shape[axis] // heads, -1)
    moved = parts.swapaxes(0, 1).reshape(values.shape[axis], *np.moveaxis(values, axis, 0).shape[1:])
    return np.moveaxis(moved, 0, axis)


def converted(name: str, values: np.ndarray, config: dict) -> tuple[str, np.ndarray]:
    """What llama.cpp's converter makes of a tensor of a layer: its name, after the layer's number, and its values."""
    keys, heads = config["linear_num_key_heads"], config["linear_num_value_heads"]
    width = 2 * keys * config["linear_key_head_dim"]
    stem = name.removesuffix(".weight")
    if name == "linear_attn.A_log":
        return "ssm_a", in_turns(-np.exp(values), keys, heads)
    if name == "linear_attn.dt_bias":
        return "ssm_dt.bias", in_turns(values, keys, heads)
    if stem in ("linear_attn.in_proj_qkv", "linear_attn.conv1d"):
        values = values.reshape(values.shape[0], -1)
        values = np.concatenate([values[:width], in_turns(values[width:], keys, heads)])
    elif stem in ("linear_attn.in_proj_z", "linear_attn.in_proj_a", "linear_attn.in_proj_b"):
        values = in_turns(values, keys, heads)
    elif stem == "linear_attn.out_proj":
        values = in_turns(values, keys, heads, axis=1)
    elif stem.endswith("norm") and stem != "linear_attn.norm":
        values = values + 1
    inner = "post_attention_norm" if stem == "post_attention_layernorm" else (RECURRENT | INNER)[stem]
    return f"{inner}.weight", values


def add(writer: gguf.GGUFWriter, name: str, values: np.ndarray, is_whole: bool = False) -> None:
    """Matrices in bf16, which holds them; as llama.cpp wants it, all else in single precision."""
    if values.ndim >= 2 and "conv1d" not in name and not is_whole:
        data = quants.quantize(np.ascontiguousarray(values), gguf.GGMLQuantizationType.BF16)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(name, np.ascontiguousarray(values))


def write_keys(writer: gguf.GGUFWriter, family: str, name: str, config: dict) -> None:
    """What llama.cpp's converter says of a model with an MTP layer."""
    writer.add_name(name)
    writer.add_block_count(config["num_hidden_layers"] + 1)
    writer.add_uint32(f"{family}.nextn_predict_layers", 1)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    if "intermediate_size" in config:
        writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    rope = config["rope_parameters"]
    writer.add_rope_dimension_count(int(config["head_dim"] * rope["partial_rotary_factor"]))
    if family != "qwen3next":
        writer.add_rope_dimension_sections([11, 11, 10, 0])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
    writer.add_ssm_state_size(config["linear_key_head_dim"])
    writer.add_ssm_group_count(config["linear_num_key_heads"])
    writer.add_ssm_time_step_rank(config["linear_num_value_heads"])
    writer.add_ssm_inner_size(config["linear_num_value_heads"] * config["linear_value_head_dim"])
    recurrent = [kind == "linear_attention" for kind in config["layer_types"]]
    writer.add_array(f"{family}.attention.recurrent_layers", recurrent + [False])
    writer.add_uint32(f"{family}.full_attention_interval", 4)


def write_gguf(place: Path, path: Path) -> None:
    config = json.loads((place / "config.json").read_text())
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(path, "qwen35")
    write_keys(writer, "qwen35", place.name, config)
    for name, tensor in load_file(place / "model.safetensors").items():
        stem, values = name.removesuffix(".weight"), tensor.float().numpy()
        if stem in OUTER:
            add(writer, f"{OUTER[stem]}.weight", values + 1 if stem == "model.norm" else values)
        elif stem in AROUND:
            add(writer, f"blk.{layers}.{AROUND[stem]}.weight", values if stem == "mtp.fc" else values + 1)
        else:
            _, _, number, inner = name.split(".", 3)
            target, values = converted(inner, values, config)
            number = layers if name.startswith("mtp.") else int(number)
            add(writer, f"blk.{number}.{target}", values)
    finish(writer)


def generate(output: Path) -> None:
    """Writes `output/recurrent/`."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, changes in MODELS.items():
        place, scratch = output / "recurrent" / name, output / "recurrent" / "scratch"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        write_model(place)
        vocabulary = (BASE | changes)["vocab_size"]
        prompt = torch.randint(0, vocabulary, (90,), generator=torch.Generator().manual_seed(7)).tolist()
        write(place / "expected.json", expectations(reference_directory(place, scratch), prompt, 4, 40))
        shutil.rmtree(scratch, ignore_errors=True)
        if name == "mtp":
            write(place / "drafted.json", chains_of(Layer(place), name))
            write_gguf(place, place / "model.gguf")


if __name__ == "__main__":
    generate(Path(__file__).parent)
