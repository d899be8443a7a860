"""What `skein plan` foretells of the lab's hosts, beside what was measured on them."""

import json
import time

import clusters
from hosts import LabError

# Where one host answers another that measures the road between them.
ROAD_PORT = 7199


def measure_rates(hosts, wanted, delay_ms):
    """One host's rates and road, as `skein bench host` finds them.

    One thread with a core of its own; a host of the lab has its share of that. Measured under the
    share a kernel of a millisecond would often fit between two pauses, and look faster than it is.
    """
    path = hosts.folder / "listening.log"
    with open(path, "w") as log:
        listening = hosts.start(1, [
            wanted.program, "bench", "host", "--listen", f"{hosts.addresses[1]}:{ROAD_PORT}"],
            log=log)
    try:
        deadline = time.monotonic() + 10
        while "answering" not in path.read_text():
            if listening.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"bench host --listen: {path.read_text().strip() or 'no word'}")
            time.sleep(0.05)
        found = json.loads(hosts.run(0, [
            wanted.program, "bench", "host", "--json", "--threads", 1, "--config",
            wanted.model / "config.json", "--peer", f"{hosts.addresses[1]}:{ROAD_PORT}"]))
    finally:
        hosts.stop([listening])
    # The road is plain TCP's; what it takes beyond the wire's delay is the hosts' own.
    found["own_ms"] = max(0.0, found["latency_ms"] - delay_ms)
    return calibrated(hosts, wanted, found)


def calibrated(hosts, wanted, rates):
    """The rates times what a run of the model itself makes of them, alone on one thread.

    Kernels in a row of their own find their weights and tables in better order than a step does. A
    forecast of other hosts has the same need: measure the model once where one can.
    """
    streams = 8
    found = json.loads(hosts.run(0, [
        wanted.program, "bench", "model", "--json", "--model", wanted.model, "--threads", 1,
        "--prompt-tokens", 0, "--new-tokens", 24, "--context", 64, "--batch", streams]))
    path = hosts.folder / "alone.yaml"
    path.write_text("\n".join(
        defaults(rates, 1) + ["hosts:", "  - {name: alone, address: tcp://127.0.0.1:7101}"]) + "\n")
    predicted = json.loads(hosts.run(0, [
        wanted.program, "plan", "--json", "--model", wanted.model, "--hosts", path,
        "--concurrency", streams, "--prompt-tokens", 64, "--new-tokens", 24]))
    factor = found["decode_tokens_per_second"] / predicted["predicted_output_tokens_per_second"]
    rates["calibration"] = factor
    for name in ("float8", "bfloat16", "float32"):
        rates[name] = {key: value * factor for key, value in rates[name].items()}
    for name in ("read_gb_per_second", "attention_gflops"):
        rates[name] *= factor
    rates["layer_us"] /= factor
    return rates


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
        f"  layer_us: {number(rates['layer_us'] / share)}"]


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


def foretell(hosts, wanted, rates, delay_ms, streams):
    """What `skein plan` says of the cluster file that was measured last."""
    path = hosts.folder / "hosts.yaml"
    write_hosts(hosts, wanted, rates, delay_ms, path)
    return json.loads(hosts.run(0, [
        wanted.program, "plan", "--json", "--model", wanted.model, "--hosts", path, "--cluster",
        hosts.folder / "cluster" / "lab.yaml", "--concurrency", streams,
        "--prompt-tokens", wanted.prompt_tokens, "--new-tokens", wanted.new_tokens]))


def compare(measured, predicted):
    """A row of what was measured, what was foretold, and how far apart they are."""
    pairs = {
        "output_tokens_per_second": "predicted_output_tokens_per_second",
        "single_stream_tokens_per_second": "predicted_single_stream_tokens_per_second",
        "single_stream_ttft_ms": "predicted_ttft_ms"}
    row = dict(measured)
    for name, foretold in pairs.items():
        row[foretold] = predicted[foretold]
        row[f"{name}_error"] = predicted[foretold] / measured[name] - 1
    resident = measured["resident_bytes"]
    nodes = {node["name"]: node["total_bytes"] for node in predicted["nodes"]}
    if set(nodes) != set(resident):
        raise LabError(f"the plan knows {sorted(nodes)}, expected {sorted(resident)}")
    row["predicted_bytes"] = nodes
    row["memory_error"] = max((nodes[name] / resident[name] - 1 for name in nodes), key=abs)
    return row
