#!/usr/bin/python3
"""event_catalogue.py SOURCE [--write | EVENTS...]: the catalogue of events, its page, and events held against it.

Without a word the page host/events/README.md and the choices of a notifier's key must be what the catalogue says;
--write renews the page. Each of EVENTS is a file with one event a line.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- from catalogue.json -->\n", "<!-- end -->\n"


def catalogue(source=ROOT):
    return json.loads((source / "host/events/catalogue.json").read_text())


def table(types):
    lines = ["| Type | What it means | When | `source` | `subject` | `data` |", "| --- | --- | --- | --- | --- | --- |"]
    for name, entry in types.items():
        required = entry["data"]["required"]
        fields = ", ".join(f"`{field}`" + ("" if field in required else "?") for field in entry["data"]["properties"])
        carried = f" Carries the {entry['object']}." if entry["object"] else ""
        lines.append(f"| `{name}` | {entry['means']}{carried} | {entry['when']} | `{entry['source']}` | {entry['subject']} | {fields} |")
    return "\n".join(lines) + "\n"


def fields(types):
    """Every field with its meaning, once."""
    seen = {}
    for entry in types.values():
        for name, schema in entry["data"]["properties"].items():
            seen.setdefault(name, schema["description"])
    return "| Field | Meaning |\n| --- | --- |\n" + "".join(f"| `{name}` | {text} |\n" for name, text in sorted(seen.items()))


def page(source):
    types = catalogue(source)["types"]
    path = source / "host/events/README.md"
    text = path.read_text()
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return path, text, before + BEGIN + table(types) + "\n" + fields(types) + END + after


def validators():
    """For each type what complains of an event of it: jsonschema's."""
    import jsonschema
    whole = catalogue()
    validator = lambda schema: jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    envelope = validator(whole["envelope"])
    of_data = {name: validator(entry["data"]) for name, entry in whole["types"].items()}

    def complaints(event):
        if event.get("type") not in of_data:
            return [f"type {event.get('type')} is not in the catalogue"]
        entry = whole["types"][event["type"]]
        found = [f"{event['type']}: {error.message}" for error in [*envelope.iter_errors(event), *of_data[event["type"]].iter_errors(event["data"])]]
        if not re.fullmatch(entry["source"].replace("NAME", "[A-Za-z0-9._~%-]+"), event["source"]):
            found.append(f"{event['type']}: source {event['source']}")
        return found
    return complaints


def choices(source):
    """The types that the configuration lets a notifier choose from."""
    text = (source / "host/config/tables.cpp").read_text()
    literal = re.search(r'\{"events", texts, "\[\]",\s*((?:"[^"]*"\s*)+),', text).group(1)
    return "".join(re.findall(r'"([^"]*)"', literal)).split("|")


def main():
    source, words = pathlib.Path(sys.argv[1]), sys.argv[2:]
    path, text, wanted = page(source)
    if words == ["--write"]:
        path.write_text(wanted)
        return 0
    failed = []
    if text != wanted:
        failed.append(f"{path} is not what the catalogue says; run tests/unit/event_catalogue.py . --write")
    types = catalogue(source)["types"]
    if sorted(types) != choices(source):
        failed.append("the choices of a notifier's key events are not the types of the catalogue")
    try:
        complaints = validators()
    except ImportError:
        print("SKIP jsonschema: python3-jsonschema is not installed")
        return 77
    # First: that it sees what is wrong.
    good = {"specversion": "1.0", "id": "x", "source": "/nodes/main", "type": "node.started", "subject": "main", "time": "2026-11-21T00:00:00.000Z",
            "datacontenttype": "application/json", "data": {"node": "main", "version": "1"}}
    if complaints(good):
        failed.append(f"a good event is refused: {complaints(good)}")
    for change in ({"type": "node.sleeps"}, {"source": "/x/y"}, {"specversion": "2.0"}, {"more": 1}, {"data": {"node": "main"}}, {"data": {**good["data"], "x": 1}}):
        if not complaints({**good, **change}):
            failed.append(f"nothing is said about {change}")
    seen = set()
    for file in words:
        for line in pathlib.Path(file).read_text().splitlines():
            event = json.loads(line)
            seen.add(event["type"])
            failed += complaints(event)
    if words and seen != set(types):
        failed.append(f"no event of {sorted(set(types) - seen)} was looked at")
    print(*failed, sep="\n")
    print(f"{len(types)} types, {len(failed)} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
