"""Ollama's API through its official client, and what tools that speak only that look for."""

import datetime
import json

import ollama
import pytest
from conftest import NAME
from scripted import checkpoint
from test_conversations import GO, TOOL

MESSAGES = [{"role": "user", "content": "List the days of the week."}]
OPTIONS = {"num_predict": 16, "temperature": 0, "seed": 1}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def client(server):
    return ollama.Client(host=server.url)


@pytest.fixture
def scripted(start, tmp_path):
    """A client of a server whose model answers with given tokens."""
    def begin(says, hint="", template=GO, **tokens):
        folder = checkpoint(tmp_path / "model", says, "{#- " + hint + " #}" + template, **tokens)
        return ollama.Client(host=start("--threads", "2", target=folder, speculation=False).url)

    return begin


def test_a_chat_is_that_of_the_other_api(server, client):
    answer = client.chat(model=NAME, messages=MESSAGES, options=OPTIONS)
    other = server.openai().chat.completions.create(model=NAME, messages=MESSAGES, temperature=0, max_tokens=16)
    assert answer.message.role == "assistant" and answer.message.content == other.choices[0].message.content
    assert answer.model == NAME and answer.done and answer.done_reason == "length" and answer.message.tool_calls is None
    assert datetime.datetime.fromisoformat(answer.created_at).tzinfo
    assert answer.eval_count == 16 and answer.prompt_eval_count == other.usage.prompt_tokens
    assert answer.total_duration >= answer.eval_duration > 0 and answer.load_duration == 0 and answer.prompt_eval_duration > 0


def test_a_stream_says_what_the_whole_says(client):
    whole = client.chat(model=NAME, messages=MESSAGES, options=OPTIONS)
    pieces = list(client.chat(model=NAME, messages=MESSAGES, options=OPTIONS, stream=True))
    assert "".join(piece.message.content for piece in pieces) == whole.message.content
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].done_reason == "length" and pieces[-1].eval_count == 16 and pieces[-1].message.content == ""


def test_streams_are_lines_of_json_unless_the_request_says_otherwise(http):
    body = {"model": NAME, "messages": MESSAGES, "options": OPTIONS}
    stream = http.post("/api/chat", json=body)
    assert stream.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in stream.text.splitlines()]
    assert lines[-1]["done"] and "error" not in stream.text
    whole = http.post("/api/chat", json={**body, "stream": False})
    assert whole.headers["content-type"] == "application/json" and whole.json()["done"]


def test_generate_puts_prompt_and_system_into_the_template(client):
    answer = client.generate(model=NAME, prompt="Count to five.", system="You are brief.", options=OPTIONS)
    chat = client.chat(model=NAME, options=OPTIONS, messages=[
        {"role": "system", "content": "You are brief."}, {"role": "user", "content": "Count to five."}])
    assert answer.response == chat.message.content and answer.prompt_eval_count == chat.prompt_eval_count
    pieces = list(client.generate(model=NAME, prompt="Count to five.", system="You are brief.", options=OPTIONS, stream=True))
    assert "".join(piece.response for piece in pieces) == answer.response


def test_raw_generate_continues_the_prompt_as_it_is(server, client):
    answer = client.generate(model=NAME, prompt="One, two, three,", raw=True, options=OPTIONS)
    other = server.openai().completions.create(model=NAME, prompt="One, two, three,", temperature=0, max_tokens=16)
    assert answer.response == other.choices[0].text and answer.prompt_eval_count == other.usage.prompt_tokens


def test_options_reach_the_sampler(client):
    def text(**options):
        return client.chat(model=NAME, messages=[{"role": "user", "content": "Tell me a story about winter."}], options=options).message.content

    assert text(num_predict=24, temperature=1.5, seed=3) == text(num_predict=24, temperature=1.5, seed=3)
    assert len({text(num_predict=24, temperature=1.5, seed=seed) for seed in range(4)}) > 1
    assert text(num_predict=24, temperature=1.5, seed=3, top_k=1) == text(num_predict=24, temperature=0)
    free = text(num_predict=24, temperature=0)
    stop = free[8:11]
    assert text(num_predict=24, temperature=0, stop=[stop]) == free[:free.index(stop)]
    # What says how to load a model, or counts for nothing.
    assert text(num_predict=24, temperature=0, num_ctx=128, num_gpu=1, num_thread=9, repeat_last_n=64, mirostat=0, typical_p=1.0) == free


@pytest.mark.parametrize("form", ["json", {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}])
def test_a_form_is_kept_to(client, form):
    answer = client.chat(model=NAME, messages=MESSAGES, format=form, options={**OPTIONS, "num_predict": 200})
    value = json.loads(answer.message.content)
    assert isinstance(value, dict) and (form == "json" or isinstance(value["age"], int))


def test_log_probabilities(client):
    answer = client.chat(model=NAME, messages=MESSAGES, options=OPTIONS, logprobs=True, top_logprobs=3)
    assert len(answer.logprobs) == 16 and all(entry.logprob <= 0 and len(entry.top_logprobs) == 3 for entry in answer.logprobs)
    pieces = list(client.generate(model=NAME, prompt="One, two,", raw=True, options=OPTIONS, logprobs=True, stream=True))
    assert sum(len(piece.logprobs or []) for piece in pieces) == pieces[-1].eval_count > 8


def look(q: str) -> str:
    """Look something up.

    Args:
      q: what for
    """
    return q


