#!/bin/bash
# broken_configs.sh HANAPER PLUGINS DATA: `hanaper check` on every configuration of DATA exits with 2 and says what
# stands in the .expected file beside it.
set -u
hanaper=$1 plugins=$2 data=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
work=$(realpath "$work")
cp -r "$data/." "$work"
cd "$work" || exit 1
unset CREDENTIALS_DIRECTORY

mkdir state plugins
printf 'a-pin-of-some-length\n' | tee state/pin > state/open-pin
printf 'short\n' > state/short-pin
: > state/empty-pin
chmod 600 state/*
chmod 644 state/open-pin
for plugin in storage-sqlite keys-softtoken policy-names validator-lint validator-caa protocol-acme protocol-crl protocol-ocsp; do
  ln -s "$plugins/$plugin.so" plugins/
done

failed=0 checked=0
for config in *.toml; do
  checked=$((checked + 1))
  "$hanaper" check -c "$config" --plugins plugins > said.out 2> said.err
  status=$?
  sed -e "s,$work/,,g" -e 's,^hanaper: ,,' said.err > said
  if [ $status -ne 2 ] || [ -s said.out ] || ! diff -u "${config%.toml}.expected" said; then
    echo "FAILED: $config, exit status $status"
    failed=$((failed + 1))
  fi
done
echo "$checked configurations checked, $failed failed"
[ $checked -gt 0 ] && [ $failed -eq 0 ]
