#!/usr/bin/env bash
# A cluster under faults (stories.py), after the checker has been tested on histories that are wrong. `--quick` plays
# three stories, shortened; without it all of them, which takes network namespaces and thus root.
set -euo pipefail
cd "$(dirname "$0")/../.."

export WASTEGATE=${WASTEGATE:-target/debug/wastegate-under-test}
[ -x "$WASTEGATE" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test
python=${PYTHON_WITH_WEBSOCKETS:-target/python/bin/python}
"$python" -c 'import websockets' || { echo "error: websockets is missing; \`bash tests/all.sh\` installs it" >&2; exit 1; }
programs=(redis-server)
case " $* " in *" --quick "*) ;; *) programs+=(redis-sentinel ip faketime) ;; esac
for program in "${programs[@]}"; do
    command -v "$program" >/dev/null || { echo "error: $program is missing; \`bash tests/all.sh\` installs it" >&2; exit 1; }
done
# 5,000 clients, each with its socket.
ulimit -n 16384

export PYTHONDONTWRITEBYTECODE=1
"$python" tests/cluster/history_test.py
"$python" tests/cluster/stories.py "$@"
