#!/usr/bin/env bash
# make app: the web app, built into web/dist, when its sources have changed. `web.sh modules`: only what npm installs for it.
# `web.sh run SCRIPT…`: one of package.json's scripts, with a Node that fits. Nothing to do: under a second.
set -euo pipefail
cd "$(dirname "$0")/../.."

PATH="$(ops/locks/node.sh):$PATH"
export PATH
cd web

if command -v flock >/dev/null; then # two at once, one after the other
    exec 8<package.json
    flock 8
fi

if ! node scripts/installed.mjs; then
    echo "web: packages (npm ci)" >&2
    npm ci --no-fund --no-audit --loglevel=error >&2
fi

case ${1:-build} in
modules) exit ;;
run)
    shift
    exec 8<&-
    exec npm run --silent "$@"
    ;;
esac

sources() {
    cat package-lock.json index.html tsconfig.json vite.config.ts
    find src public -type f -print0 | sort -z | xargs -0 sha256sum
}
stamp=$(sources | sha256sum | cut -c1-64)
[ "$(cat dist/.made-from 2>/dev/null)" != "$stamp" ] || exit 0
echo "web: building the app" >&2
# Beside the old one, which somebody may be looking at.
npx vite build --logLevel warn --emptyOutDir --outDir dist.new >&2
said=$(node scripts/budget.mjs dist.new 2>&1) || { printf 'web: the first load is over its budget\n%s\n' "$said" >&2; exit 1; }
printf '%s\n' "$stamp" >dist.new/.made-from
rm -rf dist
mv dist.new dist
