"""Who keeps processes running on a host: systemd, or nobody but a file with a process's number.

Both install a release, start and stop parts by name, and say what runs. A part's *stamp* says from
what it was started (release, cluster file, keys): a part with another stamp is started again.
"""

from plans import HEAD

# Asked of every host first; each line is a name and a value. $1 is the base folder.
FACTS = r"""
base=$1
echo "machine $(uname -m)"
echo "cores $(nproc)"
echo "memory $(awk '/^MemAvailable:/ {printf "%.0f", $2 * 1024}' /proc/meminfo)"
place=$base
while [ ! -d "$place" ]; do place=$(dirname "$place"); done
echo "disk $(df -Pk "$place" | awk 'NR == 2 {printf "%.0f", $4 * 1024}')"
echo "user $(id -u)"
for tool in rsync tar gzip sha256sum setsid; do
    command -v $tool >/dev/null || echo "missing $tool"
done
libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null || true)
for library in libzmq.so.5 libsodium.so.23 libprotobuf-c.so.1 libopenblas.so.0; do
    case "$libraries" in *"$library"*) ;; *) echo "library $library" ;; esac
done
[ -d /run/systemd/system ] && echo "systemd yes"
[ -f "$base/release" ] && echo "release $(cat "$base/release")"
[ -f "$base/config" ] && echo "config $(cat "$base/config")"
[ -f "$base/supervisor" ] && echo "supervisor $(cat "$base/supervisor")"
for file in "$base"/run/*.stamp; do
    [ -f "$file" ] && echo "stamp $(basename "$file" .stamp) $(cat "$file")"
done
exit 0
"""


class Plain:
    """Processes in sessions of their own, with the number of each in BASE/run/NAME.pid.

    Needs no root, and starts nothing again: `deploy` does, when it is run again.
    """

    kind = "none"
    package_suffix = ".tar.gz"

    # What the others begin with: whether a part runs, by its number, that it is ours.
    ALIVE = r"""
alive() {
    [ -f "$base/run/$1.pid" ] || return 1
    number=$(cat "$base/run/$1.pid")
    [ -d "/proc/$number" ] || return 1
    tr '\0' '\n' <"/proc/$number/cmdline" 2>/dev/null | grep -qxF "$base/etc/cluster.yaml"
}
"""

    def __init__(self, base, head_options):
        self.base, self.head_options = base, head_options
        self.etc, self.keys, self.data = f"{base}/etc", f"{base}/keys", base
        self.program = f"{base}/current/bin/skein"

    def install(self, host, package, digest):
        """Unpacks a release beside the others and makes it the current one."""
        host.run(r"""
base=$1 package=$2 digest=$3
place=$base/releases/$digest
if [ ! -x "$place/bin/skein" ]; then
    rm -rf "$place.new"
    mkdir -p "$place.new"
    tar xzf "$package" -C "$place.new" --strip-components=1 --no-same-owner
    rm -rf "$place"
    mv "$place.new" "$place"
fi
"$place/bin/skein" --version >/dev/null
ln -sfn "releases/$digest" "$base/current"
echo "$digest" >"$base/release"
echo none >"$base/supervisor"
""", self.base, package, digest[:16])

    def revert(self, host, digest):
        """Makes a release that is on the host the current one again."""
        host.run(r"""
[ -x "$1/releases/$2/bin/skein" ]
ln -sfn "releases/$2" "$1/current"
echo "$2" >"$1/release"
""", self.base, digest)

    def start(self, host, name, stamp):
        words = (
            ["up", f"{self.etc}/cluster.yaml", "--without-nodes", *self.head_options]
            if name == HEAD else
            ["node", "--cluster", f"{self.etc}/cluster.yaml", "--name", name])
        host.run(self._begin() + r"""
name=$2 stamp=$3
shift 3
alive "$name" && exit 0
mkdir -p "$base/run" "$base/log"
umask 077
setsid "$base/current/bin/skein" "$@" >>"$base/log/$name.log" 2>&1 </dev/null &
echo $! >"$base/run/$name.pid"
echo "$stamp" >"$base/run/$name.stamp"
sleep 0.3
alive "$name" || {
    echo "$name has ended at once; its log ends with: $(tail -n 1 "$base/log/$name.log")" >&2
    exit 1
}
""", self.base, name, stamp, *words, "--log-level", "info")

    def stop(self, host, name, seconds=60):
        """SIGTERM, so that a node hands over and a head drains; SIGKILL after so long."""
        host.run(self._begin() + r"""
name=$2 left=$(($3 * 5))
if alive "$name"; then
    kill -TERM "$number"
    while alive "$name" && [ "$left" -gt 0 ]; do left=$((left - 1)); sleep 0.2; done
    if alive "$name"; then kill -KILL "$number"; fi
fi
rm -f "$base/run/$name.pid" "$base/run/$name.stamp"
""", self.base, name, seconds)

    def running(self, host, names):
        text = host.run(self._begin() + r"""
shift
for name; do if alive "$name"; then echo "$name"; fi; done
""", self.base, *names)
        return set(text.split())

    def remove(self, host, names):
        for name in names:
            self.stop(host, name)
        host.run('rm -rf -- "$1"', self.base)

    def _begin(self):
        return "base=$1\n" + self.ALIVE


