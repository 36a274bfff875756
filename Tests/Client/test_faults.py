"""Clients that misbehave, and damage from outside. docs/reliability.md names the outcomes."""

import concurrent.futures
import hashlib
import http.server
import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import threading

import pytest
from conftest import NAME, TARGET, Server
from test_service import post, wait_until


def test_a_reader_of_one_byte_a_second_holds_up_nobody(server):
    """Its answer waits in buffers; the engine is done with it long before it is read."""
    connection = post(server.url, "/v1/completions", {"prompt": "a", "max_tokens": 200, "ignore_eos": True, "stream": True})
    connection.settimeout(30)
    assert connection.recv(1) == b"H"
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 0)
    assert connection.recv(1) == b"T"
    data = b""
    while b"[DONE]" not in data:
        data += connection.recv(65536)
    assert data.count(b'"text":') == 201


def test_clients_that_vanish_in_the_middle_of_streams_leave_nothing_behind(server):
    for round in range(3):
        connections = [
            post(server.url, "/v1/completions", {"prompt": f"{i}", "max_tokens": 3000, "ignore_eos": True, "stream": True})
            for i in range(20)]
        wait_until(lambda: server.metrics()["vllm:num_requests_running"] > 0)
        for connection in connections:
            # Half of them with a reset instead of a goodbye.
            if random.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.close()
        wait_until(lambda: server.metrics()["vllm:num_requests_running"] + server.metrics()["vllm:num_requests_waiting"] == 0)
    assert server.metrics()["vllm:kv_cache_usage_perc"] == 0


@pytest.mark.parametrize("garbage", [
    b"\0" * 100, b"GET\r\n\r\n", b"POST /v1/completions HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET /v1/models/%ff%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
])
def test_what_is_not_http_is_refused_and_the_server_goes_on(server, garbage):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(20)
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := connection.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass
        assert answer == b"" or answer.split(b" ")[1].startswith(b"4")
    with server.http() as client:
        assert client.get("/health").status_code == 200


