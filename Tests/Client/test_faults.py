"""Clients that misbehave, and damage from outside. docs/reliability.md names the outcomes."""

import concurrent.futures
import hashlib
import http.server
import json
import math
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from conftest import DRAFT, NAME, ROOT, TARGET, Server
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
    """The cache is a file system of 512 KiB; the file is whole once there is room."""
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
        assert full.returncode != 0 and "disk" in full.stderr and "2.1 MB" in full.stderr and str(tmp_path) in full.stderr
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


def wide_model(folder):
    """The shipped target with feed-forward layers so wide that loading it takes a while; its weights are a hole in the file."""
    with open(pathlib.Path(TARGET) / "model.safetensors", "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    shutil.copytree(TARGET, folder)
    config = json.loads((folder / "config.json").read_text())
    narrow, config["intermediate_size"] = config["intermediate_size"], 65_536
    (folder / "config.json").write_text(json.dumps(config))
    end = 0
    for name in sorted((name for name in header if name != "__metadata__"), key=lambda name: header[name]["data_offsets"]):
        entry = header[name]
        entry["shape"] = [config["intermediate_size"] if "mlp" in name and extent == narrow else extent for extent in entry["shape"]]
        size = math.prod(entry["shape"]) * 2
        entry["data_offsets"] = [end, end + size]
        end += size
    text = json.dumps(header).encode()
    weights = folder / "model.safetensors"
    weights.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(weights, 8 + len(text) + end)
    return weights


LOADING = {
    "serve": ["serve", "MODEL", "--port", "0"], "generate": ["generate", "-m", "MODEL", "--max-tokens", "1", "Hi"],
    "perplexity": ["perplexity", "-m", "MODEL", "--windows", "1", __file__], "inspect": ["inspect", "MODEL"]}


@pytest.mark.parametrize("command", LOADING)
def test_a_model_file_cut_short_while_it_is_loaded_is_a_sentence(command, tmp_path):
    """Cut as soon as the program has mapped it, and again and again while it is written anew."""
    weights = wide_model(tmp_path / "model")
    size = weights.stat().st_size
    with open(weights, "rb") as file:
        head = file.read(1 << 20)
    arguments = [str(tmp_path / "model") if argument == "MODEL" else argument for argument in LOADING[command]]
    process = subprocess.Popen(
        [Server.PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "FORETOKEN_CACHE": str(tmp_path / "cache")})
    maps = pathlib.Path(f"/proc/{process.pid}/maps")
    deadline = time.monotonic() + 60
    while process.poll() is None and str(weights) not in maps.read_text() and time.monotonic() < deadline:
        pass
    while process.poll() is None and time.monotonic() < deadline:
        os.truncate(weights, len(head) // 2)
        time.sleep(0.01)
        with open(weights, "r+b") as file:
            file.write(head)
            file.truncate(size)
        time.sleep(0.01)
    assert process.poll() is not None, "it does not end"
    errors = process.stderr.read()
    if command == "inspect":
        # It reads the head alone, and may be done with it; what it finds wrong is its answer.
        errors += process.stdout.read()
        assert process.returncode == 0 or process.returncode == 1 and str(weights) in errors, errors
    else:
        assert process.returncode == 1 and str(weights) in errors, errors


def test_a_bus_error_from_elsewhere_ends_the_process_as_ever(start):
    server = start("--threads", "2", environment={"SWIFT_BACKTRACE": "enable=no"})
    assert server.stop(signal.SIGBUS) == -signal.SIGBUS


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
    assert server.wait() == 0


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


def test_every_panel_of_the_dashboard_asks_for_a_metric_that_there_is(server, client):
    """Panels name what several servers call a thing; one of the names is ours. `test_monitoring.py` evaluates them."""
    import re

    client.completions.create(model=NAME, prompt="a", max_tokens=8)
    text = pathlib.Path(__file__).resolve().parents[2].joinpath("Monitoring/grafana-dashboard.json").read_text()
    exposed = {name.split("{")[0] for name in server.metrics()}
    panels = [panel for row in json.loads(text)["panels"] for panel in [row, *row.get("panels", [])]]
    asked = 0
    for panel in panels:
        names = set(re.findall(r"(?:vllm:|http_)[a-z0-9_]+", json.dumps(panel.get("targets", []))))
        if names:
            asked += 1
            assert names & exposed, panel["title"]
    assert asked > 10


def test_a_second_signal_ends_the_process_at_once(start):
    server = start("--threads", "2", "--shutdown-timeout", "50")
    connection = post(server.url, "/v1/completions", {"prompt": "a", "max_tokens": 4000, "ignore_eos": True, "stream": True})
    wait_until(lambda: server.metrics()["vllm:num_requests_running"] == 1)
    server.process.send_signal(signal.SIGTERM)
    wait_until(lambda: any("stopping" in line for line in server.log))
    assert server.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    connection.close()


def run(*arguments, limit=60, **options):
    return subprocess.run([Server.PROGRAM, *arguments], capture_output=True, text=True, timeout=limit, **options)


def test_a_report_onto_a_pipe_is_written_and_the_pipe_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    texts = []
    reader = threading.Thread(target=lambda: texts.append(pipe.read_text()))
    reader.start()
    assert run("report", str(ROOT / "Tests/Fuzz/result.json"), "-o", str(pipe)).returncode == 0
    reader.join(30)
    assert texts and texts[0].rstrip().endswith("</html>") and pipe.is_fifo()


ABSURD = [
    ["bench", "serve", "--stall-timeout-sec", "inf"], ["bench", "serve", "--ready-check-timeout-sec", "1e308"],
    ["perplexity", "-m", DRAFT, "--windows", str(2**62), __file__],
    ["bench", "speculation", "--prompts", str(2**31)], ["bench", "speculation", "--repetitions", str(2**63 - 1)]]


@pytest.mark.parametrize("arguments", ABSURD, ids=lambda arguments: " ".join(arguments[-2:])[-40:])
def test_absurd_numbers_in_flags_are_taken_or_refused(arguments):
    """Nobody listens at the port, and what goes on for long has taken the number."""
    endpoint = ["--base-url", "http://127.0.0.1:1", "--num-prompts", "8"] if "serve" in arguments else []
    try:
        done = run(*arguments, *endpoint, limit=8)
    except subprocess.TimeoutExpired:
        return
    assert done.returncode in (0, 1, 64), done.stderr


def test_few_open_files_are_a_sentence_or_fewer_connections(start):
    limits = lambda soft, hard: lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    few = run("inspect", TARGET, preexec_fn=limits(8, 8))
    assert few.returncode == 1 and "ulimit -n" in few.stderr
    server = subprocess.Popen(
        [Server.PROGRAM, "serve", TARGET, "--port", "0"], stderr=subprocess.PIPE, text=True, preexec_fn=limits(64, 200))
    lines = []
    for line in server.stderr:
        lines.append(line)
        if "listening" in line:
            break
    server.terminate()
    server.communicate(timeout=60)
    assert server.returncode == 0
    assert any("connections=136" in line for line in lines), lines


def test_control_characters_of_files_are_shown_as_escapes(tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(TARGET, copy)
    config = json.loads((copy / "config.json").read_text())
    config["model_type"] = "\x1b[31mred\u202e"
    config["architectures"] = ["\x1b]0;title\x07"]
    (copy / "config.json").write_text(json.dumps(config))
    done = run("inspect", str(copy))
    for stream in (done.stdout, done.stderr):
        assert "\x1b" not in stream and "\u202e" not in stream and "\x07" not in stream
    assert "u{1b}" in done.stdout + done.stderr
