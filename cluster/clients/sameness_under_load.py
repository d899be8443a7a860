#!/usr/bin/env python3
"""Asks a server the same questions alone and in a crowd, and compares every byte.

    cluster/clients/sameness_under_load.py --url URL [--clients 64] [--seconds 120]

First every question is asked alone. Then many clients ask them over and over at the same time, half
of them streaming, some hanging up in the middle. Every finished answer must have the text,
reasoning, tool calls, finish reason and log-probabilities that it has alone; nothing may fail; and
when all have gone, no sequence may be left and no page owned. Needs nothing but Python's own
library.
"""
import argparse
import http.client
import json
import random
import sys
import threading
import time
import urllib.parse

WORDS = (
    "goose lake river north wind feather flock winter bread seven three red blue stone house "
    "count the letters of word sort these numbers add and then tell me why a bird flies south"
).split()


def questions(seed, count, context):
    """Mixed lengths, greedy and seeded, chat and plain text."""
    numbers = random.Random(seed)
    made = []
    for number in range(count):
        length = numbers.choice([3, 8, 20, 60, 150, 300])
        text = " ".join(numbers.choice(WORDS) for _ in range(min(length, context // 8)))
        body = {"max_tokens": numbers.choice([1, 5, 16, 48, 120]), "temperature": 0}
        if numbers.random() < 0.5:
            body.update(
                temperature=numbers.choice([0.3, 0.8, 1.2]), seed=numbers.randrange(1 << 31),
                top_p=numbers.choice([1, 0.9]))
        if numbers.random() < 0.2:
            body.update(presence_penalty=0.5, frequency_penalty=0.3)
        if numbers.random() < 0.2:
            body["stop"] = [numbers.choice(["a", " the", "\n"])]
        if numbers.random() < 0.5:
            body["ignore_eos"] = True
        if numbers.random() < 0.6:
            path = "/v1/chat/completions"
            body["messages"] = [{"role": "user", "content": text}]
            if numbers.random() < 0.3:
                body.update(logprobs=True, top_logprobs=2)
        else:
            path = "/v1/completions"
            body["prompt"] = text
            if numbers.random() < 0.3:
                body["logprobs"] = 2
        made.append((path, body))
    return made


class Client:
    """One connection at a time, whole or streamed."""

    def __init__(self, url, key):
        self.address = urllib.parse.urlsplit(url)
        self.headers = {"Content-Type": "application/json"}
        if key:
            self.headers["Authorization"] = "Bearer " + key

    def connection(self):
        return http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=300)

    def get(self, path):
        connection = self.connection()
        connection.request("GET", path, headers=self.headers)
        return json.loads(connection.getresponse().read())

    def ask(self, path, body):
        connection = self.connection()
        connection.request("POST", path, json.dumps(body), self.headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {text[:300]!r}")
        return json.loads(text)

    def stream(self, path, body, pieces_max=None):
        """The answer put together from its pieces; None where the client hung up."""
        connection = self.connection()
        connection.request("POST", path, json.dumps(dict(body, stream=True)), self.headers)
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {response.read()[:300]!r}")
        pieces = []
        while True:
            line = response.readline()
            if not line:
                raise RuntimeError("the stream was cut off")
            if not line.startswith(b"data: "):
                continue
            if line.strip() == b"data: [DONE]":
                break
            piece = json.loads(line[6:])
            if "error" in piece:
                raise RuntimeError(f"in the stream: {piece}")
            pieces.append(piece)
            if pieces_max is not None and len(pieces) >= pieces_max:
                connection.close()
                return None
        connection.close()
        return pieces


def whole(answer):
    """What must be equal, out of a whole answer."""
    choice = answer["choices"][0]
    message = choice.get("message", {})
    return {
        "text": message.get("content", choice.get("text")) or "",
        "reasoning": message.get("reasoning_content") or "",
        "finish": choice["finish_reason"],
        "logprobs": logprobs([choice.get("logprobs")]),
    }


def joined(pieces):
    """The same out of a stream."""
    choices = [piece["choices"][0] for piece in pieces if piece["choices"]]
    deltas = [choice.get("delta", {}) for choice in choices]
    return {
        "text": "".join(
            delta.get("content") or choice.get("text") or ""
            for delta, choice in zip(deltas, choices)),
        "reasoning": "".join(delta.get("reasoning_content") or "" for delta in deltas),
        "finish": choices[-1]["finish_reason"],
        "logprobs": logprobs(choice.get("logprobs") for choice in choices),
    }


def logprobs(parts):
    """Every token's numbers, as text, so that equal means every digit."""
    numbers = []
    for part in parts:
        for entry in (part or {}).get("content") or []:
            numbers.append(json.dumps([entry["logprob"], entry["top_logprobs"]]))
        for entry in (part or {}).get("token_logprobs") or []:
            numbers.append(json.dumps(entry))
    return numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", required=True)
    parser.add_argument("--api-key", default="")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--questions", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    client = Client(options.url, options.api_key)
    context = client.get("/v1/models")["data"][0]["max_model_len"]
    asked = questions(options.seed, options.questions, context)
    alone = [whole(client.ask(path, body)) for path, body in asked]
    print(f"{len(alone)} questions asked alone", file=sys.stderr)

    faults, counts, lock = [], {"whole": 0, "streamed": 0, "hung up": 0}, threading.Lock()
    end = time.monotonic() + options.seconds

    def crowd(number):
        numbers = random.Random(options.seed * 1_000 + number)
        mine = Client(options.url, options.api_key)
        while time.monotonic() < end and not faults:
            which = numbers.randrange(len(asked))
            path, body = asked[which]
            kind = numbers.choice(["whole", "streamed"])
            try:
                if kind == "whole":
                    answer = whole(mine.ask(path, body))
                else:
                    hangs_up = numbers.random() < 0.15
                    pieces = mine.stream(
                        path, body, numbers.randint(1, 12) if hangs_up else None)
                    answer = None if pieces is None else joined(pieces)
                    kind = "hung up" if answer is None else kind
            except Exception as error:  # every kind of failure is one finding
                with lock:
                    faults.append(f"question {which} ({kind}): {error!r}")
                return
            with lock:
                counts[kind] += 1
                if answer is not None and answer != alone[which]:
                    faults.append(
                        f"question {which} ({kind}): {answer} is not {alone[which]}")

    threads = [threading.Thread(target=crowd, args=(n,)) for n in range(options.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    left = None
    for _ in range(100):
        left = client.get("/v1/cluster")
        if left["sequences"] == 0 and left["pages"]["owned"] == 0:
            break
        time.sleep(0.1)
    else:
        faults.append(f"left behind: {left['sequences']} sequences, {left['pages']}")
    for fault in faults[:5]:
        print("fault: " + fault[:2_000])
    print(
        f"{options.clients} clients, {options.seconds:.0f} s: "
        + ", ".join(f"{count} {kind}" for kind, count in counts.items())
        + f", {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
