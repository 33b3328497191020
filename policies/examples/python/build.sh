#!/usr/bin/env bash
# Builds the policy: `bash build.sh OUTPUT [--with-wasi]`. `--stub-wasi` keeps the interpreter's
# sockets, files and clocks out of the component's imports; with them it is refused.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
output="${1:?usage: build.sh OUTPUT [--with-wasi]}"
stubs=(--stub-wasi)
[ "${2:-}" = --with-wasi ] && stubs=()
exec componentize-py --quiet --wit-path "$here/../../../wit/policy.wit" --world policy \
    componentize "${stubs[@]}" --python-path "$here" --output "$output" lru
