#!/usr/bin/python3
"""CRLs as those see them who rely on them: openssl, GnuTLS, and plain HTTP."""
import base64
import hashlib
import re
import shutil
import subprocess
import unittest
import urllib.request

from harness import STORAGE, Control, Failed, main, make_csr, openssl
from validity import VALIDITY, Validity, until


class Crl(Validity):
    def test_http_has_what_caches_need(self):
        self.crl_ready()
        status, der, answer = self.http("/crl/issuing.crl")
        etag = answer.headers["ETag"]
        self.assertEqual(answer.headers["Content-Type"], "application/pkix-crl")
        self.assertRegex(answer.headers["Cache-Control"], r"^public, max-age=86\d{3}$")
        self.assertEqual(self.http("/crl/issuing.crl", headers={"If-None-Match": etag})[0], 304)
        status, nothing, answer = self.http("/crl/issuing.crl", method="HEAD")
        self.assertEqual((status, nothing, int(answer.headers["Content-Length"])), (200, b"", len(der)))
        self.assertEqual(self.http("/crl/issuing.crl", headers={"If-Match": '"0"', "Range": "bytes=4-13"})[:2], (412, b""))
        status, pem, answer = self.http("/crl/issuing.crl.pem")
        self.assertNotEqual(answer.headers["ETag"], etag)
        self.assertRegex(answer.headers["Cache-Control"], r"^public, max-age=86\d{3}$")
        self.assertEqual(self.http("/crl/issuing.crl.pem", headers={"If-None-Match": answer.headers["ETag"]})[:2], (304, b""))
        status, part, answer = self.http("/crl/issuing.crl", headers={"Range": "bytes=4-13"})
        self.assertEqual((status, part), (206, der[4:14]))
        self.assertEqual(answer.headers["Content-Range"], f"bytes 4-13/{len(der)}")
        self.assertIn(b"BEGIN X509 CRL", self.http("/crl/issuing.crl.pem")[1])
        self.assertEqual(self.http("/crl/issuing.cer")[1], subprocess.run(["openssl", "x509", "-in", self.issuing, "-outform", "DER"], capture_output=True).stdout)
        self.assertEqual(self.http("/crl/other.crl")[0], 404)
        self.assertEqual(self.http("/crl/issuing.crl", method="POST", body=b"x")[0], 405)

    @unittest.skipUnless(shutil.which("certtool"), "gnutls-bin: certtool is not installed")
    def test_gnutls_verifies_it(self):
        self.crl_ready()
        pem = self.folder("issuing.crl.pem")
        pem.write_bytes(self.http("/crl/issuing.crl.pem")[1])
        done = subprocess.run(["certtool", "--verify-crl", "--load-ca-certificate", self.issuing, "--infile", pem], capture_output=True, text=True)
        self.assertIn("Verified", done.stdout + done.stderr)

    def test_a_damaged_file_is_put_back_and_numbers_go_on(self):
        self.crl_ready()
        before = self.crl_number()
        self.node.stop()
        (self.node.state / "crl" / "crl" / "issuing.crl").write_bytes(b"damaged")
        self.node.start()
        self.crl_ready()
        self.assertEqual(self.crl_number(), before)
        self.node.out("crl", "generate", "issuing")
        self.assertEqual(self.crl_number(), before + 1)


    def test_what_was_revoked_while_the_daemon_was_down_is_on_a_new_one_soon(self):
        certificate = self.issue("a.example.test")
        self.crl_ready()
        self.node.kill()
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.node.start()
        self.crl_ready()
        self.assertTrue(until(lambda: self.listed(self.serial(certificate)), 30))


