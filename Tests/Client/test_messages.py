"""`/v1/messages` through Anthropic's official client."""

import json

import anthropic
import pydantic
import pytest
from conftest import NAME
from scripted import END, checkpoint
from test_responses import CALL, PLAIN, TAGS, TEMPLATE

TOOL = {"name": "look", "description": "Looks it up.", "input_schema": {
    "type": "object", "properties": {"q": {"type": "string", "maxLength": 4}}, "required": ["q"], "additionalProperties": False}}
GREEDY = {"extra_body": {"temperature": 0}}
HELLO = [{"role": "user", "content": "Count to five."}]


def connect(server, key="none", **more):
    return anthropic.Anthropic(base_url=server.url, api_key=key, max_retries=0, timeout=60, **more)


@pytest.fixture
def official(server):
    return connect(server)


@pytest.fixture
def scripted(start, tmp_path):
    def begin(says, template=TEMPLATE):
        folder = checkpoint(tmp_path / "model", says, template, added=TAGS)
        return start("--threads", "2", target=folder, speculation=False)

    return begin


def test_a_message_is_answered(client, official):
    answer = official.messages.create(model=NAME, max_tokens=12, messages=HELLO, **GREEDY, system="Be brief.", metadata={"user_id": "u"})
    assert answer.type == "message" and answer.role == "assistant" and answer.model == NAME and answer.id.startswith("msg_")
    [block] = answer.content
    chat = client.chat.completions.create(
        model=NAME, max_tokens=12, temperature=0, messages=[{"role": "system", "content": "Be brief."}, *HELLO])
    assert block.type == "text" and block.text == chat.choices[0].message.content
    assert answer.stop_reason == {"length": "max_tokens", "stop": "end_turn"}[chat.choices[0].finish_reason] and answer.stop_sequence is None
    usage = answer.usage
    assert usage.input_tokens + usage.cache_read_input_tokens == chat.usage.prompt_tokens and usage.output_tokens == chat.usage.completion_tokens
    assert answer._request_id and answer.model_extra["metrics"]["speculative_decoding"]


def test_blocks_are_text(official):
    plain = official.messages.count_tokens(model=NAME, messages=HELLO, system="Be brief.").input_tokens
    blocks = [{"type": "text", "text": "Count to five.", "cache_control": {"type": "ephemeral"}}]
    assert official.messages.count_tokens(
        model=NAME, messages=[{"role": "user", "content": blocks}], system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    ).input_tokens == plain
    answer = official.messages.create(model=NAME, max_tokens=1, messages=[{"role": "user", "content": blocks}], system="Be brief.")
    assert answer.usage.input_tokens + answer.usage.cache_read_input_tokens == plain
    twice = [{"role": "user", "content": "Count"}, {"role": "user", "content": "to five."}]
    assert official.messages.count_tokens(model=NAME, messages=twice).input_tokens == official.messages.count_tokens(
        model=NAME, messages=[{"role": "user", "content": "Count\nto five."}]).input_tokens


def test_events_come_in_order_and_add_up(official):
    given = dict(model=NAME, max_tokens=10, messages=HELLO, **GREEDY)
    events = list(official.messages.create(stream=True, **given))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"] and set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    whole = official.messages.create(**given)
    with official.messages.stream(**given) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == whole.content[0].text and final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens + final.usage.cache_read_input_tokens == whole.usage.input_tokens + whole.usage.cache_read_input_tokens
    raw = official.messages.with_raw_response.create(stream=True, **given)
    lines = raw.http_response.read().decode().split("\n")
    names = [line[7:] for line in lines if line.startswith("event: ")]
    assert names == [json.loads(line[6:])["type"] for line in lines if line.startswith("data: ")] and names[1] == "ping"


def test_a_stop_sequence_is_named(official):
    free = official.messages.create(model=NAME, max_tokens=30, messages=HELLO, **GREEDY).content[0].text
    stop = free[4:7]
    answer = official.messages.create(model=NAME, max_tokens=30, messages=HELLO, **GREEDY, stop_sequences=[stop, "never there"])
    assert answer.stop_reason == "stop_sequence" and answer.stop_sequence == stop and answer.content[0].text == free[:free.index(stop)]


def test_sampling_is_that_of_a_chat(client, official):
    given = dict(model=NAME, max_tokens=20, messages=HELLO)
    answer = official.messages.create(**given, extra_body={"seed": 3, "temperature": 0.9, "top_p": 0.9, "top_k": 20, "speculative": {"enabled": False}})
    chat = client.chat.completions.create(**given, seed=3, temperature=0.9, top_p=0.9, extra_body={"top_k": 20})
    assert answer.content[0].text == chat.choices[0].message.content


