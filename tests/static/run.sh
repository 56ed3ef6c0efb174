#!/usr/bin/env bash
# What can be said of the sources without running them: form, commit messages, and what clang-tidy finds in what changed. Who
# holds which mutex is said by clang where it compiles for the sanitizers (sdk/cmake/HanaperBuild.cmake).
#
#   run.sh [--commits N]     clang-tidy looks at files of the last N commits (20), at most 30 of them; all with HANAPER_LONG
#
# Commits are counted back from HEAD, so that a fresh clone without branches or a remote does.
set -uo pipefail
cd "$(dirname "$0")/../.."
commits=20 most=30
while [ $# -gt 0 ]; do
  case $1 in
    --commits) commits=${2:?--commits needs a number}; shift ;;
    -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "run.sh: unexpected \"$1\"; see --help" >&2; exit 2 ;;
  esac
  shift
done
build=build/static
failed=0
step() {  # NAME COMMAND...
  local name=$1 status=0 start=$SECONDS
  shift
  "$@" || status=$?
  [ $status -eq 77 ] && status=0
  printf '%s: %s, %d s\n' "$name" "$([ $status -eq 0 ] && echo ok || echo FAILED)" $((SECONDS - start))
  [ $status -eq 0 ] || failed=1
}

format() {
  local tool
  tool=$(command -v clang-format-14) || { echo "SKIP clang-format: nobody looked at the form"; return 77; }
  git ls-files '*.hpp' '*.cpp' | xargs -P "$(nproc)" -n 40 "$tool" --dry-run -Werror
}

configure() {
  # Each file alone, and for clang: it does not know all options of g++.
  local clang
  clang=$(command -v clang++-19) || { echo "SKIP clang: nobody looked at what changed"; return 77; }
  cmake --preset debug -B "$build" -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_C_COMPILER="${clang/++/}" -DHANAPER_TESTS=ON >"$build.log" 2>&1 || { cat "$build.log"; return 1; }
}

# The newest first; generated files and what is gone are left out.
changed() {
  if [ -n "${HANAPER_LONG:-}" ]; then git ls-files 'host/*.cpp' 'plugins/*.cpp' 'sdk/*.cpp'; return; fi
  git log --no-merges -n "$commits" --format= --name-only -- 'host/*.cpp' 'plugins/*.cpp' 'sdk/*.cpp' | awk '!seen[$0]++' |
    while read -r file; do [ ! -e "$file" ] || echo "$file"; done
}
tidy() {
  local tool files
  tool=$(command -v clang-tidy-19) || { echo "SKIP clang-tidy: nobody looked at what changed"; return 77; }
  mapfile -t files < <(changed)
  [ ${#files[@]} -gt 0 ] || { echo "no source file changed in $commits commits"; return 0; }
  if [ -z "${HANAPER_LONG:-}" ] && [ ${#files[@]} -gt $most ]; then
    echo "not looked at, for want of time: ${files[*]:$most}"
    files=("${files[@]:0:$most}")
  fi
  echo "clang-tidy looks at ${#files[@]} files"
  printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 1 "$tool" --quiet -p "$build" 2>"$build.tidy"
}

mkdir -p build
step format format
step commits tests/static/commits.sh
step configure configure
if [ -e "$build/compile_commands.json" ]; then
  step clang-tidy tidy
fi
exit $failed
