"""Conversations as clients write them, and answers as models do: thoughts, calls, ends of text."""

import json
import shutil

import pytest
from conftest import TARGET
from scripted import checkpoint

GO = "{%- for m in messages %}{{ m.content }}{%- endfor %}<|go|>"
TOOL = {"type": "function", "function": {"name": "look", "parameters": {
    "type": "object", "properties": {"q": {"type": "string", "maxLength": 4}}, "required": ["q"], "additionalProperties": False}}}
FORM = {"type": "json_schema", "json_schema": {"name": "r", "schema": {
    "type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}}}


@pytest.fixture
def scripted(start, tmp_path):
    """Starts a server whose model answers with given tokens."""
    def begin(says, hint="", template=GO, **tokens):
        folder = checkpoint(tmp_path / "model", says, "{#- " + hint + " #}" + template, **tokens)
        return start("--threads", "2", target=folder, speculation=False)

    return begin


def chat(server, **more):
    body = {"messages": [{"role": "user", "content": "hi"}], "temperature": 0, "max_tokens": 40, **more}
    with server.http() as http:
        response = http.post("/v1/chat/completions", json=body)
    return response, response.json()


@pytest.fixture
def prompt(start, tmp_path):
    """The text that a template makes of a conversation."""
    template = tmp_path / "template.jinja"
    template.write_text(
        "{%- for m in messages %}<{{ m.role }}>{{ m.content + '' }}"
        "{%- for c in m.tool_calls or [] %}[{{ c.function.name }} {{ c.function.arguments | tojson }}]{%- endfor %}"
        "{%- if m.reasoning_content is defined %}({{ m.reasoning_content }}){%- endif %}{%- endfor %}")
    server = start("--chat-template", str(template), "--threads", "2")

    def text(*messages):
        with server.http() as http:
            tokens = http.post("/tokenize", json={"messages": list(messages)}).json()
            return http.post("/detokenize", json={"tokens": tokens["tokens"]}).json()["prompt"] if "tokens" in tokens else tokens

    return text


def test_histories_reach_the_template_in_one_shape(prompt):
    call = {"id": "c", "type": "function", "function": {"name": "clock"}}
    with_arguments = [{**call, "function": {"name": "clock", **more}} for more in ({}, {"arguments": None}, {"arguments": ""}, {"arguments": "{}"})]
    for content in ({}, {"content": None}, {"content": ""}, {"content": []}):
        for one in with_arguments:
            assert prompt({"role": "assistant", **content, "tool_calls": [one]}) == "<assistant>[clock {}]"
        for none in ({}, {"tool_calls": []}, {"tool_calls": None}, {"refusal": None, "audio": None, "function_call": None}):
            assert prompt({"role": "assistant", **content, **none}) == "<assistant>"
    assert prompt({"role": "developer", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]}) == "<system>a<user>b"
    assert prompt({"role": "assistant", "content": "a", "reasoning": "Hm."}) == "<assistant>a(Hm.)"
    assert prompt({"role": "assistant", "refusal": "No."}) == "<assistant>No."


def test_integers_of_any_length_keep_their_digits_in_the_prompt(prompt):
    arguments = '{"id": 123456789012345678901234567890, "low": -9223372036854775809}'
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
    assert prompt(message) == f"<assistant>[f {arguments}]"


@pytest.mark.parametrize("part", [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "input_audio", "input_audio": {}}, {"type": "file"}])
def test_parts_that_are_no_text_are_refused_by_name(prompt, part):
    error = prompt({"role": "user", "content": [{"type": "text", "text": "a"}, part]})["error"]
    assert error["param"] == "messages[0].content[1]" and part["type"] in error["message"]


def test_beside_a_form_the_model_may_still_call(scripted):
    server = scripted(["<tool_call>"], hint="<tool_call>", added=["<tool_call>"])
    for more in ({}, {"response_format": FORM}, {"response_format": FORM, "tool_choice": "required"}, {
        "response_format": FORM, "tool_choice": {"type": "allowed_tools", "allowed_tools": {
            "mode": "required", "tools": [{"type": "function", "function": {"name": "look"}}]}}}):
        _, answer = chat(server, tools=[TOOL], parallel_tool_calls=False, max_tokens=60, **more)
        [call] = answer["choices"][0]["message"]["tool_calls"]
        assert call["function"]["name"] == "look" and set(json.loads(call["function"]["arguments"])) == {"q"}


def test_beside_tools_the_model_may_still_answer_in_the_form(scripted):
    server = scripted(['{"ok": ', "true", "}"], hint="<tool_call>", added=["<tool_call>"])
    _, answer = chat(server, tools=[TOOL], response_format=FORM)
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"ok": True}


