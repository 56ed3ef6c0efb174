#!/usr/bin/python3
"""EST as devices speak it: curl, openssl s_client and strongSwan's pki against a node, under TLS 1.2 and 1.3."""
import base64
import hashlib
import hmac
import http.client
import json
import re
import shutil
import ssl
import subprocess
import unittest

from harness import BASE, HANAPER, Node, elements, main, oid, openssl, tlv

EST = BASE.replace('names = ["localhost", "127.0.0.1"] }}', 'names = ["localhost", "127.0.0.1"] }}\nclient_certificates = "optional"') + """
[authenticator.people]
plugin = "accounts"
file = "accounts"

[authenticator.devices]
plugin = "mtls"
authorities = ["issuing"]

[profile.device]
lifetime = "30d"
usages = ["client-auth"]
subject = "request"

[pipeline.devices]
authority = "issuing"
profiles = ["device"]
authenticate = ["people", "devices"]
validate = ["lint"]

[pipeline.approved]
authority = "issuing"
profiles = ["device"]
authenticate = ["people"]
approval = "manual"

[protocol.est]
listener = "public"
path = "/.well-known/est"
pipeline = "devices"
server_key = "ec-p256"
transport_secrets = "transport"

[protocol.est-strict]
plugin = "est"
listener = "public"
path = "/.well-known/est/strict"
pipeline = "devices"
channel_binding = "required"
csrattrs = ["ec-p256", "ecdsa-sha256"]

[protocol.est-approved]
plugin = "est"
listener = "public"
path = "/.well-known/est/approved"
pipeline = "approved"
server_key = "ec-p256"
line_breaks = true
full_cmc = true

[protocol.est-cmc]
plugin = "est"
listener = "public"
path = "/.well-known/est/cmc"
pipeline = "devices"
full_cmc = true
cmc_secrets = "cmc-secrets"
csr_template = true
"""
EST = EST.replace('[authority.issuing]\n', '[authority.issuing]\nregistrar = "soft:registrar"\n')
# mkpasswd -m yescrypt "correct horse"
HASH = "$y$j9T$KVhOzpyIDMGn32Mv4Dt1V0$xUyRfvJvsnlxlQakvM3Qpy5qDKhVL0Ub.uxxawFdu82"
ACCOUNTS = f"router-7:{HASH}::.example.test\nrouter-9:{HASH}\noffice:{HASH}:ra\n"
TOKEN = "token-of-some-length"
CMC_SECRET = "sixteen octets or more"
SECRET = "000102030405060708090a0b0c0d0e0f"


