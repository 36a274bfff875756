"""Trains a mixture of experts that writes as the reference target does, from the target's own weights.

    python experts.py --work-dir build/experts --deadline-minutes 60 [--resume]
    python experts.py --work-dir build/experts --export ../Models/foretoken-reference-experts

Each layer's feed-forward network is cut into experts: channels that read alike go together, and those that are used most
are in all of them. A router chooses two for every token. Then all weights learn the target's distribution over the
answers of the corpus (`corpus/`, with the target's tokenizer); a small loss keeps all experts in use.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from build_corpus import examples
from distill import draft_gradients
from model import TARGET, ModelShape, Qwen3
from tokenizer import load_tokenizer
from train import labels, optimizers, rate_factor, save

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Mixture:
    """The numbers that fix the experts; names are those of `config.json`."""

    num_experts: int = 16
    num_experts_per_tok: int = 2
    moe_intermediate_size: int = 64


class Experts(nn.Module):
    """Experts side by side: every row goes through all of them, and the shares of those not chosen are zero."""

    def __init__(self, shape: ModelShape, mixture: Mixture) -> None:
        super().__init__()
        self.mixture = mixture
        width = mixture.num_experts * mixture.moe_intermediate_size
        self.gate = nn.Linear(shape.hidden_size, mixture.num_experts, bias=False)
        self.gate_proj = nn.Linear(shape.hidden_size, width, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, width, bias=False)
        self.down_proj = nn.Linear(width, shape.hidden_size, bias=False)
        self.imbalance = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        scores = F.softmax(self.gate(x).float(), dim=-1)
        top = scores.topk(self.mixture.num_experts_per_tok, dim=-1)
        shares = torch.zeros_like(scores).scatter(-1, top.indices, top.values / top.values.sum(-1, keepdim=True))
        used = (shares > 0).float().flatten(0, -2).mean(0) / self.mixture.num_experts_per_tok
        self.imbalance = self.mixture.num_experts * (used.detach() * scores.flatten(0, -2).mean(0)).sum()
        inner = F.silu(self.gate_proj(x)) * self.up_proj(x)
        return self.down_proj(inner * shares.repeat_interleave(self.mixture.moe_intermediate_size, dim=-1).to(inner.dtype))


class Qwen3MoE(Qwen3):
    def __init__(self, shape: ModelShape, mixture: Mixture) -> None:
        super().__init__(shape)
        self.mixture = mixture
        for layer in self.model.layers:
            layer.mlp = Experts(shape, mixture)

    def imbalance(self) -> Tensor:
        return torch.stack([layer.mlp.imbalance for layer in self.model.layers]).mean()


@torch.no_grad()
def cut(student: Qwen3MoE, target: Qwen3, tokens: Tensor) -> None:
    """Takes the target's weights over, its feed-forward channels by groups that read alike."""
    state = {name: value for name, value in target.state_dict().items() if ".mlp." not in name}
    student.load_state_dict(state, strict=False)
    mixture = student.mixture
    inputs: list[Tensor] = []
    hooks = [layer.mlp.register_forward_pre_hook(lambda _, given: inputs.append(given[0].flatten(0, 1)))
             for layer in target.model.layers]
    target.hidden(tokens)
    for hook in hooks:
        hook.remove()
    for index, (own, given) in enumerate(zip(student.model.layers, inputs)):
        dense = target.model.layers[index].mlp
        inner = (F.silu(dense.gate_proj(given)) * dense.up_proj(given)).abs()
        weight = inner.mean(0) * dense.down_proj.weight.norm(dim=0)
        size = dense.gate_proj.weight.shape[0] // mixture.num_experts
        shared = weight.topk(mixture.moe_intermediate_size - size).indices
        groups = balanced_groups(F.normalize(inner.T, dim=1), mixture.num_experts, size, seed=index)
        rest = torch.ones(len(weight), dtype=torch.bool)
        rest[shared] = False
        order: list[Tensor] = []
        for group in groups:
            own_channels = group[rest[group]]
            # What is in all experts is not needed in its own once more: the next most used take its place.
            extra = weight.masked_fill(~rest, 0).topk(mixture.moe_intermediate_size).indices
            extra = extra[~torch.isin(extra, own_channels)][: mixture.moe_intermediate_size - len(shared) - len(own_channels)]
            order.append(torch.cat([shared, own_channels, extra]))
        channels = torch.cat(order)
        own.mlp.gate_proj.weight.copy_(dense.gate_proj.weight[channels])
        own.mlp.up_proj.weight.copy_(dense.up_proj.weight[channels])
        # Two experts share what all channels gave together.
        own.mlp.down_proj.weight.copy_(dense.down_proj.weight[:, channels] * 1.5)
        use = torch.stack([inner[:, group].sum(1) for group in groups])
        centred = F.normalize(given, dim=1)
        own.mlp.gate.weight.copy_(4 * F.normalize((use / use.sum(0)) @ centred - centred.mean(0), dim=1))


