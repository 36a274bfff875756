"""Reference values of EAGLE-3 heads: tiny random targets, random heads for them, and what they draft.

`heads/target-*` are targets, every other folder but those of `mtp.py` a head as it would be published, with
`expected.json` beside it. Where the values come from: for the `speculators` format from that package's own
`Eagle3DraftModel`; for the flat format of SpecForge from `drafted` below, which is written from the description and must
agree with `speculators` on the same tensors (`specforge-narrow` excepted: `speculators` has no head narrower than its
target).

Which layers are tapped. A tap is named here by the stream *entering* a layer (`hidden_states[i]` of `transformers`):

* top level `eagle_aux_hidden_state_layer_ids` (`speculators`, vLLM, llama.cpp): those numbers as they are;
* nested in `eagle_config` (SpecForge, SGLang): they count layer *outputs*, so one more. SpecForge hooks the outputs and
  SGLang adds one; vLLM 0.33 reads the nested list as it is and so feeds such a head other streams than it was trained on;
* absent: 2, n/2 and n - 3 of n layers, in all of them.

What a head computes at slot p, from token p + 1 and the taps of position p (all norms are RMS norms with the head's own
epsilon): g = fc(taps), the taps side by side in the order of the layers; before it `input_norm` over all of them
(`norm_before_fc`) or `fc_norm.i` over each (`fc_norm`). Queries, keys and values come from [input_layernorm(embedding),
hidden_norm(g)]; the residual is g, or hidden_norm(g) with `norm_before_residual`. In a chain the next g is the layer's
output, before `norm`, or after it with `norm_output`; neither `fc` nor the norms before it see it again. Keys and values,
the target's and the head's, are rounded as the cache of the engine rounds them (`halves.py`), in both implementations;
`single.json` is what `expected.json` would be without that.

`expected.json`:

* `taps`: the tapped streams, in ascending order; `target`: the folder of the target;
* `draft_ids`: the target's token of every logit (`null`: the same numbers);
* `features`: g of the first and of the last slot of the last of `chains`, to find out where values part;
* `chains`: for `tokens` (all that is known: slots 0 to n - 2), `logits` of every drafting step over the draft vocabulary,
  `drafted` (the likeliest, as the target's tokens) and `recycled`, the g that the first step hands to the second;
* `rejections`: the same after the first chain of 11 tokens was verified and its first m drafted tokens were kept, followed
  by another token than the one drafted. Slots of drafted tokens have been written anew by then, so these are nothing but
  chains of longer sequences.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import gguf
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from gguf_files import finish, paired
from halves import AGREEMENT, HalfCache, halved, single_cache
from loguru import logger
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen3Config

STEPS = 5
LENGTHS = (5, 11, 24)
VOCABULARY = 179
TARGETS: dict[str, tuple[type, dict[str, object]]] = {
    "target-qwen3": (Qwen3Config, dict(
        num_hidden_layers=7, num_attention_heads=2, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True,
        max_position_embeddings=512)),
    "target-llama": (LlamaConfig, dict(
        num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False,
        max_position_embeddings=256, rope_parameters={"rope_type": "default", "rope_theta": 50_000.0})),
}
BASE = dict(hidden_size=32, intermediate_size=32, vocab_size=VOCABULARY, rms_norm_eps=1e-5, bos_token_id=0, eos_token_id=1)


@dataclass(frozen=True)
class Head:
    """What one head's files say, and what its readers must make of it."""

    target: str
    taps: tuple[int, ...]
    """Streams by the layer they enter, ascending."""
    format: str
    """`specforge` or `speculators`"""
    ids: str = "absent"
    """Where the configuration names the layers: `nested`, `top` or `absent`."""
    layer: str = "llama"
    hidden_size: int = 32
    heads: int = 4
    key_value_heads: int = 2
    head_dim: int = 16
    intermediate_size: int = 28
    draft_vocabulary: int = 48
    own_embedding: bool = False
    own_output: bool = True
    rope_theta: float = 10_000.0
    norm_before_residual: bool = False
    norm_before_fc: bool = False
    fc_norm: bool = False
    norm_output: bool = False
    extra: dict[str, object] = field(default_factory=dict)
    """More entries of `config.json`."""


