#!/usr/bin/env bash
# make test: the browsers that tests drive (Debian's packages). Installed where we may; elsewhere the tests that want one say so.
# Firefox and `antiphon talk` want a sound device (pulseaudio's null sink; talk by PortAudio), WebKitGTK a screen (Xvfb). All but Chromium together: 0.5 GB, 40 s, once.
set -euo pipefail

lacking() {
    [ -n "${CHROMIUM:-}" ] || command -v chromium chromium-browser google-chrome >/dev/null || echo chromium
    [ -n "${FIREFOX:-}" ] || command -v firefox-esr firefox >/dev/null || echo firefox-esr
    command -v pulseaudio >/dev/null || echo pulseaudio
    ldconfig -p | grep -q 'libportaudio\.so' || echo libportaudio2 libasound2-plugins
    command -v WebKitWebDriver >/dev/null || echo webkit2gtk-driver
    command -v Xvfb >/dev/null || echo xvfb
}
missing=$(lacking | xargs)
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing $missing" >&2
    # shellcheck disable=SC2086 # package names
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $missing; } >&2 || true
    missing=$(lacking | xargs)
fi
[ -z "$missing" ] || echo "test: this machine lacks $missing; the tests in those browsers are skipped (sudo apt-get install $missing)" >&2
