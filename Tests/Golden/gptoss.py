"""Reference values of gpt-oss, from `transformers` in single precision, as `forward.py` has them.

One checkpoint has its experts as floats, in the form of the published one's fine-tuned descendants, the other in MXFP4 as
published. `transformers` itself turns the blocks into floats for the reference.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, GptOssConfig

from forward import BASE, expectations, streams, write

ROPE = {"rope_type": "yarn", "rope_theta": 150_000.0, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0,
        "truncate": False, "original_max_position_embeddings": 128}
SMALL = BASE | dict(
    head_dim=16, num_hidden_layers=3, sliding_window=9, intermediate_size=32, num_experts_per_tok=2, rope_parameters=ROPE)
# name: (changes, whether the experts are in MXFP4)
CONFIGURATIONS: dict[str, tuple[dict[str, object], bool]] = {
    "gptoss-floats": (dict(num_local_experts=5, hidden_size=56, intermediate_size=40), False),
    "gptoss-mxfp4": (dict(num_local_experts=8, num_experts_per_tok=3, num_hidden_layers=2, swiglu_limit=0.6), True),
}


def write_checkpoint(place: Path, name: str) -> None:
    changes, is_quantised = CONFIGURATIONS[name]
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(GptOssConfig(**(SMALL | changes)), attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            else:
                spread = 1.0 if "router" in key or "sinks" in key else 0.5 if "embed" in key or "bias" in key else 0.2
                parameter.copy_(spread * torch.randn_like(parameter))
    place.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(place)
    if is_quantised:
        quantise(place)


def quantise(place: Path) -> None:
    """Random blocks in the place of the experts' matrices: outputs first, 32 inputs to a block."""
    path = place / "model.safetensors"
    tensors = load_file(path)
    for key in [key for key in tensors if key.endswith(("gate_up_proj", "experts.down_proj"))]:
        experts, inputs, outputs = tensors.pop(key).shape
        tensors[key + "_blocks"] = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8)
        tensors[key + "_scales"] = torch.randint(119, 123, (experts, outputs, inputs // 32), dtype=torch.uint8)
    save_file(tensors, path, metadata={"format": "pt"})
    file = place / "config.json"
    config = json.loads(file.read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": [
        "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]}
    file.write_text(json.dumps(config, indent=2) + "\n")


def generate(output: Path) -> None:
    """Writes `output/forward/NAME` for each of the random checkpoints."""
    transformers.logging.set_verbosity_error()
    for name in CONFIGURATIONS:
        place = output / "forward" / name
        write_checkpoint(place, name)
        generator = torch.Generator().manual_seed(7)
        prompt = torch.randint(0, BASE["vocab_size"], (40,), generator=generator).tolist()
        expected = expectations(place, prompt, positions=4, new_tokens=40)
        write(place / "expected.json", expected)
        write(place / "streams.json", streams(place, prompt, expected["positions"]))


if __name__ == "__main__":
    generate(Path(__file__).parent)
