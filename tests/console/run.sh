#!/usr/bin/env bash
# The console in a real browser, on a real server with clients. Sets up the driver in target/, and takes the program
# that the tests have built. Arguments name the checks to run; without any, all run in order. `--nodes` runs those of a
# cluster only; they need redis-server. `--heavy` measures the console on many users instead, for about fifteen minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."

export WASTEGATE=${WASTEGATE:-target/debug/wastegate-under-test}
[ -x "$WASTEGATE" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test

node=target/console
if ! cmp --silent tests/console/package-lock.json "$node/installed.json"; then
    mkdir -p "$node"
    cp tests/console/package*.json "$node/"
    npm ci --prefix "$node" --ignore-scripts --loglevel=error --no-audit --no-fund
    cp tests/console/package-lock.json "$node/installed.json"
fi

export CONSOLE_NODE=$node
[ "${1:-}" != --heavy ] || exec node tests/console/heavy.mjs
if [ "${1:-}" = --nodes ]; then
    exec node tests/console/nodes.mjs "${@:2}"
fi
node tests/console/main.mjs "$@"
[ $# -gt 0 ] || node tests/console/nodes.mjs