class Systemd:
    """Units of the Debian package: skein-node@NAME and skein-head."""

    kind = "systemd"
    package_suffix = ".deb"

    def __init__(self, base, head_options):
        self.base, self.head_options = base, head_options
        self.etc, self.keys, self.data = "/etc/skein", "/etc/skein/keys", "/var/lib/skein"
        self.program = "/usr/bin/skein"

    def unit(self, name):
        return "skein-head.service" if name == HEAD else f"skein-node@{name}.service"

    def install(self, host, package, digest):
        """Installs the package with what it depends on; an older one is a way back."""
        host.run(r"""
base=$1 package=$2 digest=$3
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -q -y --no-install-recommends --allow-downgrades --reinstall"
{ dpkg -i "$package" || $install "$package" ||
    { apt-get update -q && $install "$package"; }; } >"$base/install.log" 2>&1 || {
    tail -n 3 "$base/install.log" >&2
    exit 1
}
/usr/bin/skein --version >/dev/null
mkdir -p "$base/releases"
cp -f "$package" "$base/releases/$digest.deb"
echo "$digest" >"$base/release"
echo systemd >"$base/supervisor"
""", self.base, package, digest[:16])

    def revert(self, host, digest):
        host.run(r"""
dpkg -i "$1/releases/$2.deb" >"$1/install.log" 2>&1
echo "$2" >"$1/release"
""", self.base, digest)

    def start(self, host, name, stamp):
        host.run(r"""
base=$1 unit=$2 name=$3 stamp=$4
shift 4
mkdir -p "$base/run"
if [ $# -gt 0 ] && [ "$unit" = skein-head.service ]; then
    printf 'SKEIN_HEAD_OPTIONS="%s"\n' "$*" >/etc/default/skein
fi
systemctl enable -q "$unit"
systemctl reset-failed "$unit" 2>/dev/null || true
# Ready is said only when a whole cluster is there, so nobody waits for it here.
systemctl restart --no-block "$unit"
echo "$stamp" >"$base/run/$name.stamp"
""", self.base, self.unit(name), name, stamp, *self.head_options)

    def stop(self, host, name, seconds=60):
        # One whose unit is not there has nothing to stop.
        host.run(r"""
systemctl disable --now -q "$1" 2>/dev/null || ! systemctl cat "$1" >/dev/null 2>&1
rm -f "$2"
""", self.unit(name), f"{self.base}/run/{name}.stamp")

    def running(self, host, names):
        text = host.run(r"""
while [ $# -gt 1 ]; do
    case $(systemctl is-active "$2") in active|activating) echo "$1" ;; esac
    shift 2
done
""", *[word for name in names for word in (name, self.unit(name))])
        return set(text.split())

    def remove(self, host, names):
        for name in names:
            self.stop(host, name)
        host.run(r"""
DEBIAN_FRONTEND=noninteractive dpkg --purge skein >/dev/null
rm -rf -- "$1" /etc/skein
""", self.base)


SUPERVISORS = {kind.kind: kind for kind in (Plain, Systemd)}
