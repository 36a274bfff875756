"""Draws the validation curves of a run as an SVG and prints them as a table.

    python curves.py runs/2026-11-21.jsonl --svg runs/2026-11-21.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

KINDS = {"structured": "#1f77b4", "open-ended": "#ff7f0e", "code": "#2ca02c", "prose": "#9467bd"}
WIDTH, HEIGHT, MARGIN = 640, 360, 50
Point = tuple[float, float]


def read(path: Path) -> list[dict]:
    """The entries of a log, oldest first."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def table(log: list[dict]) -> str:
    """Every validation as a Markdown table: loss of target / loss of draft, agreement."""
    lines = ["| Tokens | " + " | ".join(KINDS) + " |", "| ---: |" + " --- |" * len(KINDS)]
    for entry in log:
        if "validation" in entry:
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
    """Target losses over tokens: a line per kind, and the smoothed training loss in grey."""
    curves: dict[str, list[Point]] = {
        kind: [(entry["tokens"], entry["validation"][kind]["target"]) for entry in log if "validation" in entry] for kind in KINDS
    }
    training = smoothed([(entry["tokens"], entry["train"]["target"]) for entry in log if "train" in entry])
    every = [point for curve in [*curves.values(), training] for point in curve]
    right, top = max(x for x, _ in every), max(y for _, y in every)

    def place(point: Point) -> str:
        x = MARGIN + point[0] / right * (WIDTH - 2 * MARGIN)
        y = HEIGHT - MARGIN - point[1] / top * (HEIGHT - 2 * MARGIN)
        return f"{x:.1f},{y:.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for tick in range(int(top) + 1):
        x, y = place((0, tick)).split(",")
        parts.append(f'<path d="M{x},{y} H{WIDTH - MARGIN}" stroke="#ddd"/><text x="{float(x) - 20}" y="{float(y) + 4}">{tick}</text>')
    named = {"training (smoothed)": (training, "#999")} | {kind: (curves[kind], colour) for kind, colour in KINDS.items()}
    for index, (name, (curve, colour)) in enumerate(named.items()):
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{" ".join(map(place, curve))}"/>')
        parts.append(f'<text x="{WIDTH - MARGIN - 110}" y="{MARGIN + 16 * index}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="{MARGIN}" y="{HEIGHT - 15}">tokens, 0 to {right / 1e6:.2f} M; loss of the target in nats per token</text></svg>')
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