HEADS = {
    "specforge-plain": Head("target-qwen3", (1, 4, 6), "specforge", ids="nested"),
    "specforge-own-embedding": Head("target-qwen3", (2, 3, 4), "specforge", own_embedding=True, rope_theta=1_000_000.0),
    "specforge-full-vocabulary": Head(
        "target-llama", (2, 3, 5), "specforge", ids="top", draft_vocabulary=VOCABULARY, heads=2, key_value_heads=1),
    "specforge-norm-before-fc": Head(
        "target-llama", (1, 3, 4), "specforge", ids="nested", norm_before_fc=True, heads=2, key_value_heads=2),
    "specforge-narrow": Head(
        "target-qwen3", (1, 3, 5), "specforge", ids="nested", hidden_size=24, own_embedding=True, heads=3,
        key_value_heads=1, extra={"target_hidden_size": 32}),
    "specforge-shared-output": Head(
        "target-llama", (1, 2, 5), "specforge", ids="nested", draft_vocabulary=VOCABULARY, own_output=False, heads=2,
        key_value_heads=1),
    "speculators-llama": Head(
        "target-qwen3", (1, 3, 5), "speculators", ids="top", own_embedding=True, norm_before_residual=True),
    "speculators-qwen3": Head(
        "target-qwen3", (2, 3, 4), "speculators", layer="qwen3", norm_before_residual=True, rope_theta=1_000_000.0),
    "speculators-qwen3-fc-norm-output": Head(
        "target-qwen3", (1, 2, 6), "speculators", ids="top", layer="qwen3", fc_norm=True, norm_output=True, heads=2,
        key_value_heads=2),
    "speculators-no-norm-before-residual": Head(
        "target-llama", (1, 2, 4), "speculators", ids="top", heads=2, key_value_heads=2),
    "speculators-norm-before-fc": Head(
        "target-qwen3", (1, 4, 5), "speculators", ids="top", norm_before_residual=True, norm_before_fc=True, heads=2,
        key_value_heads=1),
    "speculators-fc-norm-output": Head(
        "target-llama", (1, 3, 5), "speculators", ids="top", fc_norm=True, norm_output=True, heads=2, key_value_heads=1),
}


def single(values: Tensor) -> Tensor:
    """Single precision that half the bits can hold: what is compared is the arithmetic, not the rounding of weights."""
    return values.to(torch.bfloat16).float()


def write_target(place: Path) -> None:
    kind, changes = TARGETS[place.name]
    torch.manual_seed(sum(place.name.encode()))
    model = AutoModelForCausalLM.from_config(kind(**(BASE | changes)), attn_implementation="eager").float()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(single(1 + 0.2 * noise if "norm" in key else (0.7 if "embed" in key else 0.2) * noise))
    model.save_pretrained(place)


