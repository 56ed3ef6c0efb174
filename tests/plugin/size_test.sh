#!/bin/bash
# size_test.sh BUILD: a small plugin stays small, although the toolkit is linked into it.
set -u
build=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
grep -qxF 'CMAKE_BUILD_TYPE:STRING=Release' "$build/CMakeCache.txt" || { skip setup "only an optimised build is small"; end; }
! grep -qE '^HANAPER_(SANITIZER|COVERAGE):[A-Z]*=(address|thread|ON)' "$build/CMakeCache.txt" ||
  { skip setup "an instrumented build is large"; end; }

plugin=$build/lib/hanaper/plugins/policy-names.so
text=$(size -A "$plugin" | awk '$1 == ".text" { print $2 }')
echo "policy-names.so has $text octets in its text section"
check "a policy of less than 200 lines has less than 60 kB" test "$text" -gt 1000 -a "$text" -lt 60000
check "and is a plugin nevertheless" bash -c 'nm -D --defined-only "$0" | grep -q hanaper_manifest' "$plugin"
end
