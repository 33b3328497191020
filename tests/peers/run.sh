#!/usr/bin/env bash
# Real applications with their own clients, and the gateway in front of them (README.md). Sets up what is missing.
#
#     WASTEGATE=PROGRAM tests/peers/run.sh [--quick | --all | APPLICATION ...] [--direct]
set -euo pipefail
cd "$(dirname "$0")/../.."

quick=(ws socket.io aiohttp tornado uvicorn-websockets uvicorn-websockets-sansio uvicorn-wsproto)
slow=(channels gorilla chromium)

names=() extra=()
for argument in "$@"; do
    case $argument in
        --quick) names+=("${quick[@]}") ;;
        --all) names+=("${quick[@]}" "${slow[@]}") ;;
        --direct) extra+=(--direct) ;;
        *) names+=("$argument") ;;
    esac
done
[ ${#names[@]} -gt 0 ] || names=("${quick[@]}")

need() { # need COMMAND-OR-FILE DEBIAN-PACKAGE
    present() { command -v "$1" >/dev/null || [ -e "$1" ]; }
    present "$1" && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq "$2" >/dev/null
    fi
    present "$1" || { echo "error: $1 is missing; install the package $2" >&2; exit 1; }
}

wanted() { # wanted APPLICATION ...: whether one of them is to be run
    local name
    for name in "${names[@]}"; do
        case " $* " in *" $name "*) return 0 ;; esac
    done
    return 1
}

if [ ${#extra[@]} = 0 ]; then
    wastegate=${WASTEGATE:-target/debug/wastegate-under-test}
    [ -n "${WASTEGATE:-}" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test
    extra=(--wastegate "$wastegate")
fi

# The runner and half of the applications are Python, in a folder of their own.
need python3 python3
venv=target/peers/python
requirements=tests/peers/python/requirements.txt
wanted channels && requirements=tests/peers/python/requirements-all.txt
if ! cat tests/peers/python/requirements*.txt | cmp --silent - "$venv/$(basename $requirements)"; then
    python3 -m venv "$venv" || { need /usr/share/doc/python3-venv python3-venv; python3 -m venv "$venv"; }
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cat tests/peers/python/requirements*.txt >"$venv/$(basename $requirements)"
fi

node=target/peers/node
if wanted ws socket.io; then
    need npm npm
    if ! cmp --silent tests/peers/node/package-lock.json "$node/installed.json"; then
        mkdir -p "$node"
        cp tests/peers/node/package*.json "$node/"
        npm ci --prefix "$node" --loglevel=error --no-audit --no-fund
        cp tests/peers/node/package-lock.json "$node/installed.json"
    fi
fi

go=target/peers/go
if wanted gorilla; then
    need go golang-go
    need /usr/share/gocode/src/github.com/gorilla/websocket golang-github-gorilla-websocket-dev
    mkdir -p "$go"
    for program in server client; do
        GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= \
            go build -o "$go/$program" "tests/peers/go/$program.go"
    done
fi

if wanted chromium; then
    need chromium chromium
fi

exec "$venv/bin/python" tests/peers/runner.py "${extra[@]}" \
    --node "$PWD/$node/node_modules" --go "$PWD/$go" "${names[@]}"
