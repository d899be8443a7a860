"""What `skein plan` predicts of the lab's hosts, beside what was measured on them."""

import json
import sys
import time

import clusters
from hosts import LabError

# Where one host answers another that measures the link between them.
LINK_PORT = 7199

# On a machine that others use as well, one measurement in three may be far off.
TRIES = 3


def measure_rates(hosts, wanted, delay_ms):
    """One host's rates and link, as `skein bench host` finds them.

    One thread with a core of its own; a host of the lab has its share of that. Measured under the
    share a kernel of a millisecond would often fit between two pauses, and look faster than it is.
    """
    path = hosts.folder / "listening.log"
    with open(path, "w") as log:
        listening = hosts.start(1, [
            wanted.program, "bench", "host", "--listen", f"{hosts.addresses[1]}:{LINK_PORT}"],
            log=log)
    try:
        deadline = time.monotonic() + 10
        while "answering" not in path.read_text():
            if listening.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"bench host --listen: {path.read_text().strip() or 'no word'}")
            time.sleep(0.05)
        words = [wanted.program, "bench", "host", "--json", "--threads", 1, "--config",
                 wanted.model / "config.json"]
        link = ["--peer", f"{hosts.addresses[1]}:{LINK_PORT}"]
        # The one that listens answers once.
        found = clusters.middle([
            json.loads(hosts.run(0, words + (link if turn == 0 else []))) for turn in range(TRIES)])
    finally:
        hosts.stop([listening])
    # The link is plain TCP's; what it takes beyond the wire's delay is the hosts' own.
    found["own_ms"] = max(0.0, found["latency_ms"] - delay_ms)
    return found


# Sequences that decode where runs of the model correct the rates, and their tokens: few would pay
# for the first touch of most experts' weights. One stream is bound by reading, many by multiplying.
CALIBRATION_TOKENS = {1: 64, 16: 24}

# So many clusters are measured between two such runs.
CALIBRATION_PERIOD = 4

# A factor changes its part of a step's time only: each turn leaves half of the error or less.
CALIBRATION_TURNS = 8


def decode_speeds(hosts, wanted):
    """What one host with its share gives of the model alone at this moment, by streams.

    In the pauses of a share a host loses its caches, which a core of its own does not show.
    """
    def run(streams):
        command = [
            wanted.program, "bench", "model", "--json", "--model", wanted.model, "--threads", 1,
            "--prompt-tokens", 0, "--new-tokens", CALIBRATION_TOKENS[streams], "--context", 4,
            "--batch", streams]
        return json.loads(hosts.run(0, command, bounded=True))["decode_tokens_per_second"]

    return {streams: run(streams) for streams in CALIBRATION_TOKENS}


def scaled(rates, reading, multiplying):
    """Rates times two factors: what depends on reading weights and the like, and products."""
    found = dict(rates)
    for name in ("float8", "bfloat16", "float32"):
        found[name] = {
            "weight_gb_per_second": rates[name]["weight_gb_per_second"] * reading,
            "gflops": rates[name]["gflops"] * multiplying}
    for name in ("read_gb_per_second", "attention_gflops", "message_gb_per_second"):
        found[name] = rates[name] * reading
    for name in ("layer_us", "message_us"):
        found[name] = rates[name] / reading
    return found


def calibrated(hosts, wanted, rates, speeds):
    """The rates with which a plan predicts what runs of the model alone gave, on one thread.

    Kernels in a row of their own find their weights and tables in better order than a step does. A
    forecast of other hosts has the same need: measure the model once where one can.
    """
    path = hosts.folder / "alone.yaml"
    share = wanted.cores or 1
    reading = multiplying = 1.0

    def ratio(streams):
        path.write_text("\n".join(
            defaults(scaled(rates, reading, multiplying), 1)
            + ["hosts:", "  - {name: alone, address: tcp://127.0.0.1:7101}"]) + "\n")
        predicted = plan(hosts, wanted, path, [
            "--concurrency", streams, "--prompt-tokens", 4,
            "--new-tokens", CALIBRATION_TOKENS[streams]])["predicted_output_tokens_per_second"]
        return speeds[streams] / share / predicted

    fewest, most = min(CALIBRATION_TOKENS), max(CALIBRATION_TOKENS)
    for _ in range(CALIBRATION_TURNS):
        reading *= ratio(fewest)
        multiplying *= ratio(most)
    return scaled(rates, reading, multiplying)


