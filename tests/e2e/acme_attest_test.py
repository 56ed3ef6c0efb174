#!/usr/bin/python3
"""device-attest-01 (draft-ietf-acme-device-attest): Apple devices and TPMs prove their names, and nobody else does."""
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from acme_client import Client
from attestation import AIK, HARDWARE_MODULE, PERMANENT_IDENTIFIER, Apple, Authority, Raw, Tpm, cbor, device_name, new_key
from harness import BASE, Node, b64, main, openssl

DEVICES = """
[profile.device]
lifetime = "30d"
usages = ["client-auth"]
names = ["permanent-identifier", "hardware-module", "dns"]

[policy.names]
permit = ["permanent-identifier:*", "hardware-module:AB*", ".localhost", "localhost"]
exclude = ["permanent-identifier:LOST*"]

[pipeline.devices]
authority = "issuing"
profiles = ["device"]
policy = ["names"]
validate = ["lint"]
"""
CONFIG = BASE.replace("[protocol.acme]", DEVICES + "\n[protocol.acme]") + """
[protocol.devices]
plugin = "acme"
listener = "public"
path = "/devices"
pipeline = "devices"
drafts = ["device-attest-01"]
attestation_roots = ["apple.pem", "tpm.pem"]
http_01_port = {challenge}
"""
SERIAL = "C02XK1ABJG5H"


