#!/usr/bin/python3
"""certbot, which nobody here wrote: account, certificate, renewal, revocation, goodbye."""
import os
import shutil
import subprocess
import unittest

from harness import Node, main, openssl


class Certbot(unittest.TestCase):
    def setUp(self):
        if shutil.which("certbot") is None:
            self.skipTest("certbot: it is not installed")
        self.node = Node().init().start()
        self.addCleanup(self.node.close)
        self.folder = self.node.folder / "certbot"

    def certbot(self, *words, status=0):
        done = subprocess.run(
            ["certbot", "-n", "--config-dir", self.folder, "--work-dir", self.folder / "work", "--logs-dir", self.folder / "log",
             "--server", self.node.directory(), *words],
            capture_output=True, text=True, timeout=120, env={**os.environ, "REQUESTS_CA_BUNDLE": str(self.node.root_file())})
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def obtain(self, name, *more):
        return self.certbot("certonly", "--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(self.node.challenge), "-d", name, *more)

    def test_the_life_of_a_certificate(self):
        self.certbot("register", "--agree-tos", "-m", "a@example.test", "--no-eff-email")
        self.certbot("update_account", "-m", "b@example.test")
        self.obtain("one.localhost", "-d", "two.localhost")
        live = self.folder / "live" / "one.localhost"
        openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", self.node.root_file(), "-untrusted", live / "chain.pem", live / "cert.pem")
        self.assertIn("DNS:one.localhost, DNS:two.localhost", openssl("x509", "-in", live / "cert.pem", "-noout", "-ext", "subjectAltName"))
        first = openssl("x509", "-in", live / "cert.pem", "-noout", "-serial")
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
        self.assertNotEqual(openssl("x509", "-in", live / "cert.pem", "-noout", "-serial"), first)
        self.certbot("revoke", "--cert-name", "one.localhost", "--reason", "superseded", "--no-delete-after-revoke")
        shown = self.node.json("show", live / "cert.pem")
        self.assertEqual((shown["state"], shown["reason"]), ("revoked", "superseded"))
        # What certbot 2.1 makes of a refusal is its own affair; that it is refused is ours.
        self.certbot("revoke", "--cert-path", live / "cert.pem", "--no-delete-after-revoke", status=1)
        self.certbot("unregister")

    def test_every_key_type_certbot_makes(self):
        self.certbot("register", "--agree-tos", "-m", "a@example.test", "--no-eff-email")
        for name, options in (("p256", ["--key-type", "ecdsa", "--elliptic-curve", "secp256r1"]), ("p384", ["--key-type", "ecdsa", "--elliptic-curve", "secp384r1"]),
                              ("rsa", ["--key-type", "rsa", "--rsa-key-size", "2048"])):
            self.obtain(f"{name}.localhost", *options)
            live = self.folder / "live" / f"{name}.localhost"
            openssl("verify", "-CAfile", self.node.root_file(), "-untrusted", live / "chain.pem", live / "cert.pem")

    def test_revocation_with_the_certificates_own_key(self):
        self.certbot("register", "--agree-tos", "-m", "a@example.test", "--no-eff-email")
        self.obtain("own.localhost")
        live = self.folder / "live" / "own.localhost"
        self.certbot("revoke", "--cert-path", live / "cert.pem", "--key-path", live / "privkey.pem", "--reason", "keycompromise", "--no-delete-after-revoke")
        self.assertEqual(self.node.json("show", live / "cert.pem")["reason"], "keyCompromise")
        # The key is known to be compromised now: a request with it is refused, and certbot's log says why (its own words
        # are lost in version 2.1, which stumbles over its error type).
        self.certbot("certonly", "--standalone", "--http-01-address", "127.0.0.1", "--http-01-port", str(self.node.challenge),
                            "--cert-name", "own.localhost", "-d", "own.localhost", "--force-renewal", "--reuse-key", status=1)
        log = "".join(path.read_text() for path in (self.folder / "log").iterdir())
        self.assertIn("urn:ietf:params:acme:error:badCSR", log)
        self.assertIn("this key is blocked", log)


if __name__ == "__main__":
    main()