class Deltas(Validity):
    crl = 'delta = "1h"\non_revoke = true'

    def test_openssl_takes_complete_and_delta_together(self):
        held, gone = self.issue("held.example.test"), self.issue("gone.example.test")
        self.node.out("revoke", "--reason", "certificateHold", held)
        self.node.out("crl", "generate", "issuing")
        base = self.crl_number()
        before = self.crl_number("issuing-delta.crl")
        self.node.out("revoke", "--reason", "removeFromCRL", held)
        self.node.out("revoke", "--reason", "superseded", gone)
        self.assertTrue(until(lambda: self.crl_number("issuing-delta.crl") > before and self.listed(self.serial(gone), "issuing-delta.crl")))
        self.assertEqual(self.crl_number(), base, "only the delta is made anew")
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file("issuing-delta.crl"), "-noout", "-text")
        self.assertIn("X509v3 Delta CRL Indicator: critical", text)
        self.assertIn("Remove From CRL", text)
        crls = self.folder("crls.pem")
        crls.write_text("".join(openssl("crl", "-inform", "DER", "-in", self.crl_file(n)) for n in ("issuing.crl", "issuing-delta.crl")))
        verify = ["verify", "-crl_check", "-use_deltas", "-extended_crl", "-CAfile", self.root, "-untrusted", self.issuing, "-CRLfile", crls]
        openssl(*verify, held)
        with self.assertRaisesRegex(Failed, "certificate revoked"):
            openssl(*verify, gone)


class Shards(Validity):
    crl = "shards = 3"
    ocsp = "presign = true\nsigner = \"authority\"\nresponder_id = \"name\""

    def test_each_certificate_names_the_list_that_would_have_it(self):
        for i in range(4):
            certificate = self.issue(f"{i}.example.test")
            url = re.search(r"URI:(\S+\.crl)", openssl("x509", "-in", certificate, "-noout", "-text")).group(1)
            self.assertRegex(url, r"/crl/issuing-[123]\.crl$")
            name = url.rsplit("/", 1)[1]
            self.assertEqual(self.ocsp_says(certificate), "good")
            self.node.out("revoke", certificate)
            self.assertEqual(self.ocsp_says(certificate), "revoked")
            serial = self.serial(certificate)
            self.assertTrue(until(lambda: self.http("/crl/" + name)[0] == 200 and self.listed(serial, name)))
            text = openssl("crl", "-inform", "DER", "-in", self.crl_file(name), "-noout", "-text")
            self.assertIn("X509v3 Issuing Distribution Point: critical", text)
            self.assertIn("URI:" + url, text)
            crls = self.folder("crls.pem")
            crls.write_text(openssl("crl", "-inform", "DER", "-in", self.crl_file(name)))
            with self.assertRaisesRegex(Failed, "certificate revoked"):
                openssl("verify", "-crl_check", "-extended_crl", "-CAfile", self.root, "-untrusted", self.issuing, "-CRLfile", crls, certificate)


class Scopes(Validity):
    """CRLs of users' certificates and of authorities', two authorities deep below a root that has one of all."""
    config = VALIDITY.replace('[authority.issuing]\nissuer = "root"', '[authority.middle]\nissuer = "root"\nkey = "soft:middle"\n'
                              'subject = "CN=Test Middle CA"\n\n[authority.issuing]\nissuer = "middle"').replace(
        'path = "/crl"\nauthorities = ["root", "issuing"]', 'path = "/crl"\nauthorities = ["middle", "issuing"]') + """
[protocol.rootcrl]
plugin = "crl"
listener = "plain"
path = "/rootcrl"
authorities = ["root"]
"""
    crl = "split = true"

    def test_openssl_checks_the_whole_chain_and_refuses_the_other_list(self):
        certificate = self.issue("a.example.test")
        above = self.folder("above.pem")
        above.write_text(self.issuing.read_text() + self.node.out("show", "--authority", "middle", "--pem"))
        for file, name in ((certificate, "crl/issuing-1.crl"), (self.issuing, "crl/middle-ca.crl")):
            self.assertIn(f"URI:{self.url}/{name}", openssl("x509", "-in", file, "-noout", "-text"))
        for name, scope in (("issuing-1.crl", "Only User Certificates"), ("middle-ca.crl", "Only CA Certificates")):
            self.assertIn(scope, openssl("crl", "-in", self.bundle(name), "-noout", "-text"))

        def verify(*names):
            crls = self.bundle("root.crl", *names)
            return openssl("verify", "-crl_check_all", "-extended_crl", "-CAfile", self.root, "-untrusted", above, "-CRLfile", crls, certificate)
        verify("issuing-1.crl", "middle-ca.crl")
        with self.assertRaisesRegex(Failed, "different CRL scope|unable to get certificate CRL"):
            verify("issuing-1.crl", "middle-1.crl")
        serial = self.serial(self.issuing)
        self.node.out("revoke", "--reason", "superseded", serial)
        self.assertTrue(until(lambda: self.listed(serial, "middle-ca.crl")))
        self.assertFalse(self.listed(serial, "middle-1.crl"))
        with self.assertRaisesRegex(Failed, "certificate revoked"):
            verify("issuing-1.crl", "middle-ca.crl")


