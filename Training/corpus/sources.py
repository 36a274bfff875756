"""Text from installed packages: permissively licensed source code and freely licensed prose. See `DATA.md`."""

from __future__ import annotations

import gzip
import html
import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

# Standard-library modules, under the PSF licence; tests and generated tables teach nothing.
SKIPPED = {"test", "tests", "idlelib", "turtledemo", "lib2to3", "site-packages", "__pycache__", "encodings", "pydoc_data"}
TAG = re.compile(r"<(script|style|head|pre)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


def python_sources(rng: random.Random) -> Iterator[str]:
    """Pieces of about 1,500 characters of the running Python's standard library, cut at top-level definitions."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path for path in root.rglob("*.py") if not SKIPPED & set(path.relative_to(root).parts))
    rng.shuffle(files)
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        if len(text) > 200_000 or not text.isascii():
            continue
        piece = ""
        for block in re.split(r"\n(?=(?:def|class|@) ?)", text):
            piece += block + "\n"
            if len(piece) > 1500:
                yield piece[:4000]
                piece = ""


def prose(folders: list[Path], rng: random.Random) -> Iterator[str]:
    """Paragraphs of documentation pages and plain texts under `folders`."""
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in {".html", ".txt", ".gz"})
    rng.shuffle(files)
    for path in files:
        # Change logs are the packagers' own work, under other terms than the documentation.
        if not path.is_file() or path.stat().st_size > 2_000_000 or path.name.startswith("changelog"):
            continue
        try:
            raw = gzip.open(path).read() if path.suffix == ".gz" else path.read_bytes()
        except OSError:
            continue
        text = raw.decode("utf-8", errors="replace")
        if path.suffix == ".html":
            text = html.unescape(TAG.sub(" ", text))
        paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
        kept = [part for part in paragraphs if len(part) > 200 and part.isascii() and part.count(" ") > len(part) / 9]
        for start in range(0, min(len(kept), 24), 4):
            yield "\n\n".join(kept[start : start + 4])[:3000]
