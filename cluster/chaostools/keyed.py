"""Clients that ask for whole answers, and ask again with the same `Idempotency-Key`.

A whole answer has no event ids to go on from. Its client repeats the POST after a broken connection
or a 503, and by the key gets the answer of the request that was taken already.
"""

import http.client
import importlib.util
import json
import pathlib
import sys
import time

from load import PATIENCE_SECONDS, RETRY_SECONDS, Answer

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Where cluster/clients/openai-client keeps OpenAI's own client.
LIBRARY = ".build/clients/openai/lib/python3*/site-packages"


class Plain:
    """By the standard library's HTTP client."""

    def __init__(self, address):
        self.address = address

    def post(self, body, key):
        """One attempt: the answer's JSON, or an OSError where it is worth another."""
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_SECONDS)
        try:
            connection.request("POST", "/v1/completions", json.dumps(body), {
                "Content-Type": "application/json", "Idempotency-Key": key})
            response = connection.getresponse()
            text = response.read()
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()
        if response.status == 503:
            raise OSError(f"503: {text[:200]!r}")
        if response.status != 200:
            raise ValueError(f"{response.status}: {text[:300]!r}")
        return json.loads(text)


class Official:
    """By OpenAI's client, without retries of its own."""

    def __init__(self, address):
        import openai
        self.errors = (openai.APIConnectionError, openai.InternalServerError)
        self.client = openai.OpenAI(
            base_url=f"http://{address}/v1", api_key="none", max_retries=0,
            timeout=PATIENCE_SECONDS)

    def post(self, body, key):
        known = {"prompt", "temperature", "max_tokens", "seed"}
        wanted = {name: value for name, value in body.items() if name in known}
        extra = {name: value for name, value in body.items() if name not in known}
        try:
            answer = self.client.completions.create(
                model="default", **wanted, extra_body=extra,
                extra_headers={"Idempotency-Key": key})
        except self.errors as error:
            raise OSError(repr(error)) from error
        return answer.model_dump()


def official_is_here():
    """Whether OpenAI's client can be imported, perhaps from where cluster/clients keeps it."""
    sys.path += [str(path) for path in ROOT.glob(LIBRARY) if str(path) not in sys.path]
    return importlib.util.find_spec("openai") is not None


def ask(poster, question, name, body, is_over):
    """Asks for one whole answer until it is there, whatever happens to the connection."""
    body = {key: value for key, value in body.items() if key != "stream"}
    answer = Answer(question, name, time.monotonic(), body)
    reason = "nothing"
    while not answer.is_done:
        if is_over.is_set() or time.monotonic() - answer.asked > 4 * PATIENCE_SECONDS:
            answer.failure = f"no answer for {4 * PATIENCE_SECONDS:.0f} s, at last {reason}"
            break
        try:
            found = poster.post(body, name)
        except OSError as error:
            reason = repr(error)
            answer.resumed += 1
            time.sleep(RETRY_SECONDS)
            continue
        except ValueError as error:
            answer.failure = str(error)
            break
        choice = found["choices"][0]
        answer.text, answer.finish = choice["text"], choice["finish_reason"]
        answer.tokens = choice.get("token_ids") or []
        answer.is_done = True
    answer.ended = time.monotonic()
    return answer