class Attest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(CONFIG)
        cls.addClassCleanup(cls.node.close)
        cls.node.state.mkdir(mode=0o700)
        cls.apple_root, cls.tpm_root = Authority("Apple-like Root"), Authority("TPM-like Root")
        cls.apple_ca, cls.tpm_ca = Authority("Apple-like CA", cls.apple_root), Authority("TPM-like CA", cls.tpm_root)
        (cls.node.state / "apple.pem").write_bytes(cls.apple_root.pem)
        (cls.node.state / "tpm.pem").write_bytes(cls.tpm_root.pem)
        cls.node.init().start()
        cls.apple = Apple(cls.apple_ca)

    def setUp(self):
        self.client = self.new_client()

    def new_client(self, path="/devices"):
        client = Client(self.node, path=path)
        self.addCleanup(client.close)
        client.register()
        return client

    def order(self, value=SERIAL, kind="permanent-identifier"):
        return self.client.post(self.client.directory["newOrder"], {"identifiers": [{"type": kind, "value": value}]})

    def begin(self, value=SERIAL, kind="permanent-identifier"):
        order = self.order(value, kind)
        self.assertEqual(order.status, 201, order.body)
        authorization = order.json["authorizations"][0]
        challenges = self.client.post(authorization).json["challenges"]
        self.assertEqual([c["type"] for c in challenges], ["device-attest-01"])
        return order, authorization, challenges[0]

    def answer(self, challenge, attestation):
        return self.client.post(challenge["url"], {"attObj": b64(attestation if isinstance(attestation, bytes) else cbor(attestation)), "more": 1})

    def csr(self, key, names=(), common_name=None):
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else [])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)

    def finalize(self, order, csr):
        return self.client.post(order.json["finalize"], {"csr": b64(csr)})

    def certificate(self, done):
        self.assertEqual((done.status, done.json["status"]), (200, "valid"), done.body)
        return x509.load_pem_x509_certificate(self.client.post(done.json["certificate"]).body)

    def other_names(self, leaf):
        return list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)

    # 3.2: "Clients MAY omit identifiers"; the certificate names the device all the same
    def test_an_apple_device_proves_its_serial_number_and_its_udid(self):
        for value, common_name in ((self.apple.serial, None), (self.apple.udid, None), (self.apple.serial, self.apple.serial)):
            order, authorization, challenge = self.begin(value)
            key = new_key("ec384")
            self.assertEqual(self.answer(challenge, self.apple.attest(key, challenge["token"])).json["status"], "valid")
            self.assertEqual(self.client.post(authorization).json["status"], "valid")
            self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "ready")
            leaf = self.certificate(self.finalize(order, self.csr(key, common_name=common_name)))
            self.assertEqual(self.other_names(leaf), [device_name("permanent-identifier", value)])
            self.assertEqual(leaf.public_key().public_numbers(), key.public_key().public_numbers())
        told = self.node.out("acme", "explain", order.headers["Location"].rsplit("/", 1)[1])
        self.assertIn("device-attest-01: met by apple", told)

    def test_a_tpm_proves_what_its_attestation_key_is_certified_for(self):
        rows = [("permanent-identifier", "SN-0001", "ES256", "ec"), ("permanent-identifier", "SN-0002/1.3.6.1.4.1.311", "RS256", "rsa"),
                ("hardware-module", "ABCD/2.23.133.1.2", "PS256", "ec384"), ("permanent-identifier", "Gerät *.7", "ES256", "rsa")]
        for kind, value, algorithm, key_kind in rows:
            with self.subTest(value):
                order, _, challenge = self.begin(value, kind)
                key, tpm = new_key(key_kind), Tpm(self.tpm_ca, kind, value, algorithm)
                answer = self.answer(challenge, tpm.attest(key, self.client.key_authorization(challenge)))
                self.assertEqual((answer.status, answer.json.get("status")), (200, "valid"), answer.body)
                leaf = self.certificate(self.finalize(order, self.csr(key, names=[device_name(kind, value)])))
                self.assertEqual(self.other_names(leaf), [device_name(kind, value)])
        path = self.node.folder / "device.pem"
        path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        self.assertIn("othername", openssl("x509", "-in", path, "-noout", "-ext", "subjectAltName"))
        self.assertIn("Gerät *.7", self.node.out("show", path))

    def test_a_certificate_is_for_the_attested_key_alone_and_for_its_device(self):
        order, _, challenge = self.begin()
        key = new_key()
        self.assertEqual(self.answer(challenge, self.apple.attest(key, challenge["token"])).status, 200)
        wrong = [(self.csr(new_key()), "attested"), (self.csr(key, names=[device_name("permanent-identifier", "OTHER")]), "OTHER"),
                 (self.csr(key, names=[device_name("permanent-identifier", SERIAL + "/1.2.3")]), "1.2.3"),
                 (self.csr(key, names=[x509.DNSName("a.localhost")]), "a.localhost"),
                 (self.csr(key, common_name="another.localhost"), "another.localhost"),
                 (self.csr(key, names=[x509.OtherName(PERMANENT_IDENTIFIER, b"\x30\x00")]), "subjectAltName")]
        for csr, why in wrong:
            refused = self.finalize(order, csr)
            self.assertEqual((refused.status, refused.type), (400, "badCSR"), refused.body)
            self.assertIn(why, refused.json["detail"])
            self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "ready")
        self.certificate(self.finalize(order, self.csr(key)))
        # What was attested was that key: the next order has an authorization of its own.
        _, _, again = self.begin()
        self.assertEqual(again["status"], "pending")
        self.assertNotEqual(again["token"], challenge["token"])

    def refused(self, value, kind, make, why):
        """One attestation that must fail, and what it leaves behind."""
        order, authorization, challenge = self.begin(value, kind)
        before = self.node.rows("certificate", "serial")
        answer = self.answer(challenge, make(challenge))
        self.assertEqual((answer.status, answer.type), (400, "badAttestationStatement"), answer.body)
        self.assertIn(why, answer.json["detail"])
        shown = self.client.post(challenge["url"])
        self.assertEqual((shown.json["status"], shown.json["error"]["detail"]), ("invalid", answer.json["detail"]))
        self.assertEqual(self.client.post(authorization).json["status"], "invalid")
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "invalid")
        again = self.answer(challenge, make(challenge))
        self.assertEqual((again.status, again.json["status"]), (200, "invalid"), "what is settled stays so")
        self.assertEqual(self.node.rows("certificate", "serial"), before)

    def test_apple_attestations_that_are_wrong_are_refused(self):
        key, stranger = new_key(), Authority("Apple-like CA", Authority("Apple-like Root"))
        apple = lambda **options: lambda challenge: self.apple.attest(key, challenge["token"], **options)
        rows = [("nonce of another token", apple(nonce=b"x" * 32), "nonce is not"), ("no nonce", apple(nonce=b""), "no nonce"),
                ("nonce of the key authorization", lambda c: self.apple.attest(key, self.client.key_authorization(c)), "nonce is not"),
                ("nonce cut off", apple(nonce=b"x" * 31), "nonce is not"),
                ("another device", apple(serial="C02XK1ABJG5J"), "another device"), ("no device", apple(serial="", udid=""), "another device"),
                ("letters of another case", apple(serial=SERIAL.lower()), "another device"),
                ("another root", lambda c: Apple(stranger).attest(key, c["token"]), "not trusted"),
                ("expired", apple(days=-2), "expired"),
                ("chain without its CA", apple(chain=lambda leaf: [leaf]), "not trusted"),
                ("no certificate", apple(chain=lambda leaf: []), "at least one"),
                ("certificate cut off", apple(chain=lambda leaf: [leaf[:-1]]), "cannot be read"),
                ("issuer that is no certificate", apple(chain=lambda leaf: [leaf, b"x"]), "cannot be read"),
                ("too many certificates", apple(chain=lambda leaf: [leaf] * 7), "more than 6")]
        for name, make, why in rows:
            with self.subTest(name):
                self.refused(SERIAL, "permanent-identifier", make, why)
        # A certificate of a device is no authority's.
        leaf_authority = Authority("Apple-like leaf", self.apple_ca, ca=False)
        with self.subTest("signed by a device"):
            self.refused(SERIAL, "permanent-identifier", lambda c: Apple(leaf_authority).attest(
                key, c["token"], chain=lambda leaf: [leaf, leaf_authority.der, self.apple_ca.der]), "not trusted")
        with self.subTest("a secure processor"):
            self.refused("AB/1.2.3", "hardware-module", apple(serial="AB/1.2.3"), "another device")

    def test_tpm_attestations_that_are_wrong_are_refused(self):
        value = "SN-7"
        key, other = new_key(), new_key()
        tpm, stranger = Tpm(self.tpm_ca, "permanent-identifier", value), Tpm(Authority("TPM-like CA", Authority("TPM-like Root")), "permanent-identifier", value)
        rsa_tpm = Tpm(self.tpm_ca, "permanent-identifier", value, "RS256")
        named = lambda kind, text: [device_name(kind, text)]
        made = lambda **options: lambda c: tpm.attest(key, self.client.key_authorization(c), **options)
        state = lambda **members: made(statement=members)
        resigned = lambda c: tpm.sign(tpm.cert_info(tpm.public_area(key.public_key()), self.client.key_authorization(c)), key=other)
        swapped = Tpm.public_area(other.public_key())
        rows = [("another version", state(ver="1.2"), "ver is not 2.0"), ("no version", state(ver=None), "ver is not 2.0"),
                ("token alone", lambda c: tpm.attest(key, c["token"]), "extraData"),
                ("extraData of something else", made(info=dict(extra=b"x" * 32)), "extraData"), ("no extraData", made(info=dict(extra=b"")), "extraData"),
                ("not made by a TPM", made(info=dict(magic=0xff544348)), "not made by a TPM"), ("a quote", made(info=dict(type=0x8018)), "certifies no key"),
                ("certInfo longer", made(info=dict(tail=b"x")), "behind the end"), ("certInfo empty", state(certInfo=b""), "sig is not"),
                ("name of another key", made(info=dict(name=b"\0\x0b" + b"x" * 32)), "another key"), ("another pubArea", state(pubArea=swapped), "another key"),
                ("pubArea longer", made(area=dict(tail=b"x")), "behind the end"), ("pubArea missing", state(pubArea=None), "cut off"),
                ("name by SHA-1", made(area=dict(name_alg=4)), "hash 4"),
                ("key that may leave", made(area=dict(attributes=0x00040070)), "may leave"), ("key with another parent", made(area=dict(attributes=0x00040062)), "may leave"),
                ("key made elsewhere", made(area=dict(attributes=0x00040052)), "may leave"),
                ("signed by another key", lambda c: tpm.attest(key, self.client.key_authorization(c), statement=dict(sig=resigned(c))), "sig is not"),
                ("no signature", state(sig=None), "cut off"), ("alg of another kind", state(alg=-257), "another algorithm"), ("alg with SHA-1", state(alg=-65535), "not supported"),
                ("alg that fits no key", lambda c: rsa_tpm.attest(key, self.client.key_authorization(c), statement=dict(alg=-37)), "another algorithm"),
                ("AIK with a subject", made(aik=dict(subject=self.tpm_root.name)), "has a subject"),
                ("AIK for something else", made(aik=dict(usages=(x509.ExtendedKeyUsageOID.CLIENT_AUTH,))), "2.23.133.8.3"), ("AIK for nothing", made(aik=dict(usages=())), "2.23.133.8.3"),
                ("AIK of an authority", made(aik=dict(ca=True)), "authority"), ("AIK expired", made(aik=dict(days=-2)), "expired"),
                ("another device", made(aik=dict(names=named("permanent-identifier", "SN-8"))), "another device"),
                ("another assigner", made(aik=dict(names=named("permanent-identifier", value + "/1.2.3"))), "another device"),
                ("the same text of another kind", made(aik=dict(names=named("hardware-module", value + "/1.2.3"))), "another device"),
                ("a host of that name", made(aik=dict(names=[x509.DNSName(value.lower())])), "another device"),
                ("another root", lambda c: stranger.attest(key, self.client.key_authorization(c)), "not trusted"),
                ("of another account", lambda c: tpm.attest(key, c["token"] + ".thumbprint"), "extraData")]
        for name, make, why in rows:
            with self.subTest(name):
                self.refused(value, "permanent-identifier", make, why)

    def test_objects_that_are_no_attestation_are_refused(self):
        good = self.apple.attest(new_key(), "x")
        whole = cbor(good)
        rows = [("octets behind", whole + b"\0", "behind the end"), ("cut off", whole[:-1], "cut off"), ("not a map", cbor([1]), "a map"),
                ("no statement", cbor({"fmt": "apple"}), "attStmt"), ("another format", cbor({**good, "fmt": "packed"}), "apple and tpm"), ("no format", cbor({"attStmt": good["attStmt"]}), "apple and tpm"),
                ("a format that is a number", cbor({**good, "fmt": 1}), "text string"), ("names that are numbers", cbor({1: 2}), "text string"),
                ("a member twice", Raw(b"\xa2" + cbor("fmt") + cbor("tpm") + cbor("fmt") + cbor("tpm")), "twice"),
                ("indefinite", Raw(b"\xbf" + cbor("fmt") + cbor("tpm") + b"\xff"), "not definite"), ("longer than needed", Raw(b"\xb8\x01" + cbor("fmt") + cbor("tpm")), "longer than needed"),
                ("nested deeply", cbor({"x": Raw(b"\x81" * 40 + b"\0"), **good}), "too deeply"), ("a float", cbor({"x": Raw(b"\xf9\x3c\0"), **good}), "not allowed"),
                ("a huge array", cbor({"x": Raw(b"\x9b" + b"\x7f" * 8), **good}), "cut off"), ("many members", cbor({**{str(i): 0 for i in range(20)}, **good}), "more than 16")]
        for name, octets, why in rows:
            with self.subTest(name):
                self.refused(SERIAL, "permanent-identifier", lambda _: bytes(octets), why)
        # What is not even an answer leaves the challenge as it is.
        order, _, challenge = self.begin()
        for payload in ({}, {"attObj": 5}, {"attObj": ""}, {"attObj": "a+b="}, []):
            refused = self.client.post(challenge["url"], payload)
            self.assertEqual((refused.status, refused.type), (400, "malformed"), refused.body)
        key = new_key()
        self.assertEqual(self.answer(challenge, {**self.apple.attest(key, challenge["token"]), "authData": b"x", "epAtt": Raw(b"\xf5")}).json["status"], "valid")
        self.certificate(self.finalize(order, self.csr(key)))

    def test_names_of_devices_are_checked_and_offered_where_devices_attest_only(self):
        for value in ("", "/1.2.3", "A/", "A/x", "A/1.2/1.2", "A/1.40.1", "A/1.02", "A\n", "x" * 300):
            refused = self.order(value)
            self.assertEqual((refused.status, refused.type), (400, "malformed"), value)
        for value in ("ABCD", "ABCD/", ""):
            self.assertEqual(self.order(value, "hardware-module").type, "malformed")
        ahead = self.client.post(self.client.directory["newAuthz"], {"identifier": {"type": "permanent-identifier", "value": SERIAL}})
        self.assertEqual((ahead.status, ahead.type), (400, "malformed"), ahead.body)
        self.assertEqual(self.order("LOST-1").type, "rejectedIdentifier")
        self.assertEqual(self.order("XX/1.2.3", "hardware-module").type, "rejectedIdentifier")
        ordinary = self.new_client(path="/acme")
        for kind in ("permanent-identifier", "hardware-module"):
            refused = ordinary.post(ordinary.directory["newOrder"], {"identifiers": [{"type": kind, "value": "A/1.2.3"}]})
            self.assertEqual((refused.status, refused.type), (400, "unsupportedIdentifier"))
        # No other challenge proves a device, and this one proves nothing else.
        order = self.client.order("host.localhost")
        self.assertEqual([c["type"] for c in self.client.post(order.json["authorizations"][0]).json["challenges"]], ["http-01"])

    def test_roots_are_needed(self):
        self.node.config.with_name("x.toml").write_text(self.node.config.read_text().replace('attestation_roots = ["apple.pem", "tpm.pem"]\n', ""))
        config, self.node.config = self.node.config, self.node.config.with_name("x.toml")
        try:
            self.assertIn("device-attest-01 needs attestation_roots", self.node.error("check", status=2))
        finally:
            self.node.config = config


if __name__ == "__main__":
    main()
