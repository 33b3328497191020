#!/usr/bin/env bash
# What takes too long for tests/all.sh: every case of the conformance suite, all applications of
# tests/peers, and a longer time for the fuzzer. It uses
# what all.sh has set up, or sets it up.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tests/conformance/run.sh --all --check
bash tests/peers/run.sh --all
bash tests/fuzz/run.sh 900
