#!/usr/bin/python3
"""Whether every test that protocol/acme's README names exists: acme_requirements.py SOURCE"""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(source / "tests" / "e2e"))
try:
    import acme_negative_test
except ImportError as error:
    print(f"SKIP python3-cryptography: {error}")
    sys.exit(77)

names = {name for path in (source / "tests" / "e2e").glob("acme*_test.py") for name in re.findall(r"def test_(\w+)", path.read_text())}
cases = {name for path in [*(source / "tests" / "plugin").glob("acme_*.cpp"), *(source / "tests" / "unit").glob("js*_test.cpp"), source / "tests/unit/jose_test.cpp"]
         for pair in re.findall(r"TEST(?:_[FP])?\((\w+),\s+(\w+)", path.read_text()) for name in [*pair]}
sections = {row[0] for row in acme_negative_test.ROWS}
readme = (source / "plugins/protocol/acme/README.md").read_text()
text = readme[readme.index("## Requirements"):readme.index("## Divergences")]
rows = [line for line in text.split("\n") if re.match(r"\| [\d.]+", line)]
wrong, count = [], 0
for line in [*rows, text[text.rindex("|"):]]:
    shown = re.findall(r"`([^`]+)`", line.rsplit("|", 2)[1] if line.startswith("| ") else line)
    if not shown:
        wrong.append(f"shown by nothing: {line}")
    for name in shown:
        count += 1
        if name.startswith("negative "):
            known = name.removeprefix("negative ") in sections
        elif name[0].isupper():
            known = any(case.startswith(name) for case in cases)
        else:
            known = name.endswith(".py") or any(test.startswith(name) and re.match(r"\D|$", test[len(name):]) for test in names)
        if not known:
            wrong.append(f"there is no test {name}")
print("\n".join(wrong) or f"{count} tests named for {len(rows)} requirements")
sys.exit(bool(wrong) or len(rows) < 80)
