"""A sweep over drafts and windows, rehearsed from the rendered Job to the page: several servers of Foretoken in vLLM's
place, one after another beside one without speculation. An interruption and a draft that does not load are part of it."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
import yaml
from conftest import DRAFT, PROGRAM, TARGET
from test_deploy import NAME, VLLM, Rehearsal, deploy, free_port, wait_for

BROKEN = "broken-draft"


class Sweep(Rehearsal):
    """Runs the Job's pods as a cluster would: by number, sidecars beside the others."""

    def __init__(self, folder, documents):
        super().__init__(folder, documents)
        self.candidates = next(
            d["data"] for d in documents if d["kind"] == "ConfigMap" and "0.arguments" in d["data"])
        [self.sweep] = [n for (kind, n), d in self.objects.items() if kind == "Job" and "completions" in d["spec"]]
        [self.page] = [n for kind, n in self.objects if kind == "Job" and "-sweep-report" in n]
        self.port = free_port()

    @property
    def count(self) -> int:
        return self.objects["Job", self.sweep]["spec"]["completions"]

    def place(self, text: str, pod: str) -> str:
        text = text.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{self.port}")
        text = re.sub(r"(?<![\w.:])/sweep\b", str(self.folder / "candidates" / pod), text)
        return super().place(text, pod)

    def numbered(self, container: dict, number: int) -> dict:
        container = copy.deepcopy(container)
        container["env"] = [e for e in container.get("env", []) if e["name"] != "PORT"] + [
            {"name": "JOB_COMPLETION_INDEX", "value": str(number)}, {"name": "PORT", "value": str(self.port)}]
        return container

    def pod(self, number: int, interrupt: bool = False) -> tuple[int, str]:
        """One candidate's pod. Its status is that of the container that fails, or of the last."""
        pod, name = self.objects["Job", self.sweep]["spec"]["template"]["spec"], f"sweep-{number}"
        shutil.rmtree(self.folder / "local" / name, ignore_errors=True)
        shutil.rmtree(self.folder / "results", ignore_errors=True)
        (self.folder / "results").mkdir()
        folder = self.folder / "candidates" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in self.candidates.items():
            lines = [str(self.port) if line == "8000" else line for line in self.place(text, name).splitlines()]
            (folder / file).write_text(text if file.endswith(".jsonl") or len(lines) == 1 else "\n".join(lines) + "\n")
            if len(lines) == 1 and not file.endswith(".jsonl"):
                (folder / file).write_text(self.place(text, name))
        log, sidecars = "", []
        try:
            for container in pod["initContainers"] + pod["containers"]:
                container = self.numbered(container, number)
                if container.get("restartPolicy") == "Always":
                    sidecars.append(self.start(container, name))
                    probe = {**container, "command": container["startupProbe"]["exec"]["command"], "args": []}
                    for _ in range(300):
                        if self.run(probe, name)[0] == 0:
                            break
                        time.sleep(0.2)
                    else:
                        raise AssertionError("the startup probe never succeeds")
                    continue
                if interrupt and container["name"] == "compare":
                    process = self.start(container, name)
                    time.sleep(1.0)
                    os.killpg(process.pid, signal.SIGKILL)
                    return 137, log
                status, output = self.run(container, name)
                log += output
                if status:
                    return status, log
            return 0, log
        finally:
            for process in sidecars:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)

    def kept(self) -> dict[str, list[str]]:
        folder = self.folder / f"models/results/{NAME}-sweep"
        return {d.name: sorted(f.name for f in d.iterdir() if f.suffix == ".json") for d in sorted(folder.iterdir())}


@pytest.fixture
def sweep(tmp_path):
    made = []

    def make(*arguments: str) -> Sweep:
        documents = [d for d in yaml.safe_load_all(deploy(*arguments)) if d]
        made.append(Sweep(tmp_path, documents))
        for model in (TARGET, DRAFT):
            shutil.copytree(model, tmp_path / "models" / os.path.basename(model))
        made[-1].install("vllm", VLLM)
        return made[-1]

    yield make
    for one in made:
        one.end()


