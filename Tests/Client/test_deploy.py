"""`foretoken deploy` from outside: Helm's own rendering, and a rehearsal without a cluster.

The rehearsal takes a rendered deployment, finds the containers' commands, and runs them as plain processes: what
prepares, the server, the benchmark. Places of a pod (/models, /local, …) are folders here; the network is loopback.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import yaml
from conftest import DRAFT, PROGRAM, ROOT, TARGET

def deploy(*arguments: str) -> str:
    result = subprocess.run([PROGRAM, "deploy", *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout


IMAGE = "registry.example/foretoken:0.1.0"
OWN = ("--benchmark-image", IMAGE)
QWEN = (
    "--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--draft", "Qwen/Qwen3-1.7B", "--with-baseline", *OWN)


def switched_on(values: dict) -> dict:
    return {
        key: True if key == "enabled" else switched_on(value) if isinstance(value, dict) else value
        for key, value in values.items()
    }


def by_name(documents) -> dict:
    """Objects by kind and name; a Job's without the hash of its template."""
    found = {}
    for document in documents:
        if document:
            kind, name = document["kind"], document["metadata"]["name"]
            found[kind, re.sub("-[0-9a-f]{8}$", "", name) if kind == "Job" else name] = document
    return found


def without_hashes(objects: dict) -> dict:
    for (kind, name), document in objects.items():
        if kind == "Job":
            assert re.fullmatch(re.escape(name) + "-[0-9a-f]{8}", document["metadata"]["name"])
            document["metadata"]["name"] = name
    return objects


@pytest.mark.parametrize("storage", ["pvc", "s3"])
def test_helm_renders_what_kustomize_has(tmp_path, storage):
    helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed")
    bucket = ["--bucket", "some-bucket"] if storage == "s3" else []
    deploy(*QWEN, *bucket, "--format", "helm", "--output", str(tmp_path / "chart"))
    tree = by_name(yaml.safe_load_all(deploy(*QWEN, *bucket)))
    values = switched_on(yaml.safe_load((tmp_path / "chart/values.yaml").read_text()))
    with helm.Chart.load(str(tmp_path / "chart")) as chart:
        rendered = chart.render(values=values, name="trial", namespace="foretoken")
    text = rendered if isinstance(rendered, str) else "\n---\n".join(
        rendered.values() if isinstance(rendered, dict) else rendered)
    chart_objects = by_name(yaml.safe_load_all(text))
    tree.pop(("Namespace", "foretoken"))
    assert without_hashes(chart_objects) == without_hashes(tree)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bytes_of(quantity: str) -> int:
    number, unit = re.fullmatch(r"([0-9]+)(Ki|Mi|Gi|Ti)?", quantity).groups()
    return int(number) << {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}[unit]


def disk(pod: dict) -> int:
    """What a pod may have on the node's disk: its containers together, or one of the first ones."""
    def limits(which: str) -> list[int]:
        return [bytes_of(c["resources"]["limits"].get("ephemeral-storage", "0")) for c in pod.get(which, [])]
    return max(sum(limits("containers")), max(limits("initContainers"), default=0))


