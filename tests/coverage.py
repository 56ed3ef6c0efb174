#!/usr/bin/python3
"""Which lines the tests of an instrumented build have run, by folder.

    coverage.py BUILD [--files]     --files: also each file, and the lines that nobody ran

BUILD has been compiled with HANAPER_COVERAGE and its tests have run. A line counts once, however many programs compile it, and
was run when it was run in one of them. Below 80 in a hundred a folder is a defect to mend; 90 is the goal.
"""
import os
import pathlib
import subprocess
import sys
from collections import defaultdict

SOURCE = pathlib.Path(__file__).resolve().parent.parent
DEFECT, GOAL = 80.0, 90.0


def folder_of(file):
    """host/http, plugins/protocol/acme, sdk/src."""
    parts = file.split("/")
    depth = 3 if parts[0] == "plugins" else 2
    return "/".join(parts[:min(depth, len(parts) - 1)])


def instrumented(build):
    """Programs and shared objects of a build."""
    def is_elf(path):
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    return [path for path in sorted([*build.glob("bin/*"), *build.rglob("*.so")]) if path.is_file() and is_elf(path)]


def gather(build):
    """{file: {line: was it run}} of the files of the tree."""
    merged = build / "profiles" / "all.profdata"
    subprocess.run(["llvm-profdata-19", "merge", "--sparse", "-o", merged, *(build / "profiles").glob("*.profraw")], check=True)
    objects = instrumented(build)
    command = ["llvm-cov-19", "export", "--format=lcov", f"--instr-profile={merged}", objects[0], *(f"--object={each}" for each in objects[1:])]
    found, seen = defaultdict(dict), {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as export:
        for text in export.stdout:
            kind, _, value = text.rstrip("\n").partition(":")
            if kind == "SF":
                name = os.path.relpath(value, SOURCE)
                seen = found[name] if name.startswith(("host/", "plugins/", "sdk/")) else {}
            elif kind == "DA":
                number, count = value.split(",")[:2]
                seen[int(number)] = seen.get(int(number), False) or count != "0"
    if export.returncode != 0:
        sys.exit(f"llvm-cov-19 ended with {export.returncode}")
    return {name: lines for name, lines in found.items() if lines}, len(objects)


def row(name, seen):
    run = sum(seen)
    share = 100.0 * run / len(seen)
    verdict = "  DEFECT" if share < DEFECT else "  below the goal" if share < GOAL else ""
    return f"{name:40} {run:6} of {len(seen):6} lines {share:5.1f} %{verdict}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    if not any((build / "profiles").glob("*.profraw")):
        sys.exit(f"{sys.argv[1]}: has no counts: configure with HANAPER_COVERAGE=ON, build, run the tests")
    lines, objects = gather(build)
    folders, tops = defaultdict(list), defaultdict(list)
    for file in sorted(lines):
        folders[folder_of(file)] += lines[file].values()
        tops[file.split("/")[0]] += lines[file].values()
        if "--files" in sys.argv:
            print(row(file, list(lines[file].values())))
            print("   ", " ".join(str(number) for number, run in sorted(lines[file].items()) if not run))
    for name in sorted(folders):
        print(row(name, folders[name]))
    for name in sorted(tops):
        print(row(name, tops[name]))
    print(row("all", [run for seen in tops.values() for run in seen]))
    print(f"{objects} programs and shared objects read")


main()
