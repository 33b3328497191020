#!/usr/bin/env bash
# What takes too long for tests/all.sh: every case of the conformance suite, all applications of tests/peers, a
# longer time for the fuzzer, more and other requests to the operators' API, the console on many users, and the check
# of licences and sources, whose tool has to be built. It uses what all.sh has set up, or sets it up.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
cargo deny check bans licenses sources
bash tests/conformance/run.sh --all --check
bash tests/peers/run.sh --all
bash tests/openapi/run.sh --nightly
bash tests/fuzz/run.sh 900
# Three consoles on 100,000 managers may cost a core's hundredth, which holds for an optimised program.
cargo build --release --locked --quiet -p wastegate-cli
WASTEGATE=target/release/wastegate CONSOLES_MAX_PERCENT=1 bash tests/console/run.sh --heavy
