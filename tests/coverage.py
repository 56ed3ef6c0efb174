#!/usr/bin/python3
"""Which lines the tests of an instrumented build have run, by folder.

    coverage.py BUILD [--files]     --files: also each file, and the lines that nobody ran

BUILD has been compiled with HANAPER_COVERAGE and its tests have run. A line counts once, however many programs compile it, and
was run when it was run in one of them. What nobody compiled into a program counts as not run. Below 80 in a hundred a folder is
a defect to mend; 90 is the goal.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
from collections import defaultdict

SOURCE = pathlib.Path(__file__).resolve().parent.parent
DEFECT, GOAL = 80.0, 90.0


def lines_of(notes, build):
    """{file: {line: was it run}} of one object, files of the tree only."""
    done = subprocess.run(["gcov", "--json-format", "--stdout", "--relative-only", "--source-prefix", str(SOURCE), str(notes)],
                          cwd=notes.parent, capture_output=True, text=True)
    found = defaultdict(dict)
    for text in done.stdout.splitlines():
        if not text.startswith("{"):
            continue
        for file in json.loads(text)["files"]:
            # Ninja compiles in the build folder, and ccache makes names relative to it.
            name = os.path.relpath(build / file["file"], SOURCE)
            if not name.startswith(("host/", "plugins/", "sdk/")):
                continue
            for line in file["lines"]:
                number = line["line_number"]
                # Threads count without locks: what matters is whether, not how often.
                found[name][number] = found[name].get(number, False) or line["count"] != 0
    return found


def folder_of(file):
    """host/http, plugins/protocol/acme, sdk/src."""
    parts = file.split("/")
    depth = 3 if parts[0] == "plugins" else 2
    return "/".join(parts[:min(depth, len(parts) - 1)])


def gather(build):
    # Objects without counts were never run; objects of tests bring the headers that only they use.
    notes = sorted(build.rglob("*.gcno"))
    lines = defaultdict(dict)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda each: lines_of(each, build), notes):
            for file, seen in found.items():
                for number, run in seen.items():
                    lines[file][number] = lines[file].get(number, False) or run
    return lines, len(notes)


def row(name, seen):
    run = sum(seen)
    share = 100.0 * run / len(seen)
    verdict = "  DEFECT" if share < DEFECT else "  below the goal" if share < GOAL else ""
    return f"{name:40} {run:6} of {len(seen):6} lines {share:5.1f} %{verdict}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    lines, objects = gather(pathlib.Path(sys.argv[1]).resolve())
    if not lines:
        sys.exit(f"{sys.argv[1]}: has no counts: configure with HANAPER_COVERAGE=ON, build, run the tests")
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
    print(f"{objects} objects read")


main()
