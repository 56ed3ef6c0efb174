#!/usr/bin/python3
"""ACME's main road with a client that does everything right, and then everything wrong (RFC 8555)."""
import base64
import http.client
import json
import socket
import threading
import time
import unittest

from acme_client import AccountKey, Client, Responder
from harness import BASE, STORAGE, Node, b64, main, make_csr, openssl
from validity import until


def csr_der(node, names, name="csr", key_type="ec"):
    key, csr = make_csr(node.folder, names, key_type, name)
    der = node.folder / f"{name}.der"
    openssl("req", "-in", csr, "-outform", "DER", "-out", der)
    return key, der.read_bytes()


class Acme(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = Node(BASE.replace("[validator.lint]", '[validator.lint]\n\n[policy.names]\nexclude = [".forbidden.localhost"]').replace('validate = ["lint"]', 'validate = ["lint"]\npolicy = ["names"]')).init().start()
        cls.responder = Responder(cls.node.challenge)

    @classmethod
    def tearDownClass(cls):
        cls.responder.close()
        cls.node.close()

    def setUp(self):
        self.client = Client(self.node)
        self.addCleanup(self.client.close)

    def assertProblem(self, answer, status, type):
        self.assertEqual((answer.status, answer.type), (status, type), answer.body)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(answer.json["status"], status)

    # RFC 8555 7.1.1, 7.2
    def test_items_1_2_and_3_directory_and_nonces(self):
        directory = self.client.directory
        for member in ("newNonce", "newAccount", "newOrder", "revokeCert"):
            self.assertTrue(directory[member].startswith(f"https://localhost:{self.node.https}/acme/"), member)
        for method, status in (("HEAD", 200), ("GET", 204)):
            answer = self.client.request(method, "/acme/new-nonce")
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertRegex(answer.headers["Replay-Nonce"], r"^[A-Za-z0-9_-]{22,}$")
            self.assertIn('rel="index"', answer.headers["Link"])
        self.assertNotIn("Link", self.client.request("GET", "/acme/directory").headers)

    def test_items_8_15_and_16_every_signature_algorithm_opens_an_account_that_stays_as_it_was(self):
        for kind in ("ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"):
            client = Client(self.node, kind)
            created = client.register(contact=["mailto:op@example.test"])
            self.assertEqual(created.status, 201, created.body)
            self.assertEqual(created.json["status"], "valid")
            again = client.register(contact=["mailto:other@example.test"])
            self.assertEqual(again.status, 200)
            self.assertEqual(again.json["contact"], ["mailto:op@example.test"], "the account as it was")
            self.assertEqual(again.headers["Location"], created.headers["Location"])
            client.close()

    def test_a_whole_order(self):
        self.client.register()
        key, csr = csr_der(self.node, ["a.localhost", "b.localhost"])
        order, done = self.client.certificate("a.localhost", "B.localhost", responder=self.responder, csr=csr)
        self.assertEqual(order.status, 201)
        self.assertEqual([i["value"] for i in order.json["identifiers"]], ["a.localhost", "b.localhost"])
        self.assertEqual(done.json["status"], "valid", done.body)
        answer = self.client.post(done.json["certificate"])
        self.assertEqual(answer.headers["Content-Type"], "application/pem-certificate-chain")
        chain = self.node.folder / "chain.pem"
        chain.write_bytes(answer.body)
        openssl("verify", "-x509_strict", "-CAfile", self.node.root_file(), "-untrusted", chain, chain)
        self.assertEqual(answer.body.count(b"BEGIN CERTIFICATE"), 2, "leaf and issuer, no root")
        self.assertIn(("a.localhost:%d" % self.node.challenge), [host for host, _ in self.responder.asked])
        # The order stays as it is; a second finalize is refused.
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "valid")
        self.assertProblem(self.client.post(done.json["finalize"], {"csr": b64(csr)}), 403, "orderNotReady")
        listed = self.client.post(self.client.kid + "/orders").json["orders"]
        self.assertIn(order.headers["Location"], listed)

    def test_an_address_identifier(self):
        self.client.register()
        _, csr = csr_der(self.node, ["127.0.0.1"], "ip")
        _, done = self.client.certificate("127.0.0.1", responder=self.responder, csr=csr)
        self.assertEqual(done.json["status"], "valid", done.body)
        # RFC 8738 5: "the Host header field MUST be set to the IP address being used"
        self.assertIn(f"127.0.0.1:{self.node.challenge}", [host for host, _ in self.responder.asked])

    def test_items_31_and_32_a_challenge_that_fails_ends_the_order(self):
        self.client.register()
        order = self.client.order("wrong.localhost")
        authorization = self.client.post(order.json["authorizations"][0])
        challenge = authorization.json["challenges"][0]
        self.responder.answers[challenge["token"]] = "something else"
        answer = self.client.post(challenge["url"], {})
        self.assertEqual(answer.status, 200)
        self.assertIn('rel="up"', answer.headers["Link"])
        failed = self.client.wait(challenge["url"], "invalid")
        self.assertEqual(failed.json["error"]["type"], "urn:ietf:params:acme:error:incorrectResponse")
        self.assertIn("instead of", failed.json["error"]["detail"])
        self.assertEqual(self.client.post(order.json["authorizations"][0]).json["status"], "invalid")
        dead = self.client.post(order.headers["Location"])
        self.assertEqual(dead.json["status"], "invalid")
        self.assertProblem(self.client.post(order.json["finalize"], {"csr": "AA"}), 403, "orderNotReady")

    def test_a_redirect_is_followed_but_not_to_forbidden_places(self):
        self.client.register()
        for name, target, state in (("ok", "http://other.localhost:%d/.well-known/elsewhere/" % self.node.challenge, "valid"), ("port", "http://127.0.0.1:22/", "invalid"), ("scheme", "ftp://x/", "invalid")):
            order = self.client.order(f"{name}.localhost")
            challenge = self.client.post(order.json["authorizations"][0]).json["challenges"][0]
            token = challenge["token"]
            self.responder.answers["moved-" + token] = f"{token}.{self.client.key.thumbprint()}"
            self.responder.redirects[token] = target + "moved-" + token
            self.client.post(challenge["url"], {})
            self.assertEqual(self.client.wait(challenge["url"], "valid", "invalid").json["status"], state, name)

    def test_items_27_and_28_finalize_wants_exactly_the_names_of_the_order_and_stays_ready_otherwise(self):
        self.client.register()
        order = self.client.order("x.localhost", "y.localhost")
        ready = self.client.authorize(order, self.responder)
        self.assertEqual(ready.json["status"], "ready")
        for names, why in ((["x.localhost"], "one missing"), (["x.localhost", "y.localhost", "z.localhost"], "one too many"), (["x.localhost", "z.localhost"], "another")):
            _, csr = csr_der(self.node, names, "bad")
            self.assertProblem(self.client.post(ready.json["finalize"], {"csr": b64(csr)}), 400, "badCSR")
            self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "ready", why)
        _, csr = csr_der(self.node, ["x.localhost", "y.localhost"], "flipped")
        flipped = csr[:-1] + bytes([csr[-1] ^ 1])
        for bad in (flipped, csr[:-5], b"", b"\x30\x00"):
            self.assertProblem(self.client.post(ready.json["finalize"], {"csr": b64(bad)}), 400, "badCSR")
        self.assertProblem(self.client.post(ready.json["finalize"], {"csr": base64.b64encode(csr).decode() + "=="}), 400, "badCSR")
        self.assertEqual(self.client.post(ready.json["finalize"], {"csr": b64(csr)}).json["status"], "valid")

    def test_revocation_by_the_account_and_by_the_certificate_key_and_by_nobody_else(self):
        from cryptography.hazmat.primitives import serialization
        self.client.register()
        for who in ("account", "key"):
            key, csr = csr_der(self.node, ["rev.localhost"], who)
            _, done = self.client.certificate("rev.localhost", responder=self.responder, csr=csr)
            pem = self.client.post(done.json["certificate"]).body
            der = base64.b64decode(b"".join(pem.split(b"-----")[2].split()))
            payload = {"certificate": b64(der), "reason": 4}
            url = self.client.directory["revokeCert"]
            stranger = Client(self.node)
            stranger.register()
            self.assertProblem(stranger.post(url, payload), 403, "unauthorized")
            self.assertProblem(self.client.post(url, payload, key=AccountKey(), by_key=True), 403, "unauthorized")
            self.assertProblem(self.client.post(url, {**payload, "reason": 7}), 400, "badRevocationReason")
            self.assertProblem(self.client.post(url, {**payload, "reason": "superseded"}), 400, "badRevocationReason")
            self.assertProblem(self.client.post(url, {"certificate": b64(der[:-1] + bytes([der[-1] ^ 1]))}), 404, "malformed")
            if who == "account":
                self.assertEqual(self.client.post(url, payload).status, 200)
            else:
                owner = AccountKey()
                owner.key = serialization.load_pem_private_key(key.read_bytes(), None)
                numbers = owner.key.public_key().public_numbers()
                owner.jwk = {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
                self.assertEqual(self.client.post(url, payload, key=owner, by_key=True).status, 200)
            self.assertProblem(self.client.post(url, payload), 400, "alreadyRevoked")
            stranger.close()

    def test_items_21_and_22_accounts_are_updated_and_deactivated(self):
        self.client.register(contact=["mailto:a@example.test"])
        updated = self.client.post(self.client.kid, {"contact": ["mailto:b@example.test"], "status": "valid", "orders": "x"})
        self.assertEqual(updated.json["contact"], ["mailto:b@example.test"])
        self.assertNotEqual(updated.json["orders"], "x")
        self.assertProblem(self.client.post(self.client.kid, {"status": "revoked"}), 400, "malformed")
        order = self.client.order("late.localhost")
        self.assertEqual(self.client.post(self.client.kid, {"status": "deactivated"}).json["status"], "deactivated")
        for answer in (self.client.post(self.client.kid), self.client.order("x.localhost"), self.client.post(order.headers["Location"]), self.client.register()):
            self.assertProblem(answer, 401, "unauthorized")

    def test_item_17_account_creation_refuses_what_it_should(self):
        url = self.client.directory["newAccount"]
        self.assertProblem(self.client.post(url, {"onlyReturnExisting": True}, by_key=True), 400, "accountDoesNotExist")
        for contact, type in ((["tel:+4912345"], "unsupportedContact"), (["mailto:"], "invalidContact"), (["mailto:a@b@c"], "invalidContact"), (["mailto:a@example.test,b@example.test"], "invalidContact"),
                              (["mailto:a@example.test?subject=x"], "invalidContact"), ("mailto:a@example.test", "malformed"), ([7], "malformed"), (["mailto:a@example.test"] * 11, "malformed")):
            self.assertProblem(self.client.post(url, {"contact": contact}, by_key=True), 400, type)
        weak = AccountKey("RS256")
        from cryptography.hazmat.primitives.asymmetric import rsa
        weak.key = rsa.generate_private_key(65537, 1024)
        numbers = weak.key.public_key().public_numbers()
        weak.jwk = {"kty": "RSA", "n": b64(numbers.n.to_bytes(128, "big")), "e": "AQAB"}
        self.assertProblem(self.client.post(url, {}, key=weak, by_key=True), 400, "badPublicKey")

    def test_items_13_25_and_48_orders_refuse_what_they_should(self):
        self.client.register()
        url = self.client.directory["newOrder"]
        cases = [
            ({}, 400, "malformed"), ({"identifiers": []}, 400, "malformed"), ({"identifiers": "x"}, 400, "malformed"),
            ({"identifiers": [{"type": "dns"}]}, 400, "malformed"), ({"identifiers": [{"type": "email", "value": "a@b"}]}, 400, "unsupportedIdentifier"),
            ({"identifiers": [{"type": "dns", "value": "a_b.localhost"}]}, 400, "malformed"), ({"identifiers": [{"type": "dns", "value": "127.0.0.1"}]}, 400, "malformed"),
            ({"identifiers": [{"type": "dns", "value": "a..localhost"}]}, 400, "malformed"), ({"identifiers": [{"type": "dns", "value": "a.*.localhost"}]}, 400, "malformed"),
            ({"identifiers": [{"type": "ip", "value": "127.0.0.256"}]}, 400, "malformed"), ({"identifiers": [{"type": "dns", "value": "*.a.localhost"}]}, 403, "rejectedIdentifier"),
            ({"identifiers": [{"type": "dns", "value": "a.forbidden.localhost"}]}, 403, "rejectedIdentifier"),
            ({"identifiers": [{"type": "dns", "value": "a.localhost"}] * 101}, 400, "malformed"),
            ({"identifiers": [{"type": "dns", "value": "a.localhost"}], "notAfter": "tomorrow"}, 400, "malformed"),
        ]
        for payload, status, type in cases:
            self.assertProblem(self.client.post(url, payload), status, type)
        both = self.client.post(url, {"identifiers": [{"type": "dns", "value": v} for v in ("a.forbidden.localhost", "good.localhost", "b.forbidden.localhost")]})
        self.assertProblem(both, 403, "rejectedIdentifier")
        self.assertEqual([s["identifier"]["value"] for s in both.json["subproblems"]], ["a.forbidden.localhost", "b.forbidden.localhost"])

    # RFC 8555 6.2 to 6.5, each with its own fault; nothing of it reaches the ledger.
    def test_items_6_7_9_and_10_requests_that_are_not_signed_as_they_should_be(self):
        self.client.register()
        url = self.client.directory["newOrder"]
        payload = {"identifiers": [{"type": "dns", "value": "a.localhost"}]}
        stranger = AccountKey()
        encoded = lambda value: b64(json.dumps(value).encode())
        cases = [
            ("content type missing", dict(content_type=None), 415, "malformed"),
            ("content type of JSON", dict(content_type="application/json"), 415, "malformed"),
            ("alg none", dict(header={"alg": "none"}), 400, "badSignatureAlgorithm"),
            ("alg of a mac", dict(header={"alg": "HS256"}), 400, "badSignatureAlgorithm"),
            ("alg unknown", dict(header={"alg": "RS512"}), 400, "badSignatureAlgorithm"),
            ("alg of another key", dict(header={"alg": "RS256"}), 400, "badPublicKey"),
            ("alg missing", dict(header={"alg": None}), 400, "malformed"),
            ("jwk and kid", dict(header={"jwk": stranger.jwk}), 400, "malformed"),
            ("neither jwk nor kid", dict(header={"kid": None}), 400, "malformed"),
            ("jwk where kid belongs", dict(by_key=True), 400, "malformed"),
            ("kid of nobody", dict(header={"kid": self.client.kid + "x"}), 400, "accountDoesNotExist"),
            ("kid of another server", dict(header={"kid": "https://example.test/acme/account/1"}), 400, "accountDoesNotExist"),
            ("signed by another key", dict(key=stranger), 400, "malformed"),
            ("url of another resource", dict(header={"url": self.client.directory["newAccount"]}), 401, "unauthorized"),
            ("url of another host", dict(header={"url": url.replace("localhost", "127.0.0.1")}), 401, "unauthorized"),
            ("url missing", dict(header={"url": None}), 401, "unauthorized"),
            ("nonce missing", dict(header={"nonce": None}), 400, "badNonce"),
            ("nonce unknown", dict(header={"nonce": b64(bytes(21))}), 400, "badNonce"),
            ("nonce not base64url", dict(header={"nonce": "a+b="}), 400, "malformed"),
            ("crit", dict(header={"crit": ["x"], "x": 1}), 400, "malformed"),
            ("b64 false", dict(header={"b64": False}), 400, "malformed"),
            ("unprotected header", {"header_": 1}, 400, "malformed"),
            ("signature missing", dict(signature=None), 400, "malformed"),
            ("signature empty", dict(signature=""), 400, "malformed"),
            ("signature padded", dict(signature="AA=="), 400, "malformed"),
            ("payload changed", dict(payload_=1), 400, "malformed"),
            ("protected no JSON", dict(protected=b64(b"{")), 400, "malformed"),
            ("protected an array", dict(protected=encoded([])), 400, "malformed"),
        ]
        before = len(self.node.items("list"))
        for name, options, status, type in cases:
            with self.subTest(name):
                if "header_" in options:
                    body = json.loads(self.client.jws(url, payload))
                    answer = self.client.request("POST", self.client.path(url), json.dumps({**body, "header": {}}), {"Content-Type": "application/jose+json"})
                elif "payload_" in options:
                    body = json.loads(self.client.jws(url, payload))
                    answer = self.client.request("POST", self.client.path(url), json.dumps({**body, "payload": encoded({})}), {"Content-Type": "application/jose+json"})
                else:
                    answer = self.client.post(url, payload, **options)
                self.assertProblem(answer, status, type)
                self.assertIsNotNone(answer.headers["Replay-Nonce"], "a fresh nonce even now")
                if type == "badSignatureAlgorithm":
                    self.assertIn("ES256", answer.json["algorithms"])
        for body in ("", "{}", "[]", "nonsense", json.dumps({"payload": "", "signatures": []}), '{"protected":"e30","protected":"e30","payload":"","signature":""}'):
            answer = self.client.request("POST", self.client.path(url), body, {"Content-Type": "application/jose+json"})
            self.assertProblem(answer, 400, "malformed")
        self.assertEqual(len(self.node.items("list")), before)

    def test_item_12_a_nonce_is_good_once_and_every_answer_has_another(self):
        self.client.register()
        nonce = self.client.fresh_nonce()
        first = self.client.post(self.client.kid, header={"nonce": nonce})
        self.assertEqual(first.status, 200)
        self.assertProblem(self.client.post(self.client.kid, header={"nonce": nonce}), 400, "badNonce")

    def test_item_4_methods_and_paths(self):
        for method in ("GET", "PUT", "DELETE"):
            answer = self.client.request(method, "/acme/new-account")
            self.assertProblem(answer, 405, "malformed")
        for path in ("/acme", "/acme/", "/acme/nothing", "/acme/order", "/acme/order/", "/acme/authorization/x", "/acme/challenge/x"):
            self.assertEqual(self.client.request("POST", path, "{}", {"Content-Type": "application/jose+json"}).status // 100, 4, path)
        self.assertEqual(self.client.request("GET", "/").status, 404)

    def test_resources_of_others_are_out_of_reach(self):
        self.client.register()
        order = self.client.order("mine.localhost")
        authorization = self.client.post(order.json["authorizations"][0])
        stranger = Client(self.node)
        self.addCleanup(stranger.close)
        stranger.register()
        for url in (order.headers["Location"], order.json["authorizations"][0], authorization.json["challenges"][0]["url"], order.json["finalize"], self.client.kid, self.client.kid + "/orders"):
            self.assertProblem(stranger.post(url, {"csr": "AA"} if url.endswith("finalize") else None), 403, "unauthorized")

    def test_item_5_post_as_get_wants_an_empty_payload(self):
        self.client.register()
        order = self.client.order("a.localhost")
        self.assertProblem(self.client.post(order.headers["Location"], {}), 400, "malformed")
        self.assertEqual(self.client.post(self.client.directory["newNonce"]).status, 204)
        self.assertEqual(self.client.post(f"https://localhost:{self.node.https}/acme/directory").json, self.client.directory)

    def test_item_35_an_authorization_can_be_given_up(self):
        self.client.register()
        order = self.client.order("gone.localhost")
        url = order.json["authorizations"][0]
        self.assertEqual(self.client.post(url, {"status": "deactivated"}).json["status"], "deactivated")
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "invalid")
        self.assertProblem(self.client.post(url, {"status": "valid"}), 400, "malformed")

    def test_what_a_server_answers_is_judged_and_not_repeated(self):
        self.client.register()
        order = self.client.order("garbled.localhost")
        url = order.json["authorizations"][0]
        token = self.client.challenge(url)["token"]
        self.responder.raw[token] = b"HTTP/1.1 302 Found\r\nLocation: ftp://\xed\xa0\x80/\r\nContent-Length: 0\r\n\r\n"
        failed = self.client.respond(url)
        self.assertEqual(failed["status"], "invalid", failed)
        self.assertIn('its redirect is not followed', failed["challenges"][0]["error"]["detail"])
        self.assertEqual(self.client.post(order.headers["Location"]).json["status"], "invalid")
        explained = self.node.out("acme", "explain", order.headers["Location"])
        self.assertIn("its redirect is not followed", explained)
        self.assertNotIn("ftp:", explained)  # nothing of what a server says comes back by way of an error

    def test_two_hundred_orders_at_once(self):
        errors = []
        _, csr = csr_der(self.node, ["many.localhost"], "many")

        def work():
            try:
                client = Client(self.node)
                client.register()
                for _ in range(10):
                    _, done = client.certificate("many.localhost", responder=self.responder, csr=csr)
                    if done.json["status"] != "valid":
                        errors.append(done.body)
                client.close()
            except Exception as error:
                errors.append(repr(error))

        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        rows = self.node.items("list", "--name", "many.localhost")
        self.assertEqual(len(rows), 200)
        self.assertEqual(len({row["serial"] for row in rows}), 200)


class TwoClients(unittest.TestCase):
    def test_two_clients_share_one_account(self):
        with Node().init().start() as node:
            responder = Responder(node.challenge)
            self.addCleanup(responder.close)
            first, second = Client(node), Client(node)
            second.key = first.key
            self.assertEqual((first.register().status, second.register().status), (201, 200))
            self.assertEqual(first.kid, second.kid)
            errors = []

            def work(client, name):
                try:
                    _, csr = csr_der(node, [name], name)
                    for _ in range(5):
                        _, done = client.certificate(name, responder=responder, csr=csr)
                        if done.json["status"] != "valid":
                            errors.append(done.body)
                except Exception as error:
                    errors.append(repr(error))

            threads = [threading.Thread(target=work, args=each) for each in ((first, "a.localhost"), (second, "b.localhost"))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(errors, [])
            self.assertEqual(len(first.post(first.kid + "/orders").json["orders"]), 10)
            first.close()
            second.close()


class Restart(unittest.TestCase):
    def test_a_validation_under_way_goes_on_after_a_kill(self):
        with Node().init().start() as node:
            client = Client(node)
            client.register()
            order = client.order("later.localhost")
            challenge = client.post(order.json["authorizations"][0]).json["challenges"][0]
            # Nobody listens yet: a listening socket that never answers keeps the validation busy.
            silent = socket.socket()
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            silent.bind(("127.0.0.1", node.challenge))
            silent.listen()
            client.post(challenge["url"], {})
            self.assertEqual(client.post(challenge["url"]).json["status"], "processing")
            node.kill()
            silent.close()
            responder = Responder(node.challenge)
            responder.answers[challenge["token"]] = f"{challenge['token']}.{client.key.thumbprint()}"
            node.start()
            client.close()
            client.nonce = None
            self.assertEqual(client.wait(challenge["url"], "valid", "invalid").json["status"], "valid")
            responder.close()
            client.close()


@unittest.skipIf(STORAGE == "sqlite", "setup: one node at a time writes to a SQLite file")
class TwoNodes(unittest.TestCase):
    # Both are one service to the world, as behind a load balancer.
    config = BASE.replace('[listener.public]\n', '[listener.public]\nurl = "https://pki.example.test"\n')

    def test_an_order_under_validation_at_kill_9_is_finished_by_the_other_node(self):
        with Node(self.config).init().start() as first:
            second = first.second(self.config)
            self.addCleanup(second.kill)
            second.start()
            self.assertTrue(until(lambda: "nonces are shared from now on" in first.log_text()))
            client = Client(first)
            client.register()
            order = client.order("taken.localhost")
            challenge = client.post(order.json["authorizations"][0]).json["challenges"][0]
            silent = socket.create_server(("127.0.0.1", first.challenge))
            client.post(challenge["url"], {})
            self.assertEqual(client.post(challenge["url"]).json["status"], "processing")
            first.kill()
            begun = time.monotonic()
            client.close()
            silent.close()
            responder = Responder(first.challenge)
            self.addCleanup(responder.close)
            responder.answers[challenge["token"]] = client.key_authorization(challenge)
            # The same account at the other node, with a nonce of the dead one.
            client.node, client.connection = second, http.client.HTTPSConnection("localhost", second.https, timeout=30, context=client.context)
            self.addCleanup(client.close)
            # It sees by the beats that the first node's attempt is over.
            self.assertEqual(client.wait(challenge["url"], "valid", "invalid", seconds=90).json["status"], "valid")
            self.assertLess(time.monotonic() - begun, 15)
            _, csr = csr_der(second, ["taken.localhost"], "taken")
            done = client.post(client.post(order.headers["Location"]).json["finalize"], {"csr": b64(csr)})
            self.assertEqual((done.status, done.json["status"]), (200, "valid"), done.body)
            self.assertEqual(len(client.post(client.kid + "/orders").json["orders"]), 1)


if __name__ == "__main__":
    main()
