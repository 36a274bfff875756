"""Reference values of MTP layers: tiny random models that carry one, and what it drafts.

`heads/mtp-*` are models with a layer that predicts the token after the next, under the names of three families. Where the
values come from: the layer is `transformers`' own decoder layer of the trunk's family, what stands around it is written
from the description; the names of Qwen3-Next must agree with `speculators`' MTP layer on the same tensors.

What such a layer computes at slot p, from token p + 1 and the target's hidden state of position p *after* the last norm
(all norms are RMS norms with the model's epsilon):

    x = projection([norm(embedding); norm(hidden)])     or [norm(hidden); norm(embedding)], MiMo's order
    out = layer(x)                                      with the trunk's attention, RoPE included
    logits = head(norm(out))

In a chain the next hidden state is norm(out), but for DeepSeek's and GLM's names, where vLLM hands on `out` as it is.

| family | tensors | order | goes on from |
| --- | --- | --- | --- |
| Qwen3-Next, Qwen3.5 | `mtp.{pre_fc_norm_embedding,pre_fc_norm_hidden,fc,layers.0.*,norm}` | embedding, hidden | norm(out) |
| DeepSeek, GLM | `model.layers.N.{enorm,hnorm,eh_proj,*,shared_head.norm}`, perhaps `shared_head.head`, `embed_tokens` | embedding, hidden | out |
| MiMo | `model.mtp_layers.0.{token_layernorm,hidden_layernorm,input_proj,*,final_layernorm}` | hidden, embedding | norm(out) |

`expected.json` and `single.json` have what `heads.py` describes; the target is the folder itself.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from pathlib import Path

import gguf
import torch
import torch.nn.functional as F
import transformers
from gguf_files import INNER, OUTER, finish, paired
from halves import AGREEMENT, HalfCache, single_cache
from heads import BASE, LENGTHS, STEPS, VOCABULARY, Drafted, Streams, difference, numbers, single, write
from loguru import logger
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RotaryEmbedding
from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer, Qwen3RotaryEmbedding

LAYERS = 3
SEED = 36
"""Of the prompts."""


@dataclass(frozen=True)
class Family:
    """Names of the parts of an MTP layer, and how they are put together."""

    embedding_norm: str
    hidden_norm: str
    projection: str
    layer: str
    """What stands before the names of a decoder layer's tensors."""
    norm: str
    head: str | None = None
    """An output matrix of its own."""
    hidden_first: bool = False
    recycles_normed: bool = True


FAMILIES = {
    "qwen": Family(
        "mtp.pre_fc_norm_embedding", "mtp.pre_fc_norm_hidden", "mtp.fc", "mtp.layers.0.", "mtp.norm"),
    "nextn": Family(
        f"model.layers.{LAYERS}.enorm", f"model.layers.{LAYERS}.hnorm", f"model.layers.{LAYERS}.eh_proj",
        f"model.layers.{LAYERS}.", f"model.layers.{LAYERS}.shared_head.norm", recycles_normed=False),
    "nextn-own-head": Family(
        f"model.layers.{LAYERS}.enorm", f"model.layers.{LAYERS}.hnorm", f"model.layers.{LAYERS}.eh_proj",
        f"model.layers.{LAYERS}.", f"model.layers.{LAYERS}.shared_head.norm", recycles_normed=False,
        head=f"model.layers.{LAYERS}.shared_head.head"),
    "mimo": Family(
        "model.mtp_layers.0.token_layernorm", "model.mtp_layers.0.hidden_layernorm", "model.mtp_layers.0.input_proj",
        "model.mtp_layers.0.", "model.mtp_layers.0.final_layernorm", hidden_first=True),
}
LLAMA = (LlamaConfig, LlamaDecoderLayer, LlamaRotaryEmbedding, dict(
    num_attention_heads=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=False,
    rope_parameters={"rope_type": "default", "rope_theta": 50_000.0}))
QWEN3 = (Qwen3Config, Qwen3DecoderLayer, Qwen3RotaryEmbedding, dict(
    num_attention_heads=4, num_key_value_heads=2, head_dim=16, tie_word_embeddings=True))
QWEN2 = (Qwen2Config, Qwen2DecoderLayer, Qwen2RotaryEmbedding, dict(
    num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False, use_sliding_window=False))
MODELS = {
    "mtp-qwen": ("qwen", QWEN3, {"mtp_num_hidden_layers": 1}),
    "mtp-nextn": ("nextn", LLAMA, {"num_nextn_predict_layers": 1}),
    "mtp-nextn-own-head": ("nextn-own-head", QWEN3, {"num_nextn_predict_layers": 1}),
    "mtp-mimo": ("mimo", QWEN2, {"num_nextn_predict_layers": 1}),
}


