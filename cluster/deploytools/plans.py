"""What is to be where: the hosts of a cluster file, their parts, and how they are reached."""

import dataclasses
import hashlib
import ipaddress
import pathlib
import re

import plain_yaml

HEAD = "coordinator"
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}$")


class DeployError(Exception):
    """What a person should read in one line."""


def host_of(address, what):
    """HOST of `tcp://HOST:PORT` or `HOST:PORT`, without brackets."""
    found = re.match(r"(?:tcp://)?(\[[^\]]+\]|[^:/\s]+):(?:\d+|\*)$", str(address))
    if not found:
        raise DeployError(f"{what}: found {address!r}, expected tcp://HOST:PORT")
    host = found.group(1).strip("[]")
    # It becomes a word of commands.
    if not re.fullmatch(r"[A-Za-z0-9.:_%-]+", host) or host.startswith("-"):
        raise DeployError(f"{what}: found the host {host!r}, expected a name or an address")
    return host


def is_loopback(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclasses.dataclass
class Part:
    """What one host has of a cluster."""

    host: str
    nodes: list = dataclasses.field(default_factory=list)
    is_head: bool = False

    @property
    def names(self):
        """Its processes, the head last."""
        return self.nodes + ([HEAD] if self.is_head else [])


class Cluster:
    """A cluster file, and the parts that its hosts have of it."""

    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        try:
            self.text = self.path.read_text()
            self.fields = plain_yaml.read(self.text)
        except (OSError, UnicodeError) as error:
            raise DeployError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        except plain_yaml.YAMLError as error:
            raise DeployError(f"{path}: {error}") from error
        self.name = self.fields.get("cluster")
        head, nodes = self.fields.get("coordinator"), self.fields.get("nodes")
        if not isinstance(head, dict) or not isinstance(nodes, list) or not nodes:
            raise DeployError(f"{path}: expected a coordinator and a list of nodes")
        self.parts = {}
        for node in nodes:
            name = node.get("name") if isinstance(node, dict) else None
            if not isinstance(name, str) or not NAME.match(name) or name == HEAD:
                raise DeployError(f"{path}: nodes: found the name {name!r}, expected a node's")
            self._part(node.get("address"), f"{path}: {name}").nodes.append(name)
        names = [name for part in self.parts.values() for name in part.nodes]
        if len(set(names)) < len(names):
            raise DeployError(f"{path}: nodes: a name stands twice")
        self._part(head.get("address"), f"{path}: coordinator").is_head = True
        self.standbys = {node["name"] for node in nodes if node.get("standby") is True}
        self.has_keys = not all(is_loopback(host) for host in self.parts)
        self.http = head.get("http")
        if not self.http:
            raise DeployError(f"{path}: coordinator: expected http, by which health is asked")
        self.head = next(part for part in self.parts.values() if part.is_head)

    def _part(self, address, what):
        host = host_of(address, what)
        return self.parts.setdefault(host, Part(host))

    def beside(self, field):
        """A folder that the file names, as it is on this machine; None where it names none."""
        value = self.fields.get(field)
        return None if value is None else (self.path.parent / str(value)).resolve()

    def model_on_host(self, base):
        """Where the hosts have the checkpoint: an absolute path is the same everywhere."""
        model = str(self.fields.get("model") or "")
        if not model:
            raise DeployError(f"{self.path}: expected a model")
        return model if model.startswith("/") else f"{base}/models/{pathlib.Path(model).name}"

    def text_on_host(self, supervisor):
        """The file with the places that folders have on hosts; its other lines stay."""
        places = {"model": self.model_on_host(supervisor.base)}
        if self.has_keys:
            places["keys"] = supervisor.keys
        for field in ("state", "packed_cache"):
            if self.fields.get(field) and not str(self.fields[field]).startswith("/"):
                places[field] = f"{supervisor.data}/{field}"
        lines = []
        for line in self.text.splitlines():
            field = re.match(r"([a-z_]+):", line)
            if field and field.group(1) in places:
                line = f"{field.group(1)}: {places.pop(field.group(1))}"
            lines.append(line)
        lines[1:1] = [f"{field}: {place}" for field, place in places.items() if field == "keys"]
        return "\n".join(lines) + "\n"

    def secret(self, folder, host, name):
        """The file of a name's secret below a folder that `skein keys init` or a person filled."""
        places = [
            folder / host / f"{name}.secret", folder / host / f"{name}.key",
            folder / f"{name}.secret"]
        for place in places:
            if place.is_file():
                return place
        raise DeployError(
            f"{folder}: no secret of {name}; make keys with 'skein keys init {self.path.name}'")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(folder):
    """The checkpoint's files with their sums, as sha256sum writes and reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise DeployError(f"{folder}: found no files, expected a checkpoint folder")
    return "".join(f"{sha256(path)}  {path.relative_to(folder)}\n" for path in files)
