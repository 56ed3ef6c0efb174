#!/bin/bash
# install_test.sh BUILD SOURCE: what `cmake --install` leaves behind works from any prefix: programs that find their
# plugins, a sample to start from, manual pages, completion, and the SDK as a library. Plugins built with it: tests/sdk.
set -u
build=$1 source=$2
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
export PATH="$prefix/bin:$PATH"
export TMPDIR=$work

. "$(dirname "$0")/../checks.sh"

umask 022
check "everything installs (build every target first)" cmake --install "$build" --prefix "$prefix"
[ $failed -eq 0 ] || exit 1

check "hanaper tells its version" says "hanaper 0." "$prefix/bin/hanaper" --version
check "hanaperd tells its version" says "hanaperd 0." "$prefix/bin/hanaperd" --version
for plugin in storage-sqlite keys-softtoken policy-names validator-caa validator-lint protocol-acme protocol-crl protocol-est protocol-ocsp protocol-scep; do
  check "$plugin.so is installed" test -f "$prefix/lib/hanaper/plugins/$plugin.so"
done
check "hanaper finds the plugins of its prefix" says "plugins in $prefix/lib/hanaper/plugins:" "$prefix/bin/hanaper" plugins
check "hanaper finds them through a link too" ln -s "$prefix/bin/hanaper" "$work/linked"
check "a linked program uses its own prefix" says "plugins in $prefix/lib/hanaper/plugins:" "$work/linked" plugins
check "hanaper prints a sample" says "[storage.sqlite]" "$prefix/bin/hanaper" sample storage.sqlite

config=$prefix/share/hanaper/embedded.toml
with=(-c "$config" --set "node.state=$work/state")
check "the sample configuration is installed" test -f "$config"
check "init makes the authorities" says "authority issuing:" "$prefix/bin/hanaper" init "${with[@]}"
check "check finds nothing wrong" says "ok, 1 pipelines" "$prefix/bin/hanaper" check "${with[@]}"
check "issue makes a certificate" \
  "$prefix/bin/hanaper" issue --pipeline web --name localhost --key-out "$work/key.pem" --out "$work/chain.pem" "${with[@]}"
check "OpenSSL reads the certificate" says "localhost" openssl x509 -in "$work/chain.pem" -noout -ext subjectAltName

for page in man1/hanaper.1 man5/hanaper.toml.5 man8/hanaperd.8; do
  check "$page is installed" test -s "$prefix/share/man/$page"
  if ! command -v man > /dev/null || ! command -v groff > /dev/null; then
    skip man "man or groff is not installed: nobody looked at $page"
    continue
  fi
  LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$prefix/share/man/$page" 2> "$work/warnings" > "$work/troff"
  check "groff warns of nothing in $page" test -s "$work/troff" -a ! -s "$work/warnings" || sed 's/^/    /' "$work/warnings"
  LC_ALL=C.UTF-8 man -l "$prefix/share/man/$page" 2> /dev/null | col -b > "$work/page"
  check "$page names its parts" grep -q "EXIT STATUS\|^PLUGINS" "$work/page"
done
check "the manual explains --key-out" grep -q -- 'key.-out' "$prefix/share/man/man1/hanaper.1"

# Every key of every table, as sample knows them.
missing_keys() {
  local table kind
  for table in $("$prefix/bin/hanaper" sample); do
    "$prefix/bin/hanaper" sample "$table" | sed -nE 's/^#?([a-z0-9_.]+) = .*/\1/p' | sed 's/-/\\-/g' | while read -r key; do
      grep -qF ".BR $key " "$prefix/share/man/man5/hanaper.toml.5" || echo "$table: $key"
    done
  done
}
check "the configuration's manual names every key" bash -c "$(declare -f missing_keys); prefix=$prefix; missing_keys | tee '$work/missing'; [ ! -s '$work/missing' ]"

complete_words() {  # WORD... -> what bash would offer for the last one
  bash -c 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hanaper; printf "%s\n" "${COMPREPLY[@]}"' \
    "$prefix/share/bash-completion/completions/hanaper" "$@"
}
check "completion knows the commands" says "revoke" complete_words hanaper rev
check "completion knows a command's options" says "--key-type" complete_words hanaper issue --key
check "completion knows an option's values" says "ed25519" complete_words hanaper issue --key-type e
check "completion knows the reasons" says "keyCompromise" complete_words hanaper revoke --reason key
check "completion knows the kinds of plugins" says "authenticator" complete_words hanaper new-plugin auth
check "completion is registered with bash" \
  bash -c 'source "$0"; complete -p hanaper' "$prefix/share/bash-completion/completions/hanaper"

flags=$(sed -n 's/^HANAPER_SANITIZER:[A-Z]*=//p' "$build/CMakeCache.txt")
[ -z "$flags" ] || flags="-fsanitize=$flags"
check "the SDK is installed, and what is private to this tree stays here" sh -c "
  ls '$prefix'/lib*/cmake/HanaperSDK '$prefix'/lib/*/cmake/HanaperSDK 2>/dev/null | grep -q HanaperSDKConfig.cmake &&
  ! grep -rn 'hanaper_flags\|Boost\|$source' '$prefix'/lib*/cmake/HanaperSDK '$prefix'/lib/*/cmake/HanaperSDK 2>/dev/null"
check "the conformance kit is there" test -x "$prefix/bin/hanaper-kit"

# The toolkit and the fakes as a static library, from the outside.
mkdir "$work/user"
cat > "$work/user/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
find_package(HanaperSDK REQUIRED)
add_executable(user user.cpp)
target_link_libraries(user PRIVATE HanaperSDK::testing)
END
cat > "$work/user/user.cpp" <<'END'
#include <hanaper/testing/fake_host.hpp>
#include <hanaper/toolkit/json.hpp>

int main() {
  hanaper::fakes::FakeHost host;
  const auto value = hanaper::json::parse("{\"a\":1}");
  return value && host.public_url() == "https://pki.example.test/plugin" ? 0 : 1;
}
END
check "a test of a stranger's plugin finds fakes and toolkit" cmake -G Ninja -S "$work/user" -B "$work/user/build" \
  -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_FLAGS="$flags"
check "it builds and links" cmake --build "$work/user/build"
check "it runs" "$work/user/build/user"

end
