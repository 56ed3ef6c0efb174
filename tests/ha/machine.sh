#!/bin/bash
# machine.sh NAME FOLDER: the first process of a machine, in namespaces of its own (mounts, network, processes, name). What it
# keeps lies in FOLDER and outlives it: /etc as an overlay over this machine's, /var/lib/hanaper, /var/lib/mysql, logs. When it
# is killed the kernel ends every process with it, as a power cut does.
set -eu
name=$1 folder=$2
hostname "$name"
rm -rf "$folder/run"  # as at every boot
mkdir -p "$folder"/{etc,etc.work,lib,lib.work,run/lab,run/home,state,mysql,log}
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$folder/etc,workdir=$folder/etc.work" /etc
mount -t overlay overlay -o "lowerdir=/var/lib,upperdir=$folder/lib,workdir=$folder/lib.work" /var/lib
mkdir -p /var/lib/hanaper /var/lib/mysql
mount --bind "$folder/state" /var/lib/hanaper
mount --bind "$folder/mysql" /var/lib/mysql
mount --bind "$folder/log" /var/log
mount --bind "$folder/../opt" /opt
mount --bind "$folder/run" /run
if ! grep -q '^hanaper:' /etc/passwd; then
  echo 'hanaper:x:64990:64990::/var/lib/hanaper:/usr/sbin/nologin' >> /etc/passwd
  echo 'hanaper:x:64990:' >> /etc/group
fi
chown hanaper:hanaper /var/lib/hanaper
chmod 700 /var/lib/hanaper
chown mysql:mysql /var/lib/mysql
mount -t tmpfs tmpfs /tmp
ip link set lo up
touch /run/lab/up
# Whoever is left without a parent is this one's to bury.
while :; do
  sleep 3600 &
  wait $! || :
done
