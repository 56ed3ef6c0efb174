#!/usr/bin/python3
"""The command line, with and without a running daemon, and everything an operator does with it."""
import base64
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import unittest

from harness import BASE, HANAPER, STORAGE, Control, Failed, Node, main, make_csr, only, openssl


class WithoutDaemon(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)

    @only(keys="softtoken")
    def test_init_creates_everything_once_and_then_changes_nothing(self):
        first = self.node.out("init")
        self.assertIn("authority root: created, self-signed, CN=Test Root CA", first)
        self.assertIn("authority issuing: created below root", first)
        self.assertEqual(oct((self.node.state / "pin").stat().st_mode & 0o777), "0o600")
        self.assertEqual(oct(self.node.state.stat().st_mode & 0o777), "0o700")
        before = {p.name: p.read_bytes() for p in (self.node.state / "keys").iterdir()}
        shown = self.node.out("show", "--authority", "issuing", "--pem")
        second = self.node.out("init")
        self.assertNotIn("created", second)
        self.assertIn("authority issuing: exists", second)
        self.assertEqual({p.name: p.read_bytes() for p in (self.node.state / "keys").iterdir()}, before)
        self.assertEqual(self.node.out("show", "--authority", "issuing", "--pem"), shown)

    @unittest.skipUnless(os.geteuid() == 0, "root: needed to give a folder to somebody else")
    def test_nobody_but_the_owner_of_the_state_folder_leaves_files_there(self):
        self.node.state.mkdir()
        shutil.chown(self.node.state, "nobody")
        said = f"{self.node.state}: belongs to user nobody, who could not read what others write there; run this as that user (runuser -u nobody -- ...)"
        self.assertEqual(self.node.error("init"), said)
        self.assertEqual(list(self.node.state.iterdir()), [])
        shutil.chown(self.node.state, "root")
        self.node.init()
        shutil.chown(self.node.state, "nobody")
        before = sorted(p.name for p in self.node.state.iterdir())
        self.assertEqual(self.node.error("list"), said)
        self.assertEqual(self.node.error("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key"), said)
        self.assertEqual(self.node.failed_start(), said)
        self.assertEqual(sorted(p.name for p in self.node.state.iterdir()), before)

    @only(keys="softtoken")
    def test_keys_at_rest_are_encrypted_and_open_with_the_pin(self):
        self.node.init()
        key, pin = self.node.state / "keys" / "root.pem", self.node.state / "pin"
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", key.read_text())
        openssl("pkey", "-in", key, "-passin", f"file:{pin}", "-noout")
        with self.assertRaises(Failed):
            openssl("pkey", "-in", key, "-passin", "pass:wrong-pin", "-noout")

    def test_issue_by_name_makes_the_key_and_a_chain_that_verifies(self):
        self.node.init()
        key, out = self.node.folder / "a.key", self.node.folder / "a.pem"
        self.node.out("issue", "--name", "a.example.test", "--name", "192.0.2.7", "--key-out", key, "--out", out)
        root = self.node.root_file()
        openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, "-untrusted", out, out)
        text = openssl("x509", "-in", out, "-noout", "-text")
        self.assertIn("DNS:a.example.test, IP Address:192.0.2.7", text)
        self.assertEqual(openssl("x509", "-in", out, "-noout", "-pubkey"), openssl("pkey", "-in", key, "-pubout"))
        self.assertEqual(oct(key.stat().st_mode & 0o777), "0o600")

    def test_a_key_file_is_never_overwritten_and_not_left_behind_by_a_refusal(self):
        self.node.init()
        key = self.node.folder / "a.key"
        key.write_text("precious")
        self.assertIn("exists already", self.node.error("issue", "--name", "a.example.test", "--key-out", key))
        self.assertEqual(key.read_text(), "precious")
        key.unlink()
        self.assertIn("no pipeline", self.node.error("issue", "--pipeline", "wed", "--name", "a.example.test", "--key-out", key))
        self.assertFalse(key.exists())

    def test_every_key_type_can_be_certified(self):
        self.node.init()
        for kind in ("ec", "rsa", "ed25519"):
            _, csr = make_csr(self.node.folder, [f"{kind}.example.test"], kind, kind)
            out = self.node.folder / f"{kind}.crt"
            self.node.out("issue", "--csr", csr, "--out", out)
            openssl("verify", "-CAfile", self.node.root_file(), "-untrusted", out, out)

    def test_list_show_and_revoke(self):
        self.node.init()
        for name in ("a", "b"):
            self.node.out("issue", "--name", f"{name}.example.test", "--key-out", self.node.folder / f"{name}.key", "--out", self.node.folder / f"{name}.pem")
        rows = self.node.items("list", "--name", ".example.test")
        self.assertEqual(sorted(r["names"][0] for r in rows), ["a.example.test", "b.example.test"])
        serial = self.node.items("list", "--name", "a.example.test")[0]["serial"]
        self.assertEqual(self.node.json("show", serial)["state"], "issued")
        self.assertIn("revoked " + serial + ", keyCompromise", self.node.out("revoke", "--reason", "keyCompromise", serial))
        self.assertEqual(self.node.json("show", self.node.folder / "a.pem")["reason"], "keyCompromise")
        # The same again succeeds; another reason does not replace the first.
        for again in ([], ["--reason", "keyCompromise"]):
            self.assertEqual(self.node.out("revoke", *again, serial), f"{serial} is revoked already, keyCompromise\n")
        self.assertIn("revoked already, keyCompromise", self.node.error("revoke", "--reason", "superseded", serial))
        self.assertEqual([r["serial"] for r in self.node.items("list", "--state", "revoked")], [serial])
        self.assertEqual(self.node.items("list", "--expires-within", "30d"), [])
        self.assertEqual(len(self.node.items("list", "--expires-within", "91d")), 1 + 1)
        self.assertEqual(len(self.node.items("list", "--limit", "1")), 1)
        # The key is blocked from now on, in every request.
        key = self.node.folder / "a.key"
        openssl("req", "-new", "-key", key, "-subj", "/", "-addext", "subjectAltName=DNS:c.example.test", "-out", self.node.folder / "c.csr")
        self.assertIn("blocked", self.node.error("issue", "--csr", self.node.folder / "c.csr"))

    def test_what_is_not_there_is_said_in_one_line(self):
        self.node.init()
        for words, line in [
            (("show", "0123"), "no certificate with serial number 0123"),
            (("show", "nonsense"), "\"nonsense\" is neither a file nor a serial number"),
            (("show", "--authority", "rot"), "no authority \"rot\"; did you mean \"root\"?"),
            (("revoke", "ff00"), "no certificate with serial number 00ff00"),
            (("issue", "--csr", "/nonexistent"), "/nonexistent: cannot be opened: No such file or directory"),
        ]:
            self.assertIn(line, self.node.error(*words))
        foreign = self.node.folder / "foreign.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x", "-out", foreign)
        self.assertIn("was not issued here", self.node.error("revoke", foreign))

    def test_wrong_use_ends_with_status_2_and_says_how_to_get_help(self):
        for words, line in [
            (("isue",), "no command \"isue\"; did you mean \"issue\"?"),
            (("list", "--nam", "x"), "unknown option --nam; did you mean \"--name\"?"),
            (("list", "--name"), "option --name needs a value"),
            (("revoke",), "either FILE_OR_SERIAL... or --from FILE is needed"),
            (("backup", "a", "b"), "unexpected \"b\""),
            (("issue",), "either --csr FILE or --name NAME"),
            (("list", "--limit", "many"), "is no whole number"),
        ]:
            done = subprocess.run([HANAPER, *words], capture_output=True, text=True)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(line, done.stderr)

    def test_audit_verifies_and_notices_a_change(self):
        self.node.init()
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        lines = [json.loads(line) for line in self.node.out("audit", "tail", "--lines", "2").strip().split("\n")]
        self.assertEqual([line["event"] for line in lines], ["sign.intent", "signed"])
        self.assertEqual(lines[0]["serial"], lines[1]["serial"])
        self.node.execute("UPDATE audit SET {lines} = REPLACE({lines}, 'signed', 'singed') WHERE sequence = 3")
        self.assertIn("page 3: its text has been changed", self.node.error("audit", "verify"))

    @only(storage="sqlite", keys="softtoken")
    def test_a_backup_restores_into_an_empty_folder(self):
        self.node.init()
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
        backup = self.node.folder / "backup.tar"
        self.node.out("backup", backup)
        self.assertIn("exists already", self.node.error("backup", backup))
        self.assertIn("exists", self.node.error("restore", backup))
        before = self.node.items("list")
        pin = (self.node.state / "pin").read_bytes()
        shutil.rmtree(self.node.state)
        self.node.state.mkdir(mode=0o700)
        (self.node.state / "pin").write_bytes(pin)
        (self.node.state / "pin").chmod(0o600)
        said = self.node.out("restore", backup)
        self.assertIn("restored the backup of", said)
        self.assertIn("is good again: take in the CRLs that were published since, with --crl, or revoke it", said)
        self.assertEqual(self.node.items("list"), before)
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        self.node.out("issue", "--name", "b.example.test", "--key-out", self.node.folder / "b.key")

    @only(storage="sqlite", keys="softtoken")
    def test_a_damaged_backup_is_refused(self):
        self.node.init()
        backup = self.node.folder / "backup.tar"
        self.node.out("backup", backup)
        octets = backup.read_bytes()
        backup.write_bytes(octets[:600])
        shutil.rmtree(self.node.state / "keys")
        self.assertIn("damaged", self.node.error("restore", backup))


