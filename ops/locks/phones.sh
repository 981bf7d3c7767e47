#!/usr/bin/env bash
# make test: the phones that tests call with (Debian's packages). Installed where we may; elsewhere the tests that want one say so.
set -euo pipefail

lacking() {
    command -v baresip >/dev/null || echo baresip
    command -v linphonec >/dev/null || echo linphone-cli
    command -v sipp >/dev/null || echo sip-tester
}
missing=$(lacking | xargs)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing $missing" >&2
    # shellcheck disable=SC2086 # package names
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing; } >&2 || true
    missing=$(lacking | xargs)
fi
[ -z "$missing" ] || echo "test: this machine lacks $missing; the tests that want them are skipped (sudo apt-get install $missing)" >&2