def test_a_sweep_ends_in_one_page(sweep, tmp_path):
    broken = tmp_path / BROKEN
    shutil.copytree(DRAFT, broken)
    dataset = tmp_path / "own.jsonl"
    dataset.write_text("".join(
        json.dumps({"prompt": f"Count from {n} to {n + 9}: ", "category": "counting", "output_tokens": 48}) + "\n"
        for n in range(12)))
    rehearsal = sweep(
        "--engine", "vllm-neuron", "--target", TARGET, "--drafts", f"{DRAFT},{broken}", "--sweep", "windows=2,5",
        "--dataset", str(dataset), "--storage", "efs", "--tensor-parallel-size", "4", "--max-model-len", "1024",
        "--workload", "structured", "--benchmark-image", "registry.example/foretoken:0.1.0")
    assert rehearsal.count == 4
    # Of this draft there is a shape and no weights: its server ends.
    shutil.copytree(DRAFT, tmp_path / "models" / BROKEN)
    (tmp_path / "models" / BROKEN / "model.safetensors").write_bytes(b"")

    baseline = f"{NAME}-baseline"
    [compile_job] = [n for kind, n in rehearsal.objects if kind == "Job" and n.startswith(f"{baseline}-compile")]
    status, log = rehearsal.job(compile_job, free_port())
    assert status == 0, log
    rehearsal.serve(baseline)
    wait_for(rehearsal, baseline)

    names = [rehearsal.candidates[f"{n}.name"] for n in range(4)]
    # The first is interrupted while it is compared: nothing of it counts as measured, and what it compiled is kept.
    status, log = rehearsal.pod(0, interrupt=True)
    assert status == 137, log
    assert not any(rehearsal.kept().values())
    stores = list((rehearsal.folder / "models/compiled").glob("*/COMPLETE"))
    assert len(stores) == 2, "the baseline's and the candidate's"
    for number in range(4):
        status, log = rehearsal.pod(number)
        if names[number].startswith(BROKEN):
            assert status == 3, log
        else:
            assert status == 0, log
    kept = rehearsal.kept()
    whole = ["dataset.json", "structured.json"]
    assert [kept[name] for name in names] == [whole, whole, ["failure.json"], ["failure.json"]]
    # Applied again: what was measured is left as it is, and what failed is tried again.
    first = rehearsal.folder / f"models/results/{NAME}-sweep/{names[0]}/structured.json"
    before = first.read_bytes()
    status, log = rehearsal.pod(0)
    assert status == 0 and "has been measured" in log and first.read_bytes() == before
    shutil.rmtree(tmp_path / "models" / BROKEN)
    shutil.copytree(DRAFT, tmp_path / "models" / BROKEN)
    status, log = rehearsal.pod(2)
    assert status == 0, log
    assert rehearsal.kept()[names[2]] == whole

    result = json.loads(first.read_text())
    notes = result["a"]["metadata"]
    assert notes["sweep_draft"] == os.path.basename(DRAFT) and notes["sweep_window"] == "2"
    # Half of a trn2.48xlarge would be 8 devices; tensor parallel 4 takes one, and one of 16 is what it costs.
    assert float(notes["price_per_hour"]) == pytest.approx(35.7608 / 16, abs=1e-3)
    assert "1 of 16 devices" in notes["price_source"] and "2026-05-21" in notes["price_source"]
    # How close the estimate comes depends on how busy this machine is; StepEstimateTests has its arithmetic.
    assert result["a"]["spec_decode_acceptance_length"] > 1 and result["a"]["tokens_per_step_estimate"] >= 1
    assert result["overall"]["outputs"]["equal"] == result["overall"]["outputs"]["compared"]

    # The page, as the report's Job prints it.
    shutil.rmtree(rehearsal.folder / "results")
    (rehearsal.folder / "results").mkdir()
    pod = rehearsal.objects["Job", rehearsal.page]["spec"]["template"]["spec"]
    for container in pod["initContainers"]:
        status, log = rehearsal.run(container, "page")
        assert status == 0, log
    printed = {}
    for container in pod["containers"]:
        process = rehearsal.start(container, "page")
        printed[container["name"]], _ = process.communicate(timeout=60)
        assert process.returncode == 0, printed
    assert printed["page"].startswith("<!doctype html>")
    text = printed["text"]
    for words in ("Drafts and windows", "structured", "custom", "capacity-block, 2026-05-21", "Tokens/step",
                  "Break-even", "1 of 16 devices", "Not measured", names[3]):
        assert words in text, text
    assert "Take " in text or "Do not speculate" in text


