#!/usr/bin/python3
"""SCEP as devices speak it: strongSwan's pki, certmonger's scep-submit, and messages made by openssl cms."""
import base64
import hashlib
import http.client
import http.server
import json
import pathlib
import re
import shutil
import ssl
import subprocess
import threading
import time
import unittest
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from harness import BASE, Node, elements, free_port, main, oid, openssl, tlv

SCEP_SUBMIT = pathlib.Path("/usr/lib/certmonger/scep-submit")
CHALLENGE = "correct horse battery"

SCEP = BASE + """
[profile.device]
lifetime = "30d"
usages = ["client-auth"]
subject = "request"

[pipeline.devices]
authority = "issuing"
profiles = ["device"]
validate = ["lint"]

[pipeline.approved]
authority = "issuing"
profiles = ["device"]
approval = "manual"

[protocol.scep]
listener = "plain"
path = "/scep"
pipeline = "devices"
challenge = {{ file = "challenge" }}

[protocol.scep-approved]
plugin = "scep"
listener = "plain"
path = "/approved"
pipeline = "approved"
challenge = {{ file = "challenge" }}
legacy = true
chain = false
"""
SCEP = SCEP.replace('[authority.issuing]\n', '[authority.issuing]\nregistrar = "soft:registrar"\n')
EVERYTHING = SCEP + """
[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["issuing"]

[authority.own]
issuer = "root"
key = "soft:own"
key_type = "rsa-2048"
subject = "CN=Test RSA CA"
registrar = "authority"

[pipeline.own]
authority = "own"
profiles = ["device"]

[protocol.scep-own]
plugin = "scep"
listener = "plain"
path = "/own"
pipeline = "own"
challenge = {{ file = "challenge" }}
ca_certificates = "one"

[protocol.scep-hook]
plugin = "scep"
listener = "plain"
path = "/hook"
pipeline = "devices"
webhook = "https://localhost:{hook}/scep"
webhook_authorization = {{ file = "hook-authorization" }}
webhook_roots = "hook.pem"
renewal = "refused"
"""


VERISIGN = "2.16.840.1.113733.1.9."
NONCE = b"0123456789abcdef"


