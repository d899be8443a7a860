"""Asks /health all the time, and tells whether its verdicts were right."""

import dataclasses
import re
import threading
import time

# So many ask, a second apart each, since an answer may take seconds.
WATCHER_COUNT = 6
PERIOD_SECONDS = 1.0

# A stage that is stopped for longer must not be called healthy, and is named by then.
VERDICT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Verdict:
    asked: float
    answered: float
    status: str
    text: str
    nodes: frozenset

    def names(self, targets):
        """Whether it says that one of them is sick."""
        return self.status != "ok" and any(
            name in self.nodes or re.search(rf"\b(node|on) {name}\b", self.text)
            for name in targets)


class Watch:
    """Verdicts from the beginning of a run to its end."""

    def __init__(self, place, client):
        self.place, self.client, self.verdicts = place, client, []
        self.ended = threading.Event()
        self.threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(WATCHER_COUNT)]
        for thread in self.threads:
            thread.start()

    def _run(self, number):
        self.place.enter()
        self.ended.wait(number * PERIOD_SECONDS / WATCHER_COUNT)
        while not self.ended.is_set():
            asked = time.monotonic()
            try:
                found = self.client.get("/health")
                status, reasons = found["status"], "\n".join(found["reasons"])
                nodes = frozenset(entry.get("node") for entry in found["details"])
            except (OSError, ValueError, KeyError) as error:
                status, reasons, nodes = "unreachable", repr(error), frozenset()
            self.verdicts.append(
                Verdict(asked, time.monotonic(), status, reasons, nodes))
            self.ended.wait(max(0.05, asked + PERIOD_SECONDS - time.monotonic()))

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def words(self, began, ended):
        """What /health said between two moments, and when; once what differs in numbers only."""
        found = {}
        for verdict in sorted(self.verdicts, key=lambda verdict: verdict.answered):
            if began <= verdict.answered <= max(ended, began + VERDICT_SECONDS):
                key = verdict.status, re.sub(r"[0-9.]+", "", verdict.text)
                found.setdefault(key, {
                    "after_seconds": verdict.answered - began, "status": verdict.status,
                    "reasons": verdict.text})
        return list(found.values())

    def wrongly_healthy(self, fault, began, ended):
        """Verdicts that call a cluster healthy of which a process is stopped for so long."""
        if fault.kind != "stop":
            return []
        return [
            verdict for verdict in self.verdicts if verdict.status == "ok"
            and verdict.asked > began + VERDICT_SECONDS and verdict.answered < ended]

    def seconds_to_verdict(self, fault, began, ended):
        """How long after a fault a verdict named who was struck; None where none did in time."""
        for verdict in sorted(self.verdicts, key=lambda verdict: verdict.answered):
            if verdict.answered < began or verdict.asked > max(ended, began + VERDICT_SECONDS):
                continue
            is_right = (verdict.status != "ok" if fault.kind == "head"
                        else verdict.names(fault.targets))
            if is_right:
                return verdict.answered - began
        return None
