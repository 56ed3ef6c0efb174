# Sourced with $work set, a folder of the test's own: sentences that hold or do not.
failed=0 skipped=
check() {  # SENTENCE COMMAND...
  local sentence=$1
  shift
  if "$@" > "$work/said" 2>&1; then
    echo "ok: $sentence"
    return 0
  fi
  echo "FAILED: $sentence"
  tail -n 60 "$work/said" | sed 's/^/    /'
  failed=$((failed + 1))
  return 1
}
skip() {  # NAME SENTENCE: what is missing (see CONTRIBUTING.md), and what was left out
  echo "SKIP $1: ${*:2}"
  skipped=1
}
says() {  # TEXT COMMAND...: succeeds and says it
  local text=$1
  shift
  "$@" > "$work/out" 2>&1
  local status=$?
  cat "$work/out"
  [ $status -eq 0 ] && grep -qF -- "$text" "$work/out"
}
refuses() {  # STATUS TEXT COMMAND...: fails in that way and says it
  local wanted=$1 text=$2
  shift 2
  "$@" > "$work/out" 2>&1
  local status=$?
  cat "$work/out"
  [ $status -eq "$wanted" ] && grep -qF -- "$text" "$work/out"
}
end() {
  [ $failed -eq 0 ] || { echo "$failed checks failed"; exit 1; }
  [ -z "$skipped" ] || exit 77
  exit 0
}
