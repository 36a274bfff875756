"""Reference values of DFlash and DSpark heads: random heads on the targets of `heads.py`, and the blocks they propose.

Every folder of `blocks/` is a head as it would be published, with `expected.json` beside it. Where the values come from:
for the `speculators` format from that package's own `DFlashDraftModel` and `DSparkDraftModel`; for the flat formats of
z-lab, SpecForge and DeepSpec from `Reference` below, which is written from the description and must agree with
`speculators` on the same tensors. Windows are counted otherwise there: flat heads with windows must agree with the layers
of `speculators` under the masks of `transformers`.

Which layers are tapped. A tap is named here by the stream *entering* a layer (`hidden_states[i]` of `transformers`):

* top level `aux_hidden_state_layer_ids` (`speculators`, vLLM): those numbers as they are;
* `target_layer_ids` in `dflash_config` (z-lab, SpecForge) or at the top level (DeepSpec): layer *outputs*, so one more;
* absent in the flat format: as many as the head has layers, spread evenly over 1 to n - 3, and one more.

What a head computes of n known tokens, of which the target has computed all but the last: c = hidden_norm(fc(taps)) for
each of the first n - 1 positions gives every layer keys and values, without the layer's `input_layernorm`. The block has
the last known token and masks after it, from position n - 1 on. Its rows go through the layers, and attend to the keys and
values of all c, and of the whole block. In the format of `speculators` a layer of the type `sliding_attention` sees of the
c the last `sliding_window` before the block alone, and of the block, unless `sliding_window_non_causal`, what stands up to
the row's own position. In flat formats (z-lab's model, vLLM's `qwen3_dflash`) it sees positions less than `sliding_window`
away from the row's own and, unless `causal` false (`is_causal` at the top level), none after it; `causal` true says that of
all layers. A mask is read as the tensor `mask_embedding` where there is one (vLLM; z-lab and MiMo ship it pickled).
Masks propose what they stand for; with `sample_from_anchor` every row proposes the token after its own.

DSpark (DeepSpec `modeling/dspark`, vLLM's `qwen3_dspark`, `speculators` 0.9) is the same with `sample_from_anchor`, and
corrects: x being the token before the one that is proposed,

    logits = output @ norm(row) + markov_w2 @ markov_w1[x]         x by the target's tokens, the logits by the head's
    confidence = sigmoid(proj @ [norm(row); markov_w1[x]] + b)     or of norm(row) alone

`expected.json`:

* `taps`, `target`: as in `heads.py`; `draft_ids`: the target's token of every logit (`null`: the same numbers);
* `drafts`: for `tokens` (all that is known) and a window, the `logits` of every proposal over the draft vocabulary; the
  last five are what follows when the first kept tokens of the one before them are accepted and another comes after; of
  DSpark heads also `previous`, the token before each proposal, and `confidences`.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from halves import AGREEMENT, HalfCache, halved
from heads import BASE, VOCABULARY, Streams, numbers, rotated, single
from loguru import logger
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import masking_utils

BLOCK = 6
LENGTHS = (5, 11, 24)
MASK = 177


@dataclass(frozen=True)
class Head:
    """What one head's files say, and what its readers must make of it."""

    target: str
    taps: tuple[int, ...]
    """Streams by the layer they enter, ascending."""
    format: str
    """`flat` or `speculators`"""
    layers: int = 2
    model_type: str = "qwen3"
    heads: int = 4
    key_value_heads: int = 2
    head_dim: int = 16
    intermediate_size: int = 28
    draft_vocabulary: int = VOCABULARY
    own_embedding: bool = False
    bias: bool = False
    rope_theta: float = 10_000.0
    names_taps: bool = True
    block_inside: bool = False
    """Whether `block_size` stands in `dflash_config`."""
    window: int | None = None
    """Of all layers but the second."""
    sees_block: bool = False
    """Whether layers with a window see the whole block."""
    samples_anchor: bool = False
    causal: bool | None = None
    """What a flat file says of all layers."""
    own_mask: bool = False
    """Whether masks are read as a vector of their own."""
    rank: int | None = None
    """Of what a DSpark head's proposals are corrected by."""
    confidence: str = "none"
    """What a DSpark head's confidence reads: `none`, `hidden` or `both`, the token too."""
    nests_keys: bool = True
    """Whether a flat file has its own keys in `dflash_config`."""
    extra: dict[str, object] = field(default_factory=dict)

    @property
    def proposals(self) -> int:
        return BLOCK if self.samples_anchor else BLOCK - 1