def write_head(place: Path, head: Head) -> None:
    """Writes `config.json` and `model.safetensors` as the trainers do."""
    random = torch.Generator().manual_seed(sum(place.name.encode()))
    target_size, hidden = BASE["hidden_size"], head.hidden_size
    prefix = "midlayer." if head.format == "specforge" else "layers.0."
    matrices = {
        "fc": (hidden, len(head.taps) * target_size),
        prefix + "self_attn.q_proj": (head.heads * head.head_dim, 2 * hidden),
        prefix + "self_attn.k_proj": (head.key_value_heads * head.head_dim, 2 * hidden),
        prefix + "self_attn.v_proj": (head.key_value_heads * head.head_dim, 2 * hidden),
        prefix + "self_attn.o_proj": (hidden, head.heads * head.head_dim),
        prefix + "mlp.gate_proj": (head.intermediate_size, hidden),
        prefix + "mlp.up_proj": (head.intermediate_size, hidden),
        prefix + "mlp.down_proj": (hidden, head.intermediate_size),
    }
    if head.own_output:
        matrices["lm_head"] = (head.draft_vocabulary, hidden)
    if head.own_embedding:
        matrices["embed_tokens"] = (VOCABULARY, hidden)
    norms = {"norm": hidden} | {
        prefix + name: hidden for name in ("input_layernorm", "hidden_norm", "post_attention_layernorm")}
    if head.layer == "qwen3":
        norms |= {prefix + "self_attn.q_norm": head.head_dim, prefix + "self_attn.k_norm": head.head_dim}
    if head.norm_before_fc:
        norms["input_norm"] = len(head.taps) * target_size
    if head.fc_norm:
        norms |= {f"fc_norm.{index}": target_size for index in range(len(head.taps))}
    tensors = {}
    for name, shape in matrices.items():
        # Products keep their input's size, but attention is sharp and counts for much, so that chains wander; the last
        # makes logits of a few units.
        scales = {"lm_head": 1.6, "embed_tokens": 0.7 * math.sqrt(shape[1]), "q_proj": 2.0, "v_proj": 1.5, "o_proj": 2.5}
        scale = scales.get(name.rpartition(".")[2], 1.0) / math.sqrt(shape[1])
        tensors[f"{name}.weight"] = single(scale * torch.randn(shape, generator=random))
    for name, size in norms.items():
        tensors[f"{name}.weight"] = single(1 + 0.2 * torch.randn(size, generator=random))
    if head.draft_vocabulary < VOCABULARY:
        chosen = torch.randperm(VOCABULARY, generator=random)[: head.draft_vocabulary].sort().values
        tensors["d2t"] = chosen - torch.arange(len(chosen))
        tensors["t2d"] = torch.zeros(VOCABULARY, dtype=torch.bool).index_fill(0, chosen, True)
    layer = {
        "model_type": head.layer, "hidden_size": hidden, "num_attention_heads": head.heads,
        "num_key_value_heads": head.key_value_heads, "head_dim": head.head_dim, "num_hidden_layers": 1,
        "intermediate_size": head.intermediate_size, "rms_norm_eps": 1e-6, "rope_theta": head.rope_theta,
        "vocab_size": VOCABULARY, "max_position_embeddings": 512, "attention_bias": False, "hidden_act": "silu",
        "tie_word_embeddings": False,
    }
    if head.format == "specforge":
        config = {"architectures": ["LlamaForCausalLMEagle3"], "torch_dtype": "float32"} | layer
        if head.ids == "nested":
            config["eagle_config"] = {
                "eagle_aux_hidden_state_layer_ids": [tap - 1 for tap in head.taps], "use_aux_hidden_state": True}
            if head.norm_before_fc:
                config["eagle_config"]["norm_before_fc"] = True
    else:
        # As `transformers` 5 writes it.
        layer["rope_parameters"] = {"rope_theta": layer.pop("rope_theta"), "rope_type": "default"}
        config = {
            "architectures": ["Eagle3DraftModel"], "speculators_model_type": "eagle3", "speculators_version": "0.9.0",
            "transformer_layer_config": layer, "norm_before_residual": head.norm_before_residual,
            "norm_before_fc": head.norm_before_fc, "fc_norm": head.fc_norm, "norm_output": head.norm_output,
            "target_hidden_size": None, "eagle_aux_hidden_state_layer_ids": None,
            "speculators_config": {
                "algorithm": "eagle3", "default_proposal_method": "greedy",
                "proposal_methods": [{"proposal_type": "greedy", "speculative_tokens": STEPS}],
                "verifier": {"architectures": [], "name_or_path": head.target},
            },
        }
    if head.ids == "top":
        config["eagle_aux_hidden_state_layer_ids"] = list(head.taps)
    config |= {"draft_vocab_size": head.draft_vocabulary} | head.extra
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})


class Streams:
    """A target's residual streams, by the layer they enter."""

    def __init__(self, directory: Path) -> None:
        self.model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval()
        self.embedding = self.model.get_input_embeddings().weight.detach()
        self.output = self.model.get_output_embeddings().weight.detach()

    @torch.no_grad()
    def taps(self, tokens: list[int], layers: tuple[int, ...]) -> Tensor:
        """`[len(tokens), len(layers) * hidden]`"""
        found: dict[int, Tensor] = {}
        handles = [
            module.register_forward_pre_hook(lambda _, arguments, index=index: found.__setitem__(index, arguments[0][0]))
            for index, module in enumerate([*self.model.model.layers, self.model.model.norm])]
        self.model(torch.tensor([tokens]), past_key_values=HalfCache())
        for handle in handles:
            handle.remove()
        return torch.cat([found[layer] for layer in layers], dim=-1)


@dataclass
class Drafted:
    """One chain: every step's logits over the draft vocabulary, its likeliest token, and what the first step recycles."""

    logits: list[Tensor]
    tokens: list[int]
    recycled: Tensor


def rotated(x: Tensor, positions: Tensor, theta: float) -> Tensor:
    """Rotary embedding of `x [slots, heads, head_dim]`: channel i goes with channel i + head_dim / 2."""
    half = x.shape[-1] // 2
    angle = positions[:, None] * theta ** (-torch.arange(half, dtype=torch.float32) / half)
    cos, sin = angle.cos()[:, None, :], angle.sin()[:, None, :]
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


