#!/usr/bin/python3
"""Revocation and OCSP as those see them who rely on them: openssl, GnuTLS, curl, and plain HTTP."""
import base64
import pathlib
import re
import shutil
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

from harness import STORAGE, Failed, free_port, main, openssl
from validity import Validity, until


class Both(Validity):
    def test_a_certificate_says_where_and_openssl_follows_it_from_good_to_revoked(self):
        certificate = self.issue("a.example.test")
        text = openssl("x509", "-in", certificate, "-noout", "-text")
        self.assertIn(f"OCSP - URI:{self.url}/ocsp", text)
        self.assertIn(f"CA Issuers - URI:{self.url}/crl/issuing.cer", text)
        self.assertIn(f"URI:{self.url}/crl/issuing.crl", text)
        self.crl_ready()
        self.assertEqual(self.ocsp_says(certificate), "good")
        crls = self.folder("crls.pem")
        self.crl_ready("root.crl")
        both = lambda: crls.write_text("".join(openssl("crl", "-inform", "DER", "-in", self.crl_file(n)) for n in ("issuing.crl", "root.crl")))
        both()
        verify = ["verify", "-crl_check_all", "-CAfile", self.root, "-untrusted", self.issuing, "-CRLfile", crls, certificate]
        openssl(*verify)
        serial = self.serial(certificate)
        before = self.crl_number()
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.assertEqual(self.ocsp_says(certificate), "revoked")
        self.assertTrue(until(lambda: self.crl_number() > before, 30))
        self.assertTrue(self.listed(serial))
        self.assertLess(self.seconds_until_signed(serial), 2, "a new CRL within two seconds")
        both()
        with self.assertRaisesRegex(Failed, "certificate revoked"):
            openssl(*verify)

    def test_hold_release_and_revocation(self):
        certificate = self.issue("a.example.test")
        serial = self.serial(certificate)
        self.assertIn("certificateHold", self.node.out("revoke", "--reason", "certificateHold", certificate))
        self.assertEqual(self.node.json("show", certificate)["state"], "on hold")
        self.assertEqual(self.ocsp_says(certificate), "revoked")
        self.assertTrue(until(lambda: self.http("/crl/issuing.crl")[0] == 200 and self.listed(serial)))
        self.assertIn("is on hold already", self.node.out("revoke", "--reason", "certificateHold", certificate))
        self.assertIn("released", self.node.out("revoke", "--reason", "removeFromCRL", certificate))
        self.assertEqual(self.node.json("show", certificate)["state"], "issued")
        self.assertEqual(self.ocsp_says(certificate), "good")
        self.assertTrue(until(lambda: not self.listed(serial)))
        self.assertIn("is not on hold", self.node.error("revoke", "--reason", "removeFromCRL", certificate))
        self.node.out("revoke", "--reason", "keyCompromise", "--invalidity", "2026-01-01T00:00:00Z", certificate)
        self.assertIn("is revoked already, keyCompromise", self.node.out("revoke", certificate))
        self.assertTrue(until(lambda: self.listed(serial)))
        text = openssl("crl", "-inform", "DER", "-in", self.crl_file(), "-noout", "-text")
        self.assertIn("Key Compromise", text)
        self.assertIn("Jan  1 00:00:00 2026 GMT", text)

    def test_an_authority_below_is_revoked_by_the_one_above(self):
        serial = self.serial(self.issuing)
        self.node.out("revoke", "--reason", "cessationOfOperation", serial)
        self.assertTrue(until(lambda: self.http("/crl/root.crl")[0] == 200 and self.listed(serial, "root.crl")))
        text = openssl("ocsp", "-issuer", self.root, "-cert", self.issuing, "-url", self.url + "/ocsp", "-CAfile", self.root)
        self.assertIn("revoked", text)

    def test_many_at_once_from_a_file(self):
        self.crl_ready()
        serials = [self.serial(self.issue(f"{i}.example.test")) for i in range(6)]
        listing = self.folder("serials")
        listing.write_text("# those that must go\n" + "\n".join(serials) + "\n\n")
        self.assertEqual(self.node.out("revoke", "--from", listing, "--reason", "superseded"), "revoked 6, 0 were revoked already\n")
        self.assertEqual(self.node.out("revoke", "--from", listing, "--reason", "superseded"), "revoked 0, 6 were revoked already\n")
        good = self.serial(self.issue("good.example.test"))
        listing.write_text(good + "\n")
        self.assertEqual(self.node.error("revoke", "--from", listing, "--reason", "removeFromCRL"), f"{listing}: {good}: the certificate is not on hold")
        listing.write_text("ff00\n")
        self.assertEqual(self.node.error("revoke", "--from", listing), f"{listing}: ff00: no certificate with serial number 00ff00")
        self.assertTrue(until(lambda: all(self.listed(serial) for serial in serials)))

    def test_commands_make_list_show_and_download_crls(self):
        self.crl_ready()
        before = self.crl_number()
        made = self.node.items("crl", "generate", "issuing")
        self.assertEqual([(row["authority"], row["number"]) for row in made], [("issuing", before + 1)])
        self.assertEqual(self.crl_number(), before + 1)
        self.assertIn("AUTHORITY", self.node.out("crl", "list"))
        self.assertEqual({row["authority"] for row in self.node.items("crl", "list")}, {"root", "issuing"})
        shown = self.node.json("crl", "show", "issuing")
        out = self.folder("downloaded.crl")
        self.node.out("crl", "download", "issuing", "--out", out)
        self.assertEqual(subprocess.run(["sha256sum", out], capture_output=True, text=True).stdout.split()[0], shown["sha256"])
        self.assertIn("BEGIN X509 CRL", self.node.out("crl", "download", "issuing", "--pem"))
        kept = pathlib.Path(shown["path"]).read_bytes()
        pathlib.Path(shown["path"]).write_bytes(kept[:-1])
        self.assertIn("is not the CRL that is served", self.node.error("crl", "download", "issuing", "--out", out))
        pathlib.Path(shown["path"]).write_bytes(kept)
        self.assertIn("no CRL of an authority", self.node.error("crl", "list", "nobody"))
        self.node.stop()
        self.assertEqual(self.node.items("crl", "generate", "issuing")[0]["number"], before + 2)
        self.assertIn(f'"number":"{before + 2}"', self.node.out("audit", "tail", "--lines", "5").replace(" ", ""))

    def test_files_of_responses_are_what_the_service_answers(self):
        certificate = self.issue("a.example.test")
        out = self.folder("exported")
        self.node.out("ocsp", "export", out)
        request = self.folder("request.der")
        openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-no_nonce", "-reqout", request)
        path = out / base64.b64encode(request.read_bytes()).decode()
        path = path / "index.html" if path.is_dir() else path
        text = openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-respin", path, "-CAfile", self.root, "-no_nonce")
        self.assertIn(": good", text)


