#!/bin/bash
# howto_test.sh BUILD SOURCE PAGE: every block of examples/howto/PAGE.md is run, in its order, as somebody would who reads it:
# word for word, in an empty folder, on a machine of its own (a network, processes and names of hosts that nobody else has).
#
# A block ```sh is run, a block ```KIND FILE becomes that file. <!-- test: COMMAND --> is run and not shown: what a reader does
# not do, such as to look whether it came out right.
set -u
build=$(realpath "$1") source=$(realpath "$2") page=$3
here=$(realpath "${0%/*}")

if [ -z "${HANAPER_HOWTO_INSIDE-}" ]; then
  unshare --mount --net --pid --fork true 2> /dev/null || {
    echo "SKIP namespaces: none can be made here: nobody did what $page.md says"
    exit 77
  }
  exec env HANAPER_HOWTO_INSIDE=1 unshare --mount --net --pid --fork --kill-child --propagation private --mount-proc "$0" "$@"
fi

for program in jq nginx curl; do
  grep -qE "(^|[ |])$program " "$source/examples/howto/$page.md" || continue
  command -v $program > /dev/null || { echo "SKIP $program: it is not installed: nobody did what $page.md says"; exit 77; }
done

umask 022
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
. "$here/../checks.sh"

# The machine: its own loopback, and the names of the pages.
ip link set lo up
{ cat /etc/hosts; echo "127.0.0.1 pki.example.test www.example.test"; } > "$work/hosts"
mount --bind "$work/hosts" /etc/hosts
mkdir "$work/folder" "$work/bin" "$work/home"
printf '#!/bin/sh\ncat >> %s/mails\necho ---- >> %s/mails\n' "$work" "$work" > "$work/bin/sendmail"
chmod 755 "$work/bin/sendmail"
export PATH=$build/bin:$work/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=$work/home
export MAILS=$work/mails TOOLS=$here HANAPER_DOC=$source

awk '
  /^```sh$/ { mode = "sh"; print "echo \"== block " ++count "\""; next }
  /^```[a-z]+ [^ ]+$/ { mode = "file"; print "cat > " $2 " <<\"END OF BLOCK\""; next }
  /^```/ && mode == "" { mode = "shown"; next }
  /^```$/ { if (mode == "file") print "END OF BLOCK"; if (mode == "sh") print "echo \"== block done\""; mode = ""; next }
  mode == "sh" || mode == "file" { print }
  mode == "" && /^<!-- test: .* -->$/ { sub(/^<!-- test: /, ""); sub(/ -->$/, ""); print }
' "$source/examples/howto/$page.md" > "$work/steps"
blocks=$(grep -c '^```sh$' "$source/examples/howto/$page.md")
check "$page.md has steps" test "$blocks" -ge 1

cd "$work/folder" || exit 1
check "they can be done one after the other" bash -euo pipefail "$work/steps" || {
  for log in hanaperd.log nginx.log; do [ ! -s $log ] || { echo "    $log:"; tail -n 20 $log | sed 's/^/    /'; }; done
}
cp "$work/said" "$work/steps.log"
check "all of them" test "$(grep -c '^== block done' "$work/steps.log")" -eq "$blocks"
[ -z "${HANAPER_HOWTO_SAID-}" ] || cat "$work/steps.log"
grep -h '^took: ' "$work/steps.log"

# Every file that the page links to is there.
while read -r link; do
  check "the link to $link leads somewhere" test -e "$source/examples/howto/$link"
done < <(grep -oE '\]\([^)#:]+\)' "$source/examples/howto/$page.md" | tr -d '()]' | sort -u)
check "the list of pages has it" grep -qF "[$page.md]($page.md)" "$source/examples/howto/README.md"
end