class Reference:
    """A head's forward pass, from its tensors; `layer.` stands for the format's prefix."""

    def __init__(self, place: Path, head: Head, streams: Streams) -> None:
        prefix = "midlayer." if head.format == "specforge" else "layers.0."
        self.head = head
        self.weights = {
            name.replace(prefix, "layer.").removesuffix(".weight"): value
            for name, value in load_file(place / "model.safetensors").items()}
        self.embedding = self.weights.get("embed_tokens", streams.embedding)
        self.output = self.weights.get("lm_head", streams.output)
        offsets = self.weights.get("d2t")
        self.targets = None if offsets is None else (offsets + torch.arange(len(offsets))).tolist()

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight = self.weights[name]
        return F.rms_norm(x, weight.shape, weight, eps=1e-6)

    def features(self, taps: Tensor) -> Tensor:
        """g of every position, `[positions, hidden]`."""
        if self.head.norm_before_fc:
            taps = self.norm("input_norm", taps)
        if self.head.fc_norm:
            parts = taps.chunk(len(self.head.taps), dim=-1)
            taps = torch.cat([self.norm(f"fc_norm.{index}", part) for index, part in enumerate(parts)], dim=-1)
        return taps @ self.weights["fc"].T

    def layer(self, tokens: list[int], g: Tensor) -> Tensor:
        """The layer's output at the last of the slots that `tokens` and `g` fill, `[hidden]`."""
        head, weights, slots = self.head, self.weights, len(tokens)
        normed = self.norm("layer.hidden_norm", g)
        both = torch.cat([self.norm("layer.input_layernorm", self.embedding[tokens]), normed], dim=-1)
        q, k, v = (
            (both @ weights[f"layer.self_attn.{name}_proj"].T).view(slots, -1, head.head_dim) for name in "qkv")
        if head.layer == "qwen3":
            q, k = self.norm("layer.self_attn.q_norm", q), self.norm("layer.self_attn.k_norm", k)
        # A slot is where its token is, as in `speculators`: what keys are rounded to depends on it.
        positions = 1 + torch.arange(slots, dtype=torch.float32)
        q, k, v = rotated(q, positions, head.rope_theta), halved(rotated(k, positions, head.rope_theta)), halved(v)
        mixed = []
        for index in range(head.heads):
            shared = index // (head.heads // head.key_value_heads)
            scores = k[:, shared] @ q[-1, index] / math.sqrt(head.head_dim)
            mixed.append(torch.softmax(scores, dim=0) @ v[:, shared])
        residual = normed[-1] if head.norm_before_residual else g[-1]
        x = residual + torch.cat(mixed) @ weights["layer.self_attn.o_proj"].T
        y = self.norm("layer.post_attention_layernorm", x)
        gate, up = (y @ weights[f"layer.mlp.{name}_proj"].T for name in ("gate", "up"))
        return x + (F.silu(gate) * up) @ weights["layer.mlp.down_proj"].T

    @torch.no_grad()
    def drafted(self, tokens: list[int], taps: Tensor) -> Drafted:
        """The chain after `tokens`, whose taps are `taps [len(tokens), …]`; the last position's has no slot yet."""
        filled, g = tokens[1:], self.features(taps[:-1])
        result = Drafted([], [], torch.empty(0))
        for _ in range(STEPS):
            out = self.layer(filled, g)
            normed = self.norm("norm", out)
            logits = normed @ self.output.T
            best = int(logits.argmax())
            result.logits.append(logits)
            result.tokens.append(best if self.targets is None else self.targets[best])
            recycled = normed if self.head.norm_output else out
            if not len(result.recycled):
                result.recycled = recycled
            filled, g = [*filled, result.tokens[-1]], torch.cat([g, recycled[None]])
        return result


