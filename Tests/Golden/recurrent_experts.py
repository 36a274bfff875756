"""Reference values of models with recurrent layers and experts (Qwen3.5-MoE, Qwen3-Next), as `recurrent.py` has them.

They go to `recurrent/` too. `moe` and `next` carry an MTP layer, which has experts as well, and lie there as llama.cpp's
converter writes them besides. In `next` the inputs of recurrent layers are joined by key head, and in its GGUF file those
of the first layer are as older converters wrote them. `next-dense-layers` has layers without experts, `moe-nested` is the
part of a model that sees pictures; `moe` and `moe-nested` have all experts of a layer in one tensor. `moe` has channels
whose norms are far above the others', and weights that are as far below.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import gguf
import numpy as np
import torch
import transformers
from experts import stack
from forward import expectations, write
from gguf_files import INNER, OUTER, finish, stacked
from recurrent import AROUND, BASE, RECURRENT, VISION, Layer, add, chains_of, converted, filled, reference_directory, write_keys
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Qwen3_5MoeConfig,
    Qwen3_5MoeTextConfig,
    Qwen3NextConfig,
)
from transformers.models.qwen3_5_moe.modeling_qwen3_5_moe import Qwen3_5MoeDecoderLayer
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextDecoderLayer

MIXTURE = {key: value for key, value in BASE.items() if key != "intermediate_size"} | dict(
    num_experts=6, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=24)
MODELS: dict[str, dict[str, object]] = {
    "moe": dict(linear_num_value_heads=6, num_experts=5, num_experts_per_tok=3),
    "moe-nested": dict(num_hidden_layers=2, layer_types=["linear_attention", "full_attention"]),
    "next": dict(linear_num_value_heads=6, intermediate_size=48),
    "next-dense-layers": dict(
        intermediate_size=40, decoder_sparse_step=2, mlp_only_layers=[3], norm_topk_prob=False, linear_key_head_dim=10,
        linear_value_head_dim=12, layer_types=["full_attention"] + 3 * ["linear_attention"]),
}
CARRYING = ("moe", "next")
# Other weights, where those of the name make two things as good as equal.
SEEDS = {"moe": 2, "next": 3, "next-dense-layers": 1}
SHARED = {
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp", "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp", "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
}


OUTLIERS = [3, 11, 12, 17, 20, 26, 29, 30]


def is_next(place: Path) -> bool:
    return place.name.startswith("next")


def weights(key: str, shape: torch.Size) -> Tensor:
    if key.endswith("mlp.gate.weight") or key.endswith("shared_expert_gate.weight"):
        # Scores that tell experts apart; shares that differ from row to row.
        return torch.randn(shape).mul(1.0 if "mlp.gate." in key else 0.3).to(torch.bfloat16).float()
    return filled(key, shape)


def set_apart(model: torch.nn.Module) -> None:
    for layer in model.model.layers:
        norm, mlp = layer.post_attention_layernorm.weight, layer.mlp
        norm[OUTLIERS] = 64 * (1 + norm[OUTLIERS]) - 1
        for matrix in (mlp.gate.weight, mlp.experts.gate_up_proj, mlp.shared_expert.gate_proj.weight,
                       mlp.shared_expert.up_proj.weight, mlp.shared_expert_gate.weight):
            matrix[..., OUTLIERS] /= 64


def write_model(place: Path) -> None:
    torch.manual_seed(sum(place.name.encode()) + SEEDS.get(place.name, 0))
    changes = MIXTURE | MODELS[place.name]
    if place.name == "moe-nested":
        config = Qwen3_5MoeConfig(text_config=changes, vision_config=VISION, tie_word_embeddings=False)
        model = AutoModelForImageTextToText.from_config(config)
    else:
        model = AutoModelForCausalLM.from_config((Qwen3NextConfig if is_next(place) else Qwen3_5MoeTextConfig)(**changes))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(weights(key, parameter.shape))
        if place.name == "moe":
            set_apart(model)
    model.to(torch.bfloat16).save_pretrained(place)
    (place / "generation_config.json").unlink(missing_ok=True)
    path = place / "model.safetensors"
    if place.name in CARRYING:
        add_layer(path, int(changes["hidden_size"]))
        write_gguf(place, place / "model.gguf")
    if place.name in ("moe", "moe-nested"):
        stack(path)


def add_layer(path: Path, hidden: int) -> None:
    """An MTP layer, of a kind with the last."""
    tensors = load_file(path)
    for key in list(tensors):
        if key.startswith("model.layers.3."):
            inner, shape = key.removeprefix("model.layers.3."), tensors[key].shape
            # As large as in a head: attention is sharp and counts for much, so that chains wander.
            scale = {"q_proj": 2.0, "k_proj": 1.5, "v_proj": 1.5, "o_proj": 2.5}.get(inner.split(".")[1])
            matrix = torch.randn(shape) * scale / math.sqrt(shape[-1]) if scale else weights(key, shape)
            tensors["mtp.layers.0." + inner] = matrix
    for part in ("pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"):
        tensors[f"mtp.{part}.weight"] = 0.2 * torch.randn(hidden)
    tensors["mtp.fc.weight"] = torch.randn(hidden, 2 * hidden) / math.sqrt(2 * hidden)
    save_file(
        {key: value.to(torch.bfloat16).contiguous() for key, value in tensors.items()}, path, metadata={"format": "pt"})


class ExpertLayer(Layer):
    """An MTP layer with experts, its decoder layer `transformers`' own, which has all experts in one tensor."""

    def decoder_layer(self, place: Path) -> torch.nn.Module:
        layer = (Qwen3NextDecoderLayer if is_next(place) else Qwen3_5MoeDecoderLayer)(self.config, 3)
        watch_choices(layer, self.config.num_experts_per_tok)
        return layer

    def layer_weights(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        if "mlp.experts.gate_up_proj" in own:
            return own
        count = self.config.num_experts
        part = [[own.pop(f"mlp.experts.{expert}.{kind}_proj.weight") for kind in ("gate", "up", "down")]
                for expert in range(count)]
        return own | {"mlp.experts.gate_up_proj": torch.stack([torch.cat(one[:2]) for one in part]),
                      "mlp.experts.down_proj": torch.stack([one[2] for one in part])}


def watch_choices(model: torch.nn.Module, chosen: int) -> None:
    """No expert may be chosen over another by a hair's breadth, which other sums would turn round."""
    def see(_: torch.nn.Module, inputs: tuple, output: tuple) -> None:
        best = output[0].topk(chosen + 1, dim=-1).values
        gap = float((best[..., -2] - best[..., -1]).min())
        assert gap > 5e-4, f"experts are as good as equal ({gap}); take another seed"

    routers = [module for name, module in model.named_modules() if name.endswith("mlp.gate")]
    assert routers
    for module in routers:
        module.register_forward_hook(see)


@torch.no_grad()
def check_choices(place: Path, prompt: list[int]) -> None:
    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, attn_implementation="eager").eval()
    watch_choices(model, model.config.num_experts_per_tok)
    model(torch.tensor([prompt]))


