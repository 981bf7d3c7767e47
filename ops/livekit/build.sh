#!/usr/bin/env bash
# make livekit: builds the LiveKit server that go.mod pins into .antiphon/bin (or ANTIPHON_DATA/bin) and prints its path.
# Nothing to do: at once. First time: about two minutes on two cores. Needs Go >= 1.26; go.sum pins every module by hash.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${ANTIPHON_DATA:-$here/../../.antiphon}/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "livekit: $*"; exit 1; }

version=$(sed -n 's#^\s*\(require \)\?github.com/livekit/livekit-server v\([0-9.]*\).*#\2#p' "$here/go.mod")
[ -n "$version" ] || die "ops/livekit/go.mod names no version of github.com/livekit/livekit-server"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
server=$folder/livekit-server-$version

if command -v flock >/dev/null; then # two builds, one after the other
    exec 9>"$folder/.livekit-lock"
    flock 9
fi
if [ -x "$server" ]; then echo "$server"; exit 0; fi

command -v go >/dev/null || die "needs Go 1.26 or newer to build the server, and there is no go on PATH; install it, put a livekit-server on PATH, or set LIVEKIT_URL"
found=$(cd "$here" && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || go version | cut -d' ' -f3)
IFS=. read -r major minor _ <<<"${found#go}"
if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor%%[a-z]*}" -lt 26 ]; }; then
    die "needs Go 1.26 or newer to build the server, found ${found#go}; update it, put a livekit-server on PATH, or set LIVEKIT_URL"
fi

say "livekit: building server $version (about two minutes the first time)"
trap 'rm -f "$server.$$"' EXIT
(cd "$here" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$server.$$" github.com/livekit/livekit-server/cmd/server) \
    || die "go could not build the server (its message stands above); does this machine reach a Go module proxy (GOPROXY)?"
mv "$server.$$" "$server"
say "livekit: done in ${SECONDS} s"
echo "$server"
