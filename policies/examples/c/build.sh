#!/usr/bin/env bash
# Builds the policy: `bash build.sh OUTPUT`. The compiler is clang as `ziglang` brings it; `CC` names
# another one, such as clang with wasm-ld.
set -euo pipefail
here="$(dirname "$0")"
output="${1:?usage: build.sh OUTPUT}"
read -ra cc <<<"${CC:-python3 -m ziglang cc}"
exec "${cc[@]}" --target=wasm32-freestanding -O2 -nostdlib -Wall -Wextra -Werror \
    -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=65536 \
    -o "$output" "$here/lru.c"