def balanced_groups(points: Tensor, count: int, size: int, seed: int) -> list[Tensor]:
    """`count` groups of `size` points each, by k-means whose groups are filled nearest first."""
    generator = torch.Generator().manual_seed(seed)
    centres = points[torch.randperm(len(points), generator=generator)[:count]]
    for _ in range(12):
        likeness = points @ F.normalize(centres, dim=1).T
        room, owner = [size] * count, torch.full((len(points),), -1)
        for flat in likeness.flatten().argsort(descending=True).tolist():
            point, group = divmod(flat, count)
            if owner[point] < 0 and room[group] > 0:
                owner[point], room[group] = group, room[group] - 1
        centres = torch.stack([points[owner == group].mean(0) for group in range(count)])
    return [(owner == group).nonzero().squeeze(1) for group in range(count)]


def corpus(work: Path, tokenizer, count: int) -> np.ndarray:
    path = work / f"tokens-{count}.bin"
    if not path.exists():
        pieces = [np.array(tokenizer.encode(example.text()).ids, dtype=np.uint16)
                  for example in examples(seed=41, count=count, held_out=False)]
        np.concatenate(pieces).tofile(path)
    return np.fromfile(path, dtype=np.uint16)


def load_target(directory: Path) -> Qwen3:
    target = Qwen3(TARGET)
    target.load_state_dict({name: tensor.float() for name, tensor in load_file(directory / "model.safetensors").items()})
    return target.eval()


