"""Where a cluster runs: processes of this machine, or hosts out of network namespaces."""

import atexit
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import hosts as lab

# The ports of a cluster on hosts, which have an address each.
COORDINATOR_PORT, NODE_PORT, HTTP_PORT = 7100, 7101, 8080
CLONE_NEWNET = 0x40000000


class Loopback:
    """Processes of this machine; place 0 is the head's, the others are the nodes'."""

    has_links = False

    def __init__(self, count):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="skein-chaos-"))
        ports = _free_ports(count + 1)
        self.http = f"127.0.0.1:{ports.pop()}"
        self.addresses = [f"tcp://127.0.0.1:{port}" for port in ports]
        self.processes = []
        atexit.register(self.close)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda number, frame: sys.exit(128 + number))

    def start(self, place, command, log):
        """Starts a command, whose output goes into a log."""
        process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, preexec_fn=_end_with_parent)
        self.processes.append(process)
        return process

    def enter(self):
        """Lets the thread that calls speak from the head's host."""

    def close(self):
        """Ends every process; may be called again."""
        atexit.unregister(self.close)
        for process in self.processes:
            _end(process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Hosts:
    """Hosts with addresses of their own, between which links can be cut and slowed."""

    has_links = True

    def __init__(self, count):
        self.lab = lab.Hosts(count, wires="relay")
        self.folder = self.lab.folder
        self.http = f"{self.lab.addresses[0]}:{HTTP_PORT}"
        ports = [COORDINATOR_PORT] + [NODE_PORT] * (count - 1)
        self.addresses = [
            f"tcp://{address}:{port}" for address, port in zip(self.lab.addresses, ports)]

    def start(self, place, command, log):
        """Starts a command on a host, whose output goes into a log."""
        return self.lab.start(place, command, log=log, stdout=log)

    def enter(self):
        """Lets the thread that calls speak from the head's host."""
        space = os.open(f"/var/run/netns/{self.lab.names[0]}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(space, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "the head's host cannot be entered")
        finally:
            os.close(space)

    def shape_link(self, sender, receiver, **values):
        self.lab.wires.shape_link(sender, receiver, **values)

    def pace(self, place, rate_bps=0.0):
        self.lab.wires.pace(place, rate_bps)

    def close(self):
        """Ends every process and removes the hosts; may be called again."""
        for process in self.lab.processes:
            _end(process)
        self.lab.close()


class SmallDisk:
    """A file system of a few megabytes in memory, which can be filled."""

    size = "8m"

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        lab.run("mount", "-t", "tmpfs", "-o", f"size={self.size}", "skein-chaos", str(folder))
        atexit.register(self.close)

    def fill(self):
        """Leaves not a byte of room."""
        block = bytes(4096)
        with open(self.folder / "filler", "ab", buffering=0) as file:
            try:
                while file.write(block) > 0:
                    pass
            except OSError:
                pass

    def drain(self):
        (self.folder / "filler").unlink(missing_ok=True)

    def close(self):
        atexit.unregister(self.close)
        lab.run("umount", "-l", str(self.folder), check=False)


def why_no_hosts():
    """Why this machine gives no hosts; None where it does."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "there is no /dev/net/tun for links between hosts"
    if shutil.which("cc") is None:
        return "there is no C compiler for the links between hosts"
    return lab.why_not()


def _end_with_parent():
    # The kernel ends whom we have started when we end, however we end.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _end(process):
    """Ends a process at once, a stopped one too."""
    if process.poll() is None:
        process.kill()
        process.wait()


def _free_ports(count):
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
