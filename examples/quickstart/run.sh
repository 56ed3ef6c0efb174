#!/usr/bin/env bash
# From a fresh checkout to a certificate in certbot's hands: installs what is missing, builds, makes a CA, starts
# hanaperd, and lets certbot obtain, renew and revoke a certificate against it; OCSP and CRL say what becomes of it.
#
#   --once              stop the daemon at the end; without, it is left running
#   --state DIR         state folder; default state/ in the checkout
#   --https PORT        ACME over TLS; default 8443
#   --http PORT         OCSP, CRLs; default 8080
#   --status PORT       health, metrics; default 8081
#   --challenge PORT    where certbot answers http-01; default 5002
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

once= state=$root/state https=8443 http=8080 status=8081 challenge=5002
while [ $# -gt 0 ]; do
  case $1 in
    --once) once=1 ;;
    --state | --https | --http | --status | --challenge)
      [ $# -ge 2 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unexpected \"$1\"; see --help" >&2; exit 2 ;;
  esac
  shift
done
case $state in /*) ;; *) state=$PWD/$state ;; esac

step() { printf '\n== %s\n' "$*"; }

step "packages"
. tests/packages.sh
install_packages $(build_packages) $(quickstart_packages)

step "build"
cmake --preset release ${HANAPER_CMAKE_ARGUMENTS--DHANAPER_TESTS=OFF} >/dev/null
cmake --build --preset release | tail -n 1

bin=$root/build/release/bin
settings=(-c "$root/config/embedded.toml" --set "node.state=$state"
  --set "listener.public.bind=127.0.0.1:$https" --set "listener.plain.bind=127.0.0.1:$http"
  --set "listener.status.bind=127.0.0.1:$status"
  --set "protocol.acme.http_01_port=$challenge")
hanaper() { "$bin/hanaper" "$@" "${settings[@]}"; }
ready() { curl -fsS -o /dev/null "http://127.0.0.1:$status/health/ready" 2>/dev/null; }

step "state folder, keys and authorities in $state"
pid=
if [ -S "$state/control.sock" ] && ready; then
  pid=$(cat "$state/lock")
  echo "hanaperd runs already, process $pid"
else
  hanaper init
  step "hanaperd"
  "$bin/hanaperd" "${settings[@]}" >>"$state/hanaperd.log" 2>&1 &
  pid=$!
  disown
  for _ in $(seq 100); do
    ready && break
    kill -0 "$pid" 2>/dev/null || { tail -n 5 "$state/hanaperd.log" >&2; exit 1; }
    sleep 0.1
  done
  ready || { echo "run.sh: hanaperd is not ready; $state/hanaperd.log says why" >&2; exit 1; }
  echo "ready, process $pid, log in $state/hanaperd.log"
fi
stop() {
  kill "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
}
[ -z "$once" ] || trap stop EXIT
hanaper plan

step "certbot obtains a certificate by http-01"
hanaper show --authority root --pem >"$state/root.pem"
export REQUESTS_CA_BUNDLE=$state/root.pem
name=quickstart.localhost
certbot() {
  local said outcome=0
  said=$(command certbot -n --config-dir "$state/certbot" --work-dir "$state/certbot/work" --logs-dir "$state/certbot/log" \
    --server "https://localhost:$https/acme/directory" "$@" 2>&1) || outcome=$?
  grep -vE '^(Saving debug log|$|- -|If you like|.*Donating|Certbot has set up)' <<<"$said" || true
  return $outcome
}
live=$state/certbot/live/$name
certbot certonly --agree-tos -m operator@example.test --no-eff-email --force-renewal --cert-name "$name" -d "$name" \
  --standalone --http-01-address 127.0.0.1 --http-01-port "$challenge"
openssl verify -CAfile "$state/root.pem" -untrusted "$live/chain.pem" "$live/cert.pem"
hanaper show "$live/cert.pem"
first=$(openssl x509 -noout -serial -in "$live/cert.pem")

step "certbot renews it"
certbot renew --force-renewal --no-random-sleep-on-renew
second=$(openssl x509 -noout -serial -in "$live/cert.pem")
[ "$first" != "$second" ] || { echo "run.sh: the certificate was not renewed" >&2; exit 1; }
echo "${first#serial=} is followed by ${second#serial=}"

step "OCSP says that it is good"
hanaper show --authority issuing --pem >"$state/issuing.pem"
status_of() {
  local said
  said=$(openssl ocsp -issuer "$state/issuing.pem" -cert "$live/cert.pem" -url "http://127.0.0.1:$http/ocsp" \
    -CAfile "$state/root.pem" 2>&1) || true
  echo "$said"
  grep -q ": $1\$" <<<"$said"
}
status_of good || { echo "run.sh: OCSP does not say that the certificate is good" >&2; exit 1; }

step "certbot revokes it"
certbot revoke --cert-name "$name" --reason superseded --no-delete-after-revoke
hanaper show "$live/cert.pem" | tee "$state/shown"
grep -q '^state *revoked' "$state/shown" || { echo "run.sh: the certificate is not revoked" >&2; exit 1; }
rm -f "$state/shown"

step "OCSP says that it is revoked, and so does the next CRL"
status_of revoked || { echo "run.sh: OCSP does not say that the certificate is revoked" >&2; exit 1; }
entry=
for _ in $(seq 50); do
  entry=$(curl -fsS "http://127.0.0.1:$http/crl/issuing.crl" | openssl crl -inform DER -noout -text | grep -A 4 "${second#serial=}" || true)
  [ -z "$entry" ] || break
  sleep 0.1
done
[ -n "$entry" ] || { echo "run.sh: the certificate is not on the CRL" >&2; exit 1; }
echo "$entry"
hanaper audit verify

if [ -n "$once" ]; then
  step "done; hanaperd stops"
  exit 0
fi
step "hanaperd runs on, process $pid"
cat <<EOF
ACME directory   https://localhost:$https/acme/directory
TLS root         $state/root.pem
OCSP             http://127.0.0.1:$http/ocsp
CRL              http://127.0.0.1:$http/crl/issuing.crl
readiness        http://127.0.0.1:$status/health/ready
metrics          http://127.0.0.1:$status/metrics
commands         $bin/hanaper list ${settings[*]}
stop             kill $pid
EOF