def parted(name: str, values: np.ndarray, config: dict) -> list[tuple[str, np.ndarray]]:
    """What llama.cpp's converter makes of a tensor of Qwen3-Next's layers, whose value heads stay where they are."""
    stem = name.removesuffix(".weight")
    if name == "linear_attn.A_log":
        return [("ssm_a", -np.exp(values))]
    if name == "linear_attn.dt_bias":
        return [("ssm_dt.bias", values)]
    if stem == "linear_attn.in_proj_ba":
        return [("ssm_ba.weight", values)]
    if stem == "linear_attn.in_proj_qkvz":
        keys, size = config["linear_num_key_heads"], config["linear_key_head_dim"]
        width = config["linear_num_value_heads"] // keys * config["linear_value_head_dim"]
        parts = np.split(values.reshape(keys, -1, values.shape[1]), np.cumsum([size, size, width]), axis=1)
        q, k, v, z = (part.reshape(-1, values.shape[1]) for part in parts)
        return [("attn_qkv.weight", np.concatenate([q, k, v])), ("attn_gate.weight", z)]
    if stem == "linear_attn.conv1d":
        values = values.reshape(values.shape[0], -1)
    elif stem.endswith("norm") and stem != "linear_attn.norm":
        values = values + 1
    return [(f"{'post_attention_norm' if stem == 'post_attention_layernorm' else (RECURRENT | INNER)[stem]}.weight", values)]


def write_gguf(place: Path, path: Path) -> None:
    config, family = json.loads((place / "config.json").read_text()), "qwen3next" if is_next(place) else "qwen35moe"
    layers = config["num_hidden_layers"]
    writer = gguf.GGUFWriter(path, family)
    write_keys(writer, family, place.name, config)
    writer.add_expert_count(config["num_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    found = {name: tensor.float().numpy() for name, tensor in load_file(place / "model.safetensors").items()}
    for name, values in stacked(found).items():
        stem = name.removesuffix(".weight")
        if stem in OUTER:
            add(writer, f"{OUTER[stem]}.weight", values + 1 if stem == "model.norm" else values)
            continue
        if stem in AROUND:
            add(writer, f"blk.{layers}.{AROUND[stem]}.weight", values if stem == "mtp.fc" else values + 1)
            continue
        _, _, number, inner = name.split(".", 3)
        number = layers if name.startswith("mtp.") else int(number)
        kind = inner.removesuffix(".weight")
        if kind in SHARED:
            # A vector in files of older converters.
            one = kind == "mlp.shared_expert_gate" and is_next(place)
            parts = [(f"{SHARED[kind]}.weight", values[0] if one else values)]
        elif is_next(place) and kind == "linear_attn.in_proj_qkvz" and number == 0:
            parts = [("ssm_in.weight", values)]
        else:
            parts = parted(inner, values, config) if is_next(place) else [converted(inner, values, config)]
        for target, values in parts:
            add(writer, f"blk.{number}.{target}", values, is_whole="ffn_gate_inp" in target)
    finish(writer)


def generate(output: Path) -> None:
    """Writes `output/recurrent/` of these models."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name, changes in MODELS.items():
        place, scratch = output / "recurrent" / name, output / "recurrent" / "scratch"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        write_model(place)
        vocabulary = (MIXTURE | changes)["vocab_size"]
        prompt = torch.randint(0, vocabulary, (90,), generator=torch.Generator().manual_seed(7)).tolist()
        reference = reference_directory(place, scratch)
        expected = expectations(reference, prompt, 4, 40)
        assert min(expected["margins"]) > 4e-3, f"{name}: tokens are as good as equal; take another seed"
        check_choices(reference, prompt + expected["continuation"])
        write(place / "expected.json", expected)
        shutil.rmtree(scratch, ignore_errors=True)
        if name in CARRYING:
            write(place / "drafted.json", chains_of(ExpertLayer(place), name))


if __name__ == "__main__":
    generate(Path(__file__).parent)
