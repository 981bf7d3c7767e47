#!/usr/bin/env bash
# The environment of `antiphon bench peers`, in FOLDER: exactly what peers.lock says, none of it ever in .venv. Prints its Python.
# Nothing to do: under a second.
set -euo pipefail
folder=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
python=${PEERS_PYTHON:-$root/.venv/bin/python}
uv=$(dirname "$python")/uv

stamp=$(cat "$here/peers.lock" "$here/install.sh" | sha256sum | cut -c1-64)
if [ "$(cat "$folder/.made-from" 2>/dev/null)" = "$stamp" ]; then echo "$folder/bin/python"; exit 0; fi

rm -f "$folder/.made-from"
settings=$("$python" "$root/ops/locks/pip_settings.py")
eval "$settings"
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE="${UV_LINK_MODE:-hardlink}"
"$uv" venv --quiet --clear --python "$python" "$folder" >&2
"$uv" pip install --quiet --python "$folder/bin/python" --require-hashes --no-deps --no-build -r "$here/peers.lock" >&2
printf '%s\n' "$stamp" >"$folder/.made-from"
echo "$folder/bin/python"
