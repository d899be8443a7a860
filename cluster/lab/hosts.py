"""Hosts out of network namespaces: addresses, the wires between them, a share of the cores each.

Nothing leaves the namespaces, and nothing of them stays: what a lab has made carries its name, and
is removed when the lab ends, however it ends; `lab down` removes what a killed one left behind.
"""

import atexit
import ctypes
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PREFIX = "sklab"
NETWORK = "10.78.0"
HERE = pathlib.Path(__file__).resolve().parent


class LabError(Exception):
    """What a person should read in one line."""


def run(*command, check=True, **options):
    """Runs a command to its end and returns its output."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if check and done.returncode != 0:
        line = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise LabError(f"{' '.join(map(str, command[:6]))} …: {line}")
    return done.stdout


def why_not():
    """Why this machine gives no lab; None where it does."""
    if shutil.which("ip") is None:
        return "the program ip (iproute2) is missing"
    probe = f"{PREFIX}{secrets.token_hex(3)}p"
    done = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if done.returncode != 0:
        return "this machine does not let us make network namespaces: " + (
            done.stderr.strip().splitlines() or ["no reason given"])[-1]
    try:
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK) and not has_netem(probe):
            return "there is neither netem in the kernel nor a /dev/net/tun to delay packets with"
        if shutil.which("cc") is None and not has_netem(probe):
            return "there is neither netem in the kernel nor a C compiler for the lab's relay"
    finally:
        run("ip", "netns", "del", probe, check=False)
    return None


def has_netem(namespace):
    """Whether the kernel delays packets itself."""
    if shutil.which("tc") is None:
        return False
    done = subprocess.run(
        ["tc", "-n", namespace, "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"],
        capture_output=True)
    return done.returncode == 0


def settle_tcp(namespace):
    """TCP as our operators are told to have it on wires with delay, whatever this machine prefers.

    A sender that paces, as with bbr, spreads each message over a part of the round trip; one that
    starts again after a pause needs a second round trip for what ten packets do not hold.
    """
    def set_to(name, value):
        command = ["ip", "netns", "exec", namespace, "sysctl", "-qw", f"net.ipv4.{name}={value}"]
        return subprocess.run(command, capture_output=True).returncode == 0

    # Namespaces may be kept from cubic; every kernel has reno.
    set_to("tcp_congestion_control", "cubic") or set_to("tcp_congestion_control", "reno")
    set_to("tcp_slow_start_after_idle", 0)


def left_behind():
    """The namespaces of labs, of those that run as well."""
    names = [line.split()[0] for line in run("ip", "netns", "list", check=False).splitlines()]
    return [name for name in names if name.startswith(PREFIX)]


def down():
    """Removes what labs that were killed have left behind."""
    for name in left_behind():
        _remove_namespace(name)
    for root in Cores.roots():
        for folder in pathlib.Path(root).glob(f"{PREFIX}*"):
            _remove_cores(folder)


def _remove_namespace(name):
    for process in run("ip", "netns", "pids", name, check=False).split():
        try:
            os.kill(int(process), signal.SIGKILL)
        except ProcessLookupError:
            pass
    run("ip", "netns", "del", name, check=False)


def _remove_cores(folder):
    deadline = time.monotonic() + 5
    while folder.exists():
        for inner in [*folder.glob("*/"), folder]:
            try:
                inner.rmdir()
            except OSError:
                pass
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)  # the kernel lets go of a group once its last process is gone


class Cores:
    """A bound on the time that each host computes, so that hosts of one machine do not lend each
    other their cores: a host that waits gives nothing to one that works, as in a real cluster."""

    # One stretch of work a period, short so that pauses are short too. Of the 1 ms that the kernel
    # allows at least, a host that always works gets 0.35 of a core in place of 0.4.
    QUOTA_US = 1_500

    @staticmethod
    def roots():
        return [path for path in ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup") if os.path.isdir(path)]

    def __init__(self, lab, share):
        self.folder = None
        if share is None:
            return
        for root in self.roots():
            folder = pathlib.Path(root) / lab
            try:
                folder.mkdir()
                if (folder / "cpu.cfs_quota_us").exists():
                    self.folder, self.share = folder, share
                    return
                controllers = folder / "cgroup.controllers"
                if root == "/sys/fs/cgroup" and "cpu" in controllers.read_text():
                    (folder / "cgroup.subtree_control").write_text("+cpu")
                    self.folder, self.share = folder, share
                    return
                folder.rmdir()
            except OSError:
                continue
        print("lab: no control group for the cores: hosts share them", file=sys.stderr)

    def of(self, host):
        """The file that a process of a host writes itself into; None where hosts share cores."""
        if self.folder is None:
            return None
        group = self.folder / str(host)
        if not group.exists():
            group.mkdir()
            period = int(self.QUOTA_US / self.share)
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text(str(period))
                (group / "cpu.cfs_quota_us").write_text(str(self.QUOTA_US))
            else:
                (group / "cpu.max").write_text(f"{self.QUOTA_US} {period}")
        return group / "cgroup.procs"

    def remove(self):
        if self.folder is not None:
            _remove_cores(self.folder)


class Relay:
    """The lab's own wires (relay.c): a TUN device for each host, and one process between them."""

    def __init__(self, hosts, folder):
        program = folder / "relay"
        run("cc", "-O2", "-Wall", "-o", str(program), str(HERE / "relay.c"))
        self.process = subprocess.Popen(
            [str(program)] + [f"{name}={address}" for name, address in hosts],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._hear("ready")
        for name, address in hosts:
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "lab0")
            run("ip", "-n", name, "link", "set", "lab0", "mtu", "1500", "txqueuelen", "10000", "up")

    def _hear(self, expected=None):
        line = self.process.stdout.readline().strip()
        if not line or (expected and line != expected):
            raise LabError(f"the relay said '{line}', expected '{expected or 'an answer'}'")
        return line

    def _tell(self, line, expected="ok"):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._hear(expected)

    def shape(self, delay_ms, rate_bps, loss):
        self._tell(f"delay {delay_ms * 1000}")
        self._tell(f"rate {rate_bps}")
        self._tell(f"loss {loss}")

    def shape_link(self, sender, receiver, delay_ms=0.0, loss=0.0):
        """Delays or loses what one host sends to another; with loss 1 the link is cut that way."""
        self._tell(f"delay {delay_ms * 1000} {sender} {receiver}")
        self._tell(f"loss {loss} {sender} {receiver}")

    def pace(self, host, rate_bps=0.0):
        """Bounds what one host sends; 0 is without a bound."""
        self._tell(f"rate {rate_bps} {host}")

    def stats(self):
        return json.loads(self._tell("stats", None))

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Bridge:
    """veth pairs and a bridge; delays by the kernel's netem."""

    def __init__(self, hosts, switch):
        self.hosts = hosts
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "add", "name", "sw0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "sw0", "up")
        for number, (name, address) in enumerate(hosts):
            run("ip", "link", "add", "lab0", "netns", name, "type", "veth", "peer", "name",
                f"w{number}", "netns", switch)
            run("ip", "-n", switch, "link", "set", f"w{number}", "master", "sw0", "up")
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "lab0")
            run("ip", "-n", name, "link", "set", "lab0", "up")

    def shape(self, delay_ms, rate_bps, loss):
        for name, _ in self.hosts:
            run("tc", "-n", name, "qdisc", "del", "dev", "lab0", "root", check=False)
            words = ["delay", f"{delay_ms}ms", "limit", "100000"]
            words += ["rate", f"{int(rate_bps)}"] if rate_bps else []
            words += ["loss", f"{loss * 100}%"] if loss else []
            if delay_ms or rate_bps or loss:
                run("tc", "-n", name, "qdisc", "add", "dev", "lab0", "root", "netem", *words)

    def stats(self):
        return {}

    def close(self):
        pass


