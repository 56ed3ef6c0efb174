#!/usr/bin/python3
"""An operator's day: what commands say and how they end, what helps on another machine, a look from outside."""
import json
import os
import socket
import subprocess
import tarfile
import time
import unittest

from harness import BASE, HANAPER, Node, main, openssl

STATUS = """
[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "issuing"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "issuing"]
"""
MANUAL = BASE + """
[pipeline.manual]
authority = "issuing"
profiles = ["web"]
approval = "manual"
validate = ["lint"]
"""
OFFLINE = """
[node]
state = "{state}"

[storage.main]
plugin = "sqlite"

[keys.soft]
plugin = "softtoken"
pin = {{ file = "pin" }}

[authority.root]
key = "soft:root"
subject = "CN=Offline Root CA"

[profile.issuing]
lifetime = "8y"
ca = true
subject = "request"

[validator.lint]

[pipeline.authorities]
authority = "root"
profiles = ["issuing"]
validate = ["lint"]

[protocol.crl]
authorities = ["root"]
every = "180d"
"""


def run(*words, status=0, **options):
    done = subprocess.run([HANAPER, *words], capture_output=True, text=True, timeout=60, **options)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


def fingerprint(pem):
    return openssl("x509", "-in", pem, "-noout", "-fingerprint", "-sha256").strip().split("=")[1]


class BeforeInit(unittest.TestCase):
    def setUp(self):
        self.node = Node()
        self.addCleanup(self.node.close)

    def test_check_takes_a_configuration_whose_pin_init_has_yet_to_make(self):
        out = self.node.out("check")
        self.assertIn(f"{self.node.state}/pin: does not exist; hanaper init makes it up\n", out)
        self.assertIn("ok, 1 pipelines", out)
        self.assertFalse(self.node.state.exists())
        self.assertEqual(self.node.json("check")["notes"], [f"{self.node.state}/pin: does not exist; hanaper init makes it up"])
        self.node.state.mkdir(mode=0o700)
        self.assertIn("does not exist; hanaper init makes it up", self.node.out("check"))
        self.node.init()
        self.assertNotIn("does not exist", self.node.out("check"))

    def test_afterwards_a_missing_pin_is_a_fault_and_a_new_one_no_cure(self):
        self.node.init()
        (self.node.state / "pin").unlink()
        for words in (["check"], ["check", "--deep"], ["list"]):
            self.assertIn(f"{self.node.state}/pin: there is no such file; the keys that are here open with that pin alone: bring back your copy of it",
                          self.node.error(*words, status=2))

    def test_a_restore_wants_the_pin_of_the_backup(self):
        self.node.init().out("backup", self.node.folder / "b.tar")
        pin = (self.node.state / "pin").read_text()
        self.node.state.rename(self.node.folder / "gone")
        said = self.node.error("restore", self.node.folder / "b.tar", status=2)
        self.assertIn(f"{self.node.state}/pin: there is no such file; the keys of a backup open with the pin that they had", said)
        (self.node.state / "pin").write_text(pin)
        (self.node.state / "pin").chmod(0o600)
        self.node.out("restore", self.node.folder / "b.tar")
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")

    def test_secrets_that_nobody_makes_up_are_asked_for(self):
        self.node.write_config(BASE.replace('[pipeline.web]', '[notifier.hook]\nplugin = "webhook"\nurl = "http://127.0.0.1:9/"\n'
                                            'secret = {{ file = "hook" }}\n\n[pipeline.web]\nnotify = ["hook"]'))
        said = self.node.error("check", status=2)
        self.assertIn(f"{self.node.state}/hook: there is no such file; write the secret into it, with mode 600", said)
        self.assertNotIn("init", said)

    def test_a_module_that_is_not_there_is_found_by_check(self):
        self.node.init()
        text = self.node.config.read_text().replace('plugin = "softtoken"\n', 'plugin = "pkcs11"\nmodule = "/nonexistent/hsm.so"\ntokens = ["a"]\n')
        self.node.config.write_text(text)
        for words in (["check"], ["check", "--deep"]):
            self.assertRegex(self.node.error(*words, status=2), r"pki\.toml:\d+:\d+: keys\.soft\.module: no file /nonexistent/hsm\.so$")

    def test_the_log_says_whose_certificates_end_with_their_authority(self):
        self.node.write_config(BASE.replace('lifetime = "90d"', 'lifetime = "30y"'))
        self.node.init().start()
        lines = [line for line in self.node.log_text().splitlines() if "certificates end with their authority, before the lifetime of their profile" in line]
        self.assertEqual(len(lines), 1)
        for word in ("pipeline=web", "profile=web", "authority=", "until=20"):
            self.assertIn(word, lines[0].replace('"', "").replace(":", "="))
        out = self.node.folder / "a.pem"
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key", "--out", out)
        issuing = self.node.folder / "issuing.pem"
        issuing.write_text(self.node.out("show", "--authority", "issuing", "--pem"))
        ends = [openssl("x509", "-in", one, "-noout", "-enddate") for one in (out, issuing)]
        self.assertEqual(ends[0], ends[1])

    def test_a_state_folder_that_others_may_enter_is_closed(self):
        self.node.state.mkdir()
        self.node.state.chmod(0o755)
        self.assertIn("others could look into", self.node.run("init").stderr)
        self.assertEqual(self.node.state.stat().st_mode & 0o777, 0o700)
        self.node.state.chmod(0o750)
        self.assertIn("others may look into it; a start makes its mode 700", self.node.out("check", "--deep"))
        self.node.start()
        self.assertEqual(self.node.state.stat().st_mode & 0o777, 0o700)
        self.assertIn("its mode is 700 now", self.node.log_text())

    def test_sample_of_a_kind_names_its_plugins(self):
        self.assertIn('"storage" is a kind of plugins; name one: storage.mariadb, storage.postgresql, storage.sqlite', run("sample", "storage", status=2).stderr)
        self.assertIn('no table "stroage"', run("sample", "stroage", status=2).stderr)


