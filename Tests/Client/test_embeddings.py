"""Embeddings and reranking: the official client against vectors of sentence-transformers, and who is refused."""

import base64
import json
import math
import struct

import ollama
import openai
import pytest
from conftest import ROOT, Server

MODELS = ROOT / "Tests/Golden/embeddings"


def expected(name):
    return json.loads((MODELS / name / "expected.json").read_text())


def serve(name, *flags):
    return Server("--max-num-seqs", "3", "--threads", "2", *flags, target=str(MODELS / name), speculation=False)


@pytest.fixture(scope="module")
def embedder():
    server = serve("lasttoken")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="module")
def reranker():
    server = serve("tiny-reranker")
    yield server
    assert server.stop() == 0


def close(found, wanted, tolerance=0.02):
    scale = max(abs(value) for value in wanted)
    return len(found) == len(wanted) and all(abs(a - b) < tolerance * scale for a, b in zip(found, wanted))


def test_vectors_are_those_of_sentence_transformers(embedder):
    wanted = expected("lasttoken")
    answer = embedder.openai().embeddings.create(model="lasttoken", input=wanted["texts"], encoding_format="float")
    assert answer.object == "list" and answer.model == "lasttoken" and [entry.index for entry in answer.data] == list(range(5))
    assert all(close(entry.embedding, vector) for entry, vector in zip(answer.data, wanted["embeddings"]))
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == sum(map(len, wanted["tokens"]))
    assert all(abs(math.hypot(*entry.embedding) - 1) < 1e-5 for entry in answer.data)


def test_the_mean_without_a_norm():
    server = serve("mean")
    wanted = expected("mean")
    answer = server.openai().embeddings.create(model="mean", input=wanted["texts"])
    assert all(close(entry.embedding, vector) for entry, vector in zip(answer.data, wanted["embeddings"]))
    assert server.stop() == 0


def test_inputs_of_every_kind(embedder):
    wanted = expected("lasttoken")
    client = embedder.openai()
    one = client.embeddings.create(model="lasttoken", input=wanted["texts"][0]).data[0].embedding
    for given in ([wanted["texts"][0]], wanted["tokens"][0], [wanted["tokens"][0]]):
        assert client.embeddings.create(model="lasttoken", input=given).data[0].embedding == one
    # More than are computed at a time, and than may wait: the same bits as alone.
    many = client.embeddings.create(model="lasttoken", input=[wanted["texts"][0], "b"] * 400).data
    assert len(many) == 800 and all(entry.embedding == one for entry in many[::2])


def test_fewer_dimensions_and_base64(embedder):
    wanted = expected("lasttoken")
    client = embedder.openai()
    short = client.embeddings.create(model="lasttoken", input=wanted["texts"], dimensions=16).data
    assert all(close(entry.embedding, vector) for entry, vector in zip(short, wanted["short"]))
    with embedder.http() as http:
        body = {"input": "a", "encoding_format": "base64"}
        data = base64.b64decode(http.post("/v1/embeddings", json=body).json()["data"][0]["embedding"])
        numbers = http.post("/v1/embeddings", json={"input": "a"}).json()["data"][0]["embedding"]
    assert list(struct.unpack(f"<{len(data) // 4}f", data)) == [struct.unpack("f", struct.pack("f", n))[0] for n in numbers]


def test_through_ollamas_api(embedder):
    wanted = expected("lasttoken")
    client = ollama.Client(host=embedder.url)
    answer = client.embed(model="lasttoken", input=wanted["texts"])
    assert all(close(found, vector) for found, vector in zip(answer.embeddings, wanted["embeddings"]))
    assert answer.prompt_eval_count == sum(map(len, wanted["tokens"])) and answer.total_duration > 0
    assert close(client.embed(model="lasttoken", input="What is the capital of China?", dimensions=16).embeddings[0], wanted["short"][0])
    assert client.embeddings(model="lasttoken", prompt=wanted["texts"][0]).embedding == answer.embeddings[0]
    # Of a longer text the beginning is read, unless that is not wanted.
    assert client.embed(model="lasttoken", input="x" * 2000).prompt_eval_count == 768
    with pytest.raises(ollama.ResponseError, match="maximum context length is 768 tokens"):
        client.embed(model="lasttoken", input="x" * 2000, truncate=False)
    assert client.show("lasttoken").capabilities == ["embedding"]


@pytest.mark.parametrize("field, value", [
    ("input", None), ("input", []), ("input", 5), ("input", [True]), ("input", [["a"]]), ("input", {}), ("input", [1e30]), ("input", ["a"] * 2049),
    ("dimensions", 0), ("dimensions", 65), ("dimensions", "8"), ("encoding_format", "int8"), ("encoding_format", 1), ("model", 3),
    ("truncate_prompt_tokens", 0), ("add_special_tokens", 1),
])
def test_wrong_fields_are_named(embedder, field, value):
    with embedder.http() as http:
        response = http.post("/v1/embeddings", json={"input": "a", field: value})
    assert response.status_code == 400 and response.json()["error"]["param"] == field


def test_long_texts(embedder):
    client = embedder.openai()
    with pytest.raises(openai.BadRequestError, match="maximum context length is 768 tokens") as error:
        client.embeddings.create(model="lasttoken", input="x" * 2000)
    assert error.value.code == "context_length_exceeded"
    cut = client.embeddings.create(model="lasttoken", input="y" + "x" * 2000, extra_body={"truncate_prompt_tokens": 10})
    assert cut.usage.prompt_tokens == 10
    with pytest.raises(openai.BadRequestError, match="prompt"):
        client.embeddings.create(model="lasttoken", input=[[1], []])


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_documents_are_ranked_as_the_model_card_does(reranker, path):
    wanted = expected("tiny-reranker")
    with reranker.http() as http:
        body = http.post(path, json={"model": "tiny-reranker", "query": wanted["query"], "documents": wanted["documents"]}).json()
    scores = [result["relevance_score"] for result in body["results"]]
    assert scores == sorted(scores, reverse=True) and body["usage"]["total_tokens"] == sum(map(len, wanted["tokens"]))
    for result in body["results"]:
        assert abs(result["relevance_score"] - wanted["scores"][result["index"]]) < 0.02
        assert result["document"]["text"] == wanted["documents"][result["index"]]


