"""The faults: which one strikes whom and when, by a seed, and how each is done and undone."""

import dataclasses
import math
import random
import signal

from hosts import LabError

from running import HEAD

# How long each kind of fault lasts, in seconds; a killed process is started again after that.
SECONDS = {
    "kill": (1.0, 4.0), "stop": (7.0, 11.0), "cut": (4.0, 11.0), "delay": (5.0, 10.0),
    "rate": (5.0, 10.0), "head": (0.1, 2.0), "disk": (5.0, 10.0), "restart": (1.0, 4.0)}
KINDS = list(SECONDS)

# What needs links that can be cut and slowed.
LINK_KINDS = {"cut", "delay", "rate"}

# A slow link: of what a host sends, and one way between two hosts.
RATE_BPS = (200_000, 1_000_000)
DELAY_MS = (50, 300)


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: from `at` for `seconds`, in seconds since the load began."""

    number: int
    kind: str
    at: float
    seconds: float
    targets: tuple
    how: str = ""
    amount: float = 0.0

    @property
    def end(self):
        return self.at + self.seconds

    def __str__(self):
        who = " and ".join(self.targets)
        return {
            "kill": f"kill -9 of {who}, started again after {self.seconds:.1f} s",
            "stop": f"SIGSTOP of {who} for {self.seconds:.1f} s",
            "cut": f"the link of {who} cut {self.how} for {self.seconds:.1f} s",
            "delay": f"{self.amount:.0f} ms each way between {who} for {self.seconds:.1f} s",
            "rate": f"{who} sends {self.amount / 1e6:.2f} Mbit/s at most for {self.seconds:.1f} s",
            "head": f"kill -9 of the head, started again after {self.seconds:.1f} s",
            "disk": f"the head's disk full for {self.seconds:.1f} s",
            "restart": f"SIGTERM of {who}, started again once it has ended, after "
                       f"{self.seconds:.1f} s at the earliest",
        }[self.kind]


def links(roles):
    """The pairs of processes that have something to say to each other."""
    names = {role: [name for name in roles if roles[name] == role] for role in roles.values()}
    stages = names["stage"]
    pairs = [(HEAD, name) for name in roles] + list(zip(stages, stages[1:]))
    return pairs + [
        (stage, host) for stage in stages for host in names.get("expert host", [])]


def schedule(seed, kinds, every, seconds, roles, overlaps=False):
    """All faults of a run; the same for the same arguments.

    One strikes every `every` seconds, but the next only after the end of the one before, unless
    they may overlap: then nobody is struck twice at a time.
    """
    numbers = random.Random(f"chaos {seed}")
    faults, deck, at = [], [], every
    while at < seconds:
        if not deck:
            deck = numbers.sample(kinds, len(kinds))
        fault = _draw(numbers, deck.pop(), len(faults) + 1, at, roles)
        busy = {name for other in faults if other.end > at for name in other.targets}
        if not busy.intersection(fault.targets):
            faults.append(fault)
        at += every if overlaps else every * max(1, math.ceil(fault.seconds / every))
    return faults


def only(faults, numbers, every):
    """Some faults of a schedule, the first of them at the first moment."""
    chosen = [fault for fault in faults if fault.number in numbers]
    if len(chosen) != len(set(numbers)):
        raise LabError(f"--only: expected numbers from 1 to {len(faults)}, as --list shows them")
    return [dataclasses.replace(fault, at=fault.at - chosen[0].at + every) for fault in chosen]


def _draw(numbers, kind, number, at, roles):
    low, high = SECONDS[kind]
    fault = Fault(number, kind, at, round(numbers.uniform(low, high), 1), (HEAD,))
    if kind == "restart":
        # In turn, as an upgrade would, the head last.
        everyone = [*roles, HEAD]
        fault = dataclasses.replace(fault, targets=(everyone[(number - 1) % len(everyone)],))
    if kind in ("kill", "stop", "rate"):
        fault = dataclasses.replace(fault, targets=(numbers.choice(list(roles)),))
    if kind in ("cut", "delay"):
        fault = dataclasses.replace(fault, targets=numbers.choice(links(roles)))
    if kind == "cut":
        way = numbers.choice(["both ways", "both ways", "there", "back"])
        return dataclasses.replace(fault, how=way if way == "both ways" else (
            "from {} to {}".format(*(fault.targets if way == "there" else fault.targets[::-1]))))
    if kind == "delay":
        return dataclasses.replace(fault, amount=float(numbers.randint(*DELAY_MS)))
    if kind == "rate":
        return dataclasses.replace(fault, amount=float(numbers.randint(*RATE_BPS)))
    return fault


def _ways(fault, cluster):
    """The places between which a link is changed, one pair each way."""
    first, second = (cluster.names.index(name) for name in fault.targets)
    ways = [(first, second), (second, first)]
    if fault.how.startswith("from "):
        return ways[:1] if fault.how.startswith(f"from {fault.targets[0]} ") else ways[1:]
    return ways


def begin(fault, cluster):
    """Strikes."""
    if fault.kind in ("kill", "head"):
        cluster.kill(fault.targets[0])
    if fault.kind == "restart":
        cluster.end(fault.targets[0])
    if fault.kind == "stop":
        cluster.signal(fault.targets[0], signal.SIGSTOP)
    if fault.kind == "cut":
        for way in _ways(fault, cluster):
            cluster.place.shape_link(*way, loss=1)
    if fault.kind == "delay":
        for way in _ways(fault, cluster):
            cluster.place.shape_link(*way, delay_ms=fault.amount)
    if fault.kind == "rate":
        cluster.place.pace(cluster.names.index(fault.targets[0]), fault.amount)
    if fault.kind == "disk":
        cluster.disk.fill()


def end(fault, cluster):
    """Undoes it."""
    if fault.kind == "restart":
        cluster.wait_for_end(fault.targets[0])
    if fault.kind in ("kill", "head", "restart"):
        cluster.start(fault.targets[0])
    if fault.kind == "stop":
        cluster.signal(fault.targets[0], signal.SIGCONT)
    if fault.kind in ("cut", "delay"):
        for way in _ways(fault, cluster):
            cluster.place.shape_link(*way)
    if fault.kind == "rate":
        cluster.place.pace(cluster.names.index(fault.targets[0]))
    if fault.kind == "disk":
        cluster.disk.drain()
