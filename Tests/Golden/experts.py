"""Reference values of mixtures of experts, from `transformers` in single precision, as `forward.py` has them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen3MoeConfig

from forward import BASE, expectations, streams, write

MIXTURE = BASE | dict(head_dim=16, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=2)
# name: (changes, whether all experts of a layer are one tensor)
CONFIGURATIONS: dict[str, tuple[dict[str, object], bool]] = {
    "qwen3moe-plain": (dict(norm_topk_prob=True), False),
    "qwen3moe-stacked": (dict(norm_topk_prob=True, num_experts=5, num_experts_per_tok=3, hidden_size=56), True),
    "qwen3moe-dense-layers": (
        dict(num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[3], moe_intermediate_size=40), False),
}


def write_checkpoint(place: Path, name: str) -> None:
    changes, is_stacked = CONFIGURATIONS[name]
    torch.manual_seed(sum(name.encode()))
    model = AutoModelForCausalLM.from_config(Qwen3MoeConfig(**(MIXTURE | changes)), attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 1.0 if "mlp.gate." in key else 0.5 if "embed" in key else 0.2
            parameter.copy_(1 + spread * torch.randn_like(parameter) if "norm" in key else spread * torch.randn_like(parameter))
    place.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(place)
    if is_stacked:
        stack(place / "model.safetensors")


def stack(path: Path) -> None:
    """One tensor for all experts of a layer, under the names that `transformers` has in memory."""
    tensors = load_file(path)
    stacked: dict[str, torch.Tensor] = {}
    for key in sorted({name.split(".experts.")[0] for name in tensors if ".experts." in name}):
        count = sum(name.startswith(key + ".experts.") for name in tensors) // 3
        part = [{kind: tensors.pop(f"{key}.experts.{expert}.{kind}_proj.weight") for kind in ("gate", "up", "down")}
                for expert in range(count)]
        stacked[key + ".experts.gate_up_proj"] = torch.stack([torch.cat([one["gate"], one["up"]]) for one in part])
        stacked[key + ".experts.down_proj"] = torch.stack([one["down"] for one in part])
    save_file(tensors | stacked, path, metadata={"format": "pt"})


def generate(output: Path) -> None:
    """Writes `output/forward/NAME` for each of the random checkpoints."""
    transformers.logging.set_verbosity_error()
    for name, (_, is_stacked) in CONFIGURATIONS.items():
        place = output / "forward" / name
        write_checkpoint(place, name)
        generator = torch.Generator().manual_seed(7)
        prompt = torch.randint(0, MIXTURE["vocab_size"], (40,), generator=generator).tolist()
        expected = expectations(place, prompt, positions=4, new_tokens=40)
        write(place / "expected.json", expected)
        write(place / "streams.json", streams(place, prompt, expected["positions"]))


if __name__ == "__main__":
    generate(Path(__file__).parent)