def write_model(place: Path) -> None:
    name, (kind, _, _, changes), keys = MODELS[place.name]
    family = FAMILIES[name]
    config = kind(**(BASE | changes), num_hidden_layers=LAYERS, max_position_embeddings=512)
    torch.manual_seed(sum(place.name.encode()))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float()

    def filled(key: str, parameter: Tensor) -> Tensor:
        noise = torch.randn_like(parameter)
        if "norm" in key:
            return single(1 + 0.2 * noise)
        return single((0.7 if "embed" in key else 0.3 if "bias" in key else 0.2) * noise)

    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.copy_(filled(key, parameter))
    model.save_pretrained(place)
    tensors = load_file(place / "model.safetensors")
    hidden = config.hidden_size
    for key in list(tensors):
        if key.startswith("model.layers.0."):
            # As large as a head's: attention is sharp and counts for much, so that chains wander.
            inner = key.removeprefix("model.layers.0.")
            scale = {"q_proj": 2.0, "k_proj": 1.5, "v_proj": 1.5, "o_proj": 2.5}.get(inner.split(".")[1], 1.0)
            size = tensors[key].shape[-1]
            matrix = single(scale / math.sqrt(size) * torch.randn_like(tensors[key]))
            tensors[family.layer + inner] = matrix if tensors[key].dim() == 2 else filled(inner, tensors[key])
    for part in (family.embedding_norm, family.hidden_norm, family.norm):
        tensors[f"{part}.weight"] = single(1 + 0.2 * torch.randn(hidden))
    tensors[f"{family.projection}.weight"] = single(torch.randn(hidden, 2 * hidden) / math.sqrt(2 * hidden))
    if family.head:
        tensors[f"{family.head}.weight"] = single(1.6 / math.sqrt(hidden) * torch.randn(VOCABULARY, hidden))
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    path = place / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys, indent=2) + "\n")


class Reference:
    """An MTP layer, from the model's tensors."""

    def __init__(self, place: Path, streams: Streams) -> None:
        name, (_, layer, rotary, _), _ = MODELS[place.name]
        self.family = family = FAMILIES[name]
        self.weights = load_file(place / "model.safetensors")
        self.config = streams.model.config
        self.config._attn_implementation = "eager"
        self.embedding = streams.embedding
        self.head = self.weights[f"{family.head}.weight"] if family.head else streams.model.lm_head.weight.detach()
        self.layer = layer(self.config, 0).float().eval()
        around = (family.embedding_norm, family.hidden_norm, family.projection, family.norm, family.head or "-")
        inner = {
            key.removeprefix(family.layer): value for key, value in self.weights.items()
            if key.startswith(family.layer) and not key.startswith(around)}
        self.layer.load_state_dict(inner)
        self.rotary = rotary(self.config)

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        return F.rms_norm(x, weight.shape, weight, eps=self.config.rms_norm_eps)

    def through_layer(self, tokens: list[int], hidden: Tensor) -> tuple[Tensor, Tensor]:
        """The layer's outputs at the slots that `tokens` and `hidden` fill, and these after the norm."""
        family = self.family
        parts = [self.norm(family.embedding_norm, self.embedding[tokens]), self.norm(family.hidden_norm, hidden)]
        x = torch.cat(parts[::-1] if family.hidden_first else parts, dim=-1) @ self.weights[f"{family.projection}.weight"].T
        out = run(self.layer, self.rotary, x)
        return out, self.norm(family.norm, out)

    @torch.no_grad()
    def drafted(self, tokens: list[int], hidden: Tensor) -> Drafted:
        """The chain after `tokens`, whose hidden states are `hidden [len(tokens), …]`; the last one's has no slot yet."""
        filled, g = tokens[1:], hidden[:-1]
        result = Drafted([], [], torch.empty(0))
        for _ in range(STEPS):
            out, normed = (values[-1] for values in self.through_layer(filled, g))
            logits = normed @ self.head.T
            result.logits.append(logits)
            result.tokens.append(int(logits.argmax()))
            recycled = normed if self.family.recycles_normed else out
            if not len(result.recycled):
                result.recycled = recycled
            filled, g = [*filled, result.tokens[-1]], torch.cat([g, recycled[None]])
        return result


def run(layer: torch.nn.Module, rotary: torch.nn.Module, x: Tensor, **more: Tensor) -> Tensor:
    """A causal pass of one layer over `x [slots, hidden]`."""
    slots = len(x)
    mask = torch.full((slots, slots), torch.finfo(torch.float32).min).triu(1)[None, None]
    positions = 1 + torch.arange(slots)[None]
    out = layer(
        x[None], attention_mask=mask, position_ids=positions, position_embeddings=rotary(x[None], positions),
        past_key_values=HalfCache(), **more)
    return (out[0] if isinstance(out, tuple) else out)[0]