def test_the_answer_goes_on_with_a_last_message_of_the_assistant(client, official):
    messages = [*HELLO, {"role": "assistant", "content": "One, two,"}]
    answer = official.messages.create(model=NAME, max_tokens=8, messages=messages, **GREEDY)
    chat = client.chat.completions.create(
        model=NAME, max_tokens=8, messages=messages, temperature=0, extra_body={"continue_final_message": True, "add_generation_prompt": False})
    assert "".join(block.text for block in answer.content) == chat.choices[0].message.content


def test_thoughts_and_calls_are_blocks(scripted):
    server = scripted(["<think>", "\nHm.", " So.\n", "</think>", "\n\nWell.", *CALL])
    official = connect(server)
    given = dict(model="model", max_tokens=60, messages=HELLO, tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    answer = official.messages.create(**given)
    thought, text, call = answer.content
    assert (thought.type, thought.thinking) == ("thinking", "Hm. So.\n") and thought.signature and text.text == "Well."
    assert (call.type, call.name, call.input) == ("tool_use", "look", {"q": "x"}) and call.id.startswith("toolu_")
    assert answer.stop_reason == "tool_use" and 0 < answer.usage.output_tokens_details.thinking_tokens < answer.usage.output_tokens
    with official.messages.stream(**given) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text", "tool_use"]
    assert final.content[0].thinking == "Hm. So.\n" and final.content[0].signature and final.content[2].input == {"q": "x"}
    assert {"thinking", "signature", "text", "input_json"} <= set(kinds) and final.stop_reason == "tool_use"
    hidden = official.messages.create(**given, thinking={"type": "adaptive", "display": "omitted"})
    assert [block.type for block in hidden.content] == ["text", "tool_use"]


def test_a_call_that_is_cut_off_has_no_input(scripted):
    server = scripted(["<tool_call>", '":', ' {"q": "', "x", '"}'], template=PLAIN)
    answer = connect(server).messages.create(model="model", max_tokens=16, messages=HELLO, tools=[TOOL])
    assert answer.stop_reason == "max_tokens" and [(block.type, block.input) for block in answer.content] == [("tool_use", {})]


def test_results_of_tools_go_back(scripted):
    server = scripted(["<think>", "\nHm.\n", "</think>", *CALL, END, "It is noon."])
    official = connect(server)
    first = official.messages.create(model="model", max_tokens=60, messages=HELLO, tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    call = first.content[-1]
    history = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "12:00"}]}]}]
    last = official.messages.create(model="model", max_tokens=60, messages=history, tools=[TOOL])
    assert [block.text for block in last.content] == ["It is noon."] and last.stop_reason == "end_turn"
    with server.http() as http:
        function = {"name": "look", "arguments": '{"q": "x"}'}
        count = http.post("/tokenize", json={"tools": [{"type": "function", "function": {"name": "look"}}], "messages": [
            *HELLO, {"role": "assistant", "reasoning_content": "Hm.\n", "tool_calls": [{"type": "function", "function": function}]},
            {"role": "tool", "content": "12:00"}]}).json()["count"]
    assert count == last.usage.input_tokens + last.usage.cache_read_input_tokens
    assert count == official.messages.count_tokens(model="model", messages=history, tools=[TOOL]).input_tokens


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "look"}])
def test_a_call_can_be_asked_for(scripted, choice):
    official = connect(scripted(["No."], template=PLAIN))
    choice = {**choice, "disable_parallel_tool_use": True}
    answer = official.messages.create(model="model", max_tokens=60, messages=HELLO, tools=[TOOL], tool_choice=choice)
    assert [block.name for block in answer.content] == ["look"] and answer.stop_reason == "tool_use"
    impossible = {**TOOL, "strict": True, "input_schema": {"type": "object", "properties": {"a": {"type": "nothing"}}}}
    with pytest.raises(anthropic.BadRequestError, match="/tools/0/input_schema"):
        official.messages.create(model="model", max_tokens=60, messages=HELLO, tools=[impossible], tool_choice=choice)


def test_a_call_can_be_excluded(scripted):
    answer = connect(scripted(CALL)).messages.create(
        model="model", max_tokens=60, messages=HELLO, tools=[TOOL], tool_choice={"type": "none"})
    assert [block.type for block in answer.content] == ["text"]


def test_thinking_is_the_templates_switch(scripted):
    switch = TEMPLATE.replace("<|go|>", "{%- if enable_thinking is defined and enable_thinking %}(thought){%- endif %}<|go|>")
    official = connect(scripted(["Yes."], template=switch))

    def count(**more):
        return official.messages.count_tokens(model="model", messages=HELLO, **more).input_tokens

    plain = count()
    assert count(thinking={"type": "enabled", "budget_tokens": 1024}) > plain == count(thinking={"type": "adaptive"})
    assert count(thinking={"type": "disabled"}) > plain
    assert official.messages.create(model="model", max_tokens=20, messages=HELLO, thinking={"type": "disabled"}).content[0].text == "Yes."


