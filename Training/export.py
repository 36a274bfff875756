"""Writes the trained pair as Hugging Face model directories.

    python export.py --work-dir build --output ../Models

Loads the last checkpoint, rounds to bf16, writes each directory beside its place and renames it there, and checks
that `transformers` computes the same logits from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from corpus.document import END_OF_TEXT, TURN_END
from model import DRAFT, TARGET, ModelShape, Qwen3
from tokenizer import load_tokenizer, write_tokenizer_files

HERE = Path(__file__).parent
NAMES = {"target": "foretoken-reference-target", "draft": "foretoken-reference-draft"}


def configuration(shape: ModelShape, end_ids: list[int]) -> dict[str, object]:
    return {
        "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": None,
        "eos_token_id": end_ids[0], "head_dim": shape.head_dim, "hidden_act": "silu", "hidden_size": shape.hidden_size,
        "initializer_range": 0.02, "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.max_position_embeddings, "model_type": "qwen3",
        "num_attention_heads": shape.num_attention_heads, "num_hidden_layers": shape.num_hidden_layers,
        "num_key_value_heads": shape.num_key_value_heads, "rms_norm_eps": shape.rms_norm_eps, "rope_scaling": None,
        "rope_theta": shape.rope_theta, "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
        "use_cache": True, "use_sliding_window": False, "vocab_size": shape.vocab_size,
    }


def export(part: str, shape: ModelShape, state: dict[str, torch.Tensor], tokenizer_file: Path, output: Path, card: str) -> Path:
    place = output / NAMES[part]
    beside = output / (NAMES[part] + ".new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    tensors = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in state.items()}
    save_file(tensors, beside / "model.safetensors", metadata={"format": "pt"})
    (beside / "model.safetensors").chmod(0o644)
    write_tokenizer_files(tokenizer_file, beside)
    tokenizer = load_tokenizer(tokenizer_file)
    end_ids = [tokenizer.token_to_id(TURN_END), tokenizer.token_to_id(END_OF_TEXT)]
    (beside / "config.json").write_text(json.dumps(configuration(shape, end_ids), indent=2) + "\n")
    generation = {"do_sample": False, "eos_token_id": end_ids, "pad_token_id": end_ids[1]}
    (beside / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    (beside / "README.md").write_text(card)
    shutil.rmtree(place, ignore_errors=True)
    beside.rename(place)
    return place


def check(place: Path, shape: ModelShape) -> float:
    """Largest difference between our logits and those of `transformers`, on the exported weights."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    ours = Qwen3(shape)
    ours.load_state_dict({name: tensor.float() for name, tensor in load_file(place / "model.safetensors").items()})
    theirs = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    tokens = torch.randint(0, shape.vocab_size, (1, 64), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        return float((ours(tokens) - theirs(tokens).logits).abs().max())


def card(part: str, shape: ModelShape, parameters: int, step: int, log: list[dict]) -> str:
    last = next((entry for entry in reversed(log) if "validation" in entry), None)
    rows = ""
    if last:
        rows = "\n".join(
            f"| {kind} | {result[part]:.3f} | {result['agreement']:.1%} |" for kind, result in last["validation"].items())
    tokens = log[-1]["tokens"] if log else 0
    role = {
        "target": "The target of Foretoken's reference pair: the model whose text is wanted.",
        "draft": "The draft of Foretoken's reference pair: distilled from the target, it proposes tokens for it.",
    }[part]
    return f"""---
license: apache-2.0
language: en
pipeline_tag: text-generation
---
# {NAMES[part]}

{role} It exists so that Foretoken's demonstration and tests run offline on real weights. It is not a useful assistant:
it knows the shapes that its training data has, and nothing of the world.

| | |
| --- | --- |
| Architecture | Qwen3 ({shape.num_hidden_layers} layers, hidden {shape.hidden_size}, {shape.num_attention_heads} heads, {shape.num_key_value_heads} KV heads, head size {shape.head_dim}, feed-forward {shape.intermediate_size}) |
| Parameters | {parameters / 1e6:.1f} M, tied embeddings, bf16 |
| Tokenizer | byte-level BPE, {shape.vocab_size} tokens, ChatML |
| Training | {step} steps, {tokens / 1e6:.1f} M tokens, two CPU cores; recipe in `Training/` |
| Data | generated instruction pairs; Python's standard library; documentation of PostgreSQL and Python (`Training/DATA.md`) |

Validation, nats per token, and how often draft and target agree on the likeliest next token:

| Text | Loss | Agreement |
| --- | --- | --- |
{rows}

Prompts follow the chat template; see `Training/heldout_prompts.jsonl` for the kinds that it was trained on.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, default=HERE / "build", help="where the checkpoint is")
    parser.add_argument("--output", type=Path, default=HERE.parent / "Models", help="where the directories go")
    arguments = parser.parse_args()
    # The draft after distillation, when that came after the joint training.
    last = max(arguments.work_dir.glob("*.pt"), key=lambda path: path.stat().st_mtime)
    state = torch.load(last, weights_only=True)
    log_file = arguments.work_dir / "log.jsonl"
    log = [json.loads(line) for line in log_file.read_text().splitlines()] if log_file.exists() else []
    for part, shape in (("target", TARGET), ("draft", DRAFT)):
        parameters = sum(tensor.numel() for tensor in state[part].values())
        text = card(part, shape, parameters, state["step"], log)
        place = export(part, shape, state[part], arguments.work_dir / "tokenizer.json", arguments.output, text)
        print(f"{place}: {parameters / 1e6:.2f} M parameters, differs from transformers by at most {check(place, shape):.1e}")


if __name__ == "__main__":
    main()
