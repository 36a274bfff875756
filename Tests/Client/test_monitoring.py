"""The dashboard's queries and the alerts against Prometheus itself: over Foretoken's own /metrics, and over what vLLM
names its metrics. vLLM does not run here: its names come from Tests/Client/metrics, the values are made up."""

import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import httpx2 as httpx
import pytest
import yaml
from conftest import NAME, ROOT

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(
    PROMETHEUS is None, reason="Prometheus is not here (Debian: apt-get install prometheus)")
FOLDER = pathlib.Path(__file__).parent / "metrics"
DASHBOARD = json.loads((ROOT / "Monitoring/grafana-dashboard.json").read_text())
RULES = ROOT / "Monitoring/rules.yaml"
DEVICES = {"Neuron cores", "Neuron memory", "GPUs"}
STEP, STEPS = 15, 40


def made_up(table: pathlib.Path, step: int) -> list[str]:
    """A page of the table's metrics at a time: counters and histograms grow, gauges stay."""
    lines = []
    for entry in table.read_text().splitlines():
        if not entry or entry.startswith("#"):
            continue
        kind, name, *labels = entry.split()
        shown = {"model_name": NAME, "engine": "0"}
        pairs = [f'{k}="{v or shown[k]}"' for k, _, v in (label.partition("=") for label in labels)]

        def sample(suffix: str, value: float, *more: str) -> str:
            return f"{name}{suffix}{{{','.join(pairs + list(more))}}} {value}"

        if kind == "gauge":
            lines.append(sample("", 3))
        elif kind == "counter":
            lines.append(sample("", 100 * step))
        else:
            lines += [sample("_bucket", 10 * step * share, f'le="{bound}"') for bound, share in
                      (("0.01", 0), ("0.05", 6), ("0.1", 9), ("+Inf", 10))]
            lines += [sample("_sum", 4.0 * step), sample("_count", 100 * step)]
    return lines


def openmetrics(pages: list[list[str]], start: int) -> str:
    """Pages one after another, as promtool reads history; every sample gets a time and where it was read."""
    samples: dict[str, list[str]] = {}
    for step, page in enumerate(pages):
        for line in page:
            series, value = line.rsplit(" ", 1)
            name, brace, labels = series.partition("{")
            where = 'namespace="foretoken",job="server",instance="a:8000"'
            labels = f"{where},{labels}" if brace and labels != "}" else where + "}"
            samples.setdefault(name, []).append(f"{name}{{{labels} {value} {start + STEP * step}")
    return "\n".join(line for lines in samples.values() for line in lines) + "\n# EOF\n"


class Prometheus:
    """The server over a history that was made before it started."""

    def __init__(self, folder: pathlib.Path, pages: list[list[str]]):
        # Blocks are cut at even hours, and the head begins now.
        self.end = int(time.time()) - 3 * 3600
        start = self.end - STEP * (len(pages) - 1)
        (folder / "history.txt").write_text(openmetrics(pages, start))
        made = subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", "history.txt", "data"], cwd=folder,
            capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        (folder / "prometheus.yaml").write_text("{}\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.process = subprocess.Popen(
            [PROMETHEUS, "--config.file=prometheus.yaml", "--storage.tsdb.path=data",
             "--storage.tsdb.retention.time=10y", f"--web.listen-address={address}", "--log.level=error"], cwd=folder)
        self.url = f"http://{address}"
        for _ in range(300):
            try:
                urllib.request.urlopen(self.url + "/-/ready", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("Prometheus does not start")

    def ask(self, query: str) -> list[dict]:
        query = query.replace("$__rate_interval", "2m").replace("$model", ".*")
        url = f"{self.url}/api/v1/query?" + urllib.parse.urlencode({"query": query, "time": self.end})
        with urllib.request.urlopen(url, timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        # 0 / 0 is an answer of nothing.
        return [one for one in answer["data"]["result"] if one["value"][1] != "NaN"]


@pytest.fixture
def prometheus(tmp_path):
    started = []

    def start(pages: list[list[str]]) -> Prometheus:
        started.append(Prometheus(tmp_path, pages))
        return started[-1]

    yield start
    for server in started:
        server.process.terminate()
        server.process.wait(30)


def empty_panels(server: Prometheus) -> set[str]:
    return {
        panel["title"] for panel in DASHBOARD["panels"]
        if not any(server.ask(target["expr"]) for target in panel["targets"])
    }


@pytest.mark.parametrize(("table", "empty"), [
    ("vllm-0.24.0.txt", set()),
    # Nothing there counts what is accepted; the panels say so.
    ("vllm-0.9.1.txt", {"Acceptance rate", "Acceptance by place in the window"}),
])
def test_every_panel_shows_what_vllm_calls_it(prometheus, table, empty):
    pages = [made_up(FOLDER / table, step) + made_up(FOLDER / "devices.txt", step) for step in range(STEPS)]
    server = prometheus(pages)
    assert empty_panels(server) == empty
    described = {panel["title"]: panel.get("description", "") for panel in DASHBOARD["panels"]}
    assert all("0.9" in described[title] for title in empty)


def test_every_query_is_answered_by_one_of_them(prometheus):
    pages = [made_up(FOLDER / "vllm-0.24.0.txt", step) + made_up(FOLDER / "devices.txt", step) for step in range(STEPS)]
    server = prometheus(pages)
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            assert server.ask(target["expr"]), (panel["title"], target["expr"])


def test_panels_stay_empty_without_data(prometheus):
    server = prometheus([["up 1"]] * STEPS)
    assert empty_panels(server) == {panel["title"] for panel in DASHBOARD["panels"]}


def test_every_panel_shows_foretoken(prometheus, start):
    # A fixed window: what decides by itself also takes steps without proposals, which are no verifications.
    own = start("--max-num-seqs", "4", "--threads", "2", "--num-speculative-tokens", "4")
    pages = []
    for _ in range(STEPS):
        body = {"model": NAME, "prompt": "[1, 2, 3,", "max_tokens": 48, "temperature": 0, "ignore_eos": True}
        assert httpx.post(own.url + "/v1/completions", json=body, timeout=60).status_code == 200
        text = httpx.get(own.url + "/metrics").text
        pages.append([line for line in text.splitlines() if line and not line.startswith("#")])
    # Pages are read between requests, when nothing runs; the estimate of tokens per step needs a running one.
    pages = [[line.rsplit(" ", 1)[0] + " 1" if line.startswith("vllm:num_requests_running") else line for line in page]
             for page in pages]
    server = prometheus(pages)
    assert empty_panels(server) == DEVICES
    [estimate] = server.ask(next(
        target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
        if target["legendFormat"].startswith("estimate")))
    [counted] = server.ask(next(
        panel["targets"][0]["expr"] for panel in DASHBOARD["panels"] if panel["title"] == "Mean acceptance length"))
    # One request at a time: tokens over steps are the acceptance length, but for the steps that read prompts.
    assert float(estimate["value"][1]) == pytest.approx(float(counted["value"][1]), rel=0.35)


SERIES = 'namespace="foretoken",model_name="m"'


def firing(tmp_path, series: dict[str, str], expected: dict[str, dict]):
    """promtool's own test of rules: exactly these alerts fire after 40 minutes."""
    shutil.copy(RULES, tmp_path / "rules.yaml")
    shown = {"__name__": "ALERTS", "alertstate": "firing"}
    samples = [
        {"labels": "ALERTS{" + ",".join(f'{k}="{v}"' for k, v in (
            {**shown, "alertname": name} | labels).items() if k != "__name__") + "}", "value": 1}
        for name, labels in expected.items()
    ]
    test = {
        "rule_files": ["rules.yaml"], "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {"expr": 'ALERTS{alertstate="firing"}', "eval_time": "40m", "exp_samples": samples}],
        }],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    return subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True)


