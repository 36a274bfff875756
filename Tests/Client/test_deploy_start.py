"""That a deployment starts and finishes: where the real programs would fail, the stand-ins do."""

import functools
import http.server
import itertools
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest
import yaml
from conftest import DRAFT, PROGRAM, ROOT, TARGET
from test_deploy import IMAGE, NAME, OWN, QWEN, VLLM, Rehearsal, deploy, disk, free_port, rehearse  # noqa: F401

SPECULATIVE = f"{NAME}-speculative"
KINDS = [
    # NxD Inference and the plugin, each on the reference pair.
    ("draft_model", "--override-neuron-config"), ("eagle3", "--additional-config"),
]


def prepared(rehearse, method: str) -> Rehearsal:
    rehearsal = rehearse(
        "--engine", "vllm-neuron", "--target", TARGET, "--draft", DRAFT, "--method", method, "--storage", "efs",
        "--tensor-parallel-size", "4", "--max-model-len", "1024", "--with-baseline", *OWN)
    rehearsal.install("vllm", VLLM)
    return rehearsal


def containers(rehearsal: Rehearsal, job: str) -> list[dict]:
    pod = rehearsal.objects["Job", job]["spec"]["template"]["spec"]
    return pod["initContainers"] + pod["containers"]


def without(rehearsal: Rehearsal, job: str, variable: str) -> None:
    for container in containers(rehearsal, job):
        container["env"] = [v for v in container["env"] if v["name"] != variable]


@pytest.mark.parametrize("method,flag", KINDS)
def test_it_compiles_and_keeps(rehearse, method, flag):
    rehearsal = prepared(rehearse, method)
    status, log = rehearsal.job(f"{SPECULATIVE}-compile", free_port())
    assert status == 0, log
    kept = list((rehearsal.folder / "models/compiled").glob("*/**/model.neff"))
    assert len(kept) == 1 and flag in kept[0].read_text()


@pytest.mark.parametrize("method,flag", KINDS)
@pytest.mark.parametrize("variable,words", [
    ("USER", None), ("NEURON_COMPILE_CACHE_URL", "Read-only file system"), ("VLLM_CACHE_ROOT", "Read-only file system"),
    ("NEURON_COMPILED_ARTIFACTS", "Read-only file system"), ("NEURON_SKIP_EFA_AFFINITY", "no network adapter"),
])
def test_without_one_variable_it_does_not(rehearse, method, flag, variable, words):
    rehearsal = prepared(rehearse, method)
    name = f"{SPECULATIVE}-compile"
    rendered = {v["name"] for c in containers(rehearsal, name) for v in c["env"]}
    needed = {
        "draft_model": {"USER", "NEURON_COMPILE_CACHE_URL", "NEURON_COMPILED_ARTIFACTS"},
        "eagle3": {"USER", "NEURON_COMPILE_CACHE_URL", "VLLM_CACHE_ROOT", "NEURON_SKIP_EFA_AFFINITY"},
    }[method]
    assert needed <= rendered
    if variable not in needed:
        return
    without(rehearsal, name, variable)
    if variable == "USER":
        without(rehearsal, name, "LOGNAME")
    status, log = rehearsal.job(name, free_port())
    if variable == "VLLM_CACHE_ROOT":
        # It compiles below HOME then, and nothing is there to be kept.
        words = "is no folder"
    assert status != 0 and (words or "10001") in log, log


def test_the_check_finds_what_the_rehearsal_does(tmp_path):
    deploy(*QWEN, "--bucket", "some-bucket", "--region", "us-east-2", "--output", str(tmp_path / "d"))
    assert "all fit" in deploy("--check", str(tmp_path / "d"))
    file = tmp_path / "d/servers/speculative/deployment.yaml"
    text = file.read_text()
    for variable in ("USER", "NEURON_COMPILE_CACHE_URL", "NEURON_COMPILED_ARTIFACTS"):
        file.write_text(text.replace(f"name: {variable}\n", "name: OTHER\n"))
        result = subprocess.run([PROGRAM, "deploy", "--check", str(tmp_path / "d")], capture_output=True, text=True)
        assert result.returncode == 1 and variable in result.stdout, result.stdout


