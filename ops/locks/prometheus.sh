#!/usr/bin/env bash
# make test: Prometheus and promtool, which read the pages and check the rules in tests. Debian's package, which apt proves by its hash,
# unpacked into .antiphon/bin (or ANTIPHON_DATA/bin): installed it would start a server. Where it can't be had those tests say so.
set -euo pipefail
command -v prometheus >/dev/null && command -v promtool >/dev/null && exit 0
folder=${ANTIPHON_DATA:-$(cd "$(dirname "$0")" && pwd)/../../.antiphon}/bin
[ -x "$folder/prometheus" ] && [ -x "$folder/promtool" ] && exit 0

fetch() { apt-get -qq -o APT::Sandbox::User="$(id -un)" download prometheus; }
if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    echo "test: fetching prometheus" >&2
    if (cd "$work" && { fetch 2>/dev/null || { [ "$(id -u)" = 0 ] && apt-get -qq update && fetch; }; }) >&2; then
        mkdir -p "$folder"
        dpkg-deb -x "$work"/prometheus_*.deb "$work/unpacked"
        for name in promtool prometheus; do
            install -m 755 "$work/unpacked/usr/bin/$name" "$folder/.$name.$$"
            mv "$folder/.$name.$$" "$folder/$name" # two of us: the last one wins, and both are whole
        done
        exit 0
    fi
fi
echo "test: this machine lacks prometheus; the tests that want it are skipped (sudo apt-get install prometheus)" >&2
