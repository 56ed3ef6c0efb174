#!/usr/bin/python3
"""From one authority to the next: what EST and SCEP tell ahead, what OpenSSL makes of it, and the day it happens."""
import base64
import contextlib
import hashlib
import itertools
import json
import re
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness import BASE, ROOT, Node, b64, main, openssl

NEXT = '''
[authority.root-2]
key = "soft:root-2"
subject = "CN=Test Root CA"

[authority.issuing-2]
issuer = "root-2"
key = "soft:issuing-2"
subject = "CN=Test Issuing CA 2"
registrar = "soft:registrar"

[authenticator.people]
plugin = "accounts"
file = "accounts"

[authenticator.devices]
plugin = "mtls"
authorities = ["issuing", "issuing-2"]

[profile.device]
lifetime = "30d"
usages = ["client-auth"]
subject = "request"

[pipeline.devices]
authority = "issuing"
profiles = ["device"]
authenticate = ["people", "devices"]

[pipeline.afterwards]
authority = "issuing-2"
profiles = ["device"]

[protocol.est]
listener = "public"
path = "/.well-known/est"
pipeline = "devices"

[protocol.scep]
listener = "plain"
path = "/scep"
pipeline = "devices"

[protocol.scep-2]
plugin = "scep"
listener = "plain"
path = "/scep-2"
pipeline = "afterwards"

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["root", "root-2", "issuing", "issuing-2"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["root", "root-2", "issuing", "issuing-2"]
'''
TODAY = BASE.replace('certificate = {{', 'client_certificates = "optional"\ncertificate = {{') + NEXT
TODAY = TODAY.replace('[authority.root]\n', '[authority.root]\nnext = "root-2"\n')
TODAY = TODAY.replace('[authority.issuing]\n', '[authority.issuing]\nnext = "issuing-2"\nregistrar = "soft:registrar"\n')
ON_THE_DAY = TODAY.replace('[pipeline.web]\nauthority = "issuing"', '[pipeline.web]\nauthority = "issuing-2"')
ON_THE_DAY = ON_THE_DAY.replace('[pipeline.devices]\nauthority = "issuing"', '[pipeline.devices]\nauthority = "issuing-2"')
TOKEN = "token-of-some-length"


class Documentation(unittest.TestCase):
    def test_the_sample_of_the_host_readme_is_taken(self):
        sample = re.search(r"## From one authority to the next\n\n```toml\n(.*?)```", (ROOT / "host" / "README.md").read_text(), re.S).group(1)
        node = Node(sample.join(['[node]\nstate = "{state}"\n[storage.main]\nplugin = "sqlite"\n[keys.soft]\nplugin = "softtoken"\npin = {{ file = "pin" }}\n',
                                 '[profile.web]\nlifetime = "1d"\n[pipeline.web]\nauthority = "issuing"\nprofiles = ["web"]\n']))
        self.addCleanup(node.close)
        self.assertIn("authority root: root-2 takes over from it; each has certified the other now\n", node.out("init"))


