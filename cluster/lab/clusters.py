"""A cluster on the lab's hosts, and what `skein bench pipeline` finds there."""

import json
import pathlib
import statistics
import threading

from hosts import LabError

# Where the coordinator and the nodes listen; each host has an address of its own.
COORDINATOR_PORT = 7100
NODE_PORT = 7101


def measure(hosts, wanted, placement, streams):
    """Runs a cluster from its beginning to its end, and returns a row of figures.

    The coordinator runs on the first host, beside the first stage, as `skein up` has it.
    """
    folder = hosts.folder / "cluster"
    file = write_cluster(hosts, wanted, placement, streams, folder)
    logs, nodes = [], []
    names = node_names(wanted)
    try:
        for host, name in enumerate(names):
            logs.append(open(folder / f"{name}.log", "w"))
            nodes.append(hosts.start(
                host, [wanted.program, "node", "--cluster", file, "--name", name], bounded=True,
                log=logs[-1]))
        with Resident(names, nodes) as resident:
            output = hosts.run(0, [
                wanted.program, "bench", "pipeline", "--json", "--cluster", file,
                "--concurrency", streams, "--prompt-tokens", wanted.prompt_tokens,
                "--new-tokens", wanted.new_tokens,
                *trace_option(hosts, wanted, placement, streams)], seconds=600)
    except LabError as error:
        for name in names[:len(nodes)]:
            lines = (folder / f"{name}.log").read_text().strip().splitlines()
            problems = [line for line in lines if "error" in line.lower()]
            if problems:
                raise LabError(f"{error}; {name}: {problems[-1]}") from error
        raise
    finally:
        hosts.stop(nodes)
        for log in logs:
            log.close()
    return {**row(json.loads(output), wanted, placement), "resident_bytes": resident.largest}


def middle(reports):
    """The median of each number of several reports, of an even count the lower one, so that counts
    stay counts; what is no number is the first one's."""
    def of(values):
        if isinstance(values[0], dict):
            return {key: of([value[key] for value in values if key in value]) for key in values[0]}
        if isinstance(values[0], list) and len({len(value) for value in values}) == 1:
            return [of(list(parts)) for parts in zip(*values)]
        is_number = all(isinstance(value, (int, float)) for value in values)
        return statistics.median_low(values) if is_number else values[0]

    return of(reports)


class Resident:
    """Watches what nodes hold in memory, mapped weights included; a context manager."""

    def __init__(self, names, nodes):
        self.largest = dict.fromkeys(names, 0)
        self.nodes = dict(zip(names, nodes))
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def _watch(self):
        while not self.ended.wait(0.2):
            for name, node in self.nodes.items():
                try:
                    status = pathlib.Path(f"/proc/{node.pid}/status").read_text()
                except OSError:
                    continue
                # A process that has ended and was not awaited has no such line.
                for line in status.splitlines():
                    if line.startswith("VmRSS:"):
                        bytes_now = int(line.split()[1]) * 1024
                        self.largest[name] = max(self.largest[name], bytes_now)


def trace_option(hosts, wanted, placement, streams):
    """Where the cluster's trace goes."""
    if wanted.traces is None:
        return []
    wanted.traces.mkdir(parents=True, exist_ok=True)
    name = f"{placement}-{hosts.delay_ms:g}ms-{streams}.json"
    return ["--trace", wanted.traces.resolve() / name]


def node_names(wanted):
    return [f"stage{number}" for number in range(wanted.stages)] + [
        f"experts{number}" for number in range(wanted.experts)]


def shard(wanted, number):
    """The lines of a cluster file for one host of experts, which have even parts of those away."""
    config = json.loads((pathlib.Path(wanted.model) / "config.json").read_text())
    first, last = config["first_k_dense_replace"], config["num_hidden_layers"] - 1
    count = config["n_routed_experts"]
    away = count if wanted.away is None else wanted.away
    if not wanted.experts <= away <= count:
        raise LabError(f"expected --away from {wanted.experts} to {count}")
    begin, end = (
        count - away + away * place // wanted.experts for place in (number, number + 1))
    return ["    experts:", f"      - {{layers: {first}-{last}, experts: {begin}-{end - 1}}}"]


def write_cluster(hosts, wanted, placement, streams, folder):
    """Writes keys and a cluster file; returns the file's path."""
    names = node_names(wanted)
    keys = {}
    (folder / "keys").mkdir(parents=True, exist_ok=True)
    for name in ["coordinator", *names]:
        secret = folder / "keys" / f"{name}.secret"
        secret.unlink(missing_ok=True)
        made = hosts.run(0, [wanted.program, "keys", "new", "--out", secret, "--json"])
        keys[name] = json.loads(made)["public_key"]
    pages_each = -(-(wanted.prompt_tokens + wanted.new_tokens) // 64)
    lines = [
        "cluster: lab", f"model: {wanted.model}", f"placement: {placement}",
        f"context: {pages_each * 64}", f"pages: {pages_each * (streams + 2)}", "keys: keys",
        # No larger than what these loads reach, since memory is planned for the largest.
        "prefill_chunk: 64",
        "coordinator:",
        f"  address: tcp://{hosts.addresses[0]}:{COORDINATOR_PORT}",
        f"  public_key: '{keys['coordinator']}'"]
    if wanted.micro_batches:
        lines.append(f"micro_batches: {wanted.micro_batches}")
    if wanted.steps_at_once:
        lines.append(f"steps_at_once: {wanted.steps_at_once}")
    lines.append(f"hop: {wanted.hop}")
    lines += ["nodes:"]
    for place, name in enumerate(names):
        lines += [
            f"  - name: {name}",
            f"    address: tcp://{hosts.addresses[place]}:{NODE_PORT}",
            f"    public_key: '{keys[name]}'", "    threads: 1"]
        if place >= wanted.stages:
            lines += shard(wanted, place - wanted.stages)
    file = folder / "lab.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file


def row(report, wanted, placement):
    """The figures of a report that a table needs; README.md explains each."""
    stages = report["stages"]
    figures = {
        "placement": placement, "stages": wanted.stages, "experts": wanted.experts,
        "hop": wanted.hop, "streams": report["concurrency"]}
    for name in (
            "output_tokens_per_second", "single_stream_tokens_per_second", "single_stream_ttft_ms",
            "median_itl_ms", "p99_itl_ms", "decode_micro_batches", "way_ms",
            "hidden_communication_share"):
        figures[name] = report[name]
    figures["bubble_share"] = statistics.mean(stage["bubble_share"] for stage in stages)
    figures["predicted_bubble_share"] = statistics.mean(
        stage["predicted_bubble_share"] for stage in stages)
    figures["step_ms"] = [stage["step_ms"] for stage in stages]
    figures["busy_share"] = [stage["busy_share"] for stage in stages]
    figures["hidden_share_by_stage"] = [stage["hidden_communication_share"] for stage in stages]
    return figures