class Indirect(Validity):
    """An authority that signs the CRL of another."""
    config = VALIDITY.replace('[profile.web]', '[authority.signer]\nissuer = "root"\nkey = "soft:signer"\nsubject = "CN=Test CRL Signer"\n\n[profile.web]').replace(
        'path = "/crl"\nauthorities = ["root", "issuing"]', 'path = "/crl"\nauthorities = ["issuing"]') + """
[protocol.rootcrl]
plugin = "crl"
listener = "plain"
path = "/rootcrl"
authorities = ["root"]
"""
    crl = 'issuer = "signer"'

    def test_openssl_and_gnutls_take_a_list_that_another_signs(self):
        certificate = self.issue("a.example.test")
        text = openssl("x509", "-in", certificate, "-noout", "-text")
        self.assertIn(f"URI:{self.url}/crl/signer.crl", text)
        self.assertRegex(text, r"CRL Issuer:\s+DirName: ?/?CN ?= ?Test CRL Signer")
        above, signer = self.folder("above.pem"), self.folder("signer.pem")
        signer.write_text(self.node.out("show", "--authority", "signer", "--pem"))
        above.write_text(self.issuing.read_text() + signer.read_text())

        def verify():
            crls = self.bundle("signer.crl", "root.crl")
            return openssl("verify", "-crl_check_all", "-extended_crl", "-CAfile", self.root, "-untrusted", above, "-CRLfile", crls, certificate)
        verify()
        serial = self.serial(certificate)
        self.node.out("revoke", "--reason", "keyCompromise", certificate)
        self.assertTrue(until(lambda: self.listed(serial, "signer.crl")))
        with self.assertRaisesRegex(Failed, "certificate revoked"):
            verify()
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file("signer.crl"), "-noout", "-text")
        self.assertIn("Indirect CRL", text)
        self.assertRegex(text, r"X509v3 Certificate Issuer: critical\s+DirName: ?/?CN ?= ?Test Issuing CA")
        self.assertIn(f"CA Issuers - URI:{self.url}/crl/signer.cer", text)
        self.assertEqual(self.http("/crl/signer.cer")[0], 200)
        self.assertEqual([row["authority"] for row in self.node.items("crl", "list", "issuing")], ["signer"])
        if shutil.which("certtool") is None:
            self.skipTest("gnutls-bin: certtool is not installed")
        pem = self.folder("signer.crl.pem")
        pem.write_bytes(self.http("/crl/signer.crl.pem")[1])
        done = subprocess.run(["certtool", "--verify-crl", "--load-ca-certificate", signer, "--infile", pem], capture_output=True, text=True)
        self.assertIn("Verified", done.stdout + done.stderr)


