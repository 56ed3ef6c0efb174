#!/bin/bash
# coverage_test.sh SOURCE: tests/coverage.py counts what ran, by folder, and says what is a defect.
set -u
source=$(realpath "$1")
work=$(realpath "$(mktemp -d)")
trap 'rm -rf "$work"' EXIT
. "${0%/*}/../checks.sh"
command -v clang++-19 > /dev/null && command -v llvm-cov-19 > /dev/null || { skip llvm "nobody tried coverage.py"; end; }

mkdir -p "$work"/tree/{tests,host/never,host/seen,plugins/policy/half,build}
cp "$source/tests/coverage.py" "$work/tree/tests"
cd "$work/tree" || exit 1
printf 'int seen(int n) {\n  return n + 1;\n}\n' > host/seen/seen.cpp
printf 'int half(int n) {\n  if (n > 1) return 2;\n  n += 3;\n  n *= 5;\n  return n;\n}\n' > plugins/policy/half/half.cpp
printf 'int never(int n) {\n  return n;\n}\n' > host/never/never.cpp
printf 'int seen(int);\nint half(int);\nint main() { return seen(half(2)) - 3; }\n' > tests/main.cpp
cd build || exit 1
check "a program is built for it" bash -c 'mkdir bin && clang++-19 -fprofile-instr-generate=$PWD/profiles/%m.profraw -fcoverage-mapping ../host/seen/seen.cpp ../plugins/policy/half/half.cpp ../tests/main.cpp -o bin/program && clang++-19 -fprofile-instr-generate=$PWD/profiles/%m.profraw -fcoverage-mapping -shared -fPIC ../host/never/never.cpp -o never.so'
cd .. || exit 1
check "before it ran there is nothing to say" refuses 1 "has no counts" tests/coverage.py build
check "it runs" build/bin/program
check "what never ran has no line" says "host/never                                    0 of      3 lines" tests/coverage.py build
check "what ran counts" says "host/seen                                     3 of      3 lines 100.0 %" tests/coverage.py build
check "what did not is a defect" says "plugins/policy/half                           3 of      6 lines  50.0 %  DEFECT" tests/coverage.py build
check "lines that nobody ran are named" says "    3 4 5" tests/coverage.py build --files
check "tests themselves do not count" bash -c '! tests/coverage.py build --files | grep -q main.cpp'
check "a build without counts is told" refuses 1 "has no counts" tests/coverage.py host
end