class Published(Reference):
    """The same with the layer of the package `speculators`, which has the projection and the norms in it."""

    def __init__(self, place: Path, streams: Streams) -> None:
        from speculators.models.mtp.model_definitions import mtp_model_classes

        super().__init__(place, streams)
        names = {"mtp.fc": "input_proj", "mtp.norm": "final_layernorm", "mtp.pre_fc_norm_hidden": "hidden_layernorm",
                 "mtp.pre_fc_norm_embedding": "token_layernorm"}
        self.whole = mtp_model_classes["qwen3"].first_layer_class(self.config, layer_idx=0).float().eval()
        self.whole.load_state_dict({
            names[key.removesuffix(".weight")] + ".weight" if key.removesuffix(".weight") in names
            else key.removeprefix("mtp.layers.0."): value
            for key, value in self.weights.items() if key.startswith("mtp.")})

    def through_layer(self, tokens: list[int], hidden: Tensor) -> tuple[Tensor, Tensor]:
        normed = run(self.whole, self.rotary, hidden, token_embeddings=self.embedding[tokens][None])
        return normed, normed


def expectations(place: Path, streams: Streams) -> dict[str, object]:
    reference = Reference(place, streams)
    published = Published(place, streams) if MODELS[place.name][0] == "qwen" else None
    worst = 0.0

    def chain(tokens: list[int]) -> dict[str, object]:
        nonlocal worst
        with torch.no_grad():
            hidden = streams.model.model.norm(streams.taps(tokens, (LAYERS,)))
        result = reference.drafted(tokens, hidden)
        if published:
            other = published.drafted(tokens, hidden)
            worst = max(worst, difference(result, other))
            result = other
        margins = [float((best := step.topk(2).values)[0] - best[1]) for step in result.logits]
        assert min(margins) > 2e-3, f"{place.name}: a tie between drafted tokens; take another seed"
        return {"tokens": tokens, "drafted": result.tokens, "logits": [numbers(step) for step in result.logits]}

    random = torch.Generator().manual_seed(SEED)
    prompt = torch.randint(2, VOCABULARY, (max(LENGTHS),), generator=random).tolist()
    chains = [chain(prompt[:length]) for length in LENGTHS]
    base = chains[1]
    rejections = []
    for kept in range(STEPS):
        other = (base["drafted"][kept] + 1 + 7 * kept) % VOCABULARY
        entry = chain(base["tokens"] + base["drafted"][:kept] + [other])
        # One step shows what the rejection left behind; the whole chain is in the others.
        rejections.append({"kept": kept} | entry | {"logits": entry["logits"][:2], "drafted": entry["drafted"][:2]})
    assert worst < AGREEMENT, f"{place.name}: two implementations differ by {worst}"
    spread = torch.tensor([step for entry in chains for step in entry["logits"]]).std(-1).mean()
    agreement = f"differs from speculators by {worst:.1e}" if published else "is transformers' layer"
    print(f"  {place.name}: logits spread by {spread:.2f}, {agreement}", flush=True)
    return {
        "target": place.name, "taps": [LAYERS], "draft_ids": None,
        "reference": "speculators" if published else "transformers, Tests/Golden/mtp.py", "chains": chains,
        "rejections": rejections,
    }


def write_gguf(place: Path, path: Path) -> None:
    """A model with its MTP layer as llama.cpp's converter writes them: one more block, with `nextn` tensors."""
    config = json.loads((place / "config.json").read_text())
    family, heads = FAMILIES[MODELS[place.name][0]], config["num_attention_heads"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(place.name)
    writer.add_block_count(LAYERS + 1)
    writer.add_uint32("llama.nextn_predict_layers", 1)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    around = {
        family.embedding_norm: "nextn.enorm", family.hidden_norm: "nextn.hnorm", family.projection: "nextn.eh_proj",
        family.norm: "nextn.shared_head_norm"}
    for name, tensor in load_file(place / "model.safetensors").items():
        stem, values = name.removesuffix(".weight"), tensor.numpy()
        if stem in OUTER:
            writer.add_tensor(f"{OUTER[stem]}.weight", values)
            continue
        if stem in around:
            writer.add_tensor(f"blk.{LAYERS}.{around[stem]}.weight", values)
            continue
        _, _, number, inner = stem.split(".", 3)
        if inner in ("self_attn.q_proj", "self_attn.k_proj"):
            values = paired(values, heads if inner[10] == "q" else config["num_key_value_heads"])
        writer.add_tensor(f"blk.{number}.{INNER[inner]}.weight", values)
    finish(writer)


def generate(output: Path) -> None:
    """Writes `output/heads/mtp-*`; what else is in `heads` comes from `heads.py`."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logger.disable("speculators")
    for name in MODELS:
        place = output / "heads" / name
        shutil.rmtree(place, ignore_errors=True)
        write_model(place)
        streams = Streams(place)
        write(place / "expected.json", expectations(place, streams))
        with single_cache():
            write(place / "single.json", expectations(place, streams))
    write_gguf(output / "heads/mtp-nextn", output / "heads/mtp-nextn/model.gguf")


if __name__ == "__main__":
    generate(Path(__file__).parent)