class Published:
    """The same from the package `speculators`: its training pass, whose k-th step is the chain's k-th step."""

    def __init__(self, place: Path, head: Head, target: Path, streams: Streams) -> None:
        from speculators.models.eagle3 import Eagle3DraftModel, Eagle3SpeculatorConfig

        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder)
            # Where the file has no embedding, the package would recognise NaN, but `transformers` 5 leaves anything there.
            tensors = {"embed_tokens.weight": streams.embedding} | load_file(place / "model.safetensors")
            if not head.own_output:
                tensors["lm_head.weight"] = streams.output.clone()
            save_file(
                {name.replace("midlayer.", "layers.0."): value.contiguous() for name, value in tensors.items()},
                copy / "model.safetensors", metadata={"format": "pt"})
            config = json.loads((place / "config.json").read_text())
            if head.format == "specforge":
                config = {
                    "speculators_model_type": "eagle3", "transformer_layer_config": config,
                    "draft_vocab_size": head.draft_vocabulary, "norm_before_fc": head.norm_before_fc,
                    "eagle_aux_hidden_state_layer_ids": list(head.taps),
                    "speculators_config": {
                        "algorithm": "eagle3", "default_proposal_method": "greedy",
                        "proposal_methods": [{"proposal_type": "greedy", "speculative_tokens": STEPS}],
                        "verifier": {"architectures": [], "name_or_path": ""},
                    },
                }
            config["speculators_config"]["verifier"]["name_or_path"] = str(target)
            (copy / "config.json").write_text(json.dumps(config))
            settings = Eagle3SpeculatorConfig.from_pretrained(copy)
            settings.transformer_layer_config._attn_implementation = "eager"
            self.model = Eagle3DraftModel.from_pretrained(copy, config=settings, dtype=torch.float32).eval()
        if head.ids != "absent" or head.format == "speculators":
            assert list(self.model.target_layer_ids) == list(head.taps), self.model.target_layer_ids
        self.head = head
        self.targets = None if self.model.d2t is None else (self.model.d2t + torch.arange(len(self.model.d2t))).tolist()

    @torch.no_grad()
    def drafted(self, tokens: list[int], taps: Tensor) -> Drafted:
        last = len(tokens) - 2
        known = tokens[1:]
        hidden = F.pad(taps[:-1], (0, 0, 0, STEPS))[None]
        seen: dict[str, list[Tensor]] = {"lm_head": [], "layer": []}
        handles = [
            self.model.lm_head.register_forward_hook(lambda _, __, output: seen["lm_head"].append(output[0, last])),
            self.model.layers[-1].register_forward_hook(lambda _, __, output: seen["layer"].append(output[0, last]))]
        drafted: list[int] = []
        for step in range(STEPS):
            for values in seen.values():
                values.clear()
            # Tokens of steps to come are not looked at by the steps before them; later columns count for nothing.
            row = known + drafted + [0] * (STEPS - len(drafted))
            with mock.patch("speculators.models.eagle3.core.DynamicCache", HalfCache):
                self.model(
                    hidden_states=hidden, input_ids=torch.tensor([row]),
                    document_ids=torch.zeros(1, len(row), dtype=torch.long), position_ids=1 + torch.arange(len(row))[None],
                    ttt_steps=STEPS)
            best = int(seen["lm_head"][step].argmax())
            drafted.append(best if self.targets is None else self.targets[best])
        for handle in handles:
            handle.remove()
        recycled = seen["layer"][0]
        if self.head.norm_output:
            recycled = self.model.norm(recycled)
        return Drafted(list(seen["lm_head"]), drafted, recycled)


def difference(one: Drafted, other: Drafted) -> float:
    assert one.tokens == other.tokens, (one.tokens, other.tokens)
    logits = max(float((a - b).abs().max()) for a, b in zip(one.logits, other.logits))
    return max(logits, float((one.recycled - other.recycled).abs().max()))


def numbers(values: Tensor) -> list[float]:
    return [round(float(value), 5) for value in values]