# Buckets are folders; rights are a file that denies them.
AWS = r"""#!{python}
import os, pathlib, shutil, subprocess, sys
root = pathlib.Path("{volumes}/bucket")
def place(name):
    return root / name.removeprefix("s3://").split("/", 1)[1] if name.startswith("s3://") else pathlib.Path(name)
verb, words = sys.argv[2], [w for w in sys.argv[3:] if w != "--only-show-errors"]
denied = root.parent / "denied"
if denied.exists() and denied.read_text() in verb:
    print("An error occurred (AccessDenied) when calling an operation: Access Denied", file=sys.stderr)
    sys.exit(254)
if verb == "ls":
    sys.exit(0 if place(words[0]).exists() else 1)
source, target = place(words[0]), place(words[1])
if verb == "cp":
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
if verb == "sync" and source.exists():
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-R", "--sparse=always", f"{{source}}/.", str(target)], check=True)
"""


def sparse_model(folder: pathlib.Path, size: float) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with open(folder / "model.safetensors", "wb") as file:
        file.truncate(int(size))


def on_bucket(rehearse, *arguments: str) -> Rehearsal:
    rehearsal = rehearse(*QWEN, "--bucket", "some-bucket", *arguments)
    rehearsal.install("vllm", VLLM)
    rehearsal.install("aws", AWS)
    sparse_model(rehearsal.folder / "bucket/models/Qwen/Qwen3-32B", 65.5e9)
    sparse_model(rehearsal.folder / "bucket/models/Qwen/Qwen3-1.7B", 3.4e9)
    return rehearsal


def test_true_sizes_fit_the_disk_that_is_asked_for(rehearse, tmp_path_factory):
    rehearsal = on_bucket(rehearse)
    jobs = ["qwen3-32b-speculative-compile", "qwen3-32b-baseline-compile"]
    for job in jobs:
        status, log = rehearsal.job(job, free_port())
        assert status == 0, log
    used = [rehearsal.used(job) for job in jobs]
    assert used[0] > 2 * 68e9, "weights, and weights again in shards"
    # Both servers are on one machine: 200 GB, as nodes had, are not enough for them.
    assert sum(used) > 200e9
    deploy(*QWEN, "--bucket", "some-bucket", "--region", "us-east-2", "--node-volume-size", "900", "--output",
           str(tmp_path_factory.mktemp("volume") / "d"))
    refused = subprocess.run(
        [PROGRAM, "deploy", *QWEN, "--bucket", "some-bucket", "--node-volume-size", "200"], capture_output=True,
        text=True)
    assert refused.returncode == 1 and "GiB are needed" in refused.stderr
    needed = int(re.search(r"(\d+) GiB are needed", refused.stderr)[1])
    assert sum(used) < needed * 2**30 * 0.85
    # A pod that asks for less is evicted.
    pod = rehearsal.objects["Job", jobs[0]]["spec"]["template"]["spec"]
    for container in pod["initContainers"]:
        if container["name"] == "compile":
            container["resources"]["limits"]["ephemeral-storage"] = "100Gi"
    assert disk(pod) == 100 << 30
    status, log = rehearsal.job(jobs[0], free_port())
    assert status == 137 and "evicted" in log


def test_hub_names_are_fetched_once_and_never_saved_in_float32(rehearse, tmp_path):
    rehearsal = rehearse(*QWEN, "--storage", "efs", "--revision", "v1")
    rehearsal.install("vllm", VLLM)
    (rehearsal.folder / "bin/foretoken").unlink()
    hub = rehearsal.folder / "python/huggingface_hub"
    hub.mkdir(parents=True)
    (hub / "__init__.py").write_text(
        "import os\n"
        "def snapshot_download(model, revision, local_dir, ignore_patterns):\n"
        "    os.makedirs(local_dir, exist_ok=True)\n"
        "    open(local_dir + '/' + model.replace('/', '-') + '@' + revision, 'w').close()\n"
        "    with open(local_dir + '/model.safetensors', 'wb') as f: f.truncate(1000)\n")
    job = "qwen3-32b-speculative-compile"
    for container in containers(rehearsal, job):
        if container["name"].startswith("fetch"):
            container["env"].append({"name": "PYTHONPATH", "value": str(rehearsal.folder / "python")})
    # The stand-in asks the program for its flags; here none is needed.
    rehearsal.install("foretoken.sh", "")
    (rehearsal.folder / "bin/python3").symlink_to("/usr/bin/python3")
    status, log = rehearsal.job(job, free_port())
    assert status == 0, log
    target = rehearsal.folder / "models/hub/Qwen/Qwen3-32B/v1"
    assert (target / "Qwen-Qwen3-32B@v1").exists()
    assert (rehearsal.folder / "models/hub/Qwen/Qwen3-1.7B/main/Qwen-Qwen3-1.7B@main").exists()
    assert not list((rehearsal.folder / "local").rglob("local-models"))