class Est(unittest.TestCase):
    number = 0  # of requests made

    @classmethod
    def setUpClass(cls):
        cls.node = Node(EST)
        cls.addClassCleanup(cls.node.close)
        cls.node.state.mkdir()
        cls.node.state.chmod(0o700)
        accounts = cls.node.state / "accounts"
        accounts.write_text(ACCOUNTS + "bot:sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest() + "::.example.test\n")
        accounts.chmod(0o600)
        transport = cls.node.state / "transport"
        transport.write_text("0707:" + SECRET + "\n")
        transport.chmod(0o600)
        secrets = cls.node.state / "cmc-secrets"
        secrets.write_text(f"router-7:{CMC_SECRET}\n")
        secrets.chmod(0o600)
        cls.node.init().start()
        cls.root = cls.node.root_file()

    def file(self, name):
        return self.node.folder / name

    def csr(self, name, subject=None, password="", key=None, extra=""):
        """A key and a DER request made by openssl; their paths."""
        Est.number += 1
        stem = f"{Est.number}-{name}"
        key = key or self.file(stem + ".key")
        if not key.exists():
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        config = self.file(stem + ".cnf")
        attributes = f"challengePassword = {password}\n" if password else ""
        config.write_text(f"[req]\nprompt = no\ndistinguished_name = dn\nreq_extensions = ext\nattributes = attr\nstring_mask = utf8only\n"
                          f"[dn]\nCN = {subject or name}\n[ext]\nsubjectAltName = DNS:{name}\n[attr]\n{attributes}{extra}")
        csr = self.file(stem + ".der")
        openssl("req", "-new", "-key", key, "-config", config, "-outform", "DER", "-out", csr)
        return key, csr

    def curl(self, operation, *words, csr=None, label="", status=200, user="router-7:correct horse"):
        """The body of an answer, and its header section."""
        url = f"https://localhost:{self.node.https}/.well-known/est/{label + '/' if label else ''}{operation}"
        head = self.file("head")
        command = ["curl", "-sS", "--max-time", "30", "--cacert", self.root, "-D", head, *words]
        if user:
            command += ["-u", user]
        if csr is not None:
            body = self.file("body")
            body.write_bytes(csr if isinstance(csr, bytes) else base64.encodebytes(csr.read_bytes()))
            command += ["-H", "Content-Type: application/pkcs10", "--data-binary", f"@{body}"]
        done = subprocess.run([*map(str, command), url], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.head = head.read_text()
        found = int(re.findall(r"^HTTP/1\.1 (\d+)", self.head, re.M)[-1])
        self.assertEqual(found, status, done.stdout)
        return done.stdout

    def certificates(self, body):
        """PEM of the certificates of a certs-only answer, as openssl reads it."""
        p7 = self.file("answer.p7")
        p7.write_bytes(base64.b64decode(body))
        text = openssl("pkcs7", "-inform", "DER", "-in", p7, "-print_certs")
        return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", text, re.S)

    def enrol(self, name, *words, **options):
        key, csr = self.csr(name, key=options.pop("key", None))
        certificates = self.certificates(self.curl("simpleenroll", *words, csr=csr, **options))
        self.assertEqual(len(certificates), 1)
        path = key.with_suffix(".pem")
        path.write_text(certificates[0])
        openssl("verify", "-CAfile", self.root, "-untrusted", self.issuing(), path)
        return key, path

    def issuing(self):
        path = self.file("issuing.pem")
        if not path.exists():
            path.write_text(self.node.out("show", "--authority", "issuing", "--pem"))
        return path

    def ledger(self):
        return len(self.node.items("list"))


class Curl(Est):
    def test_cacerts_is_for_everybody_and_leads_to_the_root(self):
        for label in ("", "strict", "approved"):
            certificates = self.certificates(self.curl("cacerts", label=label, user=None))
            self.assertEqual(len(certificates), 2)
            self.assertIn("application/pkcs7-mime; smime-type=certs-only", self.head)
            subjects = [openssl("x509", "-noout", "-subject", input=c).strip() for c in certificates]
            self.assertEqual(subjects, ["subject=CN = Test Issuing CA", "subject=CN = Test Root CA"])

    def test_enrolment_by_password_token_and_certificate_under_both_versions_of_tls(self):
        for version in (["--tls-max", "1.2"], ["--tlsv1.3"]):
            key, certificate = self.enrol("a.example.test", *version)
            self.assertIn("subject=CN = a.example.test", openssl("x509", "-in", certificate, "-noout", "-subject"))
            self.enrol("b.example.test", "-H", f"Authorization: Bearer {TOKEN}", *version, user=None)
            self.enrol("a.example.test", "--cert", certificate, "--key", key, *version, user=None)
            _, csr = self.csr("c.example.test")
            self.curl("simpleenroll", "--cert", certificate, "--key", key, *version, csr=csr, user=None, status=403)

    def test_curl_that_waits_for_the_challenge(self):
        self.enrol("anyauth.example.test", "--anyauth")
        self.assertIn("WWW-Authenticate: Basic", self.head)

    def test_accounts_whose_lines_the_command_has_made(self):
        token = self.node.folder / "made.token"
        lines = [self.node.run("accounts", "line", "made", "--names", ".example.test", input="a good password\n").stdout,
                 self.node.out("accounts", "line", "robot", "--names", ".example.test", "--token", token)]
        self.assertRegex(lines[0], r"^made:\$y\$[^:]+::\.example\.test\n$")
        self.assertRegex(lines[1], r"^robot:sha256:[0-9a-f]{64}::\.example\.test\n$")
        self.assertEqual(token.stat().st_mode & 0o777, 0o600)
        self.assertIn("exists already", self.node.error("accounts", "line", "robot", "--token", token))
        accounts = self.node.state / "accounts"
        with accounts.open("a") as file:
            file.writelines(lines)
        self.enrol("a.example.test", user="made:a good password")
        self.enrol("b.example.test", "-H", f"Authorization: Bearer {token.read_text().strip()}", user=None)
        for name, password, said in (("a:b", "a good password", "without blanks and ':'"), ("#a", "a good password", "without blanks"),
                                     ("a", "short", "8 to 256 octets"), ("a", "x" * 257, "8 to 256 octets")):
            self.assertIn(said, self.node.run("accounts", "line", name, input=password + "\n", status=2).stderr)

    def test_strangers_and_wrong_passwords_are_asked_for_credentials(self):
        _, csr = self.csr("x.example.test")
        before = self.ledger()
        for user in (None, "router-7:wrong", "nobody:correct horse"):
            text = self.curl("simpleenroll", csr=csr, status=401, user=user)
            self.assertIn("WWW-Authenticate: Basic", self.head)
            self.assertEqual(text, b"", "Bouncy Castle's client fails on a body")
        self.assertEqual(self.ledger(), before)

    def test_renewal_with_the_old_certificate_and_a_new_key(self):
        key, certificate = self.enrol("renew.example.test")
        for new_key in (key, None):
            _, csr = self.csr("renew.example.test", key=new_key)
            body = self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=csr, user=None)
            renewed = self.certificates(body)[0]
            self.assertNotEqual(renewed, certificate.read_text())
        _, other = self.csr("other.example.test", subject="renew.example.test")
        self.assertIn(b"subjectAltName", self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=other, user=None, status=400))
        _, other = self.csr("renew.example.test", subject="other")
        self.assertIn(b"subject", self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=other, user=None, status=400))
        _, csr = self.csr("renew.example.test")
        self.curl("simplereenroll", csr=csr, status=403)
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=csr, user=None, status=401)
        self.assertIn(b"revoked", self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=csr, status=403))

    def test_a_key_made_by_the_server_alone_and_encrypted(self):
        key, csr = self.csr("keygen.example.test")
        body = self.curl("serverkeygen", csr=csr).decode()
        boundary = re.search(r"boundary=(\S+)", self.head).group(1)
        first, second = [part.split("\r\n\r\n", 1) for part in body.split("--" + boundary)[1:3]]
        self.assertIn("application/pkcs8", first[0])
        made = self.file("made.der")
        made.write_bytes(base64.b64decode(first[1]))
        public = openssl("pkey", "-inform", "DER", "-in", made, "-pubout")
        self.assertNotEqual(public, openssl("pkey", "-in", key, "-pubout"))
        self.assertEqual(public, openssl("x509", "-noout", "-pubkey", input=self.certificates(second[1])[0]))

        _, csr = self.csr("keygen.example.test", extra="1.2.840.113549.1.9.16.2.37 = 07\n")
        octets = csr.read_bytes()  # openssl writes a string; what is wanted is an OCTET STRING
        wrong = bytes([0x31, 0x04, octets[octets.index(b"\x10\x02\x25") + 5], 0x02]) + b"07"
        self.assertIn(wrong, octets)
        octets = octets.replace(wrong, bytes([0x31, 0x04, 0x04, 0x02, 0x07, 0x07]))
        csr.write_bytes(octets)
        body = self.curl("serverkeygen", csr=csr).decode()
        self.assertIn("smime-type=server-generated-key", body)
        boundary = re.search(r"boundary=(\S+)", self.head).group(1)
        envelope = self.file("envelope.der")
        envelope.write_bytes(base64.b64decode(body.split("--" + boundary)[1].split("\r\n\r\n", 1)[1]))
        openssl("cms", "-decrypt", "-inform", "DER", "-in", envelope, "-secretkey", SECRET, "-secretkeyid", "0707", "-binary", "-out", self.file("package"))
        self.assertIn("2.16.840.1.101.2.1.2.78.5", openssl("asn1parse", "-inform", "DER", "-in", self.file("package")))

    def test_an_account_asks_for_what_its_name_says(self):
        user = "router-9:correct horse"
        for name, status in (("router-9.example.test", 200), ("router-9", 200), ("router-8.example.test", 403), ("payroll", 403), ("router-99.example.test", 403)):
            _, csr = self.csr(name)
            body = self.curl("simpleenroll", csr=csr, user=user, status=status)
            if status == 403:
                self.assertIn(b"not among what this account may ask for", body)
        _, csr = self.csr("router-9.example.test", subject="payroll")
        self.curl("simpleenroll", csr=csr, user=user, status=403)
        _, csr = self.csr("payroll.example.test")
        self.curl("simpleenroll", csr=csr, user="office:correct horse")

    def test_a_certificate_of_another_profile_is_no_credential(self):
        key, csr = self.csr("web.example.test")
        certificate = self.file("web.pem")
        certificate.write_text(self.node.out("issue", "--pipeline", "web", "--csr", csr))
        for operation in ("simpleenroll", "simplereenroll"):
            self.assertIn(b"profile web", self.curl(operation, "--cert", certificate, "--key", key, csr=csr, user=None, status=403))

    def test_csrattrs(self):
        self.assertEqual(self.curl("csrattrs", user=None, status=204), b"")
        der = base64.b64decode(self.curl("csrattrs", label="strict", user=None))
        self.assertIn("application/csrattrs", self.head)
        path = self.file("csrattrs.der")
        path.write_bytes(der)
        text = openssl("asn1parse", "-inform", "DER", "-in", path)
        for name in ("challengePassword", "id-ecPublicKey", "prime256v1", "ecdsa-with-SHA256"):
            self.assertIn(name, text)

    def test_a_template_of_a_request(self):
        path = self.file("template.der")
        path.write_bytes(base64.b64decode(self.curl("csrattrs", label="cmc", user=None)))
        lines = [re.split(r": *", line, 3)[-1].strip() for line in openssl("asn1parse", "-inform", "DER", "-in", path).splitlines()]
        self.assertIn("1.2.840.113549.1.9.16.2.61", " ".join(lines))
        body = openssl("asn1parse", "-inform", "DER", "-in", path)
        for name in ("commonName", "id-ecPublicKey", "prime256v1", "1.2.840.113549.1.9.16.2.62", "X509v3 Subject Alternative Name", "X509v3 Extended Key Usage"):
            self.assertIn(name, body)

    def test_refusals_are_in_the_audit(self):
        _, csr = self.csr("x.example.test")
        self.curl("simpleenroll", csr=csr, status=401, user="router-7:wrong")
        self.curl("simpleenroll", csr=csr, status=401, user=None)
        self.curl("simplereenroll", csr=csr, status=403)
        lines = [json.loads(line) for line in self.node.out("audit", "tail", "--lines", "1000").splitlines() if "est.refused" in line]
        found = [(line["operation"], line["instance"], line["address"]) for line in lines][-2:]
        self.assertEqual(found, [("simpleenroll", "protocol.est", "127.0.0.1"), ("simplereenroll", "protocol.est", "127.0.0.1")], "who shows nothing only asks how to")

    def test_a_request_that_waits_is_approved_or_denied(self):
        approved, denied = self.csr("wait.example.test"), self.csr("no.example.test")
        before = self.ledger()
        for _, csr in (approved, denied, approved):
            self.curl("simpleenroll", csr=csr, label="approved", status=202)
            self.assertRegex(self.head, r"Retry-After: \d+")
        waiting = {row["subject"].split()[-1]: row["request"] for row in self.node.items("requests", "list")}
        self.node.out("requests", "approve", waiting["wait.example.test"])
        self.node.out("requests", "deny", waiting["no.example.test"], "--reason", "unknown device")
        first = self.certificates(self.curl("simpleenroll", csr=approved[1], label="approved"))
        again = self.certificates(self.curl("simpleenroll", csr=approved[1], label="approved"))
        self.assertEqual(first, again)
        for _ in range(2):
            self.assertIn(b"unknown device", self.curl("simpleenroll", csr=denied[1], label="approved", status=403))
        self.assertEqual([row for row in self.node.items("requests", "list") if "no.example.test" in row["subject"]], [], "nobody has to deny it again")
        self.assertEqual(self.ledger(), before + 1)

    def test_a_renewal_with_the_same_key_waits_for_an_approval_of_its_own(self):
        key, csr = self.csr("keeps.example.test")
        def approved(*words):
            self.assertEqual(self.curl(*words, csr=csr, label="approved", status=202), b"")
            request, = (row["request"] for row in self.node.items("requests", "list") if "keeps" in row["subject"])
            self.node.out("requests", "approve", request)
            return self.certificates(self.curl(*words, csr=csr, label="approved"))[0]
        given = [approved("simpleenroll")]
        certificate = self.file("keeps.pem")
        for _ in range(2):
            certificate.write_text(given[-1])
            given.append(approved("simplereenroll", "--cert", certificate, "--key", key))
            self.assertEqual(self.certificates(self.curl("simplereenroll", "--cert", certificate, "--key", key, csr=csr, label="approved"))[0], given[-1])
        self.assertEqual(len(set(given)), 3)

    def test_a_key_made_here_waits_for_its_request_and_goes_out_once(self):
        _, csr = self.csr("keyless.example.test")
        waiting = lambda: [row["request"] for row in self.node.items("requests", "list") if "keyless" in row["subject"]]
        for _ in range(3):
            self.curl("serverkeygen", csr=csr, label="approved", status=202)
        request, = waiting()
        self.node.out("requests", "approve", request)
        before = self.ledger()
        self.assertIn(b"application/pkcs8", self.curl("serverkeygen", csr=csr, label="approved"))
        self.assertIn(b"not kept", self.curl("serverkeygen", csr=csr, label="approved", status=409))
        self.assertEqual((self.ledger(), waiting()), (before + 1, []))

    def test_no_operation_is_404_and_a_wrong_method_405(self):
        for label, operation in (("", "nothing"), ("strict", "nothing"), ("unknown", "cacerts"), ("", "fullcmc"), ("strict", "serverkeygen")):
            _, csr = self.csr("x.example.test")
            self.curl(operation, csr=csr, label=label, status=404)
        self.curl("simpleenroll", status=405)
        self.assertIn("Allow: POST", self.head)


