#!/usr/bin/env bash
# make livekit: builds the LiveKit server that go.mod pins into .antiphon/bin (or ANTIPHON_DATA/bin) and prints its path.
# Nothing to do: at once. With `people`: the people of the benchmarks instead, from the sources beside this file.
set -euo pipefail
. "$(dirname "$0")/../locks/go.sh"

version=$(pinned github.com/livekit/livekit-server)
case ${1:-server} in
server)
    build "$folder/livekit-server-$version" github.com/livekit/livekit-server/cmd/server "the server $version" \
        ", put a livekit-server on PATH, or set LIVEKIT_URL"
    ;;
people)
    built=$folder/livekit-people-$(cat "$here"/people/*.go "$here/go.sum" | sha256sum | cut -c1-12)
    [ -x "$built" ] || rm -f "${built%-*}"-????????????
    build "$built" ./people "the people of the benchmarks" ""
    ;;
*) die "builds \`server\` or \`people\`, not \`$1\`" ;;
esac
