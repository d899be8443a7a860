"""Commands on hosts, over ssh and rsync; each can be printed in place of being run.

Scripts travel on standard input, so that no argument of theirs shows in a list of processes, and
secrets travel as files: neither is ever printed.
"""

import dataclasses
import shlex
import subprocess
import sys

from plans import DeployError


@dataclasses.dataclass
class Way:
    """How hosts are reached."""

    user: str = None
    port: int = None
    identity: str = None
    config: str = None
    options: list = dataclasses.field(default_factory=list)
    targets: dict = dataclasses.field(default_factory=dict)
    uses_sudo: bool = False
    seconds: float = 900.0
    # One connection a host serves all commands; its socket lies in a folder of this run.
    sockets: str = None

    def ssh(self):
        words = [
            "ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10",
            "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"]
        words += [
            "-o", "ControlMaster=auto", "-o", f"ControlPath={self.sockets}/%C",
            "-o", "ControlPersist=60"] if self.sockets else []
        words += ["-F", self.config] if self.config else []
        words += ["-p", str(self.port)] if self.port else []
        words += ["-i", self.identity] if self.identity else []
        for option in self.options:
            words += ["-o", option]
        return words

    def target(self, host):
        name = self.targets.get(host, host)
        if name.startswith("-"):
            raise DeployError(f"{host}: found the ssh name {name!r}, expected no dash first")
        return f"{self.user}@{name}" if self.user and "@" not in name else name


class Host:
    """One host."""

    def __init__(self, name, way, is_dry=False):
        self.name, self.way, self.is_dry = name, way, is_dry

    def _say(self, words, script=None):
        print(f"+ {shlex.join(words)}")
        for line in (script or "").strip().splitlines():
            print(f"    {line}")

    def run(self, script, *arguments, check=True, otherwise=""):
        """Runs a script for sh; returns what it prints. A dry run prints the script instead."""
        shell = ["sudo", "-n", "sh"] if self.way.uses_sudo else ["sh"]
        remote = shlex.join([*shell, "-eus", "--", *map(str, arguments)])
        words = [*self.way.ssh(), "--", self.way.target(self.name), remote]
        if self.is_dry:
            self._say(words, script)
            return otherwise
        done = self._run(words, script)
        if done.returncode != 0 and check:
            raise DeployError(f"{self.name}: {_last_line(done)}")
        return done.stdout if done.returncode == 0 else otherwise

    def leave(self):
        """Ends the connection that the commands have shared."""
        if self.way.sockets and not self.is_dry:
            subprocess.run(
                [*self.way.ssh(), "-O", "exit", self.way.target(self.name)], capture_output=True)

    def succeeds(self, script, *arguments):
        """Whether a script ends with status 0; in a dry run it does."""
        return self.run(script + "\necho fine\n", *arguments, check=False,
                        otherwise="fine" if self.is_dry else "").strip().endswith("fine")

    def copy(self, source, place, *options):
        """Has a host what a folder or file holds; returns whether anything was different."""
        name = self.way.target(self.name)
        user, _, address = name.rpartition("@")
        address = f"[{address}]" if ":" in address else address
        words = ["rsync", "-rltp", "--itemize-changes", "-e", shlex.join(self.way.ssh()), *options]
        words += ["--rsync-path", "sudo -n rsync"] if self.way.uses_sudo else []
        words += ["--", str(source), (f"{user}@" if user else "") + f"{address}:{place}"]
        if self.is_dry:
            self._say(words)
            return True
        done = self._run(words, None)
        if done.returncode != 0:
            raise DeployError(f"{self.name}: rsync: {_last_line(done)}")
        # A folder whose time alone differs has changed nothing.
        return any(
            line.split(" ")[0][1:2] != "d" or line.startswith("cd+++") or line.startswith("*")
            for line in done.stdout.splitlines() if line.strip())

    def _run(self, words, script):
        try:
            return subprocess.run(
                words, input=script if script is not None else "", capture_output=True, text=True,
                timeout=self.way.seconds)
        except FileNotFoundError as error:
            raise DeployError(f"{words[0]}: is not installed here") from error
        except subprocess.TimeoutExpired as error:
            raise DeployError(
                f"{self.name}: no answer for {self.way.seconds:.0f} s") from error


def _last_line(done):
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"ended with status {done.returncode}"


def say(line):
    """Progress, for people: on standard error, so that standard output is for results."""
    print(line, file=sys.stderr, flush=True)
