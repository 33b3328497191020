#!/usr/bin/env bash
# The Autobahn WebSocket test suite against us, in three ways (README.md). Sets up the suite and a Python with
# `websockets` in target/, and takes the program that the tests have built.
set -euo pipefail
cd "$(dirname "$0")/../.."

wastegate=${WASTEGATE:-target/debug/wastegate-under-test}
[ -n "${WASTEGATE:-}" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test

bash tests/conformance/autobahn.sh target/autobahn

python=${PYTHON_WITH_WEBSOCKETS:-target/python/bin/python}
if ! "$python" -c 'import websockets.asyncio.client' 2>/dev/null; then
    python=target/python/bin/python
    python3 -m venv target/python
    "$python" -m pip install --quiet --disable-pip-version-check 'websockets==15.0.1'
fi

exec "$python" tests/conformance/conform.py --wstest target/autobahn/wstest \
    --wastegate "$wastegate" --reports target/conformance "$@"