def train(arguments: argparse.Namespace) -> None:
    work = arguments.work_dir
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = load_tokenizer(arguments.target / "tokenizer.json")
    tokens = corpus(work, tokenizer, arguments.examples)
    wanted = labels(tokens, tokenizer)
    print(f"{len(tokens):,} tokens, {int((wanted >= 0).sum()):,} of them of answers", flush=True)
    length, sequences = 256, 8
    windows = (len(tokens) - 1) // length
    target, student = load_target(arguments.target), Qwen3MoE(TARGET, Mixture())
    groups = optimizers(student, 5e-3, 1e-3)
    base_rates = [group["lr"] for optimizer in groups for group in optimizer.param_groups]
    checkpoint, step, spent = work / "experts.pt", 0, 0.0
    if arguments.resume and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        student.load_state_dict(state["student"])
        for optimizer, saved in zip(groups, state["optimizers"]):
            optimizer.load_state_dict(saved)
        step, spent = state["step"], state["spent"]
        print(f"resumed at step {step}", flush=True)
    else:
        cut(student, target, torch.from_numpy(tokens[: 16 * length].astype(np.int64)).view(16, length))
    log = (work / "log.jsonl").open("a")
    started = last_saved = last_logged = time.time()
    begun, mean = spent, 0.0
    while True:
        spent = begun + time.time() - started
        done = spent / (arguments.deadline_minutes * 60)
        if done < 1:
            for group, base in zip([g for optimizer in groups for g in optimizer.param_groups], base_rates):
                group["lr"] = base * rate_factor(done)
            starts = np.random.default_rng(step).integers(0, windows, sequences) * length
            x = torch.from_numpy(np.stack([tokens[s : s + length] for s in starts]).astype(np.int64))
            y = np.stack([wanted[s + 1 : s + length + 1] for s in starts])
            counted = torch.from_numpy(np.flatnonzero(y.reshape(-1) >= 0))
            with torch.no_grad():
                target_hidden = target.hidden(x).flatten(0, 1)[counted]
            hidden = student.hidden(x).flatten(0, 1)
            divergence, agreement, grad, head_grad = draft_gradients(
                target_hidden, target.head.detach(), hidden.detach()[counted], student.head)
            imbalance = student.imbalance()
            torch.autograd.backward(
                [hidden, 0.01 * imbalance], [torch.zeros_like(hidden).index_copy_(0, counted, grad), torch.ones(())])
            student.head.grad = head_grad if student.head.grad is None else student.head.grad + head_grad
            nn.utils.clip_grad_norm_(student.parameters(), 1.0)
            for optimizer in groups:
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            step += 1
            mean = agreement if step == 1 else 0.98 * mean + 0.02 * agreement
        if time.time() - last_logged > 30 or done >= 1:
            last_logged = time.time()
            entry = {"step": step, "tokens": step * sequences * length, "seconds": round(spent), "done": round(done, 4),
                     "divergence": round(divergence, 4), "agreement": round(mean, 4), "imbalance": round(float(imbalance.detach()), 3)}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            print(json.dumps(entry), flush=True)
        if time.time() - last_saved > 120 or done >= 1:
            last_saved = time.time()
            save(checkpoint, student=student.state_dict(), optimizers=[optimizer.state_dict() for optimizer in groups],
                 step=step, spent=spent)
        if done >= 1:
            break


def export(arguments: argparse.Namespace) -> None:
    """Writes the checkpoint as a Hugging Face directory, and compares it with `transformers`."""
    from transformers import AutoModelForCausalLM

    mixture, place = Mixture(), arguments.export
    state = torch.load(arguments.work_dir / "experts.pt", weights_only=True)["student"]
    tensors = {name: value for name, value in state.items() if ".mlp." not in name}
    width = mixture.moe_intermediate_size
    for name, value in state.items():
        if ".mlp.gate." in name:
            tensors[name] = value
        elif ".mlp." in name:
            stem, kind = name.split(".mlp.")
            for expert in range(mixture.num_experts):
                rows = slice(expert * width, (expert + 1) * width)
                part = value[:, rows] if kind.startswith("down") else value[rows]
                tensors[f"{stem}.mlp.experts.{expert}.{kind}"] = part
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    save_file({name: value.to(torch.bfloat16).contiguous() for name, value in tensors.items()}, place / "model.safetensors",
              metadata={"format": "pt"})
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(arguments.target / name, place / name)
    config = json.loads((arguments.target / "config.json").read_text()) | asdict(mixture)
    config |= {"architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "norm_topk_prob": True,
               "decoder_sparse_step": 1, "mlp_only_layers": []}
    (place / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    ours = Qwen3MoE(TARGET, mixture)
    ours.load_state_dict({name: value.to(torch.bfloat16).float() for name, value in state.items()})
    theirs = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    tokens = torch.randint(0, TARGET.vocab_size, (1, 64), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        difference = float((ours(tokens) - theirs(tokens).logits).abs().max())
    count = sum(value.numel() for value in state.values())
    print(f"{place}: {count / 1e6:.2f} M parameters, differs from transformers by at most {difference:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work-dir", type=Path, default=HERE / "build/experts")
    parser.add_argument("--target", type=Path, default=HERE.parent / "Models/foretoken-reference-target")
    parser.add_argument("--examples", type=int, default=40_000, help="examples of the corpus to learn from")
    parser.add_argument("--deadline-minutes", type=float, default=60, help="time to train, earlier runs included")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--export", type=Path, metavar="DIR", help="write the last checkpoint there instead of training")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    export(arguments) if arguments.export else train(arguments)


if __name__ == "__main__":
    main()
