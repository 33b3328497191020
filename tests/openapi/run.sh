#!/usr/bin/env bash
# The operators' API against its own document, on a real server with clients: the document is valid, what a tour of
# requests is answered conforms to it, and schemathesis finds no answer that does not. Takes the program that the
# tests have built.
#
#   tests/openapi/run.sh             as CI runs it: the same requests each time
#   tests/openapi/run.sh --nightly   many more of them, other ones each time; the output names the seed
#   tests/openapi/run.sh --seed N    the requests of that seed
set -euo pipefail
cd "$(dirname "$0")/../.."

export WASTEGATE=${WASTEGATE:-target/debug/wastegate-under-test}
[ -x "$WASTEGATE" ] || cargo build --locked --quiet -p wastegate-tests --bin wastegate-under-test

# Everything is pinned, what the tools need too. `python -m pip`, because a copied folder's `pip` is of the other one.
venv=target/python
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
if ! cmp --silent tests/openapi/requirements.txt "$venv/openapi-installed.txt"; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/openapi/requirements.txt
    cp tests/openapi/requirements.txt "$venv/openapi-installed.txt"
fi

PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" tests/openapi/main.py "$@"
