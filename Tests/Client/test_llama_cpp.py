"""llama.cpp's own endpoints, asked as its server's tests ask them (tools/server/tests/unit there)."""

import json

import pytest
from conftest import NAME

PROMPT = "I believe the meaning of life is"
GREEDY = {"prompt": PROMPT, "temperature": 0.0, "n_predict": 8, "ignore_eos": True}


def complete(http, **fields):
    return http.post("/completion", json={**GREEDY, **fields})


def events(http, **fields):
    response = complete(http, stream=True, **fields)
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("returns", [False, True])
def test_completion(http, client, returns):
    body = complete(http, return_tokens=returns).json()
    other = client.completions.create(model=NAME, prompt=PROMPT, temperature=0, max_tokens=8, extra_body={"return_token_ids": True, "ignore_eos": True})
    assert body["content"] == other.choices[0].text and body["prompt"] == PROMPT and body["model"] == NAME
    assert body["tokens"] == (other.choices[0].model_extra["token_ids"] if returns else [])
    assert body["stop"] is True and body["stop_type"] == "limit" and body["stopping_word"] == "" and body["truncated"] is False
    assert isinstance(body["has_new_line"], bool) and body["tokens_predicted"] == 8
    assert body["tokens_evaluated"] == other.usage.prompt_tokens == body["timings"]["prompt_n"] + body["timings"]["cache_n"]
    assert body["timings"]["predicted_n"] == 8 and body["timings"]["predicted_per_second"] > 0
    settings = body["generation_settings"]
    assert settings["n_predict"] == 8 and settings["temperature"] == 0 and settings["stream"] is False


def test_a_stream_says_what_the_whole_says(http):
    whole = complete(http, return_tokens=True, n_predict=24).json()
    pieces = events(http, n_predict=24, seed=5)
    assert "".join(piece["content"] for piece in pieces) == whole["content"]
    assert [token for piece in pieces for token in piece["tokens"]] == whole["tokens"]
    assert all(not piece["stop"] and len(piece["tokens"]) > 0 for piece in pieces[:-1])
    last = pieces[-1]
    assert last["stop"] and last["stop_type"] == "limit" and last["generation_settings"]["n_predict"] == 24
    assert last["generation_settings"]["seed"] == 5 and last["timings"]["predicted_n"] == 24


def test_seeds(http):
    def text(seed):
        return complete(http, seed=seed, temperature=1.0, n_predict=16).json()["content"]

    assert text(42) == text(42) and len({text(seed) for seed in range(4)}) > 1
    assert complete(http, cache_prompt=False).json()["content"] == complete(http, cache_prompt=True).json()["content"]


def test_prompts_of_every_kind(http):
    tokens = http.post("/tokenize", json={"content": PROMPT, "add_special": True}).json()["tokens"]
    alone = complete(http).json()["content"]
    assert complete(http, prompt=tokens).json()["content"] == alone
    assert complete(http, prompt={"prompt_string": PROMPT}).json()["content"] == alone
    for prompts in ([tokens, tokens], [tokens, PROMPT], [PROMPT, {"prompt_string": PROMPT}]):
        answers = complete(http, prompt=prompts).json()
        assert [answer["content"] for answer in answers] == [alone, alone] and [answer["index"] for answer in answers] == [0, 1]
    mixed = complete(http, prompt=[1, 2, 3, PROMPT, 7, 8, PROMPT])
    assert mixed.status_code == 200 and isinstance(mixed.json()["content"], str)
    assert [type(answer) for answer in complete(http, prompt=[[1, 2, PROMPT], PROMPT]).json()] == [dict, dict]
    for prompt in (None, 5, {}, [], [[]], [True], {"prompt_string": "a", "multimodal_data": ["x"]}, [1, None]):
        assert complete(http, prompt=prompt).status_code == 400, prompt


def test_why_it_ends(http):
    whole = complete(http, n_predict=24).json()["content"]
    stop = whole[10:13]
    body = complete(http, n_predict=24, stop=[stop]).json()
    assert body["stop_type"] == "word" and body["stopping_word"] == stop and body["content"] == whole[:whole.index(stop)]
    ended = http.post("/completion", json={"temperature": 0, "n_predict": -1, "prompt": "<|im_start|>user\nCount to five.<|im_end|>\n<|im_start|>assistant\n"}).json()
    assert ended["stop_type"] == "eos" and ended["generation_settings"]["n_predict"] == -1
    nothing = complete(http, n_predict=0).json()
    assert nothing["content"] == "" and nothing["tokens_predicted"] == 0 and nothing["tokens_evaluated"] > 0


