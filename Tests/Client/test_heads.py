"""Heads from the command line and through the server: the answers are plain decoding's, whatever else happens."""

import array
import json
import pathlib
import random
import shutil
import subprocess

import pytest
from conftest import DRAFT, NAME, PROGRAM, ROOT, TARGET

HEAD = str(pathlib.Path(TARGET).parent / "foretoken-reference-eagle3")
PROMPT = "Write a JSON record for a person: Clara Weber, 34 years old, designer from Vienna."


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, **more)


def test_inspect_says_what_a_head_is_and_whether_it_fits():
    fits = run("inspect", HEAD, "--target", TARGET, "--json")
    report = json.loads(fits.stdout)
    assert fits.returncode == 0 and report["fits"] is True and report["architecture"]["head"].startswith("EAGLE-3")
    file = run("inspect", str(ROOT / "Tests/Golden/heads/specforge-plain/head.gguf"), "--json")
    assert file.returncode == 0 and json.loads(file.stdout)["unsupported"] == []
    other = run("inspect", HEAD, "--target", DRAFT)
    assert other.returncode != 0 and "streams of 256 channels, and the target's have 128" in other.stdout
    assert run("inspect", TARGET, "--target", TARGET).returncode != 0


@pytest.mark.parametrize("flags", [
    ["--draft-model", HEAD], ["--draft-model", HEAD, "--num-speculative-tokens", "3"],
    ["--speculative-config", json.dumps({"method": "eagle3", "model": HEAD, "num_speculative_tokens": 5})],
    ["--speculative-config", json.dumps({"method": "eagle3", "model": HEAD, "rejection_sample_method": "standard"})],
])
def test_a_head_writes_what_plain_decoding_writes(flags):
    plain = run("generate", "-m", TARGET, "--max-tokens", "60", PROMPT)
    drafted = run("generate", "-m", TARGET, "--max-tokens", "60", *flags, PROMPT)
    assert drafted.returncode == 0, drafted.stderr
    assert drafted.stdout == plain.stdout and len(plain.stdout) > 50


@pytest.mark.parametrize("flags,message", [
    (["-m", DRAFT, "--draft-model", HEAD], "does not fit this target"),
    (["-m", TARGET, "--speculative-config", json.dumps({"method": "eagle3"})], "needs the key 'model'"),
    (["-m", TARGET, "--speculative-config", json.dumps({"method": "eagle3", "model": DRAFT})], "no head"),
    (["-m", HEAD], "which goes on from a target"),
])
def test_what_does_not_go_together_is_said(flags, message):
    result = run("generate", *flags, "--max-tokens", "3", "Hi")
    assert result.returncode not in (0, 139) and message in result.stderr, result.stderr


def gauss(draw, shape):
    """Values of a matrix, or ones for a norm, in single precision."""
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    return array.array("f", (draw.gauss(0, 0.06) if len(shape) > 1 else 1.0 for _ in range(count))).tobytes()


