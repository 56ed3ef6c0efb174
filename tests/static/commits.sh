#!/usr/bin/env bash
# The form of commit messages: "area: what it does" in at most 72 characters, an empty line, and a body that says why.
#
#   commits.sh [RANGE]     those since the newest tag, or since the commit below; what was merged beside it, and merges, are exempt
set -uo pipefail
export LC_ALL=C.UTF-8
cd "${HANAPER_SOURCE:-$(dirname "$0")/../..}" || exit 1
# The last one that the rule does not bind.
since=729f54e7d9017f342bf351cc4fb29d1b3d860ffc
! tag=$(git describe --tags --abbrev=0 2>/dev/null) || since=$tag
[ $# -gt 0 ] || git merge-base --is-ancestor "$since" HEAD 2>/dev/null ||
  { echo "SKIP history: this clone has no commits as old as the rule"; exit 77; }
range=${1:-$since..HEAD}

failed=0 seen=0
complain() { echo "$commit \"$subject\": $*"; failed=$((failed + 1)); }
while read -r commit; do
  seen=$((seen + 1))
  subject=$(git log -1 --format=%s "$commit")
  [ ${#subject} -le 72 ] || complain "has ${#subject} characters in its subject instead of at most 72"
  [[ $subject =~ ^[a-z0-9][a-z0-9/_,\ -]*:\ [^\ ].*[^.]$ ]] || complain "does not begin with its area, as in \"acme: \", or ends with a full stop"
  [ -n "$(git log -1 --format=%b "$commit" | grep -v '^[A-Za-z-]*-[Bb]y: ')" ] || complain "has no body that says why"
done < <(git rev-list --no-merges --abbrev-commit --ancestry-path "$range" --)
echo "$seen commits looked at, $failed complaints"
[ $failed -eq 0 ]
