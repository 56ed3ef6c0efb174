#!/bin/bash
# coverage_test.sh SOURCE: tests/coverage.py counts what ran, by folder, and says what is a defect.
set -u
source=$(realpath "$1")
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
command -v g++ > /dev/null && command -v gcov > /dev/null || { skip gcov "nobody tried coverage.py"; end; }

mkdir -p "$work"/tree/{tests,host/seen,plugins/policy/half,build}
cp "$source/tests/coverage.py" "$work/tree/tests"
cd "$work/tree" || exit 1
printf 'int seen(int n) {\n  return n + 1;\n}\n' > host/seen/seen.cpp
printf 'int half(int n) {\n  if (n > 1) return 2;\n  n += 3;\n  n *= 5;\n  return n;\n}\n' > plugins/policy/half/half.cpp
printf 'int seen(int);\nint half(int);\nint main() { return seen(half(2)) - 3; }\n' > tests/main.cpp
cd build || exit 1
check "a program is built for it" bash -c 'for f in ../host/seen/seen ../plugins/policy/half/half ../tests/main; do g++ --coverage -O0 -c $f.cpp -o $(basename $f).o; done; g++ --coverage *.o -o program'
cd .. || exit 1
check "what never ran has no line" says "0 of" tests/coverage.py build
check "it runs" build/program
check "what ran counts" says "host/seen                                     2 of      2 lines 100.0 %" tests/coverage.py build
check "what did not is a defect" says "plugins/policy/half                           2 of      5 lines  40.0 %  DEFECT" tests/coverage.py build
check "lines that nobody ran are named" says "    3 4 5" tests/coverage.py build --files
check "tests themselves do not count" bash -c '! tests/coverage.py build --files | grep -q main.cpp'
check "a build without counts is told" refuses 1 "has no counts" tests/coverage.py host
end
