#!/bin/bash
# ha_templates_test.sh HANAPER: what `hanaper ha templates` writes is taken by the programs it is for, and wrong addresses are not.
set -u
hanaper=$1
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/../checks.sh"
cd "$work" || exit 1

addresses=(--a 192.0.2.11 --b 192.0.2.12 --c 192.0.2.13 --issue 192.0.2.10 --status 192.0.2.20 --back 192.0.2.30)
refused() {  # LINE ARGUMENT...: with status 2 and that line
  local line=$1 said status=0
  shift
  said=$("$hanaper" ha templates "$@" 2>&1 > /dev/null) || status=$?
  [ $status -eq 2 ] && grep -qF -- "$line" <<< "$said" || { echo "    status $status: $said"; return 1; }
}
check "it wants a folder" refused "--out is missing" "${addresses[@]}"
check "it wants every address" refused "--back is missing" --out x "${addresses[@]:0:10}"
check "a name is no address" refused '--a: "db.example.test" is no IPv4 address' --out x --a db.example.test
check "loopback is no address of a machine" refused "--a: 127.0.0.1 is no address of one machine" --out x --a 127.0.0.1
check "two machines of one address are refused" refused "--b and --a are both 192.0.2.11" --out x --a 192.0.2.11 --b 192.0.2.11
check "an address that floats is nobody's own" refused "--back and --issue are both 192.0.2.10" --out x "${addresses[@]:0:10}" --back 192.0.2.10
check "an interface is a word" refused '--interface: "eth0;reboot" is no interface name' --out x "${addresses[@]}" --interface "eth0;reboot"
check "a domain is a domain" refused '--domain: "-.test" is no domain name' --out x "${addresses[@]}" --domain "-.test"
check "and nothing was written" test ! -e x

umask 077
check "it writes" "$hanaper" ha templates --out sites "${addresses[@]}" --interface front --domain example.test
cp -r sites before
check "it does not write again" bash -c "! '$hanaper' ha templates --out sites ${addresses[*]/192.0.2.11/192.0.2.14} 2> said && grep -qF 'sites: exists already' said"
check "what was there is as it was" diff -r sites before
check "nothing is left to fill in" bash -c '! grep -rnE "@[a-z_]+@" sites'
check "everybody may read it" test -z "$(find sites -type f ! -perm 644 -o -type d ! -perm 755)"
check "what both share is the same" diff sites/a/etc/hanaper/shared.toml sites/b/etc/hanaper/shared.toml
check "the README names every file" bash -c 'cd sites && find a b c -type f | while read -r file; do
  [[ $file == *.service.d/* ]] || grep -qF "\`${file#*/}\`" README.md || echo "$file"; done | tee ../lost; [ ! -s ../lost ]'

# The list of accounts is made by hand and lies where the package has its configuration.
mkdir -m 700 state && touch state/accounts && chmod 600 state/accounts
for site in a b; do
  check "hanaper takes the configuration of $site" "$hanaper" check -c sites/$site/etc/hanaper/hanaper.toml --set "node.state=$work/state" \
    --set "authenticator.accounts.file=$work/state/accounts"
done
taken() {  # PROGRAM COMMAND...: where there is the program
  local program=$1
  shift
  command -v "$program" > /dev/null || { skip "$program" "it is not installed: nobody read what is for it"; return; }
  check "$program takes ${*: -1}" "$@"
}
for site in a b; do
  taken mariadbd sh -c 'mariadbd --defaults-file="$1" --wsrep_on=OFF --wsrep_provider=none --help --verbose > options && grep -q "^wsrep-node-name *$0\$" options' \
    $site sites/$site/etc/mysql/mariadb.conf.d/90-galera.cnf
done
if unshare --net true 2> /dev/null; then
  for site in a b; do
    taken keepalived unshare --net sh -c 'ip link add front type veth peer name other && keepalived -t -f "$0"' sites/$site/etc/keepalived/keepalived.conf
  done
  for machine in a b c; do taken nft unshare --net nft -c -f sites/$machine/etc/nftables.conf; done
else
  skip namespaces "none can be made here: keepalived and nft have read nothing"
fi
check "the arbiter's settings are a shell's" sh -c '. sites/c/etc/default/garb && test "$GALERA_NODES" = "192.0.2.11:4567 192.0.2.12:4567"'
end
