"""`/v1/responses` through the official client and the Agents SDK."""

import asyncio
import json

import openai
import pydantic
import pytest
from conftest import NAME
from scripted import END, checkpoint

TOOL = {"type": "function", "name": "look", "description": "Looks it up.", "strict": False, "parameters": {
    "type": "object", "properties": {"q": {"type": "string", "maxLength": 4}}, "required": ["q"], "additionalProperties": False}}
# The head of a call is written for the model, token by token; it goes on with the arguments.
CALL = ["<tool_call>", '":', ' {"q": "x"}', "}\n", "</tool_call>"]
TAGS = ["<tool_call>", "</tool_call>", "<think>", "</think>"]
# Writes everything that a conversation holds, and goes on elsewhere once there is a tool's result.
TEMPLATE = (
    "{#- <tool_call> <think> enable_thinking #}{%- for t in tools or [] %}{{ t.function.name }}{%- endfor %}"
    "{%- for m in messages %}[{{ m.role }}:{{ m.content }}{%- if m.reasoning_content %}({{ m.reasoning_content }}){%- endif %}"
    "{%- for c in m.tool_calls or [] %}{{ c.function.name }} {{ c.function.arguments | tojson }}{%- endfor %}]{%- endfor %}"
    "{%- if enable_thinking is defined and not enable_thinking %}(no thought){%- endif %}"
    "{%- if messages[-1].role == 'tool' %}<|im_end|>{%- else %}<|go|>{%- endif %}")

PLAIN = TEMPLATE.replace("<think> ", "")


@pytest.fixture
def scripted(start, tmp_path):
    """Starts a server whose model answers with given tokens."""
    def begin(says, template=TEMPLATE):
        folder = checkpoint(tmp_path / "model", says, template, added=TAGS)
        return start("--threads", "2", target=folder, speculation=False)

    return begin


def test_a_text_is_answered_and_kept(client):
    answer = client.responses.create(
        model=NAME, input="Count to five.", max_output_tokens=12, temperature=0, metadata={"a": "b"}, instructions="Be brief.")
    assert answer.object == "response" and answer.id.startswith("resp_") and answer.model == NAME and answer.status in ("completed", "incomplete")
    [message] = answer.output
    assert message.type == "message" and message.role == "assistant" and message.id.startswith("msg_")
    assert answer.output_text == message.content[0].text and message.content[0].annotations == []
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > answer.usage.output_tokens > 0
    assert answer.metadata == {"a": "b"} and answer.instructions == "Be brief." and answer.temperature == 0 and answer.tools == []
    assert client.responses.retrieve(answer.id).to_dict() == answer.to_dict()
    chat = client.chat.completions.create(model=NAME, temperature=0, max_tokens=12, messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Count to five."}])
    assert chat.choices[0].message.content == answer.output_text and chat.usage.prompt_tokens == answer.usage.input_tokens
    assert (answer.status == "incomplete") == (chat.choices[0].finish_reason == "length")
    client.responses.delete(answer.id)
    for call in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="not found"):
            list(call(answer.id))


def test_an_answer_that_is_cut_off_is_incomplete(client):
    answer = client.responses.create(model=NAME, input="Count to a hundred.", max_output_tokens=2, extra_body={"ignore_eos": True})
    assert answer.status == "incomplete" and answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output[-1].status == "incomplete" and answer.usage.output_tokens == 2
    with client.responses.stream(model=NAME, input="Count to a hundred.", max_output_tokens=2, extra_body={"ignore_eos": True}) as stream:
        last = [event for event in stream][-1]
    assert last.type == "response.incomplete" and last.response.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize("more", [{"seed": 7}, {"speculative": {"enabled": False}, "seed": 7}, {"min_p": 0.1, "top_k": 9, "seed": 1}])
def test_a_seed_means_the_tokens_that_it_means_in_a_chat(client, more):
    answer = client.responses.create(model=NAME, input="Say it.", max_output_tokens=20, temperature=0.8, extra_body=more)
    chat = client.chat.completions.create(
        model=NAME, messages=[{"role": "user", "content": "Say it."}], max_tokens=20, temperature=0.8, extra_body=more)
    assert answer.output_text == chat.choices[0].message.content
    assert answer.model_extra["metrics"]["speculative_decoding"].keys() == chat.model_extra["metrics"]["speculative_decoding"].keys()


