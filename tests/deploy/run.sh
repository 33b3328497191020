#!/usr/bin/env bash
# What deploy/cluster/ hands out: its files are taken by the programs that they are for and fit together (cluster.py),
# and its cluster restarts node by node without a client being refused (rolling.py). No containers are needed. Takes the
# program that the tests have built.
set -euo pipefail
cd "$(dirname "$0")/../.."

export WASTEGATE=${WASTEGATE:-target/debug/wastegate-under-test}
[ -x "$WASTEGATE" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test

for program in haproxy promtool; do
    command -v "$program" >/dev/null || { echo "error: $program is missing; \`bash tests/all.sh\` installs it" >&2; exit 1; }
done
venv=target/deploy/python
if ! cmp --silent tests/deploy/requirements.txt "$venv/installed.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/deploy/requirements.txt
    cp tests/deploy/requirements.txt "$venv/installed.txt"
fi

export PYTHONDONTWRITEBYTECODE=1
"$venv/bin/python" tests/deploy/cluster.py
"$venv/bin/python" tests/deploy/rolling.py "$WASTEGATE"