def add_tensors(path, shapes, draw):
    """Writes tensors into a safetensors file, after those that it has."""
    header, data = {}, b""
    if path.exists():
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        header, data = json.loads(content[8:start]), content[start:]
    for name, shape in shapes.items():
        values = gauss(draw, shape)
        header[f"{name}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.fixture(scope="module")
def block_head(tmp_path_factory):
    """A DFlash head on the target that nobody trained."""
    place = tmp_path_factory.mktemp("heads") / "block"
    place.mkdir()
    config = json.loads((pathlib.Path(TARGET) / "config.json").read_text())
    hidden, vocabulary, draw = config["hidden_size"], config["vocab_size"], random.Random(7)
    layer = {"hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
             "intermediate_size": 128, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "max_position_embeddings": 512}
    (place / "config.json").write_text(json.dumps(layer | {
        "architectures": ["DFlashDraftModel"], "model_type": "qwen3", "vocab_size": vocabulary, "block_size": 8,
        "num_target_layers": config["num_hidden_layers"], "dflash_config": {"mask_token_id": 3, "target_layer_ids": [0, 2, 4]}}))
    shapes = {"fc": [hidden, 3 * hidden], "hidden_norm": [hidden], "norm": [hidden]}
    shapes |= {f"layers.0.{name}": shape for name, shape in {
        "self_attn.q_proj": [128, hidden], "self_attn.k_proj": [64, hidden], "self_attn.v_proj": [64, hidden],
        "self_attn.o_proj": [hidden, 128], "self_attn.q_norm": [32], "self_attn.k_norm": [32], "input_layernorm": [hidden],
        "post_attention_layernorm": [hidden], "mlp.gate_proj": [128, hidden], "mlp.up_proj": [128, hidden],
        "mlp.down_proj": [hidden, 128]}.items()}
    add_tensors(place / "model.safetensors", shapes, draw)
    return str(place)


def test_a_head_of_blocks_is_known_for_what_it_is(block_head):
    report = json.loads(run("inspect", block_head, "--target", TARGET, "--json").stdout)
    assert report["fits"] is True and report["architecture"]["head"].startswith("DFlash")
    assert "at most 7" in report["architecture"]["block"] and report["architecture"]["mask_token_id"] == "3"
    other = run("inspect", block_head, "--target", DRAFT)
    assert other.returncode != 0 and "streams of 256 channels" in other.stdout
    wrong = run("generate", "-m", TARGET, "--speculative-config", json.dumps({"method": "eagle3", "model": block_head}), "Hi")
    assert wrong.returncode not in (0, 139) and "a DFlash head; the method dflash proposes with it" in wrong.stderr
    wrong = run("generate", "-m", TARGET, "--speculative-config", json.dumps({"method": "dflash", "model": HEAD}), "Hi")
    assert wrong.returncode not in (0, 139) and "an EAGLE-3 head; the method eagle3 proposes with it" in wrong.stderr


@pytest.mark.parametrize("more", [
    {}, {"num_speculative_tokens": 3}, {"num_speculative_tokens": 12}, {"rejection_sample_method": "standard"}, {"method": "auto"}])
def test_a_head_of_blocks_writes_what_plain_decoding_writes(block_head, more):
    plain = run("generate", "-m", TARGET, "--max-tokens", "60", PROMPT)
    config = json.dumps({"method": "dflash", "model": block_head} | more)
    drafted = run("generate", "-m", TARGET, "--max-tokens", "60", "--speculative-config", config, PROMPT)
    assert drafted.returncode == 0, drafted.stderr
    assert drafted.stdout == plain.stdout and len(plain.stdout) > 50
    assert ("at most 7 tokens at a time, and not 12" in drafted.stderr) == (more.get("num_speculative_tokens") == 12)


def test_requests_name_a_head_of_blocks(start, block_head):
    server = start("--max-num-seqs", "4", "--threads", "2", "--draft-model", block_head, speculation=False)
    client = server.openai()

    def ids(**speculative):
        # Few tokens to choose from, so that even such a head is right at times.
        answer = client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": PROMPT}], max_tokens=60, seed=3, temperature=0.9,
            logit_bias={"1001": 80, "1002": 80},
            extra_body={"return_token_ids": True, "return_token_origins": True, "ignore_eos": True, "speculative": speculative})
        choice = answer.choices[0].model_extra
        return choice["token_ids"], choice["token_origins"]

    plain, _ = ids(enabled=False)
    tokens, origins = ids(method="dflash", num_speculative_tokens=5)
    assert tokens == plain and set(origins) == {"dflash", "target"}
    assert ids(method="auto")[0] == plain
    with server.http() as http:
        refused = http.post("/v1/chat/completions", json={
            "model": NAME, "messages": [{"role": "user", "content": "Hi"}], "speculative": {"method": "eagle3"}})
        assert refused.status_code == 400 and "dflash" in refused.json()["error"]["message"]


