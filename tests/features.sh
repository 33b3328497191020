#!/usr/bin/env bash
# The gateway without its features, with each alone, and with all: no warning with any of them. Called by all.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

# From the manifest, so that a new feature is checked too. `model-check` swaps locks for those of a test.
features=$(cargo metadata --no-deps --offline --locked --format-version 1 | python3 -c '
import json, sys
packages = {it["name"]: it for it in json.load(sys.stdin)["packages"]}
print(*sorted(set(packages["wastegate"]["features"]) - {"default", "model-check"}))')

check() { # check FEATURES
    echo "features: ${1:-none}"
    cargo clippy --quiet --package wastegate --lib --locked --no-default-features --features "$1" -- -D warnings
}

check ""
for feature in $features; do check "$feature"; done
check "${features// /,}"
