#!/usr/bin/python3
"""hanaper keys, and listeners whose key a provider keeps."""
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import BASE, MODULE, Node, main, only, openssl

WITH_KEY = BASE.replace('[listener.plain]', 'key = "soft:tls"\n\n[listener.plain]', 1)
PIN = "24681357"


class SoftKeys(unittest.TestCase):
    def setUp(self):
        self.node = Node(WITH_KEY).init()
        self.addCleanup(self.node.close)

    def test_keys_are_made_listed_and_deleted(self):
        made = self.node.out("keys", "create", "soft:extra", "--key-type", "ec-p384")
        self.assertIn("BEGIN PUBLIC KEY", made)
        listed = self.node.out("keys", "list")
        self.assertRegex(listed, r"soft:extra +ec-p384")
        self.assertRegex(listed, r'soft:root +ec-p256 +authority "root"')
        self.assertIn("already", self.node.error("keys", "create", "soft:extra"))
        self.assertEqual(self.node.out("keys", "delete", "soft:extra", "--yes"), "soft:extra deleted\n")
        self.assertNotIn("extra", self.node.out("keys", "list", "soft"))

    def test_a_key_in_use_is_not_deleted(self):
        refused = self.node.error("keys", "delete", "soft:root", "--yes")
        self.assertIn('soft:root is the key of authority "root"; take that out of the configuration first', refused)

    def test_delete_asks_and_a_pipe_cannot_answer(self):
        self.node.out("keys", "create", "soft:extra")
        refused = self.node.run("keys", "delete", "soft:extra", status=2, stdin=subprocess.DEVNULL).stderr
        self.assertIn("--yes", refused)
        self.assertIn("soft:extra", self.node.out("keys", "list"))

    def test_a_key_made_elsewhere_is_imported(self):
        file = self.node.folder / "key.pem"
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-aes256", "-pass", "pass:secret1", "-out", file)
        pin = self.node.folder / "key.pin"
        pin.write_text("secret1\n")
        imported = self.node.out("keys", "import", "soft:old", "--key", file, "--key-pin", pin)
        expected = openssl("pkey", "-in", file, "-passin", "pass:secret1", "-pubout")
        self.assertEqual(imported, expected)

    def test_every_change_is_audited(self):
        self.node.out("keys", "create", "soft:extra")
        self.node.out("keys", "delete", "soft:extra", "--yes")
        lines = self.node.out("audit", "tail")
        for event in ("key.created", "key.delete.intent", "key.deleted"):
            self.assertIn(event, lines)

    @only(keys="softtoken")
    def test_wrong_names_are_refused_in_one_line(self):
        for words, status, why in ((("create", "extra"), 1, "write INSTANCE:LABEL"), (("create", "hard:x"), 1, 'no keys instance "hard"; there are soft'),
                                   (("delete", "soft:absent", "--yes"), 1, 'no key "absent"'), (("turn", "soft:x"), 2, "there are keys list, keys create"),
                                   (("replicate", "soft:root"), 1, "keeps its keys in one place")):
            with self.subTest(words=words):
                self.assertIn(why, self.node.error("keys", *words, status=status))

    @only(keys="softtoken")
    def test_a_listener_serves_with_a_key_of_the_provider(self):
        self.node.start()
        served = serve_key(self.node)
        self.assertEqual(served, public_key(self.node, "soft:tls"))
        # The same key and certificate after a restart.
        certificate = ssl.get_server_certificate(("127.0.0.1", self.node.https))
        self.node.stop()
        self.node.start()
        self.assertEqual(ssl.get_server_certificate(("127.0.0.1", self.node.https)), certificate)
        self.assertIn('listener "public"', self.node.error("keys", "delete", "soft:tls", "--yes"))


def serve_key(node):
    """What the listener shows, over TLS 1.2 and 1.3."""
    seen = set()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", node.https)) as raw, context.wrap_socket(raw) as tls:
            pem = ssl.DER_cert_to_PEM_cert(tls.getpeercert(binary_form=True))
        seen.add(openssl("x509", "-pubkey", "-noout", input=pem))
    assert len(seen) == 1, seen
    return seen.pop()


def public_key(node, place):
    instance, label = place.split(":")
    return openssl("pkey", "-in", node.state / "keys" / f"{label}.pem", "-passin", f"file:{node.state / 'pin'}", "-pubout")


@only(keys="softtoken")
@unittest.skipUnless(MODULE and shutil.which("softhsm2-util"), "softhsm: softhsm2 is not installed")
class TokenKeys(unittest.TestCase):
    """A CA whose authorities and TLS key are on a group of two tokens."""

    def setUp(self):
        self.tokens = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tokens, ignore_errors=True)
        (self.tokens / "data").mkdir()
        conf = self.tokens / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.tokens}/data\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(conf)
        for label in ("hsm-a", "hsm-b"):
            self.make_token(label)
        config = BASE.replace("keys.soft", "keys.hsm").replace("soft:", "hsm:").replace('plugin = "softtoken"\npin = {{ file = "pin" }}', f'plugin = "pkcs11"\nmodule = "{MODULE}"\ntokens = ["hsm-a", "hsm-b"]\n'
                              'wrappable = true\npin = {{ file = "hsm-pin" }}')
        config = config.replace('[listener.plain]', 'key = "hsm:tls"\n\n[listener.plain]', 1)
        self.node = Node(config)
        self.addCleanup(self.node.close)
        self.node.state.mkdir(exist_ok=True)
        (self.node.state / "hsm-pin").write_text(PIN)
        (self.node.state / "hsm-pin").chmod(0o600)
        self.node.init()

    def make_token(self, label):
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "13572468", "--pin", PIN], check=True, capture_output=True)

    def test_authorities_and_tls_live_on_tokens(self):
        self.node.start()
        self.assertIn("BEGIN PUBLIC KEY", serve_key(self.node))
        self.node.out("issue", "--name", "a.example.test", "--key-out", self.node.folder / "a.key", "--out", self.node.folder / "a.pem")
        listed = self.node.out("keys", "list", "hsm")
        for line in (r'hsm:root +ec-p256 +authority "root"', r'hsm:issuing +ec-p256 +authority "issuing"', r'hsm:tls +ec-p256 +listener "public"'):
            self.assertRegex(listed, line)

    def test_health_names_a_token_that_lost_its_keys_and_replicate_brings_them_back(self):
        self.node.start()
        self.assertEqual(self.node.get("/health/ready")[0], 200)
        self.node.stop()
        # A token that was replaced by a new one.
        slots = subprocess.run(["softhsm2-util", "--delete-token", "--token", "hsm-b"], capture_output=True, text=True)
        self.assertEqual(slots.returncode, 0, slots.stderr)
        self.make_token("hsm-b")
        self.node.start()
        text = self.node.becomes(503, "node")[1]
        self.assertEqual(self.node.get("/health/ready")[0], 200, "the other token serves on")
        self.assertRegex(text, r'no key \\?"[a-z]+\\?" on token hsm-b')
        for label in ("root", "issuing", "tls"):
            self.assertEqual(self.node.out("keys", "replicate", f"hsm:{label}"), f"hsm:{label}: also on hsm-b\n")
        self.assertEqual(self.node.becomes(200, "node")[0], 200)


if __name__ == "__main__":
    main()
