#!/usr/bin/python3
"""What an operator does with certificates, keys and challenges by command: for people, by filters, under another pin."""
import json
import subprocess
import time
import unittest

from harness import BASE, Node, main, make_csr, openssl

MANUAL = BASE + """
[pipeline.manual]
authority = "issuing"
profiles = ["web"]
approval = "manual"
validate = ["lint"]
"""
FILTERED = MANUAL.replace('profiles = ["web"]', 'profiles = ["web", "short"]') + """
[profile.short]
lifetime = "20d"
usages = ["server-auth"]
"""
USERS = BASE + """
[profile.user]
lifetime = "1y"
usages = ["client-auth", "email-protection"]
names = ["email"]
subject = "request"

[pipeline.users]
authority = "issuing"
profiles = ["user"]
validate = ["lint"]
"""


class ForPeople(unittest.TestCase):
    def setUp(self):
        self.node = Node(USERS).init()
        self.addCleanup(self.node.close)
        self.pin = self.node.folder / "p12-pin"
        self.pin.write_text("a pin to type\n")

    def issue(self, *words, **options):
        return self.node.run("issue", "--pipeline", "users", *words, **options)

    def test_a_certificate_for_a_mailbox_comes_as_a_file_that_people_can_import(self):
        p12, pin = self.node.folder / "joe.p12", ("-passin", f"file:{self.pin}")
        self.issue("--mail", "joe@example.test", "--subject", "CN=Joe Example,O=Example", "--p12", p12, "--p12-pin", self.pin)
        openssl("pkcs12", "-in", p12, *pin, "-nokeys", "-clcerts", "-out", self.node.folder / "joe.pem")
        text = openssl("x509", "-in", self.node.folder / "joe.pem", "-noout", "-text", "-nameopt", "RFC2253")
        self.assertIn("Subject: CN=Joe Example,O=Example", text.replace("O=Example,CN=Joe Example", "CN=Joe Example,O=Example"))
        self.assertIn("email:joe@example.test", text)
        self.assertEqual(len(self.node.items("list", "--name", "joe@example.test")), 1)
        self.assertEqual(self.node.items("list", "--name", "jo@example.test"), [])
        openssl("pkcs12", "-in", p12, *pin, "-nocerts", "-nodes", "-out", self.node.folder / "joe.key")
        self.assertEqual(openssl("pkey", "-in", self.node.folder / "joe.key", "-pubout"), openssl("x509", "-in", self.node.folder / "joe.pem", "-noout", "-pubkey"))
        openssl("pkcs12", "-in", p12, *pin, "-nokeys", "-cacerts", "-out", self.node.folder / "above.pem")
        openssl("verify", "-CAfile", self.node.root_file(), "-untrusted", self.node.folder / "above.pem", self.node.folder / "joe.pem")
        self.assertEqual(oct(p12.stat().st_mode & 0o777), "0o600")
        self.assertFalse((self.node.folder / "joe.p12.key").exists())
        info = subprocess.run(["openssl", "pkcs12", "-in", p12, *pin, "-info", "-noout"], capture_output=True, text=True).stderr
        self.assertIn("AES-256-CBC", info)
        self.assertNotIn("RC2", info)

    def test_nothing_is_overwritten_or_left_behind(self):
        p12 = self.node.folder / "joe.p12"
        self.assertIn("--p12-pin FILE is needed", self.issue("--mail", "joe@example.test", "--p12", p12, status=2).stderr)
        self.issue("--mail", "joe@", "--p12", p12, "--p12-pin", self.pin, status=1)
        self.issue("--name", "joe.example.test", "--p12", p12, "--p12-pin", self.pin, status=1)
        self.assertEqual(sorted(path.name for path in self.node.folder.glob("joe*")), [])
        p12.write_text("precious")
        self.assertIn("exists already", self.issue("--mail", "joe@example.test", "--p12", p12, "--p12-pin", self.pin, status=1).stderr)
        self.assertEqual(p12.read_text(), "precious")


