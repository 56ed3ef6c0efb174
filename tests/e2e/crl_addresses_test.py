#!/usr/bin/python3
"""CRLs stay good for certificates that name an address which is no longer theirs: OpenSSL compares it with those in the CRL."""
import re
import unittest

import crl_test
from harness import STORAGE, Failed, free_port, main, openssl
from validity import Validity, until

OWN = "http://own.example.test/web.crl"


class Addresses(Validity):
    """Sharded lists; others below."""
    crl = "shards = 2"
    stem = "issuing"

    def setUp(self):
        super().setUp()
        self.above = self.folder("above.pem")
        names = re.findall(r"^\[authority\.(\w+)\]", self.config, re.M)
        self.above.write_text("".join(self.node.out("show", "--authority", name, "--pem") for name in names if name != "root"))
        self.path = "/crl"

    def crl_path(self, name):
        return f"{self.path}/{name}"

    def address(self, certificate):
        points = openssl("x509", "-in", certificate, "-noout", "-ext", "crlDistributionPoints")
        return re.search(r"URI:(\S+)", points).group(1)

    def list_of(self, certificate):
        """The file that has what the certificate's own has, whatever the address is by now."""
        return self.stem + ".crl" if self.address(certificate) == OWN else self.address(certificate).rsplit("/", 1)[1]

    def verify(self, certificate, more=()):
        crls = self.bundle(self.list_of(certificate), *more)
        return openssl("verify", "-crl_check", "-extended_crl", *(["-use_deltas"] if more else []), "-CAfile", self.root, "-untrusted", self.above,
                       "-CRLfile", crls, certificate)

    def becomes_good(self, certificate, seconds=5):
        def is_good():
            try:
                return self.verify(certificate)
            except Failed:
                return None
        self.assertTrue(until(is_good, seconds), "no CRL names " + self.address(certificate))

    def change(self, old, new):
        """In the configuration of the node, which starts again."""
        self.node.stop()
        text = self.node.config.read_text()
        self.assertIn(old, text)
        self.node.config.write_text(text.replace(old, new, 1))
        self.node.start()

    def test_certificates_of_before_and_after_each_move_are_good_and_can_be_revoked(self):
        certificates = [self.issue("first.example.test")]
        self.change('path = "/crl"', 'path = "/lists"')
        self.path = "/lists"
        certificates.append(self.issue("second.example.test"))
        port = free_port()
        self.change(f'bind = "127.0.0.1:{self.node.http}"', f'bind = "127.0.0.1:{self.node.http}"\nurl = "http://pki.example.test:{port}"')
        certificates.append(self.issue("third.example.test"))
        self.assertEqual(len({self.address(one).rsplit("/", 1)[0] for one in certificates}), 3)
        for certificate in certificates:
            self.becomes_good(certificate)
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file(self.list_of(certificates[2])), "-noout", "-text")
        if self.crl:
            self.assertRegex(text, r"Full Name:\s+URI:http://pki\.example\.test", "today's is the first")
        for certificate in certificates:
            serial = self.serial(certificate)
            self.node.out("revoke", "--reason", "superseded", certificate)
            if "delta" in self.crl:
                self.node.out("crl", "generate", "issuing")
            self.assertTrue(until(lambda: self.listed(serial, self.list_of(certificate))))
            with self.assertRaisesRegex(Failed, "certificate revoked"):
                self.verify(certificate)

    def test_what_comes_back_from_a_published_crl_is_on_the_list_that_its_certificate_names(self):
        if type(self) not in (Addresses, Indirect):
            self.skipTest("setup: sharded and indirect lists show it")
        backup = self.node.folder / "backup.tar"
        self.node.out("backup", backup)
        certificate = self.issue("lost.example.test")
        serial = self.serial(certificate)
        self.becomes_good(certificate)
        self.node.out("revoke", "--reason", "keyCompromise", certificate)
        self.node.out("crl", "generate", "issuing")
        self.assertTrue(until(lambda: self.listed(serial, self.list_of(certificate))))
        published = self.crl_file(self.list_of(certificate))
        self.node.kill()
        self.node.empty()
        self.node.out("restore", backup, "--crl", published)
        self.node.start()
        self.assertTrue(until(lambda: self.http(self.crl_path(self.list_of(certificate)))[0] == 200 and self.listed(serial, self.list_of(certificate))))
        # What is taken in as a certificate names its list itself.
        other = self.issue("other.example.test")
        self.node.out("revoke", "--reason", "superseded", other)
        self.node.out("crl", "generate", "issuing")
        self.assertTrue(until(lambda: self.listed(self.serial(other), self.list_of(other))))

    def test_a_profile_with_an_address_of_its_own_is_taken_over_by_a_reload(self):
        before = self.issue("before.example.test")
        self.node.config.write_text(self.node.config.read_text().replace("[profile.web]\n", f'[profile.web]\ncrl_url = "{OWN}"\n'))
        self.node.out("reload")
        own = self.issue("own.example.test")
        self.assertEqual(self.address(own), OWN)
        self.becomes_good(before)
        # Who signs at an address of the profile's own choice is the authority itself.
        if self.stem == "issuing":
            self.becomes_good(own)

    def test_what_a_command_issued_while_the_daemon_was_down_counts(self):
        self.node.stop()
        text = self.node.config.read_text()
        self.node.config.write_text(text.replace('path = "/crl"', 'path = "/down"'))
        certificate = self.issue("down.example.test")
        self.assertIn("/down/", self.address(certificate))
        self.node.config.write_text(text)
        self.node.start()
        self.becomes_good(certificate)

    def test_they_come_back_with_a_backup(self):
        certificate = self.issue("first.example.test")
        self.change('path = "/crl"', 'path = "/lists"')
        self.path = "/lists"
        self.node.out("backup", self.folder("backup.tar"))
        self.node.stop()
        self.node.empty()
        self.node.out("restore", self.folder("backup.tar"))
        self.node.start()
        self.becomes_good(certificate)

    @unittest.skipIf(STORAGE == "sqlite", "setup: one node at a time writes to a SQLite file")
    def test_what_another_node_gives_certificates_counts(self):
        first = self.issue("first.example.test")
        self.becomes_good(first)
        other = self.node.second(self.config.replace('path = "/crl"', 'path = "/other"'), crl=self.crl, ocsp=self.ocsp)
        self.addCleanup(other.kill)
        other.start()
        out = self.folder("second.pem")
        other.out("issue", "--name", "second.example.test", "--key-out", self.folder("second.key"), "--out", out)
        self.assertIn(f":{other.http}/other/", self.address(out))
        self.becomes_good(out, 30)
        self.becomes_good(first)


