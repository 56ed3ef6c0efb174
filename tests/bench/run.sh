#!/usr/bin/env bash
# Every bench, one line each: bench NAME ours=... ref=... ratio=...
#
# ratio is the reference's cost divided by ours: 1 means as cheap, more means cheaper. References ship beside the
# benches and run interleaved with ours; absolute figures are context only. --short halves what is not worth waiting
# for in continuous integration.
set -uo pipefail
cd "$(dirname "$0")/../.."
short=
[ "${1:-}" != --short ] || short=--short
seconds=1
[ -z "$short" ] || seconds=0.4
build=${HANAPER_BUILD:-$PWD/build/release}
status=0

# bench COMMAND...: one that cannot run does not keep the others from it; 77 says that something is missing.
bench() {
  "$@" || { local ended=$?; [ $ended -eq 77 ] || { echo "bench: ended with $ended: $*" >&2; status=1; }; }
}

bench "$build/bin/crypto_bench" ${short:+0.1}
bench "$build/bin/issue_bench" "$build/lib/hanaper/plugins" ${short:+0.6}
bench tests/servers/with_softhsm bench "$build/bin/pkcs11_bench" "$build/lib/hanaper/plugins" "{module}" ${short:+0.4}
export HANAPER_BUILD=$build
bench /usr/bin/python3 tests/bench/serve_bench.py $short
bench /usr/bin/python3 tests/bench/acme_bench.py $short
bench /usr/bin/python3 tests/bench/enrol_bench.py $short
bench "$build/bin/validity_bench" "$build/lib/hanaper/plugins/storage-sqlite.so" ${short:+400000} ${short:+0.1}
bench "$build/bin/store_bench" "$build/lib/hanaper/plugins/storage-sqlite.so" ${seconds}
for kind in mariadb postgresql; do
  bench tests/servers/with_$kind "$build/bin/store_bench" "$build/lib/hanaper/plugins/storage-$kind.so" $seconds \
    host={host} port={port} user={user} password={password} database={database}
  bench tests/servers/with_$kind "$build/bin/issue_bench" "$build/lib/hanaper/plugins" $seconds $kind \
    'hosts=["{host}:{port}"]' 'password={ file = "{password_file}" }' 'tls.ca="{ca}"'
done
exit $status
