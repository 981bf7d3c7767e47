#!/usr/bin/env bash
# make test: the browser that tests drive (Debian's package). Installed where we may; elsewhere the tests that want it say so.
set -euo pipefail

found() { [ -n "${CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome >/dev/null; }
found && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing chromium" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } >&2 || true
fi
found || echo "test: this machine lacks chromium; the tests in a browser are skipped (sudo apt-get install chromium)" >&2