def test_the_sweep_passes_the_check_and_says_what_comes_next(tmp_path):
    folder = tmp_path / "sweep"
    printed = deploy(
        "--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--drafts", "Qwen/Qwen3-1.7B,Qwen/Qwen3-0.6B",
        "--sweep", "windows=3,5,7,10", "--bucket", "my-weights", "--benchmark-image", "registry.example/foretoken:0.1.0",
        "--output", str(folder))
    assert "all fit" in deploy("--check", str(folder))
    commands = printed[printed.index("Next"):]
    order = [commands.index(f"overlays/{name} ") for name in ("compile", "sweep", "sweep-report")]
    assert order == sorted(order) and "> report.html" in commands
    job = next(yaml.safe_load_all((folder / "sweep/job.yaml").read_text()))["spec"]
    assert job["completionMode"] == "Indexed" and job["completions"] == 8 and job["parallelism"] == 1
    words = next(c for c in job["template"]["spec"]["initContainers"] if c["name"] == "compare")["args"]
    assert words[words.index("--price-per-hour") + 1] == "17.8804"
    assert "--require-equal-outputs" not in words and "near-ties" in printed
    # What a candidate compiles is what the deployment of its draft and window would look for.
    candidates = next(yaml.safe_load_all((folder / "sweep/candidates.yaml").read_text()))["data"]
    kept = deploy(
        "--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--draft", "Qwen/Qwen3-1.7B",
        "--num-speculative-tokens", "5", "--bucket", "my-weights")
    assert candidates["1.store"].strip() in kept


@pytest.mark.parametrize(("arguments", "words"), [
    (["--sweep", "windows=0,3"], "expected windows= and ascending numbers from 1 to 32"),
    (["--sweep", "windows=5,3"], "expected windows= and ascending numbers"),
    (["--sweep", "widths=3"], "expected windows="),
    (["--sweep", "windows=3", "--drafts", "Qwen/Qwen3-1.7B,Qwen/Qwen3-1.7B"], "names a draft twice"),
    (["--sweep", "windows=3", "--drafts", "Qwen/Qwen3-1.7B,meta-llama/Llama-3.2-1B-Instruct"], "another tokenizer"),
    (["--sweep", "windows=3", "--drafts", "Qwen/Qwen3-1.7B", "--num-speculative-tokens", "3"], "both say the window"),
    (["--sweep", "windows=3", "--drafts", "Qwen/Qwen3-1.7B", "--storage", "emptyDir"], "s3, efs, fsx or pvc"),
    (["--drafts", "Qwen/Qwen3-1.7B"], "--sweep, which is missing"),
    (["--sweep", "windows=3", "--drafts", "Qwen/Qwen3-1.7B", "--price-per-hour", "-1"], "more than 0"),
])
def test_what_cannot_be_swept_is_refused(arguments, words):
    result = subprocess.run(
        [PROGRAM, "deploy", "--engine", "vllm-neuron", "--target", "Qwen/Qwen3-32B", "--benchmark-image",
         "registry.example/foretoken:0.1.0", *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode != 0 and words in result.stderr, result.stderr
