#!/usr/bin/env bash
# Clang's word on who holds which mutex: compiles what uses sdk/include/hanaper/toolkit/mutex.hpp, without output.
#
#   thread_safety.sh BUILD     a build folder that has been configured (compile_commands.json)
set -uo pipefail
cd "$(dirname "$0")/../.."
build=${1:?a build folder is needed}
clang=$(command -v clang++-19 || command -v clang++) || { echo "SKIP clang: nobody checked who holds which mutex"; exit 77; }

# A class that is used by a file of another folder guards itself: its own file and its header's users are enough.
headers=$(grep -rl --include=*.hpp 'toolkit/mutex.hpp' host plugins sdk | sed 's,.*/,,' | sort -u)
pattern=$(printf '%s\n' "$headers" mutex.hpp | sed 's/\./\\./; s,.*,(["</])&[">],' | paste -sd'|')
grep -rlE --include=*.cpp "#include .*($pattern)" host plugins sdk/src sdk/testing | sort > "$build/thread_safety.files"

python3 - "$build" "$clang" <<'PYTHON'
import concurrent.futures, json, os, pathlib, shlex, subprocess, sys

build, clang = sys.argv[1:]
wanted = {os.path.realpath(line) for line in pathlib.Path(build, "thread_safety.files").read_text().split()}
commands = {entry["file"]: entry for entry in json.loads(pathlib.Path(build, "compile_commands.json").read_text())}


def check(file):
    entry, words, skip = commands[file], [], False
    for word in shlex.split(entry["command"]):
        # Definitions and folders only: g++'s own options mean nothing here.
        if word in ("-isystem", "-I"):
            words.append(word)
            skip = True
        elif skip or word.startswith(("-D", "-I", "-std=")):
            words.append(word)
            skip = False
    done = subprocess.run([clang, *words, "-fsyntax-only", "-Werror=thread-safety", "-Werror=thread-safety-beta", file], cwd=entry["directory"],
                          capture_output=True, text=True)
    return file, done.returncode, done.stderr


missing = [file for file in wanted if file not in commands]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    failed = 0
    for file, status, said in pool.map(check, sorted(wanted - set(missing))):
        if status:
            failed += 1
            print(said)
print(f"{len(wanted)} files use annotated mutexes, {failed} of them wrongly")
for file in missing:
    print(f"{file}: is not compiled by {build}")
sys.exit(1 if failed or missing or len(wanted) < 20 else 0)
PYTHON
