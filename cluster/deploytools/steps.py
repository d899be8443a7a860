"""The steps of a deployment: what a host lacks, putting it there, starting it, taking it back."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import threading
import time

import plans
from plans import HEAD, DeployError
from remote import say
from supervisors import FACTS, SUPERVISORS

# What the program takes beside the weights of its host, at least.
MEMORY_BYTES_MIN = 128 << 20

# Connections of the machine that deploys; a checkpoint goes over all of them.
HOSTS_AT_ONCE = 8

# Between two questions after health.
POLL_SECONDS = 0.5


class Site:
    """One host, what was found on it, and what it is to have."""

    def __init__(self, host, part):
        self.host, self.part = host, part
        self.facts, self.missing, self.stamps, self.running = {}, [], {}, set()
        self.supervisor = None
        # What was changed, for the result, and whether that must be undone after a failure.
        self.changes, self.is_touched = [], False
        # Why it could not be asked, where that is put up with.
        self.error = None

    @property
    def name(self):
        return self.host.name

    @property
    def release(self):
        return self.facts.get("release")

    def change(self, line):
        self.changes.append(line)
        if not self.host.is_dry:
            say(f"{self.name}: {line}")


class Deployment:
    """A cluster on its hosts."""

    def __init__(self, cluster, hosts, wanted):
        self.cluster, self.wanted = cluster, wanted
        self.is_dry = wanted.dry_run
        self.sites = [Site(host, cluster.parts[host.name]) for host in hosts]
        self.head = next(site for site in self.sites if site.part.is_head)
        self.packages, self.digests = {}, {}
        self.manifest, self.lock = None, threading.Lock()

    # What is there.

    def on_each(self, step):
        """Does a step on all hosts, several at a time; the first error is that of all."""
        if self.is_dry:
            for site in self.sites:
                step(site)
            return
        with concurrent.futures.ThreadPoolExecutor(HOSTS_AT_ONCE) as pool:
            for done in [pool.submit(step, site) for site in self.sites]:
                done.result()

    def look(self, allows_silence=False):
        """Asks every host what it is and has."""
        def ask(site):
            try:
                self._look(site)
            except DeployError as error:
                if not allows_silence:
                    raise
                site.error = str(error)
        self.on_each(ask)

    def _look(self, site):
        for line in site.host.run(FACTS, self.wanted.base).splitlines():
            name, _, value = line.partition(" ")
            if name in ("missing", "library"):
                site.missing.append((name, value))
            elif name == "stamp":
                part, _, stamp = value.partition(" ")
                site.stamps[part] = stamp
            else:
                site.facts[name] = value
        kind = self.wanted.supervisor
        if kind == "auto":
            kind = site.facts.get("supervisor") or (
                "systemd" if self.is_dry or self._may_use_systemd(site) else "none")
        if site.facts.get("supervisor", kind) != kind:
            raise DeployError(
                f"{site.name}: was deployed with --supervisor {site.facts['supervisor']}; "
                f"remove that first")
        site.supervisor = SUPERVISORS[kind](self.wanted.base, self.wanted.head_options)
        names = sorted({*site.part.names, *site.stamps})
        site.running = site.supervisor.running(site.host, names)

    @staticmethod
    def _may_use_systemd(site):
        return site.facts.get("systemd") == "yes" and site.facts.get("user") == "0"

    def check(self):
        """Refuses hosts that cannot run their part, all of them in one line each."""
        needs = self._memory_needs()
        found = []
        for site in self.sites:
            package = self.package(site.supervisor)
            facts = site.facts
            if self.is_dry:
                continue
            if facts["machine"] not in package.name and not package.name.endswith(".deb"):
                found.append(f"{site.name}: is {facts['machine']}, {package.name} is not for it")
            tools = [value for kind, value in site.missing if kind == "missing"]
            if tools:
                found.append(f"{site.name}: has no {', '.join(tools)}")
            libraries = [value for kind, value in site.missing if kind == "library"]
            # Where systemd is, the package brings them.
            if libraries and site.supervisor.kind == "none":
                found.append(
                    f"{site.name}: has no {', '.join(libraries)} (apt-get install libzmq5 "
                    "libsodium23 libprotobuf-c1 libopenblas0)")
            if not site.running:
                need = MEMORY_BYTES_MIN + sum(needs.get(name, 0) for name in site.part.nodes)
                if int(facts["memory"]) < need:
                    found.append(
                        f"{site.name}: {int(facts['memory']) >> 20} MiB of memory are free, its "
                        f"part needs {need >> 20} MiB")
            room = 6 * package.stat().st_size if site.release != self.digest(package) else 0
            if int(facts["disk"]) < room:
                found.append(
                    f"{site.name}: {int(facts['disk']) >> 20} MiB of disk are free below "
                    f"{self.wanted.base}, expected {room >> 20} MiB")
        if found:
            raise DeployError("; ".join(found))

    def _memory_needs(self):
        """Bytes that each node needs, as `skein inspect` says; none where it cannot be asked."""
        program = self.wanted.program
        if self.is_dry or not program:
            return {}
        done = subprocess.run(
            [program, "inspect", "--cluster", str(self.cluster.path), "--json"],
            capture_output=True, text=True)
        if done.returncode != 0:
            line = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            say(f"memory is not checked beforehand: {line}")
            return {}
        return {node["name"]: node["total_bytes"] for node in json.loads(done.stdout)["nodes"]}

    # What is to be there.

    def package(self, supervisor):
        """The file to install with a supervisor: the newest in the folder of packages."""
        suffix = supervisor.package_suffix
        if suffix not in self.packages:
            path = self.wanted.package
            if path.is_dir() or not path.exists() and path.suffix not in (".gz", ".deb"):
                pattern = "skein-[0-9]*.tar.gz" if suffix == ".tar.gz" else "skein_*.deb"
                found = sorted(path.glob(pattern), key=lambda file: file.stat().st_mtime)
                if not found and not self.is_dry:
                    raise DeployError(f"{path}: no {pattern}; make it with cluster/package")
                path = found[-1] if found else path / pattern.replace("*", "VERSION")
            if not str(path).endswith(suffix):
                raise DeployError(f"{path}: expected a *{suffix} for hosts with "
                                  f"--supervisor {supervisor.kind}")
            self.packages[suffix] = path
        return self.packages[suffix]

    def digest(self, package):
        if package not in self.digests:
            self.digests[package] = (
                plans.sha256(package) if package.is_file() else "0" * 64)
        return self.digests[package][:16]

    def stamp(self, site, name):
        """What a part is started from; another stamp means that it must be started again."""
        wanted = hashlib.sha256()
        wanted.update(self.digest(self.package(site.supervisor)).encode())
        wanted.update(self.cluster.text_on_host(site.supervisor).encode())
        if name == HEAD:
            wanted.update(json.dumps(self.wanted.head_options).encode())
        if self.cluster.has_keys and not (self.is_dry and not self.wanted.keys):
            wanted.update(self._secret(site, name).read_bytes())
        return wanted.hexdigest()[:16]

    def config(self, site):
        """What the host's cluster file is known by."""
        text = self.cluster.text_on_host(site.supervisor)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def has_other_file(self):
        """Whether the cluster file is another than the hosts have: nodes and head must agree."""
        return any(site.facts.get("config") != self.config(site) for site in self.sites)

    def _secret(self, site, name):
        folder = self.wanted.keys or self.cluster.beside("keys")
        if folder is None:
            raise DeployError(
                f"{self.cluster.path}: names no keys; make them with "
                f"'skein keys init {self.cluster.path.name}', or give --keys FOLDER")
        return self.cluster.secret(pathlib.Path(folder), site.name, name)

    # Putting it there.

    def copy(self, site):
        """What disturbs nothing that runs: the package and the checkpoint."""
        package = self.package(site.supervisor)
        digest = self.digest(package)
        # A host that has nothing yet is to have nothing again where this fails.
        site.is_touched = not site.release
        if site.release != digest:
            site.host.run('mkdir -p "$1/packages"', self.wanted.base)
            site.host.copy(package, f"{self.wanted.base}/packages/")
            site.host.run(r"""
[ "$(sha256sum <"$1" | cut -c1-16)" = "$2" ] || { echo "$1: another sum" >&2; exit 1; }
""", f"{self.wanted.base}/packages/{package.name}", digest)
            site.change(f"has got {package.name}")
        self._copy_model(site)

    def _copy_model(self, site):
        base, source = self.wanted.base, self.wanted.model or self.cluster.beside("model")
        place = self.cluster.model_on_host(base)
        if source is None or not source.is_dir():
            if not site.host.succeeds('[ -f "$1/config.json" ]', place):
                raise DeployError(
                    f"{site.name}: {place}: no checkpoint there, nor here at {source}")
            return
        site.host.run('mkdir -p "$1" "$2"', base, place)
        is_known = site.host.succeeds('[ -f "$1/model.sha256" ]', base) and not self.is_dry
        if not site.host.copy(f"{source}/", f"{place}/", "--chmod=D755,F644") and is_known:
            return
        with tempfile.NamedTemporaryFile("w", suffix=".sha256") as file:
            if not self.is_dry:
                file.write(self._manifest(source))
                file.flush()
            site.host.copy(file.name, f"{base}/model.sha256", "--chmod=F644")
        site.host.run(r"""
cd "$2"
sha256sum --quiet --check "$1/model.sha256" >&2 || { rm -f "$1/model.sha256"; exit 1; }
""", base, place)
        site.change(f"has the checkpoint at {place}, every byte verified")

    def _manifest(self, source):
        with self.lock:
            if self.manifest is None:
                self.manifest = plans.manifest(source)
            return self.manifest

    def settle(self, site):
        """The release, the cluster file and the host's own keys; what was there is kept."""
        supervisor, host = site.supervisor, site.host
        package = self.package(supervisor)
        with tempfile.TemporaryDirectory(prefix="skein-deploy-") as folder:
            etc, keys = pathlib.Path(folder, "etc"), pathlib.Path(folder, "keys")
            etc.mkdir()
            keys.mkdir(mode=0o700)
            (etc / "cluster.yaml").write_text(self.cluster.text_on_host(supervisor))
            os.chmod(etc / "cluster.yaml", 0o644)
            if self.cluster.has_keys and not self.is_dry:
                for name in site.part.names:
                    shutil.copyfile(self._secret(site, name), keys / f"{name}.secret")
            pairs = [
                (f"{etc}/cluster.yaml", f"{supervisor.etc}/cluster.yaml", "--chmod=F644"),
                (f"{keys}/", f"{supervisor.keys}/", "--chmod=D700,F600", "--delete")]
            host.run('mkdir -p "$1" "$2" "$3"', self.wanted.base, supervisor.etc, supervisor.keys)
            differs = [
                host.copy(source, place, *options, "--checksum", "--no-times", "--dry-run")
                for source, place, *options in pairs]
            is_old = site.release != self.digest(package)
            if not is_old and not any(differs):
                return
            self._keep(site)
            site.is_touched = True
            if is_old:
                supervisor.install(
                    host, f"{self.wanted.base}/packages/{package.name}",
                    self.digest(package))
                host.run('rm -rf "$1/packages"', self.wanted.base)
                site.change(f"runs {package.name} from now on")
            for (source, place, *options), what, does_differ in zip(
                    pairs, ("the cluster file", "the keys of its own parts"), differs):
                if does_differ:
                    host.copy(source, place, *options, "--checksum", "--no-times")
                    site.change(f"has got {what}")
        self._check_host(site)
        host.run('echo "$2" >"$1/config"', self.wanted.base, self.config(site))

    def _keep(self, site):
        site.host.run(r"""
rm -rf "$1/previous"
mkdir -m 700 -p "$1/previous"
[ ! -f "$2/cluster.yaml" ] || cp -p "$2/cluster.yaml" "$1/previous/"
[ ! -f "$1/config" ] || cp -p "$1/config" "$1/previous/"
cp -Rp "$3" "$1/previous/keys"
""", self.wanted.base, site.supervisor.etc, site.supervisor.keys)

    def _check_host(self, site):
        """Has the host's own program judge it, where it has such a command. A node that runs has
        its port and memory already, so it would be refused."""
        for name in site.part.nodes:
            if name in site.running:
                continue
            site.host.run(r"""
"$1" --help | grep -q '^  check ' || exit 0
"$1" check "$2" --node "$3" >"$4" 2>&1 || { tail -n 1 "$4" >&2; exit 1; }
""", site.supervisor.program, f"{site.supervisor.etc}/cluster.yaml", name,
                          f"{self.wanted.base}/check.log")

    # Starting it.

    def stale(self, site, names):
        """Those of a host's parts that do not run, or run from something else."""
        return [
            name for name in names
            if name not in site.running or site.stamps.get(name) != self.stamp(site, name)]

    def restart(self, site, name):
        stamp = self.stamp(site, name)
        site.is_touched = True
        was_running = name in site.running
        if was_running:
            site.supervisor.stop(site.host, name)
            site.running.discard(name)
        site.supervisor.start(site.host, name, stamp)
        site.running.add(name)
        site.stamps[name] = stamp
        site.change(f"{'restarted' if was_running else 'started'} {name}")

    def stop_strangers(self, site):
        """Ends parts that the host had by an earlier cluster file."""
        for name in sorted(set(site.stamps) - set(site.part.names)):
            site.supervisor.stop(site.host, name)
            site.running.discard(name)
            site.change(f"stopped {name}, which is no longer its part")

    def health(self):
        """What `skein health` says on the head's host; None where nobody answers."""
        options = self.wanted.head_options
        is_secret = any(option.startswith("--tls-cert") for option in options)
        scheme = "https" if is_secret else "http"
        host, _, port = str(self.cluster.http).rpartition(":")
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
        address = f"{scheme}://{host}:{port}"
        # It asks its own host, whose certificate may be for another name.
        words = [self.head.supervisor.program, "health", "--url", address, "--json"]
        words += ["--insecure"] if address.startswith("https") else []
        text = self.head.host.run(
            f"{shlex.join(words)} || true", check=False,
            otherwise='{"status": "ok", "exit_code": 0}' if self.is_dry else "")
        try:
            return json.loads(text)
        except ValueError:
            return None

    def wait_until_healthy(self, what):
        deadline = time.monotonic() + self.wanted.wait
        verdict = None
        while time.monotonic() < deadline:
            verdict = self.health()
            if verdict and verdict.get("exit_code") == 0:
                return
            time.sleep(POLL_SECONDS)
        reasons = (verdict or {}).get("reasons") or [f"nobody answers at {self.cluster.http}"]
        raise DeployError(f"{what}: not healthy after {self.wanted.wait:.0f} s: {reasons[0]}")

    # Taking it back.

    def roll_back(self, fresh):
        """Gives every host that was touched what it had; those that had nothing get nothing."""
        for site in reversed(self.sites):
            if not site.is_touched:
                continue
            try:
                if site.name in fresh:
                    site.supervisor.remove(site.host, list(reversed(site.part.names)))
                    say(f"{site.name}: removed again")
                else:
                    self._restore(site)
                    say(f"{site.name}: has what it had")
            except DeployError as error:
                say(f"{site.name}: could not be given what it had: {error}")

    def _restore(self, site):
        site.supervisor.revert(site.host, site.release)
        site.host.run(r"""
[ ! -f "$1/previous/config" ] || cp -p "$1/previous/config" "$1/config"
[ ! -f "$1/previous/cluster.yaml" ] || cp -p "$1/previous/cluster.yaml" "$2/cluster.yaml"
if [ -d "$1/previous/keys" ]; then rm -rf "$3"; cp -Rp "$1/previous/keys" "$3"; fi
""", self.wanted.base, site.supervisor.etc, site.supervisor.keys)
        for name in site.part.names:
            site.supervisor.stop(site.host, name)
            site.supervisor.start(site.host, name, "rolled-back")
