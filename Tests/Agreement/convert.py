"""Runs llama.cpp's converter on a model whose tokenizer it has never seen.

    python convert.py SOURCE PRE MODEL --outfile FILE …

It knows a tokenizer by a hash of what this makes of a text, and refuses others. The name that the hash would stand for
is given as PRE instead; all else is the converter in SOURCE as it is.
"""

from __future__ import annotations

import sys


def main() -> None:
    _, source, pre, *arguments = sys.argv
    sys.path.insert(0, source)
    import convert_hf_to_gguf
    from conversion.base import TextModel

    TextModel.get_vocab_base_pre = lambda self, tokenizer: pre
    sys.argv = ["convert_hf_to_gguf.py", *arguments]
    convert_hf_to_gguf.main()


if __name__ == "__main__":
    main()
