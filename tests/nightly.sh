#!/usr/bin/env bash
# What takes too long for tests/all.sh: every case of the conformance suite, all applications of tests/peers, a
# longer time for the fuzzer, more and other requests to the operators' API, the console on many users, a cluster under
# every fault, and the check of licences and sources, whose tool has to be built. It uses what all.sh has set up, or
# sets it up.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { # need COMMAND DEBIAN-PACKAGE
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq "$2"
    fi
    command -v "$1" >/dev/null || { echo "error: $1 is missing; install the package $2" >&2; exit 1; }
}

command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
cargo deny check bans licenses sources
bash tests/conformance/run.sh --all --check
bash tests/peers/run.sh --all
bash tests/openapi/run.sh --nightly
# A cluster under every fault, which takes network namespaces, Sentinels and a clock that can be stepped.
need redis-sentinel redis-sentinel
need ip iproute2
need faketime faketime
bash tests/cluster/run.sh
bash tests/fuzz/run.sh 900
# Three consoles on 100,000 managers may cost a core's hundredth, which holds for an optimised program.
cargo build --release --locked --quiet -p wastegate-cli
WASTEGATE=target/release/wastegate CONSOLES_MAX_PERCENT=1 bash tests/console/run.sh --heavy
