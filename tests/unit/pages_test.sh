#!/bin/bash
# pages_test.sh SOURCE: README.md leads to every page, and no link of a page leads nowhere.
set -u
source=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
cd "$source" || exit 1

# Without build folders, and without templates, which are for a form.
pages=$(find . -name '*.md' -not -path './build/*' -not -path './config/ha/*' -not -path './.git*' | sed 's,^\./,,' | sort)
links() { grep -oE '\]\([^)#: ]+[)#]' "$1" | sed 's,](,,; s,[)#]$,,'; }
check "there are pages" test "$(wc -l <<< "$pages")" -gt 20
links README.md | sort -u > "$work/index"
for page in $pages; do
  [ "$page" = README.md ] || check "README.md leads to $page" grep -qxF "$page" "$work/index"
  links "$page" | sort -u > "$work/links"
  while read -r link; do
    check "$page: $link is there" test -e "${page%"${page##*/}"}$link"
  done < "$work/links"
done
end