class Hosts:
    """Hosts 0 to count - 1, up from the beginning and gone at the end (a context manager)."""

    def __init__(self, count, share=None, wires="auto"):
        self.name = PREFIX + secrets.token_hex(3)
        self.count = count
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-lab-"))
        self.names = [f"{self.name}h{number}" for number in range(count)]
        self.addresses = [f"{NETWORK}.{number + 1}" for number in range(count)]
        self.processes = []
        self.cores = self.wires = None
        self.delay_ms = 0.0
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))
        # The parent process may have blocked them, and we would inherit that.
        signal.pthread_sigmask(
            signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        for name in self.names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            settle_tcp(name)
        self.cores = Cores(self.name, share)
        pairs = list(zip(self.names, self.addresses))
        if wires == "auto":
            probe = self.name + "p"
            run("ip", "netns", "add", probe)
            wires = "netem" if has_netem(probe) else "relay"
            run("ip", "netns", "del", probe)
        self.kind = wires
        self.wires = (
            Relay(pairs, self.folder) if wires == "relay" else Bridge(pairs, self.name + "sw"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def shape(self, delay_ms=0.0, rate_bps=0.0, loss=0.0):
        """Delays each packet by this on its way, and paces what each host sends."""
        self.delay_ms = delay_ms
        self.wires.shape(delay_ms, rate_bps, loss)

    def start(self, host, command, bounded=False, log=None, **options):
        """Starts a command on a host; a bounded one has the host's share of the cores."""
        group = self.cores.of(host) if bounded else None

        def join():
            # The kernel ends whom we have started when we end, however we end.
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if group is not None:
                with open(group, "w") as file:
                    file.write(str(os.getpid()))

        process = subprocess.Popen(
            ["ip", "netns", "exec", self.names[host], *map(str, command)], preexec_fn=join,
            stdin=subprocess.DEVNULL, stderr=log or subprocess.DEVNULL, text=True,
            start_new_session=True, **options)
        self.processes.append(process)
        return process

    def run(self, host, command, seconds=120, bounded=False):
        """Runs a command on a host to its end and returns its output; a bounded one has the host's
        share of the cores."""
        with open(self.folder / "run.log", "w") as log:
            process = self.start(host, command, bounded, log=log, stdout=subprocess.PIPE)
            try:
                output, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                raise LabError(f"{command[0]} {command[1]} took longer than {seconds} s")
        if process.returncode != 0:
            text = (self.folder / "run.log").read_text().strip().splitlines()
            raise LabError(f"{' '.join(map(str, command[1:3]))}: {(text or ['failed'])[-1]}")
        return output

    def stop(self, processes, seconds=10):
        """Ends processes in good order, or else at once."""
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + seconds
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = [process for process in self.processes if process not in processes]

    def close(self):
        """Ends every process and removes the hosts; may be called again."""
        # A second ^C still leaves a clean machine.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        atexit.unregister(self.close)
        self.stop(self.processes, seconds=5)
        if self.wires is not None:
            self.wires.close()
        for name in [*self.names, self.name + "sw", self.name + "p"]:
            if os.path.exists(f"/var/run/netns/{name}"):
                _remove_namespace(name)
        if self.cores is not None:
            self.cores.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