LABELS = {"namespace": "foretoken", "model_name": "m", "severity": "warning"}
COMPILE = {"namespace": "foretoken", "job_name": "m-speculative-compile-0a1b2c3d", "severity": "warning"}


@pytest.mark.parametrize(("series", "expected"), [
    # As it should be: accepted drafts, an empty queue, tokens within 50 ms.
    ({f"vllm:spec_decode_num_draft_tokens_total{{{SERIES}}}": "0+100x60",
      f"vllm:spec_decode_num_accepted_tokens_total{{{SERIES}}}": "0+60x60",
      f"vllm:num_requests_waiting{{{SERIES}}}": "0x60",
      f'vllm:inter_token_latency_seconds_bucket{{{SERIES},le="0.05"}}': "0+100x60",
      f'vllm:inter_token_latency_seconds_bucket{{{SERIES},le="+Inf"}}': "0+100x60"}, {}),
    ({f"vllm:spec_decode_num_draft_tokens_total{{{SERIES}}}": "0+100x60",
      f"vllm:spec_decode_num_accepted_tokens_total{{{SERIES}}}": "0x60"}, {"DraftsNeverAccepted": LABELS}),
    # Nothing is drafted, nothing is accepted: that is plain decoding.
    ({f"vllm:spec_decode_num_draft_tokens_total{{{SERIES}}}": "7x60",
      f"vllm:spec_decode_num_accepted_tokens_total{{{SERIES}}}": "0x60"}, {}),
    ({f"vllm:num_requests_waiting{{{SERIES}}}": "1+1x60"}, {"QueueGrows": LABELS}),
    ({f"vllm:num_requests_waiting{{{SERIES}}}": "60-1x60"}, {}),
    # The name of 0.9.
    ({f'vllm:time_per_output_token_seconds_bucket{{{SERIES},le="0.05"}}': "0+10x60",
      f'vllm:time_per_output_token_seconds_bucket{{{SERIES},le="0.5"}}': "0+100x60",
      f'vllm:time_per_output_token_seconds_bucket{{{SERIES},le="+Inf"}}': "0+100x60"},
     {"InterTokenLatencyHigh": LABELS}),
    ({'kube_job_status_failed{namespace="foretoken",job_name="m-speculative-compile-0a1b2c3d"}': "0x20 1x40"},
     {"CompileFails": COMPILE}),
    ({'kube_job_status_failed{namespace="foretoken",job_name="nightly-backup"}': "1x60"}, {}),
    ({f"foretoken:speculation_audit_mismatches_total{{{SERIES}}}": "0x20 1x40"},
     {"SpeculationChangesAnswers": LABELS | {"severity": "critical"}}),
])
def test_alerts(tmp_path, series, expected):
    result = firing(tmp_path, series, expected)
    assert result.returncode == 0, result.stdout + result.stderr
