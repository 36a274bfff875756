"""Everything beside generation: models, tokens, status, metrics, errors of the protocol."""

import concurrent.futures
import json
import os
import re
import socket
import subprocess
import time

import openai
import pytest
from conftest import NAME, PROGRAM, TARGET


def test_models(client):
    [model] = client.models.list().data
    assert model.id == NAME and model.object == "model" and model.model_extra["max_model_len"] == 4096
    assert client.models.retrieve(NAME).id == NAME
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no/such")


@pytest.mark.parametrize("text", ["Hello, world", "", "naïve 🙂 日本", "<|im_start|>user"])
def test_tokens_there_and_back(http, text):
    answer = http.post("/tokenize", json={"prompt": text, "return_token_strs": True}).json()
    assert answer["count"] == len(answer["tokens"]) == len(answer["token_strs"]) and answer["max_model_len"] == 4096
    assert http.post("/detokenize", json={"tokens": answer["tokens"]}).json() == {"prompt": text, "content": text}


def test_tokenize_a_conversation(http, client):
    messages = [{"role": "user", "content": "Hi"}]
    count = http.post("/tokenize", json={"messages": messages}).json()["count"]
    answer = client.chat.completions.create(model=NAME, messages=messages, max_tokens=1)
    assert answer.usage.prompt_tokens == count


@pytest.mark.parametrize(("path", "body"), [
    ("/tokenize", {}), ("/tokenize", {"prompt": 4}), ("/detokenize", {}), ("/detokenize", {"tokens": ["a"]}),
    ("/detokenize", {"tokens": [-1]}), ("/detokenize", {"tokens": [1 << 40]}), ("/tokenize", {"prompt": "a", "model": "other"}),
])
def test_token_endpoints_refuse_by_name(http, path, body):
    response = http.post(path, json=body)
    assert response.status_code in (400, 404)
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["param"]


def test_status(http):
    assert http.get("/health").status_code == 200 and http.get("/ping").status_code == 200
    assert http.post("/ping").status_code == 200 and http.head("/health").status_code == 200
    assert http.get("/version").json()["version"]
    assert http.get("/openapi.json").json()["openapi"].startswith("3.")
    page = http.get("/")
    assert page.headers["content-type"].startswith("text/html") and "default-src 'none'" in page.headers["content-security-policy"]


