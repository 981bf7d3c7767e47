#!/usr/bin/env bash
# Builds the S3 server that go.mod pins into .antiphon/bin (or ANTIPHON_DATA/bin) and prints its path: the tests of the archive
# store sound in it. Nothing to do: at once. First time: some minutes on two cores, at the lowest priority. Needs Go >= 1.26;
# go.sum pins every module by hash.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${ANTIPHON_DATA:-$here/../../.antiphon}/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "bucket: $*"; exit 1; }

version=$(sed -n 's#^\s*\(require \)\?github.com/versity/versitygw v\([0-9.]*\).*#\2#p' "$here/go.mod")
[ -n "$version" ] || die "ops/bucket/go.mod names no version of github.com/versity/versitygw"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
built=$folder/versitygw-$version

if command -v flock >/dev/null; then # two builds, one after the other
    exec 9>"$folder/.versitygw-lock"
    flock 9
fi
if [ -x "$built" ]; then echo "$built"; exit 0; fi

instead=", or put a versitygw on PATH"
command -v go >/dev/null || die "needs Go 1.26 or newer to build the S3 server, and there is no go on PATH; install it$instead"
found=$(cd "$here" && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || go version | cut -d' ' -f3)
IFS=. read -r major minor _ <<<"${found#go}"
if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor%%[a-z]*}" -lt 26 ]; }; then
    die "needs Go 1.26 or newer to build the S3 server, found ${found#go}; update it$instead"
fi

say "bucket: building versitygw $version (the first time some minutes)"
trap 'rm -f "$built.$$"' EXIT
(cd "$here" && CGO_ENABLED=0 nice -19 go build -mod=readonly -trimpath -ldflags "-s -w" -o "$built.$$" \
    github.com/versity/versitygw/cmd/versitygw) \
    || die "go could not build it (its message stands above); does this machine reach a Go module proxy (GOPROXY)?"
mv "$built.$$" "$built"
say "bucket: done in ${SECONDS} s"
echo "$built"
