#!/usr/bin/env bash
# `wastegate serve --upstream` beside nginx and HAProxy as WebSocket proxies, in one run:
#
#     bash tests/bench/run.sh            # everything, about six minutes after the build
#     ROUNDS=3 ONLY=idle bash tests/bench/run.sh
#
# The proxy has core 0 and one thread; the load and the echo server behind the proxy have core 1. In every
# round everybody has a turn, so that what else the machine does falls on all of them.
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=${ROUNDS:-5}
span=(--seconds "${SPAN:-2}" --warmup 0.5)
only=${ONLY:-}
peers=${PEERS:-direct nginx haproxy wastegate}
out=${OUT:-tests/bench/results.md}
# As many as the gateway has places for with 20,000 descriptors, two for each and a reserve.
connections=${CONNECTIONS:-7500}
backend_at=127.0.0.1:18900

need() { # need COMMAND DEBIAN-PACKAGE
    command -v "$1" >/dev/null && return
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq "$2"
    fi
    command -v "$1" >/dev/null || { echo "error: $1 is missing; install the package $2" >&2; exit 1; }
}
PATH="$PATH:/usr/sbin"
need nginx nginx-light
need haproxy haproxy
need taskset util-linux
[ "$(nproc)" -ge 2 ] || { echo "error: one core for the proxy and one for the load are needed" >&2; exit 1; }
ulimit -n "$(ulimit -Hn)"
[ "$(ulimit -n)" -ge $((2 * connections + 500)) ] ||
    { echo "error: $(ulimit -n) descriptors are too few for $connections connections; set CONNECTIONS" >&2; exit 1; }

# One after the other: built together they would share features, and the gateway be another one.
cargo build --profile dist --locked -p wastegate-cli ${CARGO_FLAGS:-}
cargo build --release --locked -p wastegate-bench ${CARGO_FLAGS:-}
wastegate=target/dist/wastegate
bench=target/release/wastegate-bench

dir=$(mktemp -d)
results=$dir/results.ndjson
proxy=
backend=
# Whoever was started is ended, however this ends.
stop() { # stop PID
    [ -z "$1" ] || { kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }
}
trap 'stop "$proxy"; stop "$backend"; rm -rf "$dir"' EXIT

# Waits for whoever listens by connecting, as long as its process is there.
await() { # await HOST:PORT PID
    until (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; do
        kill -0 "$2" 2>/dev/null || { echo "error: nobody came to listen on $1; see above" >&2; exit 1; }
    done
}

cat >"$dir/nginx.conf" <<NGINX
daemon off;
pid $dir/nginx.pid;
error_log stderr error;
worker_processes 1;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections 20000; use epoll; multi_accept on; }
http {
    access_log off;
    tcp_nodelay on;
    server_tokens off;
    keepalive_timeout 60s;
    client_body_temp_path $dir/body;
    proxy_temp_path $dir/proxy;
    fastcgi_temp_path $dir/fastcgi;
    uwsgi_temp_path $dir/uwsgi;
    scgi_temp_path $dir/scgi;
    upstream backend { server $backend_at; }
    server {
        listen 127.0.0.1:18901 backlog=4096;
        location /ws {
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Upgrade \$http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host \$host;
            proxy_set_header X-Real-IP \$remote_addr;
            proxy_buffering off;
            proxy_socket_keepalive on;
            proxy_read_timeout 1h;
            proxy_send_timeout 1h;
        }
    }
}
NGINX

cat >"$dir/haproxy.cfg" <<HAPROXY
global
    nbthread 1
    maxconn 9500
    log stderr local0 err
defaults
    mode http
    option http-server-close
    option redispatch
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend in
    bind 127.0.0.1:18902 backlog 4096
    maxconn 9500
    default_backend out
backend out
    server echo $backend_at
HAPROXY

taskset -c 1 "$bench" backend --listen "$backend_at" &
backend=$!
await "$backend_at" "$backend"

