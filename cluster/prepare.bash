# What cluster/quickstart and cluster/test do before they differ: find Swift, install the system
# libraries that are missing, and build with one set of flags, so that neither rebuilds what the
# other has built. Sourced, not run.

# The flags of every release build here. Without the import check the compiler would let a room open
# one that it does not declare; without debug information all of it compiles faster.
build_flags=(-c release -debug-info-format none --explicit-target-dependency-import-check error)

# Release builds with what tests need; Package.swift reads it.
export SKEIN_TESTABLE=1

# Says what happens, with the seconds since the start.
say() { printf '[%4ds] %s\n' "$SECONDS" "$*"; }

# Ends with one line on standard error.
fail() {
    printf '[%4ds] error: %s\n' "$SECONDS" "$*" >&2
    exit 1
}

need_swift() {
    command -v swift >/dev/null ||
        fail "swift is not here; install Swift 6.2 or later from https://www.swift.org/install"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' |
        head -n 1)
    [[ $version =~ ^([0-9]+)\.([0-9]+)$ ]] || fail "swift --version could not be read"
    ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] >= 602)) ||
        fail "Swift $version is here, 6.2 or later is needed (https://www.swift.org/install)"
}

# Whether a package's file or program is here, however it came.
has_package() {
    local header="$1"
    case "$1" in
        libzmq3-dev) header=zmq.h ;;
        libsodium-dev) header=sodium.h ;;
        libprotobuf-c-dev) header=protobuf-c/protobuf-c.h ;;
        libopenblas-dev) header=cblas.h ;;
        protobuf-c-compiler) command -v protoc-c >/dev/null; return ;;
        curl | jq | openssl) command -v "$1" >/dev/null; return ;;
        dpkg-dev) command -v dpkg-shlibdeps >/dev/null; return ;;
        binutils) command -v objcopy >/dev/null; return ;;
        python3-venv)
            command -v python3 >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null
            return ;;
        iproute2) command -v ip >/dev/null || [[ -x /usr/sbin/ip || -x /sbin/ip ]]; return ;;
    esac
    compgen -G "/usr/include/$header" >/dev/null ||
        compgen -G "/usr/include/*-linux-gnu*/$header" >/dev/null ||
        compgen -G "/usr/local/include/$header" >/dev/null
}

# Installs those of the named Debian packages that are missing.
need_packages() {
    local missing=() package
    for package in "$@"; do
        has_package "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null ||
        fail "missing ${missing[*]} (names as in Debian), and there is no apt-get to install them"
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail "run as root once: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    local log
    log=$(mktemp)
    {
        "${as_root[@]}" apt-get update -q &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install -q -y --no-install-recommends "${missing[@]}"
    } >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install ${missing[*]}"
    }
    rm -f "$log"
}

# Builds with the flags above and the given ones; the whole output goes to .build/build.log.
build() {
    mkdir -p .build
    local log=.build/build.log pid
    swift build "${build_flags[@]}" "$@" >"$log" 2>&1 &
    pid=$!
    local said=$SECONDS step
    while kill -0 "$pid" 2>/dev/null; do
        sleep 1
        ((SECONDS - said >= 15)) || continue
        said=$SECONDS
        step=$(grep -oE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 1 || true)
        say "building ${step:-(fetching packages)}"
    done
    wait "$pid" || {
        grep -E 'error:|fatal' "$log" | sort -u | head -n 40 >&2 || tail -n 40 "$log" >&2
        fail "the build failed; all of its output is in $log"
    }
}
