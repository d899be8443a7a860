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
addition = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"left": {"type": "integer"}, "right": {"type": "integer"}},
            "required": ["left", "right"],
        },
    },
}
checks = []


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


@check
def the_models_are_listed():
    assert [entry.id for entry in client.models.list()] == [model]
    assert client.models.retrieve(model).owned_by == "skein"


@check
def a_chat_is_answered():
    answer = chat()
    choice = answer.choices[0]
    # The bundled model is small: that it ends is the server's, that it adds well is not.
    assert choice.message.content.startswith("47 + 85 = ") and choice.finish_reason == "stop"
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
    for thinking in (False, True):
        answer = chat(
            tools=[weather],
            tool_choice="required",
            max_tokens=600,
            extra_body={"chat_template_kwargs": {"thinking": thinking}},
        )
        if answer.choices[0].finish_reason == "length":
            continue
        assert answer.choices[0].finish_reason == "tool_calls"
        for call in answer.choices[0].message.tool_calls:
            assert call.function.name == "get_weather"
            assert isinstance(json.loads(call.function.arguments)["city"], str)


@check
def a_named_tool_is_called():
    named = {"type": "function", "function": {"name": "get_weather"}}
    answer = chat(tools=[weather, addition], tool_choice=named, max_tokens=400)
    if answer.choices[0].finish_reason != "length":
        (call,) = answer.choices[0].message.tool_calls
        assert call.function.name == "get_weather"


@check
def a_required_call_is_streamed_in_pieces():
    fields = {"tools": [addition], "tool_choice": "required", "parallel_tool_calls": False}
    (whole,) = chat(**fields).choices[0].message.tool_calls
    chunks = [c.choices[0] for c in chat(stream=True, **fields) if c.choices]
    calls = [call for c in chunks for call in c.delta.tool_calls or []]
    assert calls[0].function.name == "add" and {call.index for call in calls} == {0}
    text = "".join(call.function.arguments or "" for call in calls)
    assert text == whole.function.arguments and set(json.loads(text)) == {"left", "right"}
    assert chunks[-1].finish_reason == "tool_calls"


def sum_form(**more):
    schema = {
        "type": "object",
        "properties": {
            "sum": {"type": "integer", "minimum": 0, "maximum": 999},
            "sure": {"enum": ["yes", "no"]},
        }
        | more,
        "required": ["sum", "sure"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "sum", "strict": True, "schema": schema}}


@check
def an_answer_follows_a_json_schema():
    for fields in ({}, {"temperature": 1.5, "seed": 3, "n": 3}, {"stop": ["}"], "logprobs": True}):
        answer = chat(response_format=sum_form(), **fields)
        for choice in answer.choices:
            value = json.loads(choice.message.content)
            assert choice.finish_reason == "stop" and list(value) == ["sum", "sure"]
            assert type(value["sum"]) is int and 0 <= value["sum"] <= 999
            assert value["sure"] in ("yes", "no")


@check
def an_answer_by_a_schema_is_streamed_and_repeats():
    fields = {"response_format": sum_form(), "temperature": 1.2, "seed": 11}
    whole = chat(**fields).choices[0].message.content
    chunks = [c.choices[0] for c in chat(stream=True, **fields) if c.choices]
    assert "".join(c.delta.content or "" for c in chunks) == whole
    assert chunks[-1].finish_reason == "stop"


@check
def an_answer_by_a_schema_comes_after_the_thinking():
    answer = chat(
        response_format=sum_form(),
        max_tokens=600,
        extra_body={"chat_template_kwargs": {"thinking": True}},
    )
    choice = answer.choices[0]
    if choice.finish_reason == "stop":
        assert choice.message.reasoning_content
        assert set(json.loads(choice.message.content)) == {"sum", "sure"}


@check
def an_answer_by_a_schema_may_be_cut():
    choice = chat(response_format=sum_form(), max_tokens=3).choices[0]
    assert choice.finish_reason == "length"


@check
def an_answer_may_be_any_object():
    for path in (chat, lambda **fields: complete("A goose is", **fields)):
        for seed in range(4):
            fields = {"response_format": {"type": "json_object"}, "max_tokens": 300}
            answer = path(temperature=1, seed=seed, extra_body=fields)
            choice = answer.choices[0]
            text = choice.message.content if hasattr(choice, "message") else choice.text
            if choice.finish_reason == "stop":
                assert isinstance(json.loads(text), dict)


@check
def a_schema_that_cannot_be_kept_is_refused_by_its_path():
    form = sum_form(other={"not": {"type": "null"}})
    error = refused(openai.BadRequestError, lambda: chat(response_format=form))
    assert error.param == "response_format.json_schema.schema.properties.other.not"
    assert error.type == "invalid_request_error"


@check
def an_answer_is_parsed_into_a_class():
    class Sum(pydantic.BaseModel):
        left: int
        right: int

    answer = client.chat.completions.parse(
        model=model, messages=question, response_format=Sum, temperature=0, max_tokens=200
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
    passed, failed = 0, 0
    for function in checks:
        name = function.__name__.replace("_", " ")
        try:
            function()
            passed += 1
        except Exception:  # noqa: BLE001 - every failure is told, and the others go on
            failed += 1
            print(f"FAILED: {name}")
            traceback.print_exc()
    version = f"openai {openai.__version__}"
    print(f"{passed} client checks passed, {failed} failed ({version})")
    return 1 if failed or not os.environ.get("OPENAI_API_KEY") else 0


sys.exit(main())
