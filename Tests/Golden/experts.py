"""Reference values of mixtures of experts, from `transformers` in single precision, as `forward.py` has them."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen3MoeConfig

from forward import BASE, expectations, streams, write

MIXTURE = BASE | dict(head_dim=16, moe_intermediate_size=32, num_experts=8, num_experts_per_tok=2)
FLOAT_ROUTER = "qwen3moe-float-router"
# name: (changes, whether all experts of a layer are one tensor)
CONFIGURATIONS: dict[str, tuple[dict[str, object], bool]] = {
    "qwen3moe-plain": (dict(norm_topk_prob=True), False),
    "qwen3moe-stacked": (dict(norm_topk_prob=True, num_experts=5, num_experts_per_tok=3, hidden_size=56), True),
    # Two of eight experts are one in bf16.
    FLOAT_ROUTER: (dict(norm_topk_prob=True, num_experts_per_tok=3), False),
    "qwen3moe-dense-layers": (
        dict(num_hidden_layers=4, decoder_sparse_step=2, mlp_only_layers=[3], moe_intermediate_size=40), False),
}


def write_checkpoint(place: Path, name: str, seed: int = 0) -> None:
    changes, is_stacked = CONFIGURATIONS[name]
    torch.manual_seed(sum(name.encode()) + seed)
    model = AutoModelForCausalLM.from_config(Qwen3MoeConfig(**(MIXTURE | changes)), attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 1.0 if "mlp.gate." in key else 0.5 if "embed" in key else 0.2
            parameter.copy_(1 + spread * torch.randn_like(parameter) if "norm" in key else spread * torch.randn_like(parameter))
    place.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(place)
    if is_stacked:
        stack(place / "model.safetensors")
    if name == FLOAT_ROUTER:
        sharpen(place / "model.safetensors")


def sharpen(path: Path) -> None:
    """Routers in single precision: the second of two experts has the first's weights but for what bf16 rounds away."""
    tensors = load_file(path)
    for name, rough in tensors.items():
        if name.endswith(".mlp.gate.weight"):
            rough = rough.float()
            rough[1] = rough[0]
            # Away from zero by less than half of a bf16's last bit, which is the eighth.
            step = 2.0 ** (rough.abs().log2().floor() - 7)
            exact = rough + 0.45 * step * rough.sign() * torch.rand_like(rough)
            assert torch.equal(exact.bfloat16().float(), rough) and not torch.equal(exact, rough)
            tensors[name] = exact
    save_file(tensors, path, metadata={"format": "pt"})


@torch.no_grad()
def chosen(model_directory: Path, prompt: list[int], rounds: bool) -> tuple[torch.Tensor, float]:
    """The experts of every layer and position, of routers as they are or in bf16; and how clear the closest choice is."""
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32, attn_implementation="eager").eval()
    if rounds:
        for name, parameter in model.named_parameters():
            if name.endswith(".mlp.gate.weight"):
                parameter.copy_(parameter.bfloat16().float())
    scores = model(torch.tensor([prompt]), output_router_logits=True).router_logits
    count = model.config.num_experts_per_tok
    ordered = [layer.sort(descending=True).values for layer in scores]
    clearness = min(float((layer[:, count - 1] - layer[:, count]).min()) for layer in ordered)
    return torch.stack([layer.topk(count).indices.sort().values for layer in scores]), clearness


def write_clear_checkpoint(place: Path, prompt: list[int]) -> None:
    """One whose choices do not hang on the last bits of single precision, and change where routers are rounded."""
    for seed in range(1000):
        write_checkpoint(place, FLOAT_ROUTER, seed)
        text = prompt + expectations(place, prompt, positions=2, new_tokens=40)["continuation"]
        exact, clearness = chosen(place, text, rounds=False)
        others = float((exact != chosen(place, text, rounds=True)[0]).any(-1).float().mean())
        if clearness > 1e-3 and others > 0.05:
            return
    raise ValueError("no seed gives such a checkpoint")


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
        generator = torch.Generator().manual_seed(7)
        prompt = torch.randint(0, MIXTURE["vocab_size"], (40,), generator=generator).tolist()
        if name == FLOAT_ROUTER:
            write_clear_checkpoint(place, prompt)
        else:
            write_checkpoint(place, name)
        expected = expectations(place, prompt, positions=4, new_tokens=40)
        write(place / "expected.json", expected)
        write(place / "streams.json", streams(place, prompt, expected["positions"]))


if __name__ == "__main__":
    generate(Path(__file__).parent)
