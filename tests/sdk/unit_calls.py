#!/usr/bin/python3
"""unit_calls.py UNIT TRACE: whether the SystemCallFilter of a unit allows every call of an strace log."""
import re
import subprocess
import sys

unit, trace = sys.argv[1:]
sets, current = {}, None
for line in subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout.splitlines():
    if line.startswith("@"):
        current = sets.setdefault(line.strip(), set())
    elif current is not None and line.startswith("    ") and not line.strip().startswith("#"):
        current.add(line.strip())


def expand(name):
    return set().union(*(expand(member) for member in sets[name])) if name in sets else {name}


allowed = expand("@default")
for line in open(unit):
    if line.startswith("SystemCallFilter="):
        words = line.strip().split("=", 1)[1]
        names = set().union(*(expand(word) for word in words.lstrip("~").split()))
        allowed = allowed - names if words.startswith("~") else allowed | names
# A filter of its own, which no other line opens again.
if re.search("^ProtectClock=yes", open(unit).read(), re.M):
    allowed -= expand("@clock")
made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", open(trace).read(), re.M))
print(f"{len(made)} different calls made, {len(allowed)} allowed")
forbidden = sorted(made - allowed)
if forbidden:
    sys.exit("not allowed: " + ", ".join(forbidden))
if len(made) < 20 or len(allowed) < 100:
    sys.exit("that is too few to be true")
