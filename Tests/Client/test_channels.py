"""gpt-oss's chat format, "harmony": what reaches the template. Answers in channels are tested in Swift."""

import pathlib

import httpx
import pytest
from scripted import checkpoint

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "Golden/templates/sources/gpt-oss-like.jinja"
# The prompt ends with the author of the answer; the script begins after one more token.
TEMPLATE = SOURCE.read_text() + "<|go|>"
TAGS = ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>"]
FINAL = ["<|channel|>", "final", "<|message|>"]
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def scripted(start, tmp_path):
    def begin(says):
        folder = checkpoint(tmp_path / "model", says, TEMPLATE, control=TAGS)
        return start("--threads", "2", target=folder, speculation=False)

    return begin


def test_efforts_reach_the_template(scripted):
    server = scripted([*FINAL, "Yes"])
    def prompt(effort):
        return httpx.post(server.url + "/apply-template", timeout=60, json={"messages": HELLO, "reasoning_effort": effort}).json()["prompt"]
    for given, written in {"none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "max": "high"}.items():
        assert f"Reasoning: {written}\n" in prompt(given)
