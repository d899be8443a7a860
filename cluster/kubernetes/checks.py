"""What must hold of the manifests; `validate` beside this file runs it."""

import argparse
import copy
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import jsonschema
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# The oldest version that is still supported somewhere and the newest that is known here.
KUBERNETES_VERSIONS = ["1.29", "1.34"]
OVERLAYS = ["overlays/statefulset", "overlays/leaderworkerset"]
EXTRAS = ["extras/servicemonitor", "extras/inferencepool"]
UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Fault(Exception):
    """What is wrong, in one line."""


def expect(holds, what):
    if not holds:
        raise Fault(what)


def render(folder):
    """The objects of a kustomization: the part of kustomize that these files use."""
    text = (folder / "kustomization.yaml").read_text()
    rules = yaml.safe_load(text)
    known = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator",
             "generatorOptions"}
    expect(not rules.keys() - known, f"{folder}: {rules.keys() - known} is not understood")
    objects = []
    for name in rules["resources"]:
        path = folder / name
        if path.is_dir():
            objects += render(path)
        else:
            objects += [each for each in yaml.safe_load_all(path.read_text()) if each]
    for rule in rules.get("configMapGenerator", []):
        objects.append({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": rule["name"], "namespace": rules["namespace"]},
            "data": {name: (folder / name).read_text() for name in rule["files"]}})
    return objects


def name_of(each):
    return f"{each['kind']}/{each['metadata']['name']}"


def check_rendering(folder, objects):
    """Our rendering is kustomize's, where that is here."""
    for command in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(command[0]):
            output = subprocess.run(command + [str(folder)], check=True, capture_output=True)
            theirs = {name_of(each): each for each in yaml.safe_load_all(output.stdout)}
            ours = {name_of(each): each for each in objects}
            for name in ours.keys() | theirs.keys():
                expect(ours.get(name) == theirs.get(name), f"{folder}: {name} renders differently")
            return True
    return False


def check_schemas(objects):
    own = {}
    for path in sorted((HERE / "schemas").glob("*.json")):
        schema = json.loads(path.read_text())
        key = (schema["properties"]["apiVersion"]["const"], schema["properties"]["kind"]["const"])
        own[key] = schema
    for each in objects:
        schema = own.get((each["apiVersion"], each["kind"]))
        try:
            if schema:
                jsonschema.validate(each, schema)
            else:
                for version in KUBERNETES_VERSIONS:
                    kubernetes_validate.validate(each, version, strict=True)
        except jsonschema.ValidationError as error:
            place = ".".join(str(part) for part in error.absolute_path)
            raise Fault(f"{name_of(each)}: {place}: {error.message}") from None


def pod_templates(objects):
    """Each pod's name and its template."""
    for each in objects:
        spec = each["spec"] if "spec" in each else {}
        name = each["metadata"]["name"]
        if each["kind"] == "StatefulSet":
            for number in range(spec["replicas"]):
                yield f"{name}-{number}", spec["template"]
        if each["kind"] == "LeaderWorkerSet":
            parts = spec["leaderWorkerTemplate"]
            expect(parts["restartPolicy"] == "None", "one lost pod would end the group")
            expect(spec["replicas"] == 1, "a cluster file names the pods of one group")
            for number in range(parts["size"]):
                suffix = f"-{number}" if number else ""
                kind = "workerTemplate" if number else "leaderTemplate"
                yield f"{name}-0{suffix}", parts[kind]


def check_templates(objects):
    """The templates inside of a LeaderWorkerSet are pods that Kubernetes' own schema holds."""
    for name, template in pod_templates(objects):
        pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}
        pod["metadata"] = {**pod.get("metadata", {}), "name": name}
        check_schemas([pod])