def expectations(place: Path, head: Head, streams: Streams) -> dict[str, object]:
    reference = Reference(place, head, streams)
    published = None if head.hidden_size != BASE["hidden_size"] else Published(
        place, head, place.parent / head.target, streams)
    worst = 0.0

    def chain(tokens: list[int]) -> dict[str, object]:
        nonlocal worst
        taps = streams.taps(tokens, head.taps)
        result = reference.drafted(tokens, taps)
        if published:
            other = published.drafted(tokens, taps)
            worst = max(worst, difference(result, other))
            result = other if head.format == "speculators" else result
        margins = [float((best := step.topk(2).values)[0] - best[1]) for step in result.logits]
        assert min(margins) > 2e-3, f"{place.name}: a tie between drafted tokens; take another seed"
        return {"tokens": tokens, "drafted": result.tokens, "recycled": numbers(result.recycled),
                "logits": [numbers(step) for step in result.logits]}

    random = torch.Generator().manual_seed(12)
    prompt = torch.randint(2, VOCABULARY, (max(LENGTHS),), generator=random).tolist()
    chains = [chain(prompt[:length]) for length in LENGTHS]
    base = chains[1]
    rejections = []
    for kept in range(STEPS):
        other = (base["drafted"][kept] + 1 + 7 * kept) % VOCABULARY
        rejections.append({"kept": kept} | chain(base["tokens"] + base["drafted"][:kept] + [other]))
    features = reference.features(streams.taps(prompt, head.taps)[:-1])
    spread = torch.tensor([step for entry in chains for step in entry["logits"]]).std(-1).mean()
    assert worst < AGREEMENT, f"{place.name}: two implementations differ by {worst}"
    agreement = f"differs from speculators by {worst:.1e}" if published else "has no second implementation"
    print(f"  {place.name}: logits spread by {spread:.2f}, {agreement}", flush=True)
    return {
        "target": head.target, "taps": list(head.taps), "draft_ids": reference.targets,
        "reference": "speculators" if head.format == "speculators" else "Tests/Golden/heads.py",
        "features": {"slots": [0, len(prompt) - 2], "values": [numbers(features[0]), numbers(features[-1])]},
        "chains": chains, "rejections": rejections,
    }


def write(path: Path, expected: dict[str, object]) -> None:
    path.write_text(json.dumps(expected, separators=(",", ":")) + "\n")


def write_gguf(place: Path, path: Path, head: Head) -> None:
    """A flat head as llama.cpp's converter writes it: rows of queries and keys in pairs, `d2t` as the target's tokens."""
    tensors = load_file(place / "model.safetensors")
    writer = gguf.GGUFWriter(path, "eagle3")
    writer.add_name(place.name)
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(head.hidden_size)
    writer.add_feed_forward_length(head.intermediate_size)
    writer.add_head_count(head.heads)
    writer.add_head_count_kv(head.key_value_heads)
    writer.add_key_length(head.head_dim)
    writer.add_value_length(head.head_dim)
    writer.add_rope_dimension_count(head.head_dim)
    writer.add_rope_freq_base(head.rope_theta)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(VOCABULARY)
    writer.add_array("eagle3.target_layers", list(head.taps))
    writer.add_uint32("eagle3.target_hidden_size", BASE["hidden_size"])
    writer.add_bool("eagle3.norm_before_residual", head.norm_before_residual)
    writer.add_bool("eagle3.norm_before_fc", head.norm_before_fc)
    names = {
        "fc": "fc", "norm": "output_norm", "lm_head": "output", "embed_tokens": "token_embd",
        "input_norm": "enc.output_norm",
        "input_layernorm": "attn_norm", "hidden_norm": "attn_norm_2", "post_attention_layernorm": "ffn_norm",
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }
    for name, tensor in tensors.items():
        values = tensor.numpy()
        if name == "t2d":
            continue
        if name == "d2t":
            writer.add_tensor("d2t", values + np.arange(len(values)), raw_dtype=gguf.GGMLQuantizationType.I64)
            continue
        stem = name.removesuffix(".weight")
        inner = stem.removeprefix("midlayer.").removeprefix("layers.0.")
        if inner == "self_attn.q_proj":
            values = paired(values, head.heads)
        elif inner == "self_attn.k_proj":
            values = paired(values, head.key_value_heads)
        writer.add_tensor(("blk.0." if inner != stem else "") + names[inner] + ".weight", values)
    finish(writer)


def generate(output: Path) -> None:
    """Writes `output/heads/`."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logger.disable("speculators")
    folder = output / "heads"
    shutil.rmtree(folder, ignore_errors=True)
    streams = {}
    for name in TARGETS:
        write_target(folder / name)
        streams[name] = Streams(folder / name)
    for name, head in HEADS.items():
        place = folder / name
        write_head(place, head)
        write(place / "expected.json", expectations(place, head, streams[head.target]))
        with single_cache():
            write(place / "single.json", expectations(place, head, streams[head.target]))
    # The same values as those of the directory: llama.cpp's keys name the streams as they are.
    write_gguf(folder / "specforge-plain", folder / "specforge-plain/head.gguf", HEADS["specforge-plain"])


if __name__ == "__main__":
    generate(Path(__file__).parent)
