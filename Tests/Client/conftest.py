"""Starts the server on the shipped pair once, on a free port, and gives tests clients for it."""

import os
import pathlib
import re
import signal
import subprocess
import threading

import httpx2 as httpx
import openai
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("FORETOKEN", str(ROOT / ".build/release/foretoken"))
TARGET = str(ROOT / "Models/foretoken-reference-target")
DRAFT = str(ROOT / "Models/foretoken-reference-draft")
NAME = "foretoken-reference-target"


class Server:
    """A running server."""

    PROGRAM = PROGRAM

    def __init__(
        self, *arguments: str, target: str = TARGET, speculation: bool = True,
        environment: dict[str, str] | None = None
    ):
        command = [PROGRAM, "serve", target, "--port", "0", *arguments]
        if speculation:
            command += ["--draft-model", DRAFT]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
        self.log: list[str] = []
        self.url = ""
        listening = threading.Event()
        # The log is read all the time: a full pipe would hold up the server.
        self.reading = threading.Thread(target=self._read, args=(listening,), daemon=True)
        self.reading.start()
        listening.wait(60)
        if not self.url:
            self.process.kill()
            self.reading.join()
            raise RuntimeError("the server did not start:\n" + "".join(self.log))

    def _read(self, listening: threading.Event) -> None:
        for line in self.process.stderr:
            self.log.append(line)
            if found := re.search(r"http://[0-9.]+:[0-9]+", line):
                self.url = self.url or found[0]
                listening.set()
        listening.set()

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Sends a signal and waits for the end; gives the exit status. The log is complete then."""
        self.process.send_signal(how)
        return self.wait()

    def wait(self) -> int:
        """Waits for the end after a signal that was sent before; gives the exit status. The log is complete then."""
        status = self.process.wait(timeout=60)
        self.reading.join()
        return status

    def openai(self, key: str = "none") -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url + "/v1", api_key=key, max_retries=0, timeout=60)

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def metrics(self) -> dict[str, float]:
        """Every line of /metrics by its name and labels without the model's."""
        values = {}
        for line in httpx.get(self.url + "/metrics").text.splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                name = re.sub(r'model_name="[^"]*",engine="0",?', "", name).replace("{}", "")
                values[name] = float(value)
        return values


@pytest.fixture
def start():
    """Starts further servers with other flags; stops them at the end."""
    servers: list[Server] = []

    def begin(*arguments: str, **more) -> Server:
        servers.append(Server(*arguments, **more))
        return servers[-1]

    yield begin
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="session")
def server():
    server = Server("--max-num-seqs", "4", "--threads", "2")
    yield server
    assert server.stop() == 0


@pytest.fixture
def client(server):
    return server.openai()


@pytest.fixture
def http(server):
    with server.http() as client:
        yield client
