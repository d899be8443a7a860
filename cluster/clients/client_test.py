"""Checks a server of the bundled model with OpenAI's own client; see openai-client beside it.

Usage: OPENAI_API_KEY=KEY client_test.py ADDRESS
"""

import json
import os
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request

import openai
import pydantic

address = sys.argv[1]
client = openai.OpenAI(base_url=f"{address}/v1", timeout=60, max_retries=0)
model = "gosling"
question = [{"role": "user", "content": "What is 47 + 85?"}]
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
checks = []


class Skipped(Exception):
    """The server says that it does not offer this."""


def check(function):
    """Adds a check; its name is a sentence."""
    checks.append(function)
    return function


def chat(messages=question, **fields):
    fields = {"temperature": 0, "max_tokens": 200} | fields
    return client.chat.completions.create(model=model, messages=messages, **fields)


def complete(prompt, **fields):
    fields = {"temperature": 0, "max_tokens": 8} | fields
    return client.completions.create(model=model, prompt=prompt, **fields)


def refused(kind, call):
    """The error by which a call is refused."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}")


def unless_missing(field, call):
    """The answer, or a skip while the server says that it does not read the field so."""
    try:
        return call()
    except openai.BadRequestError as error:
        if (error.param or "").startswith(field):
            raise Skipped(error.body.get("message", str(error))) from None
        raise


@check
def the_models_are_listed():
    assert [entry.id for entry in client.models.list()] == [model]
    assert client.models.retrieve(model).owned_by == "skein"


@check
def a_chat_is_answered():
    answer = chat()
    choice = answer.choices[0]
    assert "132" in choice.message.content and choice.finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.completion_tokens_details.reasoning_tokens == 0


@check
def a_chat_that_thinks_keeps_its_thoughts_apart():
    answer = chat(extra_body={"chat_template_kwargs": {"thinking": True}}, max_tokens=200)
    assert answer.choices[0].message.reasoning_content
    assert 0 < answer.usage.completion_tokens_details.reasoning_tokens
    assert answer.usage.completion_tokens_details.reasoning_tokens < answer.usage.completion_tokens


@check
def a_stream_holds_the_same_answer_and_ends_with_the_usage():
    whole = chat()
    chunks = list(chat(stream=True, stream_options={"include_usage": True}))
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content
    assert not chunks[-1].choices
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"


@check
def a_stream_without_the_wish_has_no_usage():
    assert all(chunk.usage is None for chunk in chat(stream=True))


@check
def tools_may_be_offered():
    answer = chat(tools=[weather], tool_choice="auto")
    assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")
    assert chat(tools=[weather], tool_choice="none").choices[0].message.tool_calls is None


@check
def a_required_tool_is_called():
    answer = unless_missing(
        "tool_choice", lambda: chat(tools=[weather], tool_choice="required", max_tokens=200)
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)


@check
def a_named_tool_is_called():
    named = {"type": "function", "function": {"name": "get_weather"}}
    answer = unless_missing(
        "tool_choice", lambda: chat(tools=[weather], tool_choice=named, max_tokens=200)
    )
    assert answer.choices[0].message.tool_calls[0].function.name == "get_weather"


@check
def an_answer_follows_a_json_schema():
    schema = {
        "type": "object",
        "properties": {"sum": {"type": "integer"}},
        "required": ["sum"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "sum", "strict": True, "schema": schema}}
    answer = unless_missing("response_format", lambda: chat(response_format=form, max_tokens=200))
    assert isinstance(json.loads(answer.choices[0].message.content)["sum"], int)


@check
def an_answer_is_parsed_into_a_class():
    class Sum(pydantic.BaseModel):
        left: int
        right: int

    answer = unless_missing(
        "response_format",
        lambda: client.chat.completions.parse(
            model=model, messages=question, response_format=Sum, temperature=0, max_tokens=200
        ),
    )
    assert isinstance(answer.choices[0].message.parsed, Sum)


@check
def log_probabilities_name_the_tokens():
    choice = chat(logprobs=True, top_logprobs=3).choices[0]
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens) == choice.message.content
    for token in tokens:
        assert len(token.top_logprobs) == 3 and token.top_logprobs[0].token == token.token
        assert token.logprob <= 0 and bytes(token.bytes).decode() == token.token


@check
def several_answers_have_their_numbers():
    answer = chat(n=3, temperature=1.5, seed=5)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) > 1


@check
def a_seed_repeats_an_answer():
    one, two, other = (
        chat(temperature=1.2, seed=seed, max_tokens=24).choices[0].message.content
        for seed in (7, 7, 8)
    )
    assert one == two and one != other


@check
def an_answer_ends_before_a_stop_string():
    choice = chat(stop=[" ="]).choices[0]
    assert choice.message.content == "47 + 85" and choice.finish_reason == "stop"


@check
def an_answer_ends_at_its_length():
    answer = chat(max_completion_tokens=3, max_tokens=openai.NOT_GIVEN)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


@check
def another_model_is_not_found():
    error = refused(
        openai.NotFoundError,
        lambda: client.chat.completions.create(model="another", messages=question),
    )
    assert error.code == "model_not_found" and error.param == "model"
    refused(openai.NotFoundError, lambda: client.models.retrieve("another"))


@check
def a_wrong_field_is_named():
    error = refused(openai.BadRequestError, lambda: chat(temperature=7))
    assert error.param == "temperature" and error.type == "invalid_request_error"


@check
def a_prompt_beyond_the_context_is_refused():
    error = refused(
        openai.BadRequestError,
        lambda: chat([{"role": "user", "content": "What is 47 + 85? " * 2_000}]),
    )
    assert error.code == "context_length_exceeded"


@check
def nobody_without_a_key_comes_in():
    stranger = openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0)
    error = refused(openai.AuthenticationError, lambda: list(stranger.models.list()))
    assert error.code == "invalid_api_key"
    error = refused(
        urllib.error.HTTPError, lambda: urllib.request.urlopen(f"{address}/v1/models", timeout=10)
    )
    assert error.code == 401 and error.headers["WWW-Authenticate"] == "Bearer"


@check
def health_and_metrics_are_open():
    for path, word in (("health", b"ok"), ("metrics", b"skein_http_requests_total")):
        with urllib.request.urlopen(f"{address}/{path}", timeout=10) as reply:
            assert reply.status == 200 and word in reply.read()


@check
def a_plain_completion_goes_on():
    answer = complete("47 + 85 =")
    assert answer.object == "text_completion" and answer.choices[0].text


@check
def several_prompts_keep_their_order():
    prompts = ["47 + 85 =", "48 * 5 ="]
    alone = [complete(prompt).choices[0].text for prompt in prompts]
    assert [choice.text for choice in complete(prompts).choices] == alone


@check
def a_prompt_may_be_token_numbers():
    reply = client.post("/../tokenize", body={"prompt": "47 + 85 ="}, cast_to=object)
    text = complete("47 + 85 =").choices[0].text
    assert complete(reply["tokens"]).choices[0].text == text
    assert complete([reply["tokens"]]).choices[0].text == text


@check
def a_prompt_is_repeated_with_its_log_probabilities():
    choice = complete("47 + 85 =", echo=True, logprobs=2, max_tokens=1).choices[0]
    assert choice.text.startswith("47 + 85 =")
    lists = choice.logprobs
    assert lists.token_logprobs[0] is None and lists.top_logprobs[0] is None
    assert all(value <= 0 for value in lists.token_logprobs[1:])
    assert all(len(top) >= 2 for top in lists.top_logprobs[1:])
    assert len(lists.tokens) == len(lists.text_offset) == len(lists.token_logprobs)
    only = complete("47 + 85 =", echo=True, logprobs=2, max_tokens=0).choices[0]
    assert only.text == "47 + 85 =" and only.logprobs.tokens == lists.tokens[:-1]


@check
def a_stream_that_is_closed_frees_its_sequence():
    stream = chat(stream=True, max_tokens=900, extra_body={"ignore_eos": True})
    next(iter(stream))
    assert sequence_count() == 1
    stream.close()
    deadline = time.monotonic() + 20
    while sequence_count() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert sequence_count() == 0


def sequence_count():
    return client.get("/cluster", cast_to=object)["sequences"]


@check
def many_clients_at_once_get_what_one_gets():
    alone = chat(max_tokens=16).choices[0].message.content
    found = [None] * 12

    def ask(place):
        found[place] = chat(max_tokens=16).choices[0].message.content

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {alone}


def main():
    passed, skipped, failed = 0, 0, 0
    for function in checks:
        name = function.__name__.replace("_", " ")
        try:
            function()
            passed += 1
        except Skipped as reason:
            skipped += 1
            print(f"left out: {name}: {reason}")
        except Exception:  # noqa: BLE001 - every failure is told, and the others go on
            failed += 1
            print(f"FAILED: {name}")
            traceback.print_exc()
    version = f"openai {openai.__version__}"
    print(f"{passed} client checks passed, {failed} failed, {skipped} left out ({version})")
    return 1 if failed or not os.environ.get("OPENAI_API_KEY") else 0


sys.exit(main())