HEADS = {
    "flat-plain": Head("target-qwen3", (1, 3, 6), "flat"),
    "flat-default-taps": Head(
        "target-llama", (2, 3, 4), "flat", layers=3, heads=2, key_value_heads=1, names_taps=False, block_inside=True,
        rope_theta=1_000_000.0),
    "speculators-vocabulary": Head(
        "target-qwen3", (1, 2, 4, 5), "speculators", draft_vocabulary=48, bias=True, heads=2, key_value_heads=2),
    "speculators-llama": Head(
        "target-llama", (1, 3), "speculators", layers=1, model_type="llama", heads=2, key_value_heads=1, own_embedding=True,
        draft_vocabulary=60),
    "speculators-sliding": Head(
        "target-qwen3", (2, 4, 5), "speculators", layers=3, draft_vocabulary=48, window=7, key_value_heads=1),
    "speculators-sliding-non-causal": Head(
        "target-llama", (1, 4), "speculators", layers=2, draft_vocabulary=48, window=5, sees_block=True),
    "speculators-anchor": Head(
        "target-qwen3", (3, 6), "speculators", layers=2, draft_vocabulary=48, samples_anchor=True),
    "flat-sliding": Head("target-qwen3", (2, 4, 5), "flat", layers=3, window=7, key_value_heads=1, own_mask=True),
    "flat-sliding-non-causal": Head("target-llama", (1, 4), "flat", window=4, causal=False),
    "flat-causal": Head("target-llama", (2, 3), "flat", heads=2, window=3, causal=True),
    "flat-dspark": Head(
        "target-qwen3", (1, 4, 6), "flat", samples_anchor=True, rank=8, confidence="both", own_embedding=True,
        nests_keys=False),
    "flat-dspark-nested": Head("target-llama", (1, 5), "flat", samples_anchor=True, rank=5),
    "speculators-dspark": Head(
        "target-qwen3", (2, 3, 5), "speculators", draft_vocabulary=48, samples_anchor=True, rank=12, confidence="both"),
    "speculators-dspark-masks": Head(
        "target-llama", (1, 3), "speculators", heads=2, draft_vocabulary=60, window=6, rank=7, confidence="hidden"),
}