class Large(Validity):
    """Over TLS as well as plain, where a file cannot go from the disk to the socket by itself."""
    config = VALIDITY.replace('[protocol.crl]\nlistener = "plain"', '[protocol.crl]\nlistener = "public"')
    crl = "on_revoke = false"

    def test_a_list_that_is_not_kept_in_memory_arrives_whole_and_in_parts(self):
        _, csr = make_csr(self.node.folder, ["a.example.test"])
        request = base64.b64encode(subprocess.run(["openssl", "req", "-in", csr, "-outform", "DER"], capture_output=True, check=True).stdout).decode()
        control = Control(self.node)
        serials = [control.run("issue", pipeline="web", csr=request)["serial"] for _ in range(2500)]
        control.close()
        listing = self.folder("serials")
        listing.write_text("\n".join(serials))
        counted = 'hanaper_certificates_revoked_total{pipeline="web"}'
        before = self.node.metric(counted)
        self.node.out("revoke", "--from", listing)
        self.assertEqual(self.node.metric(counted), before + 2500)
        self.node.out("crl", "generate", "issuing")
        url = f"https://localhost:{self.node.https}/crl/issuing.crl"
        curl = lambda *words: subprocess.run(["curl", "-sS", "--cacert", self.root, *words], capture_output=True, check=True, timeout=60).stdout
        whole = curl(url)
        self.assertGreater(len(whole), 80_000)
        (self.folder("large.crl")).write_bytes(whole)
        text = openssl("crl", "-inform", "DER", "-in", self.folder("large.crl"), "-noout", "-text", "-CAfile", self.issuing)
        self.assertEqual(text.count("Serial Number:"), 2500)
        self.assertEqual(curl("-r", "70000-79999", url), whole[70000:80000])
        self.assertIn(f"content-length: {len(whole)}", curl("-I", url).decode().lower())
        pem = curl(url + ".pem")
        self.assertEqual(base64.b64decode(b"".join(pem.strip().split(b"\n")[1:-1])), whole)
        self.assertEqual(curl(url, url), whole + whole, "one connection for both")


@unittest.skipIf(STORAGE == "sqlite", "setup: one node at a time writes to a SQLite file")
class TwoNodesWithDeltas(Validity):
    crl = 'delta = "10m"'

    def test_what_each_node_serves_fits_together(self):
        second = self.second()
        get = lambda node, name: urllib.request.urlopen(f"http://127.0.0.1:{node.http}/crl/{name}", timeout=10).read()
        names = ("issuing.crl", "issuing-delta.crl")
        both = lambda: until(lambda: all(get(self.node, name) == get(second, name) for name in names), 30)

        def accepted(node, certificate):
            crls = self.folder("crls.pem")
            crls.write_text("".join(subprocess.run(["openssl", "crl", "-inform", "DER"], input=get(node, name), capture_output=True, check=True).stdout.decode() for name in names))
            return subprocess.run(["openssl", "verify", "-crl_check", "-extended_crl", "-use_deltas", "-CAfile", self.root, "-untrusted", self.issuing,
                                   "-CRLfile", crls, certificate], capture_output=True).returncode == 0
        for name in names:
            self.crl_ready(name)
            self.assertTrue(until(lambda: second.get("/crl/" + name + ".pem")[0] == 200, 30))
        certificate = self.issue("a.example.test")
        number = self.node.items("crl", "generate", "issuing")[0]["number"]
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.assertTrue(until(lambda: self.listed(self.serial(certificate), "issuing-delta.crl"), 30))
        self.assertTrue(both())
        self.assertFalse(accepted(self.node, certificate))
        self.assertFalse(accepted(second, certificate))
        shown = second.json("crl", "show", "issuing")
        self.assertEqual(shown["number"], number)
        out = self.folder("downloaded.crl")
        second.out("crl", "download", "issuing", "--out", out)
        self.assertEqual(hashlib.sha256(out.read_bytes()).hexdigest(), shown["sha256"])


if __name__ == "__main__":
    main()