class RollOver(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(TODAY)
        cls.addClassCleanup(cls.node.close)
        cls.node.state.mkdir(mode=0o700)
        accounts = cls.node.state / "accounts"
        accounts.write_text("bot:sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + ":ra\n")
        accounts.chmod(0o600)
        cls.first_init = cls.node.out("init")
        cls.second_init = cls.node.out("init")
        cls.node.start()
        for name in ("root", "root-2", "issuing", "issuing-2"):
            cls.file(f"{name}.pem").write_text(cls.node.out("show", "--authority", name, "--pem"))

    @classmethod
    def file(cls, name):
        return cls.node.folder / name

    def pem_of(self, name):
        return self.file(f"{name}.pem").read_text()

    def get(self, path, status=200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.http}{path}", timeout=10) as answer:
                found, body, kind = answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            found, body, kind = error.code, error.read(), error.headers["Content-Type"]
        self.assertEqual(found, status, body)
        return body, kind

    def est(self, operation, *words):
        roots = self.file("roots.pem")
        roots.write_text(self.pem_of("root") + self.pem_of("root-2"))
        done = subprocess.run(["curl", "-sS", "--fail-with-body", "--max-time", "20", "--cacert", roots, *map(str, words),
                               f"https://localhost:{self.node.https}/.well-known/est/{operation}"], capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return self.certificates(base64.b64decode(done.stdout))

    def certificates(self, der):
        p7 = self.file("answer.p7")
        p7.write_bytes(der)
        return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", openssl("pkcs7", "-inform", "DER", "-in", p7, "-print_certs"), re.S)

    def csr(self, name):
        key, csr = self.file(f"{name}.key"), self.file(f"{name}.csr")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-subj", f"/CN={name}",
                "-addext", f"subjectAltName=DNS:{name}.example.test", "-outform", "DER", "-out", csr)
        body = self.file(f"{name}.base64")
        body.write_bytes(base64.b64encode(csr.read_bytes()))
        return key, ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{body}"]

    def window(self, pem):
        """When the renewal information of that certificate begins."""
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        serial = certificate.serial_number
        name = b64(key) + "." + b64(serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
        text = subprocess.run(["curl", "-sS", "--fail", "--cacert", self.file("roots.pem"), f"https://localhost:{self.node.https}/acme/renewal-info/{name}"],
                              capture_output=True, check=True, timeout=30).stdout
        return json.loads(text)["suggestedWindow"]["start"]

    def test_1_init_certifies_once_and_says_so(self):
        self.assertIn("authority root: root-2 takes over from it; each has certified the other now\n", self.first_init)
        self.assertIn("authority root: root-2 takes over from it; each has certified the other\n", self.second_init)
        self.assertIn("authority issuing: issuing-2 takes over from it\n", self.first_init)
        self.assertEqual(sum(row["profile"] == "authority" for row in self.node.items("list")), 6)
        self.assertIn("sign(issuing @ soft, then issuing-2)", self.node.out("plan"))

    def test_2_cacerts_lead_from_either_root_to_either_authority(self):
        found = self.est("cacerts")
        self.assertEqual(found[:2], [self.pem_of("issuing"), self.pem_of("root")])
        self.assertEqual(len(found), 6)
        parsed = [x509.load_pem_x509_certificate(pem.encode()) for pem in found]
        key_of = {name: x509.load_pem_x509_certificate(self.pem_of(name).encode()).public_key() for name in ("root", "root-2")}
        octets = lambda key: key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        between = {}
        for certificate, pem in zip(parsed, found):
            for subject, signer in itertools.product(key_of, key_of):
                with contextlib.suppress(InvalidSignature):
                    if octets(certificate.public_key()) == octets(key_of[subject]):
                        key_of[signer].verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
                        between[subject, signer] = certificate, pem
        self.assertEqual(sorted(between), [("root", "root"), ("root", "root-2"), ("root-2", "root"), ("root-2", "root-2")])
        old, new = between["root", "root"][0], between["root-2", "root-2"][0]
        old_with_new, new_with_old = between["root", "root-2"][0], between["root-2", "root"][0]
        # RFC 4210 4.4.1
        self.assertEqual((old_with_new.not_valid_before, old_with_new.not_valid_after), (old.not_valid_before, old.not_valid_after))
        self.assertEqual(new_with_old.not_valid_before, new.not_valid_before)
        self.assertLessEqual(new_with_old.not_valid_after, old.not_valid_after)
        for trusted, helper, authority in (("root", ("root-2", "root"), "issuing-2"), ("root-2", ("root", "root-2"), "issuing")):
            bridge = self.file("bridge.pem")
            bridge.write_text(between[helper][1])
            openssl("verify", "-x509_strict", "-CAfile", self.file(f"{trusted}.pem"), "-untrusted", bridge, self.file(f"{authority}.pem"))
            done = subprocess.run(["openssl", "verify", "-CAfile", self.file(f"{trusted}.pem"), self.file(f"{authority}.pem")], capture_output=True)
            self.assertNotEqual(done.returncode, 0, "nothing is shown when the chain holds without it")

    def test_3_the_next_certificates_come_signed_by_the_authority_of_today(self):
        self.assertIn("GetNextCACert", self.get("/scep?operation=GetCACaps")[0].decode().split("\n"))
        message, kind = self.get("/scep?operation=GetNextCACert")
        self.assertEqual(kind, "application/x-x509-next-ca-cert")
        path, content = self.file("next.der"), self.file("next.p7")
        path.write_bytes(message)
        openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", path, "-CAfile", self.file("root.pem"), "-certfile", self.file("issuing.pem"),
                "-nointern", "-purpose", "any", "-out", content)
        self.assertEqual(self.certificates(content.read_bytes()), [self.pem_of("issuing-2"), self.pem_of("root-2")])
        self.assertEqual(self.get("/scep?operation=GetNextCACert")[0], message)

    def test_4_without_a_successor_there_is_nothing_to_tell(self):
        self.assertNotIn(b"GetNextCACert", self.get("/scep-2?operation=GetCACaps")[0])
        self.assertEqual(self.get("/scep-2?operation=GetNextCACert", 400)[0], b"no authority is to take over from issuing-2\n")

    def test_5_the_day_comes_by_reload_and_old_certificates_stay_known(self):
        key, words = self.csr("device")
        old = self.est("simpleenroll", "-H", f"Authorization: Bearer {TOKEN}", *words)[0]
        self.file("device.pem").write_text(old)
        before = self.window(old)
        self.node.write_config(ON_THE_DAY)
        self.node.signal(signal.SIGHUP)
        deadline = time.monotonic() + 20
        while b"GetNextCACert" in self.get("/scep?operation=GetCACaps")[0]:
            self.assertLess(time.monotonic(), deadline, self.node.log_text())
        # Whoever trusts the old root alone can still follow, and the other way round.
        found = self.est("cacerts")
        self.assertEqual(found[:2], [self.pem_of("issuing-2"), self.pem_of("root-2")])
        self.assertEqual(len(found), 6)
        # The old certificate counts: renewal, renewal information, revocation, status.
        old_key = key.rename(self.file("old.key"))
        _, words = self.csr("device")
        new = self.est("simplereenroll", "--cert", self.file("device.pem"), "--key", old_key, *words)[0]
        self.file("new.pem").write_text(new)
        openssl("verify", "-CAfile", self.file("root-2.pem"), "-untrusted", self.file("issuing-2.pem"), self.file("new.pem"))
        self.assertLess(self.window(old), before)
        serial = openssl("x509", "-noout", "-serial", "-in", self.file("device.pem")).strip().removeprefix("serial=")
        self.assertIn(self.pem_of("issuing"), self.node.out("show", serial, "--chain"))
        self.node.out("revoke", serial, "--reason", "superseded")
        answer = openssl("ocsp", "-issuer", self.file("issuing.pem"), "-cert", self.file("device.pem"), "-url", f"http://127.0.0.1:{self.node.http}/ocsp",
                         "-CAfile", self.file("root.pem"), "-verify_other", self.file("issuing.pem"))
        self.assertIn("revoked", answer)
        # The audit names who issued it, though another issues now.
        lines = [json.loads(line) for line in self.node.out("audit", "tail").splitlines()]
        self.assertEqual([line["authority"] for line in lines if line["event"] == "revoked"], ["issuing"])


if __name__ == "__main__":
    main()
