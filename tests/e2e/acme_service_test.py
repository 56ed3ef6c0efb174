#!/usr/bin/python3
"""What an ACME service does beside issuing: keys that change, bound accounts, renewal, chains, revocation, limits."""
import json
import re
import time
import unittest
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs7

from acme_client import AccountKey, Client, Responder
from acme_test import csr_der
from harness import BASE, Node, b64, main, openssl

SECOND = """
[profile.short]
lifetime = "2d"
usages = ["server-auth"]
"""
CONFIG = BASE.replace('lifetime = "90d"', 'lifetime = "90d"\nvalidity = "request"').replace("[validator.lint]", SECOND + "\n[validator.lint]").replace('profiles = ["web"]', 'profiles = ["web", "short"]') + """
nonces = "shared"
star_min_lifetime = "1m"
caa_identities = ["ca.example.test"]
alternate_chains = ["alternate.pem"]

[protocol.bound]
plugin = "acme"
listener = "public"
path = "/bound"
pipeline = "web"
external_account = "required"
http_01_port = {challenge}

[protocol.terms]
plugin = "acme"
listener = "public"
path = "/terms"
pipeline = "web"
terms = "https://pki.example.test/terms/{terms}"
http_01_port = {challenge}
limits = ["orders-per-account 3/1h", "orders-per-name 2/1h", "accounts-per-address 50/1h"]


[protocol.few]
plugin = "acme"
listener = "public"
path = "/few"
pipeline = "web"
http_01_port = {challenge}
pending_authorizations = 3

[protocol.as-shipped]
plugin = "acme"
listener = "public"
path = "/as-shipped"
pipeline = "web"

[protocol.crl]
listener = "plain"
path = "/crl"
authorities = ["issuing"]

[protocol.ocsp]
listener = "plain"
path = "/ocsp"
authorities = ["issuing"]
"""