class Repin(unittest.TestCase):
    def setUp(self):
        self.node = Node().init()
        self.addCleanup(self.node.close)
        self.pin = self.node.state / "pin"

    def opens(self, pin):
        return {subprocess.run(["openssl", "pkey", "-in", key, "-passin", f"file:{pin}", "-noout"], capture_output=True).returncode == 0
                for key in (self.node.state / "keys").glob("*.pem")}

    def test_every_key_gets_the_new_pin_and_none_keeps_the_old(self):
        for running in (False, True):
            with self.subTest(running=running):
                if running:
                    self.node.start()
                old = self.node.folder / "old-pin"
                old.write_text(self.pin.read_text())
                (self.node.state / "keys" / "notes").write_text("not a key")
                self.assertIn("keys.soft: 2 keys have a new pin, in " + str(self.pin), self.node.out("keys", "repin"))
                self.assertNotEqual(self.pin.read_text(), old.read_text())
                self.assertEqual((self.opens(self.pin), self.opens(old)), ({True}, {False}))
                self.assertEqual(oct(self.pin.stat().st_mode & 0o777), "0o600")
                self.assertEqual(sorted(p.name for p in (self.node.state / "keys").iterdir()), ["issuing.pem", "notes", "root.pem"])
                self.assertEqual([p.name for p in self.node.state.glob("*.new")], [])
                self.node.out("keys", "create", f"soft:later-{running}".lower())
                self.assertEqual(self.opens(self.pin), {True})
                self.node.out("keys", "delete", f"soft:later-{running}".lower(), "--yes")
        self.node.stop()
        self.node.start()
        self.assertEqual([json.loads(row["line"])["event"] for row in self.node.items("audit", "tail", "--lines", "50")].count("keys.repinned"), 2)

    def test_a_pin_of_ones_own(self):
        own = self.node.folder / "own"
        own.write_text("a pin that somebody chose\n")
        self.node.out("keys", "repin", "soft", "--new-pin", own)
        self.assertEqual(self.opens(own), {True})
        self.assertEqual(self.pin.read_text(), own.read_text())

    def test_what_is_refused_changes_nothing(self):
        short = self.node.folder / "short"
        short.write_text("short\n")
        before = self.pin.read_text()
        self.assertIn("shorter than 8 characters", self.node.error("keys", "repin", "--new-pin", short))
        self.assertIn('no keys instance "sft"; there are soft', self.node.error("keys", "repin", "sft", status=2))
        (self.node.state / "pin.new").write_text("of yesterday")
        self.assertIn("is left from a change that was cut off", self.node.error("keys", "repin"))
        self.assertEqual((self.pin.read_text(), self.opens(self.pin)), (before, {True}))