def check_restricted(name, spec):
    """The rules of the Pod Security level 'restricted'."""
    whole = spec["securityContext"]
    expect(whole["runAsNonRoot"] is True and whole["runAsUser"] > 0, f"{name}: may run as root")
    expect(whole["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: no seccomp profile")
    expect(not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
           f"{name}: shares namespaces with the host")
    for container in spec["initContainers"] + spec["containers"]:
        rules = container["securityContext"]
        expect(rules["allowPrivilegeEscalation"] is False, f"{name}: may escalate")
        expect(rules["capabilities"] == {"drop": ["ALL"]}, f"{name}: keeps capabilities")
        expect(rules["readOnlyRootFilesystem"] is True, f"{name}: may write its root")
        expect("memory" in container["resources"]["limits"], f"{name}: has no bound of memory")
    kinds = {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}
    for volume in spec["volumes"]:
        expect(volume.keys() - {"name"} <= kinds, f"{name}: volume {volume['name']} is forbidden")


def port(address):
    return int(address.rsplit(":", 1)[1])


def check_pods(folder, objects, cluster):
    """The cluster file, the pods and the services say the same."""
    pods = dict(pod_templates(objects))
    service = next(each["metadata"]["name"] for each in objects
                   if each["kind"] == "Service" and each["spec"].get("publishNotReadyAddresses"))
    head = cluster["coordinator"]["address"]
    nodes = {node["name"]: node for node in cluster["nodes"]}
    names = {name for name, template in pods.items() if is_head(template)}
    expect(len(names) == 1, f"{folder}: {len(names)} heads")
    (head_name,) = names
    expect(head == f"tcp://{head_name}.{service}:7100", f"{folder}: the head's address is {head}")
    expect(pods.keys() - names == nodes.keys(), f"{folder}: pods and nodes have other names")
    expect(any(node.get("standby") for node in nodes.values()), f"{folder}: has no standby")
    for name, template in pods.items():
        spec = template["spec"]
        check_restricted(name, spec)
        (container,) = spec["containers"]
        wanted = {7100, port(cluster["coordinator"]["http"])}
        if name in nodes:
            node = nodes[name]
            expect(node["address"] == f"tcp://{name}.{service}:7101", f"{name}: address")
            wanted = {7101, port(node["status"])}
            expect(str(node["threads"]) == container["resources"]["limits"]["cpu"],
                   f"{name}: has other threads than cores")
        given = {each["containerPort"] for each in container["ports"]}
        expect(given == wanted, f"{name}: has ports {given}, the cluster file {wanted}")
        by_name = {each["name"]: each["containerPort"] for each in container["ports"]}
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            probe = container[kind]["httpGet"]
            expect(by_name[probe["port"]] in wanted - {7100, 7101}, f"{name}: {kind}")
            path = "/readyz" if kind == "readinessProbe" else "/livez"
            expect(probe["path"] == path, f"{name}: {kind} asks {probe['path']}")
        mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
        for path in [cluster["model"], cluster["keys"], "/etc/skein"]:
            expect(path in mounts and mounts[path]["readOnly"], f"{name}: {path} is not mounted")
        if name == head_name:
            expect(cluster["state"] in mounts, f"{name}: no journal")
    return pods


def is_head(template):
    return template["metadata"]["labels"]["app.kubernetes.io/component"] == "head"


def check_network(objects):
    policy = next(each for each in objects if each["kind"] == "NetworkPolicy")
    open_ports = {rule["port"] for each in policy["spec"]["ingress"] for rule in each["ports"]}
    expect(open_ports == {7100, 7101, 8080, 9470}, f"NetworkPolicy: opens {open_ports}")


def check_overlays_agree(pods_of):
    """One place for pods would be better; kustomize has none for two kinds: they are compared."""
    kinds = []
    for pods in pods_of:
        kinds.append({is_head(template): template for template in pods.values()})
    expect(kinds[0] == kinds[1], "the pods of the two overlays differ")


def bytes_of(text):
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * UNITS[unit]


def ask(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def check_program(program, folder, pods, cluster):
    """The program takes the command lines and the cluster file, and the memory is enough."""
    config = ROOT / "cluster/models/deepseek-v3/config.json"
    with tempfile.TemporaryDirectory() as scratch:
        path = pathlib.Path(scratch) / "cluster.yaml"
        path.write_text((folder / "cluster.yaml").read_text())
        keyed = ask(program, "keys", "init", path, "--out", f"{scratch}/keys")
        expect(keyed.returncode == 0, f"{folder}: keys init: {keyed.stderr.strip()}")
        secrets = {each.stem for each in pathlib.Path(scratch, "keys").rglob("*.secret")}
        expect(secrets == {"coordinator"} | {node["name"] for node in cluster["nodes"]},
               f"{folder}: the secrets are {sorted(secrets)}")
        done = ask(program, "inspect", "--cluster", path, "--config", config, "--json")
        expect(done.returncode == 0, f"{folder}: inspect: {done.stderr.strip()}")
    needed = max(node["total_bytes"] for node in json.loads(done.stdout)["nodes"])
    for name, template in pods.items():
        (container,) = template["spec"]["containers"]
        limit = bytes_of(container["resources"]["limits"]["memory"])
        # What a host must have beyond the sum, or a standby is not let in.
        expect(is_head(template) or limit >= needed + 256 * 2**20,
               f"{name}: has {limit} bytes, needs {needed}")
        line = ["/nowhere.yaml" if word == "/etc/skein/cluster.yaml" else word
                for word in container["args"]]
        done = ask(program, *line)
        expect(done.returncode == 1 and "/nowhere.yaml" in done.stderr,
               f"{name}: {' '.join(line)}: {done.stderr.strip().splitlines()[:1]}")


def check_compose(schema, program):
    path = ROOT / "cluster/compose.yaml"
    compose = yaml.safe_load(path.read_text())
    try:
        jsonschema.validate(compose, json.loads(pathlib.Path(schema).read_text()))
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        raise Fault(f"{path.name}: {place}: {error.message}") from None
    cluster = yaml.safe_load((ROOT / "cluster/compose-cluster.yaml").read_text())
    named = {node["name"] for node in cluster["nodes"]} | {"coordinator"}
    expect(named == {service["environment"]["SKEIN_NODE"]
                     for name, service in compose["services"].items() if name != "keys"},
           "compose.yaml: services and nodes have other names")
    for name, service in compose["services"].items():
        expect("healthcheck" in service or name == "keys", f"compose.yaml: {name}: no health check")
        if not program or name == "keys":
            continue
        line = ["/nowhere.yaml" if word.endswith("cluster.yaml") else word
                for word in service["command"]]
        done = ask(program, *line)
        expect(done.returncode == 1 and "/nowhere.yaml" in done.stderr,
               f"compose.yaml: {name}: {' '.join(line)}: {done.stderr.strip().splitlines()[:1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compose-schema", required=True)
    parser.add_argument("--program")
    options = parser.parse_args()
    try:
        pods_of, compared = [], False
        for folder in map(HERE.joinpath, OVERLAYS + EXTRAS):
            objects = render(folder)
            compared = check_rendering(folder, objects)
            check_schemas(objects)
            check_templates(objects)
            count = len(objects)
            if "overlays" in folder.parts:
                cluster = yaml.safe_load((folder / "cluster.yaml").read_text())
                pods = check_pods(folder.name, objects, cluster)
                check_network(objects)
                pods_of.append(pods)
                if options.program:
                    check_program(options.program, folder, pods, cluster)
            print(f"{folder.relative_to(ROOT)}: {count} objects are valid")
        check_overlays_agree(pods_of)
        check_compose(options.compose_schema, options.program)
        print("compose.yaml: valid")
        print("rendered as kustomize does" if compared else "kustomize is not here to compare with")
    except Fault as fault:
        sys.exit(f"error: {fault}")


main()
