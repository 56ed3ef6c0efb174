#!/bin/bash
# package_test.sh BUILD SOURCE: the Debian packages of a build folder hold what they should, install into a machine of their
# own (this one, seen through an overlay, without this source tree), and make a daemon that runs as its unit would run it.
set -u
build=$(realpath "$1") source=$(realpath "$2")
here=$(realpath "${0%/*}")
umask 022
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
. "$here/../checks.sh"

for program in cpack dpkg-deb dpkg-shlibdeps; do
  command -v $program > /dev/null || { skip dpkg-dev "$program is not installed: no package was made"; end; }
done
if grep -qE '^HANAPER_(SANITIZER|COVERAGE):[A-Z]*=(address|thread|ON)' "$build/CMakeCache.txt"; then
  skip setup "an instrumented build makes no packages"
  end
fi

cd "$build" || exit 1
check "cpack makes the packages (build every target first)" cpack -G DEB -B "$work" || end
main=$(ls "$work"/hanaper_*.deb) dev=$(ls "$work"/hanaper-dev_*.deb)
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:[A-Z]*=//p' CMakeCache.txt)

field() { dpkg-deb -f "$1" "$2"; }
files() { dpkg-deb -c "$1" | awk '{print $1, $2, $6}'; }
check "they are called hanaper and hanaper-dev" test "$(field "$main" Package) $(field "$dev" Package)" = "hanaper hanaper-dev"
check "they are of this version" test "$(field "$main" Version) $(field "$dev" Version)" = "$version $version"
for library in libc6 libstdc++6 libssl3 libsoci-core libsqlite3-0 libunbound8; do
  check "hanaper depends on $library" grep -qF "$library" <<< "$(field "$main" Depends)"
done
check "and on what makes its user" grep -qF "systemd | systemd-sysusers" <<< "$(field "$main" Depends)"
check "hanaper-dev depends on the same hanaper" grep -qF "hanaper (= $version)" <<< "$(field "$dev" Depends)"
check "and on OpenSSL's headers" grep -qF "libssl-dev" <<< "$(field "$dev" Depends)"
check "the configuration is a conffile" test "$(dpkg-deb -I "$main" conffiles)" = /etc/hanaper/hanaper.toml

files "$main" > "$work/main.list"
files "$dev" > "$work/dev.list"
while read -r mode path; do
  check "hanaper has $path" grep -qxF -- "$mode root/root .$path" "$work/main.list"
done <<'LIST'
-rwxr-xr-x /usr/bin/hanaper
-rwxr-xr-x /usr/bin/hanaperd
-rw-r--r-- /usr/lib/hanaper/plugins/storage-sqlite.so
-rw-r--r-- /usr/lib/hanaper/plugins/protocol-acme.so
-rw-r--r-- /etc/hanaper/hanaper.toml
-rw-r--r-- /usr/lib/systemd/system/hanaper.service
-rw-r--r-- /usr/lib/sysusers.d/hanaper.conf
-rw-r--r-- /usr/lib/tmpfiles.d/hanaper.conf
-rw-r--r-- /usr/share/man/man1/hanaper.1
-rw-r--r-- /usr/share/man/man5/hanaper.toml.5
-rw-r--r-- /usr/share/man/man8/hanaperd.8
-rw-r--r-- /usr/share/bash-completion/completions/hanaper
-rw-r--r-- /usr/share/hanaper/embedded.toml
-rw-r--r-- /usr/share/hanaper/ha/README.md
-rw-r--r-- /usr/share/hanaper/ha/site/etc/keepalived/keepalived.conf
-rw-r--r-- /usr/share/hanaper/ha/arbiter/etc/default/garb
-rw-r--r-- /usr/share/hanaper/hanaper.spdx.json
-rw-r--r-- /usr/share/doc/hanaper/copyright
-rw-r--r-- /usr/share/doc/hanaper/README.md
-rw-r--r-- /usr/share/doc/hanaper/CHANGELOG.md
-rw-r--r-- /usr/share/doc/hanaper/host/README.md
-rw-r--r-- /usr/share/doc/hanaper/plugins/protocol/acme/README.md
-rw-r--r-- /usr/share/doc/hanaper/plugins/keys/softtoken/README.md
-rw-r--r-- /usr/share/doc/hanaper/examples/howto/README.md
-rw-r--r-- /usr/share/doc/hanaper/examples/howto/offline-root.md
-rw-r--r-- /usr/share/doc/hanaper/config/acme.toml
-rw-r--r-- /usr/share/doc/hanaper/config/devices.toml
-rw-r--r-- /usr/share/doc/hanaper/config/monitoring/hanaper.rules.yml
-rw-r--r-- /usr/share/doc/hanaper/config/monitoring/hanaper.json
LIST
for path in /usr/bin/hanaper-kit /usr/include/hanaper/plugin.hpp /usr/share/doc/hanaper-dev/copyright; do
  check "hanaper-dev has $path" grep -qF " .$path" "$work/dev.list"
