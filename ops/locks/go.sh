# Sourced by the build.sh beside a go.mod, with bash's `set -euo pipefail`: what those scripts have in common. Needs Go >= 1.26;
# go.sum pins every module by hash.
here=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$here")
folder=${ANTIPHON_DATA:-$here/../../.antiphon}/bin
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

say() { printf '%s\n' "$*" >&2; }
die() { say "$name: $*"; exit 1; }

pinned() { # MODULE: prints the version of it that go.mod asks for
    local version
    version=$(sed -n "s#^\s*\(require \)\?$1 v\([0-9.]*\).*#\2#p" "$here/go.mod")
    [ -n "$version" ] || die "ops/$name/go.mod names no version of $1"
    echo "$version"
}

build() { # FILE PACKAGE WHAT INSTEAD: prints FILE, built unless it is there and no older than what is ours of it
    local built=$1 package=$2 what=$3 instead=$4 found major minor
    there() { [ -x "$built" ] && ! [ "$here/$package/main.go" -nt "$built" ]; }
    if ! there && command -v flock >/dev/null; then # one after the other: what both programs are made of is compiled once
        exec 9>"$folder/.go-lock"
        flock 9
    fi
    if there; then echo "$built"; return; fi

    command -v go >/dev/null || die "needs Go 1.26 or newer to build $what, and there is no go on PATH; install it$instead"
    found=$(cd "$here" && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || go version | cut -d' ' -f3)
    IFS=. read -r major minor _ <<<"${found#go}"
    if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "${minor%%[a-z]*}" -lt 26 ]; }; then
        die "needs Go 1.26 or newer to build $what, found ${found#go}; update it$instead"
    fi

    say "$name: building $what (the first time about two minutes)"
    part=$built.$$
    trap 'rm -f "$part"' EXIT
    # DWARF, which the linker would drop, isn't compiled in the first place: a sixth less work.
    (cd "$here" && CGO_ENABLED=0 nice -n "${NICE:-0}" \
        go build -mod=readonly -trimpath -gcflags=all=-dwarf=false -ldflags "-s -w" -o "$part" "$package") \
        || die "go could not build it (its message stands above); does this machine reach a Go module proxy (GOPROXY)?"
    mv "$part" "$built"
    say "$name: done in ${SECONDS} s"
    echo "$built"
}