def test_events_come_in_order_and_add_up(client):
    given = dict(model=NAME, input="Count to five.", max_output_tokens=10, temperature=0)
    events = list(client.responses.create(stream=True, **given))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:4] == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    assert set(kinds[4:-4]) == {"response.output_text.delta"}
    assert kinds[-4:-1] == ["response.output_text.done", "response.content_part.done", "response.output_item.done"]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    last = events[-1].response
    assert text == events[-4].text == last.output_text == client.responses.create(**given).output_text
    assert events[0].response.status == "in_progress" and events[0].response.id == last.id == client.responses.retrieve(last.id).id
    assert {event.item_id for event in events[4:-4]} == {last.output[0].id}
    with client.responses.stream(**given) as stream:
        for _ in stream:
            pass
        assert stream._state is not None
    raw = client.responses.with_raw_response.create(stream=True, **given)
    lines = raw.http_response.read().decode().split("\n")
    names = [line[7:] for line in lines if line.startswith("event: ")]
    assert names == [json.loads(line[6:])["type"] for line in lines if line.startswith("data: ")] and "[DONE]" not in "".join(lines)


def test_log_probabilities_belong_to_the_text(client):
    given = dict(model=NAME, input="Count to five.", max_output_tokens=8, temperature=0, top_logprobs=2, include=["message.output_text.logprobs"])
    content = client.responses.create(**given).output[0].content[0]
    assert "".join(entry.token for entry in content.logprobs) == content.text
    assert all(len(entry.top_logprobs) == 2 and entry.logprob <= 0 for entry in content.logprobs)
    events = list(client.responses.create(stream=True, **given))
    streamed = [entry.token for event in events if event.type == "response.output_text.delta" for entry in event.logprobs]
    assert streamed == [entry.token for entry in content.logprobs]
    assert not client.responses.create(model=NAME, input="a", max_output_tokens=2).output[0].content[0].logprobs


def test_a_response_goes_on_from_another(server, client):
    first = client.responses.create(model=NAME, input="My name is Ada.", max_output_tokens=8, temperature=0, instructions="Ignored later.")
    second = client.responses.create(model=NAME, input="Who am I?", previous_response_id=first.id, max_output_tokens=8, temperature=0)
    chat = client.chat.completions.create(model=NAME, temperature=0, max_tokens=8, messages=[
        {"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": first.output_text},
        {"role": "user", "content": "Who am I?"}])
    assert second.output_text == chat.choices[0].message.content and second.usage.input_tokens == chat.usage.prompt_tokens
    assert second.previous_response_id == first.id and second.usage.input_tokens_details.cached_tokens >= 0
    items = list(client.responses.input_items.list(second.id, order="asc"))
    assert [item.content[0].text for item in items] == ["My name is Ada.", first.output_text, "Who am I?"]
    assert [item.id for item in client.responses.input_items.list(second.id, limit=1)] == [item.id for item in reversed(items)]
    page = client.responses.input_items.list(second.id, order="asc", limit=2)
    assert page.has_more and [item.id for item in page.data] == [item.id for item in items[:2]]
    assert client.responses.input_tokens.count(model=NAME, input="Who am I?", previous_response_id=first.id).input_tokens == second.usage.input_tokens


@pytest.mark.parametrize("more", [{"store": False}, {"previous_response_id": "resp_never"}])
def test_what_is_not_kept_cannot_be_gone_on_from(client, more):
    if "store" in more:
        answer = client.responses.create(model=NAME, input="a", max_output_tokens=2, **more)
        more = {"previous_response_id": answer.id}
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)
    with pytest.raises(openai.BadRequestError, match="Previous response with id .* not found") as error:
        client.responses.create(model=NAME, input="b", **more)
    assert error.value.code == "previous_response_not_found" and error.value.param == "previous_response_id"


def test_of_too_many_responses_the_oldest_go(start):
    client = start("--threads", "2", "--max-stored-responses", "2").openai()
    ids = [client.responses.create(model=NAME, input="a", max_output_tokens=1).id for _ in range(2)]
    client.responses.retrieve(ids[0])
    ids.append(client.responses.create(model=NAME, input="a", max_output_tokens=1).id)
    assert client.responses.retrieve(ids[0]).id == ids[0] and client.responses.retrieve(ids[2]).id == ids[2]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(ids[1])


