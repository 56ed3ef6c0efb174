#!/bin/bash
# abi_lock_test.sh SOURCE: the boundary is what sdk/abi.lock says, and the lock notices what it must.
set -u
source=$1 lock=$1/sdk/abi_lock.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

failed=0
says() { if [ -n "$1" ]; then grep -qF -- "$1" "$work/said"; else [ ! -s "$work/said" ]; fi; }
expect() {  # STATUS TEXT SENTENCE COMMAND...
  local status=$1 text=$2 sentence=$3 got=0
  shift 3
  "$@" > "$work/said" 2>&1 || got=$?
  if [ "$got" -eq "$status" ] && says "$text"; then
    echo "ok: $sentence"
  else
    echo "FAILED: $sentence: exit status $got instead of $status, and this instead of \"$text\":"
    sed 's/^/    /' "$work/said"
    failed=$((failed + 1))
  fi
}
there() { sed -i "$1" "$HANAPER_SDK/include/hanaper/$2"; }

expect 0 "" "the boundary headers are those of sdk/abi.lock" "$lock"

export HANAPER_SDK=$work/sdk
fresh() {
  rm -rf "$HANAPER_SDK"
  mkdir -p "$HANAPER_SDK/include"
  cp -r "$source/sdk/include/hanaper" "$HANAPER_SDK/include/"
  cp "$source/sdk/abi.lock" "$HANAPER_SDK/"
}

fresh; there 's,^#pragma once,// A remark.\n\n#pragma   once,' host.hpp
expect 0 "" "comments and spaces do not count" "$lock"

fresh; there 's/virtual Time now/virtual Time now_and_then/' services.hpp
expect 1 "sdk/include/hanaper/services.hpp: differs" "a changed virtual is noticed" "$lock"
expect 1 "services.hpp: changed under epoch" "the lock is not renewed under the same epoch by accident" "$lock" --update
there 's/^\(#define HANAPER_SDK_EPOCH\) .*/\1 1000/' plugin.hpp
expect 1 "plugin.hpp: differs" "a raised epoch alone does not satisfy it" "$lock"
expect 0 "" "it is renewed under a new epoch" "$lock" --update
expect 0 "" "then it is satisfied" "$lock"

fresh; there 's/^class Clock {/class Lamp;\n&/' services.hpp
expect 0 "" "what no plugin can notice is said to be compatible" "$lock" --update --compatible
expect 0 "" "then it is satisfied under the same epoch" "$lock"

fresh; echo 'inline constexpr const char* text = "https://one";' >> "$HANAPER_SDK/include/hanaper/http.hpp"
expect 0 "" "a text with two slashes is taken into the lock" "$lock" --update --compatible
there 's,https://one,https://two,' http.hpp
expect 1 "http.hpp: differs" "what stands behind the two slashes counts" "$lock"

fresh; echo '#pragma once' > "$HANAPER_SDK/include/hanaper/new.hpp"
expect 1 "new.hpp: is not in sdk/abi.lock" "a new header is noticed" "$lock"
fresh; rm "$HANAPER_SDK/include/hanaper/keys.hpp"
expect 1 "keys.hpp: is in sdk/abi.lock and nowhere else" "a header that is gone is noticed" "$lock"
fresh; there '1i// The toolkit.' toolkit/der.hpp; there 's/namespace/ namespace /' toolkit/der.hpp; echo 'int x;' >> "$HANAPER_SDK/include/hanaper/toolkit/der.hpp"
expect 0 "" "the toolkit is no boundary" "$lock"

[ $failed -eq 0 ] || { echo "$failed checks failed"; exit 1; }
