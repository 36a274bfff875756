"""Reference values of models whose layers have windows, and of Gemma, from `transformers` in single precision.

Prompts are longer than every window, and than the chunks that tests read them in.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, MistralConfig, Qwen2Config, Qwen3Config

import forward

SMALL = dict(num_attention_heads=2, num_key_value_heads=1, intermediate_size=48)
GEMMA = SMALL | dict(head_dim=16, tie_word_embeddings=True, query_pre_attn_scalar=16)
# name: (configuration class, changes)
CONFIGURATIONS: dict[str, tuple[type, dict[str, object]]] = {
    "mistral-window": (MistralConfig, SMALL | dict(sliding_window=12, head_dim=24, num_hidden_layers=3)),
    "mistral-full": (MistralConfig, SMALL | dict(sliding_window=None, head_dim=32)),
    "qwen2-windows": (
        Qwen2Config, SMALL | dict(num_hidden_layers=4, use_sliding_window=True, sliding_window=33, max_window_layers=2)),
    "qwen3-windows": (
        Qwen3Config,
        SMALL | dict(head_dim=16, num_hidden_layers=4, use_sliding_window=True, sliding_window=2, layer_types=[
            "sliding_attention", "full_attention", "full_attention", "sliding_attention"])),
    "gemma2": (
        Gemma2Config,
        GEMMA | dict(num_hidden_layers=3, sliding_window=8, attn_logit_softcapping=4.0, final_logit_softcapping=6.0)),
    "gemma3": (
        Gemma3TextConfig,
        GEMMA | dict(num_hidden_layers=7, sliding_window=16, rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1_000_000.0, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0}})),
    "gemma3-odd": (
        Gemma3TextConfig,
        GEMMA | dict(
            hidden_size=96, query_pre_attn_scalar=24, num_hidden_layers=4, sliding_window=31,
            final_logit_softcapping=5.0, layer_types=[
            "full_attention", "sliding_attention", "sliding_attention", "full_attention"], rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 500_000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 7_000.0}})),
}
# Models whose norms are kept as what is added to 1.
ADDED_NORMS = (Gemma2Config, Gemma3TextConfig)


def write_checkpoint(place: Path, name: str) -> None:
    kind, changes = CONFIGURATIONS[name]
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(kind(**(forward.BASE | changes)), attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.copy_((0 if kind in ADDED_NORMS else 1) + 0.2 * torch.randn_like(parameter))
                if kind in ADDED_NORMS and key == "model.norm.weight":
                    # Logits as far apart as those of real models, though embeddings are small.
                    parameter.add_(6)
            elif "embed" in key:
                parameter.copy_((0.04 if kind in ADDED_NORMS else 0.5) * torch.randn_like(parameter))
            else:
                parameter.copy_(0.2 * torch.randn_like(parameter))
    place.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(place)
    if name == "gemma3":
        as_on_the_hub(place / "config.json")


def as_on_the_hub(path: Path) -> None:
    """The older form of the file, in which all published checkpoints of Gemma 3 are."""
    config = json.loads(path.read_text())
    rotary = config.pop("rope_parameters")
    for key in ("layer_types", "_sliding_window_pattern", "dtype"):
        config.pop(key, None)
    config["sliding_window_pattern"] = 6
    config["torch_dtype"] = "bfloat16"
    config["rope_theta"] = rotary["full_attention"]["rope_theta"]
    config["rope_scaling"] = {"rope_type": "linear", "factor": rotary["full_attention"]["factor"]}
    config["rope_local_base_freq"] = rotary["sliding_attention"]["rope_theta"]
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def generate(output: Path) -> None:
    """Writes `output/forward/`: a directory for each checkpoint."""
    transformers.logging.set_verbosity_error()
    for name, (_, changes) in CONFIGURATIONS.items():
        place = output / "forward" / name
        write_checkpoint(place, name)
        vocabulary = (forward.BASE | changes)["vocab_size"]
        generator = torch.Generator().manual_seed(7)
        prompt = torch.randint(0, vocabulary, (100,), generator=generator).tolist()
        forward.write(place / "expected.json", forward.expectations(place, prompt, positions=4, new_tokens=40))


if __name__ == "__main__":
    generate(Path(__file__).parent)
