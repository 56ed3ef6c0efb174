#!/bin/bash
# Holds the boundary headers to the epoch that plugins were built against: sdk/abi.lock has a hash for each.
#
#   abi_lock.sh                        says which headers differ from the lock; exit status 1 when any does
#   abi_lock.sh --update               renews the lock, once HANAPER_SDK_EPOCH in plugin.hpp has been raised
#   abi_lock.sh --update --compatible  renews it under the same epoch: no plugin that is built already can notice
#
# A plugin notices: another order, number or signature of virtuals; another layout of a class or enumeration that
# crosses the boundary; another default argument. It does not notice new classes and new functions that are not
# virtual. Comments and spaces do not count. HANAPER_SDK names another SDK folder, for the test.
set -euo pipefail
export LC_ALL=C
sdk=${HANAPER_SDK:-$(cd "$(dirname "$0")" && pwd)}
headers=$sdk/include/hanaper lock=$sdk/abi.lock

hash_of() {
  perl -0pe 's{("(?:\\.|[^"\\\n])*"|\x27(?:\\.|[^\x27\\])\x27)|//[^\n]*|/\*.*?\*/}{defined $1 ? $1 : " "}gse; s/[ \t]+/ /g; s/\s*\n\s*/\n/g; s/^\s+//' "$1" |
    sha256sum | cut -d' ' -f1
}
epoch() { sed -n 's/^#define HANAPER_SDK_EPOCH \([0-9]*\)$/\1/p' "$headers/plugin.hpp"; }
contents() {
  echo "epoch $(epoch)"
  local header
  for header in "$headers"/*.hpp; do echo "$(hash_of "$header") ${header##*/}"; done
}
locked_epoch() { sed -n 's/^epoch //p' "$lock"; }

update= compatible=
for word in "$@"; do
  case $word in
    --update) update=1 ;;
    --compatible) compatible=1 ;;
    *) echo "abi_lock.sh: unexpected \"$word\"; see its first lines" >&2; exit 2 ;;
  esac
done
[ -n "$(epoch)" ] || { echo "abi_lock.sh: $headers/plugin.hpp defines no HANAPER_SDK_EPOCH" >&2; exit 1; }
touch "$lock"
changed=$({ contents; grep -v '^#' "$lock" || true; } | grep -v '^epoch' | sort | uniq -u | cut -d' ' -f2 | sort -u)

if [ -n "$update" ]; then
  if [ -n "$changed" ] && [ "$(epoch)" = "$(locked_epoch)" ] && [ -z "$compatible" ]; then
    echo "abi_lock.sh: ${changed//$'\n'/, }: changed under epoch $(epoch); raise HANAPER_SDK_EPOCH in plugin.hpp, or say" \
      "--compatible if no built plugin can notice" >&2
    exit 1
  fi
  { echo "# The boundary headers of this epoch; sdk/abi_lock.sh checks and renews this file."; contents; } > "$lock.new"
  mv "$lock.new" "$lock"
  exit 0
fi

for header in $changed; do
  if grep -q " $header\$" "$lock"; then what="differs from sdk/abi.lock"; else what="is not in sdk/abi.lock"; fi
  [ -e "$headers/$header" ] || what="is in sdk/abi.lock and nowhere else"
  echo "sdk/include/hanaper/$header: $what; raise HANAPER_SDK_EPOCH in plugin.hpp if a built plugin can notice, then" \
    "run sdk/abi_lock.sh --update"
done
if [ -z "$changed" ] && [ "$(epoch)" != "$(locked_epoch)" ]; then
  echo "sdk/abi.lock: says epoch $(locked_epoch), plugin.hpp says $(epoch); run sdk/abi_lock.sh --update"
  exit 1
fi
[ -z "$changed" ]
