"""`foretoken models`, `pull` and `doctor`."""

import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import threading

import pytest
from conftest import DRAFT, ROOT, TARGET
from test_commands import run


def cached(home, name, source, quantization=None):
    """Puts a directory into a Hugging Face cache, as a pull would."""
    folder = home / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / ("c0ffee12" * 5)
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("c0ffee12" * 5)
    for file in pathlib.Path(source).iterdir():
        blob = folder / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(blob)
    return folder


def test_models_says_what_is_here_and_what_goes_together(tmp_path):
    head = str(ROOT / "Models/foretoken-reference-eagle3")
    cached(tmp_path, "org/target", TARGET)
    cached(tmp_path, "org/draft", DRAFT)
    cached(tmp_path, "org/head", head)
    broken = cached(tmp_path, "org/broken", DRAFT)
    next(broken.glob("snapshots/*/tokenizer.json")).unlink()
    part = tmp_path / "hub/models--org--part/blobs"
    part.mkdir(parents=True)
    (part / "abc.incomplete").write_bytes(b"x" * 1000)
    environment = {**os.environ, "HF_HOME": str(tmp_path), "FORETOKEN_CACHE": str(tmp_path / "kept")}
    result = run("models", "--json", env=environment, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    models = {model["name"]: model for model in report["models"]}
    assert set(models) == {"org/target", "org/draft", "org/head", "org/broken", "org/part"}
    assert models["org/target"]["kind"] == "model" and models["org/head"]["kind"] == "eagle3"
    assert models["org/target"]["format"] == "safetensors BF16" and models["org/target"]["parameters"] > 7e6
    assert models["org/target"]["bytes"] == os.stat(f"{TARGET}/model.safetensors").st_size
    assert models["org/target"]["memory_bytes"]["int4"] < models["org/target"]["memory_bytes"]["int8"]
    assert "tokenizer.json" in models["org/broken"]["problems"][0]
    assert "foretoken pull org/part" in models["org/part"]["problems"][0] and models["org/part"]["bytes"] == 1000
    assert report["fits"] == [{"target": "org/target", "draft_models": ["org/draft"], "heads": ["org/head"], "carries_mtp": False}]
    text = run("models", env=environment, cwd=tmp_path).stdout
    assert "What goes together" in text and "foretoken generate -m org/target --draft-model org/head" in text
    assert "To free room" in text and str(tmp_path / "hub") in text
    # The command that it names works.
    shown = run(*re.search(r"foretoken (generate .*) 'Hello'", text)[1].split(), "--max-tokens", "2", "Hello", env=environment)
    assert shown.returncode == 0, shown.stderr


def test_models_without_any_says_how_to_get_one(tmp_path):
    environment = {**os.environ, "HF_HOME": str(tmp_path), "FORETOKEN_CACHE": str(tmp_path / "kept")}
    result = run("models", env=environment, cwd=tmp_path)
    assert result.returncode == 0 and "foretoken pull" in result.stdout
    assert json.loads(run("models", "--json", env=environment, cwd=tmp_path).stdout)["models"] == []
    assert run("models", str(tmp_path / "none")).returncode == 64


class Hub(http.server.BaseHTTPRequestHandler):
    """A hub with one repository: the shipped draft, and a GGUF file of two quantizations that are none."""

    files = {path.name: path.read_bytes() for path in pathlib.Path(DRAFT).iterdir()}
    quantized = {"many-Q4_K_M.gguf": b"4" * 4000, "many-Q8_0.gguf": b"8" * 8000}

    def do_GET(self):
        found = re.fullmatch(r"/api/models/org/(\w+)/revision/main\?blobs=true", self.path)
        if found:
            files = {"draft": self.files, "many": self.quantized}.get(found[1], {})
            listing = [
                {"rfilename": name, "size": len(data), "blobId": "a" * 40,
                 "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}} for name, data in files.items()]
            return self.answer(json.dumps({"sha": "c0ffee12" * 5, "siblings": listing}).encode())
        self.answer({**self.files, **self.quantized}.get(self.path.split("/")[-1], b""))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def test_after_a_pull_the_next_command_works(hub):
    result = run("pull", "org/draft", env=hub)
    assert result.returncode == 0, result.stderr
    assert (pathlib.Path(result.stdout.strip()) / "model.safetensors").exists()
    assert "Next: foretoken chat org/draft" in result.stderr
    chat = run("chat", "org/draft", "--max-tokens", "2", env=hub, input="Hi\n/exit\n")
    assert chat.returncode == 0 and chat.stdout.strip()


def test_a_quantization_that_there_is_not_lists_those_that_there_are(hub):
    wrong = run("pull", "org/many", "--gguf", "Q5_K_M", env=hub)
    assert wrong.returncode == 1 and "Q4_K_M (4.0 kB), Q8_0 (8.0 kB)" in wrong.stderr
    right = run("pull", "org/many", "--gguf", "Q8_0", env=hub)
    # The file is none, which is said, and what to do then.
    assert right.returncode == 0 and "cannot be run" in right.stderr and "foretoken inspect org/many:Q8_0" in right.stderr
    assert run("pull", "org/many:Q4_0", "--gguf", "Q8_0", env=hub).returncode == 64


def test_doctor_looks_at_everything_and_estimates(hub, tmp_path):
    result = run("doctor", "--online", "--json", env={**hub, "FORETOKEN_CACHE": str(tmp_path / "kept")})
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(result.stdout)
    checks = {check["name"]: check for check in report["diagnosis"]["checks"]}
    assert {"processor", "kernels", "cores", "threads", "memory", "read bandwidth", "models", "hub", "reachable"} <= set(checks)
    assert checks["reachable"]["state"] == "ok" and checks["reachable"]["found"] == "yes"
    assert all(check["advice"] for check in checks.values() if check["state"] in ("warning", "fault"))
    expected = report["diagnosis"]["expected"]
    assert len(expected) == 6 and all(one["tokens_per_second"] > 0 for one in expected)
    speed = {(one["model"][-4:], one["quantization"]): one["tokens_per_second"] for one in expected}
    assert speed["0.6B", "int4"] > speed["0.6B", "int8"] > speed["n3-4B", "int8"] if ("n3-4B", "int8") in speed else True
    # The bound is that of bytes over bandwidth, within what the KV cache and arithmetic add.
    for one in expected:
        assert one["tokens_per_second"] <= report["diagnosis"]["ceilings"]["read_bytes"] / one["weight_bytes"]


def test_doctor_fails_where_models_cannot_be_kept_or_a_plugin_is_missing(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("doctor", env={**os.environ, "HF_HOME": str(tmp_path / "file"), "HF_HUB_CACHE": str(tmp_path / "file")})
    assert result.returncode == 1 and "FAULT" in result.stdout and "HF_HOME" in result.stdout
    missing = run("doctor", "--pjrt-plugin", str(tmp_path / "none.so"))
    assert missing.returncode == 1 and "none.so" in missing.stdout