@pytest.fixture(scope="module")
def carrying(tmp_path_factory):
    """The target with an MTP layer that nobody trained."""
    place = tmp_path_factory.mktemp("carrying") / "target"
    shutil.copytree(TARGET, place)
    config = json.loads((place / "config.json").read_text())
    hidden, size = config["hidden_size"], config["head_dim"]
    queries, keys, inner = config["num_attention_heads"] * size, config["num_key_value_heads"] * size, config["intermediate_size"]
    shapes = {"mtp.fc": [hidden, 2 * hidden]} | {
        f"mtp.{name}": [hidden] for name in ["pre_fc_norm_embedding", "pre_fc_norm_hidden", "norm"]}
    shapes |= {f"mtp.layers.0.{name}": shape for name, shape in {
        "self_attn.q_proj": [queries, hidden], "self_attn.k_proj": [keys, hidden], "self_attn.v_proj": [keys, hidden],
        "self_attn.o_proj": [hidden, queries], "self_attn.q_norm": [size], "self_attn.k_norm": [size],
        "input_layernorm": [hidden], "post_attention_layernorm": [hidden], "mlp.gate_proj": [inner, hidden],
        "mlp.up_proj": [inner, hidden], "mlp.down_proj": [hidden, inner]}.items()}
    add_tensors(place / "model.safetensors", shapes, random.Random(5))
    return str(place)


def test_a_model_offers_the_layer_that_it_carries(carrying):
    report = json.loads(run("inspect", carrying, "--json").stdout)
    assert "for the method mtp" in report["architecture"]["mtp"] and not report["unsupported"]
    plain = run("generate", "-m", carrying, "--max-tokens", "60", PROMPT)
    assert plain.stdout == run("generate", "-m", TARGET, "--max-tokens", "60", PROMPT).stdout and len(plain.stdout) > 50
    for config in [{"method": "mtp"}, {"method": "mtp", "num_speculative_tokens": 5, "rejection_sample_method": "standard"},
                   {"method": "auto", "model": carrying}]:
        drafted = run("generate", "-m", carrying, "--max-tokens", "60", "--speculative-config", json.dumps(config), PROMPT)
        assert drafted.returncode == 0, drafted.stderr
        assert drafted.stdout == plain.stdout, config


@pytest.mark.parametrize("config,message", [
    ({"method": "mtp"}, "carries no MTP layer"), ({"method": "mtp", "model": HEAD}, "takes no 'model'"),
    ({"method": "eagle3", "model": TARGET}, "no head; the method draft_model proposes with it"),
])
def test_what_carries_no_layer_is_told_so(config, message):
    result = run("generate", "-m", TARGET, "--max-tokens", "3", "--speculative-config", json.dumps(config), "Hi")
    assert result.returncode not in (0, 139) and message in result.stderr, result.stderr


def test_requests_and_metrics_name_a_carried_layer(start, carrying):
    server = start("--max-num-seqs", "4", "--threads", "2", "--speculative-config", json.dumps({"method": "mtp"}), target=carrying,
                   speculation=False)
    client = server.openai()

    def ids(**speculative):
        answer = client.chat.completions.create(
            model="target", messages=[{"role": "user", "content": PROMPT}], max_tokens=60, seed=3, temperature=0.9,
            logit_bias={"1001": 80, "1002": 80},
            extra_body={"return_token_ids": True, "return_token_origins": True, "ignore_eos": True, "speculative": speculative})
        choice = answer.choices[0].model_extra
        return choice["token_ids"], choice["token_origins"]

    plain, _ = ids(enabled=False)
    tokens, origins = ids(method="mtp")
    assert tokens == plain and set(origins) == {"mtp", "target"}
    assert ids()[0] == plain


def test_a_truncated_head_is_refused(tmp_path):
    place = tmp_path / "head"
    shutil.copytree(HEAD, place)
    weights = place / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    result = run("generate", "-m", TARGET, "--draft-model", str(place), "--max-tokens", "3", "Hi")
    assert result.returncode not in (0, 139) and str(weights) in result.stderr


