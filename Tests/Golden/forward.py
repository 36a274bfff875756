"""Reference values of the forward pass, from `transformers` in single precision.

A dozen tiny checkpoints with random weights, one for each thing that configurations do differently, and the shipped
pair: logits at a few positions, the likeliest token at all, and a greedy continuation with its margins.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, Qwen2Config, Qwen3Config
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

ROOT = Path(__file__).resolve().parents[2]
BASE = dict(
    hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96,
    vocab_size=193, max_position_embeddings=512, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1,
)


def rope(kind: str, **values: float) -> dict[str, object]:
    return {"rope_parameters": {"rope_type": kind, "rope_theta": 10_000.0, **values}}


# name: (configuration class, changes, element type, largest shard in bytes or None)
CONFIGURATIONS: dict[str, tuple[type, dict[str, object], torch.dtype, int | None]] = {
    "qwen3-grouped": (Qwen3Config, dict(head_dim=16), torch.bfloat16, None),
    "qwen3-wide-heads": (Qwen3Config, dict(head_dim=128, num_attention_heads=2, num_key_value_heads=1), torch.bfloat16, None),
    "qwen3-tied-odd": (Qwen3Config, dict(head_dim=32, hidden_size=56, vocab_size=161, tie_word_embeddings=True), torch.bfloat16, None),
    "qwen3-yarn": (
        Qwen3Config,
        dict(head_dim=32, **rope("yarn", factor=4.0, original_max_position_embeddings=32)), torch.bfloat16, None),
    "qwen3-bias-sharded": (Qwen3Config, dict(head_dim=16, num_attention_heads=8, attention_bias=True), torch.bfloat16, 60_000),
    "qwen2-plain": (Qwen2Config, dict(), torch.bfloat16, None),
    "qwen2-eight-heads": (Qwen2Config, dict(num_attention_heads=8, num_key_value_heads=1, hidden_size=128, vocab_size=319), torch.bfloat16, None),
    "llama-many-heads": (LlamaConfig, dict(num_attention_heads=4, num_key_value_heads=4, rms_norm_eps=1e-5), torch.bfloat16, None),
    "llama-3-rope": (
        LlamaConfig,
        dict(head_dim=64, num_attention_heads=2, num_key_value_heads=1, **rope(
            "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)),
        torch.bfloat16, None),
    "llama-biases": (LlamaConfig, dict(attention_bias=True, mlp_bias=True), torch.bfloat16, None),
    "llama-linear-half": (LlamaConfig, dict(hidden_size=72, num_attention_heads=2, num_key_value_heads=2, head_dim=36, **rope("linear", factor=2.0)), torch.float16, None),
    "llama-single": (LlamaConfig, dict(num_hidden_layers=3, tie_word_embeddings=True), torch.float32, None),
}


def write_checkpoint(place: Path, name: str) -> None:
    kind, changes, dtype, shard = CONFIGURATIONS[name]
    torch.manual_seed(sum(name.encode()))
    config = kind(**(BASE | changes))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "norm" in key:
                parameter.copy_(1 + 0.2 * torch.randn_like(parameter))
            elif "embed" in key:
                parameter.copy_(0.5 * torch.randn_like(parameter))
            else:
                parameter.copy_(0.15 * torch.randn_like(parameter))
    if dtype is torch.float32:
        # Values that bf16 can hold: what is compared is the arithmetic, not the rounding of the weights.
        model = model.to(torch.bfloat16).float()
    if dtype is torch.float16:
        model = model.to(torch.bfloat16).to(torch.float16)
    place.mkdir(parents=True, exist_ok=True)
    model.to(dtype).save_pretrained(place, max_shard_size=shard or "1GB")


@torch.no_grad()
def expectations(model_directory: Path, prompt: list[int], positions: int, new_tokens: int) -> dict[str, object]:
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32, attn_implementation="eager").eval()
    embedding = model.model.embed_tokens
    if hasattr(embedding, "embed_scale"):
        # Rounded as in the precision of the weights.
        embedding.embed_scale = embedding.embed_scale.bfloat16().float()
    logits = model(torch.tensor([prompt])).logits[0]
    chosen = [round(index * (len(prompt) - 1) / (positions - 1)) for index in range(positions)]
    tokens, margins, past, step = [], [], None, torch.tensor([prompt])
    for _ in range(new_tokens):
        output = model(step, past_key_values=past, use_cache=True)
        past = output.past_key_values
        best = output.logits[0, -1].topk(2)
        tokens.append(int(best.indices[0]))
        margins.append(round(float(best.values[0] - best.values[1]), 5))
        step = best.indices[:1].view(1, 1)
    rotary = model.model.rotary_emb
    # Of models with two, those of layers without a window.
    kind = "" if hasattr(rotary, "inv_freq") else "full_attention_"
    return {
        "prompt": prompt,
        "positions": chosen,
        "logits": [[float(f"{value:.5g}") for value in logits[position].tolist()] for position in chosen],
        "argmax": logits.argmax(-1).tolist(),
        "continuation": tokens,
        "margins": margins,
        "inverse_frequencies": getattr(rotary, f"{kind}inv_freq").tolist(),
        "attention_scaling": float(getattr(rotary, f"{kind}attention_scaling")),
    }


@torch.no_grad()
def streams(model_directory: Path, prompt: list[int], positions: list[int]) -> list[list[list[float]]]:
    """The residual stream as it enters each layer, and the one that the last norm reads, at some positions."""
    model = AutoModelForCausalLM.from_pretrained(model_directory, dtype=torch.float32, attn_implementation="eager").eval()
    found: list[torch.Tensor] = []
    # `output_hidden_states` gives the last one after its norm, so hooks it is.
    for module in [*model.model.layers, model.model.norm]:
        module.register_forward_pre_hook(lambda _, arguments: found.append(arguments[0][0]))
    model(torch.tensor([prompt]))
    return [[[float(f"{value:.6g}") for value in stream[position].tolist()] for position in positions] for stream in found]


# Forms in which `config.json` states the rotary embedding, older and newer, with the values of real models.
ROTARY: list[dict[str, object]] = [
    {"rope_theta": 1_000_000.0, "rope_scaling": None},
    {"rope_parameters": {"rope_theta": 5_000_000.0, "rope_type": "default"}},
    {"rope_theta": 10_000.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
    {"rope_theta": 500_000.0, "rope_scaling": {
        "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}},
    {"rope_parameters": {
        "rope_theta": 500_000.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192}},
    {"rope_theta": 1_000_000.0, "rope_scaling": {
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}},
    {"rope_theta": 1_000_000.0, "rope_scaling": {
        "type": "yarn", "factor": 2.5, "original_max_position_embeddings": 8192, "attention_factor": 0.9}},
    {"rope_theta": 150_000.0, "rope_scaling": {
        "rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "beta_fast": 16.0,
        "beta_slow": 2.0, "truncate": False}},
    {"rope_theta": 10_000.0, "rope_scaling": {
        "rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 4096, "mscale": 1.0,
        "mscale_all_dim": 0.707}},
]


def rotary_references() -> list[dict[str, object]]:
    references = []
    for form in ROTARY:
        for head in (64, 128):
            sizes = BASE | dict(head_dim=head, max_position_embeddings=40960)
            config = LlamaConfig(**(sizes | json.loads(json.dumps(form))))
            rotary = LlamaRotaryEmbedding(config)
            references.append({
                "config": sizes | form | {"architectures": ["LlamaForCausalLM"]},
                "inverse_frequencies": rotary.inv_freq.tolist(),
                "attention_scaling": float(rotary.attention_scaling),
            })
    return references


def write(place: Path, values: object) -> None:
    place.write_text(json.dumps(values, separators=(",", ":")) + "\n")


def generate(output: Path) -> None:
    """Writes `output/forward/`: a directory for each random checkpoint, a file for each model of the pair."""
    transformers.logging.set_verbosity_error()
    folder = output / "forward"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "rotary.json", rotary_references())
    for name in CONFIGURATIONS:
        place = folder / name
        write_checkpoint(place, name)
        vocabulary = (BASE | CONFIGURATIONS[name][1])["vocab_size"]
        generator = torch.Generator().manual_seed(7)
        prompt = torch.randint(0, vocabulary, (40,), generator=generator).tolist()
        expected = expectations(place, prompt, positions=4, new_tokens=40)
        write(place / "expected.json", expected)
        write(place / "streams.json", streams(place, prompt, expected["positions"]))
    text = (ROOT / "Training/heldout.txt").read_text()
    for part in ("target", "draft"):
        model = ROOT / f"Models/foretoken-reference-{part}"
        prompt = AutoTokenizer.from_pretrained(model)(text)["input_ids"][:160]
        write(folder / f"reference-{part}.json", expectations(model, prompt, positions=4, new_tokens=200))


if __name__ == "__main__":
    generate(Path(__file__).parent)
