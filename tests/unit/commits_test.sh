#!/bin/bash
# commits_test.sh SOURCE: tests/static/commits.sh takes good messages and refuses each kind of bad one.
set -u
judge=$(realpath "$1")/tests/static/commits.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
command -v git > /dev/null || { skip git "nobody looked at commit messages"; end; }

cd "$work" || exit 1
export HANAPER_SOURCE=$work/tree GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.test GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.test
git init -q tree && cd tree || exit 1
commit() { git commit -q --allow-empty -F -; }
commit <<< "Whatever was written before the rule"
git branch beside
commit <<< "The last one that is free"
git tag v0

check "what is older is exempt" says "0 commits looked at, 0 complaints" "$judge"
commit << 'MESSAGE'
acme: renew accounts before they run out

They were lost when nobody looked.
MESSAGE
commit << 'MESSAGE'
host/node, sdk: give up waiting at the deadline

A wait without one hung for ever.

Co-authored-by: b <b@example.test>
MESSAGE
git checkout -q beside && commit <<< "Made without knowing the rule" && git checkout -q - && git merge -q --no-ff -m "Merge branch 'beside'" beside
check "good ones are taken, and neither a merge nor what it brings from before is judged" says "2 commits looked at, 0 complaints" "$judge"

while IFS='|' read -r sentence why message; do
  printf '%b\n' "$message" | commit
  check "$sentence" refuses 1 "$why" "$judge" HEAD~1..HEAD
done <<'BAD'
a subject is short|has 77 characters in its subject|acme: renew accounts before they run out, in time, each of them, every minute\n\nBecause.
it names its area|does not begin with its area|Renew accounts before they run out\n\nBecause.
an area is not all of it|does not begin with its area|acme:\n\nBecause.
it has no full stop|does not begin with its area|acme: renew accounts.\n\nBecause.
a message says why|has no body|acme: renew accounts before they run out
trailers are no reason|has no body|acme: renew accounts before they run out\n\nSigned-off-by: a <a@example.test>
BAD
end