def test_requests_name_the_head_and_tokens_say_so(start):
    server = start("--max-num-seqs", "4", "--threads", "2", "--draft-model", HEAD, speculation=False)
    client = server.openai()

    def ids(more={}, **speculative):
        answer = client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": PROMPT}], max_tokens=60, seed=3, temperature=0.7,
            extra_body={"return_token_ids": True, "return_token_origins": True, "ignore_eos": not more, "speculative": speculative, **more})
        choice = answer.choices[0].model_extra
        return choice["token_ids"], choice["token_origins"], answer.model_extra["metrics"]["speculative_decoding"]

    plain, origins, _ = ids(enabled=False)
    assert set(origins) == {"target"}
    tokens, origins, figures = ids(method="eagle3", num_speculative_tokens=4)
    assert tokens == plain and "eagle3" in origins and set(origins) <= {"eagle3", "target"}
    assert figures["num_accepted_draft_tokens"] > figures["num_draft_tokens"] / 3
    assert ids(method="auto")[0] == plain
    # Names that no head guesses: what the schema forces is foreseen all the same.
    schema = {"type": "object", "additionalProperties": False, "required": ["x9_qvz_name", "x9_qvz_age", "city"], "properties": {
        "x9_qvz_name": {"type": "string", "maxLength": 20}, "x9_qvz_age": {"type": "integer", "maximum": 99},
        "city": {"enum": ["Vienna", "Lyon"]}}}
    formats = {"response_format": {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}}
    plain, _, _ = ids(more=formats, enabled=False)
    tokens, origins, _ = ids(more=formats, method="eagle3", num_speculative_tokens=6)
    assert tokens == plain and {"eagle3", "grammar"} <= set(origins)
    with server.http() as http:
        refused = http.post("/v1/chat/completions", json={
            "model": NAME, "messages": [{"role": "user", "content": "Hi"}], "speculative": {"method": "draft_model"}})
        assert refused.status_code == 400 and "eagle3" in refused.json()["error"]["message"]


def test_streams_are_kept_for_training(tmp_path):
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text("\n".join(json.dumps({"prompt": text, "max_tokens": 12}) for text in [PROMPT, "Count from 1 to 9."]))
    answers = tmp_path / "answers.jsonl"
    result = run("batch", "-m", TARGET, str(prompts), "-o", str(answers), "--taps", str(tmp_path / "taps"), "--tap-layers", "1", "6",
                 "--draft-model", HEAD)
    assert result.returncode == 0, result.stderr
    written = [json.loads(line) for line in answers.read_text().splitlines()]
    data = (tmp_path / "taps" / "taps-00000.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    rows = sum(answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"] - 1 for answer in written)
    assert header["tokens"]["shape"] == [rows] and header["taps.6"] == {
        "dtype": "BF16", "shape": [rows, 256], "data_offsets": header["taps.6"]["data_offsets"]}

    def numbers(name):
        first, last = header[name]["data_offsets"]
        return [int.from_bytes(data[8 + size + at:8 + size + at + 4], "little", signed=True) for at in range(first, last, 4)]

    assert sum(numbers("is_answer")) == 24
    following = [token for token, answers in zip(numbers("next"), numbers("is_answer")) if answers]
    assert sorted(following) == sorted(token for answer in written for token in answer["token_ids"])
    again = run("batch", "-m", TARGET, str(prompts), "--taps", str(tmp_path / "taps"), "--tap-layers", "1", "6")
    assert again.returncode != 0 and "taps-00000.safetensors" in again.stderr
    wrong = run("batch", "-m", TARGET, str(prompts), "--taps", str(tmp_path / "more"), "--tap-layers", "7")
    assert wrong.returncode != 0 and "expected numbers from 0 to 6" in wrong.stderr


def test_what_a_head_costs_is_measured_without_files():
    """Random weights in a known shape; what is no such head is refused before anything is made."""
    def measure(kind, shape="qwen3-0.6b"):
        return run(
            "bench", "forward", "--shape", shape, "--quantization", "int4", "--rows", "1", "--prefill", "0", "--context", "0",
            "--repetitions", "1", "--draft-model", kind, "--json")
    for kind, steps in [("eagle3", ["first", "first", "first", "next"]), ("dflash", ["block"] * 5)]:
        found = json.loads(measure(kind).stdout)
        head = found["head"]
        assert [step["kind"] for step in head["steps"]] == steps
        assert all(step["seconds"]["median"] > 0 for step in head["steps"])
        assert 0 < head["packedWeightBytes"] < found["packedWeightBytes"]
    refused = measure("medusa")
    assert refused.returncode != 0 and "medusa" in refused.stderr and "eagle3 or dflash" in refused.stderr
    mixture = measure("dflash", shape="qwen3-30b-a3b")
    assert mixture.returncode != 0 and "dense" in mixture.stderr