def write_head(place: Path, head: Head) -> None:
    """Writes `config.json` and `model.safetensors` as the trainers do."""
    random = torch.Generator().manual_seed(sum(place.name.encode()))
    hidden = BASE["hidden_size"]
    queries, keys = head.heads * head.head_dim, head.key_value_heads * head.head_dim
    tensors: dict[str, Tensor] = {}

    def add(name: str, *shape: int, mean: float = 0.0, scale: float = 1.0) -> None:
        tensors[name] = single(mean + scale * torch.randn(shape, generator=random))

    def matrix(name: str, rows: int, columns: int, size: float = 1.0) -> None:
        add(f"{name}.weight", rows, columns, scale=size / math.sqrt(columns))

    def norm(name: str, size: int) -> None:
        add(f"{name}.weight", size, mean=1.0, scale=0.2)

    matrix("fc", hidden, len(head.taps) * hidden)
    for name in ("hidden_norm", "norm"):
        norm(name, hidden)
    for index in range(head.layers):
        prefix = f"layers.{index}."
        # Attention is sharp and counts for much, so that the context does.
        for name, rows, columns, size in (
            ("q", queries, hidden, 2.0), ("k", keys, hidden, 1.5), ("v", keys, hidden, 1.5), ("o", hidden, queries, 2.5),
        ):
            matrix(f"{prefix}self_attn.{name}_proj", rows, columns, size)
            if head.bias:
                add(f"{prefix}self_attn.{name}_proj.bias", rows, scale=0.3)
        norm(prefix + "self_attn.q_norm", head.head_dim)
        norm(prefix + "self_attn.k_norm", head.head_dim)
        norm(prefix + "input_layernorm", hidden)
        norm(prefix + "post_attention_layernorm", hidden)
        matrix(prefix + "mlp.gate_proj", head.intermediate_size, hidden)
        matrix(prefix + "mlp.up_proj", head.intermediate_size, hidden)
        matrix(prefix + "mlp.down_proj", hidden, head.intermediate_size)
    if head.own_embedding:
        matrix("embed_tokens", VOCABULARY, hidden, 0.7 * math.sqrt(hidden))
    if head.own_mask:
        add("mask_embedding", hidden, scale=0.7)
    if head.rank:
        add("markov_head.markov_w1.weight", VOCABULARY, head.rank)
        matrix("markov_head.markov_w2", head.draft_vocabulary, head.rank, 1.2)
    if head.confidence != "none":
        inputs = hidden + (head.rank if head.confidence == "both" else 0)
        matrix("confidence_head.proj", 1, inputs, 1.5)
        add("confidence_head.proj.bias", 1)
    if head.draft_vocabulary < VOCABULARY:
        matrix("lm_head", head.draft_vocabulary, hidden, 1.6)
        chosen = torch.randperm(VOCABULARY, generator=random)[: head.draft_vocabulary].sort().values
        tensors["d2t"] = chosen - torch.arange(len(chosen))
        tensors["t2d"] = torch.zeros(VOCABULARY, dtype=torch.bool).index_fill(0, chosen, True)
    layer = {
        "model_type": head.model_type, "hidden_size": hidden, "num_attention_heads": head.heads,
        "num_key_value_heads": head.key_value_heads, "num_hidden_layers": head.layers,
        "intermediate_size": head.intermediate_size, "rms_norm_eps": 1e-6, "vocab_size": VOCABULARY,
        "max_position_embeddings": 512, "attention_bias": head.bias, "hidden_act": "silu", "tie_word_embeddings": False,
    }
    if head.model_type == "qwen3":
        layer["head_dim"] = head.head_dim
    if head.window:
        layer |= {
            "layer_types": [kind(head, index) for index in range(head.layers)], "sliding_window": head.window,
            "use_sliding_window": True, "max_window_layers": 0}
    dspark: dict[str, object] = {}
    if head.rank:
        dspark = {
            "markov_rank": head.rank, "markov_head_type": "vanilla", "enable_confidence_head": head.confidence != "none",
            "confidence_head_with_markov": head.confidence == "both"}
    if head.format == "flat":
        inner: dict[str, object] = {"mask_token_id": MASK} | dspark
        if head.names_taps:
            inner["target_layer_ids"] = [tap - 1 for tap in head.taps]
        if head.causal is not None:
            inner["causal"] = head.causal
        name = "DFlashDraftModel" if not head.rank else "DSparkDraftModel" if head.nests_keys else "Qwen3DSparkModel"
        config = {"architectures": [name], "torch_dtype": "float32", "rope_theta": head.rope_theta} | layer
        config |= {"num_target_layers": {"target-qwen3": 7, "target-llama": 6}[head.target]}
        config |= {"dflash_config": inner} if head.nests_keys else inner
        (inner if head.block_inside else config)["block_size"] = BLOCK
    else:
        # As `transformers` 5 writes it.
        layer["rope_parameters"] = {"rope_theta": head.rope_theta, "rope_type": "default"}
        config = {
            "architectures": ["DFlashSpeculator"], "speculators_model_type": "dflash", "speculators_version": "0.9.0",
            "transformer_layer_config": layer, "draft_vocab_size": head.draft_vocabulary, "block_size": BLOCK,
            "target_hidden_size": None, "aux_hidden_state_layer_ids": list(head.taps), "mask_token_id": MASK,
            "sliding_window_non_causal": head.sees_block, "sample_from_anchor": head.samples_anchor,
            "speculators_config": speculators_config(head.target, head.proposals),
        } | dspark
        if head.rank:
            config |= {"architectures": ["DSparkSpeculator"], "speculators_model_type": "dspark"}
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(config | head.extra, indent=2) + "\n")
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})


def kind(head: Head, layer: int) -> str:
    return "sliding_attention" if head.window and layer != 1 else "full_attention"