CMC = "1.3.6.1.5.5.7.7."


class FullCmc(Est):
    """PKIData by hand, SignedData by openssl cms, PKIResponse read by openssl cms."""

    def request(self, name, *extensions):
        """A key, a self-signed certificate that has its identifier, and a DER request with that identifier."""
        Est.number += 1
        stem = f"{Est.number}-{name}"
        key, own, csr = self.file(stem + ".key"), self.file(stem + ".self.pem"), self.file(stem + ".der")
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=" + name, "-days", "2", "-addext", "subjectKeyIdentifier=hash", "-out", own)
        openssl("req", "-new", "-key", key, "-subj", "/CN=" + name, "-addext", "subjectKeyIdentifier=hash", "-addext", "subjectAltName=DNS:" + name,
                "-outform", "DER", "-out", csr)
        return key, own, csr

    def control(self, number, kind, value):
        return tlv(0x30, tlv(2, bytes([number])) + oid(CMC + str(kind)) + tlv(0x31, value))

    def pki_data(self, csrs, controls=()):
        requests = b"".join(tlv(0xa0, tlv(2, bytes([10 + i])) + csr.read_bytes()) for i, csr in enumerate(csrs))
        return tlv(0x30, tlv(0x30, b"".join(controls)) + tlv(0x30, requests) + tlv(0x30, b"") + tlv(0x30, b""))

    def identity(self, csrs, secret=CMC_SECRET, name="router-7"):
        sequence = elements(elements(self.pki_data(csrs))[0][1])[1][2]
        witness = hmac.new(hashlib.sha256((secret + name).encode()).digest(), sequence, hashlib.sha256).digest()
        algorithms = tlv(0x30, oid("2.16.840.1.101.3.4.2.1")) + tlv(0x30, oid("1.2.840.113549.2.9"))
        return [self.control(1, 2, tlv(0x0c, name.encode())), self.control(2, 34, tlv(0x30, algorithms + tlv(4, witness)))]

    def sign(self, data, certificate, key, *words):
        content, out = self.file("pkidata"), self.file("pkirequest")
        content.write_bytes(data)
        openssl("cms", "-sign", "-binary", "-nodetach", "-econtent_type", "1.3.6.1.5.5.7.12.2", "-in", content, "-signer", certificate, "-inkey", key,
                "-md", "sha256", "-outform", "DER", "-out", out, *words)
        return out.read_bytes()

    def ask(self, message, label="cmc", status=200):
        """Statuses, as (status, body parts, failInfo or pendToken), other controls by number, and certificates."""
        body = self.file("cmc-body")
        body.write_bytes(base64.encodebytes(message))
        answer = self.curl("fullcmc", "-H", "Content-Type: application/pkcs7-mime; smime-type=CMC-request", "--data-binary", f"@{body}", label=label, status=status)
        self.assertIn("application/pkcs7-mime; smime-type=CMC-response", self.head)
        path, response, pem = self.file("cmc-answer"), self.file("cmc-response"), self.file("cmc-certificates")
        path.write_bytes(base64.b64decode(answer))
        openssl("cms", "-verify", "-binary", "-inform", "DER", "-in", path, "-CAfile", self.root, "-certfile", self.issuing(), "-out", response, "-certsout", pem)
        openssl("cms", "-cmsout", "-print", "-inform", "DER", "-in", path, "-out", self.file("cmc-print"))
        self.assertIn("1.3.6.1.5.5.7.12.3", self.file("cmc-print").read_text())
        statuses, controls = [], {}
        for _, content, _ in elements(elements(elements(response.read_bytes())[0][1])[0][1]):
            number, kind, values = elements(content)
            (_, value, whole), = elements(values[1])
            if kind[2] != oid(CMC + "25"):
                controls[kind[1][-1]] = value
                continue
            status, parts, *more = elements(value)
            other = next((one for tag, one, _ in more if tag in (2, 0x30)), None)
            if more and more[-1][0] == 0x30:
                other = elements(other)[0][1]
            statuses.append((status[1][0], [part[1][0] for part in elements(parts[1])], other if other is None or len(other) > 1 else other[0]))
        certificates = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem.read_text(), re.S)
        return statuses, controls, certificates

    def issued(self, certificates, key):
        """The one that is for this key, verified."""
        public = openssl("pkey", "-in", key, "-pubout")
        found = [one for one in certificates if openssl("x509", "-noout", "-pubkey", input=one) == public]
        self.assertEqual(len(found), 1)
        path = key.with_suffix(".issued.pem")
        path.write_text(found[0])
        openssl("verify", "-CAfile", self.root, "-untrusted", self.issuing(), path)
        return path

    def test_requests_signed_by_one_of_their_keys_with_a_proven_identity(self):
        (key, own, csr), (other, _, second) = self.request("cmc-a.example.test"), self.request("cmc-b.example.test")
        before = self.ledger()
        controls = self.identity([csr, second]) + [self.control(3, 5, tlv(2, b"\x2a")), self.control(4, 6, tlv(4, b"my nonce"))]
        statuses, controls, certificates = self.ask(self.sign(self.pki_data([csr, second], controls), own, key, "-keyid", "-nocerts"))
        self.assertEqual(statuses, [(0, [10], None), (0, [11], None)])
        self.assertEqual((controls[5], controls[7], len(controls[6])), (b"\x2a", b"my nonce", 16))
        for one in (key, other):
            self.issued(certificates, one)
        self.assertEqual(self.ledger(), before + 2)

    def test_renewal_signed_by_the_certificate(self):
        key, certificate = self.enrol("cmc-renew.example.test")
        new, _, csr = self.request("cmc-renew.example.test")
        statuses, _, certificates = self.ask(self.sign(self.pki_data([csr]), certificate, key))
        self.assertEqual(statuses, [(0, [10], None)])
        self.issued(certificates, new)
        self.node.out("revoke", "--reason", "superseded", certificate)
        self.assertEqual(self.ask(self.sign(self.pki_data([csr]), certificate, key), status=400)[0], [(2, [0], 1)])

    def test_refusals(self):
        key, own, csr = self.request("cmc-no.example.test")
        before = self.ledger()
        sign = lambda data, *words: self.sign(data, own, key, *(words or ("-keyid", "-nocerts")))
        self.assertEqual(self.ask(sign(self.pki_data([csr])), status=400)[0], [(2, [0], 7)], "no identity is proven")
        self.assertEqual(self.ask(sign(self.pki_data([csr], self.identity([csr], secret="something of that size"))), status=400)[0], [(2, [2], 7)])
        self.assertEqual(self.ask(sign(self.pki_data([csr], self.identity([csr]))), label="approved", status=400)[0], [(2, [2], 7)], "no secret is known")
        self.assertEqual(self.ask(sign(self.pki_data([csr]), "-md", "sha256"), status=400)[0], [(2, [0], 1)], "a self-signed certificate is nobody's")
        stranger, its_own, _ = self.request("cmc-stranger.example.test")
        self.assertEqual(self.ask(self.sign(self.pki_data([csr]), its_own, stranger, "-keyid", "-nocerts"), status=400)[0], [(2, [0], 1)])
        self.assertEqual(self.ask(sign(self.pki_data([csr], self.identity([csr]) + [self.control(9, 17, b"\x05\x00")])), status=400)[0], [(2, [9], 2)])
        crm = tlv(0x30, tlv(0x30, b"") + tlv(0x30, tlv(0xa1, tlv(0x30, tlv(2, b"\x07") + tlv(0x30, b"")))) + tlv(0x30, b"") * 2)
        enrolled_key, enrolled = self.enrol("cmc-crm.example.test")
        self.assertEqual(self.ask(self.sign(crm, enrolled, enrolled_key), status=400)[0], [(2, [7], 2)])
        self.assertEqual(self.ledger(), before + 1)

    def test_a_request_that_waits_is_asked_about_by_its_token(self):
        key, own, csr = self.request("cmc-wait.example.test")
        (status, parts, token), = self.ask(self.sign(self.pki_data([csr]), own, key, "-keyid", "-nocerts"), label="approved", status=202)[0]
        self.assertEqual((status, parts, len(token)), (3, [10], 32))
        self.assertRegex(self.head, r"Retry-After: \d+")
        query = self.sign(self.pki_data([], [self.control(1, 21, tlv(4, token))]), own, key, "-keyid", "-nocerts")
        self.assertEqual(self.ask(query, label="approved", status=202)[0], [(3, [1], token)])
        self.node.kill()
        self.node.start()
        waiting = {row["subject"].split()[-1]: row["request"] for row in self.node.items("requests", "list")}
        self.node.out("requests", "approve", waiting["cmc-wait.example.test"])
        statuses, _, certificates = self.ask(query, label="approved")
        self.assertEqual(statuses, [(0, [1], None)])
        first = self.issued(certificates, key).read_text()
        self.assertEqual(self.issued(self.ask(query, label="approved")[2], key).read_text(), first)