def test_a_cache_that_runs_out_preempts_and_all_complete(start):
    """Eight answers of up to 400 tokens in a cache for 512 positions."""
    size = 512 * 6144
    server = start("--max-num-seqs", "8", "--threads", "2", "--max-model-len", "512", "--kv-cache-memory-bytes", str(size))
    client = server.openai()

    def ask(number):
        answer = client.completions.create(
            model=NAME, prompt=f"Item {number}:", max_tokens=200, seed=number, temperature=1, extra_body={"ignore_eos": True})
        assert answer.usage.completion_tokens == 200
        return answer.choices[0].text

    alone = [ask(number) for number in range(8)]
    assert server.metrics()["vllm:num_preemptions_total"] == 0
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == alone
    metrics = server.metrics()
    assert metrics["vllm:num_preemptions_total"] > 0 and metrics["vllm:kv_cache_usage_perc"] == 0
    with pytest.raises(RuntimeError, match="kv-cache-memory-bytes"):
        start("--max-model-len", "512", "--kv-cache-memory-bytes", "1000")


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one model of two megabytes."""

    WEIGHTS = bytes(range(256)) * 8192

    def do_GET(self):
        listing = {"sha": "a" * 40, "siblings": [{
            "rfilename": "model.safetensors", "size": len(self.WEIGHTS),
            "lfs": {"sha256": hashlib.sha256(self.WEIGHTS).hexdigest(), "size": len(self.WEIGHTS)}}]}
        body = json.dumps(listing).encode() if "/api/models/" in self.path else self.WEIGHTS
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_a_disk_that_is_full_stops_a_download_with_the_place(tmp_path):
    """The cache is a file system of 512 KiB; the file that came as far as it went is whole once there is room."""
    mount = ["unshare", "--user", "--map-root-user", "--mount"]
    script = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && "$@"'
    if shutil.which("unshare") is None or subprocess.run([*mount, "sh", "-c", script, "-", "64k", str(tmp_path), "true"], capture_output=True).returncode:
        pytest.skip("mounting a small file system needs user namespaces (unshare)")
    hub = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}"}

    def pull(size):
        return subprocess.run(
            [*mount, "sh", "-c", script, "-", size, str(tmp_path), Server.PROGRAM, "pull", "some/model"], capture_output=True,
            text=True, timeout=60, env=environment)

    try:
        full = pull("512k")
        assert full.returncode != 0 and "disk" in full.stderr and "2097152 bytes" in full.stderr and str(tmp_path) in full.stderr
        room = pull("8m")
        assert room.returncode == 0, room.stderr
    finally:
        hub.shutdown()


def test_more_requests_than_fit_the_engine_wait_and_all_complete(server, client):

    def ask(number):
        answer = client.completions.create(model=NAME, prompt="word " * 300, max_tokens=20, seed=number, temperature=1, extra_body={"ignore_eos": True})
        return answer.choices[0].text

    alone = ask(0)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(ask, [0] * 16))
    assert texts == [alone] * 16


def test_a_model_file_that_is_replaced_changes_nothing_until_the_next_start(tmp_path, start):
    copy = tmp_path / "model"
    shutil.copytree(TARGET, copy)
    server = start("--served-model-name", NAME, target=str(copy), speculation=False)
    client = server.openai()

    def ask():
        return client.completions.create(model=NAME, prompt="One, two,", max_tokens=30, temperature=0).choices[0].text

    before = ask()
    weights = copy / "model.safetensors"
    replacement = copy / "new"
    replacement.write_bytes(b"not a model")
    replacement.rename(weights)
    assert ask() == before
    assert server.stop() == 0
    with pytest.raises(RuntimeError, match="model.safetensors"):
        start("--served-model-name", NAME, target=str(copy), speculation=False)


def test_sigterm_under_load_lets_everyone_finish(start):
    server = start("--max-num-seqs", "4", "--threads", "2")
    connections = [
        post(server.url, "/v1/completions", {"prompt": f"{i}", "max_tokens": 60, "ignore_eos": True, "stream": i % 2 == 0})
        for i in range(12)]
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 4)
    server.process.terminate()
    for number, connection in enumerate(connections):
        connection.settimeout(60)
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
        assert data.startswith(b"HTTP/1.1 200")
        assert (b"[DONE]" in data) == (number % 2 == 0) and b'"finish_reason":"length"' in data
    assert server.stop() == 0


def test_a_port_that_is_taken_is_said(server):
    port = server.url.rsplit(":", 1)[1]
    result = subprocess.run(
        [Server.PROGRAM, "serve", TARGET, "--port", port], capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and port in result.stderr and "in use" in result.stderr and "--port" in result.stderr


def test_logs_of_json_are_json(start):
    server = start("--log-format", "json")
    server.openai().completions.create(model=NAME, prompt="a", max_tokens=2)
    server.stop()
    lines = [json.loads(line) for line in server.log]
    [answered] = [line for line in lines if line["message"] == "answered"]
    assert answered["output_tokens"] == "2" and answered["request_id"] and answered["level"] == "info"


def test_load(start):
    server = start("--max-num-seqs", "8", "--threads", "2", "--max-model-len", "512")
    script = pathlib.Path(__file__).with_name("load.py")
    result = subprocess.run(
        [sys.executable, str(script), server.url, "--clients", "64", "--seconds", "6", "--pid", str(server.process.pid)],
        capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_dashboard_knows_only_metrics_that_there_are(server, client):
    import re

    client.completions.create(model=NAME, prompt="a", max_tokens=8)
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("Monitoring/grafana-dashboard.json").read_text()
    json.loads(text)
    names = set(re.findall(r"(?:vllm:|http_)[a-z0-9_]+", text))
    exposed = {name.split("{")[0] for name in server.metrics()}
    assert names and names <= exposed