def test_missing_rights_are_named_before_anything_is_compiled(rehearse):
    rehearsal = on_bucket(rehearse)
    job = "qwen3-32b-speculative-compile"
    (rehearsal.folder / "denied").write_text("ls")
    status, log = rehearsal.job(job, free_port())
    assert status != 0 and "Pod Identity" in log and "nothing complete" not in log, log
    (rehearsal.folder / "denied").write_text("cp")
    status, log = rehearsal.job(job, free_port())
    assert status != 0 and "s3:PutObject" in log and "the server answers" not in log, log
    (rehearsal.folder / "denied").unlink()
    assert rehearsal.job(job, free_port())[0] == 0


class Cluster:
    """What `kubectl apply` leaves behind, as far as names, templates and devices go."""

    def __init__(self):
        self.objects: dict = {}

    @staticmethod
    @functools.cache
    def built(folder: pathlib.Path, overlay: str) -> list[dict]:
        text = subprocess.run(
            ["kubectl", "kustomize", str(folder / "overlays" / overlay)], capture_output=True, text=True, check=True)
        return list(yaml.safe_load_all(text.stdout))

    def apply(self, folder: pathlib.Path, overlay: str) -> None:
        for document in self.built(folder, overlay):
            key = document["kind"], document["metadata"]["name"]
            before = self.objects.get(key)
            if before and document["kind"] == "Job":
                assert before["spec"]["template"] == document["spec"]["template"], f"{key}: field is immutable"
            self.objects[key] = document

    def devices(self) -> int:
        """Of pods that go on running: a Job's are free again."""
        return sum(
            8 * d["spec"]["replicas"] for (kind, _), d in self.objects.items()
            if kind == "Deployment" and "resourceClaims" in d["spec"]["template"]["spec"])


@pytest.mark.skipif(subprocess.run(["which", "kubectl"], capture_output=True).returncode != 0, reason="needs kubectl")
def test_overlays_go_in_any_order_twice(tmp_path):
    folder = tmp_path / "d"
    deploy(*QWEN, "--output", str(folder))
    names = ["compile", "comparison", "production"]
    for order in itertools.permutations(names * 2):
        if order[:3] != tuple(dict.fromkeys(order)):
            continue
        cluster = Cluster()
        for name in order:
            cluster.apply(folder, name)
            assert cluster.devices() <= 16
        if order[-1] == "production":
            assert cluster.devices() == 8, "the baseline gives its devices back"
    kept = {k for k in cluster.objects if k[0] in ("Namespace", "PersistentVolumeClaim")}
    assert kept == {("Namespace", "foretoken"), ("PersistentVolumeClaim", "qwen3-32b-models")}
    # Another window, image or model: Jobs with other names beside the old ones.
    for change in (["--num-speculative-tokens", "5"], ["--image", "registry.example/vllm:9.9.9"], ["--revision", "v2"]):
        other = tmp_path / change[0].strip("-")
        deploy(*QWEN, *change, "--output", str(other))
        before = {k for k in cluster.objects if k[0] == "Job"}
        for name in names:
            cluster.apply(other, name)
        assert {k for k in cluster.objects if k[0] == "Job"} - before, change


KUBECTL = r"""#!{python}
import pathlib, sys
root = pathlib.Path("{volumes}")
words = " ".join(sys.argv[1:])
if " logs " in words:
    print("what the server said last")
elif " get jobs " in words:
    print("a-compile-01234567")
elif " get job " in words:
    states = (root / "states").read_text().split("\n")
    print(states[0].split("|")[0])
    if len(states) > 1:
        (root / "states").write_text("\n".join(states[1:]))
else:
    print((root / "states").read_text().split("\n")[0].partition("|")[2])
"""