def test_only_what_runs_in_the_background_can_be_cancelled(client):
    answer = client.responses.create(model=NAME, input="a", max_output_tokens=1)
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        client.responses.cancel(answer.id)


def test_a_conversation_that_is_too_long_is_refused_or_loses_its_beginning(start):
    client = start("--threads", "2", "--max-model-len", "96").openai()
    turns = [{"role": role, "content": f"{place} " + "word " * 12} for place in range(6) for role in ("user", "assistant")]
    turns.append({"role": "user", "content": "The end."})
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model=NAME, input=turns, max_output_tokens=4)
    assert error.value.code == "context_length_exceeded" and error.value.param == "input"
    answer = client.responses.create(model=NAME, input=turns, max_output_tokens=4, truncation="auto", instructions="Be brief.", temperature=0)
    assert answer.usage.input_tokens < 96 and answer.truncation == "auto"
    shorter = [client.responses.input_tokens.count(model=NAME, input=turns[place:], instructions="Be brief.").input_tokens for place in range(0, 13, 2)]
    assert answer.usage.input_tokens == max(count for count in shorter if count < 96)


class Step(pydantic.BaseModel):
    ok: bool
    n: int


def test_answers_have_the_form_that_is_asked_for(client):
    parsed = client.responses.parse(model=NAME, input="Answer.", text_format=Step, max_output_tokens=60)
    assert isinstance(parsed.output_parsed, Step)
    with client.responses.stream(model=NAME, input="Answer.", text_format=Step, max_output_tokens=60) as stream:
        for _ in stream:
            pass
        final = stream.get_final_response()
    assert isinstance(final.output_parsed, Step)
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}, "required": ["a"], "additionalProperties": False}
    answer = client.responses.create(
        model=NAME, input="Answer.", max_output_tokens=60, text={"format": {"type": "json_schema", "name": "r", "schema": schema, "strict": True}})
    assert json.loads(answer.output_text).keys() == {"a"} and answer.text.format.name == "r"
    loose = client.responses.create(model=NAME, input="Answer.", max_output_tokens=200, text={"format": {"type": "json_object"}}, temperature=0)
    assert loose.status == "incomplete" or isinstance(json.loads(loose.output_text), dict)


