"""Checkpoints whose greedy answer is a given list of tokens, so that a test can say what a model writes.

Attention and feed-forward layers write zeros; the output matrix leads from each token to the one that follows it.
"""

import array
import json
import pathlib
import random

TARGET = pathlib.Path(__file__).resolve().parents[2] / "Models/foretoken-reference-target"
END = "<|im_end|>"
WIDTH = 256
# The model's own letters for bytes: printable ones as they are, the others from U+0100 on.
PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
LETTERS = {byte: chr(byte) for byte in PLAIN}
LETTERS |= {byte: chr(256 + place) for place, byte in enumerate(byte for byte in range(256) if byte not in PLAIN)}


def checkpoint(folder: pathlib.Path, says: list[str], template: str, control: list[str] = [], added: list[str] = []) -> str:
    """A checkpoint in `folder` that answers with the texts of `says`, one token each, and then ends. What follows an `END` among them is what a prompt is
    answered with that ends so.

    The template has to end prompts with `<|go|>`. `control` are tokens that decoding leaves out, `added` others that the
    tokenizer finds as they are.
    """
    tokenizer = json.loads((TARGET / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    own = [*control, *added]

    def spelled(text):
        return "".join(LETTERS[byte] for byte in text.encode())

    for text in says:
        if text not in [*own, END]:
            vocabulary.setdefault(spelled(text), len(vocabulary))
    ids = {text: len(vocabulary) + place for place, text in enumerate(["<|endoftext|>", "<|im_start|>", END, "<|go|>", *own])}
    tokenizer["added_tokens"] = [
        {"id": number, "content": text, "special": text not in added, "normalized": False,
         "single_word": False, "lstrip": False, "rstrip": False} for text, number in ids.items()]
    size = (len(vocabulary) + len(ids) + 63) // 64 * 64
    dice = random.Random(0)
    embedding = array.array("f", (dice.choice((-1.0, 1.0)) for _ in range(size * WIDTH)))
    head = array.array("f", bytes(4 * size * WIDTH))
    chain = [ids["<|go|>"], *(ids.get(text, vocabulary.get(spelled(text))) for text in says), ids[END]]
    for last, following in zip(chain, chain[1:]):
        for column in range(WIDTH):
            head[following * WIDTH + column] += embedding[last * WIDTH + column] / 4

    layer = "model.layers.0."
    tensors = {"model.embed_tokens.weight": ([size, WIDTH], embedding), "lm_head.weight": ([size, WIDTH], head)}
    for name in ("model.norm", layer + "input_layernorm", layer + "post_attention_layernorm"):
        tensors[name + ".weight"] = ([WIDTH], array.array("f", [1.0] * WIDTH))
    for name in ("q_norm", "k_norm"):
        tensors[f"{layer}self_attn.{name}.weight"] = ([64], array.array("f", [1.0] * 64))
    for name, rows, columns in [
        ("self_attn.q_proj", 128, WIDTH), ("self_attn.k_proj", 64, WIDTH), ("self_attn.v_proj", 64, WIDTH),
        ("self_attn.o_proj", WIDTH, 128), ("mlp.gate_proj", 64, WIDTH), ("mlp.up_proj", 64, WIDTH), ("mlp.down_proj", WIDTH, 64),
    ]:
        tensors[f"{layer}{name}.weight"] = ([rows, columns], array.array("f", bytes(4 * rows * columns)))
    header, offset = {}, 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + 4 * len(data)]}
        offset += 4 * len(data)
    text = json.dumps(header).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, data in tensors.values():
            file.write(data.tobytes())
    config = json.loads((TARGET / "config.json").read_text())
    config |= {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 64,
               "intermediate_size": 64, "vocab_size": size, "tie_word_embeddings": False, "torch_dtype": "float32",
               "eos_token_id": ids[END]}
    for name, value in {
        "config.json": config, "generation_config.json": {"eos_token_id": [ids[END]], "do_sample": False},
        "tokenizer.json": tokenizer, "tokenizer_config.json": {"eos_token": END, "chat_template": template},
    }.items():
        (folder / name).write_text(json.dumps(value))
    return str(folder)
