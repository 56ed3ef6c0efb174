#!/bin/bash
# run.sh [--long] [NAME...]: two sites and an arbiter as examples/howto/two-sites.md sets them up, in namespaces of this machine:
# MariaDB with Galera, garbd, keepalived, two daemons, clients. What befalls them stands in ha_test.py.
#
#   --long    all of it; without, what is done within four minutes
#   NAME      only what begins so, as in "site a"
#
# Ends with 77, and says what is missing, where it cannot be done.
set -u
here=$(realpath "${0%/*}")

lacks() { echo "SKIP $1: $2: no site has failed"; exit 77; }
for need in mariadb:mariadbd mariadb:galera_recovery mariadb:mariabackup mariadb:garbd keepalived:keepalived nft:nft iproute2:ip \
    socat:socat openssl:openssl setpriv:setpriv nsenter:nsenter; do
  command -v "${need#*:}" > /dev/null || lacks "${need%:*}" "${need#*:} is not installed"
done
[ -e /usr/lib/galera/libgalera_smm.so ] || lacks mariadb "galera-4 is not installed"
/usr/bin/python3 -c 'import cryptography' 2> /dev/null || lacks python3-cryptography "it is not installed"
[ "$(id -u)" -eq 0 ] || lacks root "the user is another"
unshare --mount --net --pid --uts --fork true 2> /dev/null || lacks namespaces "none can be made here"
unshare --mount --net sh -c 'ip link add br0 type bridge && ip link add x type veth peer name y && nft add table ip x &&
  mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w && mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc' 2> /dev/null ||
  lacks namespaces "no bridge, veth, nft or overlay in them"

# Whatever hangs does not hang for ever.
seconds=600
for word; do [ "$word" != --long ] || seconds=1500; done
exec timeout --kill-after=30 $seconds /usr/bin/python3 "$here/ha_test.py" "$@"
