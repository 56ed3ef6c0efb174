#!/bin/bash
# new_plugin_test.sh BUILD SOURCE: what `hanaper new-plugin` makes builds, passes its kit and is loaded, for every kind.
set -u
build=$1 source=$2 name=new-plugin
. "${0%/*}/stranger.sh"
cd "$work" || exit 1

kinds=$(hanaper new-plugin none x 2>&1 | sed -n 's/.*; there are //p' | tr -d ,)
own_keys() { hanaper sample "$1" | sed -nE 's/^#?([a-z_]+) = .*/\1/p' | grep -vxE 'plugin|listener|path|url|authenticate|since|events'; }
check "there are kinds" test "$(wc -w <<< "$kinds")" -ge 8
for kind in $kinds; do
  check "$kind: is made" hanaper new-plugin "$kind" my-own || continue
  check "$kind: finds the SDK" cmake -S "$kind-my-own" -B "$kind-my-own/build"
  check "$kind: builds without a warning" cmake --build "$kind-my-own/build" || continue
  check "$kind: passes its kit" says "100% tests passed, 0 tests failed out of 1" \
    ctest --test-dir "$kind-my-own/build" --output-on-failure
  check "$kind: installs" cmake --install "$kind-my-own/build" --prefix "$prefix"
  check "$kind: is loaded" says "my-own" hanaper sample "$kind.my-own"
  check "$kind: leaves nothing unfilled" bash -c "! grep -rn '@[A-Za-z_]*@' $kind-my-own/*.* $kind-my-own/.gitignore"
  headings=$(sed -n 's/^## //p' "$kind-my-own/README.md" | tr '\n' ' ')
  check "$kind: its page has the parts of ours" \
    test "$headings" = "Name Description Configuration Examples Metrics Readiness Divergences "
  own_keys "$kind.my-own" > keys
  check "$kind: its page names every key" bash -c 'test -s keys && while read -r key; do
    grep -q "^| \`$key\` |" "$0" || { echo "$key is missing"; exit 1; }; done < keys' "$kind-my-own/README.md"
done

check "nothing is refused" says "plugins in" hanaper plugins
check "it goes where --folder says" hanaper new-plugin policy other --folder deep/down
check "others may read it" test "$(stat -c %a deep/down deep/down/plugin.cpp | tr '\n' ' ')" = "755 644 "
printf 'precious\n' > precious
mkdir empty
ln -s nowhere dangling
while IFS='|' read -r status said words; do
  # shellcheck disable=SC2086  # words are words
  check "refused: $words" refuses "$status" "$said" hanaper new-plugin $words
done <<'TABLE'
1|policy-my-own: exists already; name another folder with --folder|policy my-own
1|empty: exists already|policy x --folder empty
1|precious: exists already|policy x --folder precious
1|dangling: exists already|policy x --folder dangling
1|precious/below: |policy x --folder precious/below
2|no kind "polcy"; did you mean "policy"?|polcy x
2|"My-Own" is no plugin name|policy My-Own
2|"my_own" is no plugin name|policy my_own
2|"a--b" is no plugin name|policy a--b
2|"a-" is no plugin name|policy a-
2|"1a" is no plugin name|policy 1a
2|"../a" is no plugin name|policy ../a
2|"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is no plugin name|policy aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
2|KIND NAME is missing|policy
TABLE
check "and what was there stays" test "$(cat precious)" = precious
end
