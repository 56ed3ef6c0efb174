#!/usr/bin/env bash
# Runs every fuzz target for a while, beginning with its seed corpus.
#
#   run.sh [--seconds N] [NAME...]   20 seconds each, all of them
#
# New inputs go to build/fuzz/corpus/NAME, crashes to build/fuzz/crashes; the seeds stay as they are.
set -uo pipefail
cd "$(dirname "$0")/../.."
seconds=20 names=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) seconds=${2:?--seconds needs a number}; shift ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "run.sh: unexpected \"$1\"; see --help" >&2; exit 2 ;;
    *) names+=("$1") ;;
  esac
  shift
done

mkdir -p build
command -v clang++-19 >/dev/null || { echo "SKIP clang: no clang++ with libFuzzer"; exit 0; }
cmake --preset fuzz -DHANAPER_WERROR=ON >build/fuzz-configure.log ||
  { cat build/fuzz-configure.log; exit 1; }
cmake --build --preset fuzz --target fuzzers | tail -n 25 || exit 1

if [ ${#names[@]} -eq 0 ]; then
  for file in tests/fuzz/*_fuzz.cpp; do file=${file##*/}; names+=("${file%_fuzz.cpp}"); done
fi

# fuzz NAME: one line of what it did; the whole log when it found something.
fuzz() {
  local name=$1 log=build/fuzz/$1.log
  mkdir -p build/fuzz/corpus/"$name" build/fuzz/crashes
  if ! build/fuzz/bin/"${name}_fuzz" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix=build/fuzz/crashes/"$name"- build/fuzz/corpus/"$name" tests/fuzz/corpus/"$name" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "fuzz $name FAILED"
    return 1
  fi
  printf 'fuzz %-12s %s runs, %s inputs kept\n' "$name" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
    "$(find build/fuzz/corpus/"$name" -type f | wc -l)"
}

# One at a time on each core.
status=0 running=0
for name in "${names[@]}"; do
  fuzz "$name" &
  running=$((running + 1))
  if [ $running -ge "$(nproc)" ]; then wait -n || status=1; running=$((running - 1)); fi
done
while [ $running -gt 0 ]; do wait -n || status=1; running=$((running - 1)); done
exit $status