class Rehearsal:
    """A machine that is no cluster: folders for volumes, ports for services."""

    def __init__(self, folder: pathlib.Path, documents: list[dict]):
        self.folder = folder
        self.objects = by_name(documents)
        self.ports = {name: free_port() for kind, name in self.objects if kind == "Service"}
        self.processes: list[subprocess.Popen] = []
        for place in ("models", "results", "scripts", "bin", "tmp"):
            (folder / place).mkdir()
        scripts = next(d for d in documents if d["kind"] == "ConfigMap" and "sync.sh" in d["data"])
        for name, text in scripts["data"].items():
            (folder / "scripts" / name).write_text(text)
        (folder / "bin/foretoken").symlink_to(PROGRAM)

    def install(self, name: str, text: str) -> None:
        """A stand-in for a program of an image."""
        program = self.folder / "bin" / name
        program.write_text(text.format(python=sys.executable, volumes=self.folder))
        program.chmod(0o755)

    def place(self, text: str, pod: str) -> str:
        """A pod's paths, host names and port as they are here."""
        local = self.folder / "local" / pod
        local.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"(?<![\w.])/local\b", str(local), text)
        text = re.sub(r"(?<![\w.:])/(models|results|scripts)\b", lambda m: str(self.folder / m[1]), text)
        for service, port in self.ports.items():
            text = text.replace(f"http://{service}", f"http://127.0.0.1:{port}")
        return text

    def start(self, container: dict, pod: str, port: int | None = None) -> subprocess.Popen:
        command = [self.place(part, pod) for part in container.get("command", []) + container.get("args", [])]
        if port is not None:
            command = [str(port) if part == "8000" else part for part in command]
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin", "TMPDIR": str(self.folder / "tmp"),
            **{k: v for k, v in os.environ.items() if k in ("LD_LIBRARY_PATH", "PYTHONPATH")},
        }
        for variable in container.get("env", []):
            if "value" in variable:
                environment[variable["name"]] = self.place(variable["value"], pod)
        if port is not None and "PORT" in environment:
            environment["PORT"] = str(port)
        directory = self.place(container.get("workingDir", "/local"), pod)
        process = subprocess.Popen(
            command, env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True)
        self.processes.append(process)
        return process

    def run(self, container: dict, pod: str, port: int | None = None) -> tuple[int, str]:
        process = self.start(container, pod, port)
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    def used(self, pod: str) -> int:
        """Bytes that a pod's files on the node's disk have; a hole counts as what it stands for."""
        folder = self.folder / "local" / pod
        return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())

    def job(self, name: str, port: int | None = None) -> tuple[int, str]:
        """Containers one after another, as a pod runs them; the last one's status is the job's. A pod that outgrows
        what it asked for on the node's disk is evicted."""
        pod = self.objects["Job", name]["spec"]["template"]["spec"]
        log = ""
        for container in pod.get("initContainers", []) + pod["containers"]:
            status, output = self.run(container, name, port)
            log += output
            if self.used(name) > disk(pod):
                return 137, log + f"evicted: {self.used(name)} bytes on the node's disk, asked for {disk(pod)}"
            if status:
                break
        return status, log

    def serve(self, name: str) -> None:
        pod = self.objects["Deployment", name]["spec"]["template"]["spec"]
        for container in pod.get("initContainers", []):
            status, output = self.run(container, name)
            assert status == 0, output
        container = pod["containers"][0]
        self.start(container, name, self.ports[name])

    def answers(self, name: str) -> bool:
        path = self.objects["Deployment", name]["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
        url = f"http://127.0.0.1:{self.ports[name]}{path['httpGet']['path']}"
        try:
            return urllib.request.urlopen(url, timeout=5).status == 200
        except OSError:
            return False

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@pytest.fixture
def rehearse(tmp_path):
    rehearsals = []

    def make(*arguments: str) -> Rehearsal:
        documents = [d for d in yaml.safe_load_all(deploy(*arguments)) if d]
        rehearsal = Rehearsal(tmp_path, documents)
        rehearsals.append(rehearsal)
        for model in (TARGET, DRAFT):
            shutil.copytree(model, tmp_path / "models" / pathlib.Path(model).name)
        return rehearsal

    yield make
    for rehearsal in rehearsals:
        rehearsal.end()


# vLLM's place is taken by Foretoken's server, which gets every rendered argument that it knows but the number of
# accelerators. Around it the stand-in does what the two Neuron images do: it ends where its user has no name, where the
# compiler's cache is not on a volume, and, as the plugin, where it would look for network adapters or a prefix cache; it
# compiles into the folder that its version compiles into; and NxD Inference writes the weights a second time, in shards,
# and a hub's model in float32 before that. Models of which there are only sizes are sparse files, and answers too then.
VLLM = r"""#!{python}
import getpass, http.server, json, os, pathlib, re, sys
sys.stdout.reconfigure(line_buffering=True)
os.getuid = lambda: 10001  # pods' user; PyTorch asks for its name on import
print("user", getpass.getuser())
known = set(re.findall(r"--([a-z][a-z-]*)", os.popen("foretoken serve --help").read()))
arguments, rest, given = ["foretoken", "serve"], sys.argv[2:], {{}}
while rest:
    part = rest.pop(0)
    if not part.startswith("--"):
        arguments.append(part)
        continue
    value = rest.pop(0) if rest and not rest[0].startswith("--") else None
    given[part] = value
    if part == "--speculative-config":
        config = json.loads(value)
        value = json.dumps({{"method": "draft_model", "model": config["model"],
                             "num_speculative_tokens": config["num_speculative_tokens"]}})
    elif part.endswith("-config"):
        json.loads(value)
    if part[2:] in known and part not in ("--tensor-parallel-size", "--no-enable-prefix-caching"):
        arguments += [part] if value is None else [part, value]

def volume(name, default):
    place = os.environ.get(name, default)
    if not place.startswith("{volumes}"):
        sys.exit(f"{{name}}: [Errno 30] Read-only file system: '{{place}}'")
    return pathlib.Path(place)

def sparse(file, size):
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "wb") as out:
        out.truncate(size)

def size(folder):
    return sum(f.stat().st_size for f in pathlib.Path(folder).rglob("*.safetensors"))

models = [arguments[2]] + ([config["model"]] if "--speculative-config" in given else [])
volume("NEURON_COMPILE_CACHE_URL", "/var/tmp/neuron-compile-cache").mkdir(parents=True, exist_ok=True)
if "--additional-config" in given:
    if os.environ.get("NEURON_SKIP_EFA_AFFINITY") != "1":
        sys.exit("no network adapter with EFA beside the devices")
    if given["--max-num-batched-tokens"] == given["--max-model-len"] and "--no-enable-prefix-caching" not in given:
        sys.exit("prefix caching needs segmented prefill")
    compiled = volume("VLLM_CACHE_ROOT", os.environ["HOME"] + "/.cache/vllm") / "neuron/compile_cache/0123"
else:
    compiled = volume("NEURON_COMPILED_ARTIFACTS", "local-models")
if not (compiled / "model.neff").exists():
    compiled.mkdir(parents=True, exist_ok=True)
    if "--additional-config" not in given:
        for number, model in enumerate(models):
            if not os.path.isdir(model):
                billions = float(re.search(r"([0-9.]+)B", model)[1])
                sparse(pathlib.Path("local-models") / model / "model.safetensors", int(4e9 * billions))
            sparse(compiled / f"weights/{{number}}_sharded_checkpoint.safetensors", size(model))
    (compiled / "model.neff").write_text(" ".join(sys.argv))
    (compiled / "compiled-here").write_text(str(os.getpid()))
if all((pathlib.Path(model) / "tokenizer.json").exists() for model in models):
    os.execvp("foretoken", arguments)

class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(given["--port"])), Healthy).serve_forever()
"""

NAME = "foretoken-reference-target"


def wait_for(rehearsal: Rehearsal, *names: str) -> None:
    import time
    for _ in range(600):
        if all(rehearsal.answers(name) for name in names):
            return
        assert all(p.poll() is None or p.returncode == 0 for p in rehearsal.processes), "a process ended"
        time.sleep(0.1)
    raise AssertionError("the servers do not answer")


def has_compare() -> bool:
    listing = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True).stdout
    return re.search(r"^ +compare\b", listing, re.M) is not None


