#!/bin/bash
# package_inside.sh: on a machine that may be spoilt, installs the packages beside it and does what an operator does.
set -u
cd "$(dirname "$0")" || exit 1
work=/tmp/inside
mkdir $work
. ./checks.sh
as_hanaper() { runuser -u hanaper -- "$@"; }

export DEBIAN_FRONTEND=noninteractive
check "dpkg installs them" dpkg -i hanaper_*.deb hanaper-dev_*.deb || end
check "what is on disk is what was packed" test -z "$(dpkg --verify hanaper hanaper-dev)"
check "there is a user" getent passwd hanaper
check "the state folder is his" test "$(stat -c '%a %U %G' /var/lib/hanaper)" = "700 hanaper hanaper"
check "the unit is well formed" systemd-analyze verify /usr/lib/systemd/system/hanaper.service
check "every plugin is taken" says "plugins in /usr/lib/hanaper/plugins:" hanaper plugins

# The first steps, as the sample says.
check "root is told who should do it" refuses 1 "runuser -u hanaper -- " hanaper init
check "init makes the authorities" says "authority issuing: created" as_hanaper hanaper init
check "check finds nothing wrong" says "/etc/hanaper/hanaper.toml: ok" as_hanaper hanaper check
check "what is made is the daemon's alone" test -z "$(find /var/lib/hanaper ! -user hanaper -o -perm /077)"

# As the unit starts it: its user, one capability, no way to more, a file system to read, a socket for READY=1; on a low port.
with=(--set listener.public.bind=127.0.0.1:443)
watch=()
if as_hanaper strace -o /dev/null true 2> /dev/null; then
  watch=(strace -f -qq -o /tmp/calls)
  install -o hanaper /dev/null /tmp/calls
else
  skip strace "it is not installed or may not: nobody compared system calls with the unit's filter"
fi
cat > $work/start.py <<'END'
import os, socket, subprocess, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind("/run/notify")
os.chmod("/run/notify", 0o666)
notify.settimeout(60)
log = open("/tmp/daemon.log", "wb")
subprocess.Popen(sys.argv[1:], env={"NOTIFY_SOCKET": "/run/notify", "PATH": "/usr/bin:/bin"}, stdout=log, stderr=log)
while b"READY=1" not in notify.recv(4096):
    pass
END
cat > $work/strict <<'END'
#!/bin/bash -e
# ProtectSystem=strict with StateDirectory=hanaper; /tmp is left for the trace.
mount --make-rprivate /
mount --bind /var/lib/hanaper /var/lib/hanaper
for place in / /run; do mount -o remount,bind,ro "$place"; done
! touch /etc/hanaper/x /run/x 2> /dev/null
exec "$@"
END
chmod +x $work/strict
cap=net_bind_service
check "the daemon says that it is ready" python3 $work/start.py unshare --mount $work/strict setpriv --reuid hanaper --regid hanaper --clear-groups \
  --bounding-set -all,+$cap --inh-caps -all,+$cap --ambient-caps -all,+$cap --no-new-privs "${watch[@]}" hanaperd "${with[@]}" ||
  { cat /tmp/daemon.log; end; }
pid=$(cat /var/lib/hanaper/lock)
check "it runs as hanaper" test "$(stat -c %U "/proc/$pid")" = hanaper
check "in a file system that it cannot write" grep -qE '^[0-9]+ [0-9]+ [^ ]+ / / ro' "/proc/$pid/mountinfo"
check "with nothing but the low ports" grep -qE '^CapEff:\s*0000000000000400$' "/proc/$pid/status"
check "a certificate is issued" as_hanaper bash -c \
  'cd && umask 077 && hanaper issue --name a.example.test --key-out /tmp/a.key --out /tmp/a.pem'
check "root sees it too" says "a.example.test" hanaper list
check "root's authority is shown" bash -c "hanaper show --authority root --pem > /tmp/root.pem"
check "OpenSSL trusts it" openssl verify -x509_strict -CAfile /tmp/root.pem -untrusted /tmp/a.pem /tmp/a.pem
check "and the listener" bash -c "openssl s_client -connect 127.0.0.1:443 -servername localhost -verify_hostname localhost \
  -CAfile /tmp/root.pem -verify_return_error < /dev/null"
check "a name that is not ours is refused" refuses 1 "not among the permitted names" \
  as_hanaper hanaper issue --name example.com --key-out /tmp/b.key
check "it reads its configuration again" bash -c "kill -HUP $pid; for i in \$(seq 100); do grep -q 'nothing changed' /tmp/daemon.log && exit 0; sleep 0.1; done; exit 1"
check "a backup is written while it runs" as_hanaper hanaper backup /tmp/backup.tar
check "the audit is whole" says "ok" hanaper audit verify
check "it ends when told to" bash -c "kill -TERM $pid; for i in \$(seq 300); do [ -d /proc/$pid ] || exit 0; sleep 0.1; done; exit 1"
check "in order" grep -q stopped /tmp/daemon.log
if [ ${#watch[@]} -gt 0 ]; then
  check "its unit allows every system call that it made" python3 ./unit_calls.py /usr/lib/systemd/system/hanaper.service /tmp/calls
  (cat /tmp/calls; echo "1 clock_adjtime(") > $work/calls
  check "and one to ask whether the clock is kept in step" python3 ./unit_calls.py /usr/lib/systemd/system/hanaper.service $work/calls
  check "and would not allow another" bash -c "! python3 ./unit_calls.py <(echo SystemCallFilter=@basic-io) /tmp/calls"
  # ProcSubset=pid, PrivateDevices=yes.
  check "of /proc it read only itself" bash -c "! grep -E 'open.*\"/proc/' /tmp/calls | grep -vE '\"/proc/(self|thread-self|[0-9]+)/'"
  check "of /dev nothing but what everybody has" bash -c "! grep -E 'open.*\"/dev/' /tmp/calls | grep -vE '\"/dev/(null|zero|random|urandom|tty|log)\"'"
fi
check "what it made is its own alone" test -z "$(find /var/lib/hanaper ! -user hanaper -o -perm /077)"

# The SDK of the packages.
if command -v cmake > /dev/null && command -v g++ > /dev/null; then
  cd /root || exit 1
  check "a plugin is begun" hanaper new-plugin policy my-own
  check "it finds the SDK by itself" cmake -S policy-my-own -B policy-my-own/build
  check "it builds" cmake --build policy-my-own/build
  check "it passes its kit" ctest --test-dir policy-my-own/build --output-on-failure --no-tests=error
  check "it installs" cmake --install policy-my-own/build --prefix /usr
  check "it is loaded" says "my-own" hanaper plugins
fi

echo '# mine' >> /etc/hanaper/hanaper.toml
check "installing again" dpkg -i /tmp/packages/hanaper_*.deb
check "leaves a changed configuration alone" grep -q '^# mine' /etc/hanaper/hanaper.toml
check "dpkg removes them" dpkg -r hanaper-dev hanaper
check "the configuration stays" test -f /etc/hanaper/hanaper.toml
check "dpkg purges them" says "keys and ledger stay in /var/lib/hanaper" dpkg -P hanaper hanaper-dev
check "the configuration goes" test ! -e /etc/hanaper
check "keys and ledger stay" test -f /var/lib/hanaper/keys/root.pem -a -f /var/lib/hanaper/hanaper.db
end