class ChannelBinding(Est):
    def post(self, connection, csr):
        """Status and text of an enrolment on a connection of http.client."""
        credentials = base64.b64encode(b"router-7:correct horse").decode()
        connection.request("POST", "/.well-known/est/strict/simpleenroll", base64.b64encode(csr.read_bytes()),
                           {"Content-Type": "application/pkcs10", "Authorization": "Basic " + credentials})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def connect(self, options=0):
        context = self.node.tls(maximum_version=ssl.TLSVersion.TLSv1_2)
        context.options |= options
        connection = http.client.HTTPSConnection("localhost", self.node.https, context=context, timeout=30)
        connection.connect()
        self.addCleanup(connection.close)
        return connection, base64.b64encode(connection.sock.get_channel_binding("tls-unique")).decode()

    def test_tls_unique_under_tls_1_2(self):
        connection, binding = self.connect()
        _, good = self.csr("unique.example.test", password=binding)
        self.assertEqual(self.post(connection, good)[0], 200)
        self.assertEqual(self.post(connection, good)[0], 200, "on the same connection it is as good as before")
        _, absent = self.csr("unique.example.test")
        status, text = self.post(connection, absent)
        self.assertEqual((status, b"challengePassword" in text), (400, True))
        other, _ = self.connect()
        status, text = self.post(other, good)
        self.assertEqual((status, b"challengePassword" in text), (400, True))

    def test_tls_unique_needs_the_extended_master_secret(self):
        no_extended_master_secret = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET, which Python has no name for
        connection, binding = self.connect(no_extended_master_secret)
        _, csr = self.csr("unique.example.test", password=binding)
        status, text = self.post(connection, csr)
        self.assertEqual((status, b"cannot be verified" in text), (400, True), text)

    def s_client(self, make_password):
        """An enrolment over TLS 1.3 by openssl s_client, which says what the exporter gives."""
        process = subprocess.Popen(["openssl", "s_client", "-connect", f"localhost:{self.node.https}", "-tls1_3", "-CAfile", self.root, "-ign_eof",
                                    "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            exported = None
            while exported is None:
                line = process.stdout.readline().decode()
                self.assertTrue(line, "s_client ended")
                found = re.search(r"Keying material: ([0-9A-F]+)", line)
                exported = bytes.fromhex(found.group(1)) if found else None
            _, csr = self.csr("exporter.example.test", password=make_password(exported))
            body = base64.b64encode(csr.read_bytes())
            credentials = base64.b64encode(b"router-7:correct horse").decode()
            head = (f"POST /.well-known/est/strict/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                    f"Authorization: Basic {credentials}\r\nContent-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\n\r\n")
            out, _ = process.communicate(head.encode() + body, timeout=30)
            return int(re.search(rb"HTTP/1\.1 (\d+)", out).group(1))
        finally:
            process.kill()
            process.wait()

    def test_tls_exporter_under_tls_1_3(self):
        self.assertEqual(self.s_client(lambda exported: base64.b64encode(exported).decode()), 200)
        self.assertEqual(self.s_client(lambda exported: base64.b64encode(exported[::-1]).decode()), 400)
        self.assertEqual(self.s_client(lambda exported: ""), 400)


@unittest.skipUnless(shutil.which("pki"), "strongswan: strongswan-pki is not installed")
class StrongSwan(Est):
    def pki(self, *words, status=0):
        done = subprocess.run(["pki", *map(str, words)], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr.decode())
        return done.stdout

    def url(self):
        return f"https://localhost:{self.node.https}"

    def test_estca(self):
        self.pki("--estca", "--url", self.url(), "--cacert", self.root, "--caout", self.file("ca"), "--outform", "pem", "--force")
        subjects = [openssl("x509", "-noout", "-subject", "-in", path) for path in sorted(self.node.folder.glob("ca*")) if path.read_bytes().startswith(b"-----")]
        self.assertTrue(any("Test Root CA" in subject for subject in subjects), subjects)
        self.assertTrue(any("Test Issuing CA" in subject for subject in subjects), subjects)

    def test_est_enrols_and_renews(self):
        key, csr = self.csr("swan.example.test")
        pem = self.pki("--est", "--url", self.url(), "--in", csr, "--cacert", self.root, "--cacert", self.issuing(),
                       "--userpass", "router-7:correct horse", "--outform", "pem")
        certificate = self.file("swan.pem")
        certificate.write_bytes(pem)
        openssl("verify", "-CAfile", self.root, "-untrusted", self.issuing(), certificate)
        pem = self.pki("--est", "--url", self.url(), "--in", csr, "--cacert", self.root, "--cacert", self.issuing(),
                       "--cert", certificate, "--key", key, "--outform", "pem")
        self.assertNotEqual(pem, certificate.read_bytes())


class Configuration(Est):
    def refusal(self, before, after):
        """What check says of a configuration that differs there."""
        text = self.node.config.read_text()
        self.assertIn(before, text)
        changed = self.file("changed.toml")
        changed.write_text(text.replace(before, after))
        done = subprocess.run([HANAPER, "check", "-c", changed], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_label_that_is_an_operation_is_refused(self):
        said = self.refusal("/.well-known/est/strict", "/.well-known/est/cacerts")
        self.assertIn('the label "cacerts" is the name of an operation', said)

    def test_plain_http_is_refused(self):
        said = self.refusal('[protocol.est]\nlistener = "public"', '[protocol.est]\nlistener = "plain"')
        self.assertIn("EST is served over TLS only", said)

    def test_texts_of_csrattrs_are_looked_at(self):
        self.assertIn('"no-such-thing" is none of', self.refusal('"ecdsa-sha256"]', '"no-such-thing"]'))


if __name__ == "__main__":
    main()
