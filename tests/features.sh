#!/usr/bin/env bash
# The gateway without its features, with each alone, and with all; so too the ledger of a cluster, control and the
# program: no warning with any of them. Called by all.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

# From the manifests, so that a new feature is checked too. `model-check` swaps locks for those of a test.
features() { # features PACKAGE
    cargo metadata --no-deps --offline --locked --format-version 1 | PACKAGE=$1 python3 -c '
import json, os, sys
packages = {it["name"]: it for it in json.load(sys.stdin)["packages"]}
print(*sorted(set(packages[os.environ["PACKAGE"]]["features"]) - {"default", "model-check"}))'
}

check() { # check PACKAGE FEATURES
    echo "features of $1: ${2:-none}"
    cargo clippy --quiet --package "$1" --lib --locked --no-default-features --features "$2" -- -D warnings
}

for package in wastegate wastegate-cluster wastegate-control wastegate-cli; do
    all=$(features "$package")
    check "$package" ""
    for feature in $all; do check "$package" "$feature"; done
    # Of one alone it is the same.
    [[ $all != *" "* ]] || check "$package" "${all// /,}"
done
