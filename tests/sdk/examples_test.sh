#!/bin/bash
# examples_test.sh BUILD SOURCE: examples/plugins build out of tree against an installed SDK, pass their tests, are loaded,
# and do what they say in a running node.
set -u
build=$1 source=$2 name=examples
. "${0%/*}/stranger.sh"

for folder in "$source"/examples/plugins/*/; do
  example=$(basename "$folder")
  cp -r "$folder" "$work/$example"  # so that nothing of the checkout is in reach
  rm -rf "$work/$example/build"
  check "$example: finds the SDK" cmake -S "$work/$example" -B "$work/$example/build"
  check "$example: builds without a warning" cmake --build "$work/$example/build" || continue
  check "$example: passes its tests" ctest --test-dir "$work/$example/build" --output-on-failure --no-tests=error
  check "$example: installs" cmake --install "$work/$example/build" --prefix "$prefix"
done
for plugin in keys:remote policy:quota protocol:hello storage:memory; do
  check "${plugin%:*}-${plugin#*:} is loaded" says "[$(tr : . <<< "$plugin")]" hanaper sample "$(tr : . <<< "$plugin")"
done
[ $failed -eq 0 ] && check "they do what they say in a running node" \
  env HANAPER_BUILD="$prefix" "${0%/*}/examples_run.py"
end
