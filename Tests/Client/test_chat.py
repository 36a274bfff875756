"""/v1/chat/completions through the official client."""

import openai
import pytest
from conftest import NAME

MESSAGES = [{"role": "user", "content": "List the days of the week."}]


# What has no one answer, so that samples differ.
OPEN = {"messages": [{"role": "user", "content": "Tell me a story about winter."}], "temperature": 1.0}


def ask(client, **more):
    return client.chat.completions.create(**{"model": NAME, "messages": MESSAGES, "max_tokens": 16, **more})


def read(stream):
    """Chunks of a stream, and the text of each choice."""
    chunks = list(stream)
    texts: dict[int, str] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return chunks, texts


def test_an_answer_has_the_fields_of_the_api(client):
    answer = ask(client)
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-")
    assert answer.model == NAME and answer.created > 1_700_000_000
    [choice] = answer.choices
    assert choice.index == 0 and choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason == "length" and choice.logprobs is None
    assert answer.usage.completion_tokens == 16
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 16


def test_a_stream_says_what_the_whole_says(client):
    whole = ask(client, max_tokens=40, seed=7, temperature=0.8)
    chunks, texts = read(ask(client, max_tokens=40, seed=7, temperature=0.8, stream=True))
    assert texts[0] == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert all(chunk.usage is None for chunk in chunks)
    assert len({chunk.id for chunk in chunks}) == 1


def test_each_token_is_one_event(client):
    chunks, _ = read(ask(client, max_tokens=24, stream=True, extra_body={"return_token_ids": True, "ignore_eos": True}))
    counts = [len(chunk.choices[0].model_extra["token_ids"]) for chunk in chunks if "token_ids" in chunk.choices[0].model_extra]
    assert counts == [1] * 24