done
check "every plugin of the tree is packaged" test "$(ls lib/hanaper/plugins/*.so | wc -l)" -eq "$(grep -c '/plugins/.*\.so$' "$work/main.list")"
check "every page of the tree is packaged" test "$(cd "$source" && find *.md host plugins examples sdk tests -name '*.md' | wc -l)" -eq \
  "$(grep -c '/usr/share/doc/hanaper/.*\.md$' "$work/main.list")"
mkdir "$work/doc" && dpkg-deb --fsys-tarfile "$main" | tar -x -C "$work/doc" ./usr/share/doc
check "every link of a packaged page leads somewhere" bash -c 'cd "$0" || exit 1
  find . -name "*.md" | while read -r page; do
    awk "/^\`\`\`/ { code = !code } !code" "$page" | grep -oE "\]\([^)#:]+\.(md|toml|json|yml)" | cut -c 3- | while read -r link; do
      [ -e "${page%/*}/$link" ] || echo "$page: $link"
    done
  done | tee lost; [ ! -s lost ]' "$work/doc/usr/share/doc/hanaper"
check "no file is in both" test -z "$(cat "$work/main.list" "$work/dev.list" | grep -v '/$' | sort | uniq -d)"
check "everything is root's, and nobody else may write it" \
  bash -c '! cat "$0/main.list" "$0/dev.list" | grep -vE "^[d-]rw[x-]r-[x-]r-[x-] root/root "' "$work"
check "nothing lies outside /usr and /etc/hanaper" bash -c '! sed "s/^[^ ]* [^ ]* \.//" "$0/main.list" "$0/dev.list" | grep -vE "^/(usr/|etc/(hanaper/.*)?)?$|^/usr/(bin|lib|include|share)/"' "$work"

# The unit, as systemd judges it; the README quotes the figure.
unit=$source/config/systemd/hanaper.service
quoted=$(sed -n 's/.*exposure level of \([0-9.]*\).*/\1/p' "$source/README.md")
check "the README quotes an exposure level" grep -qxE '[0-9]\.[0-9]' <<< "$quoted"
if systemd-analyze security --offline=true "$unit" > "$work/security" 2> /dev/null; then
  check "the unit is hardly exposed" systemd-analyze security --offline=true --threshold=20 "$unit"
  # Each systemd weighs anew; the figure of the README is Debian 12's.
  systemd=$(systemd-analyze --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "$systemd" -ne 252 ] || check "as little as the README says" grep -q "exposure level .*: $quoted " "$work/security"
else
  skip systemd "systemd-analyze is not installed or too old: nobody judged the unit"
fi

if [ "$(id -u)" -ne 0 ]; then
  skip root "the user is another: the packages were not installed"
  end
fi
unshare --mount --net --pid --fork true 2> /dev/null || {
  skip namespaces "none can be made here: the packages were not installed"
  end
}
mkdir "$work/machine"
cp "$here/package_inside.sh" "$here/unit_calls.py" "$here/../checks.sh" "$main" "$dev" "$work/machine"
unshare --mount --net --pid --fork --kill-child --propagation private "$here/package_machine.sh" "$work/machine" "$source" "$build"
status=$?
[ $status -ne 77 ] || skipped=1
check "installed, they do their work" test $status -eq 0 -o $status -eq 77
end
