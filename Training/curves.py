"""Draws the validation curves of a run as an SVG and prints them as a table.

    python curves.py runs/2026-11-21.jsonl --svg runs/2026-11-21.svg

The pair's runs have a loss for each kind of text, the heads' an agreement for each step of their chains or token of their
blocks.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

KINDS = ["structured", "open-ended", "code", "prose"]
COLOURS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#d62728", "#e377c2", "#17becf"]
WIDTH, HEIGHT, MARGIN = 640, 360, 50
Point = tuple[float, float]


def read(path: Path) -> list[dict]:
    """The entries of a log, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def is_head(log: list[dict]) -> bool:
    return any("length" in entry.get("validation", {}) for entry in log)


def table(log: list[dict]) -> str:
    """Every validation as a Markdown table: loss of target / loss of draft, agreement."""
    validations = [entry for entry in log if "validation" in entry]
    if is_head(log):
        steps = range(len(validations[-1]["validation"]["agreement"]))
        lines = ["| Tokens | loss | " + " | ".join(f"step {step + 1}" for step in steps) + " | length |",
                 "| ---: | --- |" + " --- |" * len(steps) + " --- |"]
        for entry in validations:
            result = entry["validation"]
            cells = [f"{result['loss']:.3f}", *(f"{value:.1%}" for value in result["agreement"]), f"{result['length']:.2f}"]
            lines.append(f"| {entry['tokens'] / 1e6:.2f} M | " + " | ".join(cells) + " |")
        return "\n".join(lines)
    lines = ["| Tokens | " + " | ".join(KINDS) + " |", "| ---: |" + " --- |" * len(KINDS)]
    for entry in validations:
        cells = [
            f"{result['target']:.2f} / {result['draft']:.2f}, {result['agreement']:.0%}"
            for result in (entry["validation"][kind] for kind in KINDS)
        ]
        lines.append(f"| {entry['tokens'] / 1e6:.2f} M | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def smoothed(points: list[Point], weight: float = 0.8) -> list[Point]:
    """An exponential average: a batch's loss depends mostly on how much prose it happens to hold."""
    result: list[Point] = []
    for x, y in points:
        result.append((x, y if not result else weight * result[-1][1] + (1 - weight) * y))
    return result


def svg(log: list[dict]) -> str:
    """Curves over tokens, the smoothed training in grey: losses of the target, or agreements of a head's steps."""
    validations = [entry for entry in log if "validation" in entry]
    curves: dict[str, list[Point]]
    if is_head(log):
        label, tick_size = "agreement with the target, per step of a chain or block", 0.2
        curves = {
            f"step {step + 1}": [(entry["tokens"], entry["validation"]["agreement"][step]) for entry in validations]
            for step in range(len(validations[-1]["validation"]["agreement"]))}
        values = [(entry["tokens"], entry["train"]["agreement"][0]) for entry in log if "train" in entry]
    else:
        label, tick_size = "loss of the target in nats per token", 1.0
        curves = {kind: [(entry["tokens"], entry["validation"][kind]["target"]) for entry in validations] for kind in KINDS}
        values = [(entry["tokens"], entry["train"]["target"]) for entry in log if "train" in entry]
    training = smoothed(values)
    every = [point for curve in [*curves.values(), training] for point in curve]
    right, top = max(x for x, _ in every), max(y for _, y in every)

    def place(point: Point) -> str:
        x = MARGIN + point[0] / right * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - point[1] / top * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in (tick_size * index for index in range(int(top / tick_size) + 1)):
        x, y = place((0, tick)).split(",")
        parts.append(f'<path d="M{x},{y} H{WIDTH - MARGIN}" stroke="#ddd"/><text x="{float(x) - 25}" y="{float(y) + 4}">{tick:g}</text>')
    named = {"training (smoothed)": (training, "#999")} | {
        name: (curve, colour) for (name, curve), colour in zip(curves.items(), COLOURS)}
    for index, (name, (curve, colour)) in enumerate(named.items()):
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(map(place, curve))}"/>')
        below = HEIGHT - MARGIN - 16 * len(named) - 4 if is_head(log) else MARGIN
        parts.append(f'<text x="{WIDTH - MARGIN - 110}" y="{below + 16 * index}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{MARGIN}" y="{HEIGHT - 15}">tokens, 0 to {right / 1e6:.2f} M; {label}</text></svg>')
    return "\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", type=Path, help="the log.jsonl of a run")
    parser.add_argument("--svg", type=Path, help="write the curves here")
    arguments = parser.parse_args()
    log = read(arguments.log)
    if arguments.svg:
        arguments.svg.write_text(svg(log))
    print(table(log))


if __name__ == "__main__":
    main()