@pytest.mark.parametrize("tool", [TOOL, look])
def test_tools_are_called_with_an_object(scripted, tool):
    says = ["<|python_tag|>", '{"name": "look", "parame', 'ters": {"q": "x"}}']
    client = scripted(says, hint="<|python_tag|>", control=["<|python_tag|>"])
    answer = client.chat(model="model", messages=MESSAGES, tools=[tool], options={"temperature": 0})
    [call] = answer.message.tool_calls
    assert call.function.name == "look" and call.function.arguments == {"q": "x"} and answer.done_reason == "stop"
    assert answer.message.content == ""
    pieces = list(client.chat(model="model", messages=MESSAGES, tools=[tool], options={"temperature": 0}, stream=True))
    [call] = [call for piece in pieces for call in piece.message.tool_calls or []]
    assert call.function.arguments == {"q": "x"} and pieces[-1].done
    assert not any(piece.message.content for piece in pieces)
    # What the client sends back: the call as it came, and what the tool said.
    again = client.chat(model="model", options={"temperature": 0}, tools=[tool], messages=[
        *MESSAGES, answer.message, {"role": "tool", "tool_name": "look", "content": "nothing"}])
    assert again.done


def test_thoughts_come_apart(scripted):
    client = scripted(["<think>", "\nHm.\n", "</think>", "\n\nYes"], hint="<think>", added=["<think>", "</think>"])
    answer = client.chat(model="model", messages=MESSAGES, think=True, options={"temperature": 0})
    assert answer.message.thinking.strip() == "Hm." and answer.message.content.strip() == "Yes"
    pieces = list(client.generate(model="model", prompt="hi", options={"temperature": 0}, stream=True))
    assert "".join(piece.thinking or "" for piece in pieces).strip() == "Hm."
    assert "".join(piece.response for piece in pieces).strip() == "Yes"
    assert client.show("model").capabilities == ["completion", "thinking"]


def test_what_models_there_are(server, client):
    [model] = client.list().models
    assert model.model == NAME and len(model.digest) == 64 and model.size > 0 and model.modified_at
    assert model.details.family == "qwen3" and model.details.parameter_size.endswith("M")
    [running] = client.ps().models
    assert running.model == NAME and running.context_length > 0 and running.digest == model.digest
    shown = client.show(NAME)
    assert shown.modelinfo["general.architecture"] == "qwen3" and shown.modelinfo["qwen3.context_length"] == running.context_length
    assert "completion" in shown.capabilities and "<|im_start|>" in shown.template
    with server.http() as http:
        assert http.get("/api/version").json()["version"].count(".") == 2
        # What clients probe with.
        assert http.head("/").status_code == 200 and http.head("/api/tags").status_code == 200


def test_the_tag_that_clients_add_is_no_other_model(client):
    assert client.chat(model=NAME + ":latest", messages=MESSAGES, options=OPTIONS).model == NAME + ":latest"
    with pytest.raises(ollama.ResponseError) as error:
        client.chat(model="llama3.2", messages=MESSAGES)
    assert error.value.status_code == 404 and "'llama3.2' is not served here" in error.value.error


def test_a_request_for_nothing_loads_the_model(client):
    assert client.generate(model=NAME).done_reason == "load"
    answer = client.chat(model=NAME, messages=[], keep_alive="5m")
    assert answer.done and answer.done_reason == "load" and answer.message.content == ""


@pytest.mark.parametrize("ask, named", [
    (lambda c: c.chat(model=NAME, messages=[{**MESSAGES[0], "images": [PIXEL]}]), "messages[0].images"),
    (lambda c: c.generate(model=NAME, prompt="a", images=[PIXEL]), "images"),
    (lambda c: c.generate(model=NAME, prompt="a", suffix="b"), "suffix"),
    (lambda c: c.generate(model=NAME, prompt="a", template="{{ .Prompt }}"), "template"),
    (lambda c: c.generate(model=NAME, prompt="a", context=[1, 2]), "context"),
    (lambda c: c.chat(model=NAME, messages=MESSAGES, options={"mirostat": 2}), "mirostat"),
    (lambda c: c.chat(model=NAME, messages=MESSAGES, options={"num_predict": 0}), "options.num_predict"),
    (lambda c: c.embed(model=NAME, input="a"), "--task embed"),
    (lambda c: c.pull("llama3.2"), "/api/pull"), (lambda c: c.push("a/b"), "/api/push"), (lambda c: c.delete("a"), "/api/delete"),
    (lambda c: c.copy("a", "b"), "/api/copy"), (lambda c: c.create(model="a", from_="b"), "/api/create"),
])
def test_what_there_is_not_is_refused_by_name(client, ask, named):
    with pytest.raises(ollama.ResponseError) as error:
        ask(client)
    assert error.value.status_code == 400 and named in error.value.error


def test_a_client_that_leaves_ends_its_answer(server, http):
    before = server.metrics().get('vllm:request_success_total{finished_reason="abort"}', 0)
    with http.stream("POST", "/api/generate", json={"model": NAME, "prompt": "Hi", "raw": True, "options": {"num_predict": 3000}}) as stream:
        next(stream.iter_lines())
    for _ in range(100):
        if server.metrics().get('vllm:request_success_total{finished_reason="abort"}', 0) > before:
            break
    else:
        raise AssertionError("the answer goes on")
