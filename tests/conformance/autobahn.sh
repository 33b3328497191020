#!/usr/bin/env bash
# Puts the Autobahn test suite into a folder: autobahn.sh DIRECTORY. It is written for Python 2.7, which
# few systems still have, so that comes from pyenv or from an older Debian, without installing anything
# outside the folder.
set -euo pipefail

readonly SUITE='autobahntestsuite==25.10.1'
# The last virtualenv that can make an environment for Python 2.7.
readonly VIRTUALENV='virtualenv==20.21.1'

target=$1
[ -x "$target/wstest" ] && exit 0
mkdir -p "$target"
cd "$target"
rm -rf suite tools bullseye

from_pyenv() {
    local prefix
    command -v pyenv >/dev/null || return 1
    prefix=$(pyenv prefix 2.7.18 2>/dev/null) || return 1
    echo "$prefix/bin/python2.7"
}

# Debian 11 is the last with Python 2.7. Its packages are unpacked here, by an apt that knows that release
# alone, and run with their own libraries.
from_debian() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
    local root=$PWD/bullseye mirror
    mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null | head -n 1 | tr -d ' ')}
    mirror=${mirror:-http://deb.debian.org/debian}
    mkdir -p "$root/lists/partial" "$root/cache/archives/partial" "$root/parts"
    echo "deb $mirror bullseye main" >"$root/sources.list"
    local apt=(-qq -o "Dir::Etc::sourcelist=$root/sources.list" -o "Dir::Etc::sourceparts=$root/parts"
        -o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache" -o "APT::Sandbox::User=")
    apt-get "${apt[@]}" update >&2 || return 1
    (cd "$root" && apt-get "${apt[@]}" download python2.7 python2.7-minimal libpython2.7 \
        libpython2.7-stdlib libpython2.7-minimal libpython2.7-dev python2.7-dev libssl1.1 libffi7 >&2) ||
        return 1
    for package in "$root"/*.deb; do dpkg -x "$package" "$root"; done
    echo "$root/usr/bin/python2.7"
}

python=$(from_pyenv || from_debian) || {
    echo "error: the Autobahn suite needs Python 2.7: install it with pyenv (pyenv install 2.7.18), or run" \
        "this where apt-get reaches a mirror with Debian 11 (DEBIAN_MIRROR names one)" >&2
    exit 1
}
# Only Debian's needs it: what it was built with is beside it.
libraries=$PWD/bullseye/usr/lib/$(uname -m)-linux-gnu
[ ! -d "$libraries" ] || export LD_LIBRARY_PATH=$libraries
python3 -m venv tools
tools/bin/pip install --quiet --disable-pip-version-check "$VIRTUALENV"
tools/bin/virtualenv --quiet --python "$python" suite
suite/bin/pip install --quiet --disable-pip-version-check --no-python-version-warning "$SUITE"
cat >made <<WSTEST
#!/bin/sh
LD_LIBRARY_PATH="${LD_LIBRARY_PATH:-}" exec "$PWD/suite/bin/wstest" "\$@"
WSTEST
chmod +x made
./made --autobahnversion
# The last step: with this file the suite is there.
mv made wstest