class BesideADaemon(unittest.TestCase):
    def setUp(self):
        self.node = Node(BASE)
        self.addCleanup(self.node.close)
        self.node.init().start()

    def test_a_file_that_is_broken_meanwhile_keeps_nobody_from_the_daemon(self):
        good = self.node.config.read_text()
        for broken in (good + "\n[nothing.at-all]\nx = 1\n", good + '\n[listener.more\n', good.replace('subject = "CN=Test Root CA"', 'subject = CN=Test Root CA'),
                       good + '\n[protocol.gone]\nplugin = "of-yesterday"\nlistener = "plain"\npath = "/x"\n'):
            self.node.config.write_text(broken)
            self.node.out("list")
            self.node.out("show", "--authority", "root")
            self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key")
            (self.node.folder / "a.key").unlink()
            self.node.out("backup", self.node.folder / "b.tar")
            (self.node.folder / "b.tar").unlink()
            self.node.run("reload", status=1)
            self.node.run("check", status=2)
        self.node.stop()
        self.node.run("list", status=2)

    def test_set_says_that_it_changes_nothing(self):
        done = self.node.run("list", "--set", "profile.web.lifetime=1d")
        self.assertIn("--set changes nothing in it", done.stderr)
        self.node.stop()
        self.assertEqual(self.node.run("list", "--set", "profile.web.lifetime=1d").stderr, "")

    def test_a_backup_goes_to_standard_output_or_into_a_file_that_is_named_as_it_is(self):
        done = self.node.run("backup", "-", text=False)
        tar = self.node.folder / "out.tar"
        tar.write_bytes(done.stdout)
        with tarfile.open(tar) as entries:
            self.assertIn("manifest.json", entries.getnames())
        self.assertRegex(done.stderr.decode(), r"^standard output: \d+ entries, [\d.]+ (octets|KiB|MiB); pins are not in it\n$")
        self.assertFalse((self.node.folder / "-").exists())
        told = self.node.json("backup", self.node.folder / "named.tar")
        self.assertEqual(told["file"], str(self.node.folder / "named.tar"))
        self.assertEqual(told["octets"], (self.node.folder / "named.tar").stat().st_size)
        self.assertRegex(self.node.out("backup", self.node.folder / "said.tar"), r": \d+ entries, [\d.]+ (octets|KiB|MiB); pins are not in it\n$")
        self.assertEqual([p.name for p in self.node.state.glob("backup-*")], [])
        self.assertIn("both want standard output", self.node.error("backup", "-", "--json", status=2))

    @unittest.skipUnless(os.path.exists("/dev/full"), "setup: there is no /dev/full")
    def test_a_full_disk_is_told_of_and_leaves_nothing(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([HANAPER, "backup", "-", "-c", self.node.config], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "hanaper: standard output: the backup could not be written whole\n"))
        self.assertEqual([p.name for p in self.node.state.glob("backup-*")], [])
        for words in (["list"], ["show", "--authority", "root", "--pem"], ["list", "--json"], ["help"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([HANAPER, *words, "-c", self.node.config], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn("standard output: cannot be written", done.stderr)


class Waits(unittest.TestCase):
    def test_a_request_that_waits_for_approval_ends_with_3_and_can_be_asked_for_again(self):
        for start in (Node.init, lambda node: node.init().start()):
            with self.subTest(start=start), Node(MANUAL) as node:
                start(node)
                self.is_kept(node)

    def is_kept(self, node):
        key = node.folder / "a.key"
        said = node.error("issue", "--pipeline", "manual", "--name", "a.example.test", "--key-out", key, status=3)
        self.assertIn(f"the key stays in {key}, then it is hanaper issue --csr {key}.csr", said)
        self.assertEqual(node.error("issue", "--pipeline", "manual", "--csr", f"{key}.csr", status=3).count("stays"), 0)
        waiting = node.items("requests", "list")
        self.assertEqual(len(waiting), 1)
        self.assertEqual(waiting[0]["purposes"], "server-auth client-auth")
        node.out("requests", "approve", waiting[0]["request"])
        out = node.folder / "a.pem"
        node.out("issue", "--pipeline", "manual", "--csr", f"{key}.csr", "--out", out)
        self.assertEqual(openssl("x509", "-in", out, "-noout", "-pubkey"), openssl("pkey", "-in", key, "-pubout"))
        self.assertIn("3 waits for approval", node.out("help"))


class Offline(unittest.TestCase):
    def issued(self, config):
        node = Node(config)
        self.addCleanup(node.close)
        node.init()
        csr = node.folder / "ca.csr"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", node.folder / "ca.key", "-subj", "/O=Example/CN=Example Issuing CA 1", "-out", csr)
        node.out("issue", "--csr", csr, "--out", node.folder / "ca.pem")
        return node, openssl("x509", "-in", node.folder / "ca.pem", "-noout", "-text")

    def test_a_root_that_listens_nowhere_makes_crls(self):
        node, text = self.issued(OFFLINE)
        self.assertNotIn("CRL Distribution", text)
        self.assertIn("crl  not served here → authorities(root)", node.out("plan"))
        node.out("crl", "generate", "root")
        node.out("crl", "download", "root", "--out", node.folder / "root.crl")
        self.assertIn("verify OK", subprocess.run(["openssl", "crl", "-inform", "DER", "-in", node.folder / "root.crl", "-noout", "-CAfile", node.root_file()],
                                                  capture_output=True, text=True).stderr)

    def test_it_says_where_others_serve_them(self):
        node, text = self.issued(OFFLINE.replace("[protocol.crl]", '[protocol.crl]\nurl = "http://pki.example.test/root/"'))
        self.assertIn("URI:http://pki.example.test/root/root.crl", text)
        self.assertIn("URI:http://pki.example.test/root/root.cer", text)
        self.assertIn("crl  http://pki.example.test/root not served here → authorities(root)", node.out("plan"))

    def test_what_does_not_go_together_is_refused(self):
        for lines, said in [('url = "pki.example.test"', 'protocol.crl.url: "pki.example.test" must begin with http:// or https://'),
                            ('path = "/crl"', "protocol.crl.path: goes with a listener")]:
            with Node(OFFLINE.replace("[protocol.crl]", "[protocol.crl]\n" + lines)) as node:
                self.assertIn(said, node.error("check", status=2))
        with Node(BASE + STATUS.replace('listener = "plain"\npath = "/crl"', 'listener = "plain"\npath = "/crl"\nurl = "http://x.test"')) as node:
            self.assertIn("protocol.crl.url: goes with no listener", node.error("check", status=2))
        with Node(BASE + '\n[protocol.crl]\nauthorities = ["root"]\n') as node:
            self.assertIn("protocol.crl.listener: must be given: where it is served", node.error("check", status=2))


class OnAnotherMachine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(BASE + STATUS)
        cls.told = cls.node.out("init")
        cls.node.start()
        cls.print = fingerprint(cls.node.root_file())
        cls.plain = cls.print.replace(":", "").lower()

    @classmethod
    def tearDownClass(cls):
        cls.node.close()

    def test_init_and_show_tell_the_fingerprint(self):
        self.assertIn(f"authority root: created, self-signed, CN=Test Root CA, ec-p256, until ", self.told)
        self.assertIn(f", SHA-256 {self.plain}\n", self.told)
        self.assertEqual(self.node.json("show", "--authority", "root")["sha256"], self.plain)
        self.assertRegex(self.node.out("show", "--authority", "root"), rf"SHA-256 +{self.plain}\n")
        key, out = self.node.folder / "s.key", self.node.folder / "s.pem"
        self.node.out("issue", "--name", "s.example.test", "--key-out", key, "--out", out)
        self.assertEqual(self.node.json("show", out)["sha256"], fingerprint(out).replace(":", "").lower())

    def test_every_listener_gives_the_roots(self):
        self.assertEqual(self.node.get("/roots.pem")[:2], (200, self.node.root_file().read_text()))
        done = subprocess.run(["curl", "-fsS", "--cacert", self.node.root_file(), f"https://localhost:{self.node.https}/roots.pem"], capture_output=True, text=True)
        self.assertEqual(done.stdout, self.node.root_file().read_text(), done.stderr)

    def test_bootstrap_takes_the_root_of_that_fingerprint_and_no_other(self):
        root = self.node.root_file().read_text()
        for i, (url, wanted) in enumerate([(f"https://localhost:{self.node.https}", self.plain), (self.node.directory(), self.print),
                                           (f"http://127.0.0.1:{self.node.http}/", self.plain.upper())]):
            out = self.node.folder / f"root-{i}.pem"
            said = run("bootstrap", url, "--fingerprint", wanted, "--out", out).stdout
            self.assertIn(f"CN=Test Root CA, until ", said)
            self.assertEqual(out.read_text(), root)
        self.assertEqual(run("bootstrap", self.node.directory(), "--fingerprint", self.plain).stdout, root)
        self.assertIn(f"it has {self.plain}, which you should not trust", run("bootstrap", self.node.directory(), "--fingerprint", "0" * 64, status=1).stderr)
        self.assertIn("exists already", run("bootstrap", self.node.directory(), "--fingerprint", self.plain, "--out", out, status=1).stderr)
        for words, said in [([], "--fingerprint is needed"), (["--fingerprint", "abc"], "64 hexadecimal digits")]:
            self.assertIn(said, run("bootstrap", self.node.directory(), *words, status=2).stderr)
        for url in ("pki.example.test", "ftp://pki.example.test", "https://", "https://a:b/", "https://user@host/"):
            self.assertIn("write it as in https://pki.example.test:8443/acme/directory", run("bootstrap", url, "--fingerprint", self.plain, status=2).stderr)

    def test_plan_tells_addresses_as_the_world_knows_them(self):
        self.assertIn(f"acme  https://localhost:{self.node.https}/acme at 127.0.0.1:{self.node.https} → web", self.node.out("plan"))
        self.assertIn(f"crl  http://127.0.0.1:{self.node.http}/crl → authorities", self.node.out("plan"))


class Probe(unittest.TestCase):
    def node(self, config=BASE + STATUS):
        node = Node(config)
        self.addCleanup(node.close)
        node.init().start()
        return node

    def probe(self, node, *words, status=0, url=None):
        return run("probe", url or node.directory(), "--roots", node.root_file(), *words, status=status).stdout

    def test_a_pki_that_is_well(self):
        node = self.node()
        said = self.probe(node)
        self.assertRegex(said, r"^OK - directory: ACME in \d+ ms; chain: until \S+Z; OCSP: good; CRL: of \S+Z, until \S+Z\n$")
        rows = json.loads(self.probe(node, "--json"))["items"]
        self.assertEqual([(row["check"], row["state"]) for row in rows], [(c, "OK") for c in ("directory", "chain", "OCSP", "CRL")])

    def test_what_is_wrong_stands_first(self):
        node = self.node()
        self.assertRegex(self.probe(node, "--warn", "100d", status=1), r"^WARNING - chain: until ")
        self.assertRegex(self.probe(node, url=node.directory() + "/nothing", status=2), r"^CRITICAL - directory: HTTP 404 in ")
        serial = openssl("x509", "-in", node.state / "tls" / "public.pem", "-noout", "-serial").strip().split("=")[1]
        node.out("revoke", serial)
        node.out("crl", "generate", "issuing")
        said = self.probe(node, status=2)
        self.assertRegex(said, r"^CRITICAL - OCSP: revoked; CRL: the server's certificate is on it; directory: ")

    def test_a_server_that_is_away_or_not_trusted(self):
        node = self.node(BASE)
        self.assertRegex(run("probe", node.directory(), status=2).stdout, r"^CRITICAL - directory: localhost:\d+: its certificate is not good: ")
        self.assertRegex(self.probe(node, url=f"https://127.0.0.2:{node.https}/acme/directory", status=2), "^CRITICAL - directory: ")
        node.stop()
        self.assertRegex(self.probe(node, status=2), r"^CRITICAL - directory: localhost:\d+: Connection refused\n$")
        self.assertIn("UNKNOWN - directory: ", run("probe", f"https://localhost:{self.node().https}/", "--roots", "/nonexistent", status=3).stdout)

    def test_one_that_does_not_answer_costs_ten_seconds_at_the_most(self):
        node = self.node(BASE)
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            begin = time.monotonic()
            self.assertRegex(self.probe(node, url=f"http://127.0.0.1:{silent.getsockname()[1]}/", status=2), "^CRITICAL - directory: ")
            self.assertLess(time.monotonic() - begin, 25)


if __name__ == "__main__":
    main()
