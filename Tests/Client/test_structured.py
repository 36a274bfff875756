"""Answers of a given form, and calls of tools, through the official client."""

import datetime
import decimal
import enum
import json
import re
import uuid
from typing import Annotated, Literal

import openai
import pydantic
import pytest
from conftest import NAME

MESSAGES = [{"role": "user", "content": "Describe a person."}]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "kind": {"enum": ["student", "teacher"]},
        "scores": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "kind", "scores"], "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA}}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather", "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 10}, "unit": {"enum": ["C", "F"]}},
            "required": ["city", "unit"], "additionalProperties": False}},
}
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}}


def ask(client, **more):
    return client.chat.completions.create(**{"model": NAME, "messages": MESSAGES, "max_tokens": 200, **more})


def fits(person):
    assert set(person) == {"name", "age", "kind", "scores"}
    assert len(person["name"]) <= 12 and 0 <= person["age"] <= 120 and person["kind"] in ("student", "teacher")
    assert 1 <= len(person["scores"]) <= 3 and all(0 <= score <= 9 for score in person["scores"])


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("temperature", [0, 1.5])
def test_an_answer_fits_its_schema(client, streams, temperature):
    for seed in range(3):
        answer = ask(client, response_format=FORMAT, temperature=temperature, seed=seed, stream=streams)
        if streams:
            chunks = list(answer)
            text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
            assert chunks[-1].choices[0].finish_reason == "stop"
        else:
            text = answer.choices[0].message.content
            assert answer.choices[0].finish_reason == "stop"
        fits(json.loads(text))


class Kind(enum.Enum):
    STUDENT = "student"
    TEACHER = "teacher"


class Address(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    street: Annotated[str, pydantic.Field(min_length=1, max_length=8)]
    number: Annotated[int, pydantic.Field(ge=1, le=200, multiple_of=5)]


class Person(pydantic.BaseModel):
    """Most of what pydantic writes into schemas."""

    name: Annotated[str, pydantic.StringConstraints(pattern="^[A-Z][a-z]{1,6}$")]
    kind: Kind
    address: Address | None
    born: datetime.date
    seen: datetime.timedelta
    identity: uuid.UUID
    price: decimal.Decimal
    tags: set[Literal["a", "b", "c"]]
    pair: tuple[int, bool]
    ratio: Annotated[float, pydantic.Field(gt=0, lt=1, multiple_of=0.25)]
    scores: dict[Literal["x", "y"], bool]
    codes: Annotated[dict[Annotated[str, pydantic.StringConstraints(pattern="^k[0-9]$")], bool], pydantic.Field(max_length=2)]


def test_pydantic_reads_what_was_written_for_its_schema(client):
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": Person.model_json_schema()}}
    finished = 0
    for seed in range(4):
        choice = ask(client, response_format=form, temperature=1, seed=seed, max_tokens=900).choices[0]
        if choice.finish_reason == "stop":
            finished += 1
            Person.model_validate_json(choice.message.content)
    assert finished >= 2


def test_the_official_client_parses(client):
    class Point(pydantic.BaseModel):
        x: Annotated[int, pydantic.Field(ge=-9, le=9)]
        label: Literal["left", "right"]

    answer = client.chat.completions.parse(model=NAME, messages=MESSAGES, max_tokens=100, response_format=Point)
    assert -9 <= answer.choices[0].message.parsed.x <= 9


def test_speculation_changes_nothing_of_a_constrained_answer(client):
    def text(**speculative):
        return ask(client, response_format=FORMAT, temperature=1, seed=9, extra_body=speculative).choices[0].message.content

    assert text() == text(speculative={"enabled": False})


def test_json_mode_gives_an_object(client):
    choice = ask(client, response_format={"type": "json_object"}, temperature=0, max_tokens=300).choices[0]
    if choice.finish_reason == "stop":
        assert isinstance(json.loads(choice.message.content), dict)
    else:
        assert choice.message.content.lstrip().startswith("{")


def test_vllm_s_names_for_forms(client):
    def text(**body):
        return ask(client, temperature=1, seed=2, extra_body=body).choices[0].message.content

    assert text(guided_choice=["yes", "no"]) in ("yes", "no")
    assert re.fullmatch("[0-9]{3}-[a-f]{2}", text(structured_outputs={"regex": "[0-9]{3}-[a-f]{2}"}))
    fits(json.loads(text(guided_json=SCHEMA)))


def test_plain_completions_take_forms_too(client):
    answer = client.completions.create(model=NAME, prompt="A person: ", max_tokens=200, extra_body={"response_format": FORMAT})
    fits(json.loads(answer.choices[0].text))


@pytest.mark.parametrize(("form", "part"), [
    ({"type": "yaml"}, "/response_format/type"), ({"type": "json_schema"}, "/response_format/json_schema"),
    ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {"a": {"type": "colour"}}}}},
     "/response_format/json_schema/schema/properties/a"),
])
def test_what_cannot_be_kept_to_is_refused_with_its_path(client, form, part):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, response_format=form)
    assert caught.value.param == "response_format" and part in caught.value.message


