"""What is compared with what, and what was measured so far."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from engines import Foretoken, LlamaCpp, Measures
from materials import Failure, Materials, note, remove

FORMATS = ["Q8_0", "Q4_0", "Q4_1", "Q4_K_M", "Q5_0", "Q5_1", "Q5_K_M", "Q6_K", "Q3_K_M", "Q2_K"]
# Whose files llama.cpp makes with a matrix of importance.
SMALL_FORMATS = ["IQ4_NL", "IQ4_XS", "IQ3_S", "IQ3_XXS", "IQ2_S", "IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "TQ2_0",
                 "TQ1_0"]
# Of Tests/Golden/quantized.py, as checkpoints are published.
FORMS = ["bfloat16", "fp8", "ct-float-channel", "ct-int8-channel", "ct-packed8", "ct-packed4", "ct-packed4-zeros",
         "ct-mxfp4", "gptq-8", "gptq", "gptq-symmetric", "gptq-order", "awq"]
# Formats that int8 and int4 made of the same checkpoint are held against.
PEERS = ["Q8_0", "Q4_0", "Q4_1", "Q4_K_M"]
TWINS = ["exact"] + [f"{kind}-{factor}" for kind in ("norm", "up", "value", "all") for factor in (16, 64, 256, 1024)]
SMOLLM2 = "SmolLM2-135M-Instruct"


@dataclass(frozen=True)
class Case:
    """One row of a table, or for a checkpoint several."""

    name: str

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]

    @property
    def item(self) -> str:
        return self.name.partition("/")[2]


def all_cases() -> list[Case]:
    """Small models first."""
    return [
        *(Case(f"twins/{name}") for name in TWINS),
        *(Case(f"target/{name}") for name in FORMATS),
        *(Case(f"small/{name}") for name in SMALL_FORMATS),
        *(Case(f"forms/{name}") for name in FORMS),
        Case("checkpoint/target"), Case("smollm2/published-Q4_1"), Case("checkpoint/smollm2"),
        # llama-quantize makes the published file again, bit by bit, when asked for Q4_1.
        *(Case(f"smollm2/{name}") for name in FORMATS if name != "Q4_1"),
    ]


@dataclass
class Results:
    """What one program measured, kept in a file; results of another program, text or number of windows do not count."""

    path: Path
    identity: str
    kept: dict[str, dict] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, identity: str) -> Results:
        kept = json.loads(path.read_text()) if path.exists() else {}
        return cls(path, identity, kept)

    def get(self, case: Case) -> dict[str, Measures] | None:
        entry = self.kept.get(case.name)
        return entry["measures"] if entry and entry["identity"] == self.identity else None

    def add(self, case: Case, measures: dict[str, Measures]) -> None:
        self.kept[case.name] = {"identity": self.identity, "measures": measures}
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.kept, indent=1) + "\n")
        partial.rename(self.path)


def text_of(case: Case, materials: Materials, as_directory: bool) -> Path:
    if case.group == "smollm2" or case.item == "smollm2":
        return materials.text()
    return materials.held_out(is_respelt=not as_directory)


def file_of(case: Case, materials: Materials) -> Path:
    """The GGUF file of a case of the groups `smollm2`, `target` and `small`."""
    if case.item == "published-Q4_1":
        return materials.published()
    if case.group == "smollm2":
        return smollm2(materials, case.item)
    return target(materials, "exact", case.item, materials.importance() if case.group == "small" else None)


def smollm2(materials: Materials, kind: str) -> Path:
    return materials.quantized(materials.checkpoint_file(), kind, materials.folder / f"smollm2/{SMOLLM2}.{kind}.gguf")


def target(materials: Materials, twin: str, kind: str, importance: Path | None = None) -> Path:
    """The shipped target or a twin of it in one of llama.cpp's formats, made of its single-precision file."""
    path = materials.folder / f"target/{twin}.{kind}.gguf"
    return materials.quantized(materials.converted(twin), kind, path, importance)


def measure_llama(case: Case, materials: Materials, engine: LlamaCpp, windows: int) -> dict[str, Measures]:
    """By format: a file against its own values; formats of a checkpoint or twin against the checkpoint's values."""
    if case.group == "twins":
        exact = materials.converted(case.item)
        files = {kind: target(materials, case.item, kind) for kind in ("Q8_0", "Q4_0")}
    elif case.name == "checkpoint/target":
        exact = materials.converted("exact")
        files = {kind: target(materials, "exact", kind) for kind in PEERS}
    elif case.name == "checkpoint/smollm2":
        exact = engine.own_values(materials, materials.checkpoint_file())
        files = {kind: smollm2(materials, kind) for kind in PEERS}
    else:
        files = {"file": file_of(case, materials)}
        exact = engine.own_values(materials, files["file"])
    try:
        with engine.reference(exact, text_of(case, materials, as_directory=False), windows) as reference:
            return {kind: engine.compare(file, reference) for kind, file in files.items()}
    finally:
        if exact.parent == engine.scratch:
            remove(exact)


def measure_foretoken(case: Case, materials: Materials, engine: Foretoken, windows: int) -> dict[str, Measures]:
    """By format: a file as it is, or int8 and int4 made of a checkpoint or twin."""
    as_directory = case.group in ("twins", "checkpoint", "forms")
    text = text_of(case, materials, as_directory)
    if case.group == "forms":
        return engine.compare(materials.form(case.item), text, windows, ["file"])
    if not as_directory:
        return engine.compare(file_of(case, materials), text, windows, ["file"])
    if case.group == "twins":
        model = materials.twin(case.item)
    else:
        model = materials.checkpoint() if case.item == "smollm2" else materials.twin("exact")
    return engine.compare(model, text, windows, ["int8", "int4"])


def check_twins(results: Results) -> None:
    """Twins are the same function, so before anything is quantised each has to have the same perplexity."""
    references = {}
    for case in all_cases():
        for format, found in (results.get(case) or {}).items():
            if case.group == "twins":
                references[case.name, format] = found["reference_perplexity"]
    if references and max(references.values()) > min(references.values()) * 1.001:
        raise Failure(f"Twins differ before they are quantised, in {results.path}: perplexities are {references}.")


def described(measures: dict[str, Measures]) -> str:
    return "; ".join(
        f"{format} {found['loss_percent']:+.2f} %, KL {found['kl_mean']:.6f}" for format, found in measures.items())


def measure_all(
    cases: list[Case], materials: Materials, engine: LlamaCpp | Foretoken, results: Results, windows: int,
) -> None:
    """Measures what is not kept yet, and keeps it."""
    measure = measure_llama if isinstance(engine, LlamaCpp) else measure_foretoken
    # llama.cpp does not read them.
    cases = [case for case in cases if case.group != "forms" or measure is measure_foretoken]
    for place, case in enumerate(cases, 1):
        found = results.get(case)
        if found is None:
            note(f"[{place}/{len(cases)}] {engine.name}: measuring {case.name}")
            found = measure(case, materials, engine, windows)
            results.add(case, found)
        note(f"[{place}/{len(cases)}] {engine.name}: {case.name}: {described(found)}")