class Client:
    """A device of its own: the envelope by openssl cms, the signed attributes by hand."""

    def __init__(self, test, name, password=CHALLENGE):
        self.test, self.name, self.hash = test, name, "sha256"
        self.key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject)
        request = request.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
        if password:
            request = request.add_attribute(x509.oid.AttributeOID.CHALLENGE_PASSWORD, password.encode())
        self.csr = request.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        self.transaction = hashlib.sha256(self.csr).hexdigest()[:32]
        stem = hashlib.sha256(self.csr).hexdigest()[:8] + "-" + name
        self.signer_path, self.key_path = test.file(stem + ".self.pem"), test.file(stem + ".key")
        self.key_path.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        openssl("req", "-x509", "-new", "-key", self.key_path, "-subj", "/CN=" + name, "-days", "2", "-out", self.signer_path)

    def envelope(self, content, cipher="-aes-128-cbc", stream=False, to=None):
        path, out = self.test.file("content"), self.test.file("envelope")
        path.write_bytes(content)
        openssl("cms", "-encrypt", "-binary", "-in", path, "-outform", "DER", "-out", out, cipher, *(["-stream"] if stream else []), to or self.test.registrar())
        return out.read_bytes()

    def sign_request_with_sha1(self):
        """As it was, but for the signature."""
        info, _, _ = elements(elements(self.csr)[0][1])
        signature = self.key.sign(info[2], padding.PKCS1v15(), hashes.SHA1())
        algorithm = tlv(0x30, oid("1.2.840.113549.1.1.5") + b"\x05\x00")
        self.csr = tlv(0x30, info[2] + algorithm + tlv(3, b"\0" + signature))

    def message(self, kind, envelope, attributes=()):
        signer = x509.load_pem_x509_certificate(self.signer_path.read_bytes())
        one = lambda name, value: tlv(0x30, oid(name) + tlv(0x31, value))
        signed = sorted([one("1.2.840.113549.1.9.3", oid("1.2.840.113549.1.7.1")), one("1.2.840.113549.1.9.4", tlv(4, hashlib.new(self.hash, envelope).digest())),
                         one(VERISIGN + "7", tlv(0x13, self.transaction.encode())), one(VERISIGN + "2", tlv(0x13, str(kind).encode())),
                         one(VERISIGN + "5", tlv(4, NONCE)), *[one(name, value) for name, value in attributes]])
        signature = self.key.sign(tlv(0x31, b"".join(signed)), padding.PKCS1v15(), hashes.SHA1() if self.hash == "sha1" else hashes.SHA256())
        digest, rsa_encryption = tlv(0x30, oid("1.3.14.3.2.26" if self.hash == "sha1" else "2.16.840.1.101.3.4.2.1")), tlv(0x30, oid("1.2.840.113549.1.1.1") + b"\x05\x00")
        name = signer.issuer.public_bytes()
        serial = signer.serial_number.to_bytes(signer.serial_number.bit_length() // 8 + 1, "big")
        info = tlv(0x30, b"\x02\x01\x01" + tlv(0x30, name + tlv(2, serial)) + digest + tlv(0xa0, b"".join(signed)) + rsa_encryption + tlv(4, signature))
        data = tlv(0x30, b"\x02\x01\x01" + tlv(0x31, digest) + tlv(0x30, oid("1.2.840.113549.1.7.1") + tlv(0xa0, tlv(4, envelope))) +
                   tlv(0xa0, signer.public_bytes(serialization.Encoding.DER)) + tlv(0x31, info))
        return tlv(0x30, oid("1.2.840.113549.1.7.2") + tlv(0xa0, data))

    def ask(self, kind=19, content=None, path="/scep", method="POST", **options):
        """pkiStatus, failInfo and the certificates of the answer, all of it checked on the way."""
        to = self.test.own_authority() if path == "/own" else None
        message = self.message(kind, self.envelope(self.csr if content is None else content, to=to, **options))
        status, body, head = self.test.pki_operation(message, path, method)
        self.test.assertEqual(status, 200, body)
        self.test.assertEqual(head["Content-Type"], "application/x-pki-message")
        return self.read(body, to)

    def read(self, body, signer=None):
        answer, envelope, signer = self.test.file("answer"), self.test.file("answer.envelope"), signer or self.test.registrar()
        answer.write_bytes(body)
        data = elements(elements(elements(elements(body)[0][1])[1][1])[0][1])
        info = elements(elements(data[-1][1])[0][1])
        attributes = {}
        for _, content, _ in elements(next(content for tag, content, _ in info if tag == 0xa0)):
            (_, _, name), (_, values, _) = elements(content)
            attributes[name] = elements(values)[0][1]
        value = lambda number: attributes.get(oid(VERISIGN + str(number)))
        nothing = self.test.file("nothing")
        nothing.write_bytes(b"")
        openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", answer, "-out", envelope, "-noverify", "-certfile", signer,
                *([] if value(3) == b"0" else ["-content", nothing]))
        self.test.assertEqual(value(7).decode(), self.transaction)
        self.test.assertEqual(value(2), b"3")
        self.test.assertEqual(value(6), NONCE)
        self.test.assertEqual(len(value(5)), 16)
        self.test.assertNotEqual(value(5), NONCE)
        status, fail = value(3).decode(), value(4) and value(4).decode()
        text = attributes.get(oid("1.3.6.1.5.5.7.24.1"), b"").decode()
        if status != "0":
            self.test.assertEqual(envelope.read_bytes(), b"")
            return status, fail, text
        inner = self.test.file("answer.certs")
        openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-in", envelope, "-recip", self.signer_path, "-inkey", self.key_path, "-out", inner)
        pem = openssl("pkcs7", "-inform", "DER", "-in", inner, "-print_certs")
        self.content = inner.read_bytes()
        return status, None, re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.S)

    def use(self, certificate):
        """From now on it signs with that certificate."""
        self.signer_path = self.test.file(self.name + ".pem")
        self.signer_path.write_text(certificate)


