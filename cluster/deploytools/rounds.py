"""The commands of cluster/deploy: each goes over all hosts, in the order that a cluster needs."""

from plans import HEAD, DeployError
from remote import say


def _result(deployment, **more):
    return {
        "cluster": deployment.cluster.name, **more,
        "hosts": [
            {"host": site.name, "supervisor": getattr(site.supervisor, "kind", None),
             "release": site.release, "parts": site.part.names, "changes": site.changes}
            for site in deployment.sites]}


def show(result):
    """A result, for people."""
    for host in result["hosts"]:
        line = host.get("error") or ", ".join(
            host.get("running", host["changes"])) or "nothing"
        print(f"{host['host']}: {line}")
    print(result["summary"])


def deploy(deployment):
    """Has every host what the cluster file says; a cluster that serves goes on serving."""
    deployment.look()
    deployment.check()
    verdict = deployment.health() if deployment.head.running else None
    serves = bool(verdict) and verdict.get("exit_code") in (0, 1) and not deployment.is_dry
    fresh = {site.name for site in deployment.sites if not site.release}
    # All secrets are looked for before anything is touched.
    for site in deployment.sites:
        for name in site.part.names:
            deployment.stamp(site, name)
    try:
        deployment.on_each(deployment.copy)
        if serves and not deployment.has_other_file():
            _roll(deployment)
        else:
            _start_all(deployment)
        head = deployment.head
        for name in deployment.stale(head, [HEAD]):
            deployment.restart(head, name)
        deployment.wait_until_healthy("the cluster")
    except (DeployError, KeyboardInterrupt):
        say("taking back what was done")
        deployment.roll_back(fresh)
        raise
    for site in deployment.sites:
        _forget_old_releases(deployment, site)
    count = sum(len(site.changes) for site in deployment.sites)
    summary = f"healthy; {count} changes" if count else "healthy; nothing to change"
    return _result(deployment, status="changed" if count else "unchanged", summary=summary)


def upgrade(deployment):
    """As deploy, for a cluster that is there: another package is no reason to begin one."""
    deployment.look()
    bare = [site.name for site in deployment.sites if not site.release and not site.host.is_dry]
    if bare:
        raise DeployError(f"{', '.join(bare)}: has no Skein yet; deploy first")
    for site in deployment.sites:
        site.stamps.clear()
        site.missing.clear()
    return deploy(deployment)


def _start_all(deployment):
    """All at once; a head that runs first lets its requests finish."""
    head = deployment.head
    if HEAD in head.running and deployment.stale(head, [HEAD]):
        head.is_touched = True
        head.supervisor.stop(head.host, HEAD)
        head.running.discard(HEAD)
    deployment.on_each(deployment.settle)
    for site in deployment.sites:
        deployment.stop_strangers(site)
        for name in deployment.stale(site, site.part.nodes):
            deployment.restart(site, name)


def _roll(deployment):
    """Node after node: one hands its place over, is started again, and the next one waits until
    the cluster is healthy."""
    for site in deployment.sites:
        deployment.settle(site)
        for name in deployment.stale(site, site.part.nodes):
            deployment.restart(site, name)
            deployment.wait_until_healthy(f"after {name}")
        deployment.stop_strangers(site)


def _forget_old_releases(deployment, site):
    """Keeps the release that runs and the one before it."""
    if any("runs" in line for line in site.changes):
        new = deployment.digest(deployment.package(site.supervisor))
        site.host.run(r"""
cd "$1/releases"
for entry in *; do
    case "$entry" in "$2"|"$2.deb"|"$3"|"$3.deb") ;; *) rm -rf -- "$entry" ;; esac
done
""", deployment.wanted.base, new, site.release or new)
        site.facts["release"] = new


def status(deployment):
    """What each host has and runs."""
    deployment.look(allows_silence=True)
    verdict = deployment.health() if deployment.head.release else None
    result = _result(
        deployment, status=(verdict or {}).get("status", "unknown"),
        summary=f"health: {(verdict or {}).get('status', 'nobody answers')}",
        health=verdict)
    for host, site in zip(result["hosts"], deployment.sites):
        host["running"] = [name for name in site.part.names if name in site.running]
        host["stopped"] = [name for name in site.part.names if name not in site.running]
        host["memory_available_bytes"] = int(site.facts.get("memory", 0))
        host["disk_available_bytes"] = int(site.facts.get("disk", 0))
        host["machine"] = site.facts.get("machine")
        if site.error:
            host["error"] = site.error
    return result


def drain(deployment):
    """Ends a host's nodes by SIGTERM, by which each hands its place over."""
    wanted = deployment.wanted
    deployment.look()
    site = next((site for site in deployment.sites if site.name == wanted.host), None)
    if site is None:
        raise DeployError(
            f"{wanted.host}: no host of {deployment.cluster.path.name}, which has "
            f"{', '.join(deployment.cluster.parts)}")
    going = [name for name in site.part.nodes if name in site.running]
    if not wanted.force and not deployment.is_dry:
        nodes = (((deployment.health() or {}).get("cluster") or {}).get("nodes")) or []
        # A standby that waits is placed, with nothing to load.
        spare = [node["name"] for node in nodes if node["role"] == "standby"
                 and node["state"] in ("placed", "ready")
                 and not node["stages"] and not node["experts"] and node["name"] not in going]
        held = [node["name"] for node in nodes if node["name"] in going
                and (node["stages"] or node["experts"])]
        if len(spare) < len(held):
            raise DeployError(
                f"{site.name}: {len(held)} of its nodes hold a part of the model and {len(spare)} "
                "standbys are ready; --force drains all the same, and requests wait for it")
    for name in going:
        site.supervisor.stop(site.host, name)
        site.change(f"drained {name}")
    return _result(
        deployment, status="drained",
        summary=f"{len(going)} nodes of {site.name} drained; `deploy` starts them again")


def remove(deployment):
    """Ends the cluster, the head first, and removes what was put on its hosts."""
    deployment.look(allows_silence=deployment.wanted.force)
    order = [deployment.head] + [site for site in deployment.sites if site is not deployment.head]
    if HEAD in deployment.head.running:
        deployment.head.supervisor.stop(deployment.head.host, HEAD)
    silent = [site.name for site in deployment.sites if site.error]
    for site in order:
        if site.error or not site.release and not site.host.is_dry:
            continue
        site.supervisor.remove(site.host, list(reversed(sorted({*site.part.names, *site.stamps}))))
        site.change("removed")
    count = sum(bool(site.changes) for site in deployment.sites)
    model = deployment.cluster.model_on_host(deployment.wanted.base)
    kept = "" if model.startswith(deployment.wanted.base) else f"; {model} is left there"
    kept += f"; {', '.join(silent)} did not answer and keep what they have" if silent else ""
    return _result(
        deployment, status="removed" if count else "unchanged",
        summary=f"removed from {count} hosts{kept}" if count else "nothing to remove")