# Starts one of them on core 0; sets where it listens and its processes.
start() { # start PEER
    case $1 in
        direct) proxy=; at=$backend_at; pids=; return ;;
        nginx) at=127.0.0.1:18901; taskset -c 0 nginx -p "$dir" -c "$dir/nginx.conf" & ;;
        haproxy) at=127.0.0.1:18902; taskset -c 0 haproxy -db -q -f "$dir/haproxy.cfg" & ;;
        wastegate)
            at=127.0.0.1:18903
            # Clients that come and go are what is measured here, and no reason for a ban.
            TOKIO_WORKER_THREADS=1 WASTEGATE_LIMITS__CONNECTIONS_TOTAL=15000 \
                WASTEGATE_GATEWAY__FLAP__LIVES_MAX=0 \
                taskset -c 0 "$wastegate" serve --upstream "ws://$backend_at" --listen "$at" \
                --set admin.listen=127.0.0.1:18904 >"$dir/wastegate.log" 2>&1 & ;;
    esac
    proxy=$!
    await "$at" "$proxy"
    # nginx listens before its worker is there, and the worker is what is measured.
    until [ "$1" != nginx ] || pgrep -P "$proxy" >/dev/null; do
        kill -0 "$proxy" || { echo "error: nginx has gone; see above" >&2; exit 1; }
    done
    # Only nginx works in children; ours has one for a moment, which compiles the policy.
    pids=$proxy
    [ "$1" != nginx ] || pids=$(echo "$proxy" $(pgrep -P "$proxy") | tr ' ' ,)
}

measure() { # measure MODE [OPTION...]
    [ -z "$only" ] || [[ " $only " == *" $1 "* ]] || return 0
    [ "$1" != idle ] || [ "$peer" != direct ] || return 0
    local mode=$1
    shift
    echo "round $round: $peer, $mode $*" >&2
    # A fresh process each time: what one run left behind is no other run's.
    start "$peer"
    taskset -c 1 "$bench" "$mode" --peer "$peer" --target "$at" ${pids:+--pids "$pids"} "$@" >>"$results" ||
        { [ "$peer" != wastegate ] || tail -5 "$dir/wastegate.log" >&2; exit 1; }
    stop "$proxy"
    proxy=
}

for round in $(seq "$rounds"); do
    # Each round begins with another one.
    for peer in $peers; do
        measure throughput --bytes 64 --connections 64 --window 16 "${span[@]}"
        measure throughput --bytes 16384 --connections 64 --window 4 "${span[@]}"
        measure latency --rate 5000 --connections 100 "${span[@]}"
        measure rate "${span[@]}"
    done
    peers="${peers#* } ${peers%% *}"
done
for round in 1 2 3; do
    for peer in $peers; do
        measure idle --connections "$connections"
    done
done

{
    echo "# Beside nginx and HAProxy"
    echo
    echo "Written by \`bash tests/bench/run.sh\`. Medians of $rounds rounds in which everybody had a turn (idle: 3), in brackets the least and the most; the ratio is wastegate over the better of nginx and HAProxy. \`direct\` is the echo server without a proxy."
    echo
    echo "- $(nginx -v 2>&1 | sed 's/.*: //'), $(haproxy -v | head -1 | cut -d' ' -f1-3), wastegate at $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- host Cargo.toml || echo ' with changes')"
    echo "- $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) processors, Linux $(uname -r | cut -d- -f1), load at the end $(cut -d' ' -f1 /proc/loadavg)"
    echo "- The proxy has core 0 and one worker thread; the load and the echo server share core 1. Where the proxy is not busy, the load is what bounds the figure: then its CPU time for each message is the one to compare."
    echo
    "$bench" summary "$results"
} >"$dir/table.md"
cp "$dir/table.md" "$out"
[ -z "${KEEP:-}" ] || cp "$results" "$KEEP"
cat "$out"
