"""The tables of what was measured, in Markdown and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from cases import Case, Results
from engines import Measures
from materials import Failure

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
MEASURES = ["perplexity", "loss", "KL mean", "KL 99 %", "KL largest", "same top token", "weights"]
# Formats of a checkpoint, each group in the order of its rows.
CHECKPOINT_ROWS = [("llama.cpp", "Q8_0"), ("Foretoken", "int8"), ("llama.cpp", "Q4_K_M"), ("llama.cpp", "Q4_1"),
                   ("llama.cpp", "Q4_0"), ("Foretoken", "int4")]
MODELS = {"smollm2": "SmolLM2-135M-Instruct", "target": "The shipped target"}
TWIN_PAIRS = [("Q8_0", "int8"), ("Q4_0", "int4")]
NOT_MEASURED = "–"


def table(head: list[str], left: int, rows: list[list[str]]) -> list[str]:
    """A Markdown table whose first `left` columns are texts."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


def cells(found: Measures | None) -> list[str]:
    """A row's measures, in the order of `MEASURES`."""
    if found is None:
        return [NOT_MEASURED] * len(MEASURES)
    return [
        f"{found['perplexity']:.3f}", percent(found["loss_percent"]), f"{found['kl_mean']:.5f}",
        f"{found['kl_p99']:.4f}", f"{found['kl_max']:.3f}", f"{found['top1_agreement'] * 100:.2f} %",
        f"{found['bytes'] / 1e6:.1f} MB",
    ]


def percent(loss: float) -> str:
    return f"{loss:+.2f} %" if abs(loss) < 100 else f"{loss / 100 + 1:.3g}x"


def of(results: Results, case: Case, format: str) -> Measures | None:
    return (results.get(case) or {}).get(format)


def file_table(cases: list[Case], llama: Results, foretoken: Results) -> list[str]:
    """The programs that were measured, one below the other for each file."""
    both = [("llama.cpp", llama), ("Foretoken", foretoken)]
    programs = [one for one in both if any(one[1].get(case) for case in cases)] or both
    rows = []
    for case in cases:
        name = case.item.replace("published-Q4_1", "Q4_1, as published")
        for index, (program, results) in enumerate(programs):
            rows.append(["" if index else name, program, *cells(of(results, case, "file"))])
    return table(["file", "program", *MEASURES], 2, rows)


def checkpoint_table(case: Case, llama: Results, foretoken: Results) -> list[str]:
    by_program = {"llama.cpp": llama, "Foretoken": foretoken}
    rows = [[format, program, *cells(of(by_program[program], case, format))] for program, format in CHECKPOINT_ROWS]
    return table(["format", "program", *MEASURES], 2, rows)


def twin_table(cases: list[Case], llama: Results, foretoken: Results) -> list[str]:
    def cell(found: Measures | None) -> str:
        return NOT_MEASURED if found is None else f"{percent(found['loss_percent'])} ({found['kl_mean']:.4f})"

    head = ["twin"]
    for theirs, ours in TWIN_PAIRS:
        head += [f"llama.cpp {theirs}", f"Foretoken {ours}"]
    rows = []
    for case in cases:
        row = ["the target itself" if case.item == "exact" else case.item.replace("-", " x ")]
        for theirs, ours in TWIN_PAIRS:
            row += [cell(of(llama, case, theirs)), cell(of(foretoken, case, ours))]
        rows.append(row)
    return table(head, 1, rows)


def form_table(cases: list[Case], foretoken: Results) -> list[str]:
    """Forms that llama.cpp does not read, the first of which is the checkpoint that they are made of."""
    original = of(foretoken, cases[0], "file")
    rows = []
    for case in cases:
        found = of(foretoken, case, "file")
        values = [NOT_MEASURED] * 2
        if found and original:
            exact = found["reference_perplexity"]
            values = [f"{exact:.3f}", percent((exact / original["reference_perplexity"] - 1) * 100)]
        rows.append([case.item, *values, *cells(found)])
    return table(["form", "of its values", "beside bfloat16", *MEASURES], 1, rows)


def tables(cases: list[Case], llama: Results, foretoken: Results, before: dict[str, str]) -> str:
    """The tables under their titles. Those of which nothing is known stay as they were `before`."""
    groups = {case.group: [other for other in cases if other.group == case.group] for case in cases}
    sections = [
        (f"{MODELS['smollm2']}: files as they are", groups["smollm2"], file_table(groups["smollm2"], llama, foretoken)),
        (f"{MODELS['target']}: files as they are", groups["target"], file_table(groups["target"], llama, foretoken)),
        (f"{MODELS['target']}: files in smaller formats", groups["small"],
         file_table(groups["small"], llama, foretoken)),
        (f"{MODELS['target']}: checkpoints that are quantised already", groups["forms"],
         form_table(groups["forms"], foretoken)),
        *((f"{MODELS[case.item]}: formats made of the checkpoint", [case], checkpoint_table(case, llama, foretoken))
          for case in groups["checkpoint"]),
        ("Outlier twins of the shipped target: loss (and mean KL divergence)", groups["twins"],
         twin_table(groups["twins"], llama, foretoken)),
    ]
    texts = []
    for title, members, lines in sections:
        is_known = any(results.get(case) for case in members for results in (llama, foretoken))
        texts.append(f"### {title}\n\n" + ("\n".join(lines) if is_known else before.get(title, "\n".join(lines))))
    return "\n\n".join(texts)


def around_tables(page: Path) -> tuple[str, dict[str, str], str]:
    """What a page has before its tables, the tables by their titles, and what comes after them."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    middle, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{page} has no '{BEGIN}' followed by '{END}', between which the tables go.")
    titled = (section.partition("\n") for section in middle.split("### ")[1:])
    return before, {title.strip(): text.strip() for title, _, text in titled}, after


def write(page: Path, data: Path, cases: list[Case], llama: Results, foretoken: Results) -> None:
    """Replaces what the page has between its marks by the tables, and writes their figures to `data`."""
    both = {"llama.cpp": llama, "foretoken": foretoken}
    figures = {case.name: {name: results.get(case) for name, results in both.items()} for case in cases}
    data.write_text(json.dumps(figures, indent=1) + "\n")
    before, present, after = around_tables(page)
    written = tables(cases, llama, foretoken, present)
    page.write_text(f"{before}{BEGIN}\n\n{written}\n\n{END}{after}", encoding="utf-8")