class Scep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hook_port = free_port()
        cls.node = Node(EVERYTHING, hook=cls.hook_port)
        cls.addClassCleanup(cls.node.close)
        cls.node.state.mkdir()
        cls.node.state.chmod(0o700)
        challenge = cls.node.state / "challenge"
        challenge.write_text(CHALLENGE + "\n")
        challenge.chmod(0o600)
        authorization = cls.node.state / "hook-authorization"
        authorization.write_text("Bearer inventory\n")
        authorization.chmod(0o600)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", cls.node.state / "hook.key", "-subj", "/CN=hook",
                "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-out", cls.node.state / "hook.pem")
        cls.node.init().start()
        cls.root = cls.node.root_file()

    def file(self, name):
        return self.node.folder / name

    def url(self, path="/scep"):
        return f"http://127.0.0.1:{self.node.http}{path}"

    def http(self, target, method="GET", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.node.http, timeout=30)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def pki_operation(self, message, path="/scep", method="POST"):
        if method == "POST":
            return self.http(path + "?operation=PKIOperation", "POST", message)
        return self.http(path + "/pkiclient.exe?operation=PKIOperation&message=" + urllib.parse.quote(base64.b64encode(message).decode(), safe="+/" if method == "raw" else ""))

    def issuing(self):
        path = self.file("issuing.pem")
        if not path.exists():
            path.write_text(self.node.out("show", "--authority", "issuing", "--pem"))
        return path

    def registrar(self):
        path = self.file("registrar.pem")
        if not path.exists():
            status, body, head = self.http("/scep?operation=GetCACert")
            self.assertEqual((status, head["Content-Type"]), (200, "application/x-x509-ca-ra-cert"))
            p7 = self.file("cacert.p7")
            p7.write_bytes(body)
            pem = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", openssl("pkcs7", "-inform", "DER", "-in", p7, "-print_certs"), re.S)
            self.assertEqual(len(pem), 3)
            path.write_text(pem[0])
        return path

    def own_authority(self):
        path = self.file("own.pem")
        if not path.exists():
            path.write_text(self.node.out("show", "--authority", "own", "--pem"))
        return path

    def verify(self, certificate):
        path = self.file("certificate.pem")
        path.write_text(certificate)
        openssl("verify", "-CAfile", self.root, "-untrusted", self.issuing(), path)
        return path

    def ledger(self):
        return len([row for row in self.node.items("list") if row["profile"] == "device"])