def test_a_control_token_may_open_a_call(scripted):
    server = scripted(["<|python_tag|>", '{"name": "look", "parame', 'ters": {"q": "x"}}'], hint="<|python_tag|>", control=["<|python_tag|>"])
    _, answer = chat(server, tools=[TOOL], return_token_ids=True)
    _, free = chat(server, return_token_ids=True)
    assert answer["choices"][0]["token_ids"][0] == free["choices"][0]["token_ids"][0]
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert call["function"] | {"arguments": json.loads(call["function"]["arguments"])} == {"name": "look", "arguments": {"q": "x"}}


def test_tags_that_are_control_tokens_are_read(scripted):
    says = ["<think>", "Hm.", "</think>", "<tool_call>", '\n{"name": "look", "arguments": {"q": "x"}}\n', "</tool_call>"]
    server = scripted(says, hint="<tool_call> <think>", control=["<think>", "</think>", "<tool_call>", "</tool_call>"])
    _, answer = chat(server, tools=[TOOL], parallel_tool_calls=False, max_tokens=60)
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"] == message["reasoning"] == "Hm."
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["look"] and not message["content"]


def test_tools_that_the_template_leaves_out_are_named_in_a_header(scripted):
    server = scripted(["Yes"], hint="<tool_call>")
    response, _ = chat(server, tools=[TOOL])
    assert response.headers["x-foretoken-warning"].startswith("tools")
    assert "x-foretoken-warning" not in chat(server)[0].headers


@pytest.mark.parametrize("limit", range(1, 8))
def test_a_call_that_is_cut_off_leaves_no_markup_in_the_content(scripted, limit):
    server = scripted(["Well.", "<tool", "_call>", "\n{", '"name": "lo', 'ok", "arg', 'uments": {"q": "x"}}', "\n</tool_call>"], hint="<tool_call>")
    _, answer = chat(server, tools=[TOOL], max_tokens=limit)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "length" and choice["message"]["content"] in ("Well.", "")


def test_stop_strings_count_after_the_thought(scripted):
    server = scripted(["<think>", "\nThe word HA", "LT is here.\n", "</think>", "\n\nYes", ", go on. HA", "LT now"], hint="<think>", added=["<think>", "</think>"])
    _, answer = chat(server, stop=["HALT"])
    choice = answer["choices"][0]
    assert choice["message"]["content"] == "Yes, go on. " and choice["stop_reason"] == "HALT"
    assert "HALT" in choice["message"]["reasoning_content"]
    _, quiet = chat(server, include_reasoning=False)
    assert "reasoning_content" not in quiet["choices"][0]["message"] and quiet["choices"][0]["message"]["content"].startswith("Yes")


def test_reasoning_effort_none_switches_thinking_off(scripted):
    switch = "{%- if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>{%- endif %}" + GO
    server = scripted(["Yes"], hint="<think>", template=switch)
    with server.http() as http:
        def count(**more):
            return chat(server, **more)[1]["usage"]["prompt_tokens"]

        assert count(reasoning_effort="none") > count(reasoning_effort="high") == count()
        assert http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "a"}], "reasoning_effort": "all"}).status_code == 400


def test_every_end_of_text_ends_an_answer(start, tmp_path):
    folder = tmp_path / "foretoken-reference-target"
    shutil.copytree(TARGET, folder)
    for name in ("config.json", "generation_config.json"):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | {"eos_token_id": 8189}))
    server = start("--threads", "2", target=str(folder), speculation=False)
    _, answer = chat(server, messages=[{"role": "user", "content": "List three colors."}], max_tokens=120, return_token_ids=True)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop" and choice["token_ids"][-1] == 8191


def test_named_templates_are_chosen_by_tools_and_by_name(start, tmp_path):
    folder = tmp_path / "model"
    checkpoint(folder, ["Yes"], GO)
    configuration = json.loads((folder / "tokenizer_config.json").read_text())
    configuration["chat_template"] = [
        {"name": "default", "template": "D<|go|>"}, {"name": "tool_use", "template": "T{{ tools | length }}<|go|>"}, {"name": "other", "template": "O<|go|>"}]
    (folder / "tokenizer_config.json").write_text(json.dumps(configuration))
    server = start("--threads", "2", target=str(folder), speculation=False)
    with server.http() as http:
        def prompt(**more):
            tokens = http.post("/tokenize", json={"messages": [{"role": "user", "content": "a"}], **more}).json()
            return http.post("/detokenize", json={"tokens": tokens["tokens"]}).json()["prompt"] if "tokens" in tokens else tokens["error"]

        assert prompt() == "D<|go|>" and prompt(tools=[TOOL]) == "T1<|go|>" and prompt(chat_template="other") == "O<|go|>"
        assert prompt(chat_template="none")["param"] == "chat_template"


def test_a_model_in_a_cache_is_called_by_its_name_on_the_hub(start, tmp_path):
    snapshot = tmp_path / "models--org--tiny" / "snapshots" / "c"
    shutil.copytree(TARGET, snapshot)
    server = start("--threads", "2", target=str(snapshot), speculation=False)
    assert [model.id for model in server.openai().models.list()] == ["org/tiny"]