class Ocsp(Validity):
    def test_openssl_and_gnutls_ask_in_every_way(self):
        certificate = self.issue("a.example.test")
        for more in ([], ["-no_nonce"], ["-sha256"]):
            with self.subTest(more=more):
                self.assertEqual(self.ocsp_says(certificate, *more), "good")
        if shutil.which("ocsptool") is None:
            self.skipTest("gnutls-bin: ocsptool is not installed")
        done = subprocess.run(["ocsptool", "--ask=" + self.url + "/ocsp", "--load-cert", certificate, "--load-issuer", self.issuing,
                               "--load-trust", self.root], capture_output=True, text=True)
        self.assertIn("Certificate Status: good", done.stdout + done.stderr)

    def test_get_is_answered_from_memory_the_second_time(self):
        certificate = self.issue("a.example.test")
        request = self.folder("request.der")
        openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-no_nonce", "-reqout", request)
        encoded = base64.b64encode(request.read_bytes()).decode()
        answers = {self.http("/ocsp/" + spelling)[1] for spelling in (encoded, urllib.parse.quote(encoded, safe=""), encoded.rstrip("="), base64.urlsafe_b64encode(request.read_bytes()).decode())}
        answers.add(self.http("/ocsp", method="POST", body=request.read_bytes(), headers={"Content-Type": "application/ocsp-request"})[1])
        self.assertEqual(len(answers), 1, "octet for octet the same")
        self.assertGreaterEqual(self.node.metric('hanaper_ocsp_requests_total{instance="protocol.ocsp",result="kept"}'), 3)
        response = self.folder("response.der")
        response.write_bytes(answers.pop())
        text = openssl("ocsp", "-respin", response, "-issuer", self.issuing, "-cert", certificate, "-CAfile", self.root, "-no_nonce", "-resp_text")
        self.assertIn("OCSP No Check", text)

    def test_curl_takes_a_certificate_that_nginx_staples_until_it_is_revoked(self):
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if nginx is None:
            self.skipTest("nginx: it is not installed")
        certificate = self.issue("localhost")
        (self.folder("chain.pem")).write_text(certificate.read_text() + self.issuing.read_text())
        (self.folder("trusted.pem")).write_text(self.issuing.read_text() + self.root.read_text())
        port = free_port()
        log = self.folder("nginx.log")

        def serve(stapling):
            (self.folder("nginx.conf")).write_text(f"""
                daemon off; master_process off; pid {self.node.folder}/nginx.pid;
                events {{ }}
                http {{
                    access_log off; client_body_temp_path {self.node.folder}/nginx-b; proxy_temp_path {self.node.folder}/nginx-p;
                    fastcgi_temp_path {self.node.folder}/nginx-f; uwsgi_temp_path {self.node.folder}/nginx-u; scgi_temp_path {self.node.folder}/nginx-s;
                    server {{
                        listen 127.0.0.1:{port} ssl; server_name localhost;
                        ssl_certificate {self.node.folder}/chain.pem; ssl_certificate_key {self.node.folder}/localhost.key;
                        ssl_stapling on; ssl_trusted_certificate {self.node.folder}/trusted.pem; {stapling}
                        location / {{ return 200 "stapled\\n"; }}
                    }}
                }}""")
            process = subprocess.Popen([nginx, "-p", str(self.node.folder), "-c", str(self.folder("nginx.conf")), "-e", str(log)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

            def end():
                process.terminate()
                process.wait(10)
            self.addCleanup(end)
            return end

        def curl():
            return subprocess.run(["curl", "-sS", "--cert-status", "--cacert", self.root, f"https://localhost:{port}/"], capture_output=True, text=True, timeout=20)
        end = serve("ssl_stapling_verify on;")
        # nginx asks when the first client comes, and has an answer for the next.
        self.assertTrue(until(lambda: curl().stdout == "stapled\n", 20), curl().stderr + log.read_text())
        end()
        self.node.out("revoke", "--reason", "keyCompromise", certificate)
        # nginx hands on only what is good: a client that wants a response goes without.
        end = serve("ssl_stapling_verify on;")
        self.assertTrue(until(lambda: curl() and 'certificate status "revoked" in the OCSP response' in log.read_text(), 20), log.read_text())
        self.assertEqual(curl().returncode, 91, "no response")
        end()
        # A server that hands on whatever it has convinces nobody either.
        self.assertEqual(self.ocsp_says(certificate, "-no_nonce", "-respout", self.folder("stapled.der")), "revoked")
        serve(f"ssl_stapling_file {self.node.folder}/stapled.der;")
        self.assertTrue(until(lambda: curl().returncode == 91), log.read_text())
        self.assertIn("revocation reason: keyCompromise", curl().stderr)

    def test_unknown_and_foreign_certificates(self):
        unknown = self.folder("request.der")
        openssl("ocsp", "-issuer", self.issuing, "-serial", "0x1234", "-reqout", unknown)
        text = openssl("ocsp", "-issuer", self.issuing, "-serial", "0x1234", "-url", self.url + "/ocsp", "-CAfile", self.root)
        self.assertIn("unknown", text)
        foreign = self.folder("foreign.pem")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=x", "-out", foreign)
        done = subprocess.run(["openssl", "ocsp", "-issuer", foreign, "-serial", "1", "-url", self.url + "/ocsp"], capture_output=True, text=True)
        self.assertIn("unauthorized", done.stdout + done.stderr)

    def test_what_is_no_request_is_malformed(self):
        for body in (b"", b"hello", b"\x30\x80"):
            self.assertEqual(self.http("/ocsp", method="POST", body=body)[1], b"\x30\x03\x0a\x01\x01")
        for path in ("/ocsp", "/ocsp/", "/ocsp/hello", "/ocsp/%", "/ocsp/MAA="):
            self.assertEqual(self.http(path)[1], b"\x30\x03\x0a\x01\x01", path)


@unittest.skipIf(STORAGE == "sqlite", "setup: one node at a time writes to a SQLite file")
class TwoNodes(Validity):
    ocsp = "presign = true"

    def ask(self, node, certificate):
        request = self.folder("request.der")
        openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-no_nonce", "-reqout", request)
        return urllib.request.urlopen(f"http://127.0.0.1:{node.http}/ocsp/" + urllib.parse.quote(base64.b64encode(request.read_bytes()), safe=""), timeout=10).read()

    def test_a_node_signs_its_part_ahead_and_hears_of_revocations_on_the_other(self):
        certificates = [self.issue(f"{i}.example.test") for i in range(30)]
        second = self.second()
        count = lambda result: second.metric(f'hanaper_ocsp_requests_total{{instance="protocol.ocsp",result="{result}"}}') or 0
        self.assertTrue(until(lambda: count("signed") > 3))
        ahead, answers = 0, {}
        for certificate in certificates:
            before = count("kept")
            answers[certificate] = self.ask(second, certificate)
            ahead += count("kept") > before
        self.assertTrue(3 < ahead < 27, f"{ahead} of 30 were signed ahead: about a half is its part")
        for certificate in certificates[:3]:
            self.node.out("revoke", "--reason", "superseded", certificate)
            # The feed is read twice a second; the rest is for machines that do other things besides.
            self.assertTrue(until(lambda: self.ask(second, certificate) != answers[certificate], 5), "it hears of it by itself")
            text = openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-url", f"http://127.0.0.1:{second.http}/ocsp", "-CAfile", self.root)
            self.assertIn(": revoked", text)
        crl = lambda: urllib.request.urlopen(f"http://127.0.0.1:{second.http}/crl/issuing.crl", timeout=10).read()
        self.assertTrue(until(lambda: self.http("/crl/issuing.crl")[1] == crl()), "both serve the same CRL")

    def test_a_key_that_was_compromised_is_blocked_on_every_node(self):
        second = self.second()
        certificate, request = self.issue("lost.example.test"), self.folder("lost.csr")
        openssl("req", "-new", "-key", self.folder("lost.example.test.key"), "-subj", "/", "-addext", "subjectAltName=DNS:lost.example.test", "-out", request)
        second.out("issue", "--csr", request, "--out", self.folder("lost-again.pem"))
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.node.out("revoke", "--reason", "keyCompromise", certificate)
        refused = lambda: second.run("issue", "--csr", request, "--out", self.folder(f"{time.monotonic()}.pem"), status=None).returncode == 1
        self.assertTrue(until(refused, 10))
        self.assertIn("this key is blocked", second.error("issue", "--csr", request))


class Told(Validity):
    ocsp = 'tell = ["archive-cutoff", "crl"]'

    def test_openssl_reads_since_when_nothing_is_forgotten_and_where_a_revocation_is_listed(self):
        certificate = self.issue("a.example.test")
        self.node.out("revoke", "--reason", "superseded", certificate)
        ask = lambda: openssl("ocsp", "-issuer", self.issuing, "-cert", certificate, "-url", self.url + "/ocsp", "-CAfile", self.root, "-resp_text")
        self.assertRegex(ask(), r"OCSP Archive Cutoff:\s+\S+ +\d+ [\d:]+ \d{4} GMT")
        self.assertTrue(until(lambda: self.http("/crl/issuing.crl")[0] == 200 and self.listed(self.serial(certificate))))

        def refers():
            # One that was made in the very moment of the revocation is not yet trusted to have it.
            number = self.node.items("crl", "generate", "issuing")[0]["number"]
            return re.search(rf"OCSP CRL ID:\s+crlUrl: {self.url}/crl/issuing.crl\s+crlNum: (0x)?0*{number:X}\s+crlTime: ", ask())
        self.assertTrue(until(refers), ask())


if __name__ == "__main__":
    main()
