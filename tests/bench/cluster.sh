#!/usr/bin/env bash
# What counting over nodes costs an admission: a gateway with `[cluster]` beside the same gateway without it, in one
# run, with the built-in application behind both:
#
#     bash tests/bench/cluster.sh        # about two minutes after the build
#
# The gateway has core 0 and one thread; the load and the engine (redis-server, nothing on disk) share core 1. In every
# round both have a turn. Every connection is a new manager of another user, so each asks the engine once.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-5}
span=(--seconds "${SPAN:-3}" --warmup 1)
out=${OUT:-tests/bench/cluster.md}
for program in redis-server redis-cli taskset; do
    command -v "$program" >/dev/null || { echo "error: $program is missing; \`bash tests/all.sh\` installs it" >&2; exit 1; }
done

cargo build --release --locked -p wastegate-cli
cargo build --release --locked -p wastegate-bench
wastegate=target/release/wastegate
bench=target/release/wastegate-bench

dir=$(mktemp -d)
port=18910
gateway=
taskset -c 1 redis-server --bind 127.0.0.1 --port "$port" --save '' --appendonly no >"$dir/engine.log" &
engine=$!
trap '[ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true; kill "$engine" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT

# Waits for what a command prints, as long as a process is there.
until redis-cli -p "$port" ping >/dev/null 2>&1; do
    kill -0 "$engine" 2>/dev/null || { cat "$dir/engine.log" >&2; exit 1; }
done

engine_cpu() { redis-cli -p "$port" info cpu | tr -d '\r' | awk -F: '/^used_cpu_(user|sys):/ { sum += $2 } END { print sum }'; }

results=$dir/results.ndjson
measure() { # measure PEER AT-ONCE
    local cluster=()
    [ "$1" = one-node ] || cluster=(--set "cluster.engine=redis://127.0.0.1:$port" --set "cluster.secret=only for the bench"
        --set cluster.node=bench)
    TOKIO_WORKER_THREADS=1 WASTEGATE_GATEWAY__FLAP__LIVES_MAX=0 taskset -c 0 "$wastegate" serve \
        --listen 127.0.0.1:18913 --admin 127.0.0.1:18914 "${cluster[@]}" >"$dir/gateway.log" 2>&1 &
    gateway=$!
    # Without a cluster there is no word about it.
    until curl -sf 127.0.0.1:18914/readyz | grep -q "$([ "$1" = one-node ] && echo managers || echo '"cluster": *"up"')"; do
        kill -0 "$gateway" 2>/dev/null || { tail -5 "$dir/gateway.log" >&2; exit 1; }
    done
    echo "round $round: $1, $2 at once" >&2
    taskset -c 1 "$bench" rate --peer "$1" --target 127.0.0.1:18913 --pids "$gateway" --concurrency "$2" "${span[@]}" \
        >>"$results"
    kill "$gateway"
    wait "$gateway" || true
    gateway=
}

before=$(engine_cpu)
for round in $(seq "$rounds"); do
    for at_once in 1 32; do
        measure one-node "$at_once"
        measure wastegate "$at_once"
    done
done
after=$(engine_cpu)

{
    echo "# An admission that is counted over nodes, beside one that is not"
    echo
    echo "Written by \`bash tests/bench/cluster.sh\`. Medians of $rounds rounds in which both had a turn, in brackets the least and the most. \`wastegate\` counts in the engine, \`one-node\` is the same program without \`[cluster]\`; the ratio is the first over the second."
    echo
    echo "- $(redis-server --version | cut -d' ' -f1-3), wastegate at $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- host Cargo.toml || echo ' with changes')"
    echo "- $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) processors, load at the end $(cut -d' ' -f1 /proc/loadavg). The load and the engine share a core, so the engine's answer waits for the load at 32 at once."
    echo "- The engine took $(awk "BEGIN { printf \"%.1f\", $after - $before }") s of processor time for all rounds."
    echo
    "$bench" summary "$results"
} >"$dir/table.md"
cp "$dir/table.md" "$out"
cat "$out"