def test_metrics_count(server, client):
    before = server.metrics()
    answer = client.completions.create(model=NAME, prompt="One, two, three,", max_tokens=30, extra_body={"ignore_eos": True})
    after = server.metrics()

    def grown(name):
        return after.get(name, 0) - before.get(name, 0)

    assert grown("vllm:generation_tokens_total") == 30
    assert grown("vllm:prompt_tokens_total") == answer.usage.prompt_tokens
    assert grown('vllm:request_success_total{finished_reason="length"}') == 1
    for name in ("time_to_first_token_seconds", "e2e_request_latency_seconds", "request_queue_time_seconds"):
        assert grown(f"vllm:{name}_count") == 1 == grown(f'vllm:{name}_bucket{{le="+Inf"}}')
    assert grown("vllm:inter_token_latency_seconds_count") == 29
    figures = answer.model_extra["metrics"]["speculative_decoding"]
    assert grown("vllm:spec_decode_num_drafts_total") == figures["num_spec_steps"]
    assert grown("vllm:spec_decode_num_draft_tokens_total") == figures["num_draft_tokens"]
    accepted = grown("vllm:spec_decode_num_accepted_tokens_total")
    assert accepted == figures["num_accepted_draft_tokens"]
    per_position = [grown(f'vllm:spec_decode_num_accepted_tokens_per_pos_total{{position="{i}"}}') for i in range(32)]
    assert sum(per_position) == accepted and per_position == sorted(per_position, reverse=True)
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc"):
        assert after[name] == 0


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "/v1/chat/completions", 405), ("DELETE", "/v1/models", 405), ("POST", "/health", 405), ("PUT", "/tokenize", 405),
    ("GET", "/nothing", 404), ("POST", "/v1/audio/speech", 404), ("OPTIONS", "/v1/models", 405),
])
def test_wrong_paths_and_methods(http, method, path, status):
    response = http.request(method, path)
    assert response.status_code == status and response.json()["error"]["message"]
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"a":1}{', b'{"prompt": "\\ud800"}', b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(http, body):
    response = http.post("/v1/completions", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400 and "error" in response.json()


def test_other_content_types_are_refused(http):
    response = http.post("/v1/completions", content=b'{"prompt": "a"}', headers={"content-type": "text/plain"})
    assert response.status_code == 415


def test_a_body_that_is_too_large_is_refused(http):
    response = http.post("/tokenize", json={"prompt": "a" * (9 << 20)})
    assert response.status_code == 413 and "bytes" in response.json()["error"]["message"]


def test_request_ids_are_given_back(http):
    assert http.get("/health", headers={"x-request-id": "my-id.1"}).headers["x-request-id"] == "my-id.1"
    assert http.get("/health", headers={"x-request-id": "bad id\u00e9".encode()}).headers["x-request-id"] != "bad id\u00e9"


def test_cross_origin_is_off(http):
    response = http.get("/v1/models", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def test_keys(start):
    server = start("--api-key", "first", environment={"FORETOKEN_PORT": "1"})
    for key in ("wrong", "firs", "firstt", "FIRST"):
        with pytest.raises(openai.AuthenticationError) as caught:
            server.openai(key).models.list()
        assert caught.value.code == "invalid_api_key"
    assert server.openai("first").models.list().data
    with server.http() as http:
        assert http.get("/health").status_code == 200
        assert http.post("/tokenize", json={"prompt": "a"}).status_code == 401
        assert "www-authenticate" in http.get("/v1/models").headers
    assert server.stop() == 0
    assert not any("first" in line for line in server.log)


def test_a_name_that_was_made_to_point_here_is_turned_away(server, start):
    """DNS rebinding: the browser takes a page of evil.example and this server for one origin."""
    with server.http() as http:
        refused = http.get("/v1/models", headers={"host": "evil.example:8000"})
        assert refused.status_code == 403 and refused.json()["error"]["code"] == "host_not_allowed"
        assert http.get("/", headers={"host": "evil.example"}).status_code == 403
        assert http.get("/v1/models", headers={"host": "localhost:1"}).status_code == 200
    other = start("--allowed-hosts", "models.example", "--threads", "1")
    with other.http() as http:
        assert http.get("/v1/models", headers={"host": "models.example"}).status_code == 200
        assert http.get("/v1/models", headers={"host": "evil.example"}).status_code == 403
    # On all interfaces names are nobody's business, unless some are given.
    everywhere = start("--host", "0.0.0.0", "--threads", "1")
    with everywhere.http() as http:
        assert http.get("/v1/models", headers={"host": "any.example"}).status_code == 200


def test_the_description_is_an_openapi_document_and_names_the_model(http):
    import openapi_spec_validator

    description = http.get("/openapi.json").json()
    openapi_spec_validator.validate(description)
    assert description["components"]["schemas"]["ModelName"]["enum"] == [NAME, None]


def test_turns_of_a_conversation_are_found_in_the_cache_with_and_without_speculation(start):
    def figures(speculation):
        server = start("--threads", "2", speculation=speculation)
        client = server.openai()
        messages = []
        for question in ("List the planets.", "Count to ten.", "Name three colours."):
            messages.append({"role": "user", "content": question})
            answer = client.chat.completions.create(model=NAME, messages=messages, temperature=0, max_tokens=60)
            messages.append({"role": "assistant", "content": answer.choices[0].message.content})
        metrics = server.metrics()
        return metrics["vllm:prefix_cache_queries_total"], metrics["vllm:prefix_cache_hits_total"]

    queries, hits = figures(True)
    assert hits > 0.3 * queries > 0
    assert figures(False) == (queries, hits)


def test_origins_that_are_allowed(start):
    server = start("--allowed-origins", "http://one.example")
    with server.http() as http:
        asked = http.options("/v1/chat/completions", headers={"origin": "http://one.example", "access-control-request-method": "POST"})
        assert asked.status_code == 204 and asked.headers["access-control-allow-origin"] == "http://one.example"
        assert http.get("/v1/models", headers={"origin": "http://one.example"}).headers["access-control-allow-origin"] == "http://one.example"
        assert "access-control-allow-origin" not in http.get("/v1/models", headers={"origin": "http://two.example"}).headers


def test_settings_have_one_precedence(start, tmp_path):
    file = tmp_path / "server.yaml"
    file.write_text("served-model-name: [from-file, second]\nmax_queue_length: 3\nstream-interval: 4\napi-key: hush\n")
    server = start("--config", str(file), "--max-queue-length", "5", environment={"FORETOKEN_STREAM_INTERVAL": "2", "FORETOKEN_MAX_QUEUE_LENGTH": "4"})
    assert [model.id for model in server.openai("hush").models.list()] == ["from-file", "second"]
    chunks = list(server.openai("hush").completions.create(
        model="second", prompt="One", max_tokens=8, stream=True, extra_body={"return_token_ids": True, "ignore_eos": True}))
    assert [len(c.choices[0].model_extra.get("token_ids", [])) for c in chunks if "token_ids" in c.choices[0].model_extra] == [2] * 4
    server.stop()
    log = "".join(server.log)
    assert "max-queue-length = 5 (command line)" in log and "stream-interval = 2 (environment)" in log
    assert "served-model-name = from-file (file)" in log and "hush" not in log


def test_prompts_are_not_logged(start):
    server = start("--log-level", "trace")
    server.openai().completions.create(model=NAME, prompt="confidential words", max_tokens=4)
    server.stop()
    log = "".join(server.log)
    assert "confidential" not in log and "request_id" in log


def test_the_log_says_why_a_request_was_refused_and_how_a_cancelled_one_ended(start):
    server = start("--threads", "2")
    with server.http() as http:
        assert http.post("/v1/completions", json={"prompt": "a", "temperature": "confidential"}).status_code == 400
        body = {"prompt": "a", "max_tokens": 3000, "ignore_eos": True, "stream": True}
        with http.stream("POST", "/v1/completions", json=body) as answer:
            next(answer.iter_lines())
    deadline = time.monotonic() + 10
    while not any("cancelled" in line for line in server.log) and time.monotonic() < deadline:
        time.sleep(0.05)
    server.stop()
    [refused] = [line for line in server.log if "refused" in line]
    assert "param=temperature" in refused and "reason=expected a number" in refused and "confidential" not in refused
    [cancelled] = [line for line in server.log if " cancelled" in line]
    assert "cause=client_left" in cancelled and re.search(r"output_tokens=\d+", cancelled)


def test_too_many_requests_are_told_to_wait(start):
    server = start("--max-num-seqs", "1", "--max-queue-length", "1", "--threads", "1")
    client = server.openai()

    def ask(_):
        try:
            client.completions.create(model=NAME, prompt="a", max_tokens=60, extra_body={"ignore_eos": True})
            return 200
        except openai.RateLimitError as error:
            assert int(error.response.headers["retry-after"]) >= 1
            return 429

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(ask, range(8)))
    assert results.count(200) >= 2 and results.count(429) >= 1
    # n beyond what is ever allowed is the request's own fault.
    with pytest.raises(openai.BadRequestError):
        client.completions.create(model=NAME, prompt="a", n=3)


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def post(url, path, body, window=None):
    """A request over a bare socket, its answer not yet read; `window` is how much the system takes in unasked."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.socket()
    if window is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    connection.connect((host, int(port)))
    data = json.dumps(body).encode()
    connection.sendall(
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_that_leaves_frees_its_place(server, streams):
    before = server.metrics()
    connection = post(server.url, "/v1/completions", {"prompt": "a", "max_tokens": 4000, "ignore_eos": True, "stream": streams})
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 1)
    connection.close()
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 0)
    after = server.metrics()
    assert after["vllm:generation_tokens_total"] - before["vllm:generation_tokens_total"] < 4000
    key = 'vllm:request_success_total{finished_reason="abort"}'
    wait_until(lambda: server.metrics()[key] == before[key] + 1)


def test_half_a_body_does_not_hold_a_connection_for_ever(start):
    server = start("--body-timeout", "0.5")
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"pro")
    connection.settimeout(20)
    answer = b""
    while chunk := connection.recv(4096):
        answer += chunk
    assert b"408" in answer.split(b"\r\n")[0]


def test_a_reader_that_does_not_read_is_cut(start):
    server = start("--max-stream-backlog-bytes", "1024", "--write-timeout", "0.5", "--max-model-len", "4096", "--threads", "2")
    body = {"prompt": "a", "max_tokens": 3900, "ignore_eos": True, "stream": True, "logprobs": 20, "temperature": 2.0}
    connection = post(server.url, "/v1/completions", body, window=4096)
    wait_until(lambda: server.metrics()["vllm:generation_tokens_total"] > 0)
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 0, 60)
    assert server.metrics()["vllm:generation_tokens_total"] < 3900
    server.stop()
    assert any("cause=reader_too_slow" in line or "reader stuck" in line for line in server.log)
    connection.close()


def test_sigterm_lets_running_requests_finish(start):
    server = start("--threads", "2")
    stream = server.openai().completions.create(model=NAME, prompt="a", max_tokens=300, stream=True, extra_body={"ignore_eos": True, "return_token_ids": True})
    count = len(next(stream).choices[0].model_extra["token_ids"])
    server.process.terminate()
    for chunk in stream:
        count += len(chunk.choices[0].model_extra.get("token_ids", []))
    assert count == 300
    assert server.wait() == 0


def test_sigterm_ends_requests_that_take_too_long(start):
    server = start("--threads", "1", "--shutdown-timeout", "0.3")
    stream = server.openai().completions.create(model=NAME, prompt="a", max_tokens=4000, stream=True, extra_body={"ignore_eos": True})
    next(stream)
    server.process.terminate()
    with pytest.raises(openai.APIError, match="stopping"):
        for _ in stream:
            pass
    assert server.wait() == 0


def test_priority_goes_first(start):
    """While one request is computed, a later one with a lower number overtakes an earlier one."""
    server = start("--max-num-seqs", "1", "--threads", "2", "--scheduling-policy", "priority")
    client = server.openai()
    finished = []

    def ask(name, tokens, priority):
        client.completions.create(model=NAME, prompt="a", max_tokens=tokens, extra_body={"ignore_eos": True, "priority": priority})
        finished.append(name)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(ask, "first", 3000, 0)]
        wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 1)
        jobs.append(pool.submit(ask, "late", 10, 5))
        wait_until(lambda: server.metrics()["vllm:num_requests_waiting"] == 1)
        jobs.append(pool.submit(ask, "urgent", 10, -5))
        for job in jobs:
            job.result()
    assert finished == ["first", "urgent", "late"]


def test_many_clients_get_what_they_would_get_alone(server):
    client = server.openai()

    def ask(seed):
        stream = client.completions.create(model=NAME, prompt=f"Item {seed}:", max_tokens=24, seed=seed, temperature=0.9, stream=True)
        return "".join(choice.text for chunk in stream for choice in chunk.choices)

    alone = [ask(seed) for seed in range(12)]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        assert list(pool.map(ask, range(12))) == alone


def test_sagemakers_contract(start):
    # SageMaker starts an image with the one argument `serve`, and sets the environment; a free port is the test's own.
    server = start("--sagemaker", "--threads", "2", target="serve", environment={"FORETOKEN_MODEL": TARGET})
    with server.http() as http:
        assert http.get("/ping").status_code == 200
        chat = http.post("/invocations", json={"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2})
        assert chat.status_code == 200 and chat.json()["object"] == "chat.completion"
        assert http.post("/invocations", json={"prompt": "Hi", "max_tokens": 2}).json()["object"] == "text_completion"
    assert server.url.startswith("http://0.0.0.0:")


def test_sagemaker_hands_on_no_keys():
    result = subprocess.run(
        [PROGRAM, "serve", "--sagemaker"], env={**os.environ, "FORETOKEN_API_KEY": "k"}, capture_output=True, text=True,
        timeout=60)
    assert result.returncode != 0 and "IAM" in result.stderr