def test_thoughts_and_calls_are_items(scripted):
    server = scripted(["<think>", "\nHm.", " So.\n", "</think>", "\n\nWell.", *CALL])
    client = server.openai()
    given = dict(model="model", input="Look.", tools=[TOOL], parallel_tool_calls=False, temperature=0, max_output_tokens=60)
    answer = client.responses.create(**given)
    thought, message, call = answer.output
    assert (thought.type, thought.summary, thought.content[0].text) == ("reasoning", [], "Hm. So.\n")
    assert message.content[0].text == "Well." and answer.status == "completed" and call.status == "completed"
    assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "look", {"q": "x"}) and call.call_id.startswith("call_")
    assert 0 < answer.usage.output_tokens_details.reasoning_tokens < answer.usage.output_tokens
    events = list(client.responses.create(stream=True, **given))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert [kind for place, kind in enumerate(kinds) if kind != kinds[place - 1]] == [
        "created", "in_progress", "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done",
        "content_part.done", "output_item.done", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done", "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done", "completed"]
    assert [event.output_index for event in events if event.type == "response.output_item.done"] == [0, 1, 2]
    for name, text in (("reasoning_text", "Hm. So.\n"), ("function_call_arguments", call.arguments)):
        assert "".join(event.delta for event in events if event.type == f"response.{name}.delta") == text
    with client.responses.stream(**given) as stream:
        final = [event for event in stream][-1].response
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


def test_items_of_an_answer_can_be_sent_back(scripted):
    server = scripted(["<think>", "\nHm.\n", "</think>", "\n\nWell.", *CALL, END, "It is noon."])
    client = server.openai()
    history = [{"role": "user", "content": "Look."}]
    answer = client.responses.create(model="model", input=history, tools=[TOOL], parallel_tool_calls=False, max_output_tokens=60, store=False)
    result = {"type": "function_call_output", "call_id": answer.output[-1].call_id, "output": "12:00"}
    history += [*(item.to_dict() for item in answer.output), result]
    last = client.responses.create(model="model", input=history, tools=[TOOL], max_output_tokens=60)
    assert last.output_text == "It is noon."
    with server.http() as http:
        def count(messages):
            return http.post("/tokenize", json={"messages": messages, "tools": [{"type": "function", "function": {"name": "look"}}]}).json()["count"]
        call = {"type": "function", "function": {"name": "look", "arguments": '{"q": "x"}'}}
        assert last.usage.input_tokens == count([
            {"role": "user", "content": "Look."}, {"role": "assistant", "content": "Well.", "reasoning_content": "Hm.\n", "tool_calls": [call]},
            {"role": "tool", "content": "12:00"}])
    kept = client.responses.create(model="model", input="Look.", tools=[TOOL], parallel_tool_calls=False, max_output_tokens=60)
    result["call_id"] = kept.output[-1].call_id
    chained = client.responses.create(model="model", input=[result], previous_response_id=kept.id, tools=[TOOL], max_output_tokens=60)
    assert chained.output_text == "It is noon." and chained.usage.input_tokens == last.usage.input_tokens
    assert [item.type for item in client.responses.input_items.list(chained.id, order="asc")] == [
        "message", "reasoning", "message", "function_call", "function_call_output"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "look"}, {
    "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]}])
def test_a_call_can_be_asked_for(scripted, choice):
    client = scripted(["No."], template=PLAIN).openai()
    answer = client.responses.create(
        model="model", input="a", tools=[TOOL], tool_choice=choice, parallel_tool_calls=False, max_output_tokens=60)
    [call] = answer.output
    assert call.name == "look" and set(json.loads(call.arguments)) == {"q"}
    impossible = {**TOOL, "strict": True, "parameters": {"type": "object", "properties": {"a": {"type": "nothing"}}}}
    with pytest.raises(openai.BadRequestError, match="/tools/0/parameters"):
        client.responses.create(model="model", input="a", tools=[impossible], tool_choice=choice)


def test_effort_switches_thinking_off_and_a_summary_is_not_written(scripted):
    server = scripted(["<think>", "\nHm.\n", "</think>", "Yes."])
    client = server.openai()
    count = client.responses.input_tokens.count
    assert count(model="model", input="a", reasoning={"effort": "none"}).input_tokens > count(model="model", input="a", reasoning={"effort": "high"}).input_tokens
    answer = client.responses.with_raw_response.create(model="model", input="a", reasoning={"effort": "low", "summary": "auto"})
    assert "reasoning.summary" in answer.headers["x-foretoken-warning"] and answer.parse().reasoning.summary == "auto"


def test_a_response_without_a_word_has_an_empty_text(scripted):
    answer = scripted(["<think>", "\nHm.\n", "</think>"]).openai().responses.create(model="model", input="a")
    assert [item.type for item in answer.output] == ["reasoning", "message"] and answer.output_text == ""


@pytest.mark.parametrize(("body", "param", "word"), [
    ({}, "input", "missing"), ({"input": 7}, "input", "an array of items"), ({"input": []}, "input", "at least one"),
    ({"input": "a", "background": True}, "background", "expected false"),
    ({"input": "a", "conversation": "conv_1"}, "conversation", "previous_response_id"),
    ({"input": "a", "prompt": {"id": "p"}}, "prompt", "instructions"),
    ({"input": "a", "max_tokens": 5}, "max_tokens", "max_output_tokens"),
    ({"input": "a", "max_output_tokens": 0}, "max_output_tokens", "from 1 up"),
    ({"input": "a", "tools": [{"type": "web_search"}]}, "tools[0].type", "web_search"),
    ({"input": "a", "tools": [{"type": "function"}]}, "tools[0].name", "missing"),
    ({"input": "a", "tool_choice": {"type": "web_search"}}, "tool_choice", "web_search"),
    ({"input": "a", "text": {"format": {"type": "xml"}}}, "text.format.type", "json_schema"),
    ({"input": "a", "text": {"format": {"type": "json_schema", "name": "r"}}}, "text.format.schema", "missing"),
    ({"input": "a", "text": {"format": {"type": "json_schema", "name": "r", "schema": {"type": "nothing"}}}}, "text.format", "/text/format/schema"),
    ({"input": "a", "text": {"verbosity": "low"}}, "text.verbosity", "not supported"),
    ({"input": "a", "reasoning": {"effort": "all"}}, "reasoning.effort", "one of"),
    ({"input": "a", "include": ["everything"]}, "include", "everything"),
    ({"input": "a", "metadata": {"a": 1}}, "metadata.a", "a string"), ({"input": "a", "truncation": "maybe"}, "truncation", "maybe"),
    ({"input": "a", "temperature": 1000}, "temperature", "100"), ({"input": "a", "top_logprobs": 21}, "top_logprobs", "20"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:"}]}]}, "input[0].content[0]", "input_image"),
    ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input[0].content[0]", "input_file"),
    ({"input": [{"role": "robot", "content": "a"}]}, "input[0].role", "robot"),
    ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]", "reference"),
    ({"input": [{"type": "computer_call"}]}, "input[0]", "computer_call"),
    ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments", "missing"),
    ({"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image"}]}]}, "input[0].output[0]", "input_image"),
])
def test_what_cannot_be_is_refused_by_name(http, body, param, word):
    response = http.post("/v1/responses", json=body)
    error = response.json()["error"]
    assert response.status_code == 400 and error["param"] == param and word in error["message"], error