def speculators_config(target: str, proposals: int) -> dict[str, object]:
    return {
        "algorithm": "dflash", "default_proposal_method": "greedy",
        "proposal_methods": [{"proposal_type": "greedy", "speculative_tokens": proposals}],
        "verifier": {"architectures": [], "name_or_path": target},
    }


class Reference:
    """A head's forward pass, from its tensors."""

    def __init__(self, place: Path, head: Head, streams: Streams) -> None:
        self.head = head
        self.weights = load_file(place / "model.safetensors")
        self.embedding = self.weights.get("embed_tokens.weight", streams.embedding)
        self.output = self.weights.get("lm_head.weight", streams.model.lm_head.weight.detach())
        offsets = self.weights.get("d2t")
        self.targets = None if offsets is None else (offsets + torch.arange(len(offsets))).tolist()

    def norm(self, name: str, x: Tensor) -> Tensor:
        weight = self.weights[f"{name}.weight"]
        return F.rms_norm(x, weight.shape, weight, eps=1e-6)

    def product(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def split(self, name: str, x: Tensor) -> Tensor:
        return self.product(name, x).view(len(x), -1, self.head.head_dim)

    def seen(self, layer: int, known: int, rows: int) -> Tensor:
        """Which of `known` positions and of a block's rows after them each of the rows sees."""
        head = self.head
        window = head.window if kind(head, layer) == "sliding_attention" else None
        own, others = known + torch.arange(rows)[:, None], torch.arange(known + rows)[None]
        if head.format == "flat":
            seen = torch.ones(rows, known + rows, dtype=torch.bool)
            if window:
                seen &= (own - others < window) & (others - own < window)
            return seen & (others <= own) if (window is not None if head.causal is None else head.causal) else seen
        seen = others >= known - (window or known)
        return seen & (others <= own) if window and not head.sees_block else seen.expand(rows, -1)

    def corrected(self, logits: Tensor, hidden: Tensor, first: int) -> dict[str, list]:
        """What a DSpark head makes of the logits and of the rows that they are of, after the token `first`."""
        previous, rows, confidences = [first], [], []
        for base, row in zip(logits, hidden):
            embedded = self.weights["markov_head.markov_w1.weight"][previous[-1]]
            rows.append(base + self.weights["markov_head.markov_w2.weight"] @ embedded)
            if self.head.confidence != "none":
                inputs = torch.cat([row, embedded]) if self.head.confidence == "both" else row
                confidences.append(torch.sigmoid(self.product("confidence_head.proj", inputs)))
            best = int(rows[-1].argmax())
            previous.append(best if self.targets is None else self.targets[best])
        return {"logits": rows, "previous": previous[:-1], "confidences": [float(value) for value in confidences]}

    @torch.no_grad()
    def drafted(self, tokens: list[int], taps: Tensor, window: int) -> dict[str, list]:
        """`logits [window, draft vocabulary]`, where `taps` are those of all tokens but the last."""
        head, known = self.head, len(tokens) - 1
        masks = window - 1 if head.samples_anchor else window
        context = self.norm("hidden_norm", self.product("fc", taps))
        x = self.embedding[[tokens[-1], *[MASK] * masks]]
        if head.own_mask:
            x[1:] = self.weights["mask_embedding"]
        positions = torch.arange(known + len(x), dtype=torch.float32)
        for index in range(head.layers):
            name = f"layers.{index}.self_attn."
            y = self.norm(f"layers.{index}.input_layernorm", x)
            both = torch.cat([context, y])
            q = rotated(self.norm(name + "q_norm", self.split(name + "q_proj", y)), positions[known:], head.rope_theta)
            k = rotated(self.norm(name + "k_norm", self.split(name + "k_proj", both)), positions, head.rope_theta)
            k, v = halved(k), halved(self.split(name + "v_proj", both))
            seen = self.seen(index, known, len(x))
            group = head.heads // head.key_value_heads
            scores = torch.einsum("qhd,khd->hqk", q, k.repeat_interleave(group, dim=1)) / math.sqrt(head.head_dim)
            weights = torch.softmax(scores.masked_fill(~seen, -math.inf), dim=-1)
            mixed = torch.einsum("hqk,khd->qhd", weights, v.repeat_interleave(group, dim=1)).flatten(1)
            x = x + self.product(name + "o_proj", mixed)
            y = self.norm(f"layers.{index}.post_attention_layernorm", x)
            name = f"layers.{index}.mlp."
            x = x + self.product(
                name + "down_proj", F.silu(self.product(name + "gate_proj", y)) * self.product(name + "up_proj", y))
        x = self.norm("norm", x)[-window:]
        logits = x @ self.output.T
        return self.corrected(logits, x, tokens[-1]) if head.rank else {"logits": list(logits)}


class Published:
    """The same from the package `speculators`: its training pass over one block."""

    def __init__(self, place: Path, head: Head, target: Path, streams: Streams) -> None:
        from speculators.models.dflash import DFlashDraftModel, DFlashSpeculatorConfig
        from speculators.models.dspark import DSparkDraftModel, DSparkSpeculatorConfig

        made, settings_of = (
            (DSparkDraftModel, DSparkSpeculatorConfig) if head.rank else (DFlashDraftModel, DFlashSpeculatorConfig))
        tensors = load_file(place / "model.safetensors")
        config = json.loads((place / "config.json").read_text())
        if head.format == "flat":
            own = config | config.get("dflash_config", {})
            config = {
                "speculators_model_type": "dspark" if head.rank else "dflash", "transformer_layer_config": config,
                "draft_vocab_size": head.draft_vocabulary, "block_size": BLOCK,
                "aux_hidden_state_layer_ids": list(head.taps), "mask_token_id": MASK,
                "speculators_config": speculators_config(head.target, head.proposals),
            } | {key: own[key] for key in own if key.startswith(("markov", "confidence", "enable"))}
        config["speculators_config"]["verifier"]["name_or_path"] = str(target)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "config.json").write_text(json.dumps(config))
            settings = settings_of.from_pretrained(folder)
        settings.transformer_layer_config._attn_implementation = "eager"
        self.head = head
        self.model = made(config=settings).float().eval()
        # What a checkpoint leaves out is the target's.
        tensors = {"embed_tokens.weight": streams.embedding, "lm_head.weight": streams.model.lm_head.weight} | tensors
        if head.own_mask:
            tensors["embed_tokens.weight"] = tensors["embed_tokens.weight"].clone()
            tensors["embed_tokens.weight"][MASK] = tensors.pop("mask_embedding")
        if head.format == "flat" and head.window:
            self.model._create_attention_mask = self.mask
        missing, unexpected = self.model.load_state_dict(tensors, strict=False)
        assert not unexpected and all("verifier" in name for name in missing), (missing, unexpected)

    def mask(
        self, document_ids: Tensor, total_seq_len: int, anchor_positions: Tensor, device: object,
        sliding_window: int | None = None, sliding_window_non_causal: bool = False,
    ) -> Tensor:
        """What `transformers` lets rows see whose windows begin at themselves."""
        anchor, rows = int(anchor_positions[0]), self.model.block_size
        causal = sliding_window is not None if self.head.causal is None else self.head.causal
        if sliding_window is None:
            sees = masking_utils.causal_mask_function if causal else masking_utils.bidirectional_mask_function
        elif causal:
            sees = masking_utils.sliding_window_causal_mask_function(sliding_window)
        else:
            # It counts how far away a position is, and the window the row itself.
            sees = masking_utils.sliding_window_bidirectional_mask_function(sliding_window - 1)
        context, block = torch.arange(total_seq_len), anchor + torch.arange(rows)
        positions = torch.cat([context, block])
        known = torch.cat([context < anchor, torch.ones(rows, dtype=torch.bool)])
        shape = torch.zeros(rows, len(positions), dtype=torch.long)
        seen = known[None] & sees(0, 0, shape + block[:, None], shape + positions[None])
        return torch.zeros(seen.shape).masked_fill(~seen, -math.inf)[None, None]

    @torch.no_grad()
    def drafted(self, tokens: list[int], taps: Tensor, window: int) -> dict[str, list]:
        rows = window if self.head.samples_anchor else window + 1
        self.model.block_size = rows
        anchor, total = len(tokens) - 1, len(tokens) + 2 * rows
        chosen = torch.zeros(1, total)
        chosen[0, anchor] = 1
        # What comes after the anchor is not looked at.
        hidden = F.pad(taps, (0, 0, 0, total - len(taps)), value=9.0)[None]
        found, logits, _, _, _ = self.model._backbone_forward(
            hidden_states=hidden, input_ids=torch.tensor([tokens + [0] * (total - len(tokens))]), loss_mask=chosen,
            verifier_last_hidden_states=torch.zeros(1, total, BASE["hidden_size"]),
            document_ids=torch.zeros(1, total, dtype=torch.long), max_anchors=1, past_key_value=HalfCache())
        logits, found = logits[0, -window:], found[:, -window:]
        if not self.head.rank:
            return {"logits": list(logits)}
        result: dict[str, list] = {"logits": [], "previous": [tokens[-1]], "confidences": []}
        d2t = self.model.d2t
        for index, base in enumerate(logits):
            before = torch.tensor([result["previous"]])
            own = found[:, : index + 1]
            bias = self.model.markov_head.block_bias(prev_token_ids=before, hidden_states=own)[0, -1]
            result["logits"].append(base + bias)
            if self.model.confidence_head is not None:
                inputs = own[0, -1]
                if self.head.confidence == "both":
                    inputs = torch.cat([inputs, self.model.markov_head.prev_embeddings(before)[0, -1]])
                result["confidences"].append(float(torch.sigmoid(self.model.confidence_head(inputs))))
            best = int(result["logits"][-1].argmax())
            result["previous"].append(best if d2t is None else best + int(d2t[best]))
        result["previous"].pop()
        return result


