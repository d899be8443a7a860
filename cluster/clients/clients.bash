# What the scripts beside it share: a Python environment of their own, and a server to talk to.
# Sourced, not run, with the repository as the working folder and cluster/prepare.bash read.

# The program under test, where another than the release build is wanted.
skein=${SKEIN:-.build/release/skein}
clients_folder=.build/clients
server_pid=""
server_log=""

# Makes a Python environment with packages from PyPI; says so and returns 1 where PyPI is away.
make_environment() {
    local name=$1 folder=$clients_folder/$1
    shift
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then need_packages python3-venv; fi
    [[ -x $folder/bin/python ]] || python3 -m venv "$folder"
    timeout -k 10 600 "$folder/bin/python" -m pip install --quiet --timeout 15 --retries 2 \
        --disable-pip-version-check "$@" >"$clients_folder/$name-pip.log" 2>&1 || {
        say "PyPI gave no $* (see $clients_folder/$name-pip.log): this check is left out"
        return 1
    }
}

# Starts `skein serve` with the bundled model on a free port; sets `address`.
start_server() {
    if [[ ! -x $skein ]]; then
        need_swift
        need_packages libzmq3-dev libsodium-dev libprotobuf-c-dev libopenblas-dev
        say "building skein"
        build --product skein
    fi
    mkdir -p "$clients_folder"
    server_log=$clients_folder/server.log
    # The last server's address must be gone before this one is asked for its own.
    : >"$server_log"
    "$skein" serve --port 0 "$@" >/dev/null 2>"$server_log" </dev/null &
    server_pid=$!
    trap stop_server EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for _ in {1..600}; do
        address=$(sed -n 's/^ready //p' "$server_log" | head -n 1)
        [[ -z $address ]] || return 0
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$server_log" >&2
    fail "the server did not become ready; its output is in $server_log"
}

# Asks the server to end and waits for it, at most as long as it may take to drain.
stop_server() {
    [[ -n $server_pid ]] || return 0
    local pid=$server_pid
    server_pid=""
    kill -TERM "$pid" 2>/dev/null || true
    for _ in {1..400}; do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}