class Step(pydantic.BaseModel):
    ok: bool


def test_answers_have_the_form_that_is_asked_for(official):
    schema = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}
    answer = official.messages.create(
        model=NAME, max_tokens=60, messages=HELLO, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(answer.content[0].text).keys() == {"ok"}
    assert isinstance(official.messages.parse(model=NAME, max_tokens=60, messages=HELLO, output_format=Step).parsed_output, Step)


def test_the_context_may_end_before_the_answer(start):
    official = connect(start("--threads", "2", "--max-model-len", "64"))
    answer = official.messages.create(model=NAME, max_tokens=5000, messages=HELLO, extra_body={"ignore_eos": True}, timeout=60)
    assert answer.stop_reason == "model_context_window_exceeded"
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        official.messages.create(model=NAME, max_tokens=5, messages=[{"role": "user", "content": "word " * 90}])


def test_keys_come_in_either_header(start):
    server = start("--api-key", "hush", "--threads", "2")
    assert connect(server, "hush").messages.count_tokens(model=NAME, messages=HELLO).input_tokens > 0
    bearer = anthropic.Anthropic(base_url=server.url, auth_token="hush", api_key=None, max_retries=0)
    assert bearer.messages.count_tokens(model=NAME, messages=HELLO).input_tokens > 0
    with pytest.raises(anthropic.AuthenticationError) as error:
        connect(server, "wrong").messages.count_tokens(model=NAME, messages=HELLO)
    assert error.value.body["type"] == "error" and error.value.body["error"]["type"] == "authentication_error"
    with server.http() as http:
        assert http.get("/v1/models", headers={"x-api-key": "hush"}).status_code == 200
        assert http.get("/v1/models", headers={"x-api-key": "hus"}).status_code == 401


def test_errors_have_the_shape_of_the_api(http, official):
    with pytest.raises(anthropic.NotFoundError) as error:
        official.messages.create(model="model-of-another", max_tokens=1, messages=HELLO)
    assert error.value.body["error"]["type"] == "not_found_error" and "model-of-another" in error.value.body["error"]["message"]
    for response, kind in [
        (http.get("/v1/messages"), "invalid_request_error"), (http.get("/v1/messages/none"), "not_found_error"),
        (http.post("/v1/messages", content=b"{", headers={"content-type": "application/json"}), "invalid_request_error"),
    ]:
        body = response.json()
        assert body["type"] == "error" and body["error"]["type"] == kind and body["error"]["message"] and body["request_id"]
        assert response.headers["request-id"] == body["request_id"] == response.headers["x-request-id"]


@pytest.mark.parametrize(("more", "word"), [
    ({"max_tokens": None}, "max_tokens is missing"), ({"max_tokens": 0}, "max_tokens is 0"), ({"messages": None}, "messages is missing"),
    ({"messages": []}, "at least one message"), ({"messages": [{"role": "robot", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content is missing"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "messages[0].content[0] is a block of type 'image'"),
    ({"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]}, "'document'"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image"}]}]}]}, "content[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "tool_use_id is missing"),
    ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": "x"}]}]}, "input is"),
    ({"system": 7}, "system is 7"), ({"system": [{"type": "image"}]}, "system[0]"),
    ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type is \"web_search_20250305\""),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema is missing"), ({"tools": [{"input_schema": {}}]}, "tools[0].name is missing"),
    ({"tool_choice": {"type": "all"}}, "tool_choice.type"), ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"thinking": {"type": "deep"}}, "thinking.type"), ({"thinking": {"type": "enabled", "budget_tokens": "many"}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": "all"}}, "output_config.effort"), ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
    ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "nothing"}}}}, "/output_config/format/schema"),
    ({"stop_sequences": 3}, "stop_sequences is 3"), ({"stop_sequences": [""]}, "stop_sequences holds an empty string"),
    ({"stop": ["a"]}, "expected stop_sequences"), ({"container": "c"}, "container"), ({"n": 2}, "n is 2"), ({"top_p": 2}, "top_p"),
    ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
])
def test_what_cannot_be_is_refused_by_name(http, more, word):
    response = http.post("/v1/messages", json={"max_tokens": 4, "messages": HELLO, **more})
    error = response.json()["error"]
    assert response.status_code == 400 and error["type"] == "invalid_request_error" and word in error["message"], error


def test_a_failing_stream_says_so(start):
    """A server that stops while a stream runs."""
    server = start("--threads", "1", "--shutdown-timeout", "0")
    events = []
    with pytest.raises(anthropic.APIStatusError) as error:
        for event in connect(server).messages.create(
                model=NAME, max_tokens=100_000, messages=HELLO, stream=True, extra_body={"ignore_eos": True}):
            events.append(event.type)
            if len(events) == 5:
                server.process.terminate()
    assert error.value.body["error"]["type"] == "overloaded_error" and events[0] == "message_start"
    server.wait()
