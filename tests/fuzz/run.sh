#!/usr/bin/env bash
# Fuzzes the frame scanner and the loader's fence for a while: run.sh [SECONDS], for each target. New inputs are kept in
# target/fuzz/corpus; what breaks something is in target/fuzz/artifacts, and belongs into corpus/ once it is mended.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-30}
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz@0.13.2
cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
# cargo-fuzz has no --locked of its own.
cargo fetch --locked --manifest-path tests/fuzz/Cargo.toml

# Sanitizers want a nightly compiler, or this, which lets ours take the same flags.
export RUSTC_BOOTSTRAP=1
for target in scanner reference loader; do
    # What they begin with: streams of frames, or files of attackers and the shipped policies as they were built.
    seeds=(tests/fuzz/corpus) length=4096
    if [ "$target" = loader ]; then
        shipped=target/fuzz/shipped
        mkdir -p "$shipped"
        find target/*/build -path '*/wastegate-*/out/*.wasm' -exec cp {} "$shipped" \; 2>/dev/null || true
        seeds=(tests/fuzz/files "$shipped") length=65536
    fi
    kept=target/fuzz/corpus/$target found=target/fuzz/artifacts/$target
    mkdir -p "$kept" "$found"
    cargo fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz "$target" "$kept" "${seeds[@]}" -- \
        -max_total_time="$seconds" -max_len=$length -artifact_prefix="$found/" -print_final_stats=1
done