def test_how_many_results_and_which_fields(reranker):
    wanted = expected("tiny-reranker")
    body = {"query": wanted["query"], "documents": [{"text": text} for text in wanted["documents"]]}
    with reranker.http() as http:
        def results(**more):
            return http.post("/v1/rerank", json={**body, **more}).json()["results"]

        assert [len(results(top_n=count)) for count in (0, 1, 4, 99)] == [4, 1, 4, 4]
        assert all(set(result) == {"index", "relevance_score"} for result in results(return_documents=False))
        assert results(instruction="Judge the spelling.") != results()


@pytest.mark.parametrize("path", ["/score", "/v1/score"])
def test_scores_of_pairs(reranker, path):
    wanted = expected("tiny-reranker")
    with reranker.http() as http:
        def scores(first, second):
            return [entry["score"] for entry in http.post(path, json={"text_1": first, "text_2": second}).json()["data"]]

        one = scores(wanted["query"], wanted["documents"])
        assert all(abs(a - b) < 0.02 for a, b in zip(one, wanted["scores"]))
        assert scores([wanted["query"]] * 4, wanted["documents"]) == one and scores(wanted["query"], wanted["documents"][2]) == [one[2]]


@pytest.mark.parametrize("path, body, named", [
    ("/v1/rerank", {"documents": ["a"]}, "query"), ("/v1/rerank", {"query": 3, "documents": ["a"]}, "query"),
    ("/v1/rerank", {"query": "a"}, "documents"), ("/v1/rerank", {"query": "a", "documents": []}, "documents"),
    ("/v1/rerank", {"query": "a", "documents": 123}, "documents"), ("/v1/rerank", {"query": "a", "documents": [1, 2]}, "documents"),
    ("/v1/rerank", {"query": "a", "documents": ["b"], "top_n": -1}, "top_n"), ("/v1/rerank", {"query": "a", "documents": ["b"], "instruction": []}, "instruction"),
    ("/v1/score", {"text_2": "a"}, "text_1"), ("/v1/score", {"text_1": "a"}, "text_2"), ("/v1/score", {"text_1": ["a", "b"], "text_2": ["c"]}, "text_1"),
    ("/v1/score", {"text_1": "a", "text_2": []}, "text_2"), ("/v1/score", {"text_1": {}, "text_2": "a"}, "text_1"),
])
def test_wrong_fields_of_rankings_are_named(reranker, path, body, named):
    with reranker.http() as http:
        response = http.post(path, json=body)
    assert response.status_code == 400 and response.json()["error"]["param"] == named


def test_each_model_does_what_it_is_served_for(server, embedder, reranker):
    def refusal(server, path, body):
        with server.http() as http:
            response = http.post(path, json=body)
        assert response.status_code == 400 and response.json()["error"]["code"] == "task_not_supported", response.text
        return response.json()["error"]["message"]

    chat, text = {"messages": [{"role": "user", "content": "a"}]}, {"prompt": "a"}
    embed, rank = {"input": "a"}, {"query": "a", "documents": ["b"]}
    assert "--task embed" in refusal(server, "/v1/embeddings", embed) and "--task rerank" in refusal(server, "/v1/rerank", rank)
    for path, body in (("/v1/chat/completions", chat), ("/v1/completions", text), ("/completion", text)):
        assert "/v1/embeddings" in refusal(embedder, path, body) and "/v1/rerank" in refusal(reranker, path, body)
    refusal(embedder, "/v1/score", {"text_1": "a", "text_2": "b"})
    assert "rerank" in refusal(reranker, "/v1/embeddings", embed)
    with embedder.http() as http:
        assert "/v1/embeddings" in http.post("/api/chat", json={"model": "lasttoken", **chat}).json()["error"]
    assert embedder.openai().models.list().data[0].model_extra["task"] == "embed"


def test_a_model_that_generates_may_be_served_for_embeddings(start):
    server = start("--task", "embed", "--threads", "2", speculation=False)
    vector = server.openai().embeddings.create(model="foretoken-reference-target", input="Hello").data[0].embedding
    assert abs(math.hypot(*vector) - 1) < 1e-5


@pytest.mark.parametrize("name, flags, named", [
    ("lasttoken", ["--task", "generate"], "was made for embeddings"), ("lasttoken", ["--task", "rerank"], "was made for embeddings"),
    ("mean", ["--speculative-config", '{"method": "ngram", "num_speculative_tokens": 2}'], "--speculative-config"),
])
def test_tasks_that_do_not_fit_end_the_start(name, flags, named):
    with pytest.raises(RuntimeError, match=named):
        serve(name, *flags)


def test_vectors_are_counted_and_leave_the_cache_clean(embedder):
    before = embedder.metrics()
    embedder.openai().embeddings.create(model="lasttoken", input=["one", "two", "three"])
    after = embedder.metrics()
    assert after['vllm:request_success_total{finished_reason="stop"}'] - before['vllm:request_success_total{finished_reason="stop"}'] == 3
    assert after["vllm:prompt_tokens_total"] - before["vllm:prompt_tokens_total"] == 4 + 4 + 6
    assert after["vllm:num_requests_running"] == 0 and after["vllm:generation_tokens_total"] == before["vllm:generation_tokens_total"]
