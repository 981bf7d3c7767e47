#!/usr/bin/env bash
# make livekit: builds the LiveKit server that go.mod pins into .antiphon/bin (or ANTIPHON_DATA/bin) and prints its path.
# Nothing to do: at once. First time: about two minutes on two cores. Needs Go >= 1.26; go.sum pins every module by hash.
# With `people`: the people of the benchmarks instead, from the sources beside this file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${ANTIPHON_DATA:-$here/../../.antiphon}/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "livekit: $*"; exit 1; }

version=$(sed -n 's#^\s*\(require \)\?github.com/livekit/livekit-server v\([0-9.]*\).*#\2#p' "$here/go.mod")
[ -n "$version" ] || die "ops/livekit/go.mod names no version of github.com/livekit/livekit-server"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
case ${1:-server} in
server)
    what="the server $version"
    package=github.com/livekit/livekit-server/cmd/server
    built=$folder/livekit-server-$version
    ;;
people)
    what="the people of the benchmarks"
    package=./people
    built=$folder/livekit-people-$(cat "$here"/people/*.go "$here/go.sum" | sha256sum | cut -c1-12)
    ;;
*) die "builds \`server\` or \`people\`, not \`$1\`" ;;
esac

if command -v flock >/dev/null; then # two builds, one after the other
    exec 9>"$folder/.livekit-lock"
    flock 9
fi
if [ -x "$built" ]; then echo "$built"; exit 0; fi

instead=
[ "${1:-server}" = people ] || instead=", put a livekit-server on PATH, or set LIVEKIT_URL"
command -v go >/dev/null || die "needs Go 1.26 or newer to build $what, and there is no go on PATH; install it$instead"
found=$(cd "$here" && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || go version | cut -d' ' -f3)
IFS=. read -r major minor _ <<<"${found#go}"
if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor%%[a-z]*}" -lt 26 ]; }; then
    die "needs Go 1.26 or newer to build $what, found ${found#go}; update it$instead"
fi

say "livekit: building $what (the first time about two minutes)"
trap 'rm -f "$built.$$"' EXIT
(cd "$here" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$built.$$" "$package") \
    || die "go could not build it (its message stands above); does this machine reach a Go module proxy (GOPROXY)?"
[ "${1:-server}" = server ] || rm -f "${built%-*}"-????????????
mv "$built.$$" "$built"
say "livekit: done in ${SECONDS} s"
echo "$built"
