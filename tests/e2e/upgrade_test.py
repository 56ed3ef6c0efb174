#!/usr/bin/python3
"""What earlier versions left in their databases is read, and gone on with.

    tests/data/upgrade/VERSION/             state folder and ledgers that VERSION wrote, one of each kind of database
    HANAPER_KEEP_AS=VERSION upgrade_test.py writes such a folder: run once for each kind, when a version is released
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import time
import unittest

from harness import BASE, ROOT, STORAGE, Failed, Node, main, make_csr

DATA = ROOT / "tests" / "data" / "upgrade"
VERSIONS = sorted(path.name for path in DATA.glob("*"))
# The keys are in files, whatever set-up the tests are run on: a token does not outlive its test.
CONFIG = BASE.replace('plugin = "softtoken"\n', 'plugin = "softtoken"\nfolder = "keys"\n') + """
[pipeline.asked]
authority = "issuing"
profiles = ["web"]
approval = "manual"

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "issuing"]
"""


FAKETIME = next(pathlib.Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)


class Kept(Node):
    """A node on the ledger of this set-up, with soft keys."""

    def make_token(self):
        pass

    def write_config(self, config, **extra):
        """Without TLS to the database: at that time its certificate is not valid yet."""
        super().write_config(config, **extra)
        lines = self.config.read_text().splitlines(keepends=True)
        self.config.write_text("".join(line for line in lines if not line.startswith("tls.ca")))

    def live_at(self, seconds):
        """Certificates and requests end: the node lives soon after they were written, whenever this test is run."""
        self.environment |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"{seconds - int(time.time()):+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def database(*last):
    """The server's own client."""
    words = shlex.split(os.environ["HANAPER_DATABASE_SQL"])[:-1]
    done = subprocess.run([*words, *last], capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(done.stderr)


def load(file, node):
    """The dump becomes the ledger."""
    if STORAGE == "sqlite":
        with open(file) as text:
            subprocess.run(["sqlite3", node.state / "hanaper.db"], stdin=text, check=True, timeout=120)
        (node.state / "hanaper.db").chmod(0o600)
    elif STORAGE == "mariadb":
        database("-e", f"source {file}")
    else:
        database("-v", "ON_ERROR_STOP=1", "-f", str(file))


def dump(file, node):
    if STORAGE == "sqlite":
        words = ["sqlite3", node.state / "hanaper.db", ".dump"]
    elif STORAGE == "mariadb":
        client = shlex.split(os.environ["HANAPER_DATABASE_SQL"])
        socket = next(word for word in client if word.startswith("--socket="))
        words = ["mariadb-dump", "--no-defaults", socket, "--user=root", "--hex-blob", "--skip-comments", "--skip-dump-date",
                 os.environ["HANAPER_DATABASE_DATABASE"]]
    else:
        client = shlex.split(os.environ["HANAPER_DATABASE_SQL"])
        words = ["pg_dump", "--no-owner", "--no-privileges", "--inserts", *client[client.index("-h"):-1]]
    text = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout
    # Words of the programs that an older one does not know.
    file.write_text("".join(line + "\n" for line in text.splitlines() if not line.startswith(("\\", "/*M!", "SET transaction_timeout"))))


def issue(node, name):
    _, csr = make_csr(node.folder, [name], name=name)
    return node.json("issue", "--pipeline", "web", "--csr", csr)["serial"]


def keep(version):
    """One certificate of each state, a request that waits, and what the daemon writes by itself."""
    folder = DATA / version / STORAGE
    folder.mkdir(parents=True)
    with Kept(CONFIG) as node:
        node.init().start()
        serials = {state: issue(node, state + ".example.test") for state in ("good", "revoked", "held")}
        node.out("revoke", serials["revoked"], "--reason", "keyCompromise")
        node.out("revoke", serials["held"], "--reason", "certificateHold")
        _, csr = make_csr(node.folder, ["waiting.example.test"])
        node.run("issue", "--pipeline", "asked", "--csr", csr, status=None)
        node.out("crl", "generate", "issuing")
        facts = {"written": int(time.time()), "serials": serials, "crl": node.json("crl", "show", "issuing")["number"], "waiting": len(node.items("requests", "list"))}
        node.stop()
        dump(folder / "ledger.sql", node)
        (folder / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
        shutil.copytree(node.state / "keys", folder / "keys")
        shutil.copy(node.state / "pin", folder / "pin")


@unittest.skipUnless(FAKETIME, "faketime: libfaketime is not installed")
class Upgrade(unittest.TestCase):
    def each(self):
        self.assertTrue(VERSIONS)
        for version in VERSIONS:
            folder = DATA / version / STORAGE
            with self.subTest(version=version), Kept(CONFIG) as node:
                node.state.mkdir(mode=0o700)
                shutil.copytree(folder / "keys", node.state / "keys")
                shutil.copy(folder / "pin", node.state / "pin")
                for path in (node.state / "pin", *(node.state / "keys").iterdir()):
                    path.chmod(0o600)
                (node.state / "keys").chmod(0o700)
                load(folder / "ledger.sql", node)
                facts = json.loads((folder / "facts.json").read_text())
                node.live_at(facts["written"] + 3600)
                yield node, facts

    def test_what_was_written_is_true_and_gone_on_with(self):
        for node, facts in self.each():
            node.out("storage", "migrate")
            node.start()
            self.assertIn("unbroken", node.out("audit", "verify"))
            shown = {state: node.json("show", serial) for state, serial in facts["serials"].items()}
            self.assertEqual({state: row.get("reason") for state, row in shown.items()},
                             {"good": None, "revoked": "keyCompromise", "held": "certificateHold"})
            self.assertEqual(len(node.items("requests", "list")), facts["waiting"])
            node.out("crl", "generate", "issuing")
            self.assertGreater(node.json("crl", "show", "issuing")["number"], facts["crl"])
            self.assertNotIn(issue(node, "new.example.test"), facts["serials"].values())
            node.out("revoke", facts["serials"]["good"], "--reason", "superseded")
            self.assertEqual(node.stop(), 0)


if __name__ == "__main__":
    if version := os.environ.get("HANAPER_KEEP_AS"):
        keep(version)
    else:
        main()
