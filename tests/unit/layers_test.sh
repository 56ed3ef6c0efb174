#!/bin/bash
# layers_test.sh SOURCE: who includes whom, and that each library has one home (host/README.md).
set -u
shopt -s extglob
source=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints what is wrong with `file` (relative to the tree) including `target`, which begins with " or <.
judge() {
  local file=$1 target=$2 folder=${1%/*} name=${2:1:-1}
  complain() { echo "$file: includes $target: $*"; }
  home() {  # FOLDER...: the only places for this library
    local place
    for place in "$@"; do case $file in "$place"*) return ;; esac; done
    complain "only $* may"
  }
  case $name in
    toml++/*) home host/config/ ;;
    boost/dll/* | boost/dll.hpp) home host/loader/ ;;
    boost/asio/* | boost/asio.hpp | boost/beast/* | boost/beast.hpp) home host/http/ ;;
    boost/json/* | boost/json.hpp) home sdk/src/json ;;
    boost/*) complain "no other part of Boost is used" ;;
    unbound.h) home host/http/ ;;
    spdlog/*) home host/services/ ;;
    soci/* | sqlite3.h | libpq-fe.h | libpq/* | mysql.h | mysql/* | mariadb/*) home plugins/storage/ ;;
    libp11.h | p11-kit/* | pkcs11.h) home plugins/keys/pkcs11/ ;;
    ldap.h | lber.h) home plugins/publisher/ldap/ ;;
    curl/*) home plugins/notifier/mail/ ;;
    openssl/ssl.h) home host/http/ sdk/testing/tls_peer ;;
    openssl/x509_vfy.h | openssl/x509v3.h) home sdk/src/ sdk/testing/ host/http/ plugins/keys/ ;;
    openssl/*) home sdk/src/ sdk/testing/ host/http/ plugins/keys/ ;;
    dlfcn.h) home host/loader/ sdk/testing/kit/ plugins/keys/pkcs11/ ;;
    gtest/* | gmock/*) home sdk/testing/kit/ ;;
    hanaper/testing/*) home sdk/testing/ ;;
  esac
  case $file in
    sdk/include/hanaper/toolkit/*) toolkit_header ;;
    sdk/include/*) boundary_header ;;
  esac
  case $target in \"*) stays_inside ;; esac
}

# The boundary is made of the standard library and itself.
boundary_header() {
  case $target in
    '<hanaper/'+([a-z_])'.hpp>' | '<'+([a-z_])'>') ;;
    *) complain "the boundary takes the standard library only" ;;
  esac
}
toolkit_header() {
  case $target in
    '<hanaper/'*'.hpp>' | '<'+([a-z_])'>' | '<sys/types.h>') ;;
    *) complain "a header of the toolkit takes boundary, toolkit and the standard library" ;;
  esac
}

# "..." stays in its room: the plugin's own folder, the host, the folder of the SDK.
stays_inside() {
  local room path
  case $file in
    plugins/*) room=$(cut -d/ -f1-3 <<< "$file") ;;
    host/*) room=host ;;
    *) room=$folder ;;
  esac
  path=$(realpath -m --relative-to=/ "/$folder/$name")
  case $path in
    host/cli/*) case $file in host/cli/*) ;; *) complain "the command line is the top floor: nothing below knows it" ;; esac ;;
    host/operations/*)
      case $file in host/operations/* | host/cli/* | host/main.cpp) ;; *) complain "operations are above what they operate" ;; esac ;;
    "$room"/*) ;;
    plugins/storage/soci/*) case $file in plugins/storage/*) ;; *) complain "only dialects share storage/soci" ;; esac ;;
    *) complain "\"...\" does not leave $room" ;;
  esac
}

# Every include of a tree, judged.
violations() {
  cd "$1" || exit 1
  local file target
  while IFS=$'\t' read -r file target; do
    judge "$file" "$target"
  done < <(grep -rnoE --include='*.[ch]pp' '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"][^>"]+[>"]' host plugins sdk 2>/dev/null |
    sed -E 's/^([^:]+):[0-9]+:[^<"]*/\1\t/')
}

failed=0

# First: that it sees what it should.
planted=0
plant() {  # FILE INCLUDE: forbidden
  mkdir -p "$work/tree/${1%/*}"
  printf '#pragma once\n#include %s\n' "$2" > "$work/tree/$1"
  planted=$((planted + 1))
  [ -n "$(violations "$work/tree")" ] || { echo "FAILED: nothing said about $1 including $2"; failed=$((failed + 1)); }
  rm -r "$work/tree"
}
plant plugins/policy/names/plugin.cpp '"../../validator/lint/text.hpp"'
plant plugins/policy/names/plugin.cpp '"../../../host/config/model.hpp"'
plant plugins/policy/names/plugin.cpp '"../../storage/soci/pool.hpp"'
plant plugins/policy/names/plugin.cpp '<soci/soci.h>'
plant plugins/policy/names/plugin.cpp '<openssl/evp.h>'
plant plugins/policy/names/plugin.cpp '<hanaper/testing/fake_host.hpp>'
plant plugins/keys/softtoken/plugin.cpp '<libp11.h>'
plant plugins/keys/softtoken/plugin.cpp '<openssl/ssl.h>'
plant plugins/storage/sqlite/plugin.cpp '"../mariadb/dialect.hpp"'
plant plugins/protocol/acme/plugin.cpp '<boost/json.hpp>'
plant plugins/publisher/file/plugin.cpp '<ldap.h>'
plant plugins/publisher/ldap/plugin.cpp '<curl/curl.h>'
plant plugins/notifier/webhook/plugin.cpp '<curl/curl.h>'
plant plugins/notifier/mail/plugin.cpp '"../webhook/plugin.hpp"'
plant host/events/event.cpp '<ldap.h>'
plant host/node/node.cpp '"../../plugins/policy/names/names.hpp"'
plant host/node/node.cpp '<toml++/toml.h>'
plant host/node/node.cpp '<boost/dll/shared_library.hpp>'
plant host/node/node.cpp '<boost/asio/post.hpp>'
plant host/node/node.cpp '<boost/beast/http/parser.hpp>'
plant host/node/node.cpp '<boost/algorithm/string.hpp>'
plant host/node/node.cpp '<unbound.h>'
plant host/node/node.cpp '<spdlog/spdlog.h>'
plant host/node/node.cpp '<dlfcn.h>'
plant host/config/read.cpp '<soci/soci.h>'
plant host/issuance/issuance_task.cpp '<openssl/evp.h>'
plant host/main.cpp '"cli/commands.hpp"'
plant host/operations/control.cpp '"../cli/session.hpp"'
plant host/node/node.cpp '"../cli/terminal.hpp"'
plant host/node/node.cpp '"../operations/table.hpp"'
plant host/http/session.cpp '"../operations/caller.hpp"'
plant sdk/src/der_reader.cpp '<boost/json/parse.hpp>'
plant sdk/src/der_reader.cpp '"../../host/config/value.hpp"'
plant sdk/testing/fake_host.cpp '"../../plugins/storage/soci/pool.hpp"'
plant sdk/testing/fake_host.cpp '<gtest/gtest.h>'
plant sdk/include/hanaper/host.hpp '<hanaper/toolkit/der.hpp>'
plant sdk/include/hanaper/host.hpp '<openssl/evp.h>'
plant sdk/include/hanaper/host.hpp '<unistd.h>'
plant sdk/include/hanaper/toolkit/der.hpp '<openssl/evp.h>'

# And that it leaves alone what is right.
mkdir -p "$work/tree/plugins/storage/mariadb" "$work/tree/host/node" "$work/tree/host/cli" "$work/tree/host/operations"
printf '#include "../operations/table.hpp"\n#include "session.hpp"\n' > "$work/tree/host/cli/print.cpp"
printf '#include "../node/node.hpp"\n' > "$work/tree/host/operations/table.cpp"
printf '#include "operations/control.hpp"\n' > "$work/tree/host/main.cpp"
printf '#include "../soci/dialect.hpp"\n#include <mysql/mysql.h>\n' > "$work/tree/plugins/storage/mariadb/plugin.cpp"
printf '#include "../http/router.hpp"\n#include "node.hpp"\n#include <hanaper/host.hpp>\n' > "$work/tree/host/node/node.cpp"
if [ -n "$(violations "$work/tree")" ]; then
  echo "FAILED: what is right is refused:"
  violations "$work/tree"
  failed=$((failed + 1))
fi

found=$(violations "$source")
[ -z "$found" ] || { echo "$found"; failed=$((failed + $(wc -l <<< "$found"))); }
seen=$(cd "$source" && grep -rhE --include='*.[ch]pp' '^[[:space:]]*#[[:space:]]*include' host plugins sdk | wc -l)
echo "$seen includes judged, $planted planted ones, $failed wrong"
[ "$seen" -gt 100 ] && [ $failed -eq 0 ]
