#!/usr/bin/env bash
# Both clients against the real server, the one in TypeScript in Chromium too, and the size of its bundle. Installs
# what is pinned into target/, and takes the program that the tests have built.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -n "${WASTEGATE:-}" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test
WASTEGATE=$(realpath "${WASTEGATE:-target/debug/wastegate-under-test}")
export WASTEGATE

python=${PYTHON_WITH_WEBSOCKETS:-target/python/bin/python}
if ! "$python" -c 'import websockets.asyncio.client' 2>/dev/null; then
    python=target/python/bin/python
    python3 -m venv target/python
    "$python" -m pip install --quiet --disable-pip-version-check 'websockets==15.0.1'
fi

# Beside the sources nothing is installed or built.
js=target/clients/js
mkdir -p "$js"
rm -rf "$js"/{src,test,example,dist}
cp -R clients/js/. "$js"
if ! cmp --silent clients/js/package-lock.json "$js/installed.json"; then
    npm ci --prefix "$js" --ignore-scripts --loglevel=error --no-audit --no-fund
    cp clients/js/package-lock.json "$js/installed.json"
fi

# Side by side: most of the time they wait.
PYTHONPATH=clients/python/src:clients/python/tests PYTHONDONTWRITEBYTECODE=1 \
    "$python" -m unittest discover --start-directory clients/python/tests >target/clients/python.log 2>&1 &
in_python=$!
failed=0
npm test --silent --prefix "$js" || failed=1
wait "$in_python" || failed=1
cat target/clients/python.log
exit "$failed"
