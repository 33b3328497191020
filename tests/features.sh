#!/usr/bin/env bash
# The gateway and the ledger of a cluster without their features, with each alone, and with all: no warning with any of them. Called by all.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

# From the manifest, so that a new feature is checked too. `model-check` swaps locks for those of a test.
features() { # features PACKAGE
    cargo metadata --no-deps --offline --locked --format-version 1 | python3 -c '
import json, sys
packages = {it["name"]: it for it in json.load(sys.stdin)["packages"]}
print(*sorted(set(packages[sys.argv[1]]["features"]) - {"default", "model-check"}))' "$1"
}

check() { # check PACKAGE FEATURES
    echo "$1, features: ${2:-none}"
    cargo clippy --quiet --package "$1" --lib --locked --no-default-features --features "$2" -- -D warnings
}

for package in wastegate wastegate-cluster; do
    all=$(features "$package")
    check "$package" ""
    for feature in $all; do check "$package" "$feature"; done
    check "$package" "${all// /,}"
done
