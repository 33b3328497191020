#!/usr/bin/env bash
# What takes too long for tests/all.sh: every case of the conformance suite, all applications of tests/peers, a
# longer time for the fuzzer, more and other requests to the operators' API, and the check of licences and sources, whose tool has to be built. It uses what
# all.sh has set up, or sets it up.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
cargo deny check bans licenses sources
bash tests/conformance/run.sh --all --check
bash tests/peers/run.sh --all
bash tests/openapi/run.sh --nightly
bash tests/fuzz/run.sh 900