@pytest.mark.parametrize("states,code,words", [
    (["", "", "Complete "], 0, "is complete after"),
    (["", "SuccessCriteriaMet ", "SuccessCriteriaMet Complete "], 0, "is complete"),
    (["", "Failed "], 1, "what the server said last"),
    (["FailureTarget ", "FailureTarget Failed "], 1, "has failed"),
    (["|compare registry.example/x:1 ImagePullBackOff Back-off pulling image"] * 3, 1, "ImagePullBackOff"),
    (["|compare registry.example/x:1 ErrImagePull not found", "", "Complete "], 0, "is complete"),
    ([""], 2, "not complete after 3 seconds"),
])
@pytest.mark.parametrize("job", ["job/a-compile-01234567", "app.kubernetes.io/component=compile"])
def test_waiting_ends_as_soon_as_there_is_an_answer(tmp_path, states, code, words, job):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").write_text(KUBECTL.format(python="/usr/bin/env python3", volumes=tmp_path))
    (tmp_path / "bin/kubectl").chmod(0o755)
    (tmp_path / "states").write_text("\n".join(states))
    script = ROOT / "Sources/Deployment/Resources/wait.sh"
    result = subprocess.run(
        ["bash", str(script), "foretoken", "3" if code == 2 else "300", job], capture_output=True, text=True, timeout=60,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin", "WAIT_INTERVAL": "0.2", "WAIT_PULL_SECONDS": "1"})
    assert result.returncode == code, result
    assert words in result.stdout + result.stderr


@pytest.mark.parametrize("requests,seconds", [([], 0), ([2, 1, 0], 2), (["gone"], 0), ([3] * 99, 4)])
def test_a_pod_drains_until_nothing_runs(requests, seconds):
    left = list(requests)

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            running = left.pop(0) if left else 0
            text = (
                "# HELP vllm:num_requests_running Number of requests\n"
                f'vllm:num_requests_running{{model_name="m"}} {running}.0\nvllm:num_requests_waiting{{}} 0.0\n')
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port() if requests == ["gone"] else server.server_port
    start = time.monotonic()
    script = ROOT / "Sources/Deployment/Resources/drain.sh"
    result = subprocess.run(["bash", str(script), str(port), "0", "4"], timeout=60)
    server.shutdown()
    assert result.returncode == 0
    assert seconds <= time.monotonic() - start


@pytest.mark.parametrize("tool", ["docker", "podman", "buildah"])
def test_the_image_is_built_with_what_is_there(tmp_path, tool):
    for name in ("sh", "dirname"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    (tmp_path / tool).write_text(f'#!/bin/sh\necho "{tool} $*" >> {tmp_path}/log\n')
    (tmp_path / tool).chmod(0o755)

    def image(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(ROOT / "Scripts/image"), *arguments], capture_output=True, text=True, env={"PATH": str(tmp_path)})

    assert image(IMAGE, "", "push").returncode == 0
    assert image(IMAGE + "-cuda", "cuda", "").returncode == 0
    log = (tmp_path / "log").read_text().splitlines()
    assert log[0] == f"{tool} build --platform linux/amd64 -t {IMAGE} -f Dockerfile ."
    assert log[1] == f"{tool} push {IMAGE}"
    assert log[2].endswith(f"-t {IMAGE}-cuda-base -f Dockerfile .")
    assert f"--build-arg BASE={IMAGE}-cuda-base -t {IMAGE}-cuda -f deploy/container/cuda.Dockerfile" in log[3]
    assert len(log) == 4
    for wrong in ([], ["registry.example/foretoken"], ["registry.example/foretoken:latest"], [IMAGE, "tpu"]):
        assert image(*wrong).returncode == 2


def test_without_an_image_nothing_is_rendered():
    for arguments, flag in [(QWEN[:-2], "--benchmark-image"), (("--engine", "foretoken", "--target", TARGET), "--image")]:
        result = subprocess.run([PROGRAM, "deploy", *arguments], capture_output=True, text=True)
        assert result.returncode == 1 and not result.stdout
        assert f"{flag} is missing" in result.stderr and "make image" in result.stderr


def test_every_bad_input_is_refused(tmp_path):
    """Each with a sentence, and nothing on standard output."""
    base = ["--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--draft", "Qwen/Qwen3-1.7B"]
    head = ["--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--method", "eagle3", "--draft"]
    for arguments in [
        [*base, "--image", "::::"], [*base, "--image", "UPPER/case:1"], [*base, "--workload", "; rm -rf /"],
        [*base, "--prometheus", "javascript:alert(1)"], [*base, "--prometheus", 'http://x"\n  evil: 1'],
        [*base, "--bucket", "my..bucket"], [*base, "--bucket", "192.168.1.1"], [*base, "--bucket", "xn--abc"],
        [*base, "--namespace", "kube-system"], [*base, "--kubernetes-version", "1.28"],
        [*base, "--tensor-parallel-size", "-1"], [*head, "x y; $(id)"], [*head, "a/../../b", "--bucket", "bbb"],
        ["--engine", "vllm-cuda", "--target", "Qwen/Qwen3-8B", "--draft", "Qwen/Qwen3-0.6B", "--method", "eagle3"],
    ]:
        result = subprocess.run([PROGRAM, "deploy", *arguments], capture_output=True, text=True)
        assert result.returncode == 1 and not result.stdout, arguments
        assert "expected" in result.stderr or "refused" in result.stderr, result.stderr
    tuning = tmp_path / "tuning.json"
    tuning.write_text(
        '{"schema":"foretoken.tuning/1","choice":{"speculates":true,"method":"eagle3","draft":"$(HF_TOKEN)","window":3}}')
    result = subprocess.run(
        [PROGRAM, "deploy", *base[:4], "--from-tuning", str(tuning)], capture_output=True, text=True)
    assert result.returncode == 1 and "'$(HF_TOKEN)'; expected" in result.stderr


def test_the_next_steps_are_quoted(tmp_path):
    folder = tmp_path / "a b; touch PWNED #"
    text = deploy(*QWEN, "--output", str(folder))
    lines = text.split("Next\n")[1].strip().splitlines()
    script = "kubectl() { :; }\nmake() { :; }\nbash() { :; }\n" + "\n".join(lines)
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, check=True)
    assert not list(tmp_path.rglob("PWNED"))