def defaults(rates, share):
    """The lines of a hosts file that all hosts have in common."""
    def rate(name):
        values = ", ".join(f"{key}: {number(rates[name][key] * share)}" for key in rates[name])
        return f"  {name}: {{{values}}}"

    return [
        "defaults:", f"  memory_gb: {number(rates['memory_gb'])}", "  cores: 1",
        f"  read_gb_per_second: {number(rates['read_gb_per_second'] * share)}",
        rate("float8"), rate("bfloat16"), rate("float32"),
        f"  attention_gflops: {number(rates['attention_gflops'] * share)}",
        f"  layer_us: {number(rates['layer_us'] / share)}",
        f"  message_us: {number(rates['message_us'] / share)}",
        f"  message_gb_per_second: {number(rates['message_gb_per_second'] * share)}"]


def write_hosts(hosts, wanted, rates, delay_ms, path):
    """Writes the hosts file of the lab."""
    lines = defaults(rates, wanted.cores or 1) + [
        "link:", f"  latency_ms: {number(rates['own_ms'] + delay_ms)}",
        f"  gbit_per_second: {number(rates['gbit_per_second'])}", "hosts:"]
    for place, name in enumerate(clusters.node_names(wanted)):
        role = "stages" if place < wanted.stages else "experts"
        address = f"tcp://{hosts.addresses[place]}:{clusters.NODE_PORT}"
        lines += [f"  - {{name: {name}, address: {address}, role: {role}}}"]
    path.write_text("\n".join(lines) + "\n")


def number(value):
    return f"{max(value, 0.001):.3f}"


def plan(hosts, wanted, path, words):
    """What `skein plan` says of the model on the hosts of a file."""
    return json.loads(hosts.run(0, [
        wanted.program, "plan", "--json", "--model", wanted.model, "--hosts", path, *words]))


def predict(hosts, wanted, rates, delay_ms, file, streams):
    """What `skein plan` says of a cluster file."""
    path = hosts.folder / "hosts.yaml"
    write_hosts(hosts, wanted, rates, delay_ms, path)
    return plan(hosts, wanted, path, [
        "--cluster", file, "--concurrency", streams, "--prompt-tokens", wanted.prompt_tokens,
        "--new-tokens", wanted.new_tokens])


class Forecasts:
    """Measures clusters one after the other, and predicts all of them by one set of rates.

    A machine that others use as well changes its speed from one minute to the next. So the model is
    run alone before every few clusters, and the median of these runs corrects the rates.
    """

    def __init__(self, hosts, wanted):
        self.hosts, self.wanted, self.rates = hosts, wanted, None
        self.speeds, self.files, self.count = [], {}, 0

    def measure(self, delay_ms, placement, streams):
        """Measures one cluster, whose row it returns; before the first one the rates."""
        if self.rates is None:
            self.rates = measure_rates(self.hosts, self.wanted, delay_ms)
            print(f"lab: {json.dumps(self.rates)}", file=sys.stderr, flush=True)
        if self.count % CALIBRATION_PERIOD == 0:
            self.speeds.append(decode_speeds(self.hosts, self.wanted))
            print(f"lab: alone {json.dumps(self.speeds[-1])}", file=sys.stderr, flush=True)
        row = clusters.measure(self.hosts, self.wanted, placement, streams)
        file = self.hosts.folder / "cluster" / "lab.yaml"
        case = (delay_ms, placement, streams)
        self.files[case] = file.rename(file.with_name(f"lab-{self.count}.yaml"))
        self.count += 1
        print(f"lab: measured {self.count}: {delay_ms:g} ms, {placement}, {streams} streams, "
              f"{row['output_tokens_per_second']:.1f} tokens/s, "
              f"TTFT {row['single_stream_ttft_ms']:.0f} ms", file=sys.stderr, flush=True)
        return row

    def compared(self, rows):
        """The rows by delay, placement and streams, with what is predicted of each beside it."""
        rates = calibrated(
            self.hosts, self.wanted, self.rates, clusters.middle(self.speeds))
        return {
            (delay_ms, placement, streams): compare(row, predict(
                self.hosts, self.wanted, rates, delay_ms,
                self.files[delay_ms, placement, streams], streams))
            for (delay_ms, placement, streams), row in rows.items()}


def compare(measured, predicted):
    """A row of what was measured, what was predicted, and how far apart they are."""
    pairs = {
        "output_tokens_per_second": "predicted_output_tokens_per_second",
        "single_stream_tokens_per_second": "predicted_single_stream_tokens_per_second",
        "single_stream_ttft_ms": "predicted_ttft_ms"}
    row = dict(measured)
    for name, forecast in pairs.items():
        row[forecast] = predicted[forecast]
        row[f"{name}_error"] = predicted[forecast] / measured[name] - 1
    resident = measured["resident_bytes"]
    nodes = {node["name"]: node["total_bytes"] for node in predicted["nodes"]}
    if set(nodes) != set(resident):
        raise LabError(f"the plan knows {sorted(nodes)}, expected {sorted(resident)}")
    row["predicted_bytes"] = nodes
    row["memory_error"] = max((nodes[name] / resident[name] - 1 for name in nodes), key=abs)
    return row
