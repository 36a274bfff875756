"""The load generator against a server whose timing is known: are its percentiles the truth's?

    python Tests/ServingStub/accuracy.py [--streams 1000] [--seconds 30] [--itl-ms 100]

Builds nothing: needs `swift build -c release --product foretoken` and `--product serving-stub`. Prints P50 and P99 of
TTFT and ITL as the stub sent them and as `foretoken bench serve` saw them, and the processor time of both. Exits with 1
if one is off by more than 1 ms and more than 2 %.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]


def percentile(values: list[float], percent: float) -> float:
    """The smallest value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000, help="concurrent streams to reach")
    parser.add_argument("--seconds", type=float, default=30, help="how long requests arrive")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of an answer")
    parser.add_argument("--ttft-ms", type=float, default=200)
    parser.add_argument("--itl-ms", type=float, default=100)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / ".build/release", help="where the programs are")
    parser.add_argument("--bench", nargs=argparse.REMAINDER, default=[], help="further flags for foretoken bench serve")
    options = parser.parse_args()
    length = (options.ttft_ms + (options.tokens - 1) * options.itl_ms) / 1000
    rate = options.streams / length * 1.05
    stub = subprocess.Popen(
        [options.build / "serving-stub", "--tokens", str(options.tokens), "--ttft-ms", str(options.ttft_ms), "--itl-ms",
         str(options.itl_ms)], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{int(stub.stdout.readline())}"
        with tempfile.TemporaryDirectory() as folder:
            prompts = pathlib.Path(folder) / "prompts.jsonl"
            prompts.write_text('{"prompt": "Go on."}\n')
            result = json.loads(subprocess.run(
                [options.build / "foretoken", "bench", "serve", "--base-url", url, "--dataset-name", "custom", "--dataset-path",
                 prompts, "--num-prompts", str(round(rate * options.seconds)), "--request-rate", str(rate),
                 "--ready-check-timeout-sec", "0", "--metric-percentiles", "50,99", "--json", *options.bench],
                stdout=subprocess.PIPE, check=True).stdout)
        truth = json.load(urllib.request.urlopen(url + "/truth"))
    finally:
        stub.kill()
    count = result["completed"]
    print(f"{count} answers of {options.tokens} tokens, {truth['most_streams']} streams at most, "
          f"{result['output_throughput']:.0f} tokens/s, {result['failed']} failed")
    worst = result["failed"] == 0 and count == len(truth["ttfts"])
    print(f"{'':10} {'sent ms':>10} {'measured ms':>12} {'difference':>11}")
    for name in ("ttft", "itl"):
        for percent in (50, 99):
            sent = percentile(truth[name + "s"], percent) * 1000
            found = result[f"p{percent}_{name}_ms"]
            worst = worst and abs(found - sent) <= max(1, 0.02 * sent)
            print(f"P{percent} {name.upper():6} {sent:10.3f} {found:12.3f} {found - sent:8.3f} ms")
    duration = result["duration"]
    print(f"processor: load generator {100 * result['client']['cpu_utilization']:.0f} % of a core, "
          f"stub {100 * truth['cpu_seconds'] / duration:.0f} %; requests left at most "
          f"{result['client']['p99_send_lag_ms']:.2f} ms late (P99)")
    sys.exit(0 if worst else 1)


if __name__ == "__main__":
    main()