class Discovery(http.server.BaseHTTPRequestHandler):
    """An API server that knows which kinds there are and has no object yet: enough for `kubectl --dry-run=client`."""

    KINDS = {
        "v1": ["ConfigMap", "Namespace!", "PersistentVolumeClaim", "Service", "ServiceAccount"],
        "apps/v1": ["Deployment"], "batch/v1": ["Job"], "policy/v1": ["PodDisruptionBudget"],
        "networking.k8s.io/v1": ["NetworkPolicy"], "storage.k8s.io/v1": ["StorageClass!"],
        "resource.k8s.io/v1": ["ResourceClaimTemplate"], "autoscaling/v2": ["HorizontalPodAutoscaler"],
        "monitoring.coreos.com/v1": ["ServiceMonitor", "PrometheusRule"], "keda.sh/v1alpha1": ["ScaledObject"],
        "gateway.networking.k8s.io/v1": ["HTTPRoute", "Gateway"],
        "inference.networking.k8s.io/v1": ["InferencePool"], "rbac.authorization.k8s.io/v1": ["Role", "RoleBinding"],
    }

    def do_GET(self):
        path = self.path.split("?")[0].strip("/")
        if path == "api":
            body = {"kind": "APIVersions", "versions": ["v1"]}
        elif path == "apis":
            versions = [v for v in self.KINDS if "/" in v]
            body = {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": v.split("/")[0], "versions": [{"groupVersion": v, "version": v.split("/")[1]}],
                 "preferredVersion": {"groupVersion": v, "version": v.split("/")[1]}} for v in versions]}
        elif (version := path.removeprefix("apis/").removeprefix("api/")) in self.KINDS:
            def plural(kind: str) -> str:
                return kind[:-1] + "ies" if kind.endswith("y") else kind + ("es" if kind.endswith("s") else "s")
            body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": [
                {"name": plural(kind.strip("!").lower()), "singularName": "", "namespaced": "!" not in kind,
                 "kind": kind.strip("!"), "verbs": ["get", "list", "create", "patch"]} for kind in self.KINDS[version]]}
        else:
            body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        self.send_response(body.get("code", 200))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_):
        pass


@pytest.mark.skipif(subprocess.run(["which", "kubectl"], capture_output=True).returncode != 0, reason="needs kubectl")
def test_kubectl_takes_every_command_of_the_guide(tmp_path):
    folder = tmp_path / "deploy"
    text = deploy(
        *QWEN, "--region", "us-east-2", "--zones", "us-east-2b,us-east-2a", "--capacity-block", "cr-0123456789abcdef0",
        "--output", str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Discovery)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"

    def apply(*arguments: str) -> str:
        command = ["kubectl", f"--server={address}", "apply", "--dry-run=client", "--validate=false", *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HOME": str(tmp_path)})
        assert result.returncode == 0, result.stderr
        return result.stdout

    taken = apply("-f", str(folder / "cluster/storage-class.yaml")) + apply("-f", str(folder / "base/namespace.yaml"))
    for overlay in ("compile", "comparison", "production"):
        taken += apply("-k", str(folder / "overlays" / overlay))
    server.shutdown()
    assert all(line.endswith("created (dry run)") for line in taken.splitlines())
    for job in re.findall(r"job/(\S+?-[0-9a-f]{8})", text):
        assert f"job.batch/{job} created (dry run)" in taken
    # The guide's commands are those that are printed.
    guide = (ROOT / "docs/trainium2.md").read_text()
    for line in text.split("Next\n")[1].strip().splitlines():
        words = re.sub(r"job/(\S+)-[0-9a-f]{8}", r"job/\1-…", line.strip()).replace(str(folder), "deploy")
        if not words.startswith(("make image", "helm")):
            assert words in guide, words
