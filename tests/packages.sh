# What the project needs from Debian; sourced by tests/run.sh and examples/quickstart/run.sh.
#
#   install_packages PACKAGE...   installs those that are missing; as root, or with sudo
#   unpack_promtool FOLDER        has FOLDER/usr/bin/promtool afterwards

boost_package() {
  # Debian 12 has 1.81 beside its default of 1.74; later ones have it, or newer, as the default.
  if apt-cache show libboost1.81-dev >/dev/null 2>&1; then echo libboost1.81-dev; else echo libboost-dev; fi
}

build_packages() {
  echo g++ cmake ninja-build pkg-config ccache "$(boost_package)" libssl-dev libsoci-dev libsqlite3-dev \
    libmariadb-dev libpq-dev libldap-dev libcurl4-openssl-dev libtomlplusplus-dev libspdlog-dev libunbound-dev libp11-dev libp11-kit-dev openssl \
    ca-certificates
}

quickstart_packages() {
  echo certbot curl
}

unit_packages() {
  echo libgtest-dev libgmock-dev
}

test_packages() {
  echo python3 python3-cryptography certbot lego dehydrated bind9 bind9-dnsutils curl sqlite3 gnutls-bin man-db groff-base \
    clang-19 libclang-rt-19-dev llvm-19 clang-format-14 clang-tidy-19 nginx-light wrk iproute2 softhsm2 mariadb-server mariadb-client postgresql \
    mariadb-backup galera-4 galera-arbitrator-4 socat nftables \
    dpkg-dev systemd strace strongswan-pki libstrongswan-standard-plugins libstrongswan-extra-plugins libcharon-extra-plugins certmonger \
    haproxy keepalived slapd ldap-utils python3-aiosmtpd python3-jsonschema jq libfaketime
}

# unpack_promtool FOLDER: promtool out of Debian's prometheus, which would start a service if it were installed.
unpack_promtool() {
  [ ! -x "$1/usr/bin/promtool" ] || return 0
  mkdir -p "$1"
  (cd "$1" && apt-get -qq download prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb usr/bin/prometheus)
}

install_packages() {
  local missing=() package run=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  [ "$(id -u)" -eq 0 ] || run=(sudo)
  echo "installing: ${missing[*]}"
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  # Policy 101: nothing that is installed here starts a service of its own.
  printf '#!/bin/sh\nexit 101\n' > "${TMPDIR:-/tmp}/hanaper-policy.$$"
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    "${run[@]}" install -m 755 "${TMPDIR:-/tmp}/hanaper-policy.$$" /usr/sbin/policy-rc.d
    trap_policy=1
  fi
  rm -f "${TMPDIR:-/tmp}/hanaper-policy.$$"
  local status=0
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null || status=$?
  [ -z "${trap_policy:-}" ] || "${run[@]}" rm -f /usr/sbin/policy-rc.d
  return $status
}
