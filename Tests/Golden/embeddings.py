"""Reference values of embeddings and of reranking, from `sentence-transformers` and `transformers`.

Two tiny embedding models with random weights, as sentence-transformers writes them: one like Qwen3-Embedding (the last
token, normalised, an end token after every text, tensors without the beginning of their names), one that takes the mean.
And a tiny reranker like Qwen3-Reranker: a model that generates, scored by the recipe of that model's card.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer, models
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, Qwen3Model

TEXTS = [
    "What is the capital of China?", "Explain gravity", "a", "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    "The capital of China is Beijing. " * 6,
]
QUERY = "Which city is the capital of Austria?"
DOCUMENTS = ["Vienna is the capital of Austria.", "A paper clip holds sheets of paper together.", "Yes", "The Danube flows through Vienna and Budapest."]
END = "<|endoftext|>"


def tokenizer(place: Path, adds_end: bool = False) -> PreTrainedTokenizerFast:
    """A token for each byte, and for the words that rerankers answer with."""
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "ye", "yes", "no"]
    own = Tokenizer(BPE(vocab={piece: index for index, piece in enumerate(pieces)}, merges=[("y", "e"), ("ye", "s"), ("n", "o")]))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    own.add_special_tokens([END, "<|im_start|>", "<|im_end|>"])
    end = own.token_to_id(END)
    if adds_end:
        own.post_processor = processors.TemplateProcessing(single=f"$A {END}", pair=f"$A $B {END}", special_tokens=[(END, end)])
    fast = PreTrainedTokenizerFast(tokenizer_object=own, eos_token=END, pad_token=END, padding_side="left", model_max_length=768)
    fast.save_pretrained(place)
    return fast


def random_model(kind: type, seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    model = kind(Qwen3Config(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96,
        vocab_size=264, max_position_embeddings=768, tie_word_embeddings=True, eos_token_id=259, bos_token_id=259))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            spread = 0.5 if "embed" in key else 0.15
            parameter.copy_(1 + 0.2 * torch.randn_like(parameter) if "norm" in key else spread * torch.randn_like(parameter))
    return model.to(torch.bfloat16)


def write_model(place: Path, pooling: str, normalises: bool) -> None:
    with tempfile.TemporaryDirectory() as bare:
        random_model(Qwen3Model, sum(pooling.encode())).save_pretrained(bare)
        tokenizer(Path(bare), adds_end=pooling == "lasttoken")
        transformer = models.Transformer(bare, model_args={"dtype": torch.bfloat16})
        parts = [transformer, models.Pooling(64, pooling_mode=pooling)]
        SentenceTransformer(modules=parts + ([models.Normalize()] if normalises else []), device="cpu").save_pretrained(str(place))
    for file in place.rglob("README.md"):
        file.unlink()
    if pooling == "lasttoken":
        # As Qwen3-Embedding's file has it.
        description = json.loads((place / "config.json").read_text())
        description["architectures"] = ["Qwen3ForCausalLM"]
        (place / "config.json").write_text(json.dumps(description, indent=2) + "\n")


def rounded(values: torch.Tensor) -> list:
    return [[float(f"{value:.6g}") for value in row] for row in values.tolist()]


@torch.no_grad()
def expectations(place: Path) -> dict[str, object]:
    model = SentenceTransformer(str(place), device="cpu", model_kwargs={"dtype": torch.float32})
    inner, words = model[0].auto_model.float().eval(), model.tokenizer
    tokens = [words(text)["input_ids"] for text in TEXTS]
    states = [inner(torch.tensor([ids])).last_hidden_state[0] for ids in tokens]
    alone = [torch.as_tensor(model.encode([text]))[0] for text in TEXTS]
    short = [torch.as_tensor(model.encode([text], truncate_dim=16, normalize_embeddings=True))[0] for text in TEXTS]
    return {
        "texts": TEXTS, "tokens": tokens, "embeddings": rounded(torch.stack(alone)), "short": rounded(torch.stack(short)),
        "last": rounded(torch.stack([state[-1] for state in states])), "mean": rounded(torch.stack([state.mean(0) for state in states])),
    }


@torch.no_grad()
def relevance(place: Path) -> dict[str, object]:
    """Scores by the recipe of https://huggingface.co/Qwen/Qwen3-Reranker-0.6B, one pair at a time."""
    words = AutoTokenizer.from_pretrained(place)
    model = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32, attn_implementation="eager").eval()
    yes, no = words.convert_tokens_to_ids("yes"), words.convert_tokens_to_ids("no")
    prefix = (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct provided. "
        'Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n')
    suffix = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    instruction = "Given a web search query, retrieve relevant passages that answer the query"

    def ids(text: str) -> list[int]:
        return words(text, add_special_tokens=False)["input_ids"]

    tokens, scores = [], []
    for document in DOCUMENTS:
        tokens.append(ids(prefix) + ids(f"<Instruct>: {instruction}\n<Query>: {QUERY}\n<Document>: {document}") + ids(suffix))
        logits = model(torch.tensor([tokens[-1]])).logits[0, -1]
        scores.append(float(f"{torch.stack([logits[no], logits[yes]]).log_softmax(0).exp()[1]:.6g}"))
    return {"query": QUERY, "documents": DOCUMENTS, "yes": yes, "no": no, "tokens": tokens, "scores": scores}


def generate(output: Path) -> None:
    """Writes `output/embeddings/`: a directory for each model, with `expected.json`."""
    transformers.logging.set_verbosity_error()
    folder = output / "embeddings"
    for pooling, normalises in (("lasttoken", True), ("mean", False)):
        place = folder / pooling
        write_model(place, pooling, normalises)
        (place / "expected.json").write_text(json.dumps(expectations(place), separators=(",", ":")) + "\n")
    place = folder / "tiny-reranker"
    random_model(Qwen3ForCausalLM, 5).save_pretrained(place)
    tokenizer(place)
    (place / "expected.json").write_text(json.dumps(relevance(place), separators=(",", ":")) + "\n")


if __name__ == "__main__":
    generate(Path(__file__).parent)