def test_usage_comes_last_when_it_is_asked_for(client):
    chunks, _ = read(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 16
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("streams", [False, True])
def test_n_answers_come_in_their_places(client, streams):
    more = {**OPEN, "n": 3, "seed": 1, "max_tokens": 12}
    whole = [choice.message.content for choice in ask(client, **more).choices]
    assert len(whole) == 3 and len(set(whole)) > 1
    if streams:
        _, texts = read(ask(client, stream=True, **more))
        assert [texts[index] for index in range(3)] == whole


def test_the_seed_decides(client):
    def text(seed):
        return ask(client, **OPEN, seed=seed, max_tokens=24).choices[0].message.content

    assert text(3) == text(3)
    assert len({text(seed) for seed in range(4)}) > 1


def test_without_a_seed_samples_differ(client):
    texts = {ask(client, **OPEN, max_tokens=24).choices[0].message.content for _ in range(4)}
    assert len(texts) > 1


@pytest.mark.parametrize("streams", [False, True])
def test_a_stop_string_ends_the_answer_before_it(client, streams):
    full = ask(client, max_tokens=60, temperature=0).choices[0].message.content
    stop = full[len(full) // 2 :][:4]
    expected = full[: full.index(stop)]
    if streams:
        chunks, texts = read(ask(client, max_tokens=60, temperature=0, stop=stop, stream=True))
        assert texts[0] == expected and chunks[-1].choices[0].finish_reason == "stop"
    else:
        choice = ask(client, max_tokens=60, temperature=0, stop=[stop, "never there"]).choices[0]
        assert choice.message.content == expected and choice.finish_reason == "stop"
        assert choice.model_extra["stop_reason"] == stop


def test_a_stop_token_ends_the_answer(client):
    ids = ask(client, temperature=0, extra_body={"return_token_ids": True}).choices[0].model_extra["token_ids"]
    stop = ids[5]
    choice = ask(client, temperature=0, extra_body={"stop_token_ids": [stop], "return_token_ids": True}).choices[0]
    assert choice.finish_reason == "stop" and choice.model_extra["stop_reason"] == stop
    assert choice.model_extra["token_ids"] == ids[: ids.index(stop) + 1]


@pytest.mark.parametrize("streams", [False, True])
def test_logprobs_are_those_of_the_tokens(client, streams):
    if streams:
        chunks, _ = read(ask(client, temperature=0, logprobs=True, top_logprobs=3, stream=True))
        entries = [entry for chunk in chunks for choice in chunk.choices if choice.logprobs for entry in choice.logprobs.content]
    else:
        entries = ask(client, temperature=0, logprobs=True, top_logprobs=3).choices[0].logprobs.content
    assert len(entries) == 16
    for entry in entries:
        assert len(entry.top_logprobs) == 3
        # Greedy: the chosen token is the likeliest.
        assert entry.token == entry.top_logprobs[0].token
        assert entry.logprob == entry.top_logprobs[0].logprob <= 0
        assert bytes(entry.bytes).decode(errors="replace")
        assert entry.logprob >= entry.top_logprobs[1].logprob >= entry.top_logprobs[2].logprob


def test_logprobs_without_alternatives(client):
    entries = ask(client, logprobs=True).choices[0].logprobs.content
    assert len(entries) == 16 and all(entry.top_logprobs == [] for entry in entries)


def test_logit_bias_forces_and_forbids(client):
    plain = ask(client, temperature=0, max_tokens=1, extra_body={"return_token_ids": True}).choices[0]
    [token] = plain.model_extra["token_ids"]
    forced = ask(client, temperature=0, max_tokens=3, logit_bias={"42": 100}, extra_body={"return_token_ids": True})
    assert forced.choices[0].model_extra["token_ids"] == [42] * 3
    other = ask(client, temperature=0, max_tokens=1, logit_bias={str(token): -100}, extra_body={"return_token_ids": True})
    assert other.choices[0].model_extra["token_ids"] != [token]


@pytest.mark.parametrize(
    "more",
    [
        {"frequency_penalty": 2.0}, {"presence_penalty": 2.0}, {"extra_body": {"repetition_penalty": 1.8}},
        {"logit_bias": {"42": 100}, "frequency_penalty": 2.0},
    ])
def test_penalties_change_a_greedy_answer(client, more):
    def text(**extra):
        body = {"ignore_eos": True, **extra.pop("extra_body", {})}
        return ask(client, temperature=0, max_tokens=120, extra_body=body, **extra).choices[0].message.content

    assert text(**more) != text()


@pytest.mark.parametrize(
    "more", [{"extra_body": {"top_k": 1}}, {"extra_body": {"min_p": 1.0}}, {"top_p": 1e-9}, {"temperature": 0}])
def test_filters_down_to_one_token_are_greedy(client, more):
    greedy = ask(client, temperature=0, max_tokens=30).choices[0].message.content
    assert ask(client, **{"temperature": 1.3, "max_tokens": 30, **more}).choices[0].message.content == greedy


def test_ignore_eos_goes_on_to_the_limit(client):
    answer = ask(client, max_tokens=None, max_completion_tokens=300, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 300 and answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("speculative", [{}, {"enabled": False}, {"num_speculative_tokens": 3}])
def test_min_tokens_keep_an_answer_going(client, streams, speculative):
    def ids(**body):
        answer = ask(client, max_tokens=80, temperature=0, stream=streams, extra_body={"return_token_ids": True, "speculative": speculative, **body})
        if not streams:
            return answer.choices[0].model_extra["token_ids"], answer.choices[0].finish_reason
        choices = [choice for chunk in answer for choice in chunk.choices]
        return [token for choice in choices for token in choice.model_extra.get("token_ids", [])], choices[-1].finish_reason

    plain, reason = ids()
    assert reason == "stop" and len(plain) < 70
    longer, _ = ids(min_tokens=len(plain) + 5)
    assert len(longer) > len(plain) + 5 and longer[: len(plain) - 1] == plain[:-1]
    # Stop tokens and stop strings wait as well.
    stop = plain[4]
    assert len(ids(stop_token_ids=[stop])[0]) <= 5
    assert stop not in ids(stop_token_ids=[stop], min_tokens=12)[0][:12]
    assert len(ids(stop=[" "], min_tokens=12)[0]) > 12


def test_min_tokens_do_not_open_a_form_that_is_complete(client):
    form = {"guided_choice": ["yes", "no"], "min_tokens": 10}
    answer = ask(client, max_tokens=20, extra_body=form)
    assert answer.choices[0].message.content in ("yes", "no") and answer.choices[0].finish_reason == "stop"


def test_a_message_can_be_continued(client, http):
    messages = [*MESSAGES, {"role": "assistant", "content": "Here they are: "}]
    body = {"messages": messages, "continue_final_message": True}
    tokens = http.post("/tokenize", json=body).json()["tokens"]
    prompt = http.post("/detokenize", json={"tokens": tokens}).json()["prompt"]
    assert prompt.endswith("assistant\nHere they are: ")
    answer = ask(client, messages=messages, temperature=0, extra_body={"continue_final_message": True, "add_generation_prompt": False})
    assert answer.usage.prompt_tokens == len(tokens)
    plain = client.completions.create(model=NAME, prompt=tokens, temperature=0, max_tokens=16)
    assert plain.choices[0].text == answer.choices[0].message.content
    # Any message can be, also one that holds what marks its end.
    parts = [{"role": "user", "content": [{"type": "text", "text": "Once upon a <|im_end|>"}]}]
    assert ask(client, messages=parts, extra_body={"continue_final_message": True}).choices


def test_without_a_generation_prompt_the_conversation_is_all(client, http):
    def prompt(**body):
        tokens = http.post("/tokenize", json={"messages": MESSAGES, **body}).json()["tokens"]
        return http.post("/detokenize", json={"tokens": tokens}).json()["prompt"]

    assert prompt().endswith("assistant\n") and not prompt(add_generation_prompt=False).endswith("assistant\n")
    assert prompt().startswith(prompt(add_generation_prompt=False))
    count = ask(client, max_tokens=1, extra_body={"add_generation_prompt": False}).usage.prompt_tokens
    assert count < ask(client, max_tokens=1).usage.prompt_tokens
    # This tokenizer adds nothing around a text.
    assert prompt(add_special_tokens=True) == prompt()


@pytest.mark.parametrize(("more", "field"), [
    ({"continue_final_message": True, "add_generation_prompt": True}, "continue_final_message"),
    ({"continue_final_message": "yes"}, "continue_final_message"), ({"add_special_tokens": 1}, "add_special_tokens"),
    ({"continue_final_message": True, "messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
    ({"min_tokens": 17}, "min_tokens"), ({"min_tokens": -1}, "min_tokens"), ({"min_tokens": 5000, "max_tokens": None}, "min_tokens"),
])
def test_what_cannot_go_together_is_refused_by_name(client, more, field):
    messages = more.pop("messages", MESSAGES)
    limit = more.pop("max_tokens", 16)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, messages=messages, max_tokens=limit, extra_body=more)
    assert caught.value.param == field


@pytest.mark.parametrize("streams", [False, True])
def test_every_verification_is_listed_when_told_to(start, streams):
    client = start("--per-request-spec-decode-metrics", "detailed", "--max-num-seqs", "2", "--threads", "2").openai()
    body = {"ignore_eos": True, "speculative": {"method": "draft_model", "num_speculative_tokens": 4}}
    answer = ask(client, n=2, seed=3, temperature=0.7, max_tokens=40, stream=streams, stream_options={"include_usage": True} if streams else None, extra_body=body)
    chunks = list(answer) if streams else [answer]
    assert all("metrics" not in chunk.model_extra for chunk in chunks[:-1])
    figures = chunks[-1].model_extra["metrics"]["speculative_decoding"]
    accepted, drafted = figures["per_step_accepted"], figures["per_step_drafted"]
    assert len(accepted) == len(drafted) == figures["num_spec_steps"] > 0
    assert sum(accepted) == figures["num_accepted_draft_tokens"] and sum(drafted) == figures["num_draft_tokens"]
    assert all(0 <= a <= d <= 4 and d > 0 for a, d in zip(accepted, drafted))
    assert [accepted.count(i) for i in range(len(figures["acceptance_histogram"]))] == figures["acceptance_histogram"]


def test_figures_can_be_left_out(start):
    client = start("--per-request-spec-decode-metrics", "none", "--threads", "2").openai()
    assert "metrics" not in ask(client).model_extra
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "metrics" not in chunks[-1].model_extra


def test_max_completion_tokens_comes_before_max_tokens(client):
    assert ask(client, max_tokens=9, max_completion_tokens=4).usage.completion_tokens == 4


def test_content_parts_are_text(client):
    parts = [{"role": "user", "content": [{"type": "text", "text": "List the days"}, {"type": "text", "text": "of the week."}]}]
    joined = [{"role": "user", "content": "List the days\nof the week."}]
    assert ask(client, messages=parts, temperature=0).choices == ask(client, messages=joined, temperature=0).choices


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("wish", [{"enabled": False}, {"num_speculative_tokens": 2}, {"method": "draft_model", "num_speculative_tokens": 1}])
def test_speculation_per_request_changes_nothing_but_the_figures(client, wish, streams):
    def ids(**extra):
        body = {"return_token_ids": True, "ignore_eos": True, **extra}
        if streams:
            chunks = list(ask(client, max_tokens=50, seed=5, temperature=0.7, stream=True,
                              stream_options={"include_usage": True}, extra_body=body))
            tokens = [token for chunk in chunks for choice in chunk.choices for token in choice.model_extra.get("token_ids", [])]
            return tokens, chunks[-1].model_extra["metrics"]["speculative_decoding"]
        answer = ask(client, max_tokens=50, seed=5, temperature=0.7, extra_body=body)
        return answer.choices[0].model_extra["token_ids"], answer.model_extra["metrics"]["speculative_decoding"]

    plain, figures = ids(speculative={"enabled": False})
    assert figures["num_draft_tokens"] == 0
    tokens, figures = ids(speculative=wish)
    assert tokens == plain
    limit = 0 if wish.get("enabled") is False else wish["num_speculative_tokens"]
    assert figures["num_draft_tokens"] <= figures["num_spec_steps"] * limit
    # As the server was started it proposes what pays, which may be nothing.
    assert ids()[0] == plain
    tokens, figures = ids(speculative={"method": "draft_model", "num_speculative_tokens": 4})
    assert tokens == plain and figures["num_draft_tokens"] > 0
    assert sum(figures["acceptance_histogram"]) == figures["num_spec_steps"]
    assert sum(i * n for i, n in enumerate(figures["acceptance_histogram"])) == figures["num_accepted_draft_tokens"]


def test_origins_say_who_proposed(client):
    chunks, _ = read(ask(client, max_tokens=50, stream=True, extra_body={
        "return_token_origins": True, "ignore_eos": True, "speculative": {"method": "draft_model", "num_speculative_tokens": 4}},
                         stream_options={"include_usage": True}))
    origins = [origin for chunk in chunks for choice in chunk.choices for origin in choice.model_extra.get("token_origins", [])]
    assert len(origins) == 50 and set(origins) <= {"draft_model", "target"}
    assert "draft_model" in origins


@pytest.mark.parametrize("speculative", [{"method": "draft_model", "num_speculative_tokens": 4}, {"method": "ngram"}, None, {"enabled": False}])
def test_proposals_say_what_was_named_at_each_place(client, speculative):
    answer = ask(client, max_tokens=60, extra_body={
        "return_token_ids": True, "return_token_origins": True, "return_token_proposals": True, "ignore_eos": True,
        **({"speculative": speculative} if speculative else {})})
    extra = answer.choices[0].model_extra
    ids, origins, proposals = extra["token_ids"], extra["token_origins"], extra["token_proposals"]
    assert len(ids) == len(origins) == len(proposals) == 60
    place = 0
    for token, origin, one in zip(ids, origins, proposals):
        named = {entry["origin"]: entry["token_id"] for entry in one["proposals"]}
        assert len(named) == len(one["proposals"]) and one["position"] == place <= one["window"]
        # A token that was accepted is what its proposer named; one that was not proposed is nobody's who was checked.
        if origin != "target":
            assert named[origin] == token and place < one["window"]
        place = 0 if origin == "target" else place + 1
    counted = answer.model_extra.get("metrics", {}).get("speculative_decoding", {})
    windows = [one["window"] for one in proposals if one["position"] == 0]
    # The last verification may have gone beyond the limit.
    assert sum(windows) == counted.get("num_draft_tokens", 0)
    if speculative and "num_speculative_tokens" in speculative:
        # Towards the limit fewer tokens are left to guess.
        assert windows[1] == max(windows) == 4


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"temperature": -1}, "temperature"), ({"temperature": "hot"}, "temperature"), ({"top_p": -0.1}, "top_p"),
        ({"n": 0}, "n"), ({"n": 129}, "n"), ({"max_tokens": 0}, "max_tokens"), ({"messages": []}, "messages"),
        ({"messages": [{"content": "no role"}]}, "messages[0].role"), ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages[0].content[0]"),
        ({"top_logprobs": 3}, "top_logprobs"), ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logit_bias": {"ten": 1}}, "logit_bias"), ({"logit_bias": {"999999": 1}}, "logit_bias"), ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"frequency_penalty": 3}, "frequency_penalty"), ({"presence_penalty": -2.5}, "presence_penalty"),
        ({"stop": [""]}, "stop"), ({"stop": 5}, "stop"), ({"seed": 1.5}, "seed"),
        ({"extra_body": {"top_k": -2}}, "top_k"), ({"extra_body": {"min_p": 2}}, "min_p"), ({"extra_body": {"repetition_penalty": 0}}, "repetition_penalty"),
        ({"extra_body": {"stop_token_ids": [-4]}}, "stop_token_ids"), ({"extra_body": {"ignore_eos": "yes"}}, "ignore_eos"),
        ({"extra_body": {"speculative": {"method": "magic"}}}, "speculative.method"),
        ({"extra_body": {"speculative": {"num_speculative_tokens": 99}}}, "speculative.num_speculative_tokens"),
        ({"extra_body": {"speculative": True}}, "speculative"), ({"stream_options": 3}, "stream_options"),
        ({"tools": [{"type": "function"}]}, "tools"),
    ])