class Trouble(unittest.TestCase):
    """Each gives one clear line that names file and place; status 2 for configuration, 1 at run time."""

    def setUp(self):
        self.node = Node().init()
        self.addCleanup(self.node.close)

    @only(keys="softtoken")
    def test_a_wrong_pin(self):
        (self.node.state / "pin").write_text("another-pin-altogether")
        self.assertIn(f"keys.soft: {self.node.state}/keys/issuing.pem: the pin does not open it", self.node.failed_start(2))

    @only(keys="softtoken")
    def test_a_key_file_that_is_damaged_is_not_blamed_on_the_pin(self):
        key = self.node.state / "keys" / "issuing.pem"
        whole = key.read_text()
        lines = whole.split("\n")
        for name, text in [("cut short", whole[:len(whole) // 2]), ("without its end", "\n".join(lines[:-2]) + "\n"),
                           ("lines missing", "\n".join(lines[:2] + lines[-2:])), ("nothing but its frame", "\n".join([lines[0], *lines[-2:]]))]:
            key.write_text(text)
            self.assertIn(f"{key}: the file is damaged: it holds no whole key; take it from a backup", self.node.failed_start(2), name)
        key.write_text("")
        self.assertIn(f"{key}: not a private key in PEM", self.node.failed_start(2))
        key.write_text(whole)
        self.node.start()

    @only(keys="softtoken")
    def test_a_pin_that_others_may_read(self):
        (self.node.state / "pin").chmod(0o644)
        self.assertIn("others may read or write it; only its owner should (chmod 600)", self.node.failed_start(2))

    @only(keys="softtoken")
    def test_a_missing_key(self):
        (self.node.state / "keys" / "issuing.pem").unlink()
        line = self.node.failed_start(2)
        self.assertRegex(line, r"pki.toml:\d+:\d+: authority.issuing.key: no key \"issuing\" in .*/keys")

    @only(keys="softtoken")
    def test_a_key_that_does_not_match_its_certificate(self):
        keys = self.node.state / "keys"
        shutil.copy(keys / "root.pem", keys / "issuing.pem")
        self.assertRegex(self.node.failed_start(2), r"pki.toml:\d+:\d+: authority.issuing.key: the key soft:issuing does not match the authority's certificate")

    def test_a_subject_that_was_changed(self):
        self.node.write_config(BASE.replace("CN=Test Issuing CA", "CN=Another Name"))
        self.assertIn("the certificate says \"CN=Test Issuing CA\", the configuration \"CN=Another Name\"", self.node.failed_start(2))

    @only(storage="sqlite")
    def test_a_damaged_database(self):
        database = self.node.state / "hanaper.db"
        octets = bytearray(database.read_bytes())
        octets[:100] = os.urandom(100)
        database.write_bytes(octets)
        for extra in ("-wal", "-shm"):
            (self.node.state / f"hanaper.db{extra}").unlink(missing_ok=True)
        line = self.node.failed_start()
        self.assertIn(f"{database}: not a SQLite database; name another file or restore a backup", line)

    def test_a_database_of_a_newer_program(self):
        self.node.execute("UPDATE schema_version SET number = 999")
        self.assertRegex(self.node.failed_start(2), r" has schema 999; this program knows up to \d+: install the newer program")

    def test_a_clock_set_back_before_the_last_audit_entry(self):
        self.node.execute("UPDATE audit SET written_at = written_at + 86400000")
        self.assertRegex(self.node.failed_start(), r"the clock says .*, before the last audit entry of .*; set the clock right")
        self.assertIn("set the clock right", self.node.error("check", "--deep"))
        self.assertIn("set the clock right", self.node.error("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key"))
        self.node.out("list")
        if STORAGE == "sqlite":
            self.node.out("backup", self.node.folder / "ahead.tar")
        self.node.out("audit", "accept-clock")
        self.assertIn("nothing to accept", self.node.error("audit", "accept-clock"))
        self.assertIn("clock.accepted", self.node.out("audit", "tail", "--lines", "1"))
        self.node.start()
        self.node.out("issue", "--name", "b.example.test", "--key-out", self.node.folder / "b.key")

    def test_a_state_folder_in_use(self):
        self.node.start()
        self.assertIn(f"{self.node.state}: in use by process {self.node.process.pid}", self.node.failed_start())
        self.assertIn("stop the daemon first", self.node.error("init"))

    def test_an_address_in_use(self):
        self.node.start()
        other = Node().init()
        self.addCleanup(other.close)
        other.http = self.node.http
        other.write_config(BASE)
        self.assertIn(f"listener.plain: cannot bind 127.0.0.1 port {self.node.http}: Address already in use", other.failed_start())

    @only(keys="softtoken")
    def test_no_init(self):
        fresh = Node()
        self.addCleanup(fresh.close)
        self.assertIn("hanaper init makes up pins that are missing", fresh.failed_start(2))
        fresh.state.mkdir()
        (fresh.state / "pin").write_text("a-pin-of-some-length\n")
        (fresh.state / "pin").chmod(0o600)
        self.assertIn("run hanaper init", fresh.failed_start())


class WithDaemon(unittest.TestCase):
    def setUp(self):
        self.node = Node().init().start()
        self.addCleanup(self.node.close)

    def test_commands_ask_the_daemon(self):
        out = self.node.folder / "a.pem"
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key", "--out", out)
        self.node.out("revoke", out)
        self.assertEqual(self.node.json("show", out)["state"], "revoked")
        self.assertEqual(len(self.node.items("list", "--name", "a.example.test")), 1)
        self.assertIn("random", self.node.out("serials"))
        self.assertIn("unbroken", self.node.out("audit", "verify"))
        self.assertGreater(self.node.metric('hanaper_http_requests_total{listener="control",way="worker"}'), 5)
        self.assertEqual(self.node.metric('hanaper_certificates_revoked_total{pipeline="web"}'), 1)

    @only(storage="sqlite", keys="softtoken")
    def test_a_backup_is_consistent_while_certificates_are_issued(self):
        _, csr = make_csr(self.node.folder, ["load.example.test"])
        openssl("req", "-in", csr, "-outform", "DER", "-out", self.node.folder / "csr.der")
        request = base64.b64encode((self.node.folder / "csr.der").read_bytes()).decode()
        stop = threading.Event()

        def load():
            control = Control(self.node)
            while not stop.is_set():
                control.run("issue", pipeline="web", csr=request)
            control.close()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for i in range(3):
                self.node.out("backup", self.node.folder / f"{i}.tar")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        restored = Node()
        self.addCleanup(restored.close)
        restored.state.mkdir(mode=0o700)
        shutil.copy(self.node.state / "pin", restored.state / "pin")
        restored.out("restore", self.node.folder / "2.tar")
        self.assertIn("unbroken", restored.out("audit", "verify"))
        self.assertGreater(len(restored.items("list")), 3)

    def test_sighup_applies_what_it_can_and_names_what_it_cannot(self):
        changed = BASE.replace('lifetime = "90d"', 'lifetime = "10d"').replace("[validator.lint]", "[validator.lint]\nstrict = true")
        changed = changed.replace('drain = "5s"', 'drain = "6s"')
        self.node.write_config(changed)
        self.node.signal(signal.SIGHUP)
        self.wait_for_log("node: takes effect at the next start")
        log = self.node.log_text()
        for line in ("profile.web: applied", "validator.lint: applied"):
            self.assertIn(line, log)
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
        self.assertEqual(len(self.node.items("list", "--expires-within", "11d")), 1)

    def test_sighup_refuses_a_profile_that_cannot_work(self):
        self.node.write_config(BASE.replace('lifetime = "90d"', 'lifetime = "90d"\nkey_usages = ["key-agreement"]'))
        self.node.signal(signal.SIGHUP)
        self.wait_for_log('configuration not taken over error="pipeline.web: profile.web with a key of type rsa-2048: lint rsa-key-usage')
        self.node.write_config(BASE)
        self.assertEqual(self.node.out("reload"), "nothing changed\n")
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")

    def test_sighup_with_a_broken_configuration_changes_nothing(self):
        self.node.config.write_text("[node\n")
        self.node.signal(signal.SIGHUP)
        self.wait_for_log("configuration not taken over")
        self.assertEqual(self.node.get("/health/ready")[0], 200)

    def wait_for_log(self, text):
        deadline = time.monotonic() + 20
        while text not in self.node.log_text():
            self.assertLess(time.monotonic(), deadline, self.node.log_text())
            time.sleep(0.05)

    def test_a_stop_is_graceful_and_the_next_start_is_clean(self):
        self.assertEqual(self.node.stop(), 0)
        self.assertIn("stopped", self.node.log_text())
        self.assertFalse((self.node.state / "control.sock").exists())
        self.node.start()
        events = [json.loads(line)["event"] for line in self.node.out("audit", "tail", "--lines", "3").strip().split("\n")]
        self.assertEqual(events, ["started", "stopped", "started"])


class Authorities(unittest.TestCase):
    def outside_root(self, node):
        key, root = node.folder / "outside.key", node.folder / "outside.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-keyout", key, "-subj", "/CN=Outside Root", "-days", "3650",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", root)
        return key, root

    def test_an_authority_below_an_outside_root(self):
        config = BASE.replace('[authority.root]\nkey = "soft:root"\nsubject = "CN=Test Root CA"\n', "").replace('issuer = "root"', 'issuer = "external"')
        with Node(config) as node:
            self.assertIn("waits for an outside issuer", node.out("init"))
            self.assertIn("authority issuing has no certificate yet", node.error("issue", "--name", "a.example.test", "--key-out", node.folder / "a.key"))
            key, root = self.outside_root(node)
            extensions = node.folder / "ext"
            extensions.write_text("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
            answer = node.folder / "answer.pem"
            openssl("x509", "-req", "-in", node.state / "issuing.csr", "-CA", root, "-CAkey", key, "-days", "1000", "-extfile", extensions, "-out", answer)
            # A certificate that is no authority's, one of another key, one cut short: none is taken.
            bad = node.folder / "bad.pem"
            openssl("x509", "-req", "-in", node.state / "issuing.csr", "-CA", root, "-CAkey", key, "-days", "1000", "-out", bad)
            self.assertIn("not an authority's", node.error("init", "--install", bad))
            self.assertIn("no authority with issuer = \"external\" waits", node.error("init", "--install", root))
            answer.write_text(answer.read_text() + root.read_text())
            self.assertIn("authority issuing: installed", node.out("init", "--install", answer))
            out = node.folder / "a.pem"
            node.out("issue", "--name", "a.example.test", "--key-out", node.folder / "a.key", "--out", out)
            openssl("verify", "-CAfile", root, "-untrusted", out, out)

    def test_an_existing_authority_is_taken_over(self):
        config = BASE.replace("CN=Test Root CA", "CN=Old CA").replace('issuer = "root"\n', "").replace("CN=Test Issuing CA", "CN=Imported CA")
        config = config.replace('[authority.root]\nkey = "soft:root"\nsubject = "CN=Old CA"\n', "")
        for algorithm in (["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]):
            with Node(config) as node:
                key, certificate, pin = node.folder / "old.key", node.folder / "old.pem", node.folder / "old.pin"
                pin.write_text("old pin of the key\n")
                openssl("req", "-x509", "-newkey", *algorithm, "-passout", f"file:{pin}", "-keyout", key, "-subj", "/CN=Imported CA", "-days", "3650",
                        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", certificate)
                self.assertIn("the pin does not open it", node.error("init", "--import", "issuing", "--key", key, "--certificate", certificate))
                out = node.out("init", "--import", "issuing", "--key", key, "--key-pin", pin, "--certificate", certificate)
                self.assertIn("authority issuing: imported", out)
                leaf = node.folder / "a.pem"
                node.out("issue", "--name", "a.example.test", "--key-out", node.folder / "a.key", "--out", leaf)
                openssl("verify", "-CAfile", certificate, leaf)
                self.assertIn("has a certificate already", node.error("init", "--import", "issuing", "--key", key, "--key-pin", pin, "--certificate", certificate))

    def test_authorities_of_any_depth_with_every_key_type(self):
        config = BASE.replace('[authority.issuing]\nissuer = "root"', """
[authority.a]
issuer = "root"
key = "soft:a"
key_type = "rsa-2048"
signature = "rsa-pss-sha256"
subject = "CN=A"

[authority.b]
issuer = "a"
key = "soft:b"
key_type = "ed25519"
subject = "CN=B"

[authority.c]
issuer = "b"
key = "soft:c"
key_type = "ec-p384"
subject = "CN=C"

[authority.issuing]
issuer = "c"
name_constraints.permit = ["example.test"]""")
        with Node(config).init() as node:
            out = node.folder / "a.pem"
            node.out("issue", "--name", "a.example.test", "--key-out", node.folder / "a.key", "--out", out)
            openssl("verify", "-x509_strict", "-CAfile", node.root_file(), "-untrusted", out, out)
            self.assertEqual(out.read_text().count("BEGIN CERTIFICATE"), 5)
            self.assertIn("name constraints of authority issuing do not allow", node.error("issue", "--name", "a.example.org", "--key-out", node.folder / "b.key"))

    @only(storage="sqlite", keys="softtoken")
    def test_range_serials_are_consecutive_survive_restarts_and_skip_after_a_restore(self):
        config = BASE.replace('[authority.issuing]', '[authority.issuing]\nserial = "range"\nrange.start = "1000"\nrange.size = 16')
        with Node(config).init() as node:
            for i in range(20):
                node.out("issue", "--name", f"n{i}.example.test", "--key-out", node.folder / f"{i}.key")
            rows = node.items("list", "--authority", "issuing")
            serials = [int(r["serial"], 16) for r in rows]
            self.assertEqual(len(set(serials)), 20)
            self.assertTrue(all(s >= 0x1000 for s in serials))
            node.start()
            for i in range(16):
                node.out("issue", "--name", "x.example.test", "--key-out", node.folder / f"x{i}.key")
                shown = node.items("serials")[0]
                if "following_begin" in shown:
                    break
            self.assertEqual(shown["kind"], "range")
            self.assertIn("current_begin", shown)
            self.assertIn("following_end", shown)
            self.assertLess(int(shown["current_end"], 16), int(shown["following_begin"], 16))
            node.out("backup", node.folder / "b.tar")
            node.out("issue", "--name", "y.example.test", "--key-out", node.folder / "y.key")
            lost = max(int(r["serial"], 16) for r in node.items("list", "--authority", "issuing"))
            node.stop()
            pin = (node.state / "pin").read_bytes()
            shutil.rmtree(node.state)
            node.state.mkdir(mode=0o700)
            (node.state / "pin").write_bytes(pin)
            (node.state / "pin").chmod(0o600)
            node.out("restore", node.folder / "b.tar")
            node.out("issue", "--name", "z.example.test", "--key-out", node.folder / "z.key")
            fresh = int(node.items("list", "--name", "z.example.test")[0]["serial"], 16)
            self.assertGreater(fresh, lost, "a number that the restored ledger has forgotten must not come again")


if __name__ == "__main__":
    main()
