"""The load: streams over HTTP, each compared with what the cluster said when nothing was wrong.

A client follows the documented recovery. Every event of a stream has an `id:`; after a broken
connection the client asks `GET /v1/requests/{id}/events` with `Last-Event-ID` until the head is
back, and goes on from there. What the server had not taken yet is asked again.
"""

import dataclasses
import http.client
import itertools
import json
import random
import threading
import time

WORDS = (
    "goose lake river north wind feather flock winter bread seven three red blue stone house "
    "count the letters of word sort these numbers add and then tell me why a bird flies south"
).split()

# A stream without an event for so long has failed; longer than a server lets a request wait for a
# lost node.
PATIENCE_SECONDS = 75.0

# Between two attempts to reach a head that is away.
RETRY_SECONDS = 0.2


def questions(seed, count, context):
    """As many completions; every second one is greedy, the others are sampled by a seed."""
    numbers = random.Random(f"load {seed}")
    made = []
    for number in range(count):
        words = numbers.choice([4, 12, 30, 60])
        body = {
            "prompt": " ".join(numbers.choice(WORDS) for _ in range(words)), "temperature": 0,
            # A word has three tokens at most.
            "max_tokens": numbers.randrange(context // 4, context - 3 * words),
            "ignore_eos": True, "stream": True, "return_token_ids": True}
        if number % 2 == 1:
            body.update(
                temperature=numbers.choice([0.7, 1.0, 1.3]), seed=numbers.randrange(1 << 31))
        made.append(body)
    return made


@dataclasses.dataclass
class Answer:
    """One stream, from its question to its end."""

    question: int
    name: str
    asked: float
    body: dict = dataclasses.field(default_factory=dict)
    moments: list = dataclasses.field(default_factory=list)
    tokens: list = dataclasses.field(default_factory=list)
    counts: list = dataclasses.field(default_factory=list)
    text: str = ""
    finish: str = None
    is_done: bool = False
    failure: str = None
    ended: float = 0.0
    resumed: int = 0
    refused: int = 0

    # What a client must know to go on: names of the request, and the last event that it has.
    names: list = dataclasses.field(default_factory=list)
    last_event: str = None

    @property
    def result(self):
        return self.text, self.tokens, self.finish

    def know(self, name):
        """Another name by which the server may know the request."""
        if name and name != self.name and name not in self.names:
            self.names.append(name)

    def take(self, piece, now):
        """One event's data."""
        if "error" in piece:
            raise StreamError(f"an error in the stream: {piece['error'].get('message')}")
        self.know(piece.get("id"))
        for choice in piece.get("choices") or []:
            self.text += choice.get("text") or ""
            self.tokens += choice.get("token_ids") or []
            self.finish = choice.get("finish_reason") or self.finish
        self.moments.append(now)
        self.counts.append(len(self.tokens))

    def first_difference(self, expected):
        """When the first wrong token came; None where all is as expected."""
        if self.result == expected.result:
            return None
        for moment, count in zip(self.moments, self.counts):
            if self.tokens[:count] != expected.tokens[:count]:
                return moment
        return self.ended


class StreamError(Exception):
    """Why a stream has failed."""


class Client:
    """Asks a server whose connections may break."""

    def __init__(self, address):
        self.address = address
        # Set where a run is broken off, so that nobody waits for a cluster that is gone.
        self.is_over = threading.Event()

    def get(self, path, seconds=10.0):
        """The JSON that a path answers, whatever the status."""
        connection = http.client.HTTPConnection(self.address, timeout=seconds)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()

    def ask(self, question, name, body):
        """Asks for one stream and follows it to its end, whatever happens to the connection."""
        answer = Answer(question, name, time.monotonic(), body)
        try:
            self._follow(answer)
        except StreamError as error:
            answer.failure = str(error)
        answer.ended = time.monotonic()
        return answer

    def _follow(self, answer):
        is_taken, reason = False, "nothing"
        while not answer.is_done:
            if self.is_over.is_set():
                raise StreamError("the run was broken off")
            since = answer.moments[-1] if answer.moments else answer.asked
            if time.monotonic() - since > PATIENCE_SECONDS:
                raise StreamError(f"no event for {PATIENCE_SECONDS:.0f} s, at last {reason}")
            connection = http.client.HTTPConnection(self.address, timeout=PATIENCE_SECONDS)
            try:
                if is_taken:
                    response = self._resume(connection, answer)
                    if response is None:
                        if answer.moments:
                            raise StreamError("cut off, and the server does not know it any more")
                        is_taken = False
                        continue
                else:
                    connection.connect()
                    # From here on the server may have taken it.
                    is_taken = True
                    connection.request("POST", "/v1/completions", json.dumps(answer.body), {
                        "Content-Type": "application/json", "x-request-id": answer.name})
                    response = connection.getresponse()
                    answer.know(response.getheader("x-request-id"))
                if response.status == 503:
                    is_taken = is_taken and bool(answer.moments)
                    answer.refused += 1
                    reason = f"503: {response.read()[:200]!r}"
                elif response.status != 200:
                    raise StreamError(f"{response.status}: {response.read()[:300]!r}")
                else:
                    self._read(response, answer)
                    reason = "the connection ended"
            except (OSError, http.client.HTTPException) as error:
                reason = repr(error)
            finally:
                connection.close()
            if not answer.is_done:
                time.sleep(RETRY_SECONDS)

    def _resume(self, connection, answer):
        """The rest of a stream, by one of the names of its request; None where none is known."""
        headers = {} if answer.last_event is None else {"Last-Event-ID": answer.last_event}
        for name in [answer.name, *answer.names]:
            connection.request("GET", f"/v1/requests/{name}/events", headers=headers)
            response = connection.getresponse()
            if response.status != 404:
                answer.resumed += response.status == 200
                return response
            response.read()
        return None

    def _read(self, response, answer):
        """Takes events until the stream is done or the connection ends."""
        event = None
        while line := response.readline():
            if line.startswith(b"id:"):
                event = line[3:].strip().decode()
            elif line.startswith(b"data:"):
                data = line[5:].strip()
                if data == b"[DONE]":
                    answer.is_done = True
                    return
                answer.take(json.loads(data), time.monotonic())
                if event is not None:
                    answer.last_event, event = event, None


def _mark(wanted, bodies):
    """What answers depend on: the model and the questions, and nothing of the cluster."""
    size = sum(path.stat().st_size for path in sorted(wanted.model.iterdir()))
    return [wanted.model.name, size, bodies]


def read_expected(wanted, bodies):
    """What the questions give, as a run before has written it; None where there is none."""
    if wanted.expected is None or not wanted.expected.exists():
        return None
    found = json.loads(wanted.expected.read_text())
    if found["mark"] != _mark(wanted, bodies):
        raise OSError(f"{wanted.expected}: is of other questions or of another model")
    return [Answer(number, "", 0.0, **answer) for number, answer in enumerate(found["answers"])]


def write_expected(wanted, bodies, answers):
    """Keeps what the questions give for runs to come."""
    if wanted.expected is not None:
        kept = [{"text": answer.text, "tokens": answer.tokens, "finish": answer.finish}
                for answer in answers]
        wanted.expected.write_text(json.dumps({"mark": _mark(wanted, bodies), "answers": kept}))


class Load:
    """Streams side by side, each followed by the next until the load ends."""

    def __init__(self, place, seed, bodies, posters=()):
        """The last streams ask for whole answers, each by one of `posters` (see keyed.py)."""
        self.place, self.seed, self.bodies = place, seed, bodies
        self.client = Client(place.http)
        self.posters = [None] * (len(bodies) - len(posters)) + list(posters)
        self.answers, self.open, self.ending = [], {}, threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(len(bodies))]

    def expected(self):
        """Each question asked once, alone, on a cluster without faults."""
        return [
            self.client.ask(number, f"chaos-{self.seed}-alone-{number}", body)
            for number, body in enumerate(self.bodies)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def end(self, supervise):
        """Waits for the streams that are under way; returns all answers."""
        self.ending.set()
        while any(thread.is_alive() for thread in self.threads):
            supervise()
            time.sleep(0.1)
        return self.answers

    def _run(self, number):
        # Imports names of this file.
        import keyed
        self.place.enter()
        for turn in itertools.count():
            if self.ending.is_set():
                return
            # Every stream asks every question in turn.
            question = (number + turn) % len(self.bodies)
            name = f"chaos-{self.seed}-{number}-{turn}-{time.monotonic_ns()}"
            poster, body = self.posters[number], self.bodies[question]
            answer = self.client.ask(question, name, body) if poster is None else keyed.ask(
                poster, question, name, body, self.client.is_over)
            self.answers.append(answer)
            if answer.failure:
                self.ending.wait(RETRY_SECONDS)
