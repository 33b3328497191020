#!/usr/bin/env bash
# Builds the policies in other languages into target/examples, with tools of pinned versions that it
# installs there too: nothing outside of the workspace's target directory is touched. Wants Python 3
# with venv, and Node.js 20 with npm. What is newer than its sources is left as it is.
#
# `--with-tests` also builds what only the tests want: components that import WASI.
set -euo pipefail
examples="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$examples/../.." && pwd)"
out="$root/target/examples"
tools="$out/tools"
mkdir -p "$tools"

say() { printf '   %s\n' "$*"; }

# stale OUTPUT SOURCE...: whether a source is newer than the output, or there is none.
stale() {
    local output="$1" source
    shift
    [ -e "$output" ] || return 0
    for source in "$@"; do [ "$source" -nt "$output" ] && return 0; done
    return 1
}

# build OUTPUT COMMAND...: runs it with a name beside the output, so that a failure leaves nothing.
build() {
    local output="$1"
    shift
    say "${output##*/}"
    "$@" "$output.part"
    mv "$output.part" "$output"
}

python_tools() {
    local wanted=("$examples/python/requirements.txt" "$examples/c/requirements.txt")
    stale "$tools/python/installed" "${wanted[@]}" || return 0
    say "componentize-py and ziglang"
    python3 -m venv "$tools/python"
    "$tools/python/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "${wanted[0]}" --requirement "${wanted[1]}"
    touch "$tools/python/installed"
}

javascript_tools() {
    stale "$tools/javascript/installed" "$examples/javascript/package-lock.json" || return 0
    say "componentize-js"
    mkdir -p "$tools/javascript"
    cp "$examples/javascript/"package*.json "$tools/javascript/"
    # Not `npm ci`, which wants the binaries of every other platform in the lock file too.
    npm install --prefix "$tools/javascript" --loglevel=error --no-audit --no-fund
    touch "$tools/javascript/installed"
}

wit="$root/wit/policy.wit"

c() {
    stale "$out/lru-c.wasm" "$examples/c"/* || return 0
    CC="$tools/python/bin/python -m ziglang cc" build "$out/lru-c.wasm" bash "$examples/c/build.sh"
}

# python OUTPUT [OPTION]
python() {
    stale "$1" "$examples/python"/* "$wit" || return 0
    local here="$examples/python/build.sh"
    make() { PATH="$tools/python/bin:$PATH" bash "$here" "$2" ${1:+"$1"}; }
    build "$1" make "${2:-}"
}

# javascript OUTPUT [FEATURE...]
javascript() {
    local output="$1"
    shift
    stale "$output" "$examples/javascript"/*.{js,mjs,json} "$wit" || return 0
    # Modules are looked for beside the script, so it runs where they are.
    cp "$examples/javascript/"*.{js,mjs} "$tools/javascript/"
    make() { node "$tools/javascript/build.mjs" "$wit" "${@: -1}" "${@:1:$#-1}"; }
    build "$output" make "$@"
}

python_tools
javascript_tools
c
python "$out/lru-python.wasm"
javascript "$out/lru-js.wasm"

if [ "${1:-}" = --with-tests ]; then
    python "$out/lru-python-wasi.wasm" --with-wasi
    javascript "$out/lru-js-wasi.wasm" stdio random clocks
    (cd "$root" && cargo build --quiet --locked --profile guest --target wasm32-wasip2 \
        --package wastegate-std-guest --target-dir "$out/cargo")
    cp "$out/cargo/wasm32-wasip2/guest/wastegate_std_guest.wasm" "$out/std.wasm"
fi