def test_a_value_that_does_not_fit_is_refused_by_name(client, more, field):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **more)
    assert caught.value.param == field and caught.value.type == "invalid_request_error"
    assert field.split(".")[-1].split("[")[0] in caught.value.message


def test_unknown_fields_are_ignored(client):
    body = {"user": "someone", "store": True, "metadata": {"a": "b"}, "made_up": [1, 2], "service_tier": "auto"}
    assert ask(client, extra_body=body).choices


def test_null_is_absent(client):
    body = {"temperature": None, "stop": None, "seed": None, "logprobs": None, "stream_options": None, "tools": None}
    assert ask(client, extra_body=body).choices


def test_another_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="gpt-none")
    assert caught.value.code == "model_not_found"


def test_a_prompt_that_is_too_long_says_how_long_and_how_long_is_allowed(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, messages=[{"role": "user", "content": "word " * 6000}])
    assert caught.value.code == "context_length_exceeded"
    assert "maximum context length is 4096 tokens" in caught.value.message


def test_a_conversation_of_several_turns(client):
    messages = [
        {"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name a colour."},
        {"role": "assistant", "content": "Blue."}, {"role": "user", "content": "Another."},
    ]
    assert ask(client, messages=messages).choices[0].message.content


@pytest.fixture
def thinking(start, tmp_path):
    """A server whose template opens the thoughts itself, so that the whole answer is one."""
    template = tmp_path / "template.jinja"
    template.write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
        "{% if tools %}{{ tools[0].function.name }}{% endif %}{% if enable_thinking is not false %}<think>\n{% endif %}")
    return start("--chat-template", str(template), "--threads", "2")


