#!/usr/bin/env bash
# Installs what the tests need, builds, runs everything, prints a summary.
#
#   --quick     the inner loop: no sanitizers, no fuzzing, no benches, no quickstart
#   --only NAME run one part: build, test, asan, tsan, fuzz, bench, quickstart
#
# Ends with 0 when nothing failed. What was skipped for want of a program or a right is listed and counted.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD

quick= only=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --only) only=${2:?--only needs a name}; shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unexpected \"$1\"; see --help" >&2; exit 2 ;;
  esac
  shift
done

results=$root/build/results
rm -rf "$results" && mkdir -p "$results"
summary=() failed=0 skipped=0

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

# part NAME COMMAND...: runs it, keeps its output, notes how it ended and how long it took.
part() {
  local name=$1 start=$SECONDS status=0
  shift
  wanted "$name" || return 0
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$results/$name.log" || status=1
  local skips
  skips=$(grep -cE '^SKIP |\*\*\*Skipped|\[  SKIPPED \] [A-Z].*\(' "$results/$name.log")
  skipped=$((skipped + skips))
  [ $status -eq 0 ] || failed=$((failed + 1))
  summary+=("$(printf '%-11s %-7s %4d s  %s' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - start)) \
    "$([ "$skips" -eq 0 ] || echo "$skips skipped")")")
  return $status
}

build() {
  cmake --preset "$1" -DHANAPER_TESTS=ON -DHANAPER_WERROR=ON >"$results/configure-$1.log" || { cat "$results/configure-$1.log"; return 1; }
  cmake --build --preset "$1" | tail -n 25
}
run_tests() {  # PRESET [CTEST-ARGUMENT...]
  local preset=$1
  shift
  ctest --preset "$preset" --no-tests=error -j2 "$@"
}
sanitized() {
  build "$1" && run_tests "$@"
}

# Last, because they say nothing about right and wrong: where time is short, they give way.
benches() {
  local left=$((4500 - SECONDS)) status=0
  [ $left -gt 60 ] || { echo "SKIP bench: no time left"; return 0; }
  timeout "$left" tests/bench/run.sh --short || status=$?
  [ $status -eq 124 ] || return $status
  echo "SKIP bench: no time left for the rest"
}

. tests/packages.sh
printf '== packages\n'
install_packages $(build_packages) $(test_packages) || { echo "run.sh: packages could not be installed" >&2; exit 1; }

part build build release || { printf '\n%s\n' "${summary[@]}"; exit 1; }
part test run_tests release
if [ -z "$quick" ]; then
  part asan sanitized asan -L sanitized
  part tsan sanitized tsan -L concurrent
  part fuzz tests/fuzz/run.sh --seconds 10
  part quickstart env HANAPER_CMAKE_ARGUMENTS= examples/quickstart/run.sh --once --state "$results/quickstart" \
    --https 18443 --http 18080 --challenge 15002
  part bench benches
fi

printf '\n== summary\n'
printf '%s\n' "${summary[@]}"
grep -hE '^SKIP |\*\*\*Skipped' "$results"/*.log 2>/dev/null | sort | uniq -c
printf '%d parts failed, %d checks skipped, %d s\n' "$failed" "$skipped" "$SECONDS"
[ "$failed" -eq 0 ]