def test_a_stream_that_ends_before_its_time_says_why(start):
    server = start("--threads", "1", "--shutdown-timeout", "0")
    events = []
    for event in server.openai().responses.create(
            model=NAME, input="Count.", max_output_tokens=100_000, stream=True, extra_body={"ignore_eos": True}):
        events.append(event)
        if len(events) == 6:
            server.process.terminate()
    assert events[-1].type == "error" and events[-1].code == "shutting_down"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    server.wait()


def test_queries_that_cannot_be_followed_are_refused(http):
    id = http.post("/v1/responses", json={"input": "a", "max_output_tokens": 1}).json()["id"]
    for query in ("limit=0", "limit=x", "order=up", "after=nothing"):
        assert http.get(f"/v1/responses/{id}/input_items?{query}").status_code == 400
    assert http.get(f"/v1/responses/{id}?stream=true").status_code == 400
    assert http.get(f"/v1/responses/{id}").status_code == 200
    assert http.get("/v1/responses").status_code == 405 and http.put(f"/v1/responses/{id}").headers["allow"] == "GET, HEAD, DELETE"


def test_requests_are_counted_by_endpoint(server, client):
    answer = client.responses.create(model=NAME, input="a", max_output_tokens=1)
    list(client.responses.create(model=NAME, input="a", max_output_tokens=1, stream=True))
    before = server.metrics()
    client.responses.retrieve(answer.id)
    list(client.responses.create(model=NAME, input="a", max_output_tokens=1, stream=True))
    after = server.metrics()
    labels = 'method="GET",handler="/v1/responses/{id}"'
    assert after[f'http_requests_total{{{labels},status="200"}}'] == before.get(f'http_requests_total{{{labels},status="200"}}', 0) + 1
    for labels in (labels, 'method="POST",handler="/v1/responses"'):
        name = f"http_request_duration_seconds_count{{{labels}}}"
        assert after[name] == before.get(name, 0) + 1


class Clock:
    """A tool of the Agents SDK that counts how often it is called."""

    def __init__(self):
        import agents

        self.calls = []

        def look(q: str) -> str:
            """Looks it up."""
            self.calls.append(q)
            return "12:00"

        self.tool = agents.function_tool(look)


@pytest.mark.parametrize("streams", [False, True])
def test_the_agents_sdk_runs_tools_to_the_end(scripted, streams):
    import agents

    server = scripted(["<think>", "\nHm.\n", "</think>", *CALL, END, "It is noon."])
    agents.set_tracing_disabled(True)
    clock = Clock()
    model = agents.OpenAIResponsesModel("model", openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none"))
    agent = agents.Agent(
        name="watch", instructions="Tell the time.", model=model, tools=[clock.tool],
        model_settings=agents.ModelSettings(parallel_tool_calls=False, max_tokens=60, temperature=0))

    async def run():
        if not streams:
            return await agents.Runner.run(agent, "What time is it?")
        result = agents.Runner.run_streamed(agent, "What time is it?")
        async for _ in result.stream_events():
            pass
        return result

    result = asyncio.run(run())
    assert result.final_output == "It is noon." and clock.calls == ["x"]
    assert [item.type for item in result.new_items] == ["reasoning_item", "tool_call_item", "tool_call_output_item", "message_output_item"]
