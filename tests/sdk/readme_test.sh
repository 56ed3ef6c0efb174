#!/bin/bash
# readme_test.sh BUILD SOURCE: every block of sdk/README.md is run, in its order, as somebody would who reads it.
set -u
build=$(realpath "$1") source=$(realpath "$2") name=readme
. "${0%/*}/stranger.sh"
readme=$source/sdk/README.md

# A checkout that has been built, a home that is empty, and no SDK but the one that the page installs.
rm -rf "$prefix"
unset CMAKE_PREFIX_PATH
export HOME=$work/home
mkdir -p "$HOME" "$work/checkout/build"
ln -s "$build" "$work/checkout/build/release"

# Each ```sh block becomes a part of one script, each ```cpp FILE block a file at that point of it.
awk '
  /^```sh$/ { mode = "sh"; next }
  /^```cpp / { mode = "file"; print "cat > " $2 " <<\"END OF BLOCK\""; next }
  /^```$/ && mode != "" { print mode == "file" ? "END OF BLOCK" : "echo \"== block done\""; mode = ""; next }
  mode != "" { print }
' "$readme" > "$work/steps"
blocks=$(grep -c '^```sh$' "$readme") files=$(grep -c '^```cpp ' "$readme")
check "the page has steps" test "$blocks" -ge 4 -a "$files" -eq 1

start=$SECONDS
cd "$work/checkout" || exit 1
check "they can be done one after the other" bash -euo pipefail "$work/steps"
cp "$work/said" "$work/steps.log"
check "all of them" test "$(grep -c '^== block done' "$work/steps.log")" -eq "$blocks"
echo "a quarter of an hour is 900 s; this took $((SECONDS - start)) s"

cd "$HOME" || exit 1
PATH=$HOME/hanaper/bin:$PATH
check "the plugin is loaded" grep -q "at-least.*refuses certificates with few names" "$work/steps.log"
check "its sample is printed" grep -q "^\[policy.at-least\]" "$work/steps.log"
check "a certificate of two names is issued" says "DNS:pki.localhost" \
  openssl x509 -in policy-at-least/two.pem -noout -ext subjectAltName
check "one of one name is refused" grep -q "too few names" "$work/steps.log"
check "and leaves no file" test ! -e policy-at-least/one.pem -a ! -e policy-at-least/one.key

# What the page says of CMakeLists.txt is what the skeleton has.
awk '/^```cmake$/ { on = 1; next } /^```$/ { on = 0 } on' "$readme" > "$work/lines"
check "the lines of CMake are the skeleton's" \
  bash -c 'while read -r line; do grep -qxF "$line" "$1" || { echo "$line"; exit 1; }; done < "$0"' "$work/lines" policy-at-least/CMakeLists.txt

# Every file the page names is there.
while read -r link; do
  check "the link to $link leads somewhere" test -e "$source/sdk/$link"
done < <(grep -oE '\]\([^)#]+\)' "$readme" | tr -d '()]' | sort -u)
end
