"""An OpenAI-compatible server that sends tokens when a script says, and hardly needs a core."""
import json
import random
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread

MODEL = "script"


class Script:
    """Seconds before the first token and between tokens, the same for every server of one seed."""

    def __init__(self, seed, tokens):
        self.seed, self.tokens = seed, tokens

    def delays(self, number):
        """The delays of the request that comes as the `number`-th."""
        numbers = random.Random(f"{self.seed} {number}")
        first = numbers.uniform(0.1, 0.4)
        usual = numbers.uniform(0.02, 0.04)
        return [first] + [usual * numbers.uniform(0.5, 1.5) for _ in range(self.tokens - 1)]


class Conversation(BaseHTTPRequestHandler):
    """One connection; tokens leave as the script says, counted from the request's arrival."""

    protocol_version = "HTTP/1.1"
    # A token waits for no acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        known = {"data": [{"id": MODEL, "object": "model", "max_model_len": 4096}]}
        body = json.dumps(known if self.path == "/v1/models" else {}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        arrived = time.monotonic()
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        delays = self.server.script.delays(next(self.server.numbers))
        is_chat = self.path.endswith("/chat/completions")
        prompt_tokens = len(str(asked.get("messages" if is_chat else "prompt", "")).split())
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        due = arrived
        for number, delay in enumerate(delays, start=1):
            due += delay
            time.sleep(max(0, due - time.monotonic()))
            piece = {"delta": {"content": " word"}} if is_chat else {"text": " word"}
            reason = "length" if number == len(delays) else None
            self.event({"choices": [{"index": 0, "finish_reason": reason} | piece]})
        self.event({"choices": [], "usage": {
            "prompt_tokens": prompt_tokens, "completion_tokens": len(delays),
            "total_tokens": prompt_tokens + len(delays)}})
        self.chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def event(self, said):
        self.chunk(f"data: {json.dumps({'id': 'script', 'model': MODEL} | said)}\n\n".encode())

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


class ScriptedServer(ThreadingHTTPServer):
    """Listens on a free port of this machine, each connection in a thread of its own."""

    daemon_threads = True

    def __init__(self, script):
        super().__init__(("127.0.0.1", 0), Conversation)
        self.script, self.numbers = script, count()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        """A tool that hangs up has what it wanted."""
