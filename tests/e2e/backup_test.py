#!/usr/bin/python3
"""A backup is of one moment while certificates are issued, comes back whole or not at all, and no number is used twice."""
import base64
import contextlib
import hashlib
import os
import subprocess
import tarfile
import threading
import time
import unittest

from harness import HANAPER, STORAGE, Control, Failed, Node, main, make_csr, only, openssl
from validity import VALIDITY

CONFIG = VALIDITY.replace('[authority.issuing]', '[authority.issuing]\nserial = "range"\nrange.start = "1000"\nrange.size = 64')


def changed(octets, entry, sum_as_well=False):
    """The archive with a bit of an entry changed, and the sum of it made right where that is asked."""
    begin, end = entry.offset_data, entry.offset_data + entry.size
    other = bytearray(octets)
    other[begin + entry.size // 2] ^= 0x15
    if sum_as_well:
        before, after = (hashlib.sha256(of[begin:end]).hexdigest().encode() for of in (octets, other))
        other = other.replace(before, after)
    return bytes(other)


class Backups(unittest.TestCase):
    def setUp(self):
        self.node = Node(CONFIG, crl='delta = "1h"', ocsp="")
        self.addCleanup(self.node.close)
        self.node.init().start()
        self.file = self.node.folder / "backup.tar"

    def issue(self, name):
        out = self.node.folder / (name + ".pem")
        self.node.out("issue", "--name", name, "--key-out", self.node.folder / (name + ".key"), "--out", out)
        return out

    def request(self):
        _, csr = make_csr(self.node.folder, ["load.example.test"], name="load")
        der = self.node.folder / "load.der"
        openssl("req", "-in", csr, "-outform", "DER", "-out", der)
        return base64.b64encode(der.read_bytes()).decode()

    @contextlib.contextmanager
    def load(self, clients=4):
        """Certificates that were acknowledged, as they come."""
        request, acknowledged, stop = self.request(), [], threading.Event()

        def client():
            control = Control(self.node)
            with contextlib.suppress(OSError, Failed, ValueError):
                while not stop.is_set():
                    acknowledged.append(control.run("issue", pipeline="web", csr=request)["serial"])
            control.close()

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield acknowledged
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def grows(self, acknowledged, by=20):
        wanted, deadline = len(acknowledged) + by, time.monotonic() + 60
        while len(acknowledged) < wanted:
            self.assertLess(time.monotonic(), deadline, "nothing is issued")
            time.sleep(0.01)

    def lose_everything(self):
        self.node.kill()
        self.node.empty()

    def column(self, table, *columns):
        rows = [tuple(cell.decode() for cell in row) for row in self.node.rows(table, *columns)]
        return {row[0] if len(columns) == 1 else row for row in rows}

    def test_what_was_acknowledged_before_it_began_comes_back_and_no_number_comes_twice(self):
        gone, held, good = self.issue("gone.example.test"), self.issue("held.example.test"), self.issue("good.example.test")
        self.node.out("revoke", "--reason", "superseded", gone)
        self.node.out("revoke", "--reason", "certificateHold", held)
        self.node.out("crl", "generate", "issuing")
        with self.load() as acknowledged:
            self.grows(acknowledged)
            before = list(acknowledged)
            documents = {row for row in self.column("record", "collection", "item") if row[0] in ("host.serial", "events.positions", "protocol.crl.lists")}
            self.node.out("backup", self.file)
            self.grows(acknowledged)
        late = self.issue("late.example.test")
        numbers = [row["number"] for row in self.node.items("crl", "list") if row["authority"] == "issuing"]
        for _ in range(3):
            self.node.out("crl", "generate", "issuing")
        numbers += [row["number"] for row in self.node.items("crl", "list") if row["authority"] == "issuing"]
        given = set(acknowledged) | self.column("certificate", "serial")

        self.lose_everything()
        said = self.node.out("restore", self.file)
        self.assertIn("restored the backup of", said)
        self.assertIn("authority issuing: CRLs go on with number", said)
        signed, reserved = self.column("signature", "serial"), self.column("certificate", "serial")
        self.assertEqual(set(before) - signed, set(), "acknowledged before, and not in it")
        self.assertEqual(signed - reserved, set(), "of one moment")
        self.assertTrue(documents <= self.column("record", "collection", "item"))
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        states = {name: self.node.json("show", file)["state"] for name, file in (("gone", gone), ("held", held), ("good", good))}
        self.assertEqual(states, {"gone": "revoked", "held": "on hold", "good": "issued"})
        self.node.error("show", late)
        events = [line for line in self.node.out("audit", "tail", "--lines", "50").splitlines() if '"event":"restored"' in line]
        self.assertEqual(len(events), 1)

        self.node.start()
        self.node.out("crl", "generate", "issuing")
        self.assertGreater(min(row["number"] for row in self.node.items("crl", "list") if row["authority"] == "issuing"), max(numbers))
        with self.load() as more:
            self.grows(more, 100)
        self.assertEqual(set(more) & given, set(), "a number that was used")
        self.assertEqual(len(set(more)), len(more))
        self.assertGreater(min(int(serial, 16) for serial in more), max(int(serial, 16) for serial in acknowledged))
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        self.node.out("backup", self.node.folder / "next.tar")
        self.assertIn('"event":"backup.made"', self.node.out("audit", "tail", "--lines", "5"))

    def test_revocations_after_it_come_back_from_a_crl(self):
        certificate = self.issue("gone.example.test")
        self.node.out("backup", self.file)
        self.node.out("revoke", "--reason", "keyCompromise", certificate)
        self.node.out("crl", "generate", "issuing")
        published = self.node.folder / "published.crl"
        self.node.out("crl", "download", "issuing", "--out", published)
        self.lose_everything()
        self.assertIn("1 taken in", self.node.out("restore", self.file, "--crl", published))
        self.assertEqual(self.node.json("show", certificate)["state"], "revoked")

    def test_without_the_crls_that_were_asked_for_nothing_is_served(self):
        self.issue("a.example.test")
        self.node.out("backup", self.file)
        self.lose_everything()
        key, root, config, crl = (self.node.folder / name for name in ("namesake.key", "namesake.pem", "namesake.cnf", "namesake.crl"))
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", "/CN=Example Issuing CA", "-out", root)
        (self.node.folder / "index.txt").touch()
        config.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={self.node.folder}/index.txt\ndefault_md=sha256\ndefault_crl_days=3\n")
        openssl("ca", "-config", config, "-gencrl", "-keyfile", key, "-cert", root, "-out", crl)
        self.assertRegex(self.node.error("restore", self.file, "--crl", crl), "no CRL was taken in: empty .* and restore again")
        self.assertIn("a restore was broken off", self.node.error("list", status=2))
        with self.assertRaises(Failed):
            self.node.start()

    def test_it_goes_into_nothing_that_is_in_use(self):
        self.issue("a.example.test")
        self.node.out("backup", self.file)
        self.node.stop()
        rows = self.column("certificate", "serial")
        if STORAGE != "sqlite":
            self.node.empty_state()
            self.assertEqual(self.node.error("restore", self.file), "storage.main holds a ledger already; a restore wants an empty database")
        else:
            self.assertRegex(self.node.error("restore", self.file), "exists; restore into an empty state folder")
        self.assertEqual(self.column("certificate", "serial"), rows)
        self.lose_everything()
        self.node.out("restore", self.file)
        if STORAGE != "sqlite":
            self.node.empty_state()
        self.node.error("restore", self.file)
        self.assertEqual(self.column("certificate", "serial"), rows, "a second time changes nothing")

    def test_a_broken_one_is_refused_and_nothing_is_written(self):
        self.issue("a.example.test")
        self.node.out("backup", self.file)
        octets = self.file.read_bytes()
        self.lose_everything()
        broken = self.node.folder / "broken.tar"
        cuts = sorted({0, 100, 511, 512, 700, len(octets) // 3, len(octets) // 2, len(octets) - 1025, len(octets) - 1024})
        for at in cuts:
            with self.subTest(cut=at):
                broken.write_bytes(octets[:at])
                self.assertRegex(self.node.error("restore", broken), "damaged|ends within")
        with tarfile.open(self.file) as tar:
            parts = [entry for entry in tar.getmembers() if entry.size != 0]
        self.assertGreater(len(parts), 3)
        for entry in parts:
            with self.subTest(changed=entry.name):
                broken.write_bytes(changed(octets, entry))
                name = entry.name if entry.name != "sha256sums" else ".+"
                self.assertRegex(self.node.error("restore", broken), f"broken.tar: (is damaged: {name} is not what was saved; restore another|.*manifest)")
        if STORAGE != "sqlite":
            for entry in parts:
                if entry.name.startswith("ledger/"):
                    with self.subTest(written=entry.name):
                        broken.write_bytes(changed(octets, entry, sum_as_well=True))
                        self.assertRegex(self.node.error("restore", broken), "broken.tar: the ledger in it is damaged, at |other tables")
        self.node.out("restore", self.file)
        self.assertIn("unbroken", self.node.out("audit", "verify"))

    def test_a_restore_that_was_broken_off_is_not_served_and_goes_on(self):
        certificate = self.issue("a.example.test")
        serial = self.node.json("show", certificate)["serial"]
        self.node.out("backup", self.file)
        self.lose_everything()
        if STORAGE == "sqlite":
            self.node.out("restore", self.file)
        else:
            # As far as a restore came that ended before the last signature.
            self.node.out("restore", self.file)
            for table in ("writer", "lease", "record_index", "record", "audit", "expiry", "blocked_key", "certificate_name", "crl", "revocation"):
                self.node.execute(f"DELETE FROM {table}")
            self.node.execute(f"DELETE FROM signature WHERE serial = '{serial}'")
        (self.node.state / "restore.unfinished").touch()
        told = f"{self.node.state}/restore.unfinished: a restore was broken off; empty the state folder and restore again"
        self.assertEqual(self.node.failed_start(2), told)
        self.assertEqual(self.node.error("restore", self.file), told)
        self.assertEqual(self.node.failed_start(2), told, "it stays")
        self.node.empty_state()
        self.node.out("restore", self.file)
        self.assertEqual(self.node.json("show", certificate)["state"], "issued")
        self.node.start()
        self.issue("b.example.test")

    def test_a_sealed_one_opens_with_its_passphrase_alone(self):
        self.issue("a.example.test")
        mine, other, short, empty = (self.node.folder / name for name in ("mine", "other", "short", "empty"))
        for file, text in ((mine, "a passphrase of mine\n"), (other, "another passphrase\n"), (short, "short\n"), (empty, "\n")):
            file.write_text(text)
        for file in (short, empty):
            self.assertEqual(self.node.error("backup", "--passphrase", file, self.file), f"{file}: one line of at least 12 characters is expected, the passphrase")
            self.assertFalse(self.file.exists())
        said = self.node.out("backup", "--passphrase", mine, self.file)
        self.assertRegex(said, "entries, .*, sealed; pins are not in it")
        self.assertNotIn("mine", said.replace(str(self.node.folder), ""))
        printed = self.node.folder / "printed.sealed"
        made = self.node.json("backup", "--seal", printed)["passphrase"]
        self.assertIn("its passphrase is ", self.node.out("backup", "--seal", self.node.folder / "third.sealed"))
        (self.node.folder / "made").write_text(made)
        streamed = self.node.folder / "streamed.sealed"
        with open(streamed, "wb") as out:
            subprocess.run([str(part) for part in (HANAPER, "backup", "--passphrase", mine, "-", "-c", self.node.config)], stdout=out, check=True)
        for file in (self.file, printed, streamed):
            self.assertEqual(file.read_bytes()[:17], b"hanaper sealed 1\n")
            self.assertNotIn(b"example", file.read_bytes())
            self.assertEqual(file.stat().st_mode & 0o77 if file != streamed else 0, 0)
        self.assertEqual([path.name for path in self.node.state.glob("backup-*")], [], "nothing unsealed stays")

        for file, passphrase in ((self.file, mine), (printed, self.node.folder / "made"), (streamed, mine)):
            self.lose_everything()
            self.assertIn("is sealed: --passphrase FILE is needed", self.node.error("restore", file, status=2))
            self.assertIn("the passphrase is another one, or the file was changed or cut", self.node.error("restore", "--passphrase", other, file))
            self.assertEqual([path.name for path in self.node.state.glob("backup-*")], [])
            self.node.out("restore", "--passphrase", passphrase, file)
            self.assertEqual([row["names"] for row in self.node.items("list", "--name", "a.example.test")], [["a.example.test"]])
            self.assertEqual([path.name for path in self.node.state.glob("backup-*")], [])
            self.node.start()

    def test_a_kill_leaves_no_half_of_one(self):
        with self.load() as acknowledged:
            self.grows(acknowledged, 200)
        for attempt in range(3):
            target = self.node.folder / f"{attempt}.tar"
            client = subprocess.Popen([HANAPER, "backup", target, "-c", self.node.config], stderr=subprocess.PIPE, env={**os.environ, **self.node.environment})
            while client.poll() is None and not list(self.node.state.glob("backup-*.tar")):
                pass
            self.node.kill()
            client.communicate()
            if target.exists():
                subprocess.run(["tar", "-tf", target], check=True, capture_output=True)
            self.node.start()
            self.assertEqual(list(self.node.state.glob("backup-*.tar")), [])
            self.assertIn("unbroken", self.node.out("audit", "verify"))

    def test_there_is_one_at_a_time(self):
        with self.load() as acknowledged:
            self.grows(acknowledged, 200)
        targets = [self.node.folder / f"{i}.tar" for i in range(4)]
        clients = [subprocess.Popen([HANAPER, "backup", target, "-c", self.node.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    env={**os.environ, **self.node.environment}) for target in targets]
        made = 0
        for client, target in zip(clients, targets):
            _, error = client.communicate()
            self.assertEqual(target.exists(), client.returncode == 0)
            if client.returncode == 0:
                made += 1
                subprocess.run(["tar", "-tf", target], check=True, capture_output=True)
            else:
                self.assertIn("a backup is being made already; wait for its end", error)
        self.assertGreaterEqual(made, 1)


@only(keys="softtoken")
class Elsewhere(unittest.TestCase):
    @unittest.skipIf(STORAGE == "sqlite", "setup: is about a ledger of rows")
    def test_the_ledger_of_a_server_goes_into_a_file(self):
        with Node().init() as node:
            node.out("issue", "--name", "a.example.test", "--key-out", node.folder / "a.key")
            rows = node.items("list")
            node.out("backup", node.folder / "b.tar")
            node.config.write_text(node.config.read_text().split("[storage.main]")[0] + '[storage.file]\nplugin = "sqlite"\n[keys.soft]'
                                   + node.config.read_text().split("[keys.soft]")[1])
            node.empty_state()
            node.out("restore", node.folder / "b.tar")
            self.assertEqual(node.items("list"), rows)
            self.assertIn("unbroken", node.out("audit", "verify"))


if __name__ == "__main__":
    main()