class Split(Addresses):
    config, crl = crl_test.Scopes.config, "split = true"

    def test_authorities_certificates_of_before_are_good(self):
        self.change('path = "/crl"', 'path = "/lists"')
        self.path = "/lists"
        self.assertEqual(self.list_of(self.issuing), "middle-ca.crl")
        self.becomes_good(self.issuing)


class Indirect(Addresses):
    config, crl, stem = crl_test.Indirect.config, crl_test.Indirect.crl, "signer"


class WithDeltas(Addresses):
    crl = 'shards = 1\ndelta = "1h"'

    def test_complete_and_delta_name_the_same(self):
        certificate = self.issue("first.example.test")
        self.change('path = "/crl"', 'path = "/lists"')
        self.path = "/lists"
        self.becomes_good(certificate)
        self.node.out("crl", "generate", "issuing")
        self.verify(certificate, ["issuing-1-delta.crl"])
        serial = self.serial(certificate)
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.assertTrue(until(lambda: self.listed(serial, "issuing-1-delta.crl")))
        with self.assertRaisesRegex(Failed, "certificate revoked"):
            self.verify(certificate, ["issuing-1-delta.crl"])


class Complete(Addresses):
    """A complete CRL names no address, and is good for all."""
    crl = ""

    def test_it_names_none(self):
        self.crl_ready()
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file(), "-noout", "-text")
        self.assertNotIn("Issuing Distribution Point", text)


if __name__ == "__main__":
    main()