class Messages(Scep):
    def test_capabilities(self):
        for path, more in (("/scep", ""), ("/scep/pkiclient.exe", ""), ("/approved", "DES3\nSHA-1\n")):
            status, body, head = self.http(path + "?operation=GetCACaps&message=")
            self.assertEqual((status, head["Content-Type"]), (200, "text/plain"))
            self.assertEqual(body.decode(), "AES\nPOSTPKIOperation\nRenewal\nSHA-256\nSHA-384\nSHA-512\nSCEPStandard\n" + more)

    def test_the_registrar_signs_and_decrypts_for_an_ec_authority(self):
        text = openssl("x509", "-in", self.registrar(), "-noout", "-text")
        self.assertIn("Digital Signature, Key Encipherment", text)
        self.assertIn("Public-Key: (2048 bit)", text)
        openssl("verify", "-CAfile", self.root, "-untrusted", self.issuing(), self.registrar())

    def test_enrolment_over_post_and_get(self):
        for method in ("POST", "GET", "raw"):
            client = Client(self, method.lower() + ".example.test")
            status, _, certificates = client.ask(method=method)
            self.assertEqual(status, "0", certificates)
            self.assertEqual(len(certificates), 2, "the issued one and the authority's")
            path = self.verify(certificates[0])
            self.assertEqual(openssl("x509", "-in", path, "-noout", "-pubkey"), openssl("pkey", "-in", client.key_path, "-pubout"))

    def test_ber_and_extra_attributes_are_read(self):
        client = Client(self, "ber.example.test")
        envelope = client.envelope(client.csr, cipher="-aes-256-cbc", stream=True)
        self.assertIn(b"\x30\x80", envelope)
        message = client.message(19, envelope, [("1.2.3.4", tlv(4, b"more"))])
        self.assertEqual(client.read(self.pki_operation(message)[1])[0], "0")

    def test_the_same_transaction_gives_the_same_certificate(self):
        client, before = Client(self, "same.example.test"), self.ledger()
        first, again = client.ask(), client.ask()
        self.assertEqual(first, again)
        self.assertEqual(self.ledger(), before + 1)
        other = Client(self, "other.example.test")
        client.csr = other.csr
        self.assertEqual(client.ask()[:2], ("2", "2"))

    def test_challenges(self):
        before = self.ledger()
        for password in ("", "wrong", CHALLENGE + " ", CHALLENGE[:-1]):
            client = Client(self, "challenge.example.test", password)
            self.assertEqual(client.ask()[:2], ("2", "2"))
        self.assertEqual(self.ledger(), before)

    def test_a_changed_challenge_counts_from_the_reload_on(self):
        file, other = self.node.state / "challenge", "another-challenge-4711"
        ask = lambda password: Client(self, "reload.example.test", password).ask()[:2]
        lines = lambda: self.node.out("reload").splitlines()
        instances = ["protocol.scep", "protocol.scep-approved", "protocol.scep-own"]
        try:
            file.write_text("short\n")
            self.assertIn("protocol.scep", self.node.error("reload"))
            file.write_text(other + "\n")
            self.assertEqual(ask(CHALLENGE)[0], "0", "nothing has been reloaded, or it was refused")
            self.assertEqual(ask(other), ("2", "2"))
            self.assertEqual(lines(), sorted(name + ": applied" for name in instances))
            self.assertEqual(ask(other)[0], "0")
            self.assertEqual(ask(CHALLENGE), ("2", "2"))
            self.assertEqual(lines(), ["nothing changed"])
        finally:
            file.write_text(CHALLENGE + "\n")
            self.node.out("reload")
        self.assertEqual(ask(CHALLENGE)[0], "0")

    def test_challenges_that_are_good_once(self):
        make = lambda *words: self.node.json("scep", "challenge", "--instance", "scep", *words)["challenge"]
        client = Client(self, "once.example.test", make())
        first = client.ask()
        self.assertEqual(first[0], "0")
        self.assertEqual(client.ask(), first, "the same transaction asks for nothing more")
        password = x509.load_der_x509_csr(client.csr).attributes.get_attribute_for_oid(x509.oid.AttributeOID.CHALLENGE_PASSWORD).value.decode()
        self.assertEqual(Client(self, "twice.example.test", password).ask()[:2], ("2", "2"))
        bound = make("--subject", "CN=bound.example.test")
        self.assertEqual(Client(self, "else.example.test", bound).ask(), ("2", "2", "the challengePassword is for another subject"))
        self.assertEqual(Client(self, "bound.example.test", bound).ask()[0], "0")
        self.assertIn('no profile "nothing"', self.node.error("scep", "challenge", "--instance", "scep", "--profile", "nothing"))
        for text in (password, bound, CHALLENGE):
            self.assertNotIn(text, self.node.log_text())

    def test_renewal_by_the_certificate(self):
        client = Client(self, "renew.example.test")
        certificate = client.ask()[2][0]
        client.use(certificate)
        stranger = Client(self, "stranger.example.test", "")
        for kind in (17, 18, 19):
            new = Client(self, "renew.example.test", "")
            client.csr, client.transaction = new.csr, new.transaction
            status, _, certificates = client.ask(kind)
            self.assertEqual(status, "0", certificates)
            path = self.verify(certificates[0])
            self.assertEqual(openssl("x509", "-in", path, "-noout", "-pubkey"), openssl("pkey", "-in", new.key_path, "-pubout"))
        client.csr, client.transaction = stranger.csr, stranger.transaction
        self.assertEqual(client.ask(17)[:2], ("2", "2"))
        self.assertEqual(stranger.ask(17)[:2], ("2", "1"), "a self-signed certificate renews nothing")
        self.node.out("revoke", "--reason", "superseded", self.verify(certificate))
        new = Client(self, "renew.example.test", "")
        client.csr, client.transaction = new.csr, new.transaction
        self.assertEqual(client.ask(17), ("2", "2", "the signer's certificate is revoked"))

    def test_a_request_that_waits_is_polled(self):
        client, denied, before = Client(self, "wait.example.test"), Client(self, "no.example.test"), self.ledger()
        names = lambda one: tlv(0x30, x509.load_pem_x509_certificate(self.issuing().read_bytes()).subject.public_bytes() +
                                x509.load_der_x509_csr(one.csr).subject.public_bytes())
        ask = lambda one, kind: one.ask(kind, names(one) if kind == 20 else None, "/approved")
        self.assertEqual(ask(client, 20)[:2], ("2", "4"), "nobody has asked yet")
        for one in (client, denied):
            self.assertEqual(ask(one, 19)[0], "3")
            self.assertEqual(ask(one, 20)[0], "3")
            self.assertEqual(ask(one, 19)[0], "3")
        # What waits survives the end of the process.
        self.node.kill()
        self.node.start()
        self.assertEqual(ask(client, 20)[0], "3")
        waiting = {row["subject"].split()[-1]: row["request"] for row in self.node.items("requests", "list")}
        self.node.out("requests", "approve", waiting["wait.example.test"])
        self.node.out("requests", "deny", waiting["no.example.test"])
        status, _, first = ask(client, 20)
        self.assertEqual((status, len(first)), ("0", 1))
        self.node.kill()
        self.node.start()
        self.assertEqual(ask(client, 20)[2], first)
        self.assertEqual(ask(client, 19)[2], first)
        for kind in (20, 19, 19, 20):
            status, fail, text = ask(denied, kind)
            self.assertEqual((status, fail), ("2", "2"))
            self.assertIn("was denied", text)
        self.assertEqual([row for row in self.node.items("requests", "list") if "no.example.test" in row["subject"]], [], "nobody has to deny it again")
        self.assertEqual(ask(Client(self, "no.example.test"), 19)[0], "3", "another request of it is another")
        self.assertEqual(self.ledger(), before + 1)

    def test_getcert_and_getcrl(self):
        client = Client(self, "getcert.example.test")
        certificate = client.ask()[2][0]
        parsed = x509.load_pem_x509_certificate(certificate.encode())
        number = lambda n: tlv(2, n.to_bytes(n.bit_length() // 8 + 1, "big"))
        client.transaction = "one name for all of these"
        status, _, found = client.ask(21, tlv(0x30, parsed.issuer.public_bytes() + number(parsed.serial_number)))
        self.assertEqual((status, found), ("0", [certificate]))
        self.assertEqual(client.ask(21, tlv(0x30, parsed.issuer.public_bytes() + number(parsed.serial_number ^ 1)))[:2], ("2", "4"))
        self.assertEqual(client.ask(21, tlv(0x30, parsed.subject.public_bytes() + number(parsed.serial_number)))[:2], ("2", "4"))
        self.assertEqual(client.ask(21, b"\x05\x00")[:2], ("2", "4"))
        # GetCRL gives what the plugin crl publishes, and nothing but that.
        self.node.out("crl", "generate")
        asked = lambda issuer, serial: client.ask(22, tlv(0x30, issuer.public_bytes() + number(serial)))
        deadline = time.monotonic() + 30
        while asked(parsed.issuer, parsed.serial_number)[0] != "0":
            self.assertLess(time.monotonic(), deadline, "the CRL never came")
            time.sleep(0.2)
        self.assertEqual(asked(parsed.issuer, parsed.serial_number)[2], [])
        served = self.http("/crl/issuing.crl")[1]
        self.assertIn(served, client.content)
        crl = self.file("scep.crl")
        crl.write_text(openssl("pkcs7", "-inform", "DER", "-in", self.file("answer.certs"), "-print_certs"))
        self.assertIn("BEGIN X509 CRL", crl.read_text())
        openssl("crl", "-in", crl, "-CAfile", self.issuing(), "-noout")
        self.assertEqual(asked(parsed.issuer, parsed.serial_number ^ 1)[:2], ("2", "4"))
        self.assertEqual(asked(parsed.subject, parsed.serial_number)[:2], ("2", "4"))
        self.assertEqual(client.ask(22, b"\x05\x00")[:2], ("2", "4"))

    def test_the_authority_answers_with_its_own_key(self):
        status, body, head = self.http("/own?operation=GetCACert")
        self.assertEqual((status, head["Content-Type"]), (200, "application/x-x509-ca-cert"))
        own = x509.load_pem_x509_certificate(self.own_authority().read_bytes())
        self.assertEqual(x509.load_der_x509_certificate(body), own)
        usage = own.extensions.get_extension_for_class(x509.KeyUsage).value
        self.assertTrue(usage.digital_signature and usage.key_encipherment and usage.key_cert_sign and usage.crl_sign)
        client = Client(self, "own.example.test")
        status, _, certificates = client.ask(path="/own")
        self.assertEqual(status, "0", certificates)
        signed = self.file("signed.pem")
        signed.write_text(certificates[0])
        openssl("verify", "-CAfile", self.root, "-untrusted", self.own_authority(), signed)
        parsed = x509.load_pem_x509_certificate(certificates[0].encode())
        serial = parsed.serial_number
        named = tlv(0x30, parsed.issuer.public_bytes() + tlv(2, serial.to_bytes(serial.bit_length() // 8 + 1, "big")))
        client.transaction = "GetCert from the authority"
        self.assertEqual(client.ask(21, named, "/own")[2], certificates[:1])
        self.assertEqual(client.ask(22, named, "/own")[:2], ("2", "2"), "no CRL of it is published")

    def test_webhooks_decide_about_challenges(self):
        asked, answer = [], {"body": b'{"allow": true}'}

        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer["body"])))
                self.end_headers()
                self.wfile.write(answer["body"])

            def log_message(self, *_):
                pass

        hook = lambda name, password="inventory-4711": Client(self, name, password)
        message = lambda client: self.pki_operation(client.message(19, client.envelope(client.csr)), "/hook")
        status, body, head = message(hook("early.example.test"))
        self.assertEqual(status, 503, "nobody answers yet")
        self.assertIn("Retry-After", head)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", self.hook_port), Hook)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.node.state / "hook.pem", self.node.state / "hook.key")
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        client = hook("hooked.example.test")
        first = client.ask(path="/hook")
        self.assertEqual(first[0], "0", first)
        path, headers, facts = asked[-1]
        self.assertEqual((path, headers["Content-Type"], headers["Authorization"]), ("/scep", "application/json", "Bearer inventory"))
        self.assertEqual(facts, {"transaction": client.transaction, "challenge": "inventory-4711", "subject": "CN=hooked.example.test",
                                 "names": ["hooked.example.test"], "key": "rsa-2048", "csr": base64.b64encode(client.csr).decode()})
        answer["body"] = b'{"allow": false, "reason": "not in the inventory"}'
        self.assertEqual(client.ask(path="/hook"), first, "the same transaction is not asked about again")
        self.assertEqual(hook("foreign.example.test").ask(path="/hook"), ("2", "2", "refused: not in the inventory"))
        answer["body"] = b'{"allow": "yes"}'
        self.assertEqual(hook("unclear.example.test").ask(path="/hook")[:2], ("2", "2"))
        # A certificate renews nothing where renewal is refused, and GetCACaps does not list it.
        self.assertNotIn(b"Renewal", self.http("/hook?operation=GetCACaps")[1])
        client.use(first[2][0])
        client.transaction = "renewal"
        self.assertEqual(client.ask(17, path="/hook")[:2], ("2", "2"))
        # Another certificate than the one that was agreed upon.
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.file("other.key"), "-subj", "/CN=hook",
                "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-out", self.file("other.pem"))
        tls.load_cert_chain(self.file("other.pem"), self.file("other.key"))
        answer["body"] = b'{"allow": true}'
        number = len(asked)
        self.assertEqual(message(hook("late.example.test"))[0], 503)
        self.assertEqual(len(asked), number)
        self.assertNotIn("inventory-4711", self.node.log_text())

    def test_refusals_are_in_the_audit(self):
        client = Client(self, "audited.example.test", "wrong")
        self.assertEqual(client.ask()[:2], ("2", "2"))
        stranger = Client(self, "foreign.example.test")
        self.assertEqual(stranger.ask(17)[:2], ("2", "1"))
        lines = [json.loads(line) for line in self.node.out("audit", "tail", "--lines", "1000").splitlines() if "scep.refused" in line]
        found = {line["transaction"]: line for line in lines}
        self.assertEqual(found[client.transaction]["error"], "the challengePassword is wrong")
        self.assertEqual(found[client.transaction]["instance"], "protocol.scep")
        self.assertEqual(found[client.transaction]["address"], "127.0.0.1")
        self.assertEqual(found[stranger.transaction]["type"], "17")
        self.node.out("audit", "verify")

    def test_legacy_algorithms_where_they_are_wanted(self):
        client = Client(self, "legacy.example.test")
        self.assertEqual(client.ask(cipher="-des-ede3-cbc")[:2], ("2", "0"))
        self.assertEqual(client.ask(cipher="-des-ede3-cbc", path="/approved")[0], "3")

    def test_a_device_that_knows_sha_1_alone_is_answered_by_its_cipher(self):
        client, before = Client(self, "ios12.example.test"), self.ledger()
        client.sign_request_with_sha1()
        self.assertEqual(client.ask()[:2], ("2", "1"), "a request that is signed with SHA-1")
        client.hash = "sha1"
        self.assertEqual(client.ask()[:2], ("2", "0"), "a message that is")
        old = dict(cipher="-des-ede3-cbc", path="/approved")
        self.assertEqual(client.ask(**old)[0], "3")
        waiting, = (row["request"] for row in self.node.items("requests", "list") if "ios12" in row["subject"])
        self.node.out("requests", "approve", waiting)
        for _ in range(2):
            status, _, certificates = client.ask(**old)
            self.assertEqual((status, len(certificates)), ("0", 1))
            self.verify(certificates[0])
            answer = self.file("answer").read_bytes()
            self.assertIn(oid("1.2.840.113549.3.7"), self.file("answer.envelope").read_bytes(), "DES-EDE3-CBC")
            self.assertIn(oid("2.16.840.1.101.3.4.2.1"), answer, "who answers signs nothing with SHA-1")
            self.assertNotIn(oid("1.3.14.3.2.26"), answer)
        self.assertEqual(self.ledger(), before + 1)


class Authorities(unittest.TestCase):
    def test_only_rsa_keys_answer_for_their_authority(self):
        node = Node(BASE.replace('[authority.issuing]\n', '[authority.issuing]\nregistrar = "authority"\n'))
        self.addCleanup(node.close)
        node.state.mkdir()
        node.state.chmod(0o700)
        self.assertIn("needs an RSA key", node.error("init"))


@unittest.skipUnless(shutil.which("pki"), "strongswan: strongswan-pki is not installed")
class StrongSwan(Scep):
    def pki(self, *words, status=0, **options):
        done = subprocess.run(["pki", *map(str, words)], capture_output=True, timeout=60, **options)
        self.assertEqual(done.returncode, status, done.stderr.decode() + self.node.log_text()[-2000:])
        return done.stdout

    def test_scepca_and_scep(self):
        self.pki("--scepca", "--url", self.url(), "--caout", self.file("swan-ca"), "--raout", self.file("swan-ra"), "--outform", "pem", "--force")
        files = {path.name for path in self.node.folder.glob("swan-*")}
        self.assertTrue(any("ra" in name for name in files) and any("ca" in name for name in files), files)
        ra = next(path for path in self.node.folder.glob("swan-ra*"))
        key = self.file("swan.key")
        openssl("genrsa", "-traditional", "-out", key, "2048")
        words = ["--scep", "--url", self.url(), "--in", key, "--dn", "CN=swan.example.test", "--san", "swan.example.test", "--cacert-enc", ra, "--cacert-sig", ra,
                 "--cacert", self.issuing(), "--cacert", self.root, "--outform", "pem"]
        pem = self.pki(*words, "--password", CHALLENGE)
        certificate = self.verify(pem.decode())
        old = self.file("swan.pem")
        shutil.copy(certificate, old)
        new = self.file("swan-new.key")
        openssl("genrsa", "-traditional", "-out", new, "2048")
        words[words.index(key)] = new
        self.verify(self.pki(*words, "--cert", old, "--key", key).decode())


@unittest.skipUnless(SCEP_SUBMIT.exists(), "certmonger: it is not installed")
class Certmonger(Scep):
    def submit(self, *words, status=0):
        done = subprocess.run([SCEP_SUBMIT, "-u", self.url(), *map(str, words)], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace"))
        return done.stdout

    def test_capabilities_certificates_and_enrolment(self):
        self.assertIn(b"POSTPKIOperation", self.submit("-c"))
        self.assertIn(b"BEGIN CERTIFICATE", self.submit("-C", "-R", self.issuing()))
        client = Client(self, "monger.example.test")
        message = self.file("monger.msg")
        message.write_bytes(client.message(19, client.envelope(client.csr)))
        text = base64.encodebytes(message.read_bytes()).decode()
        message.write_text("-----BEGIN PKCS7-----\n" + text + "-----END PKCS7-----\n")
        out = self.submit("-p", message, "-R", self.issuing(), "-r", self.registrar(), "-N", self.root, "-I", self.issuing())
        self.assertTrue(out)


if __name__ == "__main__":
    main()