def expectations(place: Path, head: Head, streams: Streams) -> dict[str, object]:
    reference = Reference(place, head, streams)
    published = Published(place, head, place.parent.parent / "heads" / head.target, streams)
    worst = 0.0

    def draft(tokens: list[int], window: int) -> dict[str, object]:
        nonlocal worst
        taps = streams.taps(tokens[:-1], head.taps)
        made, other = reference.drafted(tokens, taps, window), published.drafted(tokens, taps, window)
        worst = max([worst, *(float((a - b).abs().max()) for a, b in zip(made["logits"], other["logits"], strict=True))])
        if head.rank:
            assert made["previous"] == other["previous"]
            worst = max([worst, *(abs(a - b) for a, b in zip(made["confidences"], other["confidences"], strict=True))])
        made = other if head.format == "speculators" else made
        entry = {"tokens": tokens, "logits": [numbers(row) for row in made["logits"]]}
        if head.rank:
            entry |= {"previous": made["previous"], "confidences": [round(value, 6) for value in made["confidences"]]}
        return entry

    random = torch.Generator().manual_seed(21)
    prompt = torch.randint(2, MASK, (max(LENGTHS),), generator=random).tolist()
    drafts = [draft(prompt[:length], head.proposals) for length in LENGTHS]
    drafts += [draft(prompt[: LENGTHS[1]], window) for window in (1, 3)]
    base = drafts[1]
    ids = reference.targets or list(range(VOCABULARY))
    guesses = [ids[int(torch.tensor(row).argmax())] for row in base["logits"]]
    for kept in range(5):
        drafts.append(draft([*base["tokens"], *guesses[:kept], (guesses[kept] + 1 + 7 * kept) % MASK], 2))
    assert worst < AGREEMENT, f"{place.name}: two implementations differ by {worst}"
    spread = torch.tensor(drafts[0]["logits"]).std(-1).mean()
    print(f"  {place.name}: logits spread by {spread:.2f}, differs from speculators by {worst:.1e}", flush=True)
    return {
        "target": head.target, "taps": list(head.taps), "draft_ids": reference.targets,
        "reference": "speculators" if head.format == "speculators" else "Tests/Golden/blocks.py", "drafts": drafts,
    }


def generate(output: Path) -> None:
    """Writes `output/blocks/`, beside `output/heads/`, which has the targets."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logger.disable("speculators")
    folder = output / "blocks"
    shutil.rmtree(folder, ignore_errors=True)
    streams = {name: Streams(output / "heads" / name) for name in {head.target for head in HEADS.values()}}
    for name, head in HEADS.items():
        place = folder / name
        write_head(place, head)
        expected = expectations(place, head, streams[head.target])
        (place / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    generate(Path(__file__).parent)
