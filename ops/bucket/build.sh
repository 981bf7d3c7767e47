#!/usr/bin/env bash
# Builds the S3 server that go.mod pins into .antiphon/bin (or ANTIPHON_DATA/bin) and prints its path: the tests of the archive
# store sound in it. Nothing to do: at once. First time: at the lowest priority.
set -euo pipefail
. "$(dirname "$0")/../locks/go.sh"

version=$(pinned github.com/versity/versitygw)
NICE=19 build "$folder/versitygw-$version" ./server "versitygw $version" ", or put a versitygw on PATH"