class Filters(unittest.TestCase):
    def setUp(self):
        self.node = Node(FILTERED).init()
        self.addCleanup(self.node.close)

    def issue(self, name, profile):
        path = self.node.folder / f"{name}-{profile}-{time.monotonic_ns()}"
        self.node.out("issue", "--pipeline", "web", "--profile", profile, "--name", f"{name}.example.test", "--key-out", f"{path}.key", "--out", f"{path}.pem")
        return self.node.json("show", f"{path}.pem")["serial"]

    def serials(self, *words):
        return {row["serial"] for row in self.node.items("list", *words)}

    def test_what_expires_is_what_somebody_has_to_do_something_about(self):
        old = self.issue("old", "short")
        renewed = self.issue("renewed", "short")
        time.sleep(1.1)  # certificates count in seconds
        again = self.issue("renewed", "short")
        revoked = self.issue("gone", "short")
        self.node.out("revoke", revoked)
        other_profile = self.issue("both", "short")
        self.issue("both", "web")
        self.node.start()
        self.assertEqual(self.serials("--expires-within", "30d", "--state", "issued"), {old, again, other_profile})
        self.assertEqual(self.serials("--expires-within", "30d"), {old, again, other_profile, revoked})
        everything = self.serials("--expires-within", "30d", "--all")
        self.assertTrue({old, renewed, again, revoked, other_profile} <= everything)
        # One whose successor was revoked is on its own again.
        self.node.out("revoke", again)
        self.assertEqual(self.serials("--expires-within", "30d", "--state", "issued"), {old, renewed, other_profile})

    def test_by_profile_and_requester_with_pages(self):
        short = {self.issue(f"s{i}", "short") for i in range(5)}
        web = {self.issue(f"w{i}", "web") for i in range(3)}
        self.assertEqual(self.serials("--profile", "short"), short)
        self.assertEqual(self.serials("--profile", "web"), web)
        self.assertEqual(len(self.node.items("list", "--profile", "short", "--limit", "3")), 3)
        requester = self.node.json("show", next(iter(short)))["requester"]
        self.assertEqual(self.serials("--requester", requester), short | web)
        self.assertEqual(self.serials("--requester", requester[:5] + "*"), short | web)
        self.assertEqual(self.serials("--requester", "token:nobody"), set())

    def test_revoke_takes_the_same_filters_and_asks(self):
        short = {self.issue(f"s{i}", "short") for i in range(3)}
        web = {self.issue("w", "web")}
        self.assertIn("would revoke 3 certificates; without a terminal it wants --yes", self.node.error("revoke", "--profile", "short", status=2))
        self.assertEqual(self.serials("--state", "revoked"), set())
        self.assertIn("revoked 3, 0 were revoked already", self.node.out("revoke", "--profile", "short", "--reason", "superseded", "--yes"))
        self.assertEqual(self.serials("--state", "revoked"), short)
        self.assertIn("no certificate that is issued fits", self.node.error("revoke", "--profile", "short", "--yes"))
        self.node.out("revoke", "--authority", "issuing", "--yes")
        self.assertEqual(self.serials("--state", "revoked"), short | web)
        self.assertIn("either FILE_OR_SERIAL...", self.node.error("revoke", "--profile", "short", "0123", status=2))

    def test_an_approval_has_a_comment(self):
        _, csr = make_csr(self.node.folder, ["a.example.test"])
        self.node.run("issue", "--pipeline", "manual", "--csr", csr, status=3)
        request = self.node.items("requests", "list")[0]["request"]
        self.assertEqual(self.node.json("requests", "approve", request, "--comment", "ticket 4711")["reason"], "ticket 4711")
        self.assertIn("ticket 4711", self.node.out("audit", "tail"))


SCEP = BASE.replace('subject = "CN=Test Issuing CA"', 'subject = "CN=Test Issuing CA"\nregistrar = "soft:registrar"') + """
[protocol.scep]
listener = "plain"
path = "/scep"
pipeline = "web"
challenge_lifetime = "1d"
"""


class Challenges(unittest.TestCase):
    def test_they_are_listed_without_their_text_and_withdrawn(self):
        with Node(SCEP).init() as node:
            node.start()
            texts = [node.json("scep", "challenge", "--subject", f"CN=router-{i}", "--name", f"router-{i}.example.test")["challenge"] for i in (1, 2)]
            texts.append(node.json("scep", "challenge")["challenge"])
            rows = {row.get("subject", "any"): row for row in node.items("scep", "challenges")}
            self.assertEqual(sorted(rows), ["CN=router-1", "CN=router-2", "any"])
            self.assertEqual(rows["CN=router-2"]["names"], ["router-2.example.test"])
            said = node.out("scep", "challenges", "--json")
            self.assertFalse([text for text in texts if text in said])
            gone = rows["CN=router-1"]["id"]
            self.assertEqual(node.json("scep", "withdraw", gone), {"id": gone})
            self.assertEqual(sorted(row.get("subject", "any") for row in node.items("scep", "challenges")), ["CN=router-2", "any"])
            for wrong in (gone, gone[:6], "x" * 12):
                self.assertRegex(node.run("scep", "withdraw", wrong, status=None).stderr, "no challenge|must")


if __name__ == "__main__":
    main()
