#!/bin/bash
# package_machine.sh FOLDER HIDDEN...: runs FOLDER/package_inside.sh on a copy of this machine that is thrown away: an overlay
# over /, with the HIDDEN folders empty. Wants namespaces of its own for mounts, processes and network.
set -u
folder=$1
shift
scratch=$folder.overlay
mkdir "$scratch"
mount -t tmpfs tmpfs "$scratch" || { echo "SKIP mounts: no right to mount: the packages were not installed"; exit 77; }
mkdir "$scratch"/{upper,work,machine}
mount -t overlay overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/machine" || {
  echo "SKIP mounts: no overlay file system: the packages were not installed"
  exit 77
}
cd "$scratch/machine" || exit 1
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
for place in run tmp "$@"; do
  [ ! -d "./$place" ] || mount -t tmpfs tmpfs "./$place"
done
rm -rf ./var/lib/hanaper ./etc/hanaper  # of the overlay
chmod 1777 tmp
cp -r "$folder" tmp/packages
ip link set lo up
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root TMPDIR=/tmp \
  chroot . /bin/bash /tmp/packages/package_inside.sh
