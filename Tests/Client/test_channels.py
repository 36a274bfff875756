"""gpt-oss's chat format, "harmony", through the official clients: a scripted model writes messages in channels."""

import json
import pathlib

import anthropic
import openai
import pytest
from conftest import NAME
from scripted import checkpoint

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "Golden/templates/sources/gpt-oss-like.jinja"
# The prompt ends with the author of the answer; the script begins after one more token.
TEMPLATE = SOURCE.read_text() + "<|go|>"
TAGS = ["<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|call|>", "<|return|>"]
THOUGHT = ["<|channel|>", "analysis", "<|message|>", "Hm, 17", "!", "<|end|>", "<|start|>", "assistant"]
FINAL = ["<|channel|>", "final", "<|message|>"]
PARAMETERS = {"type": "object", "properties": {"q": {"type": "string", "maxLength": 4}}, "required": ["q"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "look", "description": "Looks it up.", "parameters": PARAMETERS}}
CALL = ["<|channel|>", "commentary", " to", "=", "functions", ".", "look", " ", "<|constrain|>", "json", "<|message|>", '{"', 'q": "x"', "}", "<|call|>"]
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def scripted(start, tmp_path):
    def begin(says):
        folder = checkpoint(tmp_path / "model", says, TEMPLATE, control=TAGS)
        return start("--threads", "2", target=folder, speculation=False)

    return begin


def connect(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="none", max_retries=0, timeout=60)


def test_thoughts_and_the_answer_are_kept_apart(scripted):
    client = connect(scripted([*THOUGHT, *FINAL, "Four", "teen."]))
    message = client.chat.completions.create(model=NAME, messages=HELLO).choices[0].message
    assert message.content == "Fourteen." and message.model_extra["reasoning_content"] == "Hm, 17!"
    pieces = [chunk.choices[0].delta for chunk in client.chat.completions.create(model=NAME, messages=HELLO, stream=True) if chunk.choices]
    assert "".join(piece.content or "" for piece in pieces) == "Fourteen."
    assert "".join((piece.model_extra or {}).get("reasoning_content") or "" for piece in pieces) == "Hm, 17!"
    # Stop strings count in the answer proper.
    stopped = client.chat.completions.create(model=NAME, messages=HELLO, stop=["1", "teen"]).choices[0]
    assert stopped.message.content == "Four" and stopped.finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_message_to_a_function_is_a_call(scripted, stream):
    client = connect(scripted([*THOUGHT, *CALL]))
    given = dict(model=NAME, messages=HELLO, tools=[TOOL])
    if stream:
        calls, reason, content = [], None, ""
        for chunk in client.chat.completions.create(stream=True, **given):
            for choice in chunk.choices:
                reason = choice.finish_reason or reason
                content += choice.delta.content or ""
                for call in choice.delta.tool_calls or []:
                    if call.id: calls.append([call.function.name, ""])
                    calls[-1][1] += call.function.arguments or ""
    else:
        [choice] = client.chat.completions.create(**given).choices
        calls = [[call.function.name, call.function.arguments] for call in choice.message.tool_calls]
        reason, content = choice.finish_reason, choice.message.content or ""
        assert choice.message.model_extra["reasoning_content"] == "Hm, 17!"
    assert [(name, json.loads(arguments)) for name, arguments in calls] == [("look", {"q": "x"})]
    assert reason == "tool_calls" and content == ""


def test_the_other_apis_have_them_too(scripted):
    server = scripted([*THOUGHT, *CALL])
    client = connect(server)
    answer = client.responses.create(model=NAME, input="Hello", tools=[{"type": "function", **TOOL["function"], "strict": False}])
    kinds = [item.type for item in answer.output]
    assert kinds == ["reasoning", "function_call"] and json.loads(answer.output[1].arguments) == {"q": "x"}
    messages = anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=60)
    message = messages.messages.create(model=NAME, max_tokens=60, messages=HELLO, thinking={"type": "enabled", "budget_tokens": 1024}, tools=[
        {"name": "look", "description": "Looks it up.", "input_schema": PARAMETERS}])
    assert [block.type for block in message.content] == ["thinking", "tool_use"] and message.content[1].input == {"q": "x"}
    assert message.stop_reason == "tool_use"


def test_a_form_holds_for_the_answer_alone(scripted):
    # The script writes no JSON: what it writes is kept to the form in the final channel, and its thought is free.
    client = connect(scripted([*THOUGHT, *FINAL, "yes", "no"]))
    for stream in [False, True]:
        given = dict(model=NAME, messages=HELLO, extra_body={"structured_outputs": {"choice": ["yes", "maybe"]}})
        if stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(stream=True, **given) if chunk.choices)
        else:
            message = client.chat.completions.create(**given).choices[0].message
            text = message.content
            assert message.model_extra["reasoning_content"] == "Hm, 17!"
        assert text == "yes"


def test_efforts_reach_the_template(scripted):
    server = scripted([*FINAL, "Yes"])
    def prompt(effort):
        return server.http.post("/apply-template", json={"messages": HELLO, "reasoning_effort": effort}).json()["prompt"]
    for given, written in {"none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high", "max": "high"}.items():
        assert f"Reasoning: {written}\n" in prompt(given)
