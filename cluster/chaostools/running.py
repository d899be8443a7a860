"""A cluster whose head and nodes are processes of their own, and who starts them again."""

import json
import os
import pathlib
import signal
import subprocess
import time

from hosts import LabError

from places import SmallDisk

HEAD = "coordinator"
ROLES = {"stage": "abcdefgh", "expert host": "xyzuvw", "standby": "st"}

# A process that ends by itself is started again after so long, as by a service manager.
RESTART_SECONDS = 1.0

# How long a process may take to end that was asked to.
END_SECONDS = 60.0


def roles(wanted):
    """The role of every node, by name, in the order of the cluster file."""
    counts = {
        "stage": wanted.stages, "expert host": wanted.experts, "standby": wanted.standbys}
    return {name: role for role, count in counts.items() for name in ROLES[role][:count]}


def knows_state(program):
    """Whether the program's cluster files have a folder for the head's journal."""
    file = "cluster: probe\nstate: state\n"
    path = pathlib.Path(f"/tmp/skein-chaos-{os.getpid()}.yaml")
    path.write_text(file)
    try:
        done = subprocess.run(
            [program, "inspect", "--cluster", path], capture_output=True, text=True)
    finally:
        path.unlink()
    return "state: no such field" not in done.stderr


class Cluster:
    """Starts, stops, kills and restarts the processes of one cluster."""

    def __init__(self, place, wanted, tell):
        self.place, self.wanted, self.tell = place, wanted, tell
        self.roles = roles(wanted)
        self.names = [HEAD, *self.roles]
        self.processes, self.logs, self.disk = {}, {}, None
        # Those that are ended on purpose, and when those that ended by themselves start again.
        self.is_down, self.due = set(), {}
        self.ended = []
        self.folder = place.folder / "cluster"
        self.folder.mkdir()
        self.has_state = knows_state(wanted.program)
        if self.has_state and wanted.has_disk:
            self.disk = SmallDisk(self.folder / "state")
        self.file = self._write()
        for name in self.names:
            self.logs[name] = open(self.folder / f"{name}.log", "w")
            self.start(name)

    # What a fault does.

    def start(self, name):
        """Starts a process; its log goes on."""
        self.is_down.discard(name)
        self.due.pop(name, None)
        words = ["node", "--cluster", self.file, "--name", name] if name != HEAD else [
            "up", self.file, "--without-nodes"]
        self.processes[name] = self.place.start(
            self.names.index(name), [self.wanted.program, *words, "--log-level", "info"],
            self.logs[name])

    def kill(self, name):
        """Ends a process as the kernel would that has no memory left."""
        self.is_down.add(name)
        self.processes[name].kill()
        self.processes[name].wait()

    def end(self, name):
        """Asks a process to end, as a service manager does for an upgrade."""
        self.is_down.add(name)
        self.processes[name].terminate()

    def wait_for_end(self, name):
        """Waits until a process that was asked to end has done so."""
        try:
            self.processes[name].wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise LabError(f"{name} has not ended {END_SECONDS:g} s after SIGTERM") from None

    def signal(self, name, number):
        self.processes[name].send_signal(number)

    # What a supervisor does.

    def supervise(self):
        """Starts again what has ended by itself; called every now and then."""
        now = time.monotonic()
        for name, process in self.processes.items():
            if name in self.is_down or process.poll() is None:
                continue
            if name not in self.due:
                self.due[name] = now + RESTART_SECONDS
                self.ended.append(name)
                self.tell(f"{name} has ended by itself with status {process.returncode}: "
                          f"{self.last_line(name)}")
            elif now >= self.due[name]:
                self.start(name)

    def last_line(self, name):
        lines = (self.folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return (lines or ["it said nothing"])[-1]

    def wait_until_healthy(self, get, seconds):
        """How long it took until /health says ok; None where it did not."""
        began = time.monotonic()
        while time.monotonic() < began + seconds:
            self.supervise()
            try:
                if get("/health")["status"] == "ok":
                    return time.monotonic() - began
            except (OSError, ValueError, KeyError):
                pass
            time.sleep(0.1)
        return None

    def close(self):
        """Lets logs go on to be read; processes end with their place."""
        for process in self.processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        for log in self.logs.values():
            log.close()
        if self.wanted.logs is not None:
            self.wanted.logs.mkdir(parents=True, exist_ok=True)
            for path in [*self.folder.glob("*.log"), self.file]:
                (self.wanted.logs / path.name).write_bytes(path.read_bytes())
        if self.disk is not None:
            self.disk.close()

    # The cluster file.

    def _key(self, name):
        (self.folder / "keys").mkdir(exist_ok=True)
        made = subprocess.run(
            [self.wanted.program, "keys", "new", "--json", "--out",
             self.folder / "keys" / f"{name}.secret"],
            capture_output=True, text=True)
        if made.returncode != 0:
            raise LabError(f"keys new: {made.stderr.strip()}")
        return f"public_key: '{json.loads(made.stdout)['public_key']}'"

    def _write(self):
        lines = [
            "cluster: chaos", f"model: {self.wanted.model}", "placement: linear",
            f"context: {self.wanted.context}",
            f"pages: {(self.wanted.streams + 2) * -(-self.wanted.context // 64)}"]
        lines += ["keys: keys"] if self.place.has_links else []
        lines += ["state: state"] if self.has_state else []
        for name, address in zip(self.names, self.place.addresses):
            if name == HEAD:
                lines += ["coordinator:", f"  address: {address}", f"  http: {self.place.http}"]
            else:
                lines += [f"  - name: {name}", f"    address: {address}", "    threads: 1"]
            indentation = "  " if name == HEAD else "    "
            lines += [indentation + self._key(name)] if self.place.has_links else []
            lines += ["nodes:"] if name == HEAD else self._shard(name)
        file = self.folder / "chaos.yaml"
        file.write_text("\n".join(lines) + "\n")
        return file

    def _shard(self, name):
        """What a node holds that is no stage: even parts of all experts, or nothing."""
        if self.roles[name] == "standby":
            return ["    standby: true"]
        if self.roles[name] == "stage":
            return []
        config = json.loads((self.wanted.model / "config.json").read_text())
        first, last = config["first_k_dense_replace"], config["num_hidden_layers"] - 1
        count = config["n_routed_experts"]
        number = ROLES["expert host"].index(name)
        begin, end = (
            count * place // self.wanted.experts for place in (number, number + 1))
        return ["    experts:", f"      - {{layers: {first}-{last}, experts: {begin}-{end - 1}}}"]