@pytest.mark.parametrize("streams", [False, True])
def test_probabilities(http, streams):
    answers = events(http, n_probs=10, n_predict=5) if streams else [complete(http, n_probs=10, n_predict=5).json()]
    probabilities = [entry for answer in answers for entry in answer.get("completion_probabilities", [])]
    assert len(probabilities) == 5
    for entry in probabilities:
        assert entry["id"] > 0 and entry["logprob"] <= 0 and bytes(entry["bytes"]).decode() == entry["token"]
        assert len(entry["top_logprobs"]) == 10 and entry["top_logprobs"][0]["id"] == entry["id"]


def test_response_fields(http):
    body = complete(http, n_predict=32, response_fields=["content", "generation_settings/n_predict", "prompt", "nothing"]).json()
    assert set(body) == {"content", "generation_settings/n_predict", "prompt"} and body["generation_settings/n_predict"] == 32


def test_forms_and_biases(http):
    body = complete(http, n_predict=100, json_schema={"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]}).json()
    assert isinstance(json.loads(body["content"])["a"], bool)
    first = complete(http, n_probs=1, n_predict=1).json()["completion_probabilities"][0]
    for never in ([[first["id"], False]], [[first["token"], -100]], {str(first["id"]): -100}):
        assert complete(http, n_probs=1, n_predict=1, logit_bias=never).json()["completion_probabilities"][0]["id"] != first["id"]


@pytest.mark.parametrize("field, value", [
    ("grammar", 'root ::= "a"'), ("post_sampling_probs", True), ("lora", [{"id": 0, "scale": 1}]), ("mirostat", 2), ("typical_p", 0.5),
    ("dry_multiplier", 0.8), ("xtc_probability", 0.5), ("n_indent", 4), ("t_max_predict_ms", 100), ("samplers", ["top_k"]),
    ("n_probs", 21), ("n_probs", "3"), ("logit_bias", [[1]]), ("logit_bias", 5), ("response_fields", 3), ("n_predict", 1.5),
])
def test_what_there_is_not_is_refused_by_name(http, field, value):
    response = complete(http, **{field: value})
    assert response.status_code == 400 and field in response.json()["error"]["message"]


def test_tokens_there_and_back(http):
    text = "This is a test string with unicode 媽 and emoji 🤗"
    tokens = http.post("/tokenize", json={"content": text}).json()
    assert set(tokens) == {"tokens"} and len(tokens["tokens"]) > 5
    assert http.post("/detokenize", json={"tokens": tokens["tokens"]}).json()["content"] == text
    pieces = http.post("/tokenize", json={"content": text, "with_pieces": True}).json()["tokens"]
    assert [piece["id"] for piece in pieces] == tokens["tokens"]
    joined = b"".join(piece["piece"].encode() if isinstance(piece["piece"], str) else bytes(piece["piece"]) for piece in pieces)
    assert joined.decode() == text


def test_templates_are_applied(http):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is today?"}]
    prompt = http.post("/apply-template", json={"messages": messages}).json()["prompt"]
    assert "Be brief." in prompt and prompt.endswith("<|im_start|>assistant\n")
    tokens = http.post("/tokenize", json={"messages": messages}).json()["tokens"]
    assert http.post("/detokenize", json={"tokens": tokens}).json()["content"] == prompt
    assert not http.post("/apply-template", json={"messages": messages, "add_generation_prompt": False}).json()["prompt"].endswith("assistant\n")


def test_what_the_server_says_of_itself(http):
    properties = http.get("/props").json()
    assert properties["total_slots"] == 4 and NAME in properties["model_path"] and properties["model_alias"] == NAME
    assert properties["default_generation_settings"]["n_ctx"] > 0 and "<|im_start|>" in properties["chat_template"]
    assert set(properties["default_generation_settings"]["params"]) == set(complete(http).json()["generation_settings"])
    slots = http.get("/slots").json()
    assert len(slots) == 4 and not any(slot["is_processing"] for slot in slots)
    assert http.get("/health").json() == {"status": "ok"} and http.get("/models").json()["data"][0]["id"] == NAME