def test_foretoken_serves_what_was_rendered(rehearse):
    rehearsal = rehearse(
        "--engine", "foretoken", "--target", TARGET, "--draft", DRAFT, "--with-baseline", "--storage", "efs",
        "--max-model-len", "512", "--image", IMAGE)
    names = [f"{NAME}-speculative", f"{NAME}-baseline"]
    for name in names:
        rehearsal.serve(name)
    wait_for(rehearsal, *names)
    answers = []
    for name in names:
        body = json.dumps({
            "model": NAME, "prompt": "[1, 2, 3,", "max_tokens": 24, "temperature": 0}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{rehearsal.ports[name]}/v1/completions", body, {"Content-Type": "application/json"})
        answers.append(json.load(urllib.request.urlopen(request, timeout=60))["choices"][0]["text"])
    assert answers[0] == answers[1]


def test_compile_serve_and_compare_end_in_a_report(rehearse):
    if not has_compare():
        pytest.skip("this build has no foretoken compare")
    rehearsal = rehearse(
        "--engine", "vllm-neuron", "--target", TARGET, "--draft", DRAFT, "--with-baseline", "--storage", "efs",
        "--tensor-parallel-size", "4", "--max-model-len", "1024", "--workload", "structured",
        "--min-speedup", "0.01", *OWN)
    rehearsal.install("vllm", VLLM)
    names = [f"{NAME}-speculative", f"{NAME}-baseline"]
    for name in names:
        status, log = rehearsal.job(f"{name}-compile", free_port())
        assert status == 0, log
        assert "compile: the server answers" in log
    kept = list((rehearsal.folder / "models/compiled").glob("*/COMPLETE"))
    assert len(kept) == 2, "each command line compiles something of its own"
    for name in names:
        rehearsal.serve(name)
        here = rehearsal.folder / "local" / name / "compiled"
        assert (here / "model.neff").exists(), "compiled programs are restored before the server starts"
    wait_for(rehearsal, *names)
    status, log = rehearsal.job(f"{NAME}-benchmark")
    assert status == 0, log
    report = json.loads((rehearsal.folder / f"models/results/{NAME}/comparison.json").read_text())
    assert report
    # The same, with a threshold that cannot be met: the report is kept and the job fails.
    benchmark = rehearsal.objects["Job", f"{NAME}-benchmark"]["spec"]["template"]["spec"]
    compare = benchmark["initContainers"][0]
    compare["args"][compare["args"].index("--min-speedup") + 1] = "99"
    status, log = rehearsal.job(f"{NAME}-benchmark")
    assert status == 1, log


def test_refusals_are_sentences_with_sums():
    for arguments, words in [
        (["--tensor-parallel-size", "24"], ["64 / 24 leaves 16", "1, 2, 4, 8, 16, 32, 64"]),
        (["--num-speculative-tokens", "0"], ["expected 1 to 32"]),
        (["--draft", "meta-llama/Llama-3.2-1B-Instruct"], ["another tokenizer", "128256"]),
    ]:
        result = subprocess.run(
            [PROGRAM, "deploy", *QWEN[:4], "--draft", "Qwen/Qwen3-1.7B", *arguments] if "--draft" not in arguments
            else [PROGRAM, "deploy", *QWEN[:4], *arguments], capture_output=True, text=True, timeout=60)
        assert result.returncode == 1 and not result.stdout
        for word in words:
            assert word in result.stderr, result.stderr
        assert "\x1b" not in result.stderr


def test_the_check_says_where(tmp_path):
    deploy(*QWEN, "--output", str(tmp_path / "d"))
    assert "all fit" in deploy("--check", str(tmp_path / "d"))
    file = tmp_path / "d/servers/speculative/deployment.yaml"
    file.write_text(file.read_text().replace("runAsNonRoot: true", "runAsNonRoot: false"))
    result = subprocess.run([PROGRAM, "deploy", "--check", str(tmp_path / "d")], capture_output=True, text=True)
    assert result.returncode == 1
    assert "servers/speculative/deployment.yaml: Deployment/qwen3-32b-speculative" in result.stdout
    assert "securityContext.runAsNonRoot" in result.stdout