@pytest.mark.parametrize("streams", [False, True])
def test_thoughts_are_kept_apart(thinking, streams):
    client = thinking.openai()

    def parts(**more):
        answer = ask(client, temperature=0, stream=streams, extra_body={"ignore_eos": True, **more})
        if not streams:
            message = answer.choices[0].message
            return message.content, message.model_extra.get("reasoning_content", "")
        deltas = [choice.delta for chunk in answer for choice in chunk.choices]
        return "".join(d.content or "" for d in deltas), "".join(d.model_extra.get("reasoning_content") or "" for d in deltas)

    content, thoughts = parts()
    assert content == "" and thoughts
    content, thoughts = parts(chat_template_kwargs={"enable_thinking": False})
    assert content and thoughts == ""


def test_tools_reach_the_template(thinking):
    with thinking.http() as http:
        body = {"messages": MESSAGES, "chat_template_kwargs": {"enable_thinking": False}}
        plain = http.post("/tokenize", json=body).json()["count"]
        tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
        assert http.post("/tokenize", json={**body, "tools": [tool]}).json()["count"] > plain
    client = thinking.openai()
    counts = [
        ask(client, tools=[tool], tool_choice=choice, max_tokens=1).usage.prompt_tokens for choice in ("auto", "none")
    ]
    assert counts[0] > counts[1]
