"""/v1/completions through the official client."""

import math

import openai
import pytest
from conftest import NAME

PROMPT = "def add(a, b):\n"


def ask(client, **more):
    return client.completions.create(**{"model": NAME, "prompt": PROMPT, "max_tokens": 12, "temperature": 0, **more})


def tokens_of(http, text):
    return http.post("/tokenize", json={"prompt": text}).json()["tokens"]


def test_an_answer_has_the_fields_of_the_api(client):
    answer = ask(client)
    assert answer.object == "text_completion" and answer.id.startswith("cmpl-")
    [choice] = answer.choices
    assert choice.text and choice.finish_reason in ("length", "stop") and choice.logprobs is None
    assert answer.usage.completion_tokens <= 12


def test_sixteen_tokens_are_the_default(client):
    answer = ask(client, max_tokens=openai.NOT_GIVEN, extra_body={"ignore_eos": True})
    assert answer.usage.completion_tokens == 16


def test_token_ids_and_text_give_the_same(client, http):
    assert ask(client, prompt=tokens_of(http, PROMPT)).choices[0].text == ask(client).choices[0].text


@pytest.mark.parametrize("streams", [False, True])
def test_batches_answer_in_order(client, http, streams):
    prompts = ["One, two,", "The sea", PROMPT]
    alone = [ask(client, prompt=prompt).choices[0].text for prompt in prompts]
    ids = [tokens_of(http, prompt) for prompt in prompts]
    for batch in (prompts, ids):
        if streams:
            texts = [""] * 3
            for chunk in ask(client, prompt=batch, stream=True):
                for choice in chunk.choices:
                    texts[choice.index] += choice.text
            assert texts == alone
        else:
            answer = ask(client, prompt=batch)
            assert [choice.text for choice in answer.choices] == alone
            assert [choice.index for choice in answer.choices] == [0, 1, 2]
            assert answer.usage.prompt_tokens == sum(map(len, ids))


def test_n_for_each_prompt(client):
    answer = ask(client, prompt=["One,", "Two,"], n=2, temperature=1, seed=4)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_a_stream_says_what_the_whole_says(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == ask(client).choices[0].text
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0


@pytest.mark.parametrize("streams", [False, True])
def test_echo_puts_the_prompt_first(client, streams):
    plain = ask(client).choices[0].text
    answer = ask(client, echo=True, stream=streams)
    text = "".join(c.choices[0].text for c in answer) if streams else answer.choices[0].text
    assert text == PROMPT + plain


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("limit", [0, 1, 5])
def test_echo_with_logprobs_scores_the_prompt(client, http, limit, streams):
    """What lm-eval's log-likelihood tasks ask for."""
    ids = tokens_of(http, PROMPT)
    answer = ask(client, prompt=ids, echo=True, logprobs=2, max_tokens=limit, stream=streams, extra_body={"ignore_eos": True})
    if streams:
        names, scores, top = [], [], []
        for chunk in answer:
            for choice in chunk.choices:
                if choice.logprobs:
                    names += choice.logprobs.tokens
                    scores += choice.logprobs.token_logprobs
                    top += choice.logprobs.top_logprobs
    else:
        [choice] = answer.choices
        lists = choice.logprobs
        names, scores, top = lists.tokens, lists.token_logprobs, lists.top_logprobs
        assert lists.text_offset == [sum(map(len, names[:i])) for i in range(len(names))]
        assert answer.usage.completion_tokens == limit
        assert choice.text.startswith(PROMPT) and "".join(names) == choice.text
    assert len(names) == len(ids) + limit
    assert scores[0] is None and top[0] is None
    assert all(score < 0 for score in scores[1:])
    for name, score, alternatives in list(zip(names, scores, top))[1:]:
        assert alternatives[name] == score
        assert 2 <= len(alternatives) <= 3


def test_prompt_logprobs_are_the_model_s_own(client, http):
    """A text that the model wrote greedily, given back as a prompt, has the logprobs that it had."""
    written = ask(client, logprobs=1, max_tokens=60, extra_body={"return_token_ids": True, "ignore_eos": True}).choices[0]
    ids = tokens_of(http, PROMPT) + written.model_extra["token_ids"]
    read = ask(client, prompt=ids, echo=True, logprobs=1, max_tokens=0).choices[0]
    assert read.logprobs.token_logprobs[-60:] == written.logprobs.token_logprobs
    assert all(math.isfinite(score) for score in written.logprobs.token_logprobs)


def test_scoring_while_others_decode(server):
    """Prompt logprobs do not depend on what else is in the pass."""
    import concurrent.futures

    client = server.openai()
    text = "The history of the lighthouse is long. " * 12

    def score(_):
        return ask(client, prompt=text, echo=True, logprobs=0, max_tokens=1).choices[0].logprobs.token_logprobs

    def write(seed):
        return ask(client, max_tokens=60, temperature=1, seed=seed).choices[0].text

    alone = score(0)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        writing = [pool.submit(write, seed) for seed in range(4)]
        assert all(result == alone for result in pool.map(score, range(4)))
        assert all(job.result() is not None for job in writing)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"prompt": 5}, "prompt"), ({"prompt": []}, "prompt"), ({"prompt": [[]]}, "prompt"), ({"prompt": [["a"]]}, "prompt"),
        ({"prompt": [1, "two"]}, "prompt"), ({"prompt": [99_999_999]}, "prompt"), ({"prompt": ""}, "prompt"),
        ({"max_tokens": -1}, "max_tokens"), ({"max_tokens": 0}, "max_tokens"), ({"logprobs": 21}, "logprobs"), ({"logprobs": True}, "logprobs"),
        ({"best_of": 3}, "best_of"), ({"suffix": "end"}, "suffix"), ({"echo": "yes"}, "echo"), ({"n": "two"}, "n"),
    ])
def test_a_value_that_does_not_fit_is_refused_by_name(client, more, field):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, **more)
    assert caught.value.param == field