@pytest.fixture
def calling(start, tmp_path):
    """A server whose template tells the model of tools in Qwen's way."""
    template = tmp_path / "template.jinja"
    template.write_text(
        "{% if tools %}Tools: {% for tool in tools %}{{ tool | tojson }}\n{% endfor %}Call with <tool_call>.\n{% endif %}"
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}"
        "{% for call in m.tool_calls or [] %}<tool_call>\n{{ call.function | tojson }}\n</tool_call>{% endfor %}<|im_end|>\n"
        "{% endfor %}<|im_start|>assistant\n")
    return start("--chat-template", str(template), "--threads", "2").openai()


def calls_of(answer, streams):
    """Names and arguments of the calls, and the reason of the end."""
    if not streams:
        choice = answer.choices[0]
        assert choice.message.content is None
        return [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls], choice.finish_reason
    calls: dict[int, list[str]] = {}
    reason = None
    for chunk in answer:
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            for piece in choice.delta.tool_calls or []:
                if piece.id:
                    calls[piece.index] = [piece.id, piece.function.name, ""]
                calls[piece.index][2] += piece.function.arguments or ""
    return [tuple(calls[index]) for index in sorted(calls)], reason


@pytest.mark.parametrize("streams", [False, True])
def test_a_call_that_must_be_made_is_made(calling, streams):
    answer = ask(calling, tools=[WEATHER, CLOCK], tool_choice={"type": "function", "function": {"name": "get_weather"}},
                 temperature=1, seed=3, stream=streams)
    [(identity, name, arguments)], reason = calls_of(answer, streams)
    assert identity.startswith("call_") and name == "get_weather" and reason == "tool_calls"
    arguments = json.loads(arguments)
    assert set(arguments) == {"city", "unit"} and arguments["unit"] in ("C", "F")


@pytest.mark.parametrize("streams", [False, True])
def test_required_calls_one_of_the_tools(calling, streams):
    answer = ask(calling, tools=[WEATHER, CLOCK], tool_choice="required", parallel_tool_calls=False, temperature=1, seed=1, stream=streams)
    [(_, name, arguments)], reason = calls_of(answer, streams)
    assert name in ("get_weather", "clock") and reason == "tool_calls" and isinstance(json.loads(arguments), dict)


def test_calls_and_their_results_go_back_into_the_conversation(calling):
    call = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{\"zone\": \"UTC\"}"}}
    messages = [*MESSAGES, {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "12:00"}]
    assert ask(calling, messages=messages, tools=[CLOCK], max_tokens=8).choices


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("speculative", [None, {"enabled": False}])
def test_a_call_that_the_model_begins_is_kept_to_its_tool(start, tmp_path, streams, speculative):
    """A bias has the model write the tag, token by token; each is held back once it has been written."""
    template = tmp_path / "template.jinja"
    template.write_text("{# <tool_call> #}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n")
    server = start("--chat-template", str(template), "--threads", "2")
    with server.http() as http:
        tag = http.post("/tokenize", json={"prompt": "<tool_call>"}).json()["tokens"]
    assert len(set(tag)) == len(tag) <= 7
    bias = {str(token): 100 - 14 * place for place, token in enumerate(tag)}
    answer = ask(server.openai(), tools=[WEATHER, CLOCK], parallel_tool_calls=False, temperature=0, logit_bias=bias, max_tokens=300,
                 stream=streams, extra_body={"repetition_penalty": 1000, "speculative": speculative})
    [(_, name, arguments)], reason = calls_of(answer, streams)
    assert reason == "tool_calls"
    arguments = json.loads(arguments)
    if name == "get_weather":
        assert set(arguments) == {"city", "unit"} and arguments["unit"] in ("C", "F") and len(arguments["city"]) <= 10
    else:
        assert name == "clock" and arguments == {}


def test_a_strict_tool_that_cannot_be_kept_to_is_refused(calling):
    def tool(**more):
        return {"type": "function", "function": {"name": "f", "parameters": {"not": {"type": "null"}}, **more}}

    with pytest.raises(openai.BadRequestError) as caught:
        ask(calling, tools=[tool(strict=True)])
    assert caught.value.param == "tools" and "/tools/0/function/parameters/not" in caught.value.message
    assert ask(calling, tools=[tool()]).choices


def test_without_need_the_model_may_answer(calling):
    choice = ask(calling, tools=[WEATHER], temperature=0, max_tokens=20).choices[0]
    assert choice.message.content or choice.message.tool_calls


@pytest.mark.parametrize(("more", "field"), [
    ({"tool_choice": "required"}, "tool_choice"), ({"tools": [CLOCK], "tool_choice": "perhaps"}, "tool_choice"),
    ({"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "other"}}}, "tool_choice"),
    ({"tools": [CLOCK, CLOCK]}, "tools"), ({"tools": {"a": 1}}, "tools"),
])
def test_tools_that_do_not_fit_are_refused_by_name(calling, more, field):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(calling, **more)
    assert caught.value.param == field


def test_a_model_without_a_form_of_calls_says_so(client):
    with pytest.raises(openai.BadRequestError, match="chat template"):
        ask(client, tools=[CLOCK], tool_choice="required")