def certificates_of(pem):
    return [x509.load_pem_x509_certificate(part + b"-----END CERTIFICATE-----\n") for part in pem.split(b"-----END CERTIFICATE-----\n") if part]


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(CONFIG, terms=1)
        cls.node.state.mkdir(mode=0o700, exist_ok=True)
        key = cls.node.folder / "other.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        openssl("req", "-x509", "-key", key, "-subj", "/CN=Other Root", "-days", "10", "-out", cls.node.state / "alternate.pem")
        cls.node.init().start()
        cls.responder = Responder(cls.node.challenge)

    @classmethod
    def tearDownClass(cls):
        cls.responder.close()
        cls.node.close()

    def setUp(self):
        self.client = self.new_client()
        self.client.register()

    def new_client(self, kind="ES256", path="/acme"):
        client = Client(self.node, kind, path)
        self.addCleanup(client.close)
        return client

    def assertProblem(self, answer, status, type):
        self.assertEqual((answer.status, answer.type), (status, type), answer.body)

    def issue(self, client, *names, **more):
        key, csr = csr_der(self.node, list(names), names[0].replace("*", "star"))
        order = client.order(*names, **more)
        self.assertEqual(order.status, 201, order.body)
        ready = client.authorize(order, self.responder)
        done = client.post(ready.json["finalize"], {"csr": b64(csr)})
        self.assertEqual(done.json["status"], "valid", done.body)
        pem = client.post(done.json["certificate"]).body
        return key, done, x509.load_pem_x509_certificate(pem)

    @staticmethod
    def ari_name(certificate):
        aki = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        serial = certificate.serial_number
        return b64(aki) + "." + b64(serial.to_bytes(serial.bit_length() // 8 + 1, "big"))

    # RFC 8555 7.3.5
    def test_item_20_an_account_changes_its_key(self):
        order = self.client.order("kept.localhost")
        old, new = self.client.key, AccountKey("ES384")
        self.assertEqual(self.client.change_key(new).status, 200)
        self.assertEqual(self.client.post(self.client.kid).type, "badPublicKey", "the old key signs nothing any more")
        self.client.key = new
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "pending", "orders survive")
        self.assertEqual(self.client.post(self.client.kid).json["key"], new.jwk)
        # The old key is free for another account.
        other = self.new_client()
        other.key = old
        self.assertEqual(other.register().status, 201)
        taken = self.client.change_key(old)
        self.assertEqual((taken.status, taken.headers["Location"]), (409, other.kid))

    def test_key_change_refuses_every_other_inner_jws(self):
        new, stranger = AccountKey(), AccountKey()
        url = self.client.directory["keyChange"]
        cases = [
            ("inner nonce", dict(header={"nonce": "AAAA"}), "malformed"),
            ("inner url", dict(header={"url": url + "x"}), "malformed"),
            ("inner url missing", dict(header={"url": None}), "malformed"),
            ("inner jwk missing", dict(header={"jwk": None}), "malformed"),
            ("inner kid instead", dict(header={"jwk": None, "kid": self.client.kid}), "malformed"),
            ("inner jwk and kid", dict(header={"kid": self.client.kid}), "malformed"),
            ("inner alg none", dict(header={"alg": "none"}), "malformed"),
            ("inner alg of another key", dict(header={"alg": "RS256"}), "badPublicKey"),
            ("inner signed by another", dict(outer={"inner_key": stranger}), "malformed"),
            ("account of another", dict(payload={"account": self.client.kid + "x"}), "malformed"),
            ("account missing", dict(payload={"account": None}), "malformed"),
            ("oldKey of another", dict(payload={"oldKey": stranger.jwk}), "malformed"),
            ("oldKey missing", dict(payload={"oldKey": None}), "malformed"),
            ("oldKey no key", dict(payload={"oldKey": "x"}), "malformed"),
            ("no inner jws", dict(raw={}), "malformed"),
            ("inner jws of nothing", dict(raw={"protected": "", "payload": "", "signature": ""}), "malformed"),
        ]
        for name, options, type in cases:
            with self.subTest(name):
                self.assertProblem(self.client.change_key(new, **options), 400, type)
        self.assertEqual(self.client.post(self.client.kid).json["key"], self.client.key.jwk)
        outer = self.client.change_key(new, outer={"by_key": True})
        self.assertProblem(outer, 400, "malformed")
        # To its own key: taken, by itself.
        self.assertEqual(self.client.change_key(self.client.key).status, 409)

    # RFC 8555 7.3.4
    def test_item_19_accounts_are_bound_to_external_keys(self):
        bound = self.new_client(path="/bound")
        self.assertTrue(bound.directory["meta"]["externalAccountRequired"])
        self.assertProblem(bound.register(), 403, "externalAccountRequired")
        self.assertIn("--instance", self.node.error("acme", "eab", "create", "--owner", "nobody"))
        made = self.node.json("acme", "eab", "create", "--instance", "bound", "--owner", "team red", "--name", "red.localhost", "--profile", "web", "--quota", "2")
        kid, key = made["kid"], made["hmac"]
        stranger = AccountKey()
        wrong = [
            ("mac of another key", dict(mac_key=b64(b"x" * 32)), 401, "unauthorized"),
            ("unknown kid", dict(header={"kid": "nobody"}), 401, "unauthorized"),
            ("kid missing", dict(header={"kid": None}), 400, "malformed"),
            ("nonce", dict(header={"nonce": "AAAA"}), 400, "malformed"),
            ("url", dict(header={"url": "https://x.example.test/"}), 400, "malformed"),
            ("alg of a signature", dict(header={"alg": "ES256"}), 400, "badSignatureAlgorithm"),
            ("alg none", dict(header={"alg": "none"}), 400, "badSignatureAlgorithm"),
            ("jwk of another", dict(key=stranger), 400, "malformed"),
        ]
        for name, options, status, type in wrong:
            with self.subTest(name):
                self.assertProblem(bound.register(externalAccountBinding=bound.binding(kid, key, **options)), status, type)
        for value in ("x", {}, []):
            self.assertProblem(bound.register(externalAccountBinding=value), 400, "malformed")
        binding = bound.binding(kid, key)
        created = bound.register(externalAccountBinding=binding)
        self.assertEqual((created.status, created.json["externalAccountBinding"]), (201, binding), created.body)
        other = self.new_client(path="/bound")
        self.assertProblem(other.register(externalAccountBinding=other.binding(kid, key)), 401, "unauthorized")
        # Names, profiles and quota.
        self.assertProblem(bound.order("blue.localhost"), 403, "rejectedIdentifier")
        self.assertProblem(bound.order("x.red.localhost", profile="short"), 403, "invalidProfile")
        self.assertEqual(bound.order("x.red.localhost").status, 201)
        self.assertEqual(bound.order("red.localhost").status, 201)
        self.assertProblem(bound.order("red.localhost"), 429, "rateLimited")
        row = next(r for r in self.node.items("acme", "eab", "list") if r["kid"] == kid)
        self.assertEqual((row["owner"], row["state"], row["orders_left"]), ("team red", "used", 0))
        self.assertNotIn(key, self.node.out("acme", "eab", "list"))
        self.assertIn("team red", self.node.out("acme", "accounts"))
        accounts = {row["account"]: row for row in self.node.items("acme", "accounts")}
        name = lambda client: client.kid.rsplit("/", 1)[1]
        self.assertIn("expires", accounts[name(self.client)], "it has had no certificate")
        self.assertNotIn("expires", accounts[name(bound)], "the operator knows it")
        second = self.node.json("acme", "eab", "create", "--instance", "bound", "--owner", "two")
        self.node.out("acme", "eab", "revoke", second["kid"])
        late = self.new_client(path="/bound")
        self.assertProblem(late.register(externalAccountBinding=late.binding(second["kid"], second["hmac"])), 401, "unauthorized")
        self.assertIn("no external key", self.node.error("acme", "eab", "revoke", "nothing"))

    # RFC 8555 7.4.2, 9.1
    def test_item_30_certificates_come_in_three_forms(self):
        _, done, leaf = self.issue(self.client, "forms.localhost")
        url = done.json["certificate"]
        get = lambda accept, target=url: self.client.request("POST", self.client.path(target), self.client.jws(target, None),
                                                             {"Content-Type": "application/jose+json", "Accept": accept})
        pem = get("*/*")
        self.assertEqual(pem.headers["Content-Type"], "application/pem-certificate-chain")
        self.assertEqual(len(certificates_of(pem.body)), 2)
        self.assertRegex(pem.body.decode(), r"\A(-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n){2}\Z")
        for accept in ("application/pkix-cert; q=0.1, application/pem-certificate-chain", "application/pkix-cert ;\tq=0.5 , application/pem-certificate-chain;q=0.9"):
            self.assertEqual(get(accept).headers["Content-Type"], "application/pem-certificate-chain", accept)
        der = get("application/pkix-cert")
        self.assertEqual((der.headers["Content-Type"], der.body), ("application/pkix-cert", leaf.public_bytes(serialization.Encoding.DER)))
        links = re.findall(r'<([^>]+)>;rel="up"', ", ".join(der.headers.get_all("Link")))
        self.assertEqual(len(links), 1)
        issuer = x509.load_der_x509_certificate(get("application/pkix-cert", links[0]).body)
        self.assertEqual(issuer.subject, leaf.issuer)
        p7 = get("application/pkcs7-mime")
        self.assertEqual(p7.headers["Content-Type"], "application/pkcs7-mime; smime-type=certs-only")
        self.assertEqual({c.serial_number for c in pkcs7.load_der_pkcs7_certificates(p7.body)}, {leaf.serial_number, issuer.serial_number})
        path = self.node.folder / "forms.p7"
        path.write_bytes(p7.body)
        self.assertIn("subject=CN = forms.localhost", openssl("pkcs7", "-inform", "DER", "-in", path, "-print_certs", "-noout"))
        self.assertEqual(get("application/pkix-cert;q=0.1, application/pkcs7-mime;q=0.9").headers["Content-Type"], "application/pkcs7-mime; smime-type=certs-only")
        alternates = re.findall(r'<([^>]+)>;rel="alternate"', ", ".join(pem.headers.get_all("Link")))
        self.assertEqual(alternates, [url + "/alternate/1"])
        other = certificates_of(get("*/*", alternates[0]).body)
        self.assertEqual([other[0], other[1].subject.rfc4514_string()], [leaf, "CN=Other Root"])
        for wrong in ("/alternate/2", "/alternate/0", "/alternate/x", "/up/up/up", "/x"):
            self.assertProblem(get("*/*", url + wrong), 404, "malformed")

    # RFC 9773
    def test_items_39_to_42_renewal_information(self):
        _, _, leaf = self.issue(self.client, "renewed.localhost")
        name = self.ari_name(leaf)
        base = self.client.path(self.client.directory["renewalInfo"])
        answer = self.client.request("GET", f"{base}/{name}")
        self.assertEqual(answer.status, 200, answer.body)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        window = answer.json["suggestedWindow"]
        for text in window.values():
            self.assertRegex(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertLess(window["start"], window["end"])
        now = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.assertGreater(window["start"], now())
        # RFC 9773 A: the form of the identifier, of a certificate that is not ours; and forms that are none.
        self.assertProblem(self.client.request("GET", f"{base}/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"), 404, "malformed")
        aki, serial = name.split(".")
        for wrong in (aki, aki + ".", "." + serial, name + "=", name + ".x", aki + "." + serial + "AA", "a+b." + serial, "x" * 300):
            self.assertEqual(self.client.request("GET", f"{base}/{wrong}").status // 100, 4, wrong)
        self.assertProblem(self.client.request("POST", f"{base}/{name}", "{}", {"Content-Type": "application/jose+json"}), 405, "malformed")
        # An early renewal of another profile changes nothing, of this one everything, spread over the day.
        self.node.out("acme", "renew-early", "--profile", "short")
        self.assertEqual(self.client.request("GET", f"{base}/{name}").json["suggestedWindow"], window)
        self.node.out("acme", "renew-early", "--profile", "web", "--within", "6h")
        early = self.client.request("GET", f"{base}/{name}").json["suggestedWindow"]
        self.assertLess(early["start"], window["start"])
        self.assertGreater(early["end"], now(), "not all in the same minute")
        self.client.post(self.client.directory["revokeCert"], {"certificate": b64(leaf.public_bytes(serialization.Encoding.DER))})
        revoked = self.client.request("GET", f"{base}/{name}").json["suggestedWindow"]
        self.assertLess(revoked["end"], now(), "in the past, at once")

    def test_items_43_and_44_one_order_replaces_a_certificate(self):
        _, _, leaf = self.issue(self.client, "replaced.localhost", "also.localhost")
        name = self.ari_name(leaf)
        stranger = self.new_client()
        stranger.register()
        self.assertProblem(stranger.order("replaced.localhost", replaces=name), 403, "unauthorized")
        self.assertProblem(self.client.order("unrelated.localhost", replaces=name), 400, "malformed")
        for wrong in ("x", 1, "AAAA.BBBB", name + "x"):
            self.assertProblem(self.client.order("replaced.localhost", replaces=wrong), 400, "malformed")
        first = self.client.order("also.localhost", replaces=name)
        self.assertEqual((first.status, first.json["replaces"]), (201, name))
        self.assertEqual(self.client.post(first.headers["Location"]).json["replaces"], name)
        self.assertProblem(self.client.order("replaced.localhost", replaces=name), 409, "alreadyReplaced")
        # An order that came to nothing frees it.
        for url in first.json["authorizations"]:
            self.client.post(url, {"status": "deactivated"})
        self.assertEqual(self.client.post(first.headers["Location"]).json["status"], "invalid")
        self.assertEqual(self.client.order("replaced.localhost", replaces=name).status, 201)

    # draft-ietf-acme-profiles
    def test_profiles_are_offered_and_chosen(self):
        self.assertEqual(set(self.client.directory["meta"]["profiles"]), {"web", "short"})
        self.assertEqual(self.client.directory["meta"]["caaIdentities"], ["ca.example.test"])
        _, done, leaf = self.issue(self.client, "short.localhost", profile="short")
        self.assertEqual(done.json["profile"], "short")
        self.assertLessEqual((leaf.not_valid_after - leaf.not_valid_before).days, 2)
        for wrong in ("none", 1):
            self.assertProblem(self.client.order("short.localhost", profile=wrong), 400, "invalidProfile")

    # RFC 8555 7.4
    def test_item_24_the_wished_validity_is_honoured_or_refused(self):
        day = lambda n: time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + n * 86400))
        _, done, leaf = self.issue(self.client, "wished.localhost", notBefore=day(1), notAfter=day(10))
        self.assertEqual((done.json["notBefore"], done.json["notAfter"]), (day(1), day(10)))
        self.assertEqual((leaf.not_valid_before.strftime("%Y-%m-%dT00:00:00Z"), leaf.not_valid_after.strftime("%Y-%m-%dT00:00:00Z")), (day(1), day(10)))
        for wish in (dict(notAfter=day(400)), dict(notAfter=day(-1)), dict(notBefore=day(5), notAfter=day(4)), dict(notBefore=day(1000)), dict(notBefore="tomorrow"), dict(notAfter=5), dict(notBefore=day(-1)),
                     dict(profile="short", notAfter=day(1))):
            self.assertProblem(self.client.order("wished.localhost", **wish), 400, "malformed")

    # RFC 8555 7.6
    def test_item_36_three_may_revoke(self):
        der = lambda leaf: b64(leaf.public_bytes(serialization.Encoding.DER))
        revoke = self.client.directory["revokeCert"]
        _, _, leaf = self.issue(self.client, "one.localhost", "two.localhost")
        other = self.new_client()
        other.register()
        self.assertProblem(other.post(revoke, {"certificate": der(leaf)}), 403, "unauthorized")
        other.authorize(other.order("one.localhost"), self.responder)
        self.assertProblem(other.post(revoke, {"certificate": der(leaf)}), 403, "unauthorized")
        order = other.order("two.localhost")
        other.authorize(order, self.responder)
        self.assertEqual(other.post(revoke, {"certificate": der(leaf), "reason": 4}).status, 200)
        self.assertProblem(self.client.post(revoke, {"certificate": der(leaf)}), 400, "alreadyRevoked")
        # Given up authorizations are worth nothing.
        _, _, second = self.issue(self.client, "two.localhost")
        other.post(order.json["authorizations"][0], {"status": "deactivated"})
        self.assertProblem(other.post(revoke, {"certificate": der(second)}), 403, "unauthorized")
        for reason in (2, 6, 7, 8, 9, 10, 11, -1, "1", 1.5):
            self.assertProblem(self.client.post(revoke, {"certificate": der(second), "reason": reason}), 400, "badRevocationReason")
        self.assertEqual(self.client.post(revoke, {"certificate": der(second)}).status, 200)

    # RFC 8555 7.6: "If this field is not set, the server SHOULD omit the reasonCode CRL entry extension when generating OCSP responses and CRLs"
    def test_item_37_without_a_reason_there_is_none_in_crl_and_ocsp(self):
        authority, issuing = self.node.root_file(), self.node.folder / "issuing.pem"
        issuing.write_text(self.node.out("show", "--authority", "issuing", "--pem"))
        for reason, expected in ((None, []), (0, []), (4, ["superseded"])):
            _, _, leaf = self.issue(self.client, "reason.localhost")
            payload = {"certificate": b64(leaf.public_bytes(serialization.Encoding.DER)), **({} if reason is None else {"reason": reason})}
            self.assertEqual(self.client.post(self.client.directory["revokeCert"], payload).status, 200)
            self.node.out("crl", "generate")
            path = self.node.folder / "reason.crl"
            with urllib.request.urlopen(f"http://127.0.0.1:{self.node.http}/crl/issuing.crl", timeout=10) as answer:
                path.write_bytes(answer.read())
            entry = x509.load_der_x509_crl(path.read_bytes()).get_revoked_certificate_by_serial_number(leaf.serial_number)
            reasons = [extension.value.reason.value for extension in entry.extensions if extension.oid == x509.CRLEntryExtensionOID.CRL_REASON]
            self.assertEqual(reasons, expected)
            certificate = self.node.folder / "reason.pem"
            certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
            told = openssl("ocsp", "-issuer", issuing, "-cert", certificate, "-url", f"http://127.0.0.1:{self.node.http}/ocsp", "-CAfile", authority)
            self.assertIn(": revoked", told)
            self.assertEqual(re.findall(r"Reason: (\S+)", told), expected)

    # RFC 8555 11.1
    def test_item_29_the_key_of_a_certificate_is_no_accounts_key(self):
        other = self.new_client()
        other.register()
        for owner in (self.client, other):
            key = self.node.folder / "account.key"
            key.write_bytes(owner.key.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
            path = self.node.folder / "account.der"
            openssl("req", "-new", "-key", key, "-subj", "/", "-addext", "subjectAltName=DNS:own.localhost", "-outform", "DER", "-out", path)
            ready = self.client.authorize(self.client.order("own.localhost"), self.responder)
            self.assertProblem(self.client.post(ready.json["finalize"], {"csr": b64(path.read_bytes())}), 400, "badCSR")
            self.assertEqual(self.client.post(ready.headers["Location"]).json["status"], "ready")

    # RFC 8555 7.3, 7.3.3
    def test_item_18_terms_are_agreed_to_and_again_when_they_change(self):
        client = self.new_client(path="/terms")
        refused = client.post(client.directory["newAccount"], {}, by_key=True)
        self.assertProblem(refused, 403, "userActionRequired")
        self.assertEqual(refused.json["instance"], "https://pki.example.test/terms/1")
        self.assertIn('<https://pki.example.test/terms/1>;rel="terms-of-service"', refused.headers.get_all("Link"))
        self.assertEqual(client.register().json["termsOfServiceAgreed"], True)
        self.assertEqual(client.order("terms.localhost").status, 201)
        self.node.stop()
        self.node.write_config(CONFIG, terms=2)
        self.node.start()
        for each in (client, self.client):
            each.connection.close()
            each.nonce = None
        self.assertProblem(client.order("terms.localhost"), 403, "userActionRequired")
        self.assertEqual(client.post(client.kid, {"termsOfServiceAgreed": True}).status, 200)
        self.assertEqual(client.order("terms2.localhost").status, 201)

    # RFC 8555 6.6
    def test_item_14_a_limit_has_a_name_and_an_end(self):
        client = self.new_client(path="/terms")
        client.register()
        self.assertEqual(client.order("often.localhost").status, 201)
        self.assertEqual(client.order("often.localhost").status, 201)
        limited = client.order("often.localhost")
        self.assertProblem(limited, 429, "rateLimited")
        self.assertIn("orders-per-name 2/1h", limited.json["detail"])
        self.assertGreater(int(limited.headers["Retry-After"]), 60)
        limited = client.order("other.localhost")
        self.assertIn("orders-per-account 3/1h", limited.json["detail"])

    def test_what_is_pending_is_used_again_and_has_a_limit(self):
        client = self.new_client(path="/few")
        client.register()
        first = client.order("one.localhost", "two.localhost")
        again = client.order("two.localhost", "one.localhost")
        self.assertEqual(sorted(first.json["authorizations"]), sorted(again.json["authorizations"]))
        limited = client.order("three.localhost", "four.localhost")
        self.assertProblem(limited, 429, "rateLimited")
        self.assertIn("at most 3 pending", limited.json["detail"])
        self.assertGreater(int(limited.headers["Retry-After"]), 60)
        self.node.kill()
        self.node.start()
        client.connection.close()
        client.nonce = None
        self.assertProblem(client.order("three.localhost", "four.localhost"), 429, "rateLimited")
        self.assertEqual(client.authorize(first, self.responder).json["status"], "ready")
        self.assertEqual(client.post(again.headers["Location"]).json["status"], "ready")
        self.assertEqual(client.order("three.localhost", "four.localhost").status, 201)

    def test_item_14_limits_are_on_without_being_asked_for(self):
        client = self.new_client(path="/as-shipped")
        made = [client.register().status]
        while made[-1] == 201 and len(made) < 60:
            made.append(self.new_client(path="/as-shipped").register().status)
        self.assertEqual((made.count(201), made[-1]), (50, 429))

    def test_item_11_a_nonce_outlives_the_process_that_made_it_and_is_good_once(self):
        nonce = self.client.fresh_nonce()
        spent = self.client.post(self.client.kid).headers["Replay-Nonce"]
        self.assertEqual(self.client.post(self.client.kid, header={"nonce": spent}).status, 200)
        self.node.kill()
        self.node.start()
        self.client.connection.close()
        self.assertEqual(self.client.post(self.client.kid, header={"nonce": nonce}).status, 200)
        for used in (nonce, spent):
            again = self.client.post(self.client.kid, header={"nonce": used})
            self.assertProblem(again, 400, "badNonce")
            self.assertTrue(again.headers["Replay-Nonce"])

    # RFC 8555 7.1.2.1
    def test_item_23_orders_are_listed_in_pages(self):
        client = self.new_client()
        client.register()
        made = {client.order(f"n{i % 7}.localhost").headers["Location"] for i in range(130)}
        dead = made.pop()
        for url in client.post(dead).json["authorizations"]:
            client.post(url, {"status": "deactivated"})
        seen, url, pages = [], client.kid + "/orders", 0
        while url:
            answer = client.post(url)
            seen += answer.json["orders"]
            pages += 1
            url = next((m.group(1) for link in answer.headers.get_all("Link") if (m := re.match(r'<(.+)>;rel="next"', link))), None)
        self.assertEqual((len(seen), set(seen) >= made, pages), (len(set(seen)), True, 2))
        self.assertLessEqual(set(seen), made | {dead})

    # RFC 8739
    def test_certificates_that_renew_themselves(self):
        self.assertEqual(self.client.directory["meta"]["auto-renewal"]["min-lifetime"], 60)
        later = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))
        for wrong in ({}, {"end-date": later(3600)}, {"end-date": later(3600), "lifetime": 5}, {"end-date": later(-5), "lifetime": 60}, {"end-date": later(3600), "lifetime": 60, "lifetime-adjust": 60},
                      {"end-date": "x", "lifetime": 60}, {"end-date": later(400 * 86400), "lifetime": 60}, {"end-date": later(3600), "lifetime": "60"}):
            self.assertProblem(self.client.order("star.localhost", **{"auto-renewal": wrong}), 400, "malformed")
        self.assertProblem(self.client.order("star.localhost", notAfter=later(3600), **{"auto-renewal": {"end-date": later(3600), "lifetime": 60}}), 400, "malformed")
        order = self.client.order("star.localhost", **{"auto-renewal": {"end-date": later(3600), "lifetime": 60, "allow-certificate-get": True}})
        self.assertEqual(order.status, 201, order.body)
        ready = self.client.authorize(order, self.responder)
        _, csr = csr_der(self.node, ["star.localhost"], "star")
        done = self.client.post(ready.json["finalize"], {"csr": b64(csr)})
        self.assertEqual(done.json["status"], "valid", done.body)
        self.assertNotIn("certificate", done.json)
        path = self.client.path(done.json["star-certificate"])
        first = self.client.request("GET", path)
        self.assertEqual(first.status, 200, first.body)
        self.assertIn("GMT", first.headers["Cert-Not-After"])
        leaf = x509.load_pem_x509_certificate(first.body)
        self.assertLessEqual((leaf.not_valid_after - leaf.not_valid_before).total_seconds(), 61)
        deadline = time.monotonic() + 60
        while (now := self.client.request("GET", path)).body == first.body and time.monotonic() < deadline:
            time.sleep(1)
        renewed = x509.load_pem_x509_certificate(now.body)
        self.assertNotEqual(renewed.serial_number, leaf.serial_number)
        self.assertEqual(renewed.public_key().public_numbers(), leaf.public_key().public_numbers())
        revoke = self.client.post(self.client.directory["revokeCert"], {"certificate": b64(renewed.public_bytes(serialization.Encoding.DER))})
        self.assertProblem(revoke, 403, "autoRenewalRevocationNotSupported")
        self.assertProblem(self.client.post(order.headers["Location"], {"status": "x"}), 400, "malformed")
        canceled = self.client.post(order.headers["Location"], {"status": "canceled"})
        self.assertEqual(canceled.json["status"], "canceled")
        self.assertProblem(self.client.request("GET", path), 403, "autoRenewalCanceled")
        self.assertProblem(self.client.post(order.headers["Location"], {"status": "canceled"}), 400, "autoRenewalCancellationInvalid")


if __name__ == "__main__":
    main()
