#!/usr/bin/env bash
# Installs what the tests need, builds, runs them, prints a summary.
#
#   --unit         the first green test on a fresh machine within three minutes, then the other unit tests: no servers, no clients
#   --quick        the inner loop: no failing sites, no static checks, no sanitizers, no fuzzing, no benches, no quickstart
#   --long         also what takes too long for every change: exports HANAPER_LONG=1, which tests ask for
#   --only NAME    run one part: build, test, ha, static, asan, coverage, tsan, fuzz, bench, quickstart
#   --require LIST names with commas between: where one of them is missing, a skip is a failure
#
# Ends with 0 when nothing failed. What was skipped is listed with the name of what is missing, and counted.
set -uo pipefail
cd "$(dirname "$0")/.."
root=$PWD

unit= quick= only= required= long=
while [ $# -gt 0 ]; do
  case $1 in
    --unit) unit=1 ;;
    --quick) quick=1 ;;
    --long) long=1; export HANAPER_LONG=1 ;;
    --only) only=${2:?--only needs a name}; shift ;;
    --require) required=${2:?--require needs names}; shift ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unexpected \"$1\"; see --help" >&2; exit 2 ;;
  esac
  shift
done

results=$root/build/results
rm -rf "$results" && mkdir -p "$results"
summary=() failed=0 skipped=0

# A skip names what is missing: "SKIP mariadb: ...". What only does not apply here says "SKIP setup: ..." and is no lack.
skip_line='^SKIP ([^s]|s[^e]|se[^t]|set[^u])'

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

# part NAME COMMAND...: runs it, keeps its output, notes how it ended and how long it took.
part() {
  local name=$1 start=$SECONDS status=0 name_of_missing skips
  shift
  wanted "$name" || return 0
  printf '\n== %s\n' "$name"
  "$@" 2>&1 | tee "$results/$name.log" || status=1
  for name_of_missing in ${required//,/ }; do
    ! grep -q "^SKIP $name_of_missing:" "$results/$name.log" || { echo "FAILED: $name_of_missing is required and was missing"; status=1; }
  done
  skips=$(grep -cE "$skip_line" "$results/$name.log")
  skipped=$((skipped + skips))
  [ $status -eq 0 ] || failed=$((failed + 1))
  summary+=("$(printf '%-11s %-7s %4d s  %s' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - start)) \
    "$([ "$skips" -eq 0 ] || echo "$skips skipped")")")
  return $status
}

build() {  # PRESET [BUILD-ARGUMENT...]
  local preset=$1
  shift
  cmake --preset "$preset" -DHANAPER_TESTS=ON -DHANAPER_WERROR=ON >"$results/configure-$preset.log" ||
    { cat "$results/configure-$preset.log"; return 1; }
  cmake --build --preset "$preset" "$@" | tail -n 25
}
run_tests() {  # PRESET [CTEST-ARGUMENT...]
  local preset=$1 status=0
  shift
  ctest --preset "$preset" --no-tests=error -j2 "$@" | tee "$results/ctest-$preset" || status=1
  said_skips build/"$preset"/Testing/Temporary/LastTest.log "$results/ctest-$preset"
  return $status
}
# ctest shows the output of failures only: what tests skipped stands in its log.
said_skips() {
  awk '/^[0-9]+\/[0-9]+ Test: / { test = $3 }
       /^SKIP / { said[test] = 1; print }
       /#[0-9]+: [^ ]+ .*\*\*\*Skipped/ {
         sub(/.*#[0-9]+: /, "")
         if (!said[$1]) print "SKIP unknown: " $1 " does not say what it misses"
       }' "$@"
}
has_clang() { command -v clang++-19 >/dev/null || { echo "SKIP clang: the sanitizers and the coverage are those of clang++ 19"; return 1; }; }
sanitized() {  # PRESET LABEL
  has_clang || return 0
  build "$1" --target "$2_tests" || return 1
  rm -rf build/"$1"/profiles  # what the last run counted
  run_tests "$1" -j3 -L "^$2$"
}

coverage() {
  has_clang || return 0
  tests/coverage.py build/asan
}

ha() {
  local status=0
  tests/ha/run.sh ${long:+--long} || status=$?
  [ $status -eq 77 ] || return $status
}

# Last, because they say nothing about right and wrong: where time is short, they give way.
benches() {
  local left=$((4500 - SECONDS)) status=0
  [ $left -gt 60 ] || { echo "SKIP bench: no time left"; return 0; }
  timeout "$left" tests/bench/run.sh --short || status=$?
  [ $status -eq 124 ] || return $status
  echo "SKIP bench: no time left for the rest"
}

summarise() {
  printf '\n== summary\n'
  printf '%s\n' "${summary[@]}"
  grep -hE "$skip_line" "$results"/*.log 2>/dev/null | sort | uniq -c
  printf '%d parts failed, %d checks skipped, %d s\n' "$failed" "$skipped" "$SECONDS"
  [ "$failed" -eq 0 ]
}

. tests/packages.sh
printf '== packages\n'
packages="$(build_packages) $(unit_packages)"
[ -n "$unit" ] || packages+=" $(test_packages)"
# shellcheck disable=SC2086  # words
install_packages $packages || { echo "run.sh: packages could not be installed" >&2; exit 1; }

# Tests that want it and do not find it say so.
[ -n "$unit" ] || unpack_promtool "$root/build/tools" 2> "$results/promtool.log" || cat "$results/promtool.log"

if [ -n "$unit" ]; then
  # What needs least comes first, so that somebody new sees something green soon.
  part first eval "build unit --target toolkit_tests && run_tests unit -R '^unit.toolkit$'"
  part build build unit --target unit_tests && part test run_tests unit -L '^unit$' -E '^unit.toolkit$'
  summarise
  exit
fi

part build build release || { printf '\n%s\n' "${summary[@]}"; exit 1; }
# Three at a time: clients wait for daemons and daemons for clients.
if [ -n "$long" ]; then part test run_tests release -j3; else part test run_tests release -j3 -LE '^long$'; fi
if [ -z "$quick" ]; then
  part ha ha
  part static tests/static/run.sh
  part asan sanitized asan sanitized
  part coverage coverage
  part tsan sanitized tsan concurrent
  part fuzz tests/fuzz/run.sh --seconds "$([ -n "$long" ] && echo 120 || echo 10)"
  part quickstart env HANAPER_CMAKE_ARGUMENTS= examples/quickstart/run.sh --once --state "$results/quickstart" \
    --https 18443 --http 18080 --status 18081 --challenge 15002
  part bench benches
fi
summarise
